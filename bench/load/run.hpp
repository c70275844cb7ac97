#pragma once
// A whole run, from the threads to the sums.

#include "bench/load/counters.hpp"
#include "bench/load/histogram.hpp"
#include "bench/load/options.hpp"

namespace troupe::bench {

/// The broker's resident bytes at the steps of a run.
struct memory_steps {
  std::uint64_t before = 0;
  std::uint64_t connected = 0;
  std::uint64_t subscribed = 0; ///< after the rest, too
  std::uint64_t loaded = 0;
};

/// A part of a run, and what was counted in it.
struct phase {
  instant from;
  seconds_f elapsed{};
  counters count;
  seconds_f broker_cpu{};
  cpu_split broker_split;
  seconds_f own_cpu{};
};

/// What the broker has written to the disk because of the load.
struct disk_share {
  std::uint64_t bytes = 0;
  instant from;
  instant quiet_at; ///< when it had written everything
};

/// What a run has found.
struct outcome {
  counters total; ///< the whole load and the drain: for losses
  phase window;   ///< the measuring window only: for throughput
  phase set_up;   ///< between connecting and load
  memory_steps memory;
  disk_share disk;
  histogram latency; ///< nanoseconds from the stamp to arrival or PUBACK
  histogram lag;     ///< paced: how late the generator itself was

  std::uint64_t lost() const {
    return total.expected - std::min(total.expected, total.delivered);
  }
  /// Everything arrived, once and in order; no session was made anew that was
  /// to be resumed.
  bool clean(const options& o) const {
    const auto& in = window.count;
    return (!o.link.tls.resume || in.resumed == in.handshakes) && lost() == 0
           && total.out_of_order == 0 && total.foreign == 0
           && total.refused == 0 && total.disconnects == 0 && total.absent == 0
           && (total.duplicates == 0 || o.qos == 1);
  }
};

/// Blocks until the run is over.
/// @throws run_error  if it cannot be done.
outcome run(const options& o);

} // namespace troupe::bench
