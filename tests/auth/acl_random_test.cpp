// Random rules against what section 4.7 says of each single topic.

#include "tests/auth/acl_support.hpp"
#include "tests/support/seed.hpp"

#include <algorithm>
#include <random>

using namespace troupe;
using namespace troupe::test;

namespace {

using levels = std::vector<std::string>;

levels split(const std::string& text) {
  levels out{""};
  for (const char c : text)
    if (c == '/')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

bool matches(const levels& filter, const levels& topic) {
  if (topic[0].starts_with('$') && (filter[0] == "+" || filter[0] == "#"))
    return false;
  for (std::size_t i = 0; i != filter.size(); ++i) {
    if (filter[i] == "#")
      return topic.size() >= i;
    if (i >= topic.size() || (filter[i] != "+" && filter[i] != topic[i]))
      return false;
  }
  return filter.size() == topic.size();
}

/// All topics of one to four levels; no filter below has `z` in it, which so
/// stands for all that no filter names, and none has more than three levels.
/// The empty one is among them, which no client can use: `/#` and `+` have only
/// that in common, and the rules take the side of denying there.
const std::vector<levels>& all_topics() {
  static const auto all = [] {
    std::vector<levels> made;
    std::vector<levels> longer{{}};
    for (int depth = 0; depth != 4; ++depth) {
      std::vector<levels> next;
      for (const auto& one : longer)
        for (const auto* const level : {"a", "b", "z", "", "$s"}) {
          next.push_back(one);
          next.back().emplace_back(level);
        }
      made.insert(made.end(), next.begin(), next.end());
      longer = std::move(next);
    }
    return made;
  }();
  return all;
}

std::string random_filter(std::mt19937& random, bool wildcards) {
  const auto count = 1 + random() % 3;
  std::string text;
  for (unsigned i = 0; i != count; ++i) {
    if (i != 0)
      text += '/';
    const auto pick = random() % (wildcards ? 9 : 5);
    if (pick == 8) {
      text += '#';
      break;
    }
    const char* const parts[] = {"a", "b", "a", "", "$s", "+", "+", "+"};
    text += parts[pick];
  }
  return text.empty() ? "a" : text;
}

struct plain_rule {
  bool allow = false;
  bool literal = false;
  std::string filter;
  std::string user; ///< empty: everybody
  std::string client;
};

/// What all the trees are for, the slow way.
bool fits(const plain_rule& rule, const std::string& asked, bool is_filter) {
  if (rule.literal)
    return rule.filter == asked;
  const auto of_rule = split(rule.filter);
  const auto wanted = split(asked);
  if (!is_filter)
    return matches(of_rule, wanted);
  bool any = false;
  for (const auto& topic : all_topics()) {
    if (!matches(wanted, topic))
      continue;
    const bool matched = matches(of_rule, topic);
    if (rule.allow && !matched)
      return false;
    any = any || matched;
  }
  return any;
}

/// Puts a placeholder where a level is the client's id ("a") or user ("b").
std::string with_placeholders(const std::string& filter, std::mt19937& random) {
  std::string made;
  for (const auto& level : split(filter)) {
    made += '/';
    const bool put = random() % 2 == 0;
    made += put && level == "a"   ? "${clientid}"
            : put && level == "b" ? "${username}"
                                  : level;
  }
  return made.substr(1);
}

} // namespace

BOOST_AUTO_TEST_CASE(one_rule_covers_and_overlaps_what_its_topics_say) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE(say_seed(seed));
  std::mt19937 random{seed};
  const auto who = client("a", "b");
  for (int i = 0; i != 60'000; ++i) {
    plain_rule rule;
    rule.allow = random() % 2 == 0;
    rule.filter = random_filter(random, true);
    const auto asked = random_filter(random, true);
    auto read =
      auth::rule_filter::parse(with_placeholders(rule.filter, random), false);
    BOOST_REQUIRE(read.index() == 0);
    std::vector<auth::acl_rule> one(1);
    one[0].allow = rule.allow;
    one[0].topics.push_back(std::get<0>(read));
    const auth::acl acl{one, std::nullopt};
    const auto found = acl.decide(who.view(), subscribe(asked)).rule != nullptr;
    BOOST_REQUIRE_MESSAGE(found == fits(rule, asked, true),
                          (rule.allow ? "allow " : "deny ")
                            << rule.filter << " asked " << asked << ' '
                            << say_seed(seed));
  }
}

BOOST_AUTO_TEST_CASE(many_rules_decide_as_the_first_that_fits) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE(say_seed(seed));
  std::mt19937 random{seed};
  const auto who = client("a", "b");
  for (int i = 0; i != 3'000; ++i) {
    std::vector<plain_rule> plain(1 + random() % 12);
    std::vector<auth::acl_rule> compiled;
    for (auto& rule : plain) {
      rule.allow = random() % 2 == 0;
      rule.literal = random() % 6 == 0;
      rule.filter = random_filter(random, true);
      const char* const users[] = {"", "", "b", "x"};
      const char* const clients[] = {"", "", "a", "x"};
      rule.user = users[random() % 4];
      rule.client = clients[random() % 4];
      auto& r = compiled.emplace_back();
      r.allow = rule.allow;
      if (!rule.user.empty())
        r.users.push_back(rule.user);
      if (!rule.client.empty())
        r.clients.push_back(rule.client);
      r.topics.push_back(std::get<0>(auth::rule_filter::parse(
        with_placeholders(rule.filter, random), rule.literal)));
    }
    const auth::acl acl{compiled, std::nullopt};
    for (int j = 0; j != 15; ++j) {
      const bool is_filter = random() % 2 == 0;
      const auto asked = random_filter(random, is_filter);
      const auto first =
        std::find_if(plain.begin(), plain.end(), [&](const auto& rule) {
          return (rule.user.empty() || rule.user == "b")
                 && (rule.client.empty() || rule.client == "a")
                 && fits(rule, asked, is_filter);
        });
      const auto found =
        acl.decide(who.view(), is_filter ? subscribe(asked) : publish(asked));
      const auto index =
        found.rule == nullptr
          ? plain.size()
          : static_cast<std::size_t>(found.rule - acl.rules().data());
      BOOST_REQUIRE_MESSAGE(
        index == static_cast<std::size_t>(first - plain.begin()),
        "asked " << asked << ": rule " << index << ", expected "
                 << first - plain.begin() << ' ' << say_seed(seed));
    }
  }
}
