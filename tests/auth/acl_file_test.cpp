// What is said of files with mistakes.

#include "tests/auth/acl_support.hpp"

using namespace troupe::test;

BOOST_AUTO_TEST_CASE(all_mistakes_are_named_at_once_with_their_places) {
  BOOST_TEST(problems_of(R"(no_match = "maybe"
user = "a"
[[rule]]
permission = "alow"
action = "pub"
qos = [0, 3, "1"]
retain = "yes"
topics = ["a/#/b", "a+", "", "${user}/x", "${clientid", 5, "ok"]
[[rule]]
retain = true
usr = "x"
clientid = "y"
user = []
client = ["", "a*", "${username}"]
address = ["10.0.0.0/33", 7]
listener = ["ssl:default", "default"]
[[rule]]
permission = "deny"
topics = [{ eq = "a/+/b" }, { neq = "x" }, "eq a/b", "$share/g/a"]
)") == R"(acl.toml:1:12: no_match is "allow" or "deny", not "maybe"
acl.toml:2:1: "user" is not known here: a file has no_match and [[rule]] tables; write this one below a line [[rule]]
acl.toml:4:14: permission is "allow" or "deny", not "alow"
acl.toml:5:10: action is "publish", "subscribe" or "all", not "pub"
acl.toml:6:11: qos is 0, 1 or 2, or a list of these, not 3
acl.toml:6:14: qos is 0, 1 or 2, or a list of these, not "1"
acl.toml:7:10: retain is true or false, not "yes"
acl.toml:8:11: filter "a/#/b" is no filter: # stands only at the end
acl.toml:8:20: filter "a+" is no filter: + and # are levels of their own, as in a/+/b/#
acl.toml:8:26: filter "" is empty: write "#" for all topics
acl.toml:8:30: filter "${user}/x" is no filter: there is no placeholder ${user}: the placeholders are ${clientid}, ${username}, ${cert_common_name}, ${cert_subject}, ${peerhost}, ${listener}
acl.toml:8:43: filter "${clientid" is no filter: a placeholder lacks its closing brace: write ${clientid}, in one level
acl.toml:8:57: topics are texts, or { eq = "…" } for literal ones, not 5
acl.toml:9:1: this rule does not say what it does: add permission = "allow" or "deny"
acl.toml:9:1: this rule names no topics: add topics = ["…"], or ["#"] for all
acl.toml:10:10: retain is about publications alone: add action = "publish" to this rule
acl.toml:11:1: "usr" is not known in a rule: there are permission, action, qos, retain, user, client, user_pattern, client_pattern, address, listener, topics
acl.toml:12:1: "clientid" is not known in a rule; did you mean client?
acl.toml:13:8: user is an empty list, which would match nothing: name something, or leave it out
acl.toml:14:11: client is empty: nothing has this name
acl.toml:14:15: client "a*" holds a *, which means itself here: write client_pattern for a pattern
acl.toml:14:21: client "${username}" holds a placeholder: these stand in topics alone
acl.toml:15:12: address "10.0.0.0/33" has no usable prefix length: expected 0 to 32 behind the slash
acl.toml:15:27: address is a text or a list of texts, not 7
acl.toml:16:28: listener "default" has no kind: write it as troupe ctl listeners list does, such as tcp:default
acl.toml:19:29: topics are texts, or { eq = "…" } for literal ones, not another table
acl.toml:19:44: filter "eq a/b" begins with "eq ": write { eq = "a/b" } for a literal one
acl.toml:19:54: filter "$share/g/a" begins with $share/: rules are asked for the filter that is inside, so write that
)");
}

BOOST_AUTO_TEST_CASE(a_mistake_in_the_toml_itself_is_placed) {
  const auto text = problems_of("[[rule]]\ntopics = [\"a\"\nx = 1\n");
  BOOST_TEST(text.starts_with("acl.toml:3:1: "), text);
  BOOST_TEST(problems_of("[rule]\npermission = \"allow\"\n")
             == "acl.toml:1:2: rules are a list: write [[rule]] with two "
                "brackets on each side\n");
  BOOST_TEST(problems_of("rule = [1]\n")
             == "acl.toml:1:9: a rule is a table, not 1: write it below a line "
                "[[rule]]\n");
}

BOOST_AUTO_TEST_CASE(a_key_of_thousands_of_parts_is_refused) {
  std::string deep = "a";
  for (int i = 0; i != 20'000; ++i)
    deep += ".a";
  BOOST_TEST(problems_of("\n" + deep + " = 1\n").starts_with("acl.toml:2:1: "));
  // Dots in texts are none of a key.
  std::string many = "[[rule]]\npermission = 'allow'\ntopics = [";
  for (int i = 0; i != 100; ++i)
    many += "\"a.b\", 'c.d', ";
  BOOST_TEST(problems_of(many + "]\naddress = \"10.0.0.1\" # a.b\n") == "");
}

BOOST_AUTO_TEST_CASE(filters_deeper_than_the_limit_are_refused) {
  std::string filter = "a";
  for (int i = 0; i != 127; ++i)
    filter += "/a";
  const auto file = [](const std::string& topic) {
    return "[[rule]]\npermission = \"deny\"\ntopics = \"" + topic + "\"\n";
  };
  BOOST_TEST(problems_of(file(filter)) == "");
  BOOST_TEST(problems_of(file(filter + "/a"))
               .find("has more than 128 levels: end it earlier, with #")
             != std::string::npos);
  BOOST_TEST(answer(rules(file(filter)), client("c"), publish(filter))
             == "deny");
}

BOOST_AUTO_TEST_CASE(names_times_filters_are_bounded) {
  std::string names;
  std::string topics;
  for (int i = 0; i != 2'001; ++i) {
    names += "\"" + std::to_string(i) + "\",";
    topics += "\"" + std::to_string(i) + "\",";
  }
  const auto text = problems_of("[[rule]]\npermission = \"deny\"\nuser = ["
                                + names + "]\ntopics = [" + topics + "]\n");
  BOOST_TEST(text.starts_with("acl.toml:1:1: the rules up to here have more "
                              "than 4000000 filters"),
             text);
}
