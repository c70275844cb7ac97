// What a shard asks its disk, answered out of the state database.

#include "cluster/retained_scan.hpp"
#include "cluster/row_codec.hpp"
#include "storage/keys.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>

namespace troupe::cluster {

namespace {

/// Reads the rows of one shard.
class finder {
public:
  finder(const row_source& from, std::uint16_t shard, const time_base& times)
    : from_(from),
      shard_(shard),
      times_(times) {}

  disk_finds operator()(const row_wants& what) const;
  disk_finds operator()(const backlog_wants& what) const;
  disk_finds operator()(const clean_wants& what) const;

private:
  using cursor = row_source::cursor;

  void decode(row_family family, std::string_view key, std::string_view value,
              row_target& into) const {
    load_row(family, key, value, shard_, times_, into);
  }
  /// Decodes one row. @returns whether it is there.
  bool get(row_family family, const std::string& key, row_target& into) const {
    const auto value = from_.get(family, key);
    if (value)
      decode(family, key, *value, into);
    return value.has_value();
  }
  /// Calls `f(key, value)` for rows whose keys begin with `prefix`, from `at`
  /// on, until it answers false.
  template <class F>
  void scan(row_family family, const std::string& prefix, const std::string& at,
            F&& f) const {
    const auto rows = from_.open(family, prefix);
    for (rows->seek(at); rows->valid(); rows->next())
      if (!f(rows->key(), rows->value()))
        return;
  }
  std::optional<holder_rows> holders_of(const std::string& client_id) const;
  retained_finds page_of(const retained_wants& what) const;
  struct of_filter;
  using filters = std::unordered_map<std::uint32_t, of_filter>;
  /// Who holds each filter. @param counted  with `of_filter::holders`.
  filters find_filters(bool counted) const;
  static void take(std::uint32_t filter, std::uint64_t last,
                   const page_row& page, clean_finds& into);
  void clean(std::uint32_t filter, std::uint64_t up_to,
             clean_finds& into) const;
  bool is_older(const page_row& page, time_point x) const;
  void sweep_filter(cursor& pages, const of_filter& filter,
                    const clean_wants& what, clean_finds& into) const;
  void sweep(const clean_wants& what, clean_finds& into) const;

  const row_source& from_;
  std::uint16_t shard_;
  const time_base& times_;
};

/// Keeps the last row of each kind.
struct last_row final : row_target {
  std::optional<session_row> session;
  std::optional<filter_row> filter;
  std::optional<retained_row> retained;
  std::optional<timer_row> timer;
  page_row page;
  message_row message;
  group_row group;

