#pragma once
// The log of a single node, on its disk.

#include "cluster/replicated_log.hpp"
#include "cluster/time_base.hpp"

#include <deque>

namespace troupe::storage {
class log_store;
}

namespace troupe::cluster {

/// One replica: an entry is committed when the node's log store has it on the
/// disk. All shards share that store and its fsync.
class local_log final : public replicated_log {
public:
  /// @param last  index of the shard's last entry in the store; 0: none.
  local_log(std::uint16_t shard, storage::log_store& store,
            const time_base& time, log_index last, committed on_committed);

  log_index propose(entry_ptr entry) override;
  std::size_t outstanding() const noexcept override { return waiting_.size(); }
  std::size_t take_size() noexcept override;
  void appended(log_index index) override;

private:
  std::uint16_t shard_;
  storage::log_store& store_;
  const time_base& time_;
  committed committed_;
  std::deque<entry_ptr> waiting_;
  log_index last_; ///< committed
  std::size_t size_ = 0;
};

} // namespace troupe::cluster
