#include "bench/load/histogram.hpp"
#include "bench/load/publish_template.hpp"
#include "bench/load/send_window.hpp"
#include "bench/load/sequence.hpp"
#include "bench/load/socket.hpp"
#include "bench/load/writer_set.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace troupe::bench;

namespace {

std::vector<std::uint8_t> copy(const out_buffer& out) {
  return {out.view().begin(), out.view().end()};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_quantile_is_within_one_percent_of_the_sorted_values) {
  std::mt19937_64 random{7};
  std::lognormal_distribution<double> latencies{12, 2};
  histogram all;
  std::vector<std::int64_t> sorted(100'000);
  for (auto& each : sorted) {
    each = static_cast<std::int64_t>(latencies(random));
    all.record(each);
  }
  std::sort(sorted.begin(), sorted.end());
  for (const auto share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(share * 100'000) - 1;
    BOOST_TEST(all.quantile_us(share)
                 == static_cast<double>(sorted[rank]) / 1e3,
               boost::test_tools::tolerance(0.01));
  }
  BOOST_TEST(all.max_us() == static_cast<double>(sorted.back()) / 1e3);
  BOOST_TEST(all.quantile_us(1.0) == all.max_us());
}

BOOST_AUTO_TEST_CASE(merged_histograms_are_as_one) {
  histogram one;
  histogram other;
  histogram both;
  for (std::int64_t i = 1; i < 1'000'000; i = i * 5 / 4 + 1) {
    (i % 2 == 0 ? one : other).record(i);
    both.record(i);
  }
  one.merge(other);
  BOOST_TEST(one.total() == both.total());
  BOOST_TEST(one.mean_us() == both.mean_us());
  for (const auto share : {0.1, 0.5, 0.99})
    BOOST_TEST(one.quantile_us(share) == both.quantile_us(share));
}

BOOST_AUTO_TEST_CASE(an_empty_histogram_says_zero) {
  const histogram none;
  BOOST_TEST(none.quantile_us(0.99) == 0);
  BOOST_TEST(none.mean_us() == 0);
}

BOOST_AUTO_TEST_CASE(a_late_message_is_no_duplicate_and_a_duplicate_not_late) {
  using enum arrival_kind;
  sequence_check check;
  BOOST_CHECK(check.arrived(0) == in_order);
  BOOST_CHECK(check.arrived(0) == duplicate);
  BOOST_CHECK(check.arrived(3) == in_order); // 1 and 2 are missing
  BOOST_CHECK(check.arrived(2) == out_of_order);
  BOOST_CHECK(check.arrived(2) == duplicate);
  BOOST_CHECK(check.arrived(3) == duplicate);
  BOOST_CHECK(check.arrived(1) == out_of_order);
  BOOST_CHECK(check.arrived(4) == in_order);
  BOOST_TEST(check.next() == 5U);
}

BOOST_AUTO_TEST_CASE(gaps_at_the_edge_of_the_history_are_remembered) {
  using enum arrival_kind;
  sequence_check check;
  BOOST_CHECK(check.arrived(0) == in_order);
  BOOST_CHECK(check.arrived(63) == in_order);
  BOOST_CHECK(check.arrived(0) == duplicate);
  BOOST_CHECK(check.arrived(1) == out_of_order);
  BOOST_CHECK(check.arrived(1'000) == in_order);
  BOOST_CHECK(check.arrived(937) == out_of_order);
  BOOST_CHECK(check.arrived(936) == duplicate); // too old to know
}

BOOST_AUTO_TEST_CASE(a_window_never_holds_an_identifier_twice) {
  send_window window{20};
  std::mt19937 random{11};
  std::vector<std::uint16_t> open;
  for (int i = 0; i < 500'000; ++i) {
    if (window.can_open()) {
      const auto id = window.open();
      BOOST_REQUIRE(id != 0);
      BOOST_REQUIRE(std::find(open.begin(), open.end(), id) == open.end());
      open.push_back(id);
      BOOST_REQUIRE(open.size() <= 20);
    }
    if (random() % 2 == 0 || !window.can_open()) {
      // Mostly the oldest, now and then any.
      const auto at =
        random() % 8 == 0 ? random() % open.size() : std::size_t{0};
      BOOST_REQUIRE(window.close(open[at]));
      BOOST_REQUIRE(!window.close(open[at]));
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_window_shrinks_to_what_the_server_accepts) {
  send_window window{20};
  window.restrict_to(2);
  window.restrict_to(5);
  window.open();
  window.open();
  BOOST_TEST(!window.can_open());
}

BOOST_AUTO_TEST_CASE(a_template_is_a_publish_with_its_numbers) {
  const publish_template qos1{protocol_version::mqtt_5_0, "a/b", 1, 18};
  out_buffer out;
  qos1.append(out, {.stream = 1, .sequence = 2, .stamp = 3}, 0x1234);
  const std::vector<std::uint8_t> expected{
    0x32, 26,                           // PUBLISH, QoS 1, Remaining Length
    0,    3,    'a', '/', 'b',          // Topic Name
    0x12, 0x34,                         // Packet Identifier
    0,                                  // no properties
    1,    0,    0,   0,                 // stream
    2,    0,    0,   0,                 // sequence
    3,    0,    0,   0,   0,   0, 0, 0, // stamp
    'x',  'x'};
  BOOST_TEST(copy(out) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_topic_made_on_the_spot_gives_the_same_packet) {
  for (const auto version :
       {protocol_version::mqtt_3_1_1, protocol_version::mqtt_5_0})
    for (const std::size_t payload : {16, 64, 127, 128, 20'000}) {
      const std::string topic = "bank/b1/o2/atm/d3/state";
      const payload_header header{.stream = 7, .sequence = 8, .stamp = 9};
      out_buffer from_template;
      publish_template{version, topic, 0, payload}.append(from_template, header,
                                                          0);
      out_buffer direct;
      const std::vector<std::uint8_t> filling(payload - payload_min, 'x');
      append_publish(
        direct, version, topic.size() + 40,
        [&](char* to) { return topic.copy(to, topic.size()); }, header,
        filling);
      BOOST_TEST(copy(direct) == copy(from_template),
                 boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(a_retained_publish_made_on_the_spot) {
  const std::string topic = "r/0/7";
  out_buffer out;
  append_publish(out, protocol_version::mqtt_5_0, topic.size(),
                 [&](char* to) { return topic.copy(to, topic.size()); },
                 {.stream = 1, .sequence = 2, .stamp = 3}, {},
                 {.qos = 1, .retain = true, .packet_id = 0x1234});
  const std::vector<std::uint8_t> expected{
    0x33, 26,                               // PUBLISH, QoS 1, RETAIN, length
    0,    5,    'r', '/', '0', '/', '7',    // Topic Name
    0x12, 0x34,                             // Packet Identifier
    0,                                      // no properties
    1,    0,    0,   0,                     // stream
    2,    0,    0,   0,                     // sequence
    3,    0,    0,   0,   0,   0,   0,   0, // stamp
  };
  BOOST_TEST(copy(out) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_connect_says_whether_its_session_is_durable) {
  const auto connect = [](protocol_version version, std::uint32_t expiry) {
    out_buffer out;
    append_connect(out, {.version = version,
                         .client_id = "c",
                         .keep_alive = 0x0102,
                         .user = {},
                         .password = {},
                         .session_expiry = expiry});
    return copy(out);
  };
  using bytes = std::vector<std::uint8_t>;
  const bytes clean{0x10, 13,                     // CONNECT, Remaining Length
                    0,    4,  'M', 'Q', 'T', 'T', // Protocol Name
                    4,                            // Protocol Version
                    0x02,                         // Clean Session
                    1,    2,                      // Keep Alive
                    0,    1,  'c'};               // Client Identifier
  BOOST_TEST(connect(protocol_version::mqtt_3_1_1, 0) == clean,
             boost::test_tools::per_element());
  const bytes durable{0x10, 19,   0,  4, 'M', 'Q', 'T', 'T',
                      5,                         // Protocol Version
                      0,                         // no Clean Start
                      1,    2,                   // Keep Alive
                      5,    0x11, 0,  1, 2,   3, // Session Expiry Interval
                      0,    1,    'c'};          // Client Identifier
  BOOST_TEST(connect(protocol_version::mqtt_5_0, 0x010203) == durable,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(writers_deal_out_the_topics) {
  std::vector<client> clients(3);
  writer_set writers;
  for (auto& c : clients)
    writers.add(c, 30);
  std::vector<std::uint32_t> next(8);
  for (auto& c : clients)
    writers.fill(
      c,
      [&](const writer& from) {
        return from.written < writers.share(from, 8) * 2;
      },
      [&](const writer& from, std::uint16_t, std::int64_t) {
        const auto item = writers.next(from, 8);
        BOOST_REQUIRE(item.topic < 8);
        BOOST_TEST(item.sequence == next[item.topic]++);
      });
  BOOST_TEST(next == std::vector<std::uint32_t>(8, 2),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_connack_of_mqtt_5_says_the_receive_maximum) {
  const std::vector<std::uint8_t> body{0,    0,     // flags, reason
                                       9,           // property length
                                       0x24, 1,     // Maximum QoS
                                       0x21, 0, 10, // Receive Maximum
                                       0x22, 0, 5,  // Topic Alias Maximum
                                       0x2A};       // cut off
  const auto whole = bytes_view{body}.first(11);
  BOOST_TEST(decode_connack(bytes_view{body}, protocol_version::mqtt_5_0).reason
             == 0xFF);
  auto good = std::vector<std::uint8_t>(whole.begin(), whole.end());
  good[2] = 8;
  const auto answer = decode_connack(good, protocol_version::mqtt_5_0);
  BOOST_TEST(answer.reason == 0);
  BOOST_TEST(answer.receive_maximum == 10);
  for (std::size_t i = 0; i < good.size(); ++i) // every proper prefix
    if (i != 2)
      BOOST_TEST(
        decode_connack(bytes_view{good}.first(i), protocol_version::mqtt_5_0)
          .reason
        == 0xFF);
}

BOOST_AUTO_TEST_CASE(sources_are_addresses_and_ranges_of_them) {
  BOOST_TEST(parse_sources("").empty());
  BOOST_TEST(parse_sources("127.0.0.2").size() == 1U);
  BOOST_TEST(parse_sources("127.0.0.2-127.0.0.9,127.0.1.1").size() == 9U);
  BOOST_TEST(parse_sources("::1").size() == 1U);
  BOOST_CHECK_THROW(parse_sources("localhost"), run_error);
  BOOST_CHECK_THROW(parse_sources("127.0.0.2-"), run_error);
}
