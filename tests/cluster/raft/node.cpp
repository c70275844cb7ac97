#include "tests/cluster/raft/node.hpp"

#include "cluster/log_codec.hpp"

namespace troupe::test {

using namespace cluster;

namespace {

const time_base& times = test_times;
std::vector<node_id> everybody() {
  std::vector<node_id> all;
  for (std::uint64_t id = 1; id <= simulated_nodes; ++id)
    all.push_back(static_cast<node_id>(id));
  return all;
}

} // namespace

raft_node::replica::replica(const shard_options& options, memory_rows found)
  : shard(options.shard),
    disk(std::move(found)),
    state(options, effects) {
  effects.on_forward = [](auto, auto&&) {};
  effects.on_forwarded = [](auto, auto) {};
  effects.on_read = [this](disk_wants&& x) { reads.push_back(std::move(x)); };
  load_shard(disk, shard, times, state);
  applied = state.applied_index();
  effects.take();
}

disk_finds raft_node::replica::find(const disk_wants& what) const {
  return cluster::find(disk, shard, times, what);
}

void raft_node::replica::apply(command& x, time_point now) {
  while (true) {
    row_wants wants;
    state.want(x, now, wants);
    if (wants.empty())
      break;
    state.answer(find(std::move(wants)), now);
  }
  state.apply(x, now);
  answer_reads();
}

void raft_node::replica::answer_reads() {
  while (!reads.empty()) {
    const auto wants = std::move(reads.front());
    reads.erase(reads.begin());
    state.answer(find(wants), state.last_time());
  }
}

raft_node::raft_node(node_id id, node_world& world, const node_shape& shape)
  : id_(id),
    world_(world),
    shape_(shape),
    on_disk_(simulated_shards, {memory_rows{}}),
    stale_(simulated_shards) {}

raft_node::~raft_node() {
  told_ = false;
  replicas_.clear();
  engine_.reset();
}

/// Without limits of what is stored: each replica keeps to them by itself, and
/// by whole pages.
shard_options raft_node::options_of(std::uint16_t shard) const {
  return {.shard = shard,
          .shards = simulated_shards,
          .retained_max = shape_.retained_max,
          .delayed_max = shape_.delayed_max,
          .has_disk = true,
          .tail_bytes = 0}; // what is on the disk is read from there
}

// ---- life and death --------------------------------------------------------

storage::log_store_options raft_node::store_options() {
  return {.directory = home_ / "log.db",
          .on_fatal =
            [this](std::string_view what) { world_.wrong(std::string{what}); },
          .env = disk_.get(),
          .how = {.stepped = true}};
}

void raft_node::open_store() {
  store_ = std::make_unique<storage::log_store>(store_options());
  store_->start([this](std::span<const storage::appended> group) {
    if (told_)
      for (const auto& x : group)
        replicas_[x.shard]->log->appended(x.index);
  });
}

void raft_node::start() {
  ++life_;
  told_ = true;
  open_store();
  if (shape_.broken == broken_rule::conflicting_suffix_goes)
    bring_suffixes_back();
  engine_ = std::make_unique<raft_engine>(id_, world_.now(), shape_.tick);
  for (std::uint16_t shard = 0; shard < simulated_shards; ++shard) {
    auto& found = on_disk_[shard];
    auto made = std::make_unique<replica>(
      options_of(shard), found[world_.random(0, found.size() - 1)]);
    found = {made->disk};
    raft_options options;
    options.shard = shard;
    options.voters = everybody();
    options.applied = made->applied;
    options.heartbeat_ticks = 2;
    replicas_.push_back(std::move(made));
    replicas_.back()->log = std::make_unique<raft_log>(
      options, *engine_, *store_, times, callbacks(shard));
  }
}

void raft_node::crash() {
  ++life_;
  told_ = false;
  if (shape_.broken == broken_rule::none && world_.random(0, 2) == 0)
    store_->step();
  disk_.cut_power();
  replicas_.clear();
  engine_.reset();
  store_.reset();
  held_.clear();
  std::mt19937 torn{static_cast<std::uint32_t>(world_.random(0, UINT32_MAX))};
  disk_.restore_power(torn);
}

// ---- the replicas ----------------------------------------------------------

raft_callbacks raft_node::callbacks(std::uint16_t shard) {
  raft_callbacks made;
  made.committed = [this, shard](log_index index, const entry_ptr& entry) {
    committed(shard, index, entry);
  };
  made.lost = [this, shard](const entry_ptr& entry) {
    auto& of = *replicas_[shard];
    const auto found = of.proposed.find(entry);
    if (found == of.proposed.end())
      return world_.wrong("an entry is lost that is not outstanding");
    const auto bytes = std::move(found->second.bytes);
    of.proposed.erase(found);
    world_.lost(shard, bytes);
  };
  made.send = [this, shard](node_id to, std::span<const std::uint8_t> bytes) {
    send({to, shard, {bytes.begin(), bytes.end()}});
  };
  made.status_changed = [this, shard] {
    const auto& log = *replicas_[shard]->log;
    if (log.role() == raft_role::leader)
      world_.leads(id_, shard, log.term());
  };
  return made;
}

void raft_node::committed(std::uint16_t shard, log_index index,
                          const entry_ptr& entry) {
  auto& of = *replicas_[shard];
  if (index != of.applied + 1)
    return world_.wrong(text("entry ", index, " after ", of.applied));
  of.applied = index;
  const auto found = of.proposed.find(entry);
  const bool own = found != of.proposed.end();
  if (own) {
    if (found->second.index != index)
      world_.wrong(
        text("entry ", index, " was to be entry ", found->second.index));
    of.proposed.erase(found);
  }
  world_.applied(
    id_, shard, index,
    entry->commands.empty() ? std::string{} : encode_entry(*entry, times), own);
  // Leases and deliveries are the leader's; they must not make a difference.
  of.effects.live_groups.clear();
  if (own)
    of.effects.live_groups = {"g #", "g +", "h #"};
  for (auto& x : entry->commands)
    of.apply(x, entry->at);
  of.effects.take();
  of.effects.pages.clear();
  of.effects.retained_pages.clear();
  const auto grants = std::exchange(of.effects.grants, {});
  if (own)
    world_.granted(shard, grants);
  if (index % 8 == 0 || shape_.broken == broken_rule::apply_waits_for_fsync)
    flush_rows(shard);
  if (index % 32 == 0)
    sweep(shard);
}

void raft_node::flush_rows(std::uint16_t shard) {
  auto& of = *replicas_[shard];
  row_collector changes{shard, times};
  of.state.take_changes(of.applied, changes);
  of.disk.write(changes.take());
  world_.rows(shard, of.applied, row_store{of.disk, shard}.dump());
  auto& all = on_disk_[shard];
  all.push_back(of.disk);
  // Rows are synced now and then; what is, need not stay in memory.
  if (shape_.broken != broken_rule::none || world_.random(0, 2) == 0) {
    all = {of.disk};
    of.state.stored(of.applied, of.state.last_time());
    of.answer_reads();
  }
}

void raft_node::sweep(std::uint16_t shard) {
  auto& of = *replicas_[shard];
  of.state.sweep(of.state.last_time());
  of.answer_reads();
}

void raft_node::propose(std::uint16_t shard, std::vector<command> commands) {
  hand_over(shard, std::move(commands));
  run();
}

void raft_node::hand_over(std::uint16_t shard, std::vector<command> commands) {
  auto& of = *replicas_[shard];
  auto entry = std::make_shared<log_entry>();
  entry->at = std::max({world_.now(), of.state.last_time(), of.proposed_at});
  entry->commands = std::move(commands);
  of.proposed_at = entry->at;
  auto bytes = encode_entry(*entry, times);
  const auto index = of.log->propose(entry);
  of.proposed.emplace(std::move(entry), proposal{index, std::move(bytes)});
}

void raft_node::propose_next() {
  for (std::uint16_t shard = 0; shard < simulated_shards; ++shard) {
    auto& of = *replicas_[shard];
    auto next = std::exchange(of.effects.proposed, {});
    if (next.empty() || !of.log->leads())
      continue;
    // No two entries are the same.
    next.emplace_back(remove_retained_command{
      text("next/", static_cast<std::uint64_t>(id_), '/', ++proposed_)});
    hand_over(shard, std::move(next));
  }
}

void raft_node::receive(std::uint16_t shard,
                        const std::vector<std::uint8_t>& message) {
  replicas_[shard]->log->step(message);
  run();
}

void raft_node::campaign(std::uint16_t shard) {
  replicas_[shard]->log->campaign();
  run();
}

void raft_node::transfer(std::uint16_t shard, node_id to) {
  replicas_[shard]->log->transfer(to);
  run();
}

void raft_node::send(outgoing what) {
  if (shape_.broken == broken_rule::apply_waits_for_fsync)
    held_.push_back(std::move(what));
  else
    world_.send(id_, what.to, what.shard, std::move(what.bytes));
}

// ---- engine and disk -------------------------------------------------------

void raft_node::run() {
  while (engine_->pending()) {
    engine_->turn();
    tell_early();
    propose_next();
  }
  for (auto& x : replicas_) {
    const auto last = x->log->last_index();
    if (last < std::exchange(x->last_seen, last))
      world_.truncated();
  }
  world_.to_write(*this);
}

void raft_node::advance() {
  engine_->advance(world_.now());
  run();
}

bool raft_node::write() {
  bool worked = false;
  if (shape_.broken == broken_rule::conflicting_suffix_goes) {
    std::vector<std::vector<std::string>> before;
    for (std::uint16_t shard = 0; shard < simulated_shards; ++shard)
      before.push_back(stored(shard));
    worked = store_->step();
    keep_suffixes(before);
  } else {
    worked = store_->step();
  }
  for (auto& x : std::exchange(held_, {}))
    world_.send(id_, x.to, x.shard, std::move(x.bytes));
  if (engine_->pending())
    run();
  return worked;
}

// ---- rules broken on purpose -----------------------------------------------

/// As if the disk had what it is only asked to write.
void raft_node::tell_early() {
  if (shape_.broken == broken_rule::none
      || shape_.broken == broken_rule::conflicting_suffix_goes)
    return;
  for (auto& x : replicas_) {
    x->log->appended(0);
    if (shape_.broken != broken_rule::votes_wait_for_fsync)
      x->log->appended(x->log->last_index());
  }
}

std::vector<std::string> raft_node::stored(std::uint16_t shard) const {
  std::vector<std::string> made;
  store_->read(shard, 1,
               [&](std::uint64_t, std::span<const std::uint8_t> bytes) {
                 made.emplace_back(bytes.begin(), bytes.end());
                 return true;
               });
  return made;
}

/// Remembers what a truncation has removed.
void raft_node::keep_suffixes(
  const std::vector<std::vector<std::string>>& before) {
  for (std::uint16_t shard = 0; shard < simulated_shards; ++shard) {
    const auto now = stored(shard);
    auto& stale = stale_[shard];
    const auto& old = before[shard];
    const auto replaced =
      std::mismatch(old.begin(), old.end(), now.begin(), now.end()).first;
    if (replaced != old.end())
      stale = old;
  }
}

void raft_node::bring_suffixes_back() {
  for (std::uint16_t shard = 0; shard < simulated_shards; ++shard) {
    auto& stale = stale_[shard];
    for (auto next = store_->last_index(shard); next < stale.size(); ++next)
      store_->append(shard, next + 1, stale[next]);
    stale.clear();
  }
  told_ = false;
  store_->step();
  store_.reset();
  told_ = true;
  open_store();
}

} // namespace troupe::test
