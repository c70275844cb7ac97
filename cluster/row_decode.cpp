#include "cluster/retained_scan.hpp"
#include "cluster/row_codec.hpp"
#include "cluster/state.capnp.h"
#include "cluster/wire_records.hpp"
#include "storage/keys.hpp"

#include <algorithm>

namespace troupe::cluster {

namespace {

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
      x.sessions = from.getSessions();
      x.offline = from.getOffline();
      x.retained = from.getRetained();
      x.delayed = from.getDelayed();
      x.backlog = from.getBacklog();
      x.backlog_bytes = from.getBacklogBytes();
      x.shared = from.getShared();
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

filter_row read_filter_row(std::string_view value, const time_base& times) {
  return read_value<wire::FilterRow>(
    value, times, [](wire::FilterRow::Reader from, const source&) {
      if (from.getId() == 0)
        throw record_error{"a filter has number 0"};
      return filter_row{from.getId(), from.getHolders()};
    });
}

holder_row read_holder(std::string_view value, const time_base& times) {
  return read_value<wire::HolderRow>(
    value, times, [](wire::HolderRow::Reader from, const source&) {
      return holder_row{from.getStart(), read_options(from.getOptions()),
                        read_subscription_identifier(from.getIdentifier())};
    });
}

std::uint64_t read_holder_cursor(std::string_view value,
                                 const time_base& times) {
  return read_value<wire::HolderCursorRow>(
    value, times, [](wire::HolderCursorRow::Reader from, const source&) {
      return from.getSequence();
    });
}

group_row read_group(std::string_view value, const time_base& times) {
  return read_value<wire::GroupRow>(
    value, times, [](wire::GroupRow::Reader from, const source& in) {
      return group_row{from.getUpTo(), read_sequences(from.getOpen(), in),
                       read_sequences(from.getDone(), in), from.getDeclared()};
    });
}

/// The messages of a page, one after the other.
class page_reader {
public:
  page_reader(wire::PageRow::Reader from, const source& in)
    : rest_(view(from.getBytes())),
      in_(in) {}

  message_ptr next(wire::PageRow::Entry::Reader from) {
    protocol::message_options made;
    if (const auto size = from.getTopicSize(); size != 0) {
      const auto topic = take(size);
      topic_ = {reinterpret_cast<const char*>(topic.data()), topic.size()};
    }
    if (topic_.empty())
      throw record_error{"a message has no topic"};
    made.topic = topic_;
    made.properties[0] = take(from.getPropertiesSize());
    made.payload = take(from.getPayloadSize());
    return read_header(from, made, in_);
  }
  void end() const {
    if (!rest_.empty())
      throw record_error{"a page has bytes of no message"};
  }

private:
  protocol::bytes_view take(std::size_t size) {
    if (size > rest_.size())
      throw record_error{"a page ends within a message"};
    const auto x = rest_.first(size);
    rest_ = rest_.subspan(size);
    return x;
  }

