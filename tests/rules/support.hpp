#pragma once
// Short ways to make what a client's session handles.

#include "protocol/client_session.hpp"
#include "tests/support/seed.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace troupe::test {

using protocol::client_session;
using protocol::drop_reason;
using protocol::outbound;
using protocol::qos;
using ids = std::vector<std::uint16_t>;
using names = std::vector<std::string>;

/// A message on its way; its name is its topic.
inline outbound item(const std::string& name, qos level = qos::at_least_once,
                     std::size_t payload_size = 0) {
  const std::vector<std::uint8_t> payload(payload_size);
  protocol::message_options made;
  made.topic = name;
  made.payload = payload;
  made.qos = level;
  outbound x;
  x.message = protocol::message::make(made);
  x.qos = level;
  return x;
}

inline std::string name_of(const outbound& x) {
  return std::string{x.message->topic()};
}

inline client_session
session_with(const protocol::client_session_options& options) {
  client_session made;
  made.configure(options);
  return made;
}

/// What gave way, as "name reason".
struct losses {
  names all;
  void operator()(const outbound& x, drop_reason why) {
    all.push_back(name_of(x) + ' '
                  + (why == drop_reason::queue_full ? "full" : "slow"));
  }
};

/// Names of what is in flight, oldest first.
inline names in_flight_of(client_session& x) {
  names all;
  x.for_each_in_flight([&](auto& e) { all.push_back(name_of(e.what)); });
  return all;
}

inline names queued_of(client_session& x) {
  names all;
  x.for_each_queued([&](auto& e) { all.push_back(name_of(e)); });
  return all;
}

} // namespace troupe::test
