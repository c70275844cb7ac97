#pragma once
// Watches the parts of a node and tells `$SYS` about it.

#include "actors/home.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace troupe::actors {

class node;

struct supervisor_options {
  node* of = nullptr; ///< outlives the supervisor
  std::chrono::milliseconds message_interval{60'000};
  std::chrono::milliseconds heartbeat_interval{30'000};
};

struct supervisor_state {
  static inline const char* name = "supervisor";
  std::chrono::milliseconds message_interval{0};
  std::chrono::milliseconds heartbeat_interval{0};
  std::uint64_t epoch = 0; ///< of the intervals: delayed messages carry it
};

using heartbeat_atom = caf::atom_constant<caf::atom("heartbeat")>;
using figures_atom = caf::atom_constant<caf::atom("figures")>;
/// With both intervals in milliseconds, messages first.
using intervals_atom = caf::atom_constant<caf::atom("intervals")>;

/// On CAF's workers: monitors shards and listeners (the end of one outside of
/// a stop is an error in the log), and publishes `$SYS/brokers/…`.
caf::behavior supervisor(caf::stateful_actor<supervisor_state>* self,
                         supervisor_options options);

} // namespace troupe::actors
