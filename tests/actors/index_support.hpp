#pragma once
// What takes the place of reactors in tests of what they share.

#include "actors/subscription_index.hpp"
#include "tests/support/seed.hpp"

#include <atomic>
#include <random>
#include <string>

namespace troupe::test {

/// A session of which only the address matters.
inline actors::session* fake_session(std::uintptr_t number) {
  return reinterpret_cast<actors::session*>((number + 1) * 64);
}

/// Some levels of few names, with wildcards or not.
inline std::string random_name(std::minstd_rand& random, bool filter) {
  static constexpr std::string_view names[] = {"a", "b", "", "$x", "level"};
  std::string made;
  const auto levels = 1 + random() % 4;
  for (std::size_t i = 0; i < levels; ++i) {
    made.append(i == 0 ? "" : "/");
    const auto dice = random() % 7;
    if (filter && dice == 0)
      return made + '#';
    made.append(filter && dice < 3 ? "+" : names[random() % std::size(names)]);
  }
  return made.empty() ? "/" : made;
}

/// One turn of a reactor, as far as the reclaimer is concerned.
template <class F>
void turn(actors::reclaimer& graveyard, std::size_t reactor, F&& f) {
  const auto began = graveyard.turn_began();
  f();
  graveyard.turn_ended(reactor, began);
}

} // namespace troupe::test
