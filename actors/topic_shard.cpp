#include "actors/topic_shard.hpp"

#include "actors/messages.hpp"
#include "actors/session.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace troupe::actors {

namespace {

cluster::shard_options options_of(const home& at, std::uint16_t shard) {
  const auto& limits = at.mqtt();
  const auto share = [&](std::size_t whole) {
    const auto shards = at.dials().shards;
    return whole == 0 ? 0 : std::max<std::size_t>(1, whole / shards);
  };
  cluster::shard_options options;
  options.shard = shard;
  options.retain = limits.retain_available && limits.retainer_enable;
  options.retained_max = share(limits.retainer_max_messages);
  options.delayed_max = share(limits.delayed_max_messages);
  options.stored_bytes_max = share(limits.stored_bytes_max);
  return options;
}

} // namespace

topic_shard::topic_shard(caf::actor_config& config, home& on,
                         std::uint16_t shard)
  : pinned_actor(config, on),
    shard_(shard),
    state_(options_of(on, shard), *this),
    log_(std::make_unique<cluster::memory_log>(
      on.dials().log_commit_delay,
      [this](std::chrono::milliseconds delay, std::function<void()> f) {
        auto* call = new delayed_call;
        call->what = [this, alive = caf::strong_actor_ptr{ctrl()},
                      run = std::move(f)] {
          if (!ended())
            run();
        };
        if (delay.count() == 0)
          at().post([call] { call->on_timer(); });
        else
          at().wheel().arm(*call, at().now() + delay);
      },
      [this](cluster::log_index, const cluster::entry_ptr& entry) {
        count(at().numbers().shard_entries);
        apply(*entry);
      })) {}

void topic_shard::receive(caf::type_erased_tuple& content) {
  if (!content.match_elements<command_batch_ptr>())
    return;
  auto& in = *content.get_as<command_batch_ptr>(0);
  owed_.push_back({in.from, static_cast<std::uint32_t>(in.commands.size())});
  if (gathered_.empty())
    gathered_ = std::move(in.commands);
  else
    std::move(in.commands.begin(), in.commands.end(),
              std::back_inserter(gathered_));
  propose();
}

void topic_shard::propose() {
  if (log_->outstanding() != 0 || gathered_.empty())
    return; // gather while the entry before is being written
  auto entry = std::make_shared<cluster::log_entry>();
  entry->at = at().now();
  entry->commands = std::exchange(gathered_, {});
  owed_in_log_ = std::exchange(owed_, {});
  if (std::any_of(entry->commands.begin(), entry->commands.end(),
                  cluster::needs_log)) {
    log_->propose(std::move(entry));
  } else {
    count(at().numbers().shard_unlogged,
          static_cast<std::uint64_t>(entry->commands.size()));
    apply(*entry);
  }
}

void topic_shard::apply(cluster::log_entry& entry) {
  for (auto& command : entry.commands)
    state_.apply(command, entry.at);
  count(at().numbers().shard_commands,
        static_cast<std::uint64_t>(entry.commands.size()));
  for (const auto& x : std::exchange(owed_in_log_, {})) {
    auto& credit = at().shared().shard_credits[x.from];
    credit.used.fetch_sub(x.count, std::memory_order_acq_rel);
    if (credit.wanted.load(std::memory_order_acquire)
        && credit.wanted.exchange(false, std::memory_order_acq_rel))
      at().shared().homes[x.from]->wake();
  }
  update_gauges();
  arm();
  propose();
}

void topic_shard::update_gauges() {
  auto& numbers = at().numbers();
  const std::array<std::int64_t, 4> now{
    static_cast<std::int64_t>(state_.retained_count()),
    static_cast<std::int64_t>(state_.delayed_count()),
    static_cast<std::int64_t>(state_.stored_count()),
    static_cast<std::int64_t>(state_.offline_count())};
  count(numbers.retained, now[0] - shown_[0]);
  count(numbers.delayed, now[1] - shown_[1]);
  count(numbers.stored, now[2] - shown_[2]);
  count(numbers.offline_sessions, now[3] - shown_[3]);
  shown_ = now;
}

