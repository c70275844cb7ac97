// Whether a client may come in, and what it may do.

#include "actors/connection.hpp"
#include "actors/session.hpp"

#include <algorithm>

namespace troupe::actors {

using protocol::reason_code;

void connection::log(log_level level, std::string_view cause,
                     std::string_view text, std::string_view topic) const {
  log(identity(), level, cause, text, topic);
}

void connection::log(const auth::identity& who, log_level level,
                     std::string_view cause, std::string_view text,
                     std::string_view topic) const {
  at().log({.level = level,
            .cause = cause,
            .text = text,
            .client = who.client_id,
            .peer = peer(),
            .user = who.user_name.value_or(std::string_view{}),
            .listener = who.listener,
            .topic = topic});
}

auth::identity connection::identity() const {
  auth::identity x;
  x.client_id = session_ != nullptr ? std::string_view{session_->client_id()}
                : handshake_        ? std::string_view{handshake_->client_id}
                                    : "";
  if (user_name_)
    x.user_name = *user_name_;
  x.peer = &peer_;
  x.listener = scope_.id();
  x.tls = certificate_.get();
  return x;
}

// ---- coming in -------------------------------------------------------------

namespace {

/// @returns null for `none`.
const std::string* part_of(const net::peer_certificate& from,
                           certificate_part which) {
  switch (which) {
  case certificate_part::common_name:
    return &from.common_name;
  case certificate_part::subject:
    return &from.subject;
  case certificate_part::fingerprint:
    return &from.fingerprint;
  case certificate_part::none:
    break;
  }
  return nullptr;
}

/// Of a login that was refused the client is told the same, whatever was wrong.
std::string_view told_of(reason_code why, std::string_view cause) {
  switch (why) {
  case reason_code::bad_user_name_or_password:
    return "wrong user name or password";
  case reason_code::not_authorized:
    return "not authorized";
  default:
    return cause;
  }
}

} // namespace

bool connection::take_names_of_certificate() {
  if (!certificate_)
    return true;
  const auto& options = scope_.options();
  const auto fits = [](const std::string& name, std::size_t longest) {
    return name.size() <= longest && protocol::is_valid_utf8(name);
  };
  if (const auto* name = part_of(*certificate_, options.username_from)) {
    if (!fits(*name, 0xFFFF)) {
      refuse(reason_code::bad_user_name_or_password,
             "what the certificate names cannot be a User Name");
      return false;
    }
    user_name_ = std::make_unique<std::string>(*name);
  }
  if (const auto* id = part_of(*certificate_, options.clientid_from);
      id != nullptr && !id->empty()) {
    if (!fits(*id, limits().max_clientid_len)) {
      refuse(reason_code::client_identifier_not_valid,
             "what the certificate names cannot be a Client Identifier, or is "
             "longer than mqtt.max_clientid_len");
      return false;
    }
    handshake_->client_id = *id;
    handshake_->assigned_id = true; // the client is told
  }
  return true;
}

bool connection::is_banned() {
  const auto& world = at().shared().options.world;
  const auto* ban = at().bans().find(identity(), world.wall_ms());
  if (ban == nullptr)
    return false;
  count(at().numbers().connect_banned);
  refuse(reason_code::banned,
         ban->reason.empty() ? "banned" : "banned: " + ban->reason);
  return true;
}

bool connection::is_welcome() {
  auto& numbers = at().numbers();
  if (is_banned())
    return false;
  if (at().shared().admission.refused_for(identity(), at().now())) {
    count(numbers.connect_locked);
    refuse(reason_code::banned, "too many wrong passwords: try again later");
    return false;
  }
  return true;
}

bool connection::anonymous_allowed() const {
  const auto& access = at().access();
  return access.allow_anonymous
         || (access.authenticators.empty() && scope_.is_local());
}

bool connection::verify(const protocol::connect_packet& in) {
  const auto& access = at().access();
  if (!scope_.options().authentication)
    return admit({});
  auto what = std::make_shared<auth::credentials>();
  const auto who = identity();
  what->who.client_id = who.client_id;
  if (who.user_name)
    what->who.user_name = std::string{*who.user_name};
  what->who.peer = peer_;
  what->who.listener = who.listener;
  if (certificate_)
    what->who.tls = *certificate_;
  if (in.password)
    what->password.emplace(reinterpret_cast<const char*>(in.password->data()),
                           in.password->size());
  phase_ = phase::verifying;
  arm_timer();
  // Most are answered before this returns.
  struct exchange {
    std::optional<auth::chain_answer> early;
    bool waits = false;
    std::mutex mutex;
  };
  auto shared = std::make_shared<exchange>();
  access.authentication->authenticate(
    std::move(what), anonymous_allowed(),
    [shared, on = &at(), self = self_](auth::chain_answer answer) {
      {
        const std::lock_guard lock(shared->mutex);
        if (!shared->waits) {
          shared->early = std::move(answer);
          return;
        }
      }
      on->post([on, self, answer = std::move(answer)] {
        if (auto* x = on->connection_of(self))
          x->on_verified(answer);
      });
    });
  {
    const std::lock_guard lock(shared->mutex);
    if (!shared->early) {
      shared->waits = true;
      return true;
    }
  }
  return decide(*shared->early);
}

void connection::on_verified(const auth::chain_answer& answer) {
  const caf::strong_actor_ptr keep{ctrl()};
  if (phase_ == phase::verifying)
    decide(answer);
}

bool connection::decide(const auth::chain_answer& answer) {
  auto& numbers = at().numbers();
  auto& admission = at().shared().admission;
  if (!answer.allowed()) {
    count(numbers.authentication_failure);
    const auto who = identity();
    if (answer.said.reason == reason_code::bad_user_name_or_password)
      if (const auto whom = admission.failed(who, at().now()))
        log_lock(*whom, who);
    refuse(answer.said.reason, answer.said.cause,
           told_of(answer.said.reason, answer.said.cause));
    return false;
  }
  if (answer.by)
    admission.succeeded(identity());
  else
    count(numbers.authentication_anonymous);
  count(numbers.authentication_success);
  if (!answer.said.who.user_name.empty())
    user_name_ = std::make_unique<std::string>(answer.said.who.user_name);
  if (at().tracing())
    trace_cause("authenticated",
                answer.by ? answer.by->name() : std::string_view{"anonymous"});
  return admit({answer.said.who.superuser, answer.said.who.version, answer.by});
}

void connection::log_lock(auth::locked whom, const auth::identity& who) const {
  log(who, log_level::warning, "login.locked",
      whom == auth::locked::user
        ? "too many wrong passwords: this user is refused at this address for "
          "a while"
        : "too many wrong passwords: everybody is refused at this address for "
          "a while");
}

bool connection::admit(account what) {
  account_ = std::make_unique<account>(std::move(what));
  // By now its name may be another: that of SCRAM, or of a certificate.
  if (is_banned() || !set_mount())
    return false;
  if (handshake_->will) {
    const auto& will = *handshake_->will->message;
    const auto topic = will.topic();
    switch (may({auth::action::publish, topic, will.qos(), will.retain()})) {
    case auth::decision::allow:
      break;
    case auth::decision::later:
      phase_ = phase::verifying; // `on_decided` comes back here
      return true;
    default:
      count(at().numbers().authorization_denied_publish);
      refuse(reason_code::not_authorized, "the Will Topic is not allowed");
      return false;
    }
    mount_will();
  }
  claim();
  return true;
}

// ---- doing things ----------------------------------------------------------

auth::decision connection::may(const auth::request& what, bool holds) {
  if (!asks_rules())
    return auth::decision::allow;
  const auto& access = at().access();
  auto& numbers = at().numbers();
  if (!decisions_)
    decisions_ = std::make_unique<decisions>(at().access_cache());
  auto& its = *decisions_;
  if (const auto known = its.cache.find(what, access.generation, at().now())) {
    count(numbers.authorization_cache_hit);
    if (at().tracing())
      trace_decision(what, *known, "");
    if (*known == auth::decision::allow && what.what == auth::action::publish) {
      auto& now = its.allowed;
      now.topic = what.topic;
      now.turn = at().now();
      now.generation = access.generation;
      now.qos = what.qos;
      now.retain = what.retain;
    }
    return *known;
  }
  count(numbers.authorization_cache_miss);
  for (const auto& x : its.late)
    if (x.is(what)) {
      if (at().tracing())
        trace_decision(what, x.answer, "");
      return x.answer;
    }
  auth::authorization_chain::answered then;
  if (access.authorizers_wait)
    then = [on = &at(), self = self_, asked = late_decision{what},
            generation = access.generation](
             const auth::authorization_chain::verdict& answer) mutable {
      asked.answer = answer.what;
      on->post([on, self, asked = std::move(asked), generation] {
        if (auto* x = on->connection_of(self))
          x->on_decided(asked, generation);
      });
    };
  const auto said = access.authorization->authorize(
    identity(), account_ && account_->superuser, what, then);
  if (at().tracing() && said.what != auth::decision::later)
    trace_decision(what, said.what, said.by);
  if (said.what != auth::decision::later)
    its.cache.store(what, said.what, access.generation, true, at().now());
  else if (holds) {
    held_ = true;
    its.asked.emplace(what);
    its.asked_at = at().now();
    arm_timer();
  }
  return said.what;
}

connection::late_decision::late_decision(const auth::request& asked)
  : topic(asked.topic),
    what(asked.what),
    qos(asked.qos),
    retain(asked.retain) {}

bool connection::late_decision::is(const auth::request& x) const {
  return topic == x.topic && what == x.what && qos == x.qos
         && retain == x.retain;
}

void connection::on_decided(const late_decision& said,
                            std::uint64_t generation) {
  const caf::strong_actor_ptr keep{ctrl()};
  if (fd_ < 0 || !decisions_)
    return;
  auto& its = *decisions_;
  its.cache.store(said.request(), said.answer, generation, false, at().now());
  const bool current = generation == at().access().generation;
  if (current && phase_ == phase::live && said.what == auth::action::subscribe
      && said.answer != auth::decision::allow
      && session_->drop_subscriptions([&](std::string_view filter,
                                          protocol::qos qos) {
           return filter.substr(prefix_of(filter)) == said.topic
                  && qos == said.qos;
         }) != 0) {
    count(at().numbers().ended_subscription);
    close(reason_code::not_authorized, subscription_lost);
    return;
  }
  if (!held_ || !its.asked || !its.asked->is(said.request()))
    return;
  if (current) // else it is asked again
    its.late.push_back(said);
  go_on_after_answer();
}

void connection::go_on_after_answer() {
  held_ = false;
  decisions_->asked.reset();
  if (phase_ == phase::verifying)
    admit(std::move(*account_));
  else if (!waits())
    take_what_waited();
}

std::chrono::steady_clock::time_point connection::answer_deadline() const {
  return decisions_->asked_at + at().access().authentication_timeout;
}

void connection::answer_overdue() {
  auto said = *decisions_->asked;
  said.answer = auth::decision::deny;
  log(log_level::warning, "access.timeout",
      "nobody said in time whether the client may use the topic: it may not",
      said.topic);
  decisions_->late.push_back(std::move(said));
  go_on_after_answer();
}

bool connection::may_publish(const protocol::publish_packet& in,
                             verdict& answer) {
  answer = verdict::yes;
  if (!asks_rules())
    return true;
  if (decisions_
      && decisions_->allowed_just_now(in, at().access().generation, at().now())
      && !at().tracing()) {
    count(at().numbers().authorization_cache_hit);
    return true;
  }
  auto topic = in.topic;
  if (topic.starts_with('$'))
    if (const auto delayed = protocol::parse_delayed_topic(topic);
        delayed && delayed.value())
      topic = delayed.value()->topic;
  switch (may({auth::action::publish, topic, in.qos, in.retain})) {
  case auth::decision::allow:
    return true;
  case auth::decision::later:
    return false;
  default:
    break;
  }
  auto& numbers = at().numbers();
  count(numbers.authorization_denied_publish);
  log(log_level::info, "publish.denied",
      "the client may not publish to the topic", topic);
  answer = verdict::no;
  return true;
}

bool connection::may_subscribe(const protocol::subscribe_packet& in,
                               std::vector<bool>& denied) {
  if (!asks_rules())
    return true;
  bool known = true;
  protocol::for_each_subscription(
    in, [&](const protocol::subscription_request& one) {
      const auto parsed = protocol::parse_subscription_filter(one.filter);
      auto answer = auth::decision::allow; // or refused by another rule
      if (parsed && known)
        answer = may({auth::action::subscribe, parsed.value().filter,
                      one.options.maximum_qos, false});
      known = known && answer != auth::decision::later;
      denied.push_back(answer != auth::decision::allow);
    });
  if (!known)
    return false;
  if (std::none_of(denied.begin(), denied.end(), [](bool x) { return x; })) {
    denied.clear();
    return true;
  }
  std::size_t i = 0;
  protocol::for_each_subscription(
    in, [&](const protocol::subscription_request& one) {
      if (!denied[i++])
        return;
      count(at().numbers().authorization_denied_subscribe);
      log(log_level::info, "subscribe.denied",
          "the client may not subscribe to the topic", one.filter);
    });
  return true;
}

// ---- changes of the rules --------------------------------------------------

void connection::count_flapping(const std::string& client_id) {
  const auto& world = at().shared().options.world;
  if (at().shared().stopping.load(std::memory_order_relaxed))
    return;
  if (at().shared().admission.disconnected(client_id, at().now(),
                                           world.wall_ms())) {
    count(at().numbers().flapping);
    auto who = identity();
    who.client_id = client_id; // its session has gone by now
    log(who, log_level::warning, "client.flapping",
        "banned for a while: it connects and goes too often");
  }
}

std::size_t connection::drop_what_is_not_allowed() {
  if (!asks_rules())
    return 0;
  return session_->drop_subscriptions(
    [this](std::string_view filter, protocol::qos qos) {
      const auto answer = may(
        {auth::action::subscribe, filter.substr(prefix_of(filter)), qos, false},
        false);
      // `later`: `on_decided` takes it away.
      return answer == auth::decision::deny;
    });
}

void connection::check_again(bool rules) {
  const caf::strong_actor_ptr keep{ctrl()};
  if (phase_ != phase::live) {
    check_due_ = true; // it may have been asked about already
    return;
  }
  auto& numbers = at().numbers();
  const auto& world = at().shared().options.world;
  if (const auto* ban = at().bans().find(identity(), world.wall_ms())) {
    count(numbers.ended_banned);
    close(reason_code::banned,
          ban->reason.empty() ? "banned" : "banned: " + ban->reason);
    return;
  }
  if (!rules)
    return;
  const auto& access = at().access();
  if (scope_.options().authentication && account_ && account_->by
      && account_->version != 0) {
    const auto& all = access.authenticators;
    const bool asked =
      std::find(all.begin(), all.end(), account_->by) != all.end();
    if (!asked
        || account_->by->version_of(user_name_ ? *user_name_ : std::string{})
             != account_->version) {
      count(numbers.ended_account);
      close(reason_code::not_authorized, "its account was changed");
      return;
    }
  }
  // Without authenticators it was taken by a name that nobody has verified.
  if (scope_.options().authentication && account_ && !account_->by
      && (!anonymous_allowed()
          || (user_name_ && !access.authenticators.empty()))) {
    count(numbers.ended_account);
    close(reason_code::not_authorized, "clients have to log in now");
    return;
  }
  if (drop_what_is_not_allowed() != 0) {
    count(numbers.ended_subscription);
    close(reason_code::not_authorized, subscription_lost);
  }
}

} // namespace troupe::actors
