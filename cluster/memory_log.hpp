#pragma once
// The log of a single node without a disk.

#include "cluster/replicated_log.hpp"

#include <chrono>
#include <deque>

namespace troupe::cluster {

/// Commits each entry after a settable delay, always later than the call that
/// proposed it, as a disk would. What it holds dies with the process.
class memory_log final : public replicated_log {
public:
  /// Runs a function on the shard's thread after `delay`, at the earliest in
  /// its next turn.
  using later =
    std::function<void(std::chrono::milliseconds delay, std::function<void()>)>;

  memory_log(std::chrono::milliseconds delay, later run_later,
             committed on_committed);

  log_index propose(entry_ptr entry) override;
  std::size_t outstanding() const noexcept override { return waiting_.size(); }

private:
  void commit();

  std::chrono::milliseconds delay_;
  later later_;
  committed committed_;
  std::deque<entry_ptr> waiting_;
  log_index last_ = 0; ///< committed
};

} // namespace troupe::cluster
