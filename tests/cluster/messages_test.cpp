// What a shard keeps for sessions that are away, and for how long.

#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();

struct hold_shape {
  qos maximum_qos = qos::at_least_once;
  std::uint32_t identifier = 0;
  bool no_local = false;
};

command hold(const std::string& who, const std::string& filter,
             const hold_shape& shape = {}) {
  hold_command x;
  x.client_id = who;
  x.subscription.filter = filter;
  x.subscription.options.maximum_qos = shape.maximum_qos;
  x.subscription.options.no_local = shape.no_local;
  x.subscription.identifier = shape.identifier;
  x.who = {1, 1, 0};
  x.token = 9;
  return x;
}

command unhold(const std::string& who, const std::string& filter) {
  auto x = std::get<hold_command>(hold(who, filter));
  x.holds = false;
  return x;
}

command advance(const std::string& who, std::uint64_t sequence) {
  return advance_command{who, sequence};
}

/// The page that a session reads, as text.
std::string fetch(test_shard& shard, const std::string& who,
                  std::uint64_t after = 0, std::size_t limit = 100) {
  return shard(fetch_read{who, {1, 1, 0}, after, limit}).back();
}

void publish(test_shard& shard, const char* topic, const char* payload,
             const message_shape& shape = {}) {
  shard.publish(make_message(topic, payload, shape));
}

} // namespace

// ---- publications ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_3_2_a_publish_is_acknowledged_with_its_token) {
  test_shard shard;
  publish_command x{make_message("t", "x"), {5, 1, 0}, 42, 0, true};
  BOOST_TEST(shard(x) == (lines{"route t x 1", "ack 5 42 16"}), each);
  shard.effects.somebody_listens = true;
  BOOST_TEST(shard(x) == (lines{"route t x 2", "ack 5 42 0"}), each);
  shard.effects.somebody_listens = false;
  shard(hold("away", "t"));
  BOOST_TEST(shard(x) == (lines{"route t x 3", "ack 5 42 0"}), each);
}

BOOST_AUTO_TEST_CASE(a_delayed_publish_waits_and_is_acknowledged_at_once) {
  test_shard shard;
  publish_command x{make_message("t", "x"), {5, 1, 0}, 42, 10, true};
  BOOST_TEST(shard(x) == lines{"ack 5 42 0"}, each);
  BOOST_TEST(shard.state.delayed_count() == 1U);
  BOOST_TEST(shard.wait(9s).empty());
  BOOST_TEST(shard.wait(1s) == lines{"route t x 1"}, each);
  BOOST_TEST(shard.state.delayed_count() == 0U);
  BOOST_TEST(shard.wait(100s).empty());
}

BOOST_AUTO_TEST_CASE(delayed_publishes_are_bounded) {
  test_shard shard({.shard = 3, .delayed_max = 1});
  publish_command x{make_message("t", "x"), {5, 1, 0}, 1, 10, true};
  shard(x);
  BOOST_TEST(shard(x) == lines{"ack 5 1 151"}, each); // quota exceeded
  shard.wait(10s);
  BOOST_TEST(shard(x) == lines{"ack 5 1 0"}, each);
}

BOOST_AUTO_TEST_CASE(an_unlogged_publish_is_for_who_is_there_only) {
  test_shard shard;
  shard(hold("away", "t"));
  publish_command x{
    make_message("t", "x", {.retain = true}), {5, 1, 0}, 42, 0, false};
  BOOST_TEST(shard(x) == (lines{"route t x 0", "ack 5 42 16"}), each);
  shard.effects.somebody_listens = true;
  BOOST_TEST(shard(x) == (lines{"route t x 0", "ack 5 42 0"}), each);
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard.state.retained_count() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_held_by_now_is_logged_though_it_was_not_to_be) {
  test_shard shard;
  const auto unlogged = [](const char* topic, qos level = qos::at_least_once) {
    return publish_command{
      make_message(topic, topic, {.qos = level}), {5, 1, 0}, 1, 0, false};
  };
  const auto logged = [&](std::vector<command> next) {
    shard.state.log_what_is_held(next);
    lines topics;
    for (const auto& x : next)
      if (const auto* publish = std::get_if<publish_command>(&x);
          publish != nullptr && publish->logged)
        topics.push_back(payload_of(*publish->message));
    return topics;
  };
  const std::vector<command> all{unlogged("t/1"), unlogged("t/2"),
                                 unlogged("t/1", qos::at_most_once),
                                 unlogged("u"), unlogged("v")};
  BOOST_TEST(logged(all).empty());
  shard(hold("away", "t/+"));
  shard(hold("away", "u"));
  BOOST_TEST(logged(all) == (lines{"t/1", "t/2", "u"}), each);
  shard(unhold("away", "t/+"));
  BOOST_TEST(logged(all) == lines{"u"}, each);
  shard(unhold("away", "u"));
  BOOST_TEST(logged(all).empty());

  // A hold that is proposed with them, by this shard or by another one.
  forward_command forwarded;
  forwarded.what = std::make_shared<boxed_command>();
  forwarded.what->what = hold("away", "t/+");
  for (const command& x : {hold("away", "t/+"), command{forwarded}})
    BOOST_TEST(logged({unlogged("t/1"), x, unlogged("t/2"),
                       unlogged("t/3", qos::at_most_once)})
                 == lines{"t/2"},
               each);
  BOOST_TEST(logged({unhold("away", "t/+"), unlogged("t/1")}).empty());
}

