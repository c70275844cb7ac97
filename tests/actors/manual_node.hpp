#pragma once
// A node without threads, ports and waiting: turns are taken one by one and
// time passes when a test says so.

#include "actors/options.hpp"
#include "tests/actors/client.hpp"

#include <memory>

namespace troupe::test {

using namespace std::chrono_literals;

/// Owns the node and its clients. The calling thread is every reactor's.
class manual_node {
public:
  explicit manual_node(const actors::node_options& options);
  /// Shuts down in order if the test did not.
  ~manual_node();
  manual_node(const manual_node&) = delete;
  manual_node& operator=(const manual_node&) = delete;

  // ---- time ----------------------------------------------------------------
  /// Lets clients and reactors take turns until none has anything to do.
  void run_until_idle();
  /// Passes time from one timer to the next.
  void advance(std::chrono::milliseconds time);
  /// Time for what waits for logs, far less than any deadline.
  void settle();

  // ---- clients -------------------------------------------------------------
  /// A connected socket at reactor `home`, from which nothing was sent yet.
  /// @param send_buffer  bytes that the kernel takes for a client, 0: as is.
  client& attach(std::size_t home, int send_buffer = 0);
  /// Also sends CONNECT and waits for the answer.
  client& connect(std::size_t home, const connect_shape& shape);
  /// Subscribes and waits for the SUBACK.
  void subscribe(client& who, const std::string& filter,
                 const subscribe_shape& shape = {});
  std::size_t homes() const noexcept;

  /// Other rules, for living clients as well.
  void set_access(const std::shared_ptr<const actors::access_control>& to);

  // ---- what it counts ------------------------------------------------------
  /// A counter by its dotted name, over all reactors.
  std::uint64_t operator[](std::string_view dotted) const;
  std::uint64_t credit_stalls() const;
  std::int64_t in_flight() const; ///< of live sessions
  std::int64_t queued() const;    ///< of live sessions
  std::int64_t offline_sessions() const;
  std::int64_t retained() const;
  std::int64_t stored() const; ///< messages that shards keep
  std::int64_t subscriptions() const;
  std::size_t filters() const;
  std::size_t largest_queue() const;
  std::size_t running_actors() const;

  /// Ends clients, then shards, then the rest, as a node does.
  void shut_down();

private:
  struct parts;
  bool turn_all();
  std::unique_ptr<parts> parts_;
};

/// The options most tests begin with.
actors::node_options options_with(std::size_t homes,
                                  std::chrono::milliseconds log_delay = 0ms);

} // namespace troupe::test
