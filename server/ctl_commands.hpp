#pragma once
// The table of `troupe ctl`: what there is to say to a running broker.

#include "actors/node.hpp"
#include "server/exit_codes.hpp"

#include <boost/json.hpp>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace troupe::server {

/// What answers are made of, besides the node.
struct ctl_facts {
  std::string data_dir;
  std::string http_address; ///< empty without HTTP listener
};

/// Why there is no answer.
struct ctl_failure {
  exit_code code = exit_failure; ///< of `troupe ctl`
  std::string text;
};

using ctl_answer = std::variant<boost::json::value, ctl_failure>;

struct ctl_argument {
  enum class kind : std::uint8_t { text, flag };
  std::string_view name; ///< `--client` is an option, `ID` a place; upper case
                         ///< names the places in usage texts
  std::string_view key;  ///< in the request
  std::string_view help;
  kind as = kind::text; ///< a flag is "true" or missing
};

/// Sends the command with these arguments, in `troupe ctl`.
using ctl_exchange = std::function<ctl_answer(const boost::json::object& with)>;

/// One command. `answer` runs in the broker, `print` in `troupe ctl`.
struct ctl_command {
  std::string_view name; ///< words, as typed: "clients show"
  std::string_view help;
  std::span<const ctl_argument> arguments;
  /// Not on a reactor's thread. `with` has strings only, those of
  /// `arguments`; places are there, options may be missing.
  ctl_answer (*answer)(actors::node& of, const ctl_facts& facts,
                       const boost::json::object& with);
  /// What `answer` gave, for people.
  std::string (*print)(const boost::json::value& answer);
  /// In place of one question and one answer; null mostly.
  /// @returns the exit code; a failure is told already
  int (*converse)(const ctl_exchange& ask, const boost::json::object& with,
                  bool as_json) = nullptr;
};

/// Every command, in the order of the help. A new one is a row here.
std::span<const ctl_command> ctl_commands();

/// Words that have commands below them, with their help.
struct ctl_group {
  std::string_view name;
  std::string_view help;
};
std::span<const ctl_group> ctl_groups();

/// Carries out one request, `{"command":"clients show","with":{"id":"x"}}`.
/// @returns the answer: `{"answer":…}` or `{"error":{"code":1,"text":"…"}}`,
///          the code being that of the process `troupe ctl`.
boost::json::value answer_ctl(std::string_view request, actors::node& of,
                              const ctl_facts& facts);
/// The answer that is an error.
boost::json::value ctl_error(const ctl_failure& why);

/// Prints why there is no answer. @returns the exit code
int tell_failure(const ctl_failure& why);

} // namespace troupe::server
