#include "cluster/raft_log.hpp"

#include "cluster/flat_record.hpp"
#include "cluster/log_codec.hpp"
#include "storage/log_store.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cluster {

namespace {

std::span<const std::uint8_t> bytes_of(const std::string& x) {
  return {reinterpret_cast<const std::uint8_t*>(x.data()), x.size()};
}

} // namespace

raft_log::raft_log(raft_options options, raft_engine& engine,
                   storage::log_store& store, const time_base& times,
                   raft_callbacks callbacks)
  : options_(std::move(options)),
    engine_(engine),
    store_(store),
    times_(times),
    callbacks_(std::move(callbacks)),
    slot_(engine.add(*this)) {
  try {
    open();
  } catch (...) {
    engine_.logs_[slot_] = nullptr;
    throw;
  }
}

raft_log::~raft_log() { engine_.remove(slot_); }

/// Gives the core what is in the store.
void raft_log::open() {
  const auto shard = options_.shard;
  const auto wrong = [&](const std::string& what) {
    return storage::storage_error{"shard " + std::to_string(shard) + ": "
                                  + what};
  };
  last_ = store_.last_index(shard);
  if (last_ != 0 && store_.first_index(shard) != 1)
    throw wrong("its log begins with entry "
                + std::to_string(store_.first_index(shard))
                + ", and what was before cannot be had from another node");
  if (options_.applied > last_)
    throw wrong("its state is at entry " + std::to_string(options_.applied)
                + ", but its log ends with " + std::to_string(last_));
  hard_state hard;
  if (const auto stored = store_.hard(shard))
    hard = decode_hard_state(bytes_of(*stored));
  // A hint, which may be older than the state and was written ahead of the
  // entries.
  hard.commit = std::clamp(hard.commit, options_.applied, last_);

  std::string in;
  put_number<std::uint64_t>(in, options_.election_ticks);
  put_number<std::uint64_t>(in, options_.heartbeat_ticks);
  put_number<std::uint64_t>(in, options_.voters.size());
  for (const auto x : options_.voters)
    put_number(in, static_cast<std::uint64_t>(x));
  put_number(in, options_.applied);
  put_number(in, hard.term);
  put_number(in, hard.vote);
  put_number(in, hard.commit);
  std::uint64_t term = 0;
  store_.read(
    shard, 1, [&](std::uint64_t index, std::span<const std::uint8_t> stored) {
      const auto x = decode_raft_entry(stored);
      if (x.term < term)
        throw wrong("entry " + std::to_string(index) + " is of term "
                    + std::to_string(x.term) + ", the one before of "
                    + std::to_string(term) + ": these were never one log");
      term = x.term;
      put_number(in, x.term);
      put_number<std::uint64_t>(in, x.bytes.size());
      put_bytes(in, x.bytes);
      return true;
    });
  term_ = hard.term;
  engine_.put(raft_engine::input::open, slot_, {}, bytes_of(in));
}

// ---- what the shard wants --------------------------------------------------

log_index raft_log::propose(entry_ptr entry) {
  const auto bytes = encode_entry(*entry, times_);
  const auto number = ++proposed_;
  // Nobody else adds to a leader's term, but for its first entry; in a term
  // that another one leads, this replica has none.
  const auto term = role_ == raft_role::leader ? term_ : 0;
  auto index = last_ + 1;
  if (!waiting_.empty() && waiting_.back().term == term)
    index = std::max(index, waiting_.back().index + 1);
  waiting_.push_back({number, term, index, std::move(entry)});
  engine_.put(raft_engine::input::propose, slot_, {number, term, index},
              bytes_of(bytes));
  return index;
}

std::size_t raft_log::take_size() noexcept { return std::exchange(size_, 0); }

void raft_log::appended(log_index index) {
  if (awaited_ != index)
    return;
  awaited_.reset();
  engine_.put(raft_engine::input::synced, slot_, {});
}

void raft_log::step(std::span<const std::uint8_t> message) {
  engine_.put(raft_engine::input::step, slot_, {}, message);
}

void raft_log::campaign() {
  engine_.put(raft_engine::input::campaign, slot_, {});
}

void raft_log::transfer(node_id to) {
  engine_.put(raft_engine::input::transfer, slot_,
              {static_cast<std::uint64_t>(to)});
}

// ---- what the core answers -------------------------------------------------

void raft_log::carry_out(raft_engine::output kind,
                         std::span<const std::uint8_t> in) {
  const auto next = [&] { return take_number<std::uint64_t>(in); };
  switch (kind) {
  case raft_engine::output::status: {
    const auto role = static_cast<raft_role>(next());
    const auto leader = static_cast<node_id>(next());
    return set_status(role, leader, next());
  }
  case raft_engine::output::hard: {
    hard_state x;
    x.term = next();
    x.vote = next();
    x.commit = next();
    store_.set_hard(options_.shard, encode_hard_state(x));
    awaited_ = 0;
    return;
  }
  case raft_engine::output::append: {
    const auto index = next();
    const auto term = next();
    return append(index, {term, in});
  }
  case raft_engine::output::send: {
    const auto to = static_cast<node_id>(next());
    return callbacks_.send(to, in);
  }
  case raft_engine::output::committed: {
    const auto index = next();
    const auto term = next();
    return commit(index, {term, in});
  }
  case raft_engine::output::refused:
    return refuse(next());
  case raft_engine::output::failed: // the engine's
    break;
  }
}

void raft_log::set_status(raft_role role, node_id leader, std::uint64_t term) {
  if (role != raft_role::leader || term != term_)
    leads_ = false;
  role_ = role;
  leader_ = leader;
  term_ = term;
  if (callbacks_.status_changed)
    callbacks_.status_changed();
}

void raft_log::append(log_index index, const raft_entry& x) {
  if (index <= last_)
    store_.truncate(options_.shard, index);
  auto bytes = encode_raft_entry(x);
  size_ += bytes.size();
  store_.append(options_.shard, index, std::move(bytes));
  last_ = index;
  awaited_ = index;
}

void raft_log::commit(log_index index, const raft_entry& x) {
  lose_before(x.term);
  entry_ptr entry;
  if (x.bytes.empty()) {
    entry = std::make_shared<log_entry>();
    leads_ = role_ == raft_role::leader && x.term == term_;
  } else if (!waiting_.empty() && waiting_.front().term == x.term) {
    // This replica was the leader of that term, so the term's entries are its
    // proposals, in their order.
    entry = std::move(waiting_.front().entry);
    waiting_.pop_front();
  } else {
    entry = std::make_shared<log_entry>(decode_entry(x.bytes, times_));
  }
  callbacks_.committed(index, entry);
}

void raft_log::refuse(std::uint64_t number) {
  const auto found =
    std::find_if(waiting_.begin(), waiting_.end(),
                 [&](const proposal& x) { return x.number == number; });
  if (found == waiting_.end())
    return; // an entry of a later term has told so already
  const auto entry = std::move(found->entry);
  waiting_.erase(found);
  callbacks_.lost(entry);
}

/// Behind a committed entry of `term` there are none of earlier terms.
void raft_log::lose_before(std::uint64_t term) {
  while (!waiting_.empty() && waiting_.front().term < term) {
    const auto entry = std::move(waiting_.front().entry);
    waiting_.pop_front();
    callbacks_.lost(entry);
  }
}

} // namespace troupe::cluster