void topic_shard::arm() {
  if (const auto due = state_.next_due())
    at().wheel().arm(*this, *due);
}

void topic_shard::on_timer() {
  if (ended())
    return;
  gathered_.emplace_back(cluster::time_command{});
  propose();
}

void topic_shard::on_end() { net::timing_wheel::disarm(*this); }

// ---- effects ---------------------------------------------------------------

void topic_shard::acknowledge(client_ref publisher, std::uint32_t token,
                              protocol::reason_code reason) {
  if (!publisher)
    return; // a will, or what the node itself publishes
  // Here and not in the session, which may have ended meanwhile.
  auto& numbers = at().numbers();
  if (reason == protocol::reason_code::success)
    count(numbers.accepted_routed);
  else
    count(static_cast<unsigned>(reason) >= 0x80 ? numbers.accepted_refused
                                                : numbers.accepted_unrouted);
  at().to_client(publisher, publish_acked{token, reason});
}

void topic_shard::retained_changed(int by) {
  at().shared().retained_in_shard[shard_].fetch_add(by);
}

bool topic_shard::route(const message_ptr& message, shard_position position) {
  const auto& to = at().match(message->topic());
  if (to.groups.empty() && to.durable_groups.empty())
    return at().route(message, position, to, nullptr);
  // While a group becomes durable, or ceases to be, index and shard differ for
  // a moment: it is served here if and only if no row of the shard serves it.
  auto others = to;
  const auto has_row = [&](const shared_group* x) {
    return state_.keeps_for_group(x->share_name, x->filter->text());
  };
  std::erase_if(others.groups, has_row);
  for (auto* x : to.durable_groups)
    if (!has_row(x))
      others.groups.push_back(x);
  return at().route(message, position, others, nullptr);
}

void topic_shard::route_to_group(const std::string& share_name,
                                 const std::string& filter,
                                 const message_ptr& message) {
  const auto* node = at().shared().index.find(filter);
  auto* group =
    node == nullptr ? nullptr : node->groups.load(std::memory_order_acquire);
  while (group != nullptr && group->share_name != share_name)
    group = group->next.load(std::memory_order_acquire);
  if (group != nullptr && at().route_to_group(message, *group, nullptr, {}, 0))
    return;
  // Its last live member just went: the shard hears of it later.
  cluster::group_return_command back{share_name, filter, message};
  at().to_shard(shard_, std::move(back));
}

void topic_shard::publish(const message_ptr& message) { at().publish(message); }

void topic_shard::granted(client_ref who, const cluster::claim_granted& what) {
  at().to_client(who, std::make_unique<cluster::claim_granted>(what));
}

void topic_shard::superseded(client_ref who) {
  at().to_client(who, claim_superseded{});
}

void topic_shard::evict(client_ref owner, const std::string&,
                        std::uint64_t epoch, bool discard) {
  at().to_client(owner, eviction{epoch, discard});
}

void topic_shard::session_ended(const std::string& client_id,
                                const cluster::session_record& record) {
  auto& numbers = at().numbers();
  count(numbers.session_terminated);
  const auto lost = record.in_flight.size() + record.pending.size();
  count_drop(numbers, protocol::drop_reason::session_ended, lost);
  count(numbers.resumed, static_cast<std::uint64_t>(lost));
  end_holds_of(at(), client_id, record);
}

void topic_shard::held(client_ref who, std::uint32_t token,
                       std::uint64_t start) {
  at().to_client(who, hold_committed{shard_, token, start});
}

void topic_shard::fetched(client_ref who, cluster::fetched_page&& page) {
  at().to_client(who, std::make_unique<cluster::fetched_page>(std::move(page)));
}

void topic_shard::retained(client_ref who, cluster::retained_page&& page) {
  at().to_client(who,
                 std::make_unique<cluster::retained_page>(std::move(page)));
}

void topic_shard::dropped(protocol::drop_reason why, std::size_t count_of) {
  // These deliveries began and ended here.
  count(at().numbers().routed, static_cast<std::uint64_t>(count_of));
  count_drop(at().numbers(), why, count_of);
}

} // namespace troupe::actors
