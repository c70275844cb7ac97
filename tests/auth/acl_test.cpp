// Which rule fits, and what it says.

#include "auth/glob.hpp"
#include "tests/auth/acl_support.hpp"

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_CASE(the_first_rule_that_fits_decides) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = "a/b"
[[rule]]
permission = "allow"
topics = ["a/#", "b"]
[[rule]]
permission = "deny"
topics = "#"
)");
  const auto anybody = client("c");
  BOOST_TEST(answer(acl, anybody, publish("a/b")) == "deny");
  BOOST_TEST(answer(acl, anybody, publish("a/c")) == "allow");
  BOOST_TEST(answer(acl, anybody, publish("a")) == "allow");
  BOOST_TEST(answer(acl, anybody, publish("b")) == "allow");
  BOOST_TEST(answer(acl, anybody, publish("c")) == "deny");
  BOOST_TEST(answer(acl, anybody, publish("$SYS/x")) == "ignore");
  const auto found = acl.decide(anybody.view(), publish("a/c"));
  BOOST_REQUIRE(found.rule != nullptr);
  BOOST_TEST(found.rule->where == "acl.toml:5:1");
}

BOOST_AUTO_TEST_CASE(
  without_a_rule_that_fits_the_default_is_deny_once_there_are_rules) {
  BOOST_TEST(to_text(rules("").no_match()) == "ignore");
  BOOST_TEST(to_text(rules("no_match = \"allow\"").no_match()) == "allow");
  const std::string rule = "[[rule]]\npermission = \"allow\"\ntopics = \"a\"\n";
  BOOST_TEST(to_text(rules(rule).no_match()) == "deny");
  BOOST_TEST(to_text(rules("no_match = \"allow\"\n" + rule).no_match())
             == "allow");
}

BOOST_AUTO_TEST_CASE(a_subscription_is_allowed_only_when_all_of_it_is) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
topics = ["a/+/c", "d/#", "+/#"]
user = "all"
[[rule]]
permission = "allow"
topics = ["a/+/c", "d/#", "$x/+"]
)");
  const auto c = client("c");
  for (const auto* const filter :
       {"a/b/c", "a/+/c", "d", "d/+", "d/#", "d/+/#", "$x/+", "$x/a"})
    BOOST_TEST(answer(acl, c, subscribe(filter)) == "allow", filter);
  for (const auto* const filter :
       {"a/#", "a/+/+", "+/b/c", "#", "+/#", "$x/#", "+/a", "e", "a/+/c/#"})
    BOOST_TEST(answer(acl, c, subscribe(filter)) == "ignore", filter);
  // `+/#` has every topic that `#` has.
  BOOST_TEST(answer(acl, client("c", "all"), subscribe("#")) == "allow");
}

BOOST_AUTO_TEST_CASE(a_subscription_is_denied_when_any_of_it_is) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = ["a/secret", "b/+/x"]
[[rule]]
permission = "allow"
topics = ["#", "$SYS/#"]
)");
  const auto c = client("c");
  for (const auto* const filter :
       {"a/secret", "a/+", "a/#", "#", "+/+", "b/1/x", "b/#", "b/+/+", "+/+/x"})
    BOOST_TEST(answer(acl, c, subscribe(filter)) == "deny", filter);
  for (const auto* const filter : {"a", "+", "a/b/#", "b/+", "$SYS/#"})
    BOOST_TEST(answer(acl, c, subscribe(filter)) == "allow", filter);
}

BOOST_AUTO_TEST_CASE(
  mqtt5_4_7_2_1_wildcards_in_front_do_not_reach_dollar_topics) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
topics = ["#", "+/x"]
)");
  const auto c = client("c");
  BOOST_TEST(answer(acl, c, publish("$SYS/x")) == "ignore");
  BOOST_TEST(answer(acl, c, subscribe("$SYS/#")) == "ignore");
  BOOST_TEST(answer(acl, c, subscribe("$SYS/x")) == "ignore");
  BOOST_TEST(answer(acl, c, publish("a/$SYS")) == "allow");
}

