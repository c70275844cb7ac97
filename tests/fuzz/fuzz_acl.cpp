// Any text as an ACL file, and any question to what it says. The input's lines
// that begin with `!` say who asks and for what; the others are the file.

#include "auth/acl.hpp"
#include "protocol/topic.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <variant>

namespace {

using namespace troupe;

/// Stops the fuzzer: the property named does not hold.
[[noreturn]] void broken(std::string_view property) {
  std::cerr << property << "\n";
  std::abort();
}

/// Of who is allowed a filter, asks for each of these that the filter matches:
/// unless an earlier rule denies it, a topic of it is allowed as well.
void check_topics(const auth::acl& rules, const auth::identity& who,
                  const std::string& filter) {
  for (const std::string_view topic :
       {"a", "a/b", "a/b/c", "x/7/y", "$SYS/a"}) {
    if (!protocol::matches(filter, topic))
      continue;
    const auth::request one{auth::action::subscribe, topic};
    if (rules.decide(who, one).what == auth::decision::deny)
      broken("a subscription has a topic in it that is denied");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  auth::client_facts who;
  who.client_id = "7";
  who.peer = net::endpoint::parse("10.0.0.1:1").value();
  who.listener = "tcp:default";
  std::string topic = "a/b";
  std::string file;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  for (int asked = 0; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.starts_with('!'))
      file.append(line).append("\n");
    else if (asked++ == 0)
      topic = line.substr(1);
    else if (asked == 2)
      who.client_id = line.substr(1);
    else
      who.user_name.emplace(line.substr(1));
  }
  const auto read = auth::acl::parse(file, "fuzz.toml");
  if (const auto* const problems = std::get_if<1>(&read)) {
    if (problems->empty())
      broken("neither rules nor problems");
    for (const auto& p : *problems)
      if (p.where.empty() || p.text.empty())
        broken("a problem says where and what");
    return 0;
  }
  const auto& rules = std::get<0>(read);
  if (!protocol::is_valid_topic_filter(topic))
    return 0;
  const auto identity = who.view();
  if (!protocol::has_wildcard(topic)) {
    auth::request name{auth::action::publish, topic};
    for (const bool retain : {false, true}) {
      name.retain = retain;
      rules.decide(identity, name);
    }
  }
  const auto found = rules.decide(identity, {auth::action::subscribe, topic});
  if ((found.rule == nullptr) != (found.what == auth::decision::ignore))
    broken("a decision has a rule");
  if (found.what == auth::decision::allow && protocol::has_wildcard(topic)) {
    const bool literal = std::any_of(
      rules.rules().begin(), rules.rules().end(), [](const auto& r) {
        return std::any_of(r.topics.begin(), r.topics.end(),
                           [](const auto& f) { return f.literal; });
      });
    if (!literal) // these say nothing of the topics in a filter
      check_topics(rules, identity, topic);
  }
  return 0;
}
