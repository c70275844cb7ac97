#include "tests/conformance/scenarios.hpp"
#include "tests/support/shared_brokers.hpp"

using namespace troupe::test;

namespace {

constexpr auto v = version::mqtt5;

using enum property_id;

/// A broker with the method of the tests: "begin", "response-1" and
/// "response-2" are the right data, in this order.
broker& server_with_method() { return broker_with({"auth.test_method=true"}); }

/// The client's AUTH within an authentication.
bytes answer(std::string_view data) {
  return auth(code::continue_authentication,
              prop::authentication_method("TROUPE-TEST")
                + prop::authentication_data(data));
}

/// The client's AUTH that starts another one.
bytes re_authentication(std::string_view data) {
  return auth(code::re_authenticate, prop::authentication_method("TROUPE-TEST")
                                       + prop::authentication_data(data));
}

/// A client whose CONNECT names the method.
client begun(std::string_view data = "begin") {
  client c{v, server_with_method()};
  c.send(connect(v, {.client_id = unique("c"),
                     .properties = prop::authentication_method("TROUPE-TEST")
                                   + prop::authentication_data(data)}));
  return c;
}

client authenticated() {
  auto c = begun();
  c.expect(AUTH);
  c.send(answer("response-1"));
  c.expect(AUTH);
  c.send(answer("response-2"));
  if (c.expect(CONNACK).reason != code::success)
    throw unexpected{"the right answers are refused"};
  return c;
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_15_1_1_closes_on_wrong_auth_flags) {
  for (const auto flags : {1U, 2U, 8U}) {
    auto c = authenticated();
    c.send(with_flags(re_authentication("begin"), flags));
    c.expect_disconnect({code::malformed});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_15_2_1_sends_and_takes_listed_auth_codes_only) {
  for (const auto other : {0x01U, 0x04U, 0x17U, 0x80U, 0x87U, 0xFFU}) {
    auto c = authenticated();
    c.send(auth(other, prop::authentication_method("TROUPE-TEST")
                         + prop::authentication_data("begin")));
    c.expect_disconnect({code::malformed, code::protocol_error});
  }
  auto c = authenticated(); // the decoder knows the table
  c.send(re_authentication("begin"));
  BOOST_TEST(c.expect(AUTH).reason == code::continue_authentication);
  c.send(answer("response-1"));
  BOOST_TEST(c.expect(AUTH).reason == code::continue_authentication);
  c.send(answer("response-2"));
  BOOST_TEST(c.expect(AUTH).reason == code::success);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_1_refuses_an_unknown_method) {
  for (auto* server : {&default_broker(), &server_with_method()}) {
    client c{v, *server};
    c.send(connect(v, {.client_id = unique("c"),
                       .properties = prop::authentication_method("UNKNOWN")
                                     + prop::authentication_data("begin")}));
    c.expect_refused({code::bad_authentication_method, code::not_authorized});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_2_asks_for_more_by_0x18) {
  auto c = begun();
  const auto first = c.expect(AUTH);
  BOOST_TEST(first.reason == code::continue_authentication);
  BOOST_TEST(first.text(authentication_data).value_or("") == "challenge-1");
  c.send(answer("response-1"));
  const auto second = c.expect(AUTH);
  BOOST_TEST(second.reason == code::continue_authentication);
  BOOST_TEST(second.text(authentication_data).value_or("") == "challenge-2");
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_3_wants_answers_with_0x18) {
  for (const auto other : {code::success, code::re_authenticate}) {
    auto c = begun();
    c.expect(AUTH);
    c.send(auth(other, prop::authentication_method("TROUPE-TEST")
                         + prop::authentication_data("response-1")));
    c.expect_refused({code::malformed, code::protocol_error});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_4_may_refuse_at_each_step) {
  auto at_once = begun("wrong");
  at_once.expect_refused({code::not_authorized});
  auto first = begun();
  first.expect(AUTH);
  first.send(answer("wrong"));
  first.expect_refused({code::not_authorized});
  auto second = begun();
  second.expect(AUTH);
  second.send(answer("response-1"));
  second.expect(AUTH);
  second.send(answer("response-1"));
  second.expect_refused({code::not_authorized});
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_5_repeats_the_method_in_every_packet) {
  const auto method = [](const packet& in) {
    return in.text(authentication_method).value_or("");
  };
  auto c = begun();
  BOOST_TEST(method(c.expect(AUTH)) == "TROUPE-TEST");
  c.send(answer("response-1"));
  BOOST_TEST(method(c.expect(AUTH)) == "TROUPE-TEST");
  c.send(answer("response-2"));
  const auto last = c.expect(CONNACK);
  BOOST_TEST(last.reason == code::success);
  BOOST_TEST(method(last) == "TROUPE-TEST");
  // And so must the client.
  auto other = begun();
  other.expect(AUTH);
  other.send(auth(code::continue_authentication,
                  prop::authentication_method("OTHER")
                    + prop::authentication_data("response-1")));
  other.expect_refused({code::protocol_error, code::bad_authentication_method,
                        code::not_authorized});
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_6_sends_no_auth_to_who_named_no_method) {
  client c{v, server_with_method()};
  c.send(connect(v, {.client_id = unique("c")}));
  const auto in = c.receive();
  BOOST_TEST(in.type == CONNACK);
  BOOST_TEST(!in.has(authentication_method));
  c.expect_quiet();
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_0_7_closes_on_auth_of_who_named_no_method) {
  for (const auto& packet :
       {re_authentication("begin"), answer("response-1"), framed(0xF0, "")}) {
    auto c = connected({}, server_with_method());
    c.send(packet);
    c.expect_disconnect({code::protocol_error});
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_1_1_authenticates_again_by_the_same_method) {
  auto c = authenticated();
  c.send(re_authentication("begin"));
  c.expect(AUTH);
  c.ping(); // the connection goes on meanwhile
  c.send(answer("response-1"));
  c.expect(AUTH);
  c.send(answer("response-2"));
  const auto last = c.expect(AUTH);
  BOOST_TEST(last.reason == code::success);
  BOOST_TEST(last.text(authentication_method).value_or("") == "TROUPE-TEST");
  c.send(auth(code::re_authenticate, prop::authentication_method("OTHER")
                                       + prop::authentication_data("begin")));
  c.expect_disconnect({code::protocol_error});
}

BOOST_AUTO_TEST_CASE(mqtt5_4_12_1_2_closes_after_a_failed_re_authentication) {
  auto at_once = authenticated();
  at_once.send(re_authentication("wrong"));
  at_once.expect_disconnect({code::not_authorized});
  auto later = authenticated();
  later.send(re_authentication("begin"));
  later.expect(AUTH);
  later.send(answer("wrong"));
  later.expect_disconnect({code::not_authorized});
}