BOOST_AUTO_TEST_CASE(literal_filters_compare_the_text) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = [{ eq = "#" }, { eq = "+/${clientid}/#" }]
[[rule]]
permission = "allow"
topics = ["#", { eq = "$SYS/#" }]
)");
  const auto c = client("c");
  BOOST_TEST(answer(acl, c, subscribe("#")) == "deny");
  BOOST_TEST(answer(acl, c, subscribe("+/c/#")) == "deny");
  BOOST_TEST(answer(acl, c, subscribe("+/#")) == "allow");
  BOOST_TEST(answer(acl, c, subscribe("+/d/#")) == "allow");
  BOOST_TEST(answer(acl, c, publish("x/c/y")) == "allow");
  BOOST_TEST(answer(acl, c, subscribe("$SYS/#")) == "allow");
  BOOST_TEST(answer(acl, c, subscribe("$SYS/x")) == "ignore");
}

BOOST_AUTO_TEST_CASE(actions_qos_and_retain_narrow_a_rule) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
action = "publish"
retain = true
topics = "a"
[[rule]]
permission = "deny"
action = "subscribe"
qos = 2
topics = "a"
[[rule]]
permission = "allow"
qos = [0, 2]
topics = "a"
)");
  const auto c = client("c");
  auto what = publish("a");
  BOOST_TEST(answer(acl, c, what) == "allow");
  what.retain = true;
  BOOST_TEST(answer(acl, c, what) == "deny");
  what = publish("a");
  what.qos = protocol::qos::at_least_once;
  BOOST_TEST(answer(acl, c, what) == "ignore");
  what.qos = protocol::qos::exactly_once;
  BOOST_TEST(answer(acl, c, what) == "allow");
  what = subscribe("a");
  BOOST_TEST(answer(acl, c, what) == "allow");
  what.qos = protocol::qos::exactly_once;
  BOOST_TEST(answer(acl, c, what) == "deny");
}

BOOST_AUTO_TEST_CASE(all_conditions_about_the_client_must_hold) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
user = ["u", "v"]
client = ["c", "d"]
topics = "both"
[[rule]]
permission = "allow"
client = "c"
address = ["10.0.0.0/8", "fd00::/8", "192.168.1.1"]
listener = "tcp:default"
topics = "net"
[[rule]]
permission = "allow"
user_pattern = "atm-*"
client_pattern = ["?-*", "x"]
topics = "pattern"
)");
  BOOST_TEST(answer(acl, client("c", "u"), publish("both")) == "allow");
  BOOST_TEST(answer(acl, client("d", "v"), publish("both")) == "allow");
  BOOST_TEST(answer(acl, client("e", "u"), publish("both")) == "ignore");
  BOOST_TEST(answer(acl, client("c", "w"), publish("both")) == "ignore");
  BOOST_TEST(answer(acl, client("c"), publish("both")) == "ignore");
  BOOST_TEST(answer(acl, client("c"), publish("net")) == "allow");
  for (const auto* const peer :
       {"[fd12::1]:1", "192.168.1.1:1", "[::ffff:10.255.0.1]:9"})
    BOOST_TEST(answer(acl, client("c", "u", peer), publish("net")) == "allow",
               peer);
  for (const auto* const peer :
       {"11.0.0.1:1", "192.168.1.2:1", "[fe80::1]:1", "[a00::1]:1"})
    BOOST_TEST(answer(acl, client("c", "u", peer), publish("net")) == "ignore",
               peer);
  auto other = client("c");
  other.listener = "ssl:default";
  BOOST_TEST(answer(acl, other, publish("net")) == "ignore");
  BOOST_TEST(answer(acl, client("1-2", "atm-7"), publish("pattern"))
             == "allow");
  BOOST_TEST(answer(acl, client("x", "atm-"), publish("pattern")) == "allow");
  BOOST_TEST(answer(acl, client("12", "atm-7"), publish("pattern"))
             == "ignore");
  BOOST_TEST(answer(acl, client("1-2", "atm"), publish("pattern")) == "ignore");
  BOOST_TEST(answer(acl, client("1-2"), publish("pattern")) == "ignore");
}

BOOST_AUTO_TEST_CASE(a_pattern_for_users_never_fits_who_has_no_user_name) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
user_pattern = "*"
topics = "#"
)");
  BOOST_TEST(answer(acl, client("c"), publish("a")) == "ignore");
  BOOST_TEST(answer(acl, client("c", ""), publish("a")) == "allow");
}

