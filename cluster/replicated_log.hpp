#pragma once
// Where a shard's commands become permanent.

#include "cluster/command.hpp"

#include <functional>
#include <memory>

namespace troupe::cluster {

using log_index = std::uint64_t;
using entry_ptr = std::shared_ptr<log_entry>;

/// One shard's log. An entry that was reported as committed stays so; entries
/// are committed in the order of their indexes. Belongs to one thread.
class replicated_log {
public:
  /// Called with every committed entry, in order, on the shard's thread and
  /// never from within `propose`: one that was proposed here as it was given,
  /// another replica's as it was logged, with nobody who waits for it. One
  /// without commands is the log's own.
  using committed = std::function<void(log_index, const entry_ptr&)>;
  /// Called with an entry that was proposed here and will never be committed,
  /// on the shard's thread and never from within `propose`: it may be proposed
  /// again, here or wherever the leader is now.
  using lost = std::function<void(const entry_ptr&)>;

  virtual ~replicated_log() = default;
  /// Whether this replica is the one to propose to, and everything that others
  /// had committed before was reported. It begins to lead right before it
  /// reports an entry without commands.
  virtual bool leads() const noexcept { return true; }
  /// Only the commands that need the log go there; the others of the entry are
  /// applied with it.
  /// @returns the index that the entry will have if it is committed.
  virtual log_index propose(entry_ptr entry) = 0;
  /// Entries proposed here that are neither committed nor lost yet.
  virtual std::size_t outstanding() const noexcept = 0;
  /// Bytes that went to the log's store since the last call.
  virtual std::size_t take_size() noexcept { return 0; }
  /// The shard's entries up to `index` are in the log's store; 0: what else the
  /// log keeps there is, as it was given last.
  virtual void appended(log_index) {}
};

} // namespace troupe::cluster
