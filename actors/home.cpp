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
  check_all_again(0);
}

void home::set_bans(std::shared_ptr<const auth::ban_list> to) {
  bans_ = std::move(to);
  check_all_again(0);
}

void home::check_all_again(std::size_t from) {
  // So many in a turn: with a hundred thousand clients it takes a while.
  constexpr std::size_t at_once = 256;
  const auto round = from == 0 ? ++checks_ : checks_;
  const auto end = std::min(clients_.size(), from + at_once);
  for (; from < end; ++from)
    if (auto* x = clients_[from].connected)
      x->check_again();
  if (from < clients_.size())
    post([this, from, round] {
      if (round == checks_) // or another round has begun
        check_all_again(from);
    });
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

const match_result& home::match(std::string_view topic) {
  const auto& filters = shared_.index;
  if (cache_.empty()) {
    count(numbers_.match_cache_misses);
    uncached_.clear();
    filters.match(topic, uncached_);
    return uncached_;
  }
  const auto version = filters.version();
  // A publisher mostly stays with its topic for a while.
  if (last_match_ != nullptr && last_match_->version == version
      && last_match_->topic == topic) {
    count(numbers_.match_cache_hits);
    return last_match_->result;
  }
  const auto hash = protocol::hash64(topic);
  auto& entry = cache_[hash % cache_.size()];
  last_match_ = &entry;
  if (entry.version == version && entry.hash == hash && entry.topic == topic) {
    count(numbers_.match_cache_hits);
    return entry.result;
  }
  count(numbers_.match_cache_misses);
  entry.result.clear();
  filters.match(topic, entry.result);
  entry.version = version;
  entry.hash = hash;
  entry.topic = topic;
  return entry.result;
}

batch& home::outbox(std::size_t to) {
  auto& box = outboxes_[to];
  if (!box) {
    box = std::make_shared<batch>();
    box->from = static_cast<std::uint16_t>(index());
  }
  return *box;
}

bool home::route(message_ptr message, shard_position position,
                 const match_result& to, session* publisher) {
  bool somebody = to.reactors != 0;
  auto left = to.reactors;
  if ((left & 1U << index()) != 0) {
    left &= ~(1U << index());
    const bool last = left == 0 && to.groups.empty();
    deliver_here(message, last ? &message : nullptr, position, to.nodes);
  }
  for (auto* group : to.groups)
    somebody |= route_to_group(message, {}, *group, publisher, {}, 0);
  while (left != 0) {
    const auto bit = left & (~left + 1);
    left &= ~bit;
    auto& box = outbox(static_cast<std::size_t>(std::countr_zero(bit)));
    const auto first = static_cast<std::uint32_t>(box.nodes.size());
    for (auto* node : to.nodes)
      if ((node->reactors.load(std::memory_order_relaxed) & bit) != 0)
        box.nodes.push_back(node);
    const auto count_of = static_cast<std::uint32_t>(box.nodes.size()) - first;
    to_subscribers item{{}, position, first, count_of};
    // The last one gets our reference: counting costs more than it seems,
    // when another processor holds the message's memory.
    if (left != 0)
      item.message = message;
    else
      std::swap(item.message, message);
    box.items.emplace_back(std::move(item));
  }
  return somebody;
}

void home::deliver_here(const message_ptr& message, message_ptr* last,
                        shard_position position,
                        std::span<filter_node* const> nodes) {
  if (nodes.size() == 1) {
    const auto& list = nodes[0]->list(index());
    if (list.size() != 1)
      last = nullptr;
    list.for_each([&](const subscriber_list::entry& x) {
      x.who->deliver(message, last, position, x.options, x.identifier, nullptr);
    });
    return;
  }
  // Overlapping filters: one copy with the highest QoS and all Subscription
  // Identifiers [MQTT-3.3.4-2 to -4].
  std::size_t used = 0;
  for (auto* node : nodes)
    node->list(index()).for_each([&](const subscriber_list::entry& x) {
      if ((x.options & 4) != 0 && x.who->published(*message))
        return;
      for (std::size_t k = 0; k < used; ++k)
        if (overlaps_[k].who == x.who) {
          auto& merged = overlaps_[k];
          const auto qos =
            std::max<unsigned>(merged.options & 3U, x.options & 3U);
          merged.options = static_cast<packed_options>(
            qos | (merged.options & 8U) | (x.options & 8U));
          if (x.identifier != 0 && merged.identifier == 0)
            merged.identifier = x.identifier;
          else if (x.identifier != 0)
            merged.more.push_back(x.identifier);
          return;
        }
      if (used == overlaps_.size())
        overlaps_.emplace_back();
      auto& fresh = overlaps_[used++];
      fresh.who = x.who;
      fresh.options = x.options;
      fresh.identifier = x.identifier;
      fresh.more.clear();
    });
  for (std::size_t k = 0; k < used; ++k) {
    auto& x = overlaps_[k];
    x.who->deliver(message, nullptr, position, x.options, x.identifier, nullptr,
                   x.more);
  }
}

std::size_t home::pick(const shared_group& group, const group_members& members,
                       const message_ptr& message, session* publisher) {
  const auto size = members.size();
  switch (mqtt().shared_subscription_strategy) {
  case share_strategy::random:
  case share_strategy::local: // every member of a node is local to it
    return random_() % size;
  case share_strategy::round_robin_per_group:
    return const_cast<shared_group&>(group).turn.fetch_add(
             1, std::memory_order_relaxed)
           % size;
  case share_strategy::hash_clientid:
    return message->publisher() % size;
  case share_strategy::hash_topic:
    return protocol::hash64(message->topic()) % size;
  case share_strategy::sticky:
    if (publisher != nullptr) {
      auto& favourite = publisher->group_cursor(group).favourite;
      const auto at =
        std::find_if(members.begin(), members.end(),
                     [&](const group_member& x) { return x.who == favourite; });
      if (at != members.end())
        return static_cast<std::size_t>(at - members.begin());
      const auto chosen = random_() % size;
      favourite = members[chosen].who;
      return chosen;
    }
    return message->publisher() % size;
  case share_strategy::round_robin:
    if (publisher != nullptr) {
      auto& cursor = publisher->group_cursor(group);
      if (!cursor.started) { // publishers start at different members
        cursor.started = true;
        cursor.next = static_cast<std::uint32_t>(random_());
      }
      return cursor.next++ % size;
    }
    return random_() % size;
  }
  return 0;
}

bool home::route_to_group(const message_ptr& message, shard_position position,
                          shared_group& group, session* publisher,
                          client_ref except, std::uint32_t attempts) {
  const auto& members = *group.members.load(std::memory_order_acquire);
  if (members.empty() || attempts > members.size())
    return false;
  auto at = pick(group, members, message, publisher);
  if (attempts != 0) // the one behind whoever could not take it
    for (std::size_t i = 0; i < members.size(); ++i)
      if (members[i].who == except)
        at = i + 1;
  at %= members.size();
  if (members[at].who == except)
    at = (at + 1) % members.size();
  if (members[at].who == except)
    return false;
  to_member what{message, position, &group, members[at], attempts};
  if (what.member.who.reactor == index()) {
    if (!deliver_to_member(what))
      redeliver(message, position, group, what.member.who, attempts);
  } else {
    outbox(what.member.who.reactor).items.emplace_back(std::move(what));
  }
  return true;
}

bool home::deliver_to_member(to_member& what) {
  auto* to = session_of(what.member.who);
  if (to == nullptr || !to->takes_from(*what.group))
    return false;
  to->deliver(what.message, &what.message, what.position, what.member.options,
              what.member.identifier, what.group);
  return true;
}

void home::redeliver(const message_ptr& message, shard_position position,
                     shared_group& group, client_ref from,
                     std::uint32_t attempts) {
  count(numbers_.shared_redelivered);
  if (route_to_group(message, position, group, nullptr, from, attempts + 1))
    return;
  // Nobody else: a durable group's shard keeps it; otherwise the one it came
  // from may be the only member, whose queue is full.
  if (group.durable_members.load(std::memory_order_acquire) != 0) {
    cluster::group_return_command back;
    back.share_name = group.share_name;
    back.filter = std::string{group.filter->text()};
    back.message = message.kept();
    back.sequence = position.sequence;
    to_shard(shard_of(message->topic()), std::move(back));
    return;
  }
  count(numbers_.routed);
  const auto why = session_of(from) != nullptr
                     ? protocol::drop_reason::queue_full
                     : protocol::drop_reason::session_ended;
  count_drop(numbers_, why);
  if (tracing())
    trace_message("dropped", *message, position, name_of(why));
}

void home::publish(const message_ptr& message) {
  const auto& to = match(message->topic());
  if (message->retain() || to.durable) {
    cluster::publish_command command;
    command.message = message;
    to_shard(shard_of(message->topic()), std::move(command));
    return;
  }
  route(message, {}, to, nullptr);
}

void home::to_shard(std::uint16_t shard, cluster::command&& what) {
  auto& box = shard_outboxes_[shard];
  if (!box) {
    box = std::make_shared<command_batch>();
    box->from = static_cast<std::uint16_t>(index());
    shards_to_send_.push_back(shard);
  }
  box->commands.push_back(std::move(what));
}

void home::to_client(client_ref who, client_event&& what) {
  if (!who)
    return;
  if (who.reactor == index())
    handle(who, what);
  else
    outbox(who.reactor)
      .items.emplace_back(addressed_event{who, std::move(what)});
}

void home::handle(client_ref who, client_event& what) {
  // A connection that waits for its claim stays until it is answered, so an
  // event without an addressee is stale and may be dropped.
  if (auto* to = connection_of(who))
    to->handle(what);
  else if (inquiries::is_one(who))
    questions_.handle(who, what);
}

activity& home::watch_activity() {
  if (!activity_)
    activity_ = std::make_unique<activity>();
  activity_->until = now() + activity::patience;
  return *activity_;
}

void home::carry_out(batch& in) {
  for (auto& item : in.items) {
    if (auto* x = std::get_if<to_subscribers>(&item)) {
      deliver_here(x->message, &x->message, x->position,
                   std::span{in.nodes}.subspan(x->first_node, x->node_count));
    } else if (auto* member = std::get_if<to_member>(&item)) {
      if (!deliver_to_member(*member))
        redeliver(member->message, member->position, *member->group,
                  member->member.who, member->attempts);
    } else if (auto* event = std::get_if<addressed_event>(&item)) {
      handle(event->who, event->what);
    }
  }
  auto& credit = shared_.credit(in.from, index());
  credit.used.fetch_sub(in.credit, std::memory_order_acq_rel);
  if (credit.wanted.load(std::memory_order_acquire)
      && credit.wanted.exchange(false, std::memory_order_acq_rel))
    shared_.homes[in.from]->wake();
}

void home::send_batches() {
  // Deliveries leave before commands: what a publisher sent directly is in its
  // receivers' mailboxes before a shard sees what it sent afterwards.
  for (std::size_t r = 0; r < outboxes_.size(); ++r)
    if (auto& box = outboxes_[r]) {
      box->credit = static_cast<std::uint32_t>(box->items.size());
      sent_in_turn_ += box->items.size();
      shared_.credit(index(), r)
        .used.fetch_add(box->credit, std::memory_order_acq_rel);
      count(numbers_.batches_sent);
      count(numbers_.batch_items_sent, std::uint64_t{box->credit});
      caf::anon_send(dispatchers_[r], std::exchange(box, nullptr));
    }
  for (const auto shard : shards_to_send_) {
    auto& box = shard_outboxes_[shard];
    sent_in_turn_ += box->commands.size();
    shared_.shard_credits[index()].used.fetch_add(
      static_cast<std::uint32_t>(box->commands.size()),
      std::memory_order_acq_rel);
    caf::anon_send(shared_.shards[shard], std::exchange(box, nullptr));
  }
  shards_to_send_.clear();
}

void home::receive_now() noexcept {
  received_.turn = now();
  received_.at = shared_.as_stored(now());
  received_.part = protocol::message::part_of(now(), received_.at);
}

void home::note_routed() {
  if (routed_ == 0 && routed_before_.empty())
    return;
  const auto at = exact_now();
  auto& into = numbers_.of(hop::routed);
  for (const auto& x : routed_before_)
    into.record(at - x.received, x.count);
  routed_before_.clear();
  if (routed_ != 0)
    into.record(at - now(), std::exchange(routed_, 0));
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

void home::look_at_load() {
  // In a millisecond a reactor reads about a megabyte.
  constexpr std::chrono::milliseconds often{1};
  look_at_load_ = now() + often;
  overload_rules::figures all;
  std::int64_t uncommitted = 0;
  std::int64_t queued = 0;
  std::int64_t unsent = 0;
  for (const auto& x : shared_.homes) {
    const auto& its = x->numbers();
    uncommitted += its.uncommitted_bytes.load(std::memory_order_relaxed);
    queued += its.queued_bytes.load(std::memory_order_relaxed);
    unsent += its.unsent_bytes.load(std::memory_order_relaxed);
  }
  const auto bytes = [](std::int64_t x) { // parts of it are read at moments
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, x));
  };
  all.uncommitted = bytes(uncommitted);
  all.queued = bytes(queued);
  all.unsent = bytes(unsent);
  all.memory_high = shared_.memory_high.load(std::memory_order_relaxed);
  const auto before = overload_.last().level;
  const auto level = overload_.look(all).level;
  if (level == before)
    return;
  sheds_qos0_ = level >= overload_level::shedding;
  slows_publishers_ = level >= overload_level::slowing;
  note_watchful();
  if (index() != 0)
    return; // the others come to the same
  count(numbers_.overload_level,
        static_cast<std::int64_t>(level) - static_cast<std::int64_t>(before));
  const auto mb = [](std::uint64_t x) {
    return std::to_string(x >> 20U) + " MB ";
  };
  log({level > before ? log_level::warning : log_level::info,
       "overload",
       "step " + std::string{overload_level_names.at(std::size_t(level))}
         + " after " + std::string{overload_level_names.at(std::size_t(before))}
         + ": " + mb(all.uncommitted) + "wait to be committed, "
         + mb(all.queued) + "in queues, " + mb(all.unsent) + "for sockets"
         + (all.memory_high ? ", and memory is short" : ""),
       {},
       {}});
}

void home::set_observation(const observation_options& to) {
  overload_.set_options(to.overload);
  slow_subs_.set_options(to.slow_subs);
  notes_slow_ = to.slow_subs.enable;
  note_watchful();
  openings_.limit(to.max_handshakes);
  look_at_load_ = {};
}

// ---- how long it takes -----------------------------------------------------

void home::wrote(hop_times& what, std::uint64_t end) {
  if (what.empty())
    return;
  // A write takes a few microseconds: what so many take is not seen.
  constexpr std::size_t together = 8;
  what.take(end, [this](auto came, auto taken, std::uint64_t times) {
    written_.push_back({came, taken, times});
  });
  if (++writes_ == together)
    note_written(exact_now());
}

void home::note_written(std::chrono::steady_clock::time_point at) {
  writes_ = 0;
  for (const auto& x : written_) {
    numbers_.of(hop::written).record(at - x.taken, x.count);
    numbers_.of(hop::whole).record(at - x.received, x.count);
  }
  written_.clear();
}

void home::turn_took(std::chrono::steady_clock::duration length) {
  if (shared_.options.world.drive)
    length = {}; // its clock stands still meanwhile
  numbers_.of(hop::turn).record(length);
  if (!written_.empty())
    note_written(now() + length);
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