BOOST_AUTO_TEST_CASE(retained_messages_are_read_with_their_sequences) {
  test_shard shard;
  publish(shard, "a/1", "x", {.retain = true});
  publish(shard, "a/2", "y", {.retain = true});
  publish(shard, "a/3", "z");
  BOOST_TEST(shard(retained_read{"a/+", {7, 1, 0}, 8, {}, 1})
               == lines{"retained 7 8 1 more"},
             each);
  const auto first = shard.effects.retained_pages.back();
  BOOST_TEST(first.rows[0].sequence == 1U);
  BOOST_TEST(shard(retained_read{"a/+", {7, 1, 0}, 8, first.next, 5})
               == lines{"retained 7 8 1 complete"},
             each);
  shard(remove_retained_command{"a/1"});
  BOOST_TEST(shard.state.retained_count() == 1U);
  publish(shard, "a/2", "", {.retain = true});
  BOOST_TEST(shard.state.retained_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_too_large_is_delivered_not_retained) {
  test_shard shard({.shard = 3, .retained_payload_max = 4});
  shard(hold("away", "a"));
  publish(shard, "a", "1234", {.retain = true});
  publish(shard, "a", "12345", {.retain = true});
  BOOST_TEST(shard.state.stored_count() == 2U);
  shard(retained_read{"a", {7, 1, 0}, 8, {}, 5});
  BOOST_TEST(payload_of(*shard.effects.retained_pages.back().rows.at(0).message)
             == "1234");
}

BOOST_AUTO_TEST_CASE(
  retained_messages_are_bounded_and_replacing_needs_no_room) {
  test_shard shard({.shard = 3, .retained_max = 1});
  publish(shard, "a", "1", {.retain = true});
  BOOST_TEST(shard.publish(make_message("b", "1", {.retain = true}))
               == (lines{"dropped 1 1", "route b 1 2"}),
             each);
  publish(shard, "a", "2", {.retain = true});
  BOOST_TEST(shard.state.retained_count() == 1U);
  shard(retained_read{"#", {7, 1, 0}, 8, {}, 5});
  BOOST_TEST(payload_of(*shard.effects.retained_pages.back().rows.at(0).message)
             == "2");
}

// ---- holders and cursors ---------------------------------------------------

BOOST_AUTO_TEST_CASE(a_holder_gets_what_came_after_it_held) {
  test_shard shard;
  publish(shard, "t", "before");
  BOOST_TEST(shard(hold("a", "t")) == lines{"held 1 9 1"}, each);
  publish(shard, "t", "x");
  publish(shard, "u", "not matched");
  publish(shard, "t", "qos0", {.qos = qos::at_most_once});
  publish(shard, "t", "y");
  BOOST_TEST(fetch(shard, "a") == "fetched 1 to 5 complete 2:x 5:y");
  BOOST_TEST(fetch(shard, "a", 2) == "fetched 1 to 5 complete 5:y");
  BOOST_TEST(fetch(shard, "stranger") == "fetched 1 to 5 complete");
}

BOOST_AUTO_TEST_CASE(a_message_is_kept_until_all_cursors_are_behind_it) {
  test_shard shard;
  shard(hold("a", "t"));
  shard(hold("b", "t"));
  for (const auto* x : {"1", "2", "3"})
    publish(shard, "t", x);
  shard(advance("a", 3));
  BOOST_TEST(shard.state.stored_count() == 3U);
  shard(advance("b", 1));
  BOOST_TEST(shard.state.stored_count() == 2U);
  shard(advance("b", 1)); // a repeated one changes nothing
  shard(advance("b", 0)); // nor does an old one
  BOOST_TEST(fetch(shard, "b") == "fetched 1 to 3 complete 2:2 3:3");
  BOOST_TEST(fetch(shard, "a") == "fetched 1 to 3 complete");
  shard(advance("b", 3));
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard.state.stored_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(the_slowest_holder_gone_its_messages_go_too) {
  test_shard shard;
  shard(hold("a", "t"));
  shard(hold("b", "t"));
  publish(shard, "t", "1");
  publish(shard, "t", "2");
  shard(advance("a", 1));
  shard(unhold("b", "t"));
  BOOST_TEST(shard.state.stored_count() == 1U);
  shard(unhold("a", "t"));
  BOOST_TEST(shard.state.stored_count() == 0U);
  BOOST_TEST(shard.state.stored_bytes() == 0U);
  publish(shard, "t", "3");
  BOOST_TEST(shard.state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_message_of_several_filters_is_stored_once) {
  test_shard shard;
  shard(hold("a", "t/#"));
  shard(hold("b", "t/+"));
  publish(shard, "t/x", "1");
  BOOST_TEST(shard.state.stored_count() == 1U);
  shard(advance("a", 1));
  BOOST_TEST(shard.state.stored_count() == 1U);
  shard(advance("b", 1));
  BOOST_TEST(shard.state.stored_count() == 0U);
}

BOOST_AUTO_TEST_CASE(holding_again_changes_options_and_keeps_the_place) {
  test_shard shard;
  shard(hold("a", "t", {.identifier = 1}));
  publish(shard, "t", "1", {.qos = qos::exactly_once});
  shard(hold("a", "t", {.maximum_qos = qos::exactly_once, .identifier = 7}));
  BOOST_TEST(fetch(shard, "a") == "fetched 1 to 1 complete 1:1");
  const auto& got = shard.effects.pages.back().messages.at(0);
  BOOST_TEST(got.subscription_identifier == 7U);
  BOOST_TEST((got.qos == qos::exactly_once));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_4_2_overlapping_filters_merge_by_sequence) {
  test_shard shard;
  shard(hold("a", "t/#", {.identifier = 1}));
  shard(hold("a", "t/+", {.maximum_qos = qos::exactly_once, .identifier = 2}));
  shard(hold("a", "t/x"));
  publish(shard, "t/y/z", "1", {.qos = qos::exactly_once});
  publish(shard, "t/x", "2", {.qos = qos::exactly_once});
  publish(shard, "t/y", "3");
  BOOST_TEST(fetch(shard, "a") == "fetched 1 to 3 complete 1:1 2:2 3:3");
  const auto& got = shard.effects.pages.back().messages;
  BOOST_TEST((got[0].qos == qos::at_least_once));
  BOOST_TEST((got[1].qos == qos::exactly_once));  // the highest of all
  BOOST_TEST((got[2].qos == qos::at_least_once)); // not above the message's
  BOOST_TEST(!got[0].more_identifiers);
  std::vector<std::uint32_t> ids{got[1].subscription_identifier};
  ids.insert(ids.end(), got[1].more_identifiers->begin(),
             got[1].more_identifiers->end());
  std::sort(ids.begin(), ids.end());
  BOOST_TEST(ids == (std::vector<std::uint32_t>{1, 2}), each);
}

BOOST_AUTO_TEST_CASE(pages_of_any_size_give_everything_once_and_in_order) {
  test_shard shard;
  for (const auto* filter : {"t/#", "t/+", "t/0", "t/1"})
    shard(hold("a", filter));
  std::string wanted;
  for (int i = 0; i < 20; ++i) {
    publish(shard, ("t/" + std::to_string(i % 3)).c_str(),
            std::to_string(i).c_str());
    wanted += ' ' + std::to_string(i + 1) + ':' + std::to_string(i);
  }
  for (std::size_t limit = 1; limit < 25; ++limit) {
    std::string all;
    std::uint64_t after = 0;
    bool complete = false;
    while (!complete) {
      fetch(shard, "a", after, limit);
      const auto& page = shard.effects.pages.back();
      BOOST_TEST(page.messages.size() <= limit);
      for (const auto& x : page.messages)
        all += ' ' + std::to_string(x.position.sequence) + ':'
               + payload_of(*x.message);
      BOOST_REQUIRE((page.complete || page.up_to > after));
      after = page.up_to;
      complete = page.complete;
    }
    BOOST_TEST(all == wanted);
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_3_8_3_3_no_local_skips_the_own_messages) {
  test_shard shard;
  shard(hold("a", "t", {.no_local = true}));
  publish(shard, "t", "mine", {.publisher = "a"});
  publish(shard, "t", "other", {.publisher = "b"});
  BOOST_TEST(fetch(shard, "a") == "fetched 1 to 2 complete 2:other");
}

BOOST_AUTO_TEST_CASE(what_expired_is_skipped_and_counted_once) {
  test_shard shard;
  shard(hold("a", "t"));
  shard(hold("a", "+")); // the same messages by another filter
  for (int i = 0; i < 6; ++i)
    publish(
      shard, "t", std::to_string(i).c_str(),
      {.expiry = i % 2 == 0 ? std::optional<std::uint32_t>{10} : std::nullopt});
  shard.now += 10s;
  std::size_t expired = 0;
  std::uint64_t after = 0;
  std::string got;
  for (bool complete = false; !complete;) {
    for (const auto& line : shard(fetch_read{"a", {1, 1, 0}, after, 1}))
      if (line.starts_with("dropped 3 "))
        expired += std::stoul(line.substr(10));
    const auto& page = shard.effects.pages.back();
    for (const auto& x : page.messages)
      got += payload_of(*x.message);
    after = page.up_to;
    complete = page.complete;
  }
  BOOST_TEST(got == "135");
  BOOST_TEST(expired == 3U);
}

BOOST_AUTO_TEST_CASE(stored_messages_are_bounded_by_bytes) {
  const auto size = make_message("t", "0")->memory();
  test_shard shard({.shard = 3, .stored_bytes_max = 3 * size});
  shard(hold("a", "t"));
  shard(hold("b", "t"));
  for (const auto* x : {"0", "1", "2"})
    publish(shard, "t", x);
  shard(advance("a", 1));
  BOOST_TEST(shard.publish(make_message("t", "3"))
               == (lines{"dropped 1 1", "route t 3 4"}), // b did not have it
             each);
  BOOST_TEST(shard.publish(make_message("t", "4"))
               == (lines{"dropped 1 2", "route t 4 5"}),
             each);
  BOOST_TEST(shard.state.stored_bytes() == 3 * size);
  BOOST_TEST(fetch(shard, "b") == "fetched 1 to 5 complete 3:2 4:3 5:4");
  shard(unhold("a", "t"));
  shard(unhold("b", "t"));
  BOOST_TEST(shard.state.stored_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(filters_are_kept_from_their_first_holder_to_their_last) {
  test_shard shard;
  shard(hold("a", "t"));
  shard(hold("b", "t"));
  shard(hold("a", "u/+"));
  BOOST_TEST(
    shard.effects.kept_filters == (std::set<std::string>{" t", " u/+"}), each);
  shard(unhold("a", "t"));
  shard(unhold("a", "t"));
  shard(unhold("a", "u/+"));
  BOOST_TEST(shard.effects.kept_filters == std::set<std::string>{" t"}, each);
  shard(unhold("b", "t"));
  BOOST_TEST(shard.effects.kept_filters.empty());
}

BOOST_AUTO_TEST_CASE(just_some_messages_are_read_that_a_session_asks_for) {
  test_shard shard;
  shard(hold("a", "t"));
  for (const auto* x : {"1", "2", "3", "4"})
    publish(shard, "t", x);
  publish(shard, "u", "not matched");
  fetch_read some{"a", {1, 1, 0}, 0, 9, {2, 4, 5, 7}};
  BOOST_TEST(shard(some) == lines{"fetched 1 to 5 complete only 2:2 4:4"},
             each);
  shard(advance("a", 2));
  BOOST_TEST(shard(some) == lines{"fetched 1 to 5 complete only 4:4"}, each);
}
