// Reason String and User Property give way to the Maximum Packet Size of the
// client. The server rarely has as much to say as a limit could cut, so the
// encoders are asked directly; what they write is read by the tests' own
// decoder.

#include "protocol/codec.hpp"
#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

#include <array>

using namespace troupe::test;
namespace protocol = troupe::protocol;

namespace {

constexpr auto v = version::mqtt5;
constexpr auto mqtt5 = protocol::protocol_version::mqtt_5_0;
constexpr std::string_view reason = "it is because of this";

/// Two User Properties, encoded.
protocol::user_properties_view some_user_properties() {
  static const auto all = prop::user("name", "value") + prop::user("n", "v");
  static const std::vector<std::uint8_t> view{all.begin(), all.end()};
  return view;
}

/// Encodes one kind of packet, with or without both properties.
struct encoder {
  bool (*encode)(protocol::byte_buffer& out, bool with_reason,
                 bool with_user_properties, std::size_t limit);

  packet operator()(bool with_reason, bool with_user_properties,
                    std::size_t limit = protocol::no_packet_limit) const {
    protocol::byte_buffer out;
    BOOST_REQUIRE(encode(out, with_reason, with_user_properties, limit));
    const auto view = out.view();
    BOOST_TEST(view.size() <= limit);
    return parse(v, bytes{view.begin(), view.end()});
  }
};

template <class Packet>
void explain(Packet& out, bool with_reason, bool with_user_properties) {
  if (with_reason)
    out.reason_string = reason;
  if (with_user_properties)
    out.user_properties = some_user_properties();
}

template <protocol::packet_type Type>
bool encode_ack(protocol::byte_buffer& out, bool with_reason,
                bool with_user_properties, std::size_t limit) {
  protocol::ack_packet in;
  in.type = Type;
  in.packet_identifier = 7;
  in.reason = Type == protocol::packet_type::puback
                  || Type == protocol::packet_type::pubrec
                ? protocol::reason_code::quota_exceeded
                : protocol::reason_code::packet_identifier_not_found;
  explain(in, with_reason, with_user_properties);
  return protocol::encode_ack(out, in, mqtt5, limit);
}

const encoder puback{encode_ack<protocol::packet_type::puback>};
const encoder pubrec{encode_ack<protocol::packet_type::pubrec>};
const encoder pubrel{encode_ack<protocol::packet_type::pubrel>};
const encoder pubcomp{encode_ack<protocol::packet_type::pubcomp>};

const encoder connack{[](protocol::byte_buffer& out, bool with_reason,
                         bool with_user_properties, std::size_t limit) {
  protocol::connack_packet in;
  in.topic_alias_maximum = std::uint16_t{10};
  explain(in, with_reason, with_user_properties);
  return protocol::encode_connack(out, in, mqtt5, limit);
}};

const encoder suback{[](protocol::byte_buffer& out, bool with_reason,
                        bool with_user_properties, std::size_t limit) {
  static constexpr std::array codes{
    protocol::reason_code::granted_qos_1,
    protocol::reason_code::topic_filter_invalid};
  protocol::suback_packet in;
  in.packet_identifier = 7;
  in.reasons = codes;
  explain(in, with_reason, with_user_properties);
  return protocol::encode_suback(out, in, mqtt5, limit);
}};

const encoder unsuback{[](protocol::byte_buffer& out, bool with_reason,
                          bool with_user_properties, std::size_t limit) {
  static constexpr std::array codes{
    protocol::reason_code::no_subscription_existed};
  protocol::unsuback_packet in;
  in.packet_identifier = 7;
  in.reasons = codes;
  explain(in, with_reason, with_user_properties);
  return protocol::encode_unsuback(out, in, mqtt5, limit);
}};

const encoder disconnection{[](protocol::byte_buffer& out, bool with_reason,
                               bool with_user_properties, std::size_t limit) {
  protocol::disconnect_packet in;
  in.reason = protocol::reason_code::protocol_error;
  explain(in, with_reason, with_user_properties);
  return protocol::encode_disconnect(out, in, mqtt5, limit);
}};

const encoder authentication{[](protocol::byte_buffer& out, bool with_reason,
                                bool with_user_properties, std::size_t limit) {
  protocol::auth_packet in;
  in.reason = protocol::reason_code::continue_authentication;
  in.method = "TROUPE-TEST";
  explain(in, with_reason, with_user_properties);
  return protocol::encode_auth(out, in, limit);
}};

void leaves_out_the_reason_string(const encoder& encode) {
  const auto full = encode(true, true);
  BOOST_TEST(full.text(property_id::reason_string).value_or("") == reason);
  BOOST_TEST(full.user_properties().size() == 2U);
  // What just fits is sent whole, what does not goes without it.
  const auto fits = encode(true, true, full.whole.size());
  BOOST_TEST(hex(fits.whole) == hex(full.whole));
  const auto without = encode(true, true, full.whole.size() - 1);
  BOOST_TEST(!without.has(property_id::reason_string));
  BOOST_TEST(without.user_properties().size() == 2U);
  BOOST_TEST(without.reason == full.reason);
  BOOST_TEST(without.id == full.id);
}

void leaves_out_user_properties(const encoder& encode) {
  const auto full = encode(false, true);
  BOOST_TEST(full.user_properties().size() == 2U);
  const auto fits = encode(false, true, full.whole.size());
  BOOST_TEST(hex(fits.whole) == hex(full.whole));
  const auto without = encode(false, true, full.whole.size() - 1);
  BOOST_TEST(without.user_properties().empty());
  BOOST_TEST(without.reason == full.reason);
  BOOST_TEST(without.id == full.id);
  // Both go where even one is too much.
  const auto bare = encode(false, false);
  const auto tight = encode(true, true, bare.whole.size());
  BOOST_TEST(hex(tight.whole) == hex(bare.whole));
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_19_limits_the_reason_string_of_connack) {
  leaves_out_the_reason_string(connack);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_2_2_20_limits_user_properties_of_connack) {
  leaves_out_user_properties(connack);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_4_2_2_limits_the_reason_string_of_puback) {
  leaves_out_the_reason_string(puback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_4_2_3_limits_user_properties_of_puback) {
  leaves_out_user_properties(puback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_5_2_2_limits_the_reason_string_of_pubrec) {
  leaves_out_the_reason_string(pubrec);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_5_2_3_limits_user_properties_of_pubrec) {
  leaves_out_user_properties(pubrec);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_6_2_2_limits_the_reason_string_of_pubrel) {
  leaves_out_the_reason_string(pubrel);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_6_2_3_limits_user_properties_of_pubrel) {
  leaves_out_user_properties(pubrel);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_7_2_2_limits_the_reason_string_of_pubcomp) {
  leaves_out_the_reason_string(pubcomp);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_7_2_3_limits_user_properties_of_pubcomp) {
  leaves_out_user_properties(pubcomp);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_9_2_1_limits_the_reason_string_of_suback) {
  leaves_out_the_reason_string(suback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_9_2_2_limits_user_properties_of_suback) {
  leaves_out_user_properties(suback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_11_2_1_limits_the_reason_string_of_unsuback) {
  leaves_out_the_reason_string(unsuback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_11_2_2_limits_user_properties_of_unsuback) {
  leaves_out_user_properties(unsuback);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_3_limits_the_reason_string_of_disconnect) {
  leaves_out_the_reason_string(disconnection);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_4_limits_user_properties_of_disconnect) {
  leaves_out_user_properties(disconnection);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_15_2_2_limits_the_reason_string_of_auth) {
  leaves_out_the_reason_string(authentication);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_15_2_3_limits_user_properties_of_auth) {
  leaves_out_user_properties(authentication);
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_24_keeps_every_answer_within_the_limit) {
  const auto smallest = connected().connack.whole.size();
  const auto topic = unique("t");
  auto c = connected({.properties = prop::maximum_packet_size(
                        static_cast<std::uint32_t>(smallest))});
  const auto within = [&](const packet& in) {
    BOOST_TEST_CONTEXT(describe(in)) {
      BOOST_TEST(in.whole.size() <= smallest);
    }
  };
  within(c.connack);
  within(c.subscribe("a/#/b"));
  within(c.unsubscribe({topic}));
  within(c.publish({.topic = topic, .payload = "x", .qos = 1}));
  within(c.publish({.topic = topic, .payload = "x", .qos = 2}));
  c.send(ack(PUBREL, 999));
  within(c.expect(PUBCOMP));
  c.send(ack(PUBREC, 999));
  within(c.expect(PUBREL));
  c.send(with_flags(pingreq(), 1));
  within(c.expect(DISCONNECT));
  c.expect_closed();
}
