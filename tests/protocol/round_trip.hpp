#pragma once
// Decodes whatever comes, encodes what was understood, decodes it again.

#include "protocol/codec.hpp"

#include <string>

namespace troupe::test {

enum class sender : std::uint8_t { client, server };

/// Puts one frame through the decoder that its type asks for.
/// @returns empty if the packet is refused or means the same once encoded
///          and decoded again; otherwise what went wrong.
std::string round_trip_problem(const protocol::frame& in,
                               protocol::protocol_version version, sender from);

/// As above, for the packets that `in` holds one behind the other.
std::string round_trip_problem(protocol::bytes_view in,
                               protocol::protocol_version version, sender from);

} // namespace troupe::test
