#include "cluster/local_log.hpp"

#include "cluster/log_codec.hpp"
#include "storage/log_store.hpp"

#include <utility>

namespace troupe::cluster {

local_log::local_log(std::uint16_t shard, storage::log_store& store,
                     const time_base& time, log_index last,
                     committed on_committed)
  : shard_(shard),
    store_(store),
    time_(time),
    committed_(std::move(on_committed)),
    last_(last) {}

log_index local_log::propose(entry_ptr entry) {
  auto bytes = encode_entry(*entry, time_);
  size_ += bytes.size();
  waiting_.push_back(std::move(entry));
  const auto index = last_ + waiting_.size();
  store_.append(shard_, index, std::move(bytes));
  return index;
}

std::size_t local_log::take_size() noexcept { return std::exchange(size_, 0); }

void local_log::appended(log_index index) {
  while (last_ < index && !waiting_.empty()) {
    const auto entry = std::move(waiting_.front());
    waiting_.pop_front();
    committed_(++last_, entry);
  }
}

} // namespace troupe::cluster
