#pragma once
// Publishers of QoS 1 with a bound on what is not acknowledged.

#include "bench/load/client.hpp"

namespace troupe::bench {

/// One of them.
struct writer {
  client* connection = nullptr;
  std::uint32_t written = 0;         ///< PUBLISH packets, all in all
  std::vector<std::int64_t> sent_at; ///< stamps, by place in the send window
};

/// Fills the writers' windows. What they write is the matter of a worker; with
/// `topics` it deals out topics that are written to in turn, each by one
/// writer, so that the messages of a topic have an order. Single-threaded.
class writer_set {
public:
  /// A message of all that there is to write.
  struct item {
    std::uint32_t topic;
    std::uint32_t sequence; ///< among the messages of that topic
  };

  void add(client& c, unsigned inflight) {
    c.publishes = static_cast<std::uint32_t>(all_.size());
    c.window = std::make_unique<send_window>(inflight);
    all_.push_back({&c, 0, std::vector<std::int64_t>(c.window->places())});
  }

  std::uint32_t size() const { return static_cast<std::uint32_t>(all_.size()); }
  const writer& operator[](std::uint32_t number) const { return all_[number]; }
  const writer& of(const client& c) const { return all_[c.publishes]; }

  /// @param more    whether there is another message after so many.
  /// @param append  called with the writer, a packet identifier and a stamp.
  /// @returns how many messages were appended.
  template <class More, class Append>
  std::uint32_t fill(client& c, More&& more, Append&& append) {
    auto& from = all_[c.publishes];
    const auto before = from.written;
    if (c.blocked || !c.window->can_open() || !more(from))
      return 0;
    const auto stamp = to_stamp(clock::now());
    do {
      const auto id = c.window->open();
      from.sent_at[c.window->place(id)] = stamp;
      append(from, id, stamp);
      ++from.written;
    } while (c.window->can_open() && more(from));
    return from.written - before;
  }

  /// When the message was sent that has just been acknowledged.
  std::int64_t sent_at(const client& c, std::uint16_t packet_id) const {
    return of(c).sent_at[c.window->place(packet_id)];
  }

  /// How many of `topics` belong to the writer.
  std::uint32_t share(const writer& from, std::uint32_t topics) const {
    return (topics - from.connection->publishes + size() - 1) / size();
  }
  /// What the writer writes next.
  item next(const writer& from, std::uint32_t topics) const {
    const auto own = share(from, topics);
    return {from.written % own * size() + from.connection->publishes,
            from.written / own};
  }

private:
  std::vector<writer> all_;
};

} // namespace troupe::bench
