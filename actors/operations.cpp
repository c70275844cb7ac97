#include "actors/operations.hpp"

#include "actors/topic_shard.hpp"

#include <algorithm>
#include <condition_variable>
#include <future>

namespace troupe::actors {

namespace {

using protocol::reason_code;

/// What a waiting thread and a reactor share; whoever is last lets go.
struct answer_place {
  std::mutex mutex;
  std::condition_variable there;
  client_ref who;                   ///< guarded by mutex
  std::optional<client_event> last; ///< likewise
};

/// So many connections of a reactor are looked at in one turn.
constexpr std::size_t clients_at_once = 2'048;

/// A question that is answered when what `shard` was told before is committed
/// and applied.
void ask_behind(home& on, std::uint16_t shard, const std::string& filter,
                client_ref who) {
  cluster::retained_read behind;
  behind.filter = filter;
  behind.who = who;
  behind.limit = 1;
  on.to_shard(shard, std::move(behind));
}

} // namespace

// ---- asking ----------------------------------------------------------------

void operations::on_all(const std::function<void(home&)>& f) const {
  std::vector<std::promise<void>> done(shared_.homes.size());
  for (std::size_t i = 0; i < done.size(); ++i)
    shared_.homes[i]->post([&, i] {
      try {
        f(*shared_.homes[i]);
        done[i].set_value();
      } catch (...) {
        done[i].set_exception(std::current_exception());
      }
    });
  for (auto& x : done)
    x.get_future().wait();
}

void operations::on_clients(
  const std::function<void(home&, connection&)>& f) const {
  std::atomic<bool> more{true};
  for (std::size_t from = 0; more.exchange(false); from += clients_at_once)
    on_all([&](home& on) {
      if (on.for_each_connection(from, clients_at_once,
                                 [&](connection& x) { f(on, x); }))
        more = true;
    });
}

std::optional<client_event> operations::ask(
  std::size_t on, std::function<void(home&, client_ref)> begin,
  std::function<bool(home&, client_ref, client_event&)> go_on) const {
  auto place = std::make_shared<answer_place>();
  const bool alone = !go_on;
  auto& at = *shared_.homes[on];
  at.post([&at, place, begin = std::move(begin), go_on = std::move(go_on)] {
    const auto me = std::make_shared<client_ref>();
    *me = at.questions().add(at.index(),
                             [&at, me, place, go_on](client_event& said) {
                               if (go_on && go_on(at, *me, said))
                                 return true;
                               const std::lock_guard lock(place->mutex);
                               place->last = std::move(said);
                               place->there.notify_one();
                               return false;
                             });
    {
      const std::lock_guard lock(place->mutex);
      place->who = *me;
    }
    begin(at, *me);
  });
  const auto until = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(place->mutex);
  // In steps, since the node may be about to end.
  while (!place->last && std::chrono::steady_clock::now() < until
         && !shared_.no_more_questions.load())
    place->there.wait_for(lock, std::chrono::milliseconds{100});
  if (place->last)
    return std::move(place->last);
  if (alone) // what goes on by itself must not be left half done
    at.post([&at, place] {
      const std::lock_guard again(place->mutex);
      at.questions().remove(place->who);
    });
  return std::nullopt;
}

// ---- retained messages -----------------------------------------------------

operations::retained_found operations::retained(const std::string& filter,
                                                std::size_t most) {
  constexpr std::size_t page_size = 200;
  retained_found all;
  std::vector<std::uint16_t> shards;
  cluster::for_each_shard_of(filter, shared_.options.actors.shards,
                             [&](std::uint16_t x) { shards.push_back(x); });
  for (const auto shard : shards) {
    std::string after;
    do {
      if (all.rows.size() > most)
        break;
      const auto limit = std::min(page_size, most + 1 - all.rows.size());
      auto said = ask(0, [=](home& on, client_ref who) {
        cluster::retained_read what;
        what.filter = filter;
        what.who = who;
        what.after = after;
        what.limit = limit;
        on.to_shard(shard, std::move(what));
      });
      auto* page =
        said ? std::get_if<std::unique_ptr<cluster::retained_page>>(&*said)
             : nullptr;
      if (page == nullptr) {
        all.late = true;
        return all;
      }
      for (auto& x : (*page)->rows)
        all.rows.push_back(std::move(x.message));
      after = (*page)->next;
    } while (!after.empty());
  }
  all.more = all.rows.size() > most;
  if (all.more)
    all.rows.resize(most);
  return all;
}

operations::outcome operations::remove_retained(const std::string& topic) {
  const auto before = retained(topic, 1);
  if (before.late)
    return outcome::late;
  if (before.rows.empty())
    return outcome::none;
  const auto said = ask(0, [topic](home& on, client_ref who) {
    const auto shard = on.shard_of(topic);
    on.to_shard(shard, cluster::remove_retained_command{topic});
    ask_behind(on, shard, topic, who);
  });
  return said ? outcome::done : outcome::late;
}

// ---- groups ----------------------------------------------------------------

bool operations::declare_group(const cluster::filter_name& name,
                               bool declared) {
  std::vector<std::uint16_t> shards;
  cluster::for_each_shard_of(name.filter, shared_.options.actors.shards,
                             [&](std::uint16_t x) { shards.push_back(x); });
  return std::all_of(shards.begin(), shards.end(), [&](std::uint16_t shard) {
    return ask(0,
               [shard, name, declared](home& on, client_ref who) {
                 cluster::hold_command command;
                 command.client_id = std::string{cluster::declared_holder};
                 command.subscription.share_name = name.share_name;
                 command.subscription.filter = name.filter;
                 command.subscription.options.maximum_qos =
                   protocol::qos::exactly_once;
                 command.holds = declared;
                 on.to_shard(shard, std::move(command));
                 ask_behind(on, shard, name.filter, who);
               })
      .has_value();
  });
}

// ---- publishing ------------------------------------------------------------

operations::published operations::publish(const publication& what) {
  struct counted {
    std::atomic<std::size_t> filters{0};
    std::atomic<bool> committed{false};
    std::atomic<std::size_t> limit{0};
  };
  const auto noted = std::make_shared<counted>();
  const auto said = ask(0, [what, noted, delay = what.delay_seconds](
                             home& on, client_ref who) {
    if (what.payload.size() > on.mqtt().max_packet_size) {
      noted->limit = on.mqtt().max_packet_size;
      on.to_client(who, publish_acked{0, reason_code::packet_too_large});
      return;
    }
    // As of a client's, see `session::on_publish`.
    protocol::message_options made;
    made.topic = what.topic;
    made.payload = {reinterpret_cast<const std::uint8_t*>(what.payload.data()),
                    what.payload.size()};
    made.qos = what.qos;
    made.retain = what.retain;
    if (on.mqtt().message_expiry_interval != 0xFFFF'FFFF)
      made.message_expiry_interval = on.mqtt().message_expiry_interval;
    made.received_at = on.shared().as_stored(on.now());
    const auto message = protocol::message::make(made);
    const auto& to = on.match(message->topic());
    noted->filters = to.nodes.size() + to.groups.size();
    const bool retains =
      message->retain() && on.mqtt().retainer_enable
      && message->payload().size() <= on.mqtt().retainer_max_payload_size;
    const bool matters =
      retains || delay != 0
      || (to.durable && message->qos() != protocol::qos::at_most_once);
    auto& numbers = on.numbers();
    count(numbers.messages_received);
    count(message->qos() == protocol::qos::at_most_once ? numbers.qos0_received
          : message->qos() == protocol::qos::at_least_once
            ? numbers.qos1_received
            : numbers.qos2_received);
    const auto answer = [&](reason_code why,
                            std::atomic<std::uint64_t>& counted_as) {
      count(counted_as);
      on.to_client(who, publish_acked{0, why});
    };
    if (matters && on.shared().disk_full.load(std::memory_order_relaxed))
      return answer(reason_code::quota_exceeded, numbers.accepted_refused);
    if (!matters && !to.durable_group) {
      if (on.route(message, {}, to, nullptr))
        return answer(reason_code::success, numbers.accepted_routed);
      return answer(reason_code::no_matching_subscribers,
                    numbers.accepted_unrouted);
    }
    if (delay != 0)
      count(numbers.messages_delayed);
    noted->committed = matters;
    cluster::publish_command command;
    command.message = message;
    command.publisher = who;
    command.delay_seconds = delay;
    command.logged = matters;
    on.to_shard(on.shard_of(message->topic()), std::move(command));
  });
  published found;
  found.filters = noted->filters;
  found.committed = noted->committed;
  found.payload_max = noted->limit;
  const auto* acked = said ? std::get_if<publish_acked>(&*said) : nullptr;
  found.late = acked == nullptr;
  if (acked != nullptr)
    found.reason = acked->reason;
  return found;
}

} // namespace troupe::actors
