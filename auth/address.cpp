#include "auth/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace troupe::auth {

namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0,    0,
                                              0, 0, 0, 0, 0xFF, 0xFF};

/// The IPv4 address in an IPv6 one.
address unwrapped(const address& a) noexcept {
  if (!a.v6 || !std::equal(mapped.begin(), mapped.end(), a.bytes.begin()))
    return a;
  address v4;
  std::copy_n(a.bytes.begin() + mapped.size(), 4, v4.bytes.begin());
  return v4;
}

std::optional<address> parse_as_written(std::string_view text) {
  const std::string name{text};
  if (name.find('\0') != std::string::npos)
    return std::nullopt; // C would read only what is before it
  address a;
  if (::inet_pton(AF_INET, name.c_str(), a.bytes.data()) == 1)
    return a;
  a.v6 = true;
  if (::inet_pton(AF_INET6, name.c_str(), a.bytes.data()) == 1)
    return a;
  return std::nullopt;
}

} // namespace

std::optional<address> address::parse(std::string_view text) {
  auto a = parse_as_written(text);
  if (a)
    a = unwrapped(*a);
  return a;
}

std::optional<address> address::of(const net::endpoint& peer) noexcept {
  address a;
  const auto* const at = peer.data();
  if (at->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, at, sizeof v4);
    std::memcpy(a.bytes.data(), &v4.sin_addr, 4);
    return a;
  }
  if (at->sa_family != AF_INET6)
    return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, at, sizeof v6);
  a.v6 = true;
  std::memcpy(a.bytes.data(), &v6.sin6_addr, 16);
  return unwrapped(a);
}

address address::masked(unsigned prefix) const noexcept {
  auto a = *this;
  for (unsigned i = 0; i != 16; ++i) {
    if (prefix >= 8 * (i + 1))
      continue;
    const auto kept = prefix > 8 * i ? prefix - 8 * i : 0U;
    a.bytes[i] = static_cast<std::uint8_t>(a.bytes[i] & (0xFF00U >> kept));
  }
  return a;
}

std::string address::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
  return text;
}

std::variant<network, std::string> network::parse(std::string_view text) {
  const auto quoted = "\"" + std::string{text} + "\"";
  const auto slash = text.find('/');
  const auto base = parse_as_written(text.substr(0, slash));
  if (!base)
    return quoted
           + " is no address: expected one such as \"10.1.2.3\", or a network "
             "such as \"10.0.0.0/8\" or \"fd00::/8\"";
  unsigned prefix = base->width();
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto* const end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, prefix);
    if (error != std::errc{} || at != end || prefix > base->width())
      return quoted + " has no usable prefix length: expected 0 to "
             + std::to_string(base->width()) + " behind the slash";
  }
  network made{unwrapped(*base), 0};
  if (made.base.v6 != base->v6) {
    if (prefix < 8 * mapped.size())
      return quoted + " is wider than the IPv4 addresses in it: write them as "
             + "an IPv4 network, such as \"10.0.0.0/8\"";
    prefix -= 8 * mapped.size();
  }
  made.prefix = static_cast<std::uint8_t>(prefix);
  if (const auto base_of = made.base.masked(prefix); base_of != made.base)
    return quoted + " has bits set behind its prefix: write \""
           + network{base_of, made.prefix}.to_string()
           + "\" for the network, or the address alone";
  return made;
}

std::string network::to_string() const {
  return base.to_string() + "/" + std::to_string(prefix);
}

} // namespace troupe::auth
