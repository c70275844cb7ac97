#include "cluster/row_codec.hpp"

#include "cluster/state.capnp.h"
#include "cluster/wire_records.hpp"
#include "storage/keys.hpp"

#include <algorithm>
#include <unordered_set>

namespace troupe::cluster {

namespace {

using storage::key_of;

std::string key_with(std::string&& key, std::string_view rest) {
  key.append(rest);
  return std::move(key);
}

std::span<const std::uint8_t> as_bytes(std::string_view x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

std::string hex(std::string_view x) {
  static constexpr std::size_t shown = 40;
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto c : x.substr(0, shown)) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return x.size() > shown ? out + "..." : out;
}

record_error about(row_family family, std::string_view key,
                   const std::string& what) {
  return record_error{std::string{"family "}
                      + row_family_names.at(static_cast<std::size_t>(family))
                      + ", key " + hex(key) + ": " + what};
}

/// Takes a key apart, from its front.
class key_reader {
public:
  explicit key_reader(std::string_view key) : rest_(key) {}

  template <std::unsigned_integral T>
  T number() {
    return storage::get<T>(take(sizeof(T)));
  }
  std::string_view take(std::size_t size) {
    if (rest_.size() < size)
      throw record_error{"the key is cut off"};
    const auto x = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return x;
  }
  std::string_view rest() { return take(rest_.size()); }
  void end() const {
    if (!rest_.empty())
      throw record_error{"the key is too long"};
  }

private:
  std::string_view rest_;
};

template <class Root, class F>
auto read_value(std::string_view value, const time_base& times, F&& f) {
  return read_record<Root>(as_bytes(value), times, std::forward<F>(f));
}

applied_row read_applied(std::string_view value, const time_base& times) {
  return read_value<wire::AppliedRow>(
    value, times, [](wire::AppliedRow::Reader from, const source& in) {
      if (from.getFormat() == 0 || from.getFormat() > state_format)
        throw record_error{
          "the shard has format " + std::to_string(from.getFormat())
          + ", this version knows 1 to " + std::to_string(state_format)};
      applied_row x;
      x.index = from.getIndex();
      x.now = read_past(from.getNow(), in.times);
      x.sequence = from.getSequence();
      x.last_epoch = from.getLastEpoch();
      x.next_filter = from.getNextFilter();
      x.next_delayed = from.getNextDelayed();
      x.forwarded = read(from.getForwarded(), in);
      x.applied_from = read(from.getAppliedFrom(), in);
      return x;
    });
}

session_row read_session(std::string_view value, const time_base& times) {
  return read_value<wire::SessionRow>(
    value, times, [](wire::SessionRow::Reader from, const source& in) {
      if (!from.hasRecord())
        throw record_error{"there is no record in the session"};
      session_row x;
      x.incarnation = from.getIncarnation();
      x.epoch = from.getEpoch();
      x.owned = from.getOwned();
      x.expiry_interval = from.getExpiryInterval();
      x.expires = in.times.from_stored(from.getExpires());
      x.record = read(from.getRecord(), in);
      if (from.hasWill())
        x.will = read(from.getWill(), in);
      x.will_due = in.times.from_stored(from.getWillDue());
      return x;
    });
}

filter_name read_filter_row(std::string_view value, const time_base& times) {
  return read_value<wire::FilterRow>(
    value, times, [](wire::FilterRow::Reader from, const source&) {
      return filter_name{read_share_name(from.getShareName()),
                         read_filter(from.getFilter())};
    });
}

holder_row read_holder(std::string_view value, const time_base& times) {
  return read_value<wire::HolderRow>(
    value, times, [](wire::HolderRow::Reader from, const source&) {
      return holder_row{from.getCursor(), read_options(from.getOptions()),
                        read_subscription_identifier(from.getIdentifier())};
    });
}

message_row read_message(std::string_view value, const time_base& times) {
  return read_value<wire::MessageRow>(
    value, times, [](wire::MessageRow::Reader from, const source& in) {
      message_row x;
      x.message = read_message_of(from, in);
      const auto filters = from.getFilters();
      x.filters.reserve(filters.size());
      for (const auto id : filters)
        x.filters.push_back(id);
      return x;
    });
}

retained_row read_retained(std::string_view value, const time_base& times) {
  return read_value<wire::RetainedRow>(
    value, times, [](wire::RetainedRow::Reader from, const source& in) {
      return retained_row{read_message_of(from, in), from.getSequence()};
    });
}

forward_command read_outbox(std::string_view value, const time_base& times) {
  return read_value<wire::Forward>(
    value, times, [](wire::Forward::Reader from, const source& in) {
      return read(from, in);
    });
}

std::uint64_t read_inbound(std::string_view value, const time_base& times) {
  return read_value<wire::InboundRow>(
    value, times, [](wire::InboundRow::Reader from, const source&) {
      return from.getIncarnation();
    });
}

/// @param words  of everything behind the root.
template <class Root, class F>
std::string build(std::size_t words, F&& write_to) {
  flat_builder built{1 + words_of<Root> + words};
  write_to(built.initRoot<Root>());
  return built.take();
}

unsigned size_of(const auto& x) { return static_cast<unsigned>(x.size()); }

void check_shard(key_reader& key, std::uint16_t shard) {
  const auto found = key.number<std::uint16_t>();
  if (found != shard)
    throw record_error{"the row belongs to shard " + std::to_string(found)};
}

} // namespace

// ---- keys -------------------------------------------------------------------

std::string applied_key(std::uint16_t shard) { return key_of(shard); }

std::string session_key(std::uint16_t shard, std::string_view client_id) {
  return key_with(key_of(shard), client_id);
}

std::string filter_key(std::uint16_t shard, std::uint32_t id) {
  return key_of(shard, id);
}

std::string holder_key(std::uint16_t shard, std::uint32_t filter,
                       std::string_view client_id) {
  return key_with(key_of(shard, filter), client_id);
}

std::string message_key(std::uint16_t shard, std::uint64_t sequence) {
  return key_of(shard, sequence);
}

std::string retained_row_key(std::uint16_t shard, std::string_view key) {
  return key_with(key_of(shard), key);
}

std::string delayed_key(std::uint16_t shard, std::int64_t due,
                        std::uint64_t id) {
  return key_of(shard,
                static_cast<std::uint64_t>(std::max<std::int64_t>(due, 0)), id);
}

std::string outbox_key(std::uint16_t shard, std::uint16_t to,
                       std::uint64_t sequence) {
  return key_of(shard, to, sequence);
}

std::string inbound_key(std::uint16_t shard, std::string_view client_id,
                        std::uint16_t packet_identifier) {
  auto key = key_of(shard, static_cast<std::uint16_t>(client_id.size()));
  key.append(client_id);
  storage::put(key, packet_identifier);
  return key;
}

// ---- values -----------------------------------------------------------------

std::string encode_row(const applied_row& x, const time_base& times) {
  return build<wire::AppliedRow>(
    list_words<wire::Cursor>(x.forwarded)
      + list_words<wire::Cursor>(x.applied_from),
    [&](wire::AppliedRow::Builder to) {
      to.setIndex(x.index);
      to.setNow(times.to_stored(x.now));
      to.setSequence(x.sequence);
      to.setLastEpoch(x.last_epoch);
      to.setNextDelayed(x.next_delayed);
      to.setNextFilter(x.next_filter);
      to.setFormat(state_format);
      if (!x.forwarded.empty())
        write(to.initForwarded(size_of(x.forwarded)), x.forwarded);
      if (!x.applied_from.empty())
        write(to.initAppliedFrom(size_of(x.applied_from)), x.applied_from);
    });
}

std::string encode_row(const session_row& x, const time_base& times) {
  return build<wire::SessionRow>(words(*x.record)
                                   + (x.will ? words(*x.will) : 0),
                                 [&](wire::SessionRow::Builder to) {
                                   write(to.initRecord(), *x.record, times);
                                   if (x.will)
                                     write(to.initWill(), *x.will, times);
                                   to.setIncarnation(x.incarnation);
                                   to.setEpoch(x.epoch);
                                   to.setExpires(times.to_stored(x.expires));
                                   to.setWillDue(times.to_stored(x.will_due));
                                   to.setExpiryInterval(x.expiry_interval);
                                   to.setOwned(x.owned);
                                 });
}

std::string encode_row(const filter_name& x) {
  return build<wire::FilterRow>(
    text_words(x.filter.size()) + text_words(x.share_name.size()),
    [&](wire::FilterRow::Builder to) {
      copy_to(to.initFilter(size_of(x.filter)), x.filter);
      if (!x.share_name.empty())
        copy_to(to.initShareName(size_of(x.share_name)), x.share_name);
    });
}

std::string encode_row(const holder_row& x) {
  return build<wire::HolderRow>(0, [&](wire::HolderRow::Builder to) {
    to.setCursor(x.cursor);
    to.setIdentifier(x.identifier);
    to.setOptions(to_byte(x.options));
  });
}

std::string encode_row(const message_row& x, const time_base& times) {
  return build<wire::MessageRow>(words(*x.message) + (x.filters.size() + 1) / 2,
                                 [&](wire::MessageRow::Builder to) {
                                   write(to.initMessage(), *x.message, times);
                                   if (!x.filters.empty()) {
                                     auto list =
                                       to.initFilters(size_of(x.filters));
                                     for (unsigned i = 0; i < list.size(); ++i)
                                       list.set(i, x.filters[i]);
                                   }
                                 });
}

std::string encode_row(const retained_row& x, const time_base& times) {
  return build<wire::RetainedRow>(words(*x.message),
                                  [&](wire::RetainedRow::Builder to) {
                                    write(to.initMessage(), *x.message, times);
                                    to.setSequence(x.sequence);
                                  });
}

std::string encode_row(const forward_command& x, const time_base& times) {
  return build<wire::Forward>(
    words_of<wire::Command> + words(x.what->what),
    [&](wire::Forward::Builder to) { write(to, x, times); });
}

std::string encode_inbound(std::uint64_t incarnation) {
  return build<wire::InboundRow>(
    0, [&](wire::InboundRow::Builder to) { to.setIncarnation(incarnation); });
}

// ---- a shard: writing -------------------------------------------------------

template <class Row, class... Times>
void row_collector::add(row_family family, std::string&& key, const Row* x,
                        const Times&... times) {
  auto& row = rows_.emplace_back();
  row.family = static_cast<std::uint8_t>(family);
  row.key = std::move(key);
  if (x != nullptr)
    row.value = encode_row(*x, times...);
}

void row_collector::applied(const applied_row& x) {
  add(row_family::applied, applied_key(shard_), &x, times_);
}

void row_collector::session(const std::string& client_id,
                            const session_row* x) {
  add(row_family::session, session_key(shard_, client_id), x, times_);
}

void row_collector::filter(std::uint32_t id, const filter_name* x) {
  add(row_family::filter, filter_key(shard_, id), x);
}

void row_collector::holder(std::uint32_t filter, const std::string& client_id,
                           const holder_row* x) {
  add(row_family::holder, holder_key(shard_, filter, client_id), x);
}

void row_collector::message(std::uint64_t sequence, const message_row* x) {
  add(row_family::message, message_key(shard_, sequence), x, times_);
}

void row_collector::retained(const std::string& key, const retained_row* x) {
  add(row_family::retained, retained_row_key(shard_, key), x, times_);
}

void row_collector::delayed(time_point due, std::uint64_t id,
                            const message_row* x) {
  add(row_family::delayed, delayed_key(shard_, times_.to_stored(due), id), x,
      times_);
}

void row_collector::outbox(std::uint16_t to, std::uint64_t sequence,
                           const forward_command* x) {
  add(row_family::outbox, outbox_key(shard_, to, sequence), x, times_);
}

void row_collector::inbound(const std::string& client_id,
                            std::uint16_t identifier,
                            const std::uint64_t* incarnation) {
  auto& row = rows_.emplace_back();
  row.family = static_cast<std::uint8_t>(row_family::inbound);
  row.key = inbound_key(shard_, client_id, identifier);
  if (incarnation != nullptr)
    row.value = encode_inbound(*incarnation);
}

// ---- a shard: reading -------------------------------------------------------

void load_row(row_family family, std::string_view key, std::string_view value,
              std::uint16_t shard, const time_base& times, row_target& into) {
  try {
    key_reader in{key};
    check_shard(in, shard);
    switch (family) {
    case row_family::applied:
      in.end();
      return into.load(read_applied(value, times));
    case row_family::session:
      return into.load_session(std::string{in.rest()},
                               read_session(value, times));
    case row_family::filter: {
      const auto id = in.number<std::uint32_t>();
      in.end();
      return into.load_filter(id, read_filter_row(value, times));
    }
    case row_family::holder: {
      const auto id = in.number<std::uint32_t>();
      return into.load_holder(id, std::string{in.rest()},
                              read_holder(value, times));
    }
    case row_family::message: {
      const auto sequence = in.number<std::uint64_t>();
      in.end();
      return into.load_message(sequence, read_message(value, times));
    }
    case row_family::retained: {
      auto x = read_retained(value, times);
      if (retained_key(x.message->topic()) != in.rest())
        throw record_error{"the key is not that of the message's topic"};
      return into.load_retained(std::move(x));
    }
    case row_family::delayed: {
      const auto due = in.number<std::uint64_t>();
      const auto id = in.number<std::uint64_t>();
      in.end();
      if (due >= static_cast<std::uint64_t>(time_base::stored_never))
        throw record_error{"it is due at a time that never comes"};
      return into.load_delayed(
        times.from_stored(static_cast<std::int64_t>(due)), id,
        read_message(value, times));
    }
    case row_family::outbox: {
      const auto to = in.number<std::uint16_t>();
      const auto sequence = in.number<std::uint64_t>();
      in.end();
      auto x = read_outbox(value, times);
      if (x.sequence != sequence)
        throw record_error{"the key is not that of the command's sequence"};
      return into.load_outbox(to, std::move(x));
    }
    case row_family::inbound: {
      const std::string client_id{in.take(in.number<std::uint16_t>())};
      const auto identifier =
        read_packet_identifier(in.number<std::uint16_t>());
      in.end();
      return into.load_inbound(client_id, identifier,
                               read_inbound(value, times));
    }
    }
  } catch (const record_error& e) {
    throw about(family, key, e.what());
  }
}

void load_rows(const row_scan& scan, std::uint16_t shard,
               const time_base& times, row_target& into) {
  bool applied = false;
  std::unordered_set<std::uint32_t> filters;
  for (const auto family :
       {row_family::applied, row_family::filter, row_family::holder,
        row_family::message, row_family::session, row_family::retained,
        row_family::delayed, row_family::outbox, row_family::inbound})
    scan(family, [&](std::string_view key, std::string_view value) {
      if (family == row_family::applied)
        applied = true;
      else if (!applied)
        throw about(family, key, "the shard has no row of family applied");
      constexpr std::size_t id_at = sizeof(shard);
      if (key.size() >= id_at + sizeof(std::uint32_t)) {
        const auto id = storage::get<std::uint32_t>(key, id_at);
        if (family == row_family::filter)
          filters.insert(id);
        else if (family == row_family::holder && filters.count(id) == 0)
          throw about(family, key, "there is no row of its filter");
      }
      load_row(family, key, value, shard, times, into);
    });
}

std::int64_t stored_time(std::string_view applied_value) {
  const time_base as_stored{time_point{}, 0};
  return as_stored.to_stored(read_applied(applied_value, as_stored).now);
}

} // namespace troupe::cluster
