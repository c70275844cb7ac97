// Acknowledgements, SUBSCRIBE, UNSUBSCRIBE, pings, DISCONNECT and AUTH as a
// server reads them.

#include "tests/protocol/describe.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::protocol;
using namespace troupe::test;

namespace {

constexpr auto malformed = reason_code::malformed_packet;
constexpr auto error = reason_code::protocol_error;
constexpr auto fine = reason_code::success;

template <class Decode>
void check(Decode&& decode, const std::vector<verdict>& rows) {
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.why)
  BOOST_TEST(reason_of(decode(frame_of(row.whole))) == row.expected);
}

auto acks(protocol_version version) {
  return [version](const frame& in) { return decode_ack(in, version); };
}
auto subscribes(protocol_version version) {
  return [version](const frame& in) { return decode_subscribe(in, version); };
}
auto unsubscribes(protocol_version version) {
  return [version](const frame& in) { return decode_unsubscribe(in, version); };
}
auto disconnects(protocol_version version, bool from_client = true) {
  return [=](const frame& in) {
    return decode_disconnect(in, version, from_client);
  };
}
auto pings(protocol_version version) {
  return [version](const frame& in) { return decode_ping(in, version); };
}
auto auths() {
  return [](const frame& in) { return decode_auth(in); };
}

/// Codes of 0 to 255 that `decode` takes in a packet that `make` makes.
template <class Make, class Decode>
std::set<unsigned> accepted_codes(Make&& make, Decode&& decode) {
  std::set<unsigned> codes;
  for (unsigned code = 0; code != 256; ++code) {
    const bytes whole = make(code);
    const auto answer = reason_of(decode(frame_of(whole)));
    if (answer == fine)
      codes.insert(code);
    else
      BOOST_TEST(answer == error);
  }
  return codes;
}

using codes = std::set<unsigned>;

} // namespace

BOOST_AUTO_TEST_CASE(acknowledgements_of_mqtt_3_are_an_identifier) {
  for (const auto version : {v3_1, v3_1_1}) {
    for (const unsigned first : {0x40U, 0x50U, 0x62U, 0x70U}) {
      const auto whole = packet(first, u16(0x0102));
      const auto ack = decode_ack(frame_of(whole), version).value();
      BOOST_TEST(static_cast<unsigned>(ack.type) == first >> 4);
      BOOST_TEST(ack.packet_identifier == 0x0102);
      BOOST_TEST(ack.reason == fine);
    }
    check(acks(version), {
                           {"identifier 0", packet(0x40, u16(0)), error},
                           {"none", packet(0x40), malformed},
                           {"half", packet(0x40, u8(1)), malformed},
                           {"more", packet(0x40, u16(1) + u8(0)), malformed},
                         });
  }
}

