#include "actors/home.hpp"

#include "actors/connection.hpp"
#include "actors/messages.hpp"
#include "actors/session.hpp"
#include "protocol/hash.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <bit>

namespace troupe::actors {

/// Takes the batches that other reactors send to clients here.
class dispatcher final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  actor_kind kind() const noexcept override { return actor_kind::dispatcher; }

private:
  void receive(caf::type_erased_tuple& content) override {
    if (content.match_elements<batch_ptr>())
      at().carry_out(*content.get_as<batch_ptr>(0));
  }
};

shared_state::shared_state(caf::actor_system& actors,
                           const node_options& settings, log_sink sink)
  : system(actors),
    options(settings),
    log(std::move(sink)),
    graveyard(settings.actors.reactors,
              [this] {
                for (auto& x : homes)
                  x->wake();
              }),
    index(settings.actors.reactors, graveyard, settings.world.random()),
    credits(settings.actors.reactors * settings.actors.reactors),
    shard_credits(settings.actors.reactors),
    retained_in_shard(settings.actors.shards),
    admission(settings.admission),
    tracer({settings.trace_directory},
           [this](const std::shared_ptr<const trace_set>& now) {
             for (auto& x : homes)
               x->post([on = x.get(), now] { on->set_traces(now); });
           }) {}

bool shared_state::hold_exclusive(std::string_view filter,
                                  std::uint64_t client) {
  std::lock_guard guard(exclusive_mutex_);
  return exclusive_.try_emplace(std::string{filter}, client).first->second
         == client;
}

void shared_state::release_exclusive(std::string_view filter,
                                     std::uint64_t client) {
  std::lock_guard guard(exclusive_mutex_);
  if (const auto at = exclusive_.find(std::string{filter});
      at != exclusive_.end() && at->second == client)
    exclusive_.erase(at);
}

namespace {
/// The home that this thread drives at the moment; null on other threads.
thread_local home* driven = nullptr;
} // namespace

home::home(shared_state& shared, const net::reactor_options& options)
  : net::reactor(options),
    caf::execution_unit(&shared.system),
    shared_(shared),
    watchful_(shared.options.observation.slow_subs.enable),
    notes_slow_(watchful_),
    mqtt_(shared.options.mqtt),
    access_(shared.options.access),
    access_cache_(access_->cache),
    bans_(std::make_shared<const auth::ban_list>()),
    openings_(shared.options.observation.max_handshakes),
    overload_(shared.options.observation.overload),
    slow_subs_(shared.options.observation.slow_subs),
    traces_(std::make_shared<const trace_set>()),
    random_(shared.options.world.random()),
    reads_(shared.options.actors.read_buffer),
    cache_(shared.options.actors.match_cache),
    outboxes_(shared.options.actors.reactors),
    shard_outboxes_(shared.options.actors.shards),
    sweep_timer_(*this) {
  dispatcher_handle = spawn_pinned<dispatcher>(shared.system, *this).handle;
}

home::~home() = default;

void home::connect_homes() {
  for (const auto& x : shared_.homes)
    dispatchers_.push_back(x->dispatcher_handle);
}

void home::start_sweeping() {
  wheel().arm(sweep_timer_, now() + std::chrono::seconds{1});
}

void home::on_start() { start_sweeping(); }

// ---- actors ----------------------------------------------------------------

void home::exec_later(caf::resumable* job) {
  if (on_this_thread()) {
    ready_.push_back(job);
    return;
  }
  {
    std::lock_guard guard(remote_mutex_);
    remote_.push_back(job);
  }
  has_remote_.store(true, std::memory_order_release);
  if (driven == nullptr)
    wake();
  else if (std::find(driven->to_wake_.begin(), driven->to_wake_.end(), this)
           == driven->to_wake_.end())
    driven->to_wake_.push_back(this);
}

