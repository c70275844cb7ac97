#pragma once
// Pre-shared keys of TLS clients (RFC 4279; RFC 8446, section 4.2.11).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// Keys by identity. Immutable once parsed.
class psk_table {
public:
  using key = std::vector<std::uint8_t>;
  static constexpr std::size_t longest_key = 64; ///< bytes

  /// Lines `identity:key`, the key 16 to 64 bytes in hex; empty lines and
  /// those that begin with `#` are passed over.
  /// @throws tls_error naming every line that is wrong
  static psk_table parse(std::string_view text, const std::string& file);

  /// @returns null if there is none; valid while this is.
  const key* find(std::string_view identity) const;
  bool empty() const noexcept { return keys_.empty(); }
  std::size_t size() const noexcept { return keys_.size(); }

private:
  std::map<std::string, key, std::less<>> keys_;
};

} // namespace troupe::net