  void load_session(const std::string&, session_row&& x) override {
    session = std::move(x);
  }
  void load_filter(filter_name&&, const filter_row& x) override { filter = x; }
  void load_retained(retained_row&& x) override { retained = std::move(x); }
  void load_timer(timer_row&& x) override { timer = std::move(x); }
  void load_page(std::uint32_t, std::uint64_t, page_row&& x) override {
    page = std::move(x);
  }
  void load_message(std::uint64_t, message_row&& x) override {
    message = std::move(x);
  }
  void load_group(std::uint32_t, group_row&& x) override {
    group = std::move(x);
  }
};

/// What one session holds.
struct holder_target final : row_target {
  holder_rows rows;
  void load_holder(const std::string&, std::uint32_t filter,
                   const holder_row& x) override {
    rows.all.push_back({filter, x, 0, false, false});
  }
  void load_holder_cursor(const std::string&, std::uint64_t x) override {
    rows.cursor = x;
  }
};

// ---- rows -------------------------------------------------------------------

std::optional<holder_rows>
finder::holders_of(const std::string& client_id) const {
  holder_target found;
  const auto prefix = holder_prefix(shard_, client_id);
  // Sorted by the number of the filter, as the keys are.
  scan(row_family::holder, prefix, prefix,
       [&](std::string_view key, std::string_view value) {
         decode(row_family::holder, key, value, found);
         return true;
       });
  if (found.rows.all.empty())
    return std::nullopt;
  return std::move(found.rows);
}

retained_finds finder::page_of(const retained_wants& what) const {
  retained_finds found;
  const auto prefix = storage::key_of(shard_);
  const auto rows = from_.open(row_family::retained, prefix);
  scan_retained(*rows, prefix, what.filter, what.after,
                [&](std::string_view key) {
                  found.more = found.rows.size() == what.limit;
                  if (found.more)
                    return false;
                  last_row row;
                  decode(row_family::retained, rows->key(), rows->value(), row);
                  found.rows.emplace_back(key, std::move(*row.retained));
                  return true;
                });
  return found;
}

disk_finds finder::operator()(const row_wants& what) const {
  row_finds found;
  found.token = what.token;
  for (const auto& id : what.sessions) {
    last_row row;
    get(row_family::session, session_key(shard_, id), row);
    found.sessions.emplace_back(id, std::move(row.session));
  }
  for (const auto& id : what.holders)
    found.holders.emplace_back(id, holders_of(id));
  for (const auto& topic : what.filters) {
    last_row row;
    get(row_family::filter, filter_key(shard_, {{}, topic}), row);
    found.filters.emplace_back(topic, row.filter);
  }
  for (const auto& key : what.retained) {
    last_row row;
    get(row_family::retained, retained_row_key(shard_, key), row);
    found.retained.emplace_back(key, std::move(row.retained));
  }
  for (const auto& page : what.pages)
    found.pages.emplace_back(page, page_of(page));
  if (what.timers) {
    found.timers_after = what.timers;
    const auto after = timer_row_key(shard_, *what.timers, times_);
    scan(row_family::timer, storage::key_of(shard_), after,
         [&](std::string_view key, std::string_view value) {
           if (key == after)
             return true;
           last_row row;
           decode(row_family::timer, key, value, row);
           found.timers.push_back(std::move(*row.timer));
           return found.timers.size() < timer_window::batch;
         });
    found.more_timers = found.timers.size() == timer_window::batch;
  }
  if (what.owned) {
    found.owned_after = what.owned;
    const auto prefix = storage::key_of(shard_);
    const auto after = owned_key(shard_, *what.owned);
    scan(row_family::owned, prefix, after,
         [&](std::string_view key, std::string_view) {
           if (key != after || what.owned->empty())
             found.owned.emplace_back(key.substr(prefix.size()));
           return found.owned.size() < row_wants::owned_at_once;
         });
    found.more_owned = found.owned.size() == row_wants::owned_at_once;
  }
  return found;
}

// ---- backlog ----------------------------------------------------------------

disk_finds finder::operator()(const backlog_wants& what) const {
  backlog_finds found;
  found.token = what.token;
  std::map<std::uint64_t, backlog_finds::one> merged;
  const auto last =
    what.only.empty() ? what.up_to : std::min(what.up_to, what.only.back());
  found.up_to = last;
  for (const auto& asked : what.filters) {
    std::size_t taken = 0;
    scan(row_family::backlog, storage::key_of(shard_, asked.filter),
         page_key(shard_, asked.filter, asked.after + 1),
         [&](std::string_view key, std::string_view value) {
           last_row row;
           decode(row_family::backlog, key, value, row);
           for (auto& x : row.page.entries) {
             if (x.sequence > last)
               return false;
             if (x.sequence <= asked.after
                 || (!what.only.empty()
                     && !std::binary_search(what.only.begin(), what.only.end(),
                                            x.sequence)))
               continue;
             if (taken++ == what.limit) { // what is behind is not known
               found.more = true;
               found.up_to = std::min(found.up_to, x.sequence - 1);
               return false;
             }
             auto& one = merged[x.sequence];
             one.sequence = x.sequence;
             if (x.message)
               one.message = std::move(x.message);
             one.filters.push_back(asked.filter);
           }
           return true;
         });
  }
  for (auto& [sequence, one] : merged) {
    if (found.messages.size() == what.limit || sequence > found.up_to) {
      found.more = true;
      found.up_to = std::min(found.up_to, sequence - 1);
      break;
    }
    if (!one.message) {
      last_row row;
      if (!get(row_family::message, message_key(shard_, sequence), row))
        continue; // cleaned away: nobody waits for it
      one.message = std::move(row.message.message);
    }
    found.messages.push_back(std::move(one));
  }
  return found;
}

// ---- cleaning ---------------------------------------------------------------

/// What is to be cleaned away of one filter.
struct finder::of_filter {
  std::uint64_t done = 0;             ///< nobody needs what is not greater
  std::string client_id;              ///< whose `done` it is
  std::vector<std::uint64_t> holders; ///< of each, if deliveries are counted
  std::optional<group_row> group;