void home::wake_others() {
  // Little to do: this thread does it for who sleeps. Much to do: wake them,
  // so that both work at once. A descriptor means nothing on a thread with
  // another file table, and help does not nest.
  const bool helps = helper_ == nullptr && sent_in_turn_ <= help_at_most
                     && !dials().own_file_tables;
  waking_.swap(to_wake_);
  for (auto* other : waking_)
    if (helps)
      other->help();
    else
      other->wake();
  waking_.clear();
}

bool home::has_ready() {
  return !ready_.empty() || !to_read_.empty() || openings_.has_next()
         || has_remote_.load(std::memory_order_acquire);
}

void home::run_openings() {
  // An exchange of keys takes a fraction of a millisecond.
  constexpr std::chrono::milliseconds most{1};
  const auto until = std::chrono::steady_clock::now() + most;
  while (const auto who = openings_.next()) {
    if (auto* x = connection_of(*who))
      x->open();
    if (std::chrono::steady_clock::now() >= until)
      return;
  }
}

void home::run_ready() {
  if (has_remote_.exchange(false, std::memory_order_acq_rel)) {
    {
      std::lock_guard guard(remote_mutex_);
      taken_.swap(remote_);
    }
    ready_.insert(ready_.end(), taken_.begin(), taken_.end());
    taken_.clear();
  }
  for (auto left = ready_.size(); left > 0; --left) {
    auto* job = ready_.front();
    ready_.pop_front();
    if (job->resume(this, 0) == caf::resumable::resume_later)
      ready_.push_back(job);
    else
      caf::intrusive_ptr_release(job);
  }
  reading_.swap(to_read_);
  for (const auto who : reading_)
    if (auto* x = connection_of(who))
      x->read_on();
  reading_.clear();
  if (openings_.has_next())
    run_openings();
}

// ---- settings --------------------------------------------------------------

void home::set_mqtt(const mqtt_options& to) {
  mqtt_ = to;
  for (const auto& x : scopes_)
    x->change(x->options(), mqtt_);
}

void home::set_access(std::shared_ptr<const access_control> to) {
  access_ = std::move(to);
  access_cache_ = access_->cache;
  check_all_again(true);
}

void home::set_bans(std::shared_ptr<const auth::ban_list> to) {
  bans_ = std::move(to);
  check_all_again(false);
}

void home::check_all_again(bool rules) {
  // A round that is under way goes on, and round to here once more: bans that
  // change all the time keep nobody from being looked at.
  auto& its = checks_;
  its.bans = {its.at, false, true};
  if (rules)
    its.rules = its.bans;
  if (!its.goes_on)
    check_some();
}

void home::check_some() {
  // So much in a turn: with a hundred thousand clients it takes a while.
  constexpr std::size_t at_once = 256;
  auto& its = checks_;
  for (std::size_t done = 0; its.bans.active && done < at_once; ++done) {
    if (its.at < clients_.size())
      if (auto* x = clients_[its.at].connected) {
        if (its.rules.active)
          done += x->subscription_count();
        x->check_again(its.rules.active);
      }
    ++its.at;
    const bool end = its.at >= clients_.size();
    if (end)
      its.at = 0;
    for (auto* round : {&its.bans, &its.rules}) {
      round->came_round |= end;
      round->active &= !round->came_round || its.at < round->from;
    }
  }
  its.goes_on = its.bans.active;
  if (its.goes_on)
    post([this] { check_some(); });
}

listener_scope* home::find_scope(std::string_view id) noexcept {
  for (const auto& x : scopes_)
    if (x->id() == id)
      return x.get();
  return nullptr;
}

listener_scope& home::scope(const listener_options& of) {
  if (auto* known = find_scope(of.id())) {
    known->change(of, mqtt_);
    return *known;
  }
  return *scopes_.emplace_back(std::make_unique<listener_scope>(of, mqtt_));
}

void home::report_crash(pinned_actor& who, std::string_view what) {
  log({log_level::error,
       "actor.crash",
       "an actor (" + std::string{who.name()}
         + ") ended by an exception: " + std::string{what},
       {},
       {}});
}

