#include "net/psk_file.hpp"

#include "net/tls_context.hpp"

#include <optional>

namespace troupe::net {

namespace {

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9')
    return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f')
    return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F')
    return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<psk_table::key> from_hex(std::string_view text) {
  if (text.size() % 2 != 0)
    return std::nullopt;
  psk_table::key made;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digit(text[i]);
    const auto low = digit(text[i + 1]);
    if (!high || !low)
      return std::nullopt;
    made.push_back(static_cast<std::uint8_t>(*high * 16 + *low));
  }
  return made;
}

} // namespace

psk_table psk_table::parse(std::string_view text, const std::string& file) {
  constexpr std::size_t shortest_key = 16;
  psk_table made;
  std::string problems;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (line.empty() || line.front() == '#')
      continue;
    const auto wrong = [&](std::string_view what) {
      problems += (problems.empty() ? "" : "\n") + file + ':'
                  + std::to_string(number) + ": " + std::string{what};
    };
    const auto colon = line.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
      wrong("is no \"identity:key\"");
      continue;
    }
    auto key = from_hex(line.substr(colon + 1));
    if (!key || key->size() < shortest_key || key->size() > longest_key)
      wrong("the key behind the colon is not 16 to 64 bytes in hex, e.g. of "
            "openssl rand -hex 32");
    else if (!made.keys_.emplace(line.substr(0, colon), std::move(*key)).second)
      wrong("the identity is there already");
  }
  if (!problems.empty())
    throw tls_error(problems);
  if (made.keys_.empty())
    throw tls_error(file + ": holds no key; write lines \"identity:key\"");
  return made;
}

const psk_table::key* psk_table::find(std::string_view identity) const {
  const auto found = keys_.find(identity);
  return found == keys_.end() ? nullptr : &found->second;
}

} // namespace troupe::net
