#pragma once

#include "config/sections.hpp"

#include <map>
#include <variant>
#include <vector>

namespace troupe::config {

/// Where values come from; what is further down overrides what is further up.
struct sources {
  /// A TOML file; empty for none.
  std::string file;
  /// The file's contents, when the caller has them: `file` is then only its
  /// name in problems, and nothing is read.
  std::optional<std::string> text;
  /// Variables such as TROUPE_MQTT__MAX_INFLIGHT; others are passed over.
  std::map<std::string, std::string> environment;
  /// `key=value`, as given to `--set`; the last one of a key counts.
  std::vector<std::string> overrides;
};

/// Something to mend, or to know of.
struct problem {
  std::string where; ///< `troupe.toml:12`, `TROUPE_…`, `--set`, `default`
  std::string key;   ///< the setting, as written; empty if it is none
  std::string text;  ///< what is wrong and how to mend it

  friend bool operator==(const problem&, const problem&) = default;
};

/// One line for a person: where, key, text.
std::string to_string(const problem& p);

/// A setting that is not left at its default by all sources.
struct origin {
  std::string key;
  std::string where; ///< as in `problem`: the source that won
};

struct loaded {
  settings values;
  std::vector<origin> origins;   ///< in the order of the keys
  std::vector<problem> warnings; ///< allowed, and risky
};

using load_result = std::variant<loaded, std::vector<problem>>;

/// Reads all sources and checks everything before it answers: either usable
/// settings or every problem found. Throws nothing but std::bad_alloc.
load_result load(const sources& from);

/// The environment of this process, those variables that begin with TROUPE_.
std::map<std::string, std::string> process_environment();

/// A setting that differs between two configurations, in TOML notation.
struct changed {
  std::string key;
  std::optional<std::string> before; ///< std::nullopt: the listener is new
  std::optional<std::string> after;  ///< std::nullopt: the listener is gone
  reload when;
};

/// What differs, in the order of declaration.
std::vector<changed> diff(const settings& a, const settings& b);

/// `after` with everything that cannot change in a running node as it is in
/// `before`.
settings with_cold_of(const settings& before, settings after);

/// The effective configuration as a TOML file that loads to the same values.
std::string show(const settings& s);

/// The reference page: each setting with type, range, default and help.
std::string describe_markdown();

} // namespace troupe::config
