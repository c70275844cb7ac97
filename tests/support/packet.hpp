#pragma once
// What a server sends, taken apart and checked against the standard by a
// decoder of the tests' own.

#include "tests/support/bytes.hpp"

#include <stdexcept>

namespace troupe::test {

struct property {
  property_id id{};
  std::uint32_t number = 0; ///< integers
  std::string name{};       ///< User Property
  bytes value{};            ///< text, binary data, User Property
};

/// A packet that a server must not send; the text says what is wrong.
struct bad_packet : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One Control Packet of a server. Owns everything.
struct packet {
  bytes whole; ///< as received
  bytes body;  ///< without the fixed header
  packet_type type{};
  unsigned flags = 0; ///< of the fixed header

  unsigned id = 0; ///< Packet Identifier; 0: the packet has none
  unsigned reason = 0;
  bool session_present = false;
  std::vector<unsigned> reasons; ///< SUBACK, UNSUBACK
  std::vector<property> properties;
  std::string topic;
  bytes payload;

  unsigned qos() const { return flags >> 1 & 3; }
  bool dup() const { return (flags & 8) != 0; }
  bool retain() const { return (flags & 1) != 0; }

  bool has(property_id which) const;
  std::optional<std::uint32_t> number(property_id which) const;
  std::optional<bytes> text(property_id which) const;
  /// All values of a repeatable numeric property, in order.
  std::vector<std::uint32_t> numbers(property_id which) const;
  /// "name=value" of each User Property, in order.
  std::vector<std::string> user_properties() const;
};

/// "PUBACK (4 bytes: 40 02 00 01)".
std::string describe(const packet& in);
const char* name_of(packet_type type);

/// The size of the packet at the front of `in`, 0 if it is not whole yet.
/// @throws bad_packet
std::size_t packet_size(std::string_view in);

/// Takes one whole packet apart and checks every rule that needs no context:
/// flags, shortest integers, string encoding, which properties and reason
/// codes the packet may have, that nothing is missing or left over.
/// @throws bad_packet
packet parse(version v, std::string_view whole);

/// Well-formed UTF-8 without surrogates and U+0000.
bool is_text(std::string_view in);

} // namespace troupe::test