  /// How many still had to get a message.
  std::size_t owed(std::uint64_t sequence) const {
    if (group)
      return sequence <= group->up_to
               ? std::count(group->open.begin(), group->open.end(), sequence)
               : 1
                   - std::count(group->done.begin(), group->done.end(),
                                sequence);
    return static_cast<std::size_t>(
      std::count_if(holders.begin(), holders.end(),
                    [&](std::uint64_t x) { return x < sequence; }));
  }
};

void finder::take(std::uint32_t filter, std::uint64_t last,
                  const page_row& page, clean_finds& into) {
  into.pages.push_back({filter, last});
  into.count += page.entries.size();
  into.bytes += bytes_of(page);
}

/// Pages of one filter that end at `up_to` or before.
void finder::clean(std::uint32_t filter, std::uint64_t up_to,
                   clean_finds& into) const {
  const auto prefix = storage::key_of(shard_, filter);
  scan(row_family::backlog, prefix, prefix,
       [&](std::string_view key, std::string_view value) {
         const auto last = storage::get<std::uint64_t>(key, prefix.size());
         if (last > up_to)
           return false;
         last_row row;
         decode(row_family::backlog, key, value, row);
         take(filter, last, row.page, into);
         return true;
       });
}

finder::filters finder::find_filters(bool counted) const {
  struct target final : row_target {
    explicit target(bool counts) : counted(counts) {}
    bool counted;
    filters found;
    std::string client_id;
    std::uint64_t cursor = 0;
    void load_holder(const std::string& id, std::uint32_t filter,
                     const holder_row& x) override {
      if (id != client_id)
        load_holder_cursor(id, 0);
      const auto done = std::max(cursor, x.start);
      const auto [at, fresh] = found.try_emplace(filter);
      if (fresh || done < at->second.done) {
        at->second.done = done;
        at->second.client_id = id;
      }
      if (counted)
        at->second.holders.push_back(done);
    }
    void load_holder_cursor(const std::string& id, std::uint64_t x) override {
      client_id = id;
      cursor = x;
    }
    void load_group(std::uint32_t filter, group_row&& x) override {
      auto& of = found[filter];
      of.done = x.open.empty() ? x.up_to : x.open.front() - 1;
      of.client_id.clear();
      of.group = std::move(x);
    }
  };
  target all{counted};
  const auto prefix = storage::key_of(shard_);
  // Groups last: their holders have no cursors.
  for (const auto family : {row_family::holder, row_family::group})
    scan(family, prefix, prefix,
         [&](std::string_view key, std::string_view value) {
           decode(family, key, value, all);
           return true;
         });
  return std::move(all.found);
}

/// Whether the newest message of a page was received before `x`. One that is
/// gone already was.
bool finder::is_older(const page_row& page, time_point x) const {
  auto newest = page.entries.back().message;
  if (!newest) {
    last_row row;
    get(row_family::message, message_key(shard_, page.entries.back().sequence),
        row);
    newest = row.message.message;
  }
  return !newest || newest->received_at() < x;
}

/// The pages of one filter, at which `pages` stands; it stands behind them
/// then.
void finder::sweep_filter(cursor& pages, const of_filter& filter,
                          const clean_wants& what, clean_finds& into) const {
  struct kept_page {
    std::uint64_t last;
    page_row page;
    std::size_t bytes;
  };
  // Enough to tell who keeps how much, unless all of it must be known.
  const auto most_looked_at =
    what.most_bytes != 0 ? ~std::size_t{0} : std::size_t{256};
  const auto id = storage::get<std::uint32_t>(pages.key(), 2);
  const auto prefix = storage::key_of(shard_, id);
  clean_finds::pin pin{id, filter.client_id, 0, 0};
  std::deque<kept_page> kept;
  const auto give_up = [&](std::size_t clean_finds::*counter) {
    auto& x = kept.front();
    take(id, x.last, x.page, into);
    for (const auto& y : x.page.entries)
      into.*counter += filter.owed(y.sequence);
    pin.messages -= x.page.entries.size();
    pin.bytes -= x.bytes;
    kept.pop_front();
  };
  std::size_t looked_at = 0;
  for (; pages.valid() && pages.key().starts_with(prefix); pages.next()) {
    last_row row;
    decode(row_family::backlog, pages.key(), pages.value(), row);
    const auto last = storage::get<std::uint64_t>(pages.key(), prefix.size());
    if (last <= filter.done) {
      take(id, last, row.page, into);
      continue;
    }
    if (++looked_at > most_looked_at) {
      pages.seek(storage::end_of_prefix(prefix));
      break;
    }
    const bool old = what.oldest && is_older(row.page, *what.oldest);
    pin.messages += row.page.entries.size();
    pin.bytes += bytes_of(row.page);
    const auto bytes = bytes_of(row.page);
    kept.push_back({last, std::move(row.page), bytes});
    if (old) {
      give_up(&clean_finds::too_old);
      --looked_at;
    } else if (what.most_bytes == 0) {
      kept.clear();
    }
    while (what.most_bytes != 0 && pin.bytes > what.most_bytes
           && kept.size() > 1)
      give_up(&clean_finds::too_many);
  }
  if (pin.messages != 0)
    into.pins.push_back(std::move(pin));
  constexpr std::size_t most_pins = 10;
  std::sort(into.pins.begin(), into.pins.end(),
            [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  if (into.pins.size() > most_pins)
    into.pins.pop_back();
}

/// More than the time between the first and the last message of a page: what is
/// older by so much than a page that is kept is in none.
constexpr std::chrono::hours page_span{1};

/// Everything that nobody is behind. Cursors only grow, and new holders begin
/// behind all there is, so what is found stays right.
void finder::sweep(const clean_wants& what, clean_finds& into) const {
  const auto prefix = storage::key_of(shard_);
  const auto pages = from_.open(row_family::backlog, prefix);
  const auto messages = from_.open(row_family::message, prefix);
  // Opened before the cursors are read: what has come since is not seen.
  const auto all = find_filters(what.oldest || what.most_bytes != 0);
  of_filter nobody;
  nobody.done = ~std::uint64_t{0};
  const auto of = [&](std::uint32_t id) -> const of_filter& {
    const auto at = all.find(id);
    return at == all.end() ? nobody : at->second;
  };
  for (pages->seek(prefix); pages->valid();)
    sweep_filter(*pages, of(storage::get<std::uint32_t>(pages->key(), 2)), what,
                 into);
  for (messages->seek(prefix); messages->valid(); messages->next()) {
    last_row row;
    decode(row_family::message, messages->key(), messages->value(), row);
    const auto sequence = storage::get<std::uint64_t>(messages->key(), 2);
    const bool old =
      what.oldest
      && row.message.message->received_at() < *what.oldest - page_span;
    if (old
        || std::all_of(row.message.filters.begin(), row.message.filters.end(),
                       [&](std::uint32_t x) { return sequence <= of(x).done; }))
      into.messages.push_back(sequence);
  }
  into.swept = true;
}

disk_finds finder::operator()(const clean_wants& what) const {
  clean_finds found;
  if (what.sweep)
    sweep(what, found);
  else
    for (const auto& [filter, up_to] : what.filters)
      clean(filter, up_to, found);
  return found;
}

// ---- start ------------------------------------------------------------------

/// What is always in memory.
class shard_target final : public row_target {
public:
  explicit shard_target(shard_state_machine& to) : to_(to) {}
  void load(const applied_row& x) override { to_.load(x); }
  void load_filter(filter_name&& name, const filter_row& x) override {
    to_.load_filter(std::move(name), x);
  }
  void load_group(std::uint32_t filter, group_row&& x) override {
    to_.load_group(filter, std::move(x));
  }
  void load_exclusive(const std::string& client_id,
                      const std::string& filter) override {
    to_.load_exclusive(client_id, filter);
  }
  void load_outbox(std::uint16_t to, forward_command&& x) override {
    to_.load_outbox(to, std::move(x));
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    to_.load_inbound(client_id, identifier, incarnation);
  }

private:
  shard_state_machine& to_;
};

} // namespace

disk_finds find(const row_source& from, std::uint16_t shard,
                const time_base& times, const disk_wants& what) {
  return std::visit(finder{from, shard, times}, what);
}

void load_shard(const row_source& from, std::uint16_t shard,
                const time_base& times, shard_state_machine& into) {
  shard_target target{into};
  const auto prefix = storage::key_of(shard);
  for (const auto family :
       {row_family::applied, row_family::filter, row_family::group,
        row_family::exclusive, row_family::outbox, row_family::inbound}) {
    const auto rows = from.open(family, prefix);
    for (rows->seek(prefix); rows->valid(); rows->next())
      load_row(family, rows->key(), rows->value(), shard, times, target);
  }
}

} // namespace troupe::cluster
