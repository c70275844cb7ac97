#pragma once
// Packets as bytes, a line per field, written apart from the encoders.

#include "protocol/codec.hpp"

#include <initializer_list>
#include <ostream>
#include <string_view>
#include <vector>

namespace troupe::test {

using bytes = std::vector<std::uint8_t>;

inline bytes operator+(bytes left, const bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline bytes u8(unsigned x) { return {static_cast<std::uint8_t>(x)}; }
inline bytes u16(unsigned x) { return u8(x >> 8) + u8(x); }
inline bytes u32(unsigned x) { return u16(x >> 16) + u16(x); }
inline bytes raw(std::string_view x) { return {x.begin(), x.end()}; }
/// A string or Binary Data with its length.
inline bytes text(std::string_view x) {
  return u16(static_cast<unsigned>(x.size())) + raw(x);
}
inline bytes variable(std::size_t x) {
  bytes out;
  for (; x >= 128; x /= 128)
    out.push_back(static_cast<std::uint8_t>(x % 128 + 128));
  out.push_back(static_cast<std::uint8_t>(x));
  return out;
}
/// Property Length and the properties.
inline bytes properties(const bytes& x = {}) { return variable(x.size()) + x; }
inline bytes user_property(std::string_view name, std::string_view value) {
  return u8(0x26) + text(name) + text(value);
}
/// Fixed header with the right Remaining Length, and the rest.
inline bytes packet(unsigned first_byte, const bytes& rest = {}) {
  return u8(first_byte) + variable(rest.size()) + rest;
}

inline bytes copy(protocol::bytes_view x) { return {x.begin(), x.end()}; }

/// The frame of a whole packet; borrows it.
inline protocol::frame frame_of(const bytes& whole) {
  const auto cut = protocol::next_frame(whole, protocol::no_packet_limit);
  return cut.value().value();
}

/// What a decoder says of a packet; success if it takes it.
template <class Result>
protocol::reason_code reason_of(const Result& x) {
  return x ? protocol::reason_code::success : x.error();
}

inline constexpr auto v3_1 = protocol::protocol_version::mqtt_3_1;
inline constexpr auto v3_1_1 = protocol::protocol_version::mqtt_3_1_1;
inline constexpr auto v5 = protocol::protocol_version::mqtt_5_0;
inline constexpr protocol::protocol_version all_versions[] = {v3_1, v3_1_1, v5};

/// One packet and what its decoder is to say of it.
struct verdict {
  std::string_view why;
  bytes whole;
  protocol::reason_code expected;
};

} // namespace troupe::test

namespace troupe::protocol {

inline std::ostream& boost_test_print_type(std::ostream& out,
                                           reason_code code) {
  return out << to_string(code) << " (0x" << std::hex
             << static_cast<unsigned>(code) << std::dec << ')';
}
inline std::ostream& boost_test_print_type(std::ostream& out,
                                           packet_type type) {
  return out << to_string(type);
}
inline std::ostream& boost_test_print_type(std::ostream& out, qos level) {
  return out << "QoS " << static_cast<unsigned>(level);
}
inline std::ostream& boost_test_print_type(std::ostream& out,
                                           protocol_version version) {
  return out << "version " << static_cast<unsigned>(version);
}

} // namespace troupe::protocol
