#pragma once
// Structured lines of the log, in text or JSON.

#include "actors/home.hpp"
#include "config/sections.hpp"

#include <memory>
#include <string_view>

namespace troupe::server {

/// Writes lines with level, cause, text and what is known of the client; what
/// is long is cut. A cause that speaks more often than `log.rate_limit` is
/// silenced until the period is over, and then says how often it was.
/// Thread-safe.
class log_writer {
public:
  /// @throws std::runtime_error if the file cannot be opened.
  explicit log_writer(const config::log& settings);
  ~log_writer();

  void write(const actors::log_line& line);
  /// What an operator did, which neither rate limit nor level leaves out.
  void audit(std::string_view text);
  /// A line of the server itself.
  void info(std::string_view cause, std::string_view text);
  void warning(std::string_view cause, std::string_view text);
  void error(std::string_view cause, std::string_view text);
  void flush();
  /// Takes over level and rate limit; the rest needs a new writer.
  void set_limits(const config::log& settings);
  /// Until the next `set_limits`.
  void set_level(config::log_level to);
  config::log_level level() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::server
