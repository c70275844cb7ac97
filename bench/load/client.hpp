#pragma once
// One MQTT connection of the generator.

#include "bench/load/link.hpp"
#include "bench/load/out_buffer.hpp"
#include "bench/load/publish_template.hpp"
#include "bench/load/send_window.hpp"
#include "bench/load/time.hpp"

#include <memory>
#include <string>

namespace troupe::bench {

enum class client_state : std::uint8_t {
  closed,
  connecting, ///< TCP
  opening,    ///< TLS, WebSocket
  awaiting_connack,
  connected,
};

/// The state of a connection. Belongs to the thread of its event loop.
struct client {
  static constexpr std::uint32_t none = UINT32_MAX;

  std::uint32_t index = 0; ///< among the clients of the scenario
  int fd = -1;
  client_state state = client_state::closed;
  bool queued = false;  ///< wants to be filled and written in this turn
  bool blocked = false; ///< the socket took no more; an event will tell
  bool durable = false; ///< its session outlives its connections
  /// The stream that it publishes, or `none`.
  std::uint32_t publishes = none;
  /// For the scenario: which streams it receives.
  std::uint32_t receives = none;
  std::uint32_t subscribed = 0;        ///< filters asked for so far
  std::vector<std::uint8_t> rest;      ///< the beginning of a control packet
  out_buffer out;                      ///< to be written at the end of the turn
  std::unique_ptr<send_window> window; ///< only QoS 1 and 2 publishers
  std::unique_ptr<link> way;           ///< null: TCP and nothing else
  tls_ticket ticket;                   ///< for its next connection
};

/// A PUBLISH that came in.
struct arrival {
  payload_header payload;
  instant at;
};

} // namespace troupe::bench
