#pragma once
// Clients and questions for tests of rules.

#include "auth/acl.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::test {

inline auth::client_facts client(std::string id,
                                 std::optional<std::string> user = std::nullopt,
                                 std::string_view peer = "10.1.2.3:4000") {
  auth::client_facts x;
  x.client_id = std::move(id);
  x.user_name = std::move(user);
  x.peer = net::endpoint::parse(peer).value();
  x.listener = "tcp:default";
  return x;
}

inline auth::request publish(std::string_view topic) {
  return {auth::action::publish, topic};
}

inline auth::request subscribe(std::string_view filter) {
  return {auth::action::subscribe, filter};
}

/// The rules in `text`; a mistake in them fails the test.
inline auth::acl rules(std::string_view text) {
  auto read = auth::acl::parse(text, "acl.toml");
  if (auto* const problems = std::get_if<1>(&read)) {
    for (const auto& p : *problems)
      BOOST_ERROR(p.where << ": " << p.text);
    return {};
  }
  return std::move(std::get<0>(read));
}

/// "allow", "deny" or "ignore".
inline std::string_view to_text(auth::decision d) {
  switch (d) {
  case auth::decision::ignore:
    return "ignore";
  case auth::decision::allow:
    return "allow";
  case auth::decision::deny:
    return "deny";
  case auth::decision::later:
    break;
  }
  return "later";
}

inline std::string_view answer(const auth::acl& of,
                               const auth::client_facts& who,
                               const auth::request& what) {
  return to_text(of.decide(who.view(), what).what);
}

/// What is wrong with a file: a line for each.
inline std::string problems_of(std::string_view text) {
  const auto read = auth::acl::parse(text, "acl.toml");
  std::string all;
  if (const auto* const problems = std::get_if<1>(&read))
    for (const auto& p : *problems)
      all += p.where + ": " + p.text + "\n";
  return all;
}

} // namespace troupe::test
