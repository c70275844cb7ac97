#include "auth/ban_list.hpp"

#include "auth/address.hpp"
#include "auth/ban_patterns.hpp"
#include "protocol/hash.hpp"
#include "protocol/topic.hpp"

#include <algorithm>
#include <optional>

namespace troupe::auth {

namespace {

using detail::ban_shard;
using detail::shared_ban;

bool is_pattern(ban_kind as) noexcept {
  return as == ban_kind::clientid_re || as == ban_kind::username_re;
}

std::uint64_t hash_of(ban_kind as, std::string_view who) noexcept {
  return protocol::hash64(who, static_cast<std::uint64_t>(as));
}

template <class Items>
auto position(Items& items, std::uint64_t hash) {
  return std::lower_bound(
    items.begin(), items.end(), hash,
    [](const ban_shard::item& x, std::uint64_t h) { return x.hash < h; });
}

const shared_ban* find_in(const ban_shard* shard, ban_kind as,
                          std::string_view who, std::uint64_t hash) {
  if (!shard)
    return nullptr;
  for (auto at = position(shard->items, hash);
       at != shard->items.end() && at->hash == hash; ++at)
    if (at->what->as == as && at->what->who == who)
      return &at->what;
  return nullptr;
}

/// The form of a name in which bans are compared; as it is if it has no other.
std::string canonical(ban_kind as, std::string_view who) {
  if (as == ban_kind::peerhost)
    if (const auto a = address::parse(who))
      return a->to_string();
  if (as == ban_kind::peerhost_net)
    if (const auto read = network::parse(who); read.index() == 0)
      return std::get<network>(read).to_string();
  return std::string{who};
}

std::string wrong_name(ban_kind as, std::string_view who) {
  const auto kind = std::string{to_string(as)};
  if (who.empty())
    return kind + " is empty: name whom to ban";
  if (who.size() > 65'535 || !protocol::is_valid_utf8(who))
    return kind
           + " is longer than 65,535 bytes, not UTF-8 or holds U+0000: no "
             "client has such a name";
  if (as == ban_kind::peerhost && !address::parse(who))
    return kind + " \"" + std::string{who}
           + "\" is no address: expected one such as \"10.1.2.3\"; a network "
             "is a peerhost_net";
  if (as == ban_kind::peerhost_net)
    if (const auto read = network::parse(who); read.index() == 1)
      return kind + " " + std::get<1>(read);
  if (!is_pattern(as))
    return {};
  if (who.size() > ban_table::pattern_size_max)
    return kind + " is longer than "
           + std::to_string(ban_table::pattern_size_max)
           + " bytes: write a shorter expression, or several";
  if (const auto wrong = detail::ban_patterns::problem_with(who);
      !wrong.empty())
    return kind + " is no regular expression that can be used: " + wrong;
  return {};
}

} // namespace

const ban* ban_list::look_up(ban_kind as, std::string_view who,
                             std::int64_t now_ms) const {
  const auto hash = hash_of(as, who);
  const auto* const found =
    find_in(shards_[hash % detail::ban_shards].get(), as, who, hash);
  return found && (*found)->in_force(now_ms) ? found->get() : nullptr;
}

const ban* ban_list::look_up_networks(const net::endpoint& peer,
                                      std::int64_t now_ms) const {
  const auto a = address::of(peer);
  if (!a)
    return nullptr;
  if (const auto* const found =
        look_up(ban_kind::peerhost, a->to_string(), now_ms))
    return found;
  for (unsigned i = a->width() + 1; i-- != 0;) {
    if ((a->v6 ? prefixes_.v6[i] : prefixes_.v4[i]) == 0)
      continue;
    const network in{a->masked(i), static_cast<std::uint8_t>(i)};
    if (const auto* const found =
          look_up(ban_kind::peerhost_net, in.to_string(), now_ms))
      return found;
  }
  return nullptr;
}

const ban* ban_list::find(const identity& who, std::int64_t now_ms) const {
  if (size_ == 0)
    return nullptr;
  if (const auto* const found =
        look_up(ban_kind::clientid, who.client_id, now_ms))
    return found;
  if (who.user_name)
    if (const auto* const found =
          look_up(ban_kind::username, *who.user_name, now_ms))
      return found;
  if (who.peer)
    if (const auto* const found = look_up_networks(*who.peer, now_ms))
      return found;
  if (client_patterns_)
    if (const auto* const found = client_patterns_->find(who.client_id, now_ms))
      return found;
  return user_patterns_ && who.user_name
           ? user_patterns_->find(*who.user_name, now_ms)
           : nullptr;
}

void ban_list::for_each(const std::function<void(const ban&)>& use) const {
  for (const auto& shard : shards_)
    if (shard)
      for (const auto& one : shard->items)
        use(*one.what);
  for (const auto* const patterns :
       {client_patterns_.get(), user_patterns_.get()})
    if (patterns)
      for (const auto& one : patterns->bans())
        use(*one);
}

ban_table::ban_table(options how) : how_{how} {}
ban_table::~ban_table() = default;

std::vector<shared_ban>& ban_table::patterns(ban_kind as) noexcept {
  return as == ban_kind::clientid_re ? client_patterns_ : user_patterns_;
}

const shared_ban* ban_table::find(ban_kind as, std::string_view who) const {
  if (!is_pattern(as)) {
    const auto hash = hash_of(as, who);
    return find_in(shards_[hash % detail::ban_shards].get(), as, who, hash);
  }
  const auto& in =
    as == ban_kind::clientid_re ? client_patterns_ : user_patterns_;
  const auto at = std::find_if(
    in.begin(), in.end(), [who](const auto& one) { return one->who == who; });
  return at == in.end() ? nullptr : &*at;
}

const ban* ban_table::get(ban_kind as, std::string_view who) const {
  const auto* const found = find(as, canonical(as, who));
  return found ? found->get() : nullptr;
}

/// The shard of `hash`, made or copied if a list has it.
ban_shard& ban_table::own(std::uint64_t hash) {
  auto& shard = shards_[hash % detail::ban_shards];
  if (!shard)
    shard = std::make_shared<ban_shard>();
  else if (shard->epoch != epoch_)
    shard = std::make_shared<ban_shard>(*shard);
  shard->epoch = epoch_;
  return *shard;
}

void ban_table::count_network(const ban& what, bool more) {
  if (what.as != ban_kind::peerhost_net)
    return;
  const auto net = std::get<network>(network::parse(what.who));
  auto& count =
    net.base.v6 ? prefixes_.v6[net.prefix] : prefixes_.v4[net.prefix];
  count += more ? 1U : ~0U;
}

std::string ban_table::add(ban what) {
  if (auto wrong = wrong_name(what.as, what.who); !wrong.empty())
    return wrong;
  what.who = canonical(what.as, what.who);
  const bool pattern = is_pattern(what.as);
  const bool known = find(what.as, what.who) != nullptr;
  if (!known && size_ >= how_.bans_max)
    return "there are " + std::to_string(size_)
           + " bans, which is the limit: remove some, or ban a network or a "
             "pattern in their place";
  if (!known && pattern
      && client_patterns_.size() + user_patterns_.size() >= how_.patterns_max)
    return "there are " + std::to_string(how_.patterns_max)
           + " bans by regular expression, which is the limit: join some "
             "with |";
  if (known)
    remove(what.as, what.who);
  const auto added = std::make_shared<const ban>(std::move(what));
  if (pattern) {
    patterns(added->as).push_back(added);
    (added->as == ban_kind::clientid_re ? client_compiled_ : user_compiled_)
      .reset();
  } else {
    const auto hash = hash_of(added->as, added->who);
    auto& items = own(hash).items;
    items.insert(position(items, hash), {hash, added});
    count_network(*added, true);
  }
  if (added->until_ms != ban::never)
    ending_.insert(added);
  ++size_;
  return {};
}

bool ban_table::remove(ban_kind as, std::string_view who) {
  const auto* const found = find(as, canonical(as, who));
  if (!found)
    return false;
  const auto gone = *found; // keeps it
  ending_.erase(gone);
  if (is_pattern(as)) {
    auto& in = patterns(as);
    in.erase(std::find(in.begin(), in.end(), gone));
    (as == ban_kind::clientid_re ? client_compiled_ : user_compiled_).reset();
  } else {
    const auto hash = hash_of(as, gone->who);
    auto& items = own(hash).items;
    items.erase(
      std::find_if(position(items, hash), items.end(),
                   [&gone](const auto& item) { return item.what == gone; }));
    count_network(*gone, false);
  }
  --size_;
  return true;
}

std::vector<shared_ban> ban_table::expire(std::int64_t now_ms) {
  std::vector<shared_ban> over;
  while (!ending_.empty() && !(*ending_.begin())->in_force(now_ms)) {
    over.push_back(*ending_.begin());
    remove(over.back()->as, over.back()->who);
  }
  return over;
}

std::shared_ptr<const ban_list> ban_table::snapshot() {
  const auto compiled = [](const auto& bans, auto& into) {
    if (!into && !bans.empty())
      into = std::make_shared<const detail::ban_patterns>(bans);
    return into;
  };
  auto made = std::make_shared<ban_list>();
  made->size_ = size_;
  std::copy(shards_.begin(), shards_.end(), made->shards_.begin());
  made->prefixes_ = prefixes_;
  made->client_patterns_ = compiled(client_patterns_, client_compiled_);
  made->user_patterns_ = compiled(user_patterns_, user_compiled_);
  ++epoch_; // what the list has is not changed any more
  return made;
}

} // namespace troupe::auth
