#pragma once
// `troupe completion` and `troupe man`: what is made of the command line.

#include <string>

// NOLINTNEXTLINE(readability-identifier-naming): it is that of CLI11.
namespace CLI {
class App;
}

namespace troupe::server {

/// Adds the commands to `app`, which outlives it.
class self_description {
public:
  explicit self_description(CLI::App& app);

  /// Whether one of the commands was given.
  bool chosen() const;
  /// What it prints, once all other commands were added.
  std::string text() const;

private:
  const CLI::App& app_;
  const CLI::App* completion_;
  const CLI::App* man_;
};

} // namespace troupe::server
