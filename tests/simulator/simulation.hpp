#pragma once
// One run: a node, its clients, and everything that can happen to them.

#include "tests/simulator/client.hpp"
#include "tests/simulator/machine.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::simulator {

struct run_options {
  std::uint32_t seed = 0;
  std::size_t events = 2'000;
  std::size_t lines = 150; ///< of the report
  machine_shape machine{}; ///< the number of reactors comes from the seed
};

/// What came of a run. Equal options give equal results.
struct run_result {
  std::vector<std::string> violations; ///< empty: all is well
  std::size_t events = 0;              ///< carried out
  std::uint64_t hash = 0;              ///< of all that happened
  std::size_t crashes = 0;
  std::size_t stops = 0;
  std::size_t publications = 0;
  std::size_t deliveries = 0;
  std::chrono::milliseconds elapsed{0}; ///< on the simulated clock
  peers_counters replicas;              ///< if there are others
  /// Seed, event, violations and what happened last.
  std::string report;
};

/// Ends at the first event after which something is not as it has to be.
run_result simulate(const run_options& options);

/// Draws all choices of a run from its seed.
class simulation {
public:
  explicit simulation(const run_options& options);
  run_result run();

private:
  using work = actors::node_storage::work;

  std::uint32_t one_of(std::uint32_t n) {
    return static_cast<std::uint32_t>(random_()) % n;
  }
  bool chance(std::uint32_t percent) { return one_of(100) < percent; }
  void note(std::string text);

  // ---- events --------------------------------------------------------------
  void begin();
  void event();
  void turn_some();
  void step(work which);
  bool hangs(work which) const {
    return which == work::state && seen_.now < hangs_until_;
  }
  void pass_time();
  void something_rare();
  void have_state_hang();
  void client_acts();
  void come(client& x);
  void member_acts(client& x);
  void reader_acts(client& x);
  void general_acts(client& x);
  void publish(client& x);
  void break_connection(client& x);

  // ---- the node ------------------------------------------------------------
  void start_node();
  void stop_node();
  void crash_node();

  // ---- until nothing happens any more --------------------------------------
  bool settle_round();
  void settle();
  /// The node leads again, if other replicas did.
  void regain();
  void advance(std::chrono::milliseconds time);
  void quiet();
  void check_ledger();
  void check_replicas();

  run_options options_;
  random_source random_;
  machine machine_;
  history seen_;
  trace notes_;
  std::vector<std::unique_ptr<client>> clients_;
  std::size_t watcher_ = 0;
  std::size_t reader_ = 0;
  std::size_t first_member_ = 0;
  /// Until when the thread of the state database hangs; the node does not
  /// need it to go on.
  moment hangs_until_ = 0;
  run_result result_;
};

} // namespace troupe::simulator
