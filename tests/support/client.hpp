#pragma once
// A client that does what a test says, byte by byte if need be.

#include "tests/support/broker.hpp"
#include "tests/support/packet.hpp"

#include <chrono>
#include <deque>

namespace troupe::test {

using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;

/// How long a server may take for what it must do.
inline constexpr milliseconds patience{4000};
/// How long to watch that a server does not do something.
inline constexpr milliseconds watching{120};

/// The server did something else than expected; the text says what.
struct unexpected : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One network connection to a broker. Blocking, with deadlines; not
/// thread-safe. Failures are exceptions, which Boost.Test reports.
class client {
public:
  /// Opens the connection and sends nothing.
  explicit client(version v = version::mqtt5,
                  const broker& server = default_broker());
  client(client&& other) noexcept;
  client& operator=(client&& other) noexcept;
  ~client();

  version protocol() const { return version_; }
  packet connack; ///< the answer to `connect`

  // ---- bytes and packets
  // -----------------------------------------------------
  /// Sends all of it; that the server has closed meanwhile is no failure.
  void send(std::string_view in);
  /// The next packet of the server.
  packet receive(milliseconds deadline = patience);
  /// The next packet, which must be of this type.
  packet expect(packet_type type, milliseconds deadline = patience);
  /// The next packet that is no PUBLISH; publications before it are kept for
  /// later calls.
  packet expect_beside_publish(packet_type type);
  /// The server closes, and sends nothing before.
  void expect_closed(milliseconds deadline = patience);
  /// As the server refuses a packet: MQTT 5.0, DISCONNECT with one of these
  /// codes, then the end; before, just the end.
  void expect_disconnect(std::initializer_list<unsigned> codes,
                         milliseconds deadline = patience);
  /// As the server refuses a CONNECT: at once the end, or CONNACK with one of
  /// these codes, without session, and then the end.
  void expect_refused(std::initializer_list<unsigned> codes);
  /// Nothing comes while watching, and the connection still works.
  void expect_quiet(milliseconds time = watching);
  /// PINGREQ and PINGRESP, with nothing before.
  void ping();
  /// Whether a whole packet or the end of the stream comes in time.
  bool anything_within(milliseconds time);

  // ---- whole exchanges
  // -------------------------------------------------------
  /// Sends CONNECT and keeps the CONNACK, which must accept.
  void connect(const connect_options& o);
  /// SUBSCRIBE and its SUBACK; publications before it are kept.
  packet subscribe(const std::vector<filter>& filters,
                   std::string_view properties = {});
  packet subscribe(const std::string& text, unsigned options = 0,
                   std::string_view properties = {}) {
    return subscribe({filter{text, options}}, properties);
  }
  packet unsubscribe(const std::vector<std::string>& filters,
                     std::string_view properties = {});
  /// Sends PUBLISH and, for QoS 1 and 2, goes through the whole handshake.
  /// @returns the PUBACK or PUBREC; nothing in it for QoS 0.
  packet publish(publish_options o);
  /// The next packet, a PUBLISH; the handshake is left to the test.
  packet expect_publish(milliseconds deadline = patience) {
    return expect(PUBLISH, deadline);
  }
  /// The next packet, a PUBLISH, and the whole handshake for it.
  packet receive_message(milliseconds deadline = patience);
  /// Goes through the handshake for a PUBLISH of the server.
  void acknowledge(const packet& in);
  /// DISCONNECT, and waits for the server to close.
  void disconnect();
  void disconnect(unsigned reason, std::string_view properties = {});
  /// Closes the socket without DISCONNECT.
  void drop();
  /// Says that nothing more will be sent, and still reads.
  void end_of_stream();

  /// A Packet Identifier that this connection has not used yet.
  unsigned next_id() { return ++last_id_; }

private:
  /// Reads once. @returns false at the deadline.
  bool fill(std::chrono::steady_clock::time_point deadline);
  packet take(std::chrono::steady_clock::time_point deadline);

  version version_;
  int socket_ = -1;
  bool ended_ = false;
  bytes input_;
  std::deque<packet> kept_;
  unsigned last_id_ = 0;
};

/// A client whose CONNECT was accepted; a unique Client Identifier if `o` has
/// none.
client connected(version v, connect_options o = {},
                 const broker& server = default_broker());
inline client connected(connect_options o = {},
                        const broker& server = default_broker()) {
  return connected(version::mqtt5, std::move(o), server);
}

} // namespace troupe::test
