// Any text as a file of pre-shared keys.
#include "net/psk_file.hpp"
#include "net/tls_context.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

using namespace troupe::net;

namespace {

/// Stops the fuzzer: the property named does not hold.
[[noreturn]] void broken(std::string_view property) {
  std::cerr << property << "\n";
  std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  try {
    const auto table = psk_table::parse(text, "keys");
    if (table.empty())
      broken("a file without keys is refused");
    std::size_t lines = 1;
    for (const char c : text)
      lines += c == '\n' ? 1 : 0;
    if (table.size() > lines)
      broken("a line has one key at most");
    // Every identity is found by what stands before its last colon.
    for (auto rest = text; !rest.empty();) {
      auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (line.ends_with('\r'))
        line.remove_suffix(1);
      if (line.empty() || line.front() == '#')
        continue;
      const auto* key = table.find(line.substr(0, line.rfind(':')));
      if (key == nullptr || key->size() < 16
          || key->size() > psk_table::longest_key)
        broken("each key is found and has 16 to 64 bytes");
    }
  } catch (const tls_error& e) {
    if (!std::string_view{e.what()}.starts_with("keys:"))
      broken("a problem names its file");
  }
  return 0;
}
