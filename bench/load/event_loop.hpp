#pragma once
// Sockets, control packets and turns of one thread.

#include "bench/load/client.hpp"
#include "bench/load/socket.hpp"

#include <sys/epoll.h>

namespace troupe::bench {

/// What an event loop tells. All calls come from within `turn()`.
class event_handler {
public:
  virtual ~event_handler() = default;
  /// TCP and what is above it is up: append the CONNECT.
  virtual void greet(client& c) = 0;
  virtual void connected(client& c, const connack& answer) = 0;
  /// A SUBACK; empty if it was malformed.
  virtual void subscribed(client& c, bytes_view reasons) = 0;
  virtual void delivered(client& c, const arrival& message) = 0;
  /// A PUBLISH that is not one of ours.
  virtual void foreign(client& c) = 0;
  /// The client's send window has moved.
  virtual void acknowledged(client& c, std::uint16_t packet_id,
                            std::uint8_t reason) = 0;
  /// The last moment before the client's write of this turn.
  virtual void fill(client& c) = 0;
  /// The connection is gone and its descriptor closed.
  virtual void closed(client& c, const std::string& why) = 0;
};

/// Edge-triggered epoll over non-blocking sockets. In a turn every ready
/// socket is read first, then each client with something to say writes once.
/// Single-threaded; the clients outlive it or are closed before.
class event_loop {
public:
  /// @param layers  between MQTT and TCP; null if there are none. Outlives the
  ///                loop.
  event_loop(const address& target, protocol_version version,
             event_handler& handler, link_layers* layers = nullptr);
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Starts to connect. @throws run_error
  void open(client& c, const address* source);

  /// Writes what is left, as far as it goes, and closes.
  void close(client& c);

  /// Closes without a word, as a client does whose power fails.
  void abandon(client& c);

  /// Asks for `fill()` and a write at the end of this turn.
  void queue(client& c) {
    if (!c.queued) {
      c.queued = true;
      queue_.push_back(&c);
    }
  }

  /// Writes for the queued clients, waits for events, handles them.
  /// @param until  returns then at the latest.
  void turn(instant until);

  /// When the bytes came that are being handled.
  instant read_at() const { return read_at_; }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }
  /// TLS handshakes, and those of them that resumed a session.
  std::uint64_t handshakes() const { return handshakes_; }
  std::uint64_t resumed() const { return resumed_; }

private:
  void flush();
  void flush(client& c);
  void write(client& c);
  void write_plain(client& c);
  void write_through(client& c);
  void read(client& c, bool hung_up);
  void read_through(client& c, bool hung_up);
  /// Puts what is left of the client's last read before the next one.
  /// @returns how much.
  std::size_t begin_input(const client& c);
  /// @returns false if the client has been closed meanwhile.
  bool parse(client& c, const std::uint8_t* at, const std::uint8_t* end);
  bool handle(client& c, std::uint8_t first, bytes_view body);
  void handle_publish(client& c, std::uint8_t first, bytes_view body);
  void handle_ack(client& c, packet_type type, bytes_view body);
  void finish_connect(client& c);
  void open_link(client& c);
  void begin_mqtt(client& c);
  void drop(client& c, const std::string& why);

  address target_;
  protocol_version version_;
  event_handler& handler_;
  link_layers* layers_;
  int epoll_ = -1;
  std::vector<epoll_event> events_;
  std::vector<std::uint8_t> input_; ///< shared: what is not whole is moved out
  out_buffer scratch_;              ///< empty between two clients
  std::vector<client*> queue_;
  std::vector<client*> flushing_;
  instant read_at_;
  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t handshakes_ = 0;
  std::uint64_t resumed_ = 0;
};

} // namespace troupe::bench
