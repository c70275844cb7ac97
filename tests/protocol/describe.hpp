#pragma once
// Decoded packets as text, every field: two are equal if their texts are.

#include "protocol/codec.hpp"

#include <string>

namespace troupe::test {

std::string describe(const protocol::connect_packet& in);
std::string describe(const protocol::connack_packet& in);
std::string describe(const protocol::publish_packet& in);
std::string describe(const protocol::ack_packet& in);
std::string describe(const protocol::subscribe_packet& in);
std::string describe(const protocol::suback_packet& in);
std::string describe(const protocol::unsubscribe_packet& in);
std::string describe(const protocol::disconnect_packet& in);
std::string describe(const protocol::auth_packet& in);

} // namespace troupe::test
