#include "tests/support/packet.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

namespace {

constexpr auto v5 = version::mqtt5;

bytes publish_with(const bytes& properties) {
  return publish(v5, {.topic = "t",
                      .payload = "x",
                      .qos = 1,
                      .id = 1,
                      .properties = properties});
}

} // namespace

BOOST_AUTO_TEST_CASE(takes_a_publish_apart) {
  const auto in =
    parse(v5, publish_with(prop::user("a", "1") + prop::message_expiry(7)
                           + prop::subscription_identifier(300)
                           + prop::user("a", "")));
  BOOST_TEST(in.type == PUBLISH);
  BOOST_TEST(in.qos() == 1U);
  BOOST_TEST(in.id == 1U);
  BOOST_TEST(in.topic == "t");
  BOOST_TEST(in.payload == "x");
  BOOST_TEST(in.number(property_id::message_expiry_interval).value_or(0) == 7U);
  BOOST_TEST(in.number(property_id::subscription_identifier).value_or(0)
             == 300U);
  BOOST_TEST(in.user_properties() == (std::vector<std::string>{"a=1", "a="}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(takes_answers_apart) {
  BOOST_TEST(parse(v5, raw({0x20, 3, 1, 0, 0})).session_present);
  BOOST_TEST(parse(version::mqtt311, raw({0x20, 2, 0, 5})).reason == 5U);
  BOOST_TEST(parse(v5, raw({0x40, 3, 0, 9, 0x10})).reason == 0x10U);
  BOOST_TEST(parse(v5, raw({0x90, 5, 0, 1, 0, 2, 0x8F})).reasons
               == (std::vector<unsigned>{2, 0x8F}),
             boost::test_tools::per_element());
  BOOST_TEST(parse(v5, raw({0xE0, 0})).reason == 0U);
}

BOOST_AUTO_TEST_CASE(refuses_what_a_server_must_not_send) {
  for (const auto& bad : {
         raw({0x20, 3, 2, 0, 0}),             // CONNACK: reserved flag
         raw({0x20, 3, 0, 1, 0}),             // a code that is not listed
         raw({0x20, 2, 0, 0}),                // no properties
         raw({0x21, 3, 0, 0, 0}),             // flags of the fixed header
         raw({0x20, 0x83, 0, 0, 0, 0}),       // overlong Remaining Length
         raw({0x20, 4, 0, 0, 0x80, 0}),       // overlong Property Length
         raw({0x20, 5, 0, 0, 2, 0x01, 0x00}), // a property of PUBLISH
         raw({0x20, 9, 0, 0, 6, 0x22, 0, 1, 0x22, 0, 1}), // twice
         raw({0x20, 4, 0, 0, 0, 0}),                      // bytes left over
         raw({0x36, 6, 0, 1, 't', 0, 1, 0}),              // QoS 3
         raw({0x38, 4, 0, 1, 't', 0}),                    // DUP with QoS 0
         raw({0x32, 6, 0, 1, 't', 0, 0, 0}),              // identifier 0
         raw({0x30, 4, 0, 1, '+', 0}),                    // a wildcard
         raw({0x30, 4, 0, 1, 0xFF, 0}),                   // no UTF-8
         raw({0x30, 3, 0, 0, 0}),                   // neither topic nor alias
         raw({0x40, 3, 0, 1, 0x92}),                // a code of PUBCOMP
         raw({0x60, 2, 0, 1}),                      // PUBREL without its flag
         raw({0x90, 3, 0, 1, 0}),                   // SUBACK without a code
         raw({0x90, 4, 0, 1, 0, 3}),                // QoS 3
         raw({0xC0, 0}),                            // of a client
         raw({0xD0, 1, 0}),                         // PINGRESP with a body
         raw({0xE0, 1, 0x04}),                      // of a client
         raw({0xE0, 7, 0x82, 5, 0x11, 0, 0, 0, 1}), // Session Expiry
         raw({0xF0, 2, 0x19, 0}),                   // of a client
       })
    BOOST_TEST_CONTEXT(hex(bad)) {
      BOOST_CHECK_THROW(parse(v5, bad), bad_packet);
    }
  for (const auto& bad : {publish_with(prop::topic_alias(0)),
                          publish_with(prop::subscription_identifier(0)),
                          publish_with(prop::user("a", "\xED\xA0\x80")),
                          publish_with(raw({0x7E, 0}))})
    BOOST_CHECK_THROW(parse(v5, bad), bad_packet);
  for (const auto& bad : {raw({0xE0, 0}), raw({0x20, 2, 0, 6}),
                          raw({0x90, 3, 0, 1, 0x81}), raw({0xB0, 3, 0, 1, 0})})
    BOOST_CHECK_THROW(parse(version::mqtt311, bad), bad_packet);
  BOOST_CHECK_THROW(parse(version::mqtt31, raw({0x90, 3, 0, 1, 0x80})),
                    bad_packet);
}

BOOST_AUTO_TEST_CASE(knows_where_a_packet_ends) {
  const auto whole = publish_with({});
  for (std::size_t size = 0; size < whole.size(); ++size)
    BOOST_TEST(packet_size(whole.substr(0, size)) == 0U);
  BOOST_TEST(packet_size(whole + "more") == whole.size());
  BOOST_CHECK_THROW(packet_size(raw({0x30, 0xFF, 0xFF, 0xFF, 0xFF})),
                    bad_packet);
}

BOOST_AUTO_TEST_CASE(knows_well_formed_text) {
  for (const auto& good : {bytes{}, bytes{"a"}, bytes{"\xC3\xA4"},
                           bytes{"\xEF\xBB\xBF"}, bytes{"\xF4\x8F\xBF\xBF"}})
    BOOST_TEST(is_text(good));
  for (const auto& bad :
       {bytes{"\0", 1}, bytes{"\x80"}, bytes{"\xC0\x80"}, bytes{"\xED\xA0\x80"},
        bytes{"\xF4\x90\x80\x80"}, bytes{"\xE2\x82"}, bytes{"\xFF"}})
    BOOST_TEST(!is_text(bad));
}
