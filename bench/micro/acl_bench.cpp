// What a question about access costs: rules, the cache before them, bans.

#include "auth/acl.hpp"
#include "auth/acl_authorizer.hpp"
#include "auth/authorization_chain.hpp"
#include "auth/ban_list.hpp"
#include "auth/decision_cache.hpp"
#include "auth/token_bucket.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace troupe;

constexpr int rule_count = 10'000;

std::string number(int i) { return std::to_string(100'000 + i); }

auth::acl parsed(const std::string& text) {
  auto read = auth::acl::parse(text, "bench");
  if (read.index() == 1) {
    std::cerr << std::get<1>(read)[0].where << ' ' << std::get<1>(read)[0].text
              << '\n';
    std::abort();
  }
  return std::move(std::get<0>(read));
}

std::string rule(const std::string& more, const std::string& topic,
                 const char* permission = "allow") {
  return std::string{"[[rule]]\npermission = \""} + permission + "\"\n" + more
         + "topics = [\"" + topic + "\"]\n";
}

/// A rule for each of many users, with placeholders.
std::string per_user() {
  std::string text;
  for (int i = 0; i != rule_count; ++i)
    text += rule("user = \"user-" + number(i) + "\"\n",
                 "bank/${clientid}/outlet/" + number(i) + "/#");
  return text;
}

/// A rule for each of many topics, for everybody; some have placeholders.
std::string per_topic() {
  std::string text;
  for (int i = 0; i != rule_count; ++i)
    text += rule("", "bank/" + number(i) + "/+/${clientid}/#",
                 i % 10 == 0 ? "deny" : "allow");
  return text + rule("", "bank/${clientid}/#");
}

/// The worst: all about the same topic, told apart by the client alone.
std::string per_address() {
  std::string text;
  for (int i = 0; i != rule_count; ++i)
    text += rule("address = \"10." + std::to_string(i / 250 + 1) + "."
                   + std::to_string(i % 250) + ".0/24\"\n",
                 "bank/#");
  return text;
}

struct asking {
  auth::client_facts facts;
  std::string topic;
  auth::request what;

  asking(int i, std::string of, auth::action action = auth::action::publish)
    : topic{std::move(of)} {
    facts.client_id = "atm-" + number(i);
    facts.user_name = "user-" + number(i);
    facts.peer = net::endpoint::parse("192.168.1.1:1000").value();
    facts.listener = "tcp:default";
    what.what = action;
    what.topic = topic;
  }
};

/// Many clients in turn, so that not one path is in the caches alone.
template <class Make>
void decide(benchmark::State& state, const std::string& text, Make&& make) {
  const auto rules = parsed(text);
  std::vector<asking> all;
  all.reserve(1'000);
  for (int i = 0; i != 1'000; ++i)
    all.push_back(make(i * 7 % rule_count));
  for (auto& one : all)
    one.what.topic = one.topic;
  std::size_t at = 0;
  std::size_t allowed = 0;
  for ([[maybe_unused]] auto _ : state) {
    const auto& one = all[at];
    at = at + 1 == all.size() ? 0 : at + 1;
    const auto found = rules.decide(one.facts.view(), one.what);
    allowed += found.what == auth::decision::allow ? 1U : 0U;
    benchmark::DoNotOptimize(allowed);
  }
  state.counters["allowed"] =
    static_cast<double>(allowed) / static_cast<double>(state.iterations());
}

void acl_10000_users_publish(benchmark::State& state) {
  decide(state, per_user(), [](int i) {
    return asking{i, "bank/atm-" + number(i) + "/outlet/" + number(i)
                       + "/cash/state"};
  });
}
BENCHMARK(acl_10000_users_publish);

void acl_10000_users_subscribe(benchmark::State& state) {
  decide(state, per_user(), [](int i) {
    return asking{i,
                  "bank/atm-" + number(i) + "/outlet/" + number(i) + "/+/state",
                  auth::action::subscribe};
  });
}
BENCHMARK(acl_10000_users_subscribe);

void acl_10000_users_refused(benchmark::State& state) {
  decide(state, per_user(), [](int i) {
    return asking{i, "bank/atm-7/outlet/" + number(i) + "/cash/state"};
  });
}
BENCHMARK(acl_10000_users_refused);

void acl_10000_topics_publish(benchmark::State& state) {
  decide(state, per_topic(), [](int i) {
    return asking{i, "bank/" + number(i) + "/cash/atm-" + number(i) + "/x"};
  });
}
BENCHMARK(acl_10000_topics_publish);

void acl_10000_topics_last_rule(benchmark::State& state) {
  decide(state, per_topic(), [](int i) {
    return asking{i, "bank/atm-" + number(i) + "/cash/state"};
  });
}
BENCHMARK(acl_10000_topics_last_rule);

void acl_10000_topics_subscribe_all(benchmark::State& state) {
  decide(state, per_topic(), [](int i) {
    return asking{i, "bank/#", auth::action::subscribe};
  });
}
BENCHMARK(acl_10000_topics_subscribe_all);

/// Nothing of what he asks is denied, and no rule says so before the end.
void acl_10000_topics_subscribe_widest(benchmark::State& state) {
  std::string text;
  for (int i = 0; i != rule_count; ++i)
    text += rule("", "bank/" + number(i) + "/x", "deny");
  decide(state, text + rule("", "#"), [](int i) {
    return asking{i, "bank/+/y", auth::action::subscribe};
  });
}
BENCHMARK(acl_10000_topics_subscribe_widest);

void acl_10000_addresses_refused(benchmark::State& state) {
  decide(state, per_address(), [](int i) { return asking{i, "bank/x"}; });
}
BENCHMARK(acl_10000_addresses_refused);

void acl_through_the_chain(benchmark::State& state) {
  const auto rules = std::make_shared<const auth::acl>(parsed(per_user()));
  const auth::authorization_chain chain{
    {std::make_shared<auth::acl_authorizer>(rules,
                                            auth::acl_authorizer::options{})},
    {}};
  const asking one{5, "bank/atm-100005/outlet/100005/cash/state"};
  const auto who = one.facts.view();
  for ([[maybe_unused]] auto _ : state) {
    auto said = chain.authorize(who, false, one.what, {});
    benchmark::DoNotOptimize(said);
  }
}
BENCHMARK(acl_through_the_chain);

void acl_parse_10000(benchmark::State& state) {
  const auto text = per_user();
  for ([[maybe_unused]] auto _ : state) {
    auto rules = parsed(text);
    benchmark::DoNotOptimize(rules);
  }
}
BENCHMARK(acl_parse_10000)->Unit(benchmark::kMillisecond);

/// A client that publishes to `state.range(0)` topics in turn.
void cache_hit(benchmark::State& state) {
  const auth::decision_cache::options how;
  auth::decision_cache cache{how};
  const auth::decision_cache::clock::time_point now{std::chrono::hours{1}};
  std::vector<std::string> topics;
  for (int i = 0; i != state.range(0); ++i)
    topics.push_back("bank/37/outlet/" + number(i) + "/cash/state");
  for (const auto& topic : topics)
    cache.store({auth::action::publish, topic}, auth::decision::allow, 1, true,
                now);
  std::size_t at = 0;
  for ([[maybe_unused]] auto _ : state) {
    auto found = cache.find({auth::action::publish, topics[at]}, 1, now);
    benchmark::DoNotOptimize(found);
    if (!found)
      state.SkipWithError("not found");
    at = at + 1 == topics.size() ? 0 : at + 1;
  }
}
BENCHMARK(cache_hit)->Arg(1)->Arg(2)->Arg(8)->Arg(32);

void bans_find_none(benchmark::State& state) {
  auth::ban_table table{{.bans_max = 100'000'000}};
  for (int i = 0; i != state.range(0); ++i) {
    auth::ban b;
    b.who = "evil-" + number(i);
    if (!table.add(b).empty())
      std::abort();
  }
  for (const auto* const net :
       {"172.16.0.0/12", "100.64.0.0/10", "11.1.0.0/16"}) {
    auth::ban b;
    b.as = auth::ban_kind::peerhost_net;
    b.who = net;
    if (!table.add(b).empty())
      std::abort();
  }
  for (int i = 0; i != state.range(1); ++i) {
    auth::ban b;
    b.as = auth::ban_kind::clientid_re;
    b.who = "^bot-.*-" + number(i);
    if (!table.add(b).empty())
      std::abort();
  }
  const auto list = table.snapshot();
  const asking one{5, "x"};
  const auto who = one.facts.view();
  for ([[maybe_unused]] auto _ : state) {
    const auto* found = list->find(who, 0);
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK(bans_find_none)
  ->Args({0, 0})
  ->Args({100'000, 0})
  ->Args({1'000'000, 0})
  ->Args({0, 10})
  ->Args({0, 1'000});

/// One more ban, and the list of all for the reactors.
void bans_add_and_list(benchmark::State& state) {
  auth::ban_table table{{.bans_max = 100'000'000}};
  int next = 0;
  const auto add = [&] {
    auth::ban b;
    b.who = "evil-" + std::to_string(next++);
    if (!table.add(b).empty())
      std::abort();
  };
  while (next != state.range(0))
    add();
  for ([[maybe_unused]] auto _ : state) {
    add();
    auto list = table.snapshot();
    benchmark::DoNotOptimize(list);
  }
}
BENCHMARK(bans_add_and_list)->Arg(1'000)->Arg(1'000'000);

void bucket_take(benchmark::State& state) {
  auth::token_bucket::time_point now{std::chrono::hours{1}};
  auth::token_bucket bucket{{1'000'000, std::chrono::seconds{1}}, now};
  for ([[maybe_unused]] auto _ : state) {
    now += std::chrono::nanoseconds{1'000};
    benchmark::DoNotOptimize(bucket);
    auto taken = bucket.take(1, now);
    benchmark::DoNotOptimize(taken);
  }
}
BENCHMARK(bucket_take);

} // namespace
