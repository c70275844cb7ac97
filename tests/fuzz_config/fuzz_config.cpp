// Any text as a configuration file and as `--set` strings: loading answers
// settings or problems. Settings that load are shown, load again and are then
// the same.
#include "config/load.hpp"

#include <cstdlib>
#include <iostream>

using namespace troupe::config;

namespace {

/// Stops the fuzzer: the property named does not hold.
[[noreturn]] void broken(std::string_view property) {
  std::cerr << property << "\n";
  std::abort();
}

} // namespace

/// The input's lines that begin with `!` are `--set` strings, and those that
/// begin with `$` environment variables; the others are the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  sources from;
  from.file = "fuzz.toml";
  from.text.emplace();
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (line.starts_with('!'))
      from.overrides.emplace_back(line.substr(1));
    else if (line.starts_with('$') && equals != line.npos)
      from.environment.emplace(line.substr(1, equals - 1),
                               line.substr(equals + 1));
    else
      from.text->append(line).append("\n");
  }
  const auto result = load(from);
  if (const auto* const problems = std::get_if<1>(&result)) {
    if (problems->empty())
      broken("neither settings nor problems");
    for (const auto& p : *problems)
      if (p.where.empty() || p.text.empty())
        broken("a problem says where and what");
    return 0;
  }
  const auto& values = std::get<0>(result).values;
  sources shown;
  shown.text = show(values);
  const auto again = load(shown);
  if (again.index() != 0 || !diff(values, std::get<0>(again).values).empty())
    broken("what is shown loads to the same");
  return 0;
}
