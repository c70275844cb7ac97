#pragma once

#include "config/load.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <utility>

namespace troupe::config {

/// The settings that a file of this text gives; fails the test on a problem.
inline loaded must_load(const sources& from) {
  auto result = load(from);
  if (const auto* const problems = std::get_if<1>(&result))
    for (const auto& p : *problems)
      BOOST_ERROR(to_string(p));
  BOOST_REQUIRE(result.index() == 0);
  return std::get<0>(std::move(result));
}

inline sources file(std::string text) {
  return {.file = "t.toml",
          .text = std::move(text),
          .environment = {},
          .overrides = {}};
}

inline sources set(std::vector<std::string> overrides) {
  return {.file = {},
          .text = {},
          .environment = {},
          .overrides = std::move(overrides)};
}

/// All problems of the sources, as the lines that a person reads.
inline std::vector<std::string> problems_of(const sources& from) {
  std::vector<std::string> lines;
  const auto result = load(from);
  if (const auto* const problems = std::get_if<1>(&result))
    for (const auto& p : *problems)
      lines.push_back(to_string(p));
  return lines;
}

/// All problems, each as two lines: where and key, then the text.
inline std::string report_of(const sources& from) {
  std::string text;
  const auto result = load(from);
  if (const auto* const problems = std::get_if<1>(&result))
    for (const auto& p : *problems)
      text +=
        p.where + (p.key.empty() ? "" : ": ") + p.key + "\n  " + p.text + "\n";
  return text;
}

/// The only problem of the sources.
inline std::string problem_of(const sources& from) {
  const auto lines = problems_of(from);
  BOOST_TEST_REQUIRE(lines.size() == 1U);
  return lines.front();
}

} // namespace troupe::config
