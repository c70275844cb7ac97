#pragma once
// Commands from a seed, for a single shard.

#include "tests/cluster/support.hpp"

#include <algorithm>

namespace troupe::test {

inline constexpr const char* client_names[] = {"a", "b", "c", "d"};

/// Any command at all; who sends it need not make sense, but mostly does.
class random_commands {
public:
  explicit random_commands(std::uint32_t seed) : random_(seed) {}

  /// @param seen  what clients were told up to now.
  cluster::command operator()(const recorder& seen) {
    using namespace cluster;
    ++step_;
    const std::string who = client_names[random_() % 4];
    const client_ref from{static_cast<std::uint32_t>(random_() % 6), 1, 0};
    for (; known_ < seen.grants.size(); ++known_)
      epochs_[claimed_] = seen.grants[known_].epoch;
    const auto epoch = chance(5) ? random_() % 20 : epochs_[who];
    const auto id = static_cast<std::uint16_t>(1 + random_() % 4);
    const auto shard = static_cast<std::uint16_t>(random_() % 3);
    const auto wanted = subscription();
    switch (random_() % 24) {
    case 0:
    case 1:
      return hold_command{who, wanted, !chance(3), from, 1};
    case 2:
    case 3: {
      std::shared_ptr<will_record> will;
      if (chance(2))
        will = std::make_shared<will_record>(
          will_record{message(who), std::chrono::seconds{random_() % 20}});
      claimed_ = who;
      return claim_command{
        who, from, chance(3),
        chance(9) ? never_expires : static_cast<std::uint32_t>(random_() % 30),
        will};
    }
    case 4: {
      std::shared_ptr<session_record> record;
      if (!chance(3)) {
        record = std::make_shared<session_record>();
        record->cursors = {{shard, random_() % 300}};
        record->next_packet_identifier = id;
        record->kept = kept(who);
      }
      return release_command{who,
                             from,
                             epoch,
                             record,
                             static_cast<std::uint32_t>(random_() % 30),
                             chance(2) ? release_command::will_fate::discard
                                       : release_command::will_fate::publish};
    }
    case 5:
    case 6:
      return subscribe_command{who, epoch, wanted, !chance(3), from, 1};
    case 7:
      return checkpoint_command{
        who, epoch, kept(who), {{shard, random_() % 300}}};
    case 8:
      return inbound_command{who, epoch, id, shard, chance(2), from};
    case 9:
      return inbound_end_command{{who, 1 + random_() % 9, id}, from};
    case 10:
      return inbound_forget_command{who, random_() % 9};
    case 11: {
      outbound_command x{who, epoch, {}, {}, {}, from};
      for (auto i = random_() % 3; i > 0; --i)
        x.states.push_back({{shard, random_() % 300},
                            id,
                            static_cast<outbound_state::state>(random_() % 3)});
      return x;
    }
    case 12:
      return advance_command{who, recent()};
    case 13:
      return group_online_command{"g", wanted.filter};
    case 14:
      return group_done_command{"g", wanted.filter, recent()};
    case 15:
      return group_return_command{"g", wanted.filter, message(who),
                                  chance(2) ? 0 : recent()};
    case 16:
      return remove_retained_command{random_topic(random_)};
    case 17:
      return time_command{};
    case 18:
      // Where a page ends depends on what is on the disk.
      return fetch_read{who, from, random_() % 300, 1'000};
    case 19:
      return retained_read{random_filter(random_), from, 1, {}, 1'000};
    case 20:
      if (chance(20))
        return restart_command{};
      [[fallthrough]];
    case 21: {
      forward_command x{shard, 0, std::make_shared<boxed_command>()};
      auto& last = last_from_[shard];
      x.sequence = chance(4) ? random_() % (last + 3) : ++last;
      if (chance(2))
        x.what->what = hold_command{who, wanted, true, from, 2};
      else
        x.what->what = advance_command{who, recent()};
      return x;
    }
    case 22:
      return forwarded_command{static_cast<std::uint16_t>(random_() % 16),
                               random_() % 20};
    default: {
      publish_command x{message(who), from, 1, 0, !chance(8)};
      sequence_ += x.logged ? 1 : 0;
      if (x.logged && chance(10))
        x.delay_seconds = static_cast<std::uint32_t>(random_() % 20);
      if (x.logged && chance(3))
        x.inbound = inbound_identity{who, 1 + random_() % 9, id};
      return x;
    }
    }
  }

private:
  bool chance(unsigned of) { return random_() % of == 0; }
  message_ptr message(const std::string& publisher) {
    return make_message(
      random_topic(random_), chance(9) ? "" : std::to_string(step_),
      {.qos = static_cast<qos>(random_() % 3),
       .retain = chance(3),
       .expiry = chance(4) ? std::optional<std::uint32_t>{random_() % 50}
                           : std::nullopt,
       .at = start_time + std::chrono::seconds{step_},
       .publisher = publisher});
  }
  cluster::subscription_record subscription() {
    cluster::subscription_record x;
    if (filters_.size() < 12 || chance(20))
      filters_.push_back(random_filter(random_));
    x.filter = filters_[filters_.size() - 1 - random_() % 12 % filters_.size()];
    x.options.maximum_qos = static_cast<qos>(chance(6) ? 0 : 1 + random_() % 2);
    x.options.no_local = chance(5);
    x.identifier = static_cast<std::uint32_t>(random_() % 3);
    if (chance(3))
      x.share_name = chance(2) ? "g" : "h";
    else
      x.exclusive = chance(4);
    return x;
  }
  std::vector<cluster::kept_message> kept(const std::string& who) {
    std::vector<cluster::kept_message> made(random_() % 3);
    for (auto& x : made) {
      x.what.message = message(who);
      x.what.qos = static_cast<qos>(1 + random_() % 2);
      x.packet_identifier = static_cast<std::uint16_t>(random_() % 4);
      x.released = chance(3);
    }
    return made;
  }

  /// About where the shard is.
  std::uint64_t recent() {
    return sequence_ - std::min<std::uint64_t>(sequence_, random_() % 60) + 5;
  }

  std::minstd_rand random_;
  int step_ = 0;
  std::uint64_t sequence_ = 0;
  std::vector<std::string> filters_;
  std::map<std::string, std::uint64_t> epochs_;
  std::size_t known_ = 0;
  std::string claimed_;
  std::map<std::uint16_t, std::uint64_t> last_from_;
};

} // namespace troupe::test
