#pragma once
// The table of `troupe ctl`: what there is to say to a running broker.

#include "server/exit_codes.hpp"

#include <boost/json.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace troupe::actors {
class node;
} // namespace troupe::actors

namespace troupe::server {

class broker;

/// Why there is no answer.
struct ctl_failure {
  exit_code code = exit_failure; ///< of `troupe ctl`
  std::string text;
};

using ctl_answer = std::variant<boost::json::value, ctl_failure>;

struct ctl_argument {
  enum class kind : std::uint8_t {
    text,
    flag,
    content, ///< a text that is not for the log
  };
  std::string_view name; ///< `--client` is an option, `ID` a place, `[LEVEL]`
                         ///< one that may be missing; upper case names the
                         ///< places in usage texts
  std::string_view key;  ///< in the request
  std::string_view help;
  kind as = kind::text; ///< a flag is "true" or missing
};

/// What answers a command in the broker. `with` has strings only, those of the
/// arguments and `by`: who asks. Places are there, others may be missing.
///
/// A question waits for reactors, shards or the disk, on a thread of its own;
/// an action does not wait for long and is on the control thread.
using ctl_question = ctl_answer (*)(actors::node& of,
                                    const boost::json::object& with);
using ctl_action = ctl_answer (*)(broker& of, const boost::json::object& with);
using ctl_handler = std::variant<ctl_question, ctl_action>;

/// Sends the command with these arguments, in `troupe ctl`.
using ctl_exchange = std::function<ctl_answer(const boost::json::object& with)>;

/// One command. `answer` runs in the broker, the others in `troupe ctl`.
struct ctl_command {
  std::string_view name; ///< words, as typed: "clients show"
  std::string_view help;
  std::span<const ctl_argument> arguments;
  ctl_handler answer;
  /// What `answer` gave, for people.
  std::string (*print)(const boost::json::value& answer) = nullptr;
  /// Puts what is read here, such as a file, to the arguments; may be null.
  std::optional<ctl_failure> (*prepare)(boost::json::object& with) = nullptr;
  /// In place of one question and one answer; null mostly.
  /// @returns the exit code; a failure is told already
  int (*converse)(const ctl_exchange& ask, const boost::json::object& with,
                  bool as_json) = nullptr;
  /// The answer may take any time.
  bool takes_long = false;
  bool changes = false; ///< something, so that the log says who did it
};

/// Every command, in the order of the help. A new one is a row here.
std::span<const ctl_command> ctl_commands();

/// Words that have commands below them, with their help.
struct ctl_group {
  std::string_view name;
  std::string_view help;
};
std::span<const ctl_group> ctl_groups();

/// A request, `{"command":"clients show","with":{"id":"x"}}`.
struct ctl_request {
  const ctl_command* command = nullptr;
  boost::json::object with;
};
/// @param by  who asks
std::variant<ctl_request, ctl_failure> read_ctl(std::string_view request,
                                                const std::string& by);

/// For the log: who asked for what, and how it ended; empty for a question.
std::string account_of(const ctl_request& asked, const ctl_answer& answer);

/// `{"answer":…}` or `{"error":{"code":1,"text":"…"}}`, the code being that of
/// the process `troupe ctl`.
std::string ctl_reply(ctl_answer&& answer);

/// Prints why there is no answer. @returns the exit code
int tell_failure(const ctl_failure& why);

} // namespace troupe::server