  protocol::bytes_view rest_;
  std::string_view topic_;
  const source& in_;
};

page_row read_page(std::string_view value, const time_base& times) {
  return read_value<wire::PageRow>(
    value, times, [](wire::PageRow::Reader from, const source& in) {
      page_row x;
      const auto entries = checked(from.getEntries(), in);
      x.entries.reserve(entries.size());
      page_reader messages{from, in};
      for (const auto entry : entries) {
        if (!x.entries.empty()
            && entry.getSequence() <= x.entries.back().sequence)
          throw record_error{"sequences do not ascend"};
        x.entries.push_back({entry.getSequence(), entry.getElsewhere()
                                                    ? message_ptr{}
                                                    : messages.next(entry)});
      }
      messages.end();
      if (x.entries.empty())
        throw record_error{"a page is empty"};
      return x;
    });
}

message_ptr read_timer(std::string_view value, const time_base& times) {
  return read_value<wire::TimerRow>(
    value, times,
    [](wire::TimerRow::Reader from, const source& in) -> message_ptr {
      if (!from.hasMessage())
        return {};
      return read(from.getMessage(), in);
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

void check_shard(key_reader& key, std::uint16_t shard) {
  const auto found = key.number<std::uint16_t>();
  if (found != shard)
    throw record_error{"the row belongs to shard " + std::to_string(found)};
}

timer_row read_timer_row(key_reader& in, std::string_view value,
                         const time_base& times) {
  const auto due = in.number<std::uint64_t>();
  const auto kind = in.number<std::uint8_t>();
  if (due >= static_cast<std::uint64_t>(time_base::stored_never))
    throw record_error{"it is due at a time that never comes"};
  if (kind > static_cast<std::uint8_t>(timer_kind::retained))
    throw record_error{"it is of kind " + std::to_string(kind)
                       + ", which this version does not know"};
  timer_row x{{times.from_stored(static_cast<std::int64_t>(due)),
               static_cast<timer_kind>(kind), std::string{in.rest()}},
              read_timer(value, times)};
  if ((x.first.kind == timer_kind::delayed) != static_cast<bool>(x.second))
    throw record_error{"only a delayed message, and each, has a message"};
  return x;
}

filter_name read_filter_name(key_reader& in) {
  const auto of_class = in.number<std::uint8_t>();
  const bool by_topic = of_class != 0;
  const auto rest = in.rest();
  const auto end = by_topic ? rest.size() : rest.rfind('\0');
  if (end == std::string_view::npos)
    throw record_error{"the key has no Share Name"};
  filter_name name{by_topic ? std::string{} : std::string{rest.substr(end + 1)},
                   std::string{rest.substr(0, end)}};
  if (of_class > 1 || name.filter.empty() || name.by_topic() != by_topic)
    throw record_error{"the key is not that of its filter"};
  return name;
}

/// The Client Identifier in front of what the key ends with.
std::string read_client_of(key_reader& in, std::size_t behind) {
  const auto rest = in.rest();
  if (rest.size() < behind + 1 || rest[rest.size() - behind - 1] != '\0')
    throw record_error{"the key has no Client Identifier"};
  return std::string{rest.substr(0, rest.size() - behind - 1)};
}

void load_holder_row(std::string_view key, key_reader& in,
                     std::string_view value, const time_base& times,
                     row_target& into) {
  const auto client_id = read_client_of(in, sizeof(std::uint32_t));
  const auto filter =
    storage::get<std::uint32_t>(key, key.size() - sizeof(std::uint32_t));
  if (filter == 0)
    into.load_holder_cursor(client_id, read_holder_cursor(value, times));
  else
    into.load_holder(client_id, filter, read_holder(value, times));
}

} // namespace

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
    case row_family::owned:
      return into.load_owned(std::string{in.rest()});
    case row_family::filter: {
      auto name = read_filter_name(in);
      return into.load_filter(std::move(name), read_filter_row(value, times));
    }
    case row_family::holder:
      return load_holder_row(key, in, value, times, into);
    case row_family::group: {
      const auto id = in.number<std::uint32_t>();
      in.end();
      return into.load_group(id, read_group(value, times));
    }
    case row_family::backlog: {
      const auto id = in.number<std::uint32_t>();
      const auto last = in.number<std::uint64_t>();
      in.end();
      auto x = read_page(value, times);
      if (x.entries.back().sequence != last)
        throw record_error{"the key is not that of the page's last message"};
      return into.load_page(id, last, std::move(x));
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
    case row_family::timer:
      return into.load_timer(read_timer_row(in, value, times));
    case row_family::exclusive: {
      const auto rest = in.rest();
      const auto end = rest.find('\0');
      if (end == std::string_view::npos)
        throw record_error{"the key has no Client Identifier"};
      return into.load_exclusive(std::string{rest.substr(0, end)},
                                 std::string{rest.substr(end + 1)});
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

std::int64_t stored_time(std::string_view applied_value) {
  const time_base as_stored{time_point{}, 0};
  return as_stored.to_stored(read_applied(applied_value, as_stored).now);
}

} // namespace troupe::cluster