// ---- clients ---------------------------------------------------------------

client_ref home::enter(connection& who, caf::actor handle) {
  std::uint32_t slot = first_free_;
  if (slot == no_place) {
    slot = static_cast<std::uint32_t>(clients_.size());
    clients_.emplace_back();
  } else {
    first_free_ = clients_[slot].next_free;
  }
  auto& x = clients_[slot];
  x.connected = &who;
  x.connection_handle = std::move(handle);
  return {slot, x.generation, static_cast<std::uint16_t>(index())};
}

void home::set_session(client_ref who, session* its, caf::actor handle) {
  clients_[who.slot].its = its;
  clients_[who.slot].session_handle = std::move(handle);
}

void home::leave(client_ref who) {
  auto& x = clients_[who.slot];
  if (x.generation != who.generation)
    return;
  x.connected = nullptr;
  x.its = nullptr;
  x.connection_handle = {};
  x.session_handle = {};
  x.generation = x.generation == 0xFFFF
                   ? std::uint16_t{1}
                   : static_cast<std::uint16_t>(x.generation + 1);
  x.next_free = first_free_;
  first_free_ = who.slot;
}

connection* home::connection_of(client_ref who) noexcept {
  return who.slot < clients_.size()
             && clients_[who.slot].generation == who.generation
           ? clients_[who.slot].connected
           : nullptr;
}

session* home::session_of(client_ref who) noexcept {
  return who.slot < clients_.size()
             && clients_[who.slot].generation == who.generation
           ? clients_[who.slot].its
           : nullptr;
}

// ---- routing ---------------------------------------------------------------

activity& home::watch_activity() {
  if (!activity_)
    activity_ = std::make_unique<activity>();
  activity_->until = now() + activity::patience;
  return *activity_;
}

void home::before_flush() {
  send_batches();
  note_routed();
  if (sent_in_turn_ > help_at_most)
    wake_others(); // they work while this one writes
}

void home::begin_of_turn() {
  helper_ = std::exchange(driven, this);
  sent_in_turn_ = 0;
  turn_began_ = shared_.graveyard.turn_began();
  if (now() >= look_at_load_)
    look_at_load();
}

bool home::may_read() {
  const auto limit = dials().credit;
  const auto over = [&](shared_state::credit_cell& x) {
    if (x.used.load(std::memory_order_acquire) < limit)
      return false;
    x.wanted.store(true, std::memory_order_release);
    return x.used.load(std::memory_order_acquire) >= limit;
  };
  bool stalled = over(shared_.shard_credits[index()]);
  for (std::size_t r = 0; r < outboxes_.size() && !stalled; ++r)
    stalled = r != index() && over(shared_.credit(index(), r));
  if (stalled && !stalled_)
    count(numbers_.credit_stalls);
  stalled_ = stalled;
  return !stalled;
}

void home::end_of_turn() {
  if (!holds_output()) {
    send_batches(); // what flushing and timers brought up
    // Not while a batch here still names what others may free.
    shared_.graveyard.turn_ended(index(), turn_began_);
  } else if (routed_ != 0) {
    routed_before_.push_back({now(), now(), std::exchange(routed_, 0)});
  }
  wake_others();
  driven = std::exchange(helper_, nullptr);
}

void home::sweep() {
  const auto due = std::exchange(to_checkpoint_, {});
  for (const auto who : due)
    if (auto* x = session_of(who))
      x->checkpoint();
  std::erase_if(to_release_, [&](client_ref who) {
    auto* x = connection_of(who);
    return x == nullptr || x->release_buffers();
  });
  if (to_release_.empty() && to_release_.capacity() > 1'024)
    to_release_.shrink_to_fit();
  reads_.trim();
  outputs_.trim();
  if (activity_ && now() > activity_->until)
    activity_.reset();
  start_sweeping();
}

} // namespace troupe::actors
