#pragma once
// The phases of a run on one thread.

#include "bench/load/counters.hpp"
#include "bench/load/event_loop.hpp"
#include "bench/load/histogram.hpp"
#include "bench/load/options.hpp"
#include "bench/load/run_control.hpp"

#include <deque>
#include <optional>

namespace troupe::bench {

/// A worker's part of the clients, pairs or whatever a mode counts.
struct slice {
  std::uint32_t first;
  std::uint32_t count;
};

/// Splits `total` evenly.
slice slice_of(std::uint32_t total, unsigned thread, unsigned threads);

/// Tells when a set-up does not get on.
class standstill {
public:
  explicit standstill(seconds_f limit) : limit_(limit) {}

  /// @throws run_error  if `count`, of `what`, has not changed for too long.
  void check(std::uint64_t count, const char* what);

private:
  seconds_f limit_;
  std::uint64_t before_ = 0;
  instant moved_at_ = clock::now();
};

/// Sets the clients up, loads, drains, takes them down. What is sent to whom
/// is the matter of the classes derived from it. `run()` belongs to one
/// thread; the results are read when that has ended.
class worker : protected event_handler {
public:
  worker(const options& o, run_control& control, unsigned number);

  /// All phases. Failures go to the run control.
  void run();

  const sample& first() const { return first_; }
  const sample& last() const { return last_; }
  /// At the two ends of the set-up that follows the connecting.
  const sample& set_up_first() const { return set_up_first_; }
  const sample& set_up_last() const { return set_up_last_; }
  const counters& total() const { return count_; }
  const histogram& latency() const { return latency_; }
  const histogram& lag() const { return lag_; }
  std::uint64_t clients() const { return clients_.size(); }

protected:
  // What a mode adds.
  /// Makes the clients.
  virtual void prepare() = 0;
  /// How many of the clients are connected before anything else; the others
  /// come after these.
  virtual std::size_t connected_at_once() const { return clients_.size(); }
  /// What comes between connecting and load: the subscriptions.
  virtual void set_up() { subscribe_all(); }
  /// The filters of the client's next SUBSCRIBE; none when it has all.
  virtual std::vector<std::string> next_filters(client&) { return {}; }
  /// The load begins.
  virtual void start(instant) {}
  /// Queues what is due. @returns when it wants to be called again.
  virtual instant advance(instant) { return instant::max(); }
  /// Nothing new from `at` on.
  virtual void stop(instant) {}
  /// Gives up what is outstanding, so that a closed loop goes on.
  virtual void write_off() {}
  /// All that was published has arrived, all handshakes are over.
  virtual bool settled() const;
  /// The load from its beginning to the end of the measuring window.
  virtual void load();
  /// Waits for what the load has left.
  virtual void drain();
  /// Whether there is a load at all.
  virtual bool loads() const { return true; }

  // event_handler
  void greet(client& c) override;
  void connected(client& c, const connack& answer) override;
  void subscribed(client& c, bytes_view reasons) override;
  void foreign(client&) override { ++count_.foreign; }
  void acknowledged(client& c, std::uint16_t packet_id,
                    std::uint8_t reason) override;
  void fill(client&) override {}
  void closed(client& c, const std::string& why) override;

  client& add_client();
  /// Starts to connect from the next of the source addresses.
  void open(client& c);
  std::string client_id(const client& c) const { return client_id(c.index); }
  std::string client_id(std::uint32_t index) const;
  sample take_sample() const;
  /// @throws run_error  unless each filter got the QoS that was asked for.
  void check_suback(bytes_view reasons) const;
  bool in_window(std::int64_t stamp) const {
    return stamp >= measured_from_ && stamp < measured_to_;
  }
  void show(std::uint64_t ready) const;

  /// One first arrival.
  void count_delivery(const arrival& message) {
    ++count_.delivered;
    const auto stamp = message.payload.stamp;
    if (in_window(stamp))
      latency_.record(to_stamp(message.at) - stamp);
  }

  const options& options_;
  run_control& control_;
  const unsigned number_; ///< of the thread
  std::deque<client> clients_;
  std::optional<link_layers> layers_; ///< only if there is more than TCP
  std::optional<event_loop> loop_;
  counters count_;
  sample first_, last_;
  sample set_up_first_, set_up_last_;
  histogram latency_, lag_;
  std::int64_t measured_from_ = INT64_MAX;
  std::int64_t measured_to_ = INT64_MAX;

private:
  void connect_all();
  void subscribe_all();
  void rest(seconds_f length);
  void measure(instant begin, instant end);
  void take_down();
  void ping(instant now);

  std::vector<address> sources_;
  std::uint32_t opened_ = 0;
  std::uint32_t ready_ = 0;    ///< with a CONNACK, later with all SUBACKs
  std::uint32_t complete_ = 0; ///< with all filters
  bool setting_up_ = true;
  instant next_ping_;
  std::uint32_t pinged_ = 0;
};

} // namespace troupe::bench