BOOST_AUTO_TEST_CASE(acknowledgements_of_mqtt_5_have_short_forms) {
  const auto full = packet(
    0x50, u16(1) + u8(0x80)
            + properties(u8(0x1F) + text("why") + user_property("k", "v")));
  const auto ack = decode_ack(frame_of(full), v5).value();
  BOOST_TEST(ack.reason == reason_code::unspecified_error);
  BOOST_TEST(ack.reason_string.value() == "why");
  BOOST_TEST(copy(ack.user_properties) == user_property("k", "v"));
  const auto text_twice = u8(0x1F) + text("a") + u8(0x1F) + text("b");
  check(
    acks(v5),
    {
      {"identifier alone", packet(0x40, u16(1)), fine},
      {"with code", packet(0x40, u16(1) + u8(0x10)), fine},
      {"no properties", packet(0x40, u16(1) + u8(0) + u8(0)), fine},
      {"identifier 0", packet(0x40, u16(0) + u8(0)), error},
      {"half an identifier", packet(0x40, u8(1)), malformed},
      {"more", packet(0x40, u16(1) + u8(0) + u8(0) + u8(0)), malformed},
      {"properties cut short", packet(0x40, u16(1) + u8(0) + u8(4)), malformed},
      {"Reason String twice",
       packet(0x40, u16(1) + u8(0) + properties(text_twice)), error},
      {"another property",
       packet(0x40, u16(1) + u8(0) + properties(u8(0x23) + u16(1))), error},
    });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_4_2_1_and_kin_codes_of_acknowledgements) {
  const auto of = [](unsigned first_byte) {
    return accepted_codes(
      [first_byte](unsigned code) {
        return packet(first_byte, u16(1) + u8(code));
      },
      acks(v5));
  };
  const codes received{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
  const codes released{0x00, 0x92};
  BOOST_TEST((of(0x40) == received));
  BOOST_TEST((of(0x50) == received)); // [MQTT-3.5.2-1]
  BOOST_TEST((of(0x62) == released)); // [MQTT-3.6.2-1]
  BOOST_TEST((of(0x70) == released)); // [MQTT-3.7.2-1]
}

BOOST_AUTO_TEST_CASE(mqtt5_2_1_3_1_flags_of_fixed_headers) {
  for (unsigned flags = 0; flags != 16; ++flags)
    for (const auto version : all_versions)
      BOOST_TEST_CONTEXT("flags " << flags << ", version "
                                  << static_cast<int>(version)) {
        // Only the QoS bits of these three count in MQTT 3.1.
        const auto two = version == v3_1 ? (flags & 6) == 2 : flags == 2;
        const auto zero = version == v3_1 || flags == 0;
        const auto no = version == v5 ? properties() : bytes{};
        check(acks(version), {{"PUBREL", packet(0x60 | flags, u16(1)),
                               two ? fine : malformed}, // [MQTT-3.6.1-1]
                              {"PUBACK", packet(0x40 | flags, u16(1)),
                               zero ? fine : malformed}});
        check(
          subscribes(version), // [MQTT-3.8.1-1]
          {{"SUBSCRIBE", packet(0x80 | flags, u16(1) + no + text("a") + u8(0)),
            two ? fine : malformed}});
        check(unsubscribes(version), // [MQTT-3.10.1-1]
              {{"UNSUBSCRIBE", packet(0xA0 | flags, u16(1) + no + text("a")),
                two ? fine : malformed}});
        check(pings(version),
              {{"PINGREQ", packet(0xC0 | flags), zero ? fine : malformed}});
        check(disconnects(version),
              {{"DISCONNECT", packet(0xE0 | flags), zero ? fine : malformed}});
        check(auths(),
              {{"AUTH", packet(0xF0 | flags), flags == 0 ? fine : malformed}});
      }
}

BOOST_AUTO_TEST_CASE(the_filters_of_a_subscribe_are_read_in_order) {
  const auto whole =
    packet(0x82, u16(7) + properties(u8(0x0B) + variable(300)) + text("a/+")
                   + u8(0x2E) // QoS 2, No Local, RAP, handling 2
                   + text("b") + u8(0x00));
  const auto packet = decode_subscribe(frame_of(whole), v5).value();
  BOOST_TEST(packet.packet_identifier == 7);
  BOOST_TEST(packet.subscription_identifier == 300U);
  BOOST_TEST(packet.filter_count == 2U);
  std::vector<subscription_request> seen;
  for_each_subscription(packet, [&](const auto& one) { seen.push_back(one); });
  BOOST_TEST_REQUIRE(seen.size() == 2U);
  BOOST_TEST(seen[0].filter == "a/+");
  BOOST_TEST((seen[0].options
              == subscription_options{qos::exactly_once, true, true,
                                      retain_handling::do_not_send}));
  BOOST_TEST(seen[1].filter == "b");
  BOOST_TEST((seen[1].options == subscription_options{}));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_what_is_wrong_with_a_subscribe) {
  const auto start = u16(1) + properties();
  const auto one = [&](const bytes& x) { return packet(0x82, start + x); };
  check(
    subscribes(v5),
    {
      {"no filter", one({}), error}, // [MQTT-3.8.3-2]
      {"filter not UTF-8", one(text("\xFF") + u8(0)), malformed},
      {"second filter not UTF-8",
       one(text("a") + u8(0) + text("\xED\xA0\x80") + u8(0)), malformed},
      {"options missing", one(text("a")), malformed},
      {"filter cut short", one(u16(5) + raw("a")), malformed},
      {"QoS 3", one(text("a") + u8(0x03)), error},
      {"Retain Handling 3", one(text("a") + u8(0x30)), error},
      {"reserved bit 6", one(text("a") + u8(0x40)), malformed}, // -5
      {"reserved bit 7", one(text("a") + u8(0x80)), malformed},
      {"No Local on a shared one", // [MQTT-3.8.3-4]
       one(text("$share/g/a") + u8(0x04)), error},
      {"identifier 0", packet(0x82, u16(0) + properties() + text("a") + u8(0)),
       error},
      {"Subscription Identifier 0",
       packet(0x82, u16(1) + properties(u8(0x0B) + u8(0)) + text("a") + u8(0)),
       error},
      {"Subscription Identifier twice",
       packet(0x82, u16(1) + properties(u8(0x0B) + u8(1) + u8(0x0B) + u8(1))
                      + text("a") + u8(0)),
       error},
      {"another property",
       packet(0x82,
              u16(1) + properties(u8(0x1F) + text("r")) + text("a") + u8(0)),
       error},
      {"no properties", packet(0x82, u16(1)), malformed},
      {"nothing", packet(0x82), malformed},
      {"an invalid filter is answered in the SUBACK", one(text("a#") + u8(0)),
       fine},
    });
}

BOOST_AUTO_TEST_CASE(mqtt311_3_8_3_what_is_wrong_with_a_subscribe) {
  for (const auto version : {v3_1, v3_1_1})
    check(
      subscribes(version),
      {
        {"no filter", packet(0x82, u16(1)), error},
        {"QoS 3", packet(0x82, u16(1) + text("a") + u8(3)), malformed},
        {"reserved bit", packet(0x82, u16(1) + text("a") + u8(4)), malformed},
        {"identifier 0", packet(0x82, u16(0) + text("a") + u8(0)), error},
        {"not UTF-8", packet(0x82, u16(1) + text("\x80") + u8(0)), malformed},
      });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_10_3_what_is_wrong_with_an_unsubscribe) {
  check(
    unsubscribes(v5),
    {
      {"no filter", packet(0xA2, u16(1) + properties()), error},
      {"not UTF-8", packet(0xA2, u16(1) + properties() + text("\xFF")),
       malformed},
      {"cut short", packet(0xA2, u16(1) + properties() + u16(2) + raw("a")),
       malformed},
      {"identifier 0", packet(0xA2, u16(0) + properties() + text("a")), error},
      {"Subscription Identifier",
       packet(0xA2, u16(1) + properties(u8(0x0B) + u8(1)) + text("a")), error},
      {"no properties", packet(0xA2, u16(1)), malformed},
    });
  check(unsubscribes(v3_1_1), {{"no filter", packet(0xA2, u16(1)), error}});
}

BOOST_AUTO_TEST_CASE(a_ping_has_no_body) {
  for (const auto version : all_versions)
    check(pings(version), {{"request", packet(0xC0), fine},
                           {"answer", packet(0xD0), fine},
                           {"body", packet(0xC0, u8(0)), malformed}});
}

BOOST_AUTO_TEST_CASE(disconnects_have_short_forms) {
  const auto full =
    packet(0xE0, u8(0x04)
                   + properties(u8(0x11) + u32(60) + u8(0x1F) + text("bye")
                                + user_property("k", "v")));
  const auto whole = decode_disconnect(frame_of(full), v5, true).value();
  BOOST_TEST(whole.reason == reason_code::disconnect_with_will_message);
  BOOST_TEST(whole.session_expiry_interval.value() == 60U);
  BOOST_TEST(whole.reason_string.value() == "bye");
  check(
    disconnects(v5),
    {
      {"empty", packet(0xE0), fine},
      {"code alone", packet(0xE0, u8(0x04)), fine},
      {"no properties", packet(0xE0, u8(0) + u8(0)), fine},
      {"more", packet(0xE0, u8(0) + u8(0) + u8(0)), malformed},
      {"properties cut short", packet(0xE0, u8(0) + u8(1)), malformed},
      {"Server Reference from a client",
       packet(0xE0, u8(0) + properties(u8(0x1C) + text("x"))), error},
      {"Session Expiry Interval twice",
       packet(0xE0, u8(0) + properties(u8(0x11) + u32(1) + u8(0x11) + u32(1))),
       error},
    });
  check(disconnects(v5, false), // [MQTT-3.14.2-2]
        {{"Session Expiry Interval from a server",
          packet(0xE0, u8(0) + properties(u8(0x11) + u32(1))), error}});
  for (const auto version : {v3_1, v3_1_1}) {
    check(disconnects(version), {{"empty", packet(0xE0), fine},
                                 {"code", packet(0xE0, u8(0)), malformed}});
    check(disconnects(version, false),
          {{"there is none from a server", packet(0xE0), error}});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_14_2_1_codes_of_disconnect) {
  const auto make = [](unsigned code) { return packet(0xE0, u8(code)); };
  BOOST_TEST((accepted_codes(make, disconnects(v5))
              == codes{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94,
                       0x95, 0x96, 0x97, 0x98, 0x99}));
  BOOST_TEST(
    (accepted_codes(make, disconnects(v5, false))
     == codes{0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D,
              0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
              0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2}));
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_an_auth) {
  const auto method = u8(0x15) + text("M");
  const auto full =
    packet(0xF0, u8(0x18) + properties(method + u8(0x16) + text("D")));
  const auto whole = decode_auth(frame_of(full)).value();
  BOOST_TEST(whole.reason == reason_code::continue_authentication);
  BOOST_TEST(whole.method.value() == "M");
  BOOST_TEST(copy(whole.data.value()) == raw("D"));
  check(
    auths(),
    {
      {"empty", packet(0xF0), fine},
      {"code alone", packet(0xF0, u8(0x18)), malformed},
      {"no method", packet(0xF0, u8(0x18) + properties()), error},
      {"data without method",
       packet(0xF0, u8(0x18) + properties(u8(0x16) + text("D"))), error},
      {"method twice", packet(0xF0, u8(0x18) + properties(method + method)),
       error},
      {"another property",
       packet(0xF0, u8(0x18) + properties(method + u8(0x21) + u16(1))), error},
      {"more", packet(0xF0, u8(0x18) + properties(method) + u8(0)), malformed},
    });
  BOOST_TEST((accepted_codes( // [MQTT-3.15.2-1]
                [&](unsigned code) {
                  return packet(0xF0, u8(code) + properties(method));
                },
                auths())
              == codes{0x00, 0x18, 0x19}));
}

BOOST_AUTO_TEST_CASE(encoded_subscribes_are_read_as_they_were) {
  const auto user = user_property("k", "v");
  const subscription_request filters[] = {
    {"a", {qos::exactly_once, true, true, retain_handling::do_not_send}},
    {"b/#", {}},
  };
  byte_buffer out;
  encode_subscribe(out, {9, 300, user, filters}, v5);
  BOOST_TEST(copy(out.view())
             == packet(0x82, u16(9)
                               + properties(u8(0x0B) + variable(300) + user)
                               + text("a") + u8(0x2E) + text("b/#") + u8(0)));
  out.clear();
  encode_subscribe(out, {9, 0, {}, filters}, v3_1_1);
  BOOST_TEST(copy(out.view())
             == packet(0x82, u16(9) + text("a") + u8(2) + text("b/#") + u8(0)));
  out.clear();
  const std::string_view names[] = {"a", "b/#"};
  encode_unsubscribe(out, 9, names, v5, user);
  BOOST_TEST(
    copy(out.view())
    == packet(0xA2, u16(9) + properties(user) + text("a") + text("b/#")));
  out.clear();
  encode_pingreq(out);
  BOOST_TEST(copy(out.view()) == packet(0xC0));
}
