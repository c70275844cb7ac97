#include "cluster/raft_engine.hpp"

#include "cluster/flat_record.hpp"
#include "cluster/raft_log.hpp"

#include <libtroupe_raft.h>
#include <utility>

namespace troupe::cluster {

raft_engine::raft_engine(node_id self, time_point now,
                         std::chrono::milliseconds tick)
  : self_(self),
    tick_(tick),
    ticked_(now),
    engine_(::troupe_raft_new(static_cast<std::uint64_t>(self))) {}

raft_engine::~raft_engine() { ::troupe_raft_delete(engine_); }

void raft_engine::advance(time_point now) {
  if (now < next_tick())
    return;
  const auto due = static_cast<std::uint64_t>((now - ticked_) / tick_);
  ticked_ += due * tick_;
  put(input::tick, 0, {due});
}

void raft_engine::turn() {
  if (in_.empty())
    return;
  handed_over_.clear();
  std::swap(handed_over_, in_);
  std::size_t size = 0;
  const auto* at = ::troupe_raft_turn(
    engine_, reinterpret_cast<std::uint8_t*>(handed_over_.data()),
    handed_over_.size(), &size);
  std::span<const std::uint8_t> out{at, size};
  while (!out.empty()) {
    const auto kind = static_cast<output>(take_number<std::uint8_t>(out));
    const auto slot = take_number<std::uint32_t>(out);
    const auto length = take_number<std::uint32_t>(out);
    const auto body = out.first(length);
    out = out.subspan(length);
    if (kind == output::failed)
      throw raft_failure{std::string{body.begin(), body.end()}};
    if (auto* log = logs_[slot])
      log->carry_out(kind, body);
  }
}

void raft_engine::seed(std::uint64_t seed) { ::troupe_raft_seed(seed); }

std::uint32_t raft_engine::add(raft_log& log) {
  // Slots are not used again: they are few, and answers to one that has gone
  // may still be on their way.
  logs_.push_back(&log);
  return static_cast<std::uint32_t>(logs_.size() - 1);
}

void raft_engine::remove(std::uint32_t slot) {
  logs_[slot] = nullptr;
  put(input::close, slot, {});
}

void raft_engine::put(input kind, std::uint32_t slot,
                      std::initializer_list<std::uint64_t> numbers,
                      std::span<const std::uint8_t> bytes) {
  put_number(in_, static_cast<std::uint8_t>(kind));
  put_number(in_, slot);
  put_number(in_, static_cast<std::uint32_t>(
                    numbers.size() * sizeof(std::uint64_t) + bytes.size()));
  for (const auto x : numbers)
    put_number(in_, x);
  put_bytes(in_, bytes);
}

} // namespace troupe::cluster