BOOST_AUTO_TEST_CASE(placeholders_stand_for_what_is_known_of_the_client) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
topics = ["c/${clientid}/#", "u-${username}-x/${clientid}",
  "cn/${cert_common_name}", "cs/${cert_subject}", "p/${peerhost}",
  "${listener}/+"]
)");
  auto c = client("7", "bob");
  BOOST_TEST(answer(acl, c, publish("c/7/x")) == "allow");
  BOOST_TEST(answer(acl, c, publish("c/8/x")) == "ignore");
  BOOST_TEST(answer(acl, c, subscribe("c/7/#")) == "allow");
  BOOST_TEST(answer(acl, c, subscribe("c/+/#")) == "ignore");
  BOOST_TEST(answer(acl, c, publish("u-bob-x/7")) == "allow");
  BOOST_TEST(answer(acl, c, publish("u-bo-x/7")) == "ignore");
  BOOST_TEST(answer(acl, c, publish("p/10.1.2.3")) == "allow");
  BOOST_TEST(answer(acl, c, publish("tcp:default/x")) == "allow");
  BOOST_TEST(answer(acl, c, publish("cn/n")) == "ignore");
  c.tls = auth::certificate{"CN=n,O=B", "n", "00"};
  BOOST_TEST(answer(acl, c, publish("cn/n")) == "allow");
  BOOST_TEST(answer(acl, c, publish("cs/CN=n,O=B")) == "allow");
}

BOOST_AUTO_TEST_CASE(a_name_with_wildcards_gains_nothing_from_an_allow_rule) {
  const auto acl = rules(R"(
[[rule]]
permission = "allow"
topics = ["${clientid}/#", "x/${clientid}", { eq = "y/${clientid}" },
  { eq = "z/${clientid}/#" }]
)");
  for (const auto* const id : {"+", "#", "a/b", "a+", "", "$SYS", "a/#"}) {
    const auto c = client(id);
    for (const std::string before : {"", "x/", "y/", "z/"}) {
      if (std::string_view{id} == "$SYS" && !before.empty())
        continue; // a `$` is one like others behind the first level
      const auto name = before + id;
      const auto filter = name + "/#";
      for (const auto what :
           {subscribe(filter), subscribe(name), subscribe("+/#"),
            subscribe("#"), publish("x/a"), publish("a/b"), publish("a/b/c"),
            publish("x/a/b"), publish("/a"), publish("x/"), publish("$SYS/a"),
            subscribe("y/+"), subscribe("y/#"), subscribe("$SYS/#")})
        if (!what.topic.empty())
          BOOST_TEST(answer(acl, c, what) == "ignore",
                     id << " and " << what.topic);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_name_with_wildcards_does_not_slip_through_a_deny_rule) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = ["private/${clientid}/log", { eq = "logs/${username}/#" }]
[[rule]]
permission = "allow"
topics = "#"
)");
  auto c = client("7", "u");
  BOOST_TEST(answer(acl, c, publish("private/7/log")) == "deny");
  BOOST_TEST(answer(acl, c, publish("private/8/log")) == "allow");
  BOOST_TEST(answer(acl, c, subscribe("logs/u/#")) == "deny");
  BOOST_TEST(answer(acl, c, subscribe("logs/v/#")) == "allow");
  for (const auto* const id : {"+", "#", "a/b", "", "+a"}) {
    c = client(id, id);
    for (const auto* const topic :
         {"private/7/log", "private/a/b/log", "private//log", "logs/u/x"})
      BOOST_TEST(answer(acl, c, publish(topic)) == "deny",
                 id << " and " << topic);
    for (const auto* const filter :
         {"private/+/log", "private/#", "#", "logs/+/#", "logs/a/b/#"})
      BOOST_TEST(answer(acl, c, subscribe(filter)) == "deny",
                 id << " and " << filter);
    BOOST_TEST(answer(acl, c, publish("private")) == "allow", id);
    BOOST_TEST(answer(acl, c, publish("public/x")) == "allow", id);
  }
}

