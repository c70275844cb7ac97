#pragma once

#include "config/raw.hpp"
#include "config/sections.hpp"

#include <functional>
#include <vector>

/// @file
/// All settings as one list, the types of their members left behind. Loading,
/// showing, comparing and describing walk this list and know no section.
namespace troupe::config {

/// One setting. `*` in a key stands for the name of a listener; functions take
/// that name as `instance` and pass over it for all other settings.
struct setting {
  std::string section;           ///< `mqtt`, `listeners.tcp.*` or empty
  std::string name;              ///< within the section
  std::vector<std::string> path; ///< parts of section and name
  std::string type;              ///< with range and unit, for people
  std::string initial;           ///< the default, in TOML notation
  std::string_view help;
  reload when;
  /// Sets the member. @returns what is wrong with the value, if anything is.
  std::function<std::optional<std::string>(settings&, std::string_view instance,
                                           const raw&)>
    assign;
  /// Takes the member over; both have the instance.
  std::function<void(settings& to, const settings& from,
                     std::string_view instance)>
    copy;
  /// The member's value in TOML notation; the instance exists.
  std::function<std::string(const settings&, std::string_view instance)> toml;
  bool secret = false; ///< `toml` is for nobody's eyes
};

struct section_info {
  std::string name; ///< as in `setting`
  std::string_view about;
};

/// In the order of the reference page. Made once; safe to call on any thread.
const std::vector<setting>& schema();
const std::vector<section_info>& sections();

/// The names that `*` stands for in a section; one empty name without `*`.
std::vector<std::string> instances(const settings& of,
                                   std::string_view section);

/// A section's name or a key with `*` replaced.
std::string with_instance(std::string_view key, std::string_view instance);

/// The parts between the dots.
std::vector<std::string> split(std::string_view key);

} // namespace troupe::config