BOOST_AUTO_TEST_CASE(
  a_first_level_from_the_client_does_not_reach_dollar_topics) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = "${clientid}/x"
[[rule]]
permission = "allow"
topics = ["$SYS/#", "#"]
)");
  // What he may not have is not known, so it may be all.
  BOOST_TEST(answer(acl, client("$SYS"), publish("$SYS/x")) == "deny");
  BOOST_TEST(answer(acl, client("$SYS"), publish("a")) == "deny");
  BOOST_TEST(answer(acl, client("a"), publish("$SYS/x")) == "allow");
  BOOST_TEST(answer(acl, client("a"), publish("a/x")) == "deny");
}

BOOST_AUTO_TEST_CASE(
  rules_of_users_clients_and_everybody_keep_the_order_of_the_file) {
  const auto acl = rules(R"(
[[rule]]
permission = "deny"
topics = "1"
[[rule]]
permission = "allow"
user = "u"
topics = ["1", "2", "3"]
[[rule]]
permission = "deny"
client = "c"
topics = ["2", "3", "4"]
[[rule]]
permission = "allow"
topics = ["4", "5"]
)");
  const auto c = client("c", "u");
  BOOST_TEST(answer(acl, c, publish("1")) == "deny");
  BOOST_TEST(answer(acl, c, publish("2")) == "allow");
  BOOST_TEST(answer(acl, c, publish("4")) == "deny");
  BOOST_TEST(answer(acl, c, publish("5")) == "allow");
  BOOST_TEST(answer(acl, client("c"), publish("3")) == "deny");
  BOOST_TEST(answer(acl, client("d"), publish("3")) == "ignore");
}

BOOST_AUTO_TEST_CASE(patterns_match_whole_names) {
  const auto matches = auth::glob_matches;
  BOOST_TEST(matches("", ""));
  BOOST_TEST(!matches("", "a"));
  BOOST_TEST(matches("*", ""));
  BOOST_TEST(matches("**", "abc"));
  BOOST_TEST(matches("a*c", "abcbc"));
  BOOST_TEST(!matches("a*c", "abcb"));
  BOOST_TEST(matches("*ab*ab", "abxabab"));
  BOOST_TEST(!matches("*ab*ab", "ab"));
  BOOST_TEST(matches("a?c", "abc"));
  BOOST_TEST(!matches("a?c", "ac"));
  BOOST_TEST(matches("?", "ä"));
  BOOST_TEST(matches("*ä?", "xäß"));
  BOOST_TEST(!matches("?", ""));
  BOOST_TEST(matches("[a]\\*", "[a]\\b"));
  const std::string many(20'000, 'a');
  BOOST_TEST(!matches("*a*a*a*a*a*a*a*a*b", many));
}

BOOST_AUTO_TEST_CASE(networks_say_what_is_wrong_with_them) {
  const auto wrong = [](std::string_view text) {
    const auto read = auth::network::parse(text);
    return read.index() == 1 ? std::get<1>(read) : std::string{};
  };
  for (const auto* const good : {"0.0.0.0/0", "::/0", "10.1.2.3", "10.0.0.0/8",
                                 "::1/128", "::ffff:10.0.0.0/104", "fd00::/8"})
    BOOST_TEST(wrong(good) == "", good);
  BOOST_TEST(wrong("10.0.0.1/8")
             == "\"10.0.0.1/8\" has bits set behind its prefix: write "
                "\"10.0.0.0/8\" for the network, or the address alone");
  for (const auto* const bad :
       {"", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129",
        "10.0.0.0/8/8", "host", "::ffff:10.0.0.0/90", "10.0.0.0/+8",
        "fe80::1%x"})
    BOOST_TEST(wrong(bad) != "", bad);
  const auto all_v4 = std::get<0>(auth::network::parse("0.0.0.0/0"));
  const auto all_v6 = std::get<0>(auth::network::parse("::/0"));
  const auto v4 = auth::address::parse("::ffff:1.2.3.4").value();
  BOOST_TEST(v4.to_string() == "1.2.3.4");
  BOOST_TEST(all_v4.contains(v4));
  BOOST_TEST(!all_v6.contains(v4));
  BOOST_TEST(!all_v4.contains(auth::address::parse("::1").value()));
}
