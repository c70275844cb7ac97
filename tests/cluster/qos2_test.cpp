// QoS 2 of durable sessions: both directions, once each.

#include "tests/cluster/test_cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using state = outbound_state::state;

namespace {

const auto each = boost::test_tools::per_element();
const client_ref owner{1, 1, 0};

command claim(const std::string& name, bool clean_start = false) {
  return claim_command{name, owner, clean_start, 100, nullptr};
}

command keep(const std::string& name, std::uint64_t epoch) {
  return release_command{name,  owner,
                         epoch, std::make_shared<session_record>(),
                         100,   release_command::will_fate::publish};
}

/// A PUBLISH as its session sends it to the shard of its topic.
command publish(const std::string& topic, const char* payload,
                std::uint64_t incarnation, std::uint16_t id) {
  publish_command x{make_message(topic, payload, {.qos = qos::exactly_once}),
                    owner, id, 0, true};
  x.inbound = inbound_identity{"c", incarnation, id};
  return x;
}

/// What the topic shard sent on.
std::size_t routed(const lines& from, const char* payload) {
  std::size_t made = 0;
  for (const auto& x : from)
    made += x.starts_with("route ")
                && x.find(text(' ', payload, ' ')) != std::string::npos
              ? 1
              : 0;
  return made;
}

outbound_command note(std::uint64_t epoch, std::vector<outbound_state> states) {
  return {"c", epoch, std::move(states), {}, {}, owner};
}

} // namespace

// ---- inbound ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(mqtt5_4_3_3_10_a_publication_is_applied_once) {
  test_shard shard;
  BOOST_TEST(shard(publish("t", "x", 1, 5))
               == (lines{"route t x 1", "ack 1 5 16"}),
             each);
  // Sent again after a crash: acknowledged, and not published again.
  BOOST_TEST(shard(publish("t", "x", 1, 5)) == lines{"ack 1 5 0"}, each);
  BOOST_TEST(shard(publish("t", "y", 1, 6)).front() == "route t y 2");
  auto other = std::get<publish_command>(publish("t", "z", 1, 5));
  other.inbound->client_id = "d";
  BOOST_TEST(shard(other).front() == "route t z 3");
  // Time alone ends nothing.
  shard.wait(std::chrono::hours{10'000});
  BOOST_TEST(shard(publish("t", "x", 1, 5)) == lines{"ack 1 5 0"}, each);
}

BOOST_AUTO_TEST_CASE(an_identifier_is_free_again_after_its_end) {
  test_shard shard;
  shard(publish("t", "x", 3, 5));
  BOOST_TEST(shard(inbound_end_command{{"c", 2, 5}, owner})
               == lines{"inbound ended 1 5"}, // of an earlier life
             each);
  BOOST_TEST(shard(publish("t", "x", 3, 5)) == lines{"ack 1 5 0"}, each);
  shard(inbound_end_command{{"c", 3, 6}, owner});
  shard(inbound_end_command{{"d", 3, 5}, owner});
  BOOST_TEST(shard(publish("t", "x", 3, 5)) == lines{"ack 1 5 0"}, each);
  BOOST_TEST(shard(inbound_end_command{{"c", 3, 5}, {}}).empty());
  BOOST_TEST(shard(publish("t", "y", 3, 5)).front() == "route t y 2");
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_2_4_an_identifier_is_free_after_clean_start) {
  test_shard shard;
  shard(publish("t", "x", 1, 5));
  BOOST_TEST(shard(publish("t", "y", 2, 5)).front() == "route t y 2");
  BOOST_TEST(shard(publish("t", "y", 2, 5)) == lines{"ack 1 5 0"}, each);
  // What is late of the life before does not free it.
  shard(inbound_end_command{{"c", 1, 5}, owner});
  shard(inbound_forget_command{"c", 1});
  shard(publish("t", "x", 1, 5));
  BOOST_TEST(shard(publish("t", "y", 2, 5)) == lines{"ack 1 5 0"}, each);
}

BOOST_AUTO_TEST_CASE(a_session_that_ended_is_forgotten) {
  durable_shard shard{{.shard = 3}};
  for (std::uint16_t id = 1; id < 4; ++id)
    shard(publish("t", "x", 7, id));
  shard(publish("t", "y", 8, 2));
  auto other = std::get<publish_command>(publish("t", "z", 1, 5));
  other.inbound->client_id = "cc";
  shard(other);
  shard(inbound_forget_command{"c", 7});
  shard.snapshot();
  BOOST_TEST(shard.rows.inbound_publications.size() == 2U);
  BOOST_TEST(shard.rows.inbound_publications.at({"c", 2}) == 8U);
  BOOST_TEST(shard.rows.inbound_publications.at({"cc", 5}) == 1U);
}

BOOST_AUTO_TEST_CASE(a_delayed_publication_is_taken_once) {
  test_shard shard{{.shard = 3, .delayed_max = 2}};
  auto x = std::get<publish_command>(publish("t", "x", 1, 5));
  x.delay_seconds = 10;
  BOOST_TEST(shard(x) == lines{"ack 1 5 0"}, each);
  BOOST_TEST(shard(x) == lines{"ack 1 5 0"}, each);
  BOOST_TEST(shard.state.delayed_count() == 1U);
  auto y = std::get<publish_command>(publish("t", "y", 1, 6));
  y.delay_seconds = 10;
  shard(y);
  auto refused = std::get<publish_command>(publish("t", "z", 1, 7));
  refused.delay_seconds = 10;
  BOOST_TEST(shard(refused) == lines{"ack 1 7 151"}, each);
  BOOST_TEST(shard(x) == lines{"ack 1 5 0"}, each); // it has its place
  // PUBREC said no: the identifier is free [MQTT-4.3.3-9].
  BOOST_TEST(shard(publish("t", "z", 1, 7)).front() == "route t z 1");
  BOOST_TEST(shard.wait(10s) == (lines{"route t x 2", "route t y 3"}), each);
}

BOOST_AUTO_TEST_CASE(the_session_knows_which_identifiers_are_not_free) {
  test_shard shard{{.shard = 0, .shards = 1}};
  shard(claim("c"));
  const auto note_inbound = [&](std::uint16_t id, bool begins) {
    return shard(inbound_command{"c", 1, id, 0, begins, owner});
  };
  BOOST_TEST(note_inbound(5, true) == lines{"begun 1 5"}, each);
  BOOST_TEST(note_inbound(6, true) == lines{"begun 1 6"}, each);
  BOOST_TEST(note_inbound(5, true) == lines{"begun 1 5"}, each);
  BOOST_TEST(note_inbound(5, false) == lines{"forward 0 1 inbound_end c 1 5"},
             each);
  BOOST_TEST(note_inbound(5, false) == lines{"inbound ended 1 5"}, each);
  shard(keep("c", 1));
  shard(claim("c"));
  const auto& record = *shard.effects.grants.back().record;
  BOOST_REQUIRE(record.awaiting_release.size() == 1U);
  BOOST_TEST(record.awaiting_release[0].packet_identifier == 6U);
}

BOOST_AUTO_TEST_CASE(only_who_published_qos2_is_forgotten_everywhere) {
  test_shard shard{{.shard = 0, .shards = 3}};
  shard(claim("c"));
  BOOST_TEST(shard(claim("c", true)) == lines{"granted 1 fresh epoch 2"}, each);
  shard(inbound_command{"c", 2, 5, 1, true, owner});
  shard(inbound_command{"c", 2, 5, 1, false, owner});
  BOOST_TEST(
    shard(claim("c", true))
      == (lines{"forward 0 1 inbound_forget c 2",
                "forward 1 2 inbound_forget c 2",
                "forward 2 1 inbound_forget c 2", "granted 1 fresh epoch 3"}),
    each);
}

BOOST_AUTO_TEST_CASE(an_identifier_is_used_again_for_a_topic_of_another_shard) {
  test_cluster node;
  const auto home = node.shard_of("c");
  const std::uint16_t shards[] = {0, 1, 2, 1, 0};
  node.send(home, claim("c"));
  int number = 0;
  for (const auto shard : shards) {
    const auto topic = node.name_in(shard, "t");
    const auto payload = std::to_string(number++);
    for (int twice = 0; twice < 2; ++twice) // DUP after a crash
      node.send(shard, publish(topic, payload.c_str(), 1, 5));
    node.send(home, inbound_command{"c", 1, 5, shard, true, owner});
    node.send(shard, publish(topic, payload.c_str(), 1, 5));
    BOOST_TEST(routed(node.history[shard], payload.c_str()) == 1U);
    node.send(home, inbound_command{"c", 1, 5, shard, false, owner});
    node.settle();
    BOOST_TEST(node.history[shard].back() == "inbound ended 1 5");
  }
}

BOOST_AUTO_TEST_CASE(clean_start_frees_the_identifiers_in_all_shards) {
  test_cluster node;
  const auto home = node.shard_of("c");
  node.send(home, claim("c"));
  for (std::uint16_t shard = 0; shard < 4; ++shard) {
    node.send(shard, publish(node.name_in(shard, "t"), "x", 1, shard));
    node.send(home, inbound_command{"c", 1, shard, shard, true, owner});
  }
  node.send(home, claim("c", true));
  node.settle();
  for (std::uint16_t shard = 0; shard < 4; ++shard) {
    node[shard].snapshot();
    BOOST_TEST(node[shard].rows.inbound_publications.empty());
  }
}

// ---- outbound --------------------------------------------------------------

BOOST_AUTO_TEST_CASE(outbound_states_are_kept_in_the_order_of_their_sending) {
  test_shard shard{{.shard = 0, .shards = 2}};
  shard(claim("c"));
  auto record = [&, epoch = std::uint64_t{1}]() mutable {
    shard(keep("c", epoch));
    shard(claim("c"));
    ++epoch;
    return describe(*shard.effects.grants.back().record);
  };
  const std::string before = "next 1 subscriptions kept awaiting outbound";
  BOOST_TEST(shard(note(1, {{{1, 7}, 3}, {{0, 7}, 4}})) == lines{"noted 1"},
             each);
  BOOST_TEST(record() == before + " 3:1:7:0 4:0:7:0 cursors");
  shard(note(
    2,
    {{{1, 7}, 3, state::released}, {{0, 9}, 5}, {{0, 7}, 4, state::finished}}));
  BOOST_TEST(record() == before + " 3:1:7:1 4:0:7:2 5:0:9:0 cursors");
  // A new message may have the identifier of one that is finished.
  shard(note(3, {{{1, 8}, 4}}));
  BOOST_TEST(record() == before + " 3:1:7:1 4:0:7:2 5:0:9:0 4:1:8:0 cursors");
  // A message that no shard keeps is as lasting as its process.
  shard(note(4, {{{}, 9}}));
  BOOST_TEST(record() == before + " 3:1:7:1 4:0:7:2 5:0:9:0 4:1:8:0 cursors");
}

BOOST_AUTO_TEST_CASE(outbound_states_go_when_the_cursor_is_behind_them) {
  test_shard shard{{.shard = 0, .shards = 2}};
  shard(claim("c"));
  shard(note(
    1,
    {{{1, 7}, 3, state::finished}, {{0, 7}, 4, state::finished}, {{1, 9}, 5}}));
  BOOST_TEST(shard(checkpoint_command{"c", 1, {}, {{1, 8}}})
               == lines{"forward 1 1 advance c 8"},
             each);
  // A repeated or older cursor moves nothing.
  BOOST_TEST(shard(checkpoint_command{"c", 1, {}, {{1, 8}, {1, 3}}}).empty());
  auto left = std::get<release_command>(keep("c", 1));
  left.record->cursors = {{0, 7}, {1, 8}};
  BOOST_TEST(shard(left) == (lines{"forward 0 1 advance c 7", "released c"}),
             each);
  shard(claim("c"));
  BOOST_TEST(describe(*shard.effects.grants.back().record)
             == "next 1 subscriptions kept awaiting outbound 5:1:9:0 cursors"
                " 1:8 0:7");
}

BOOST_AUTO_TEST_CASE(states_of_kept_messages_go_by_their_identifiers) {
  test_shard shard{{.shard = 0, .shards = 1}};
  shard(claim("c"));
  const auto kept = [](std::uint16_t id, qos level, const char* payload) {
    kept_message made;
    made.packet_identifier = id;
    made.what.qos = level;
    made.what.message = make_message("t", payload);
    return made;
  };
  shard(checkpoint_command{
    "c",
    1,
    {kept(1, qos::exactly_once, "a"), kept(2, qos::at_least_once, "b"),
     kept(3, qos::exactly_once, "c"), kept(0, qos::exactly_once, "d")},
    {}});
  shard(note(1, {{{}, 1, state::released}, {{}, 3, state::finished}}));
  shard(keep("c", 1));
  shard(claim("c"));
  // The owner's record replaces it; what it knew of itself is in the next one.
  BOOST_TEST(describe(*shard.effects.grants.back().record)
             == "next 1 subscriptions kept awaiting outbound cursors");
  auto left = std::get<release_command>(keep("c", 2));
  left.record->kept.push_back(kept(1, qos::exactly_once, "a"));
  left.record->kept.push_back(kept(2, qos::at_least_once, "b"));
  left.record->kept.push_back(kept(3, qos::exactly_once, "c"));
  shard(left);
  shard(claim("c"));
  shard(note(3, {{{}, 1, state::released},
                 {{0, 9}, 2}, // the identifier of a QoS 1 message: not that
                 {{}, 3, state::finished},
                 {{0, 8}, 3}})); // and a new one with a free identifier
  shard(restart_command{});      // as after a crash
  shard(claim("c"));
  BOOST_TEST(describe(*shard.effects.grants.back().record)
             == "next 1 subscriptions kept 1:a:2:1 2:b:1:0 awaiting outbound"
                " 2:0:9:0 3:0:8:0 cursors");
}

BOOST_AUTO_TEST_CASE(what_no_shard_keeps_for_a_session_is_its_own_when_sent) {
  test_shard shard{{.shard = 0, .shards = 2}};
  shard(claim("c"));
  outbound_command sent = note(1, {{{}, 7}, {{}, 8}, {{1, 4}, 9}});
  for (const std::uint16_t id : {7, 8}) {
    auto& made = sent.kept.emplace_back();
    made.packet_identifier = id;
    made.what.qos = qos::exactly_once;
    made.what.message = make_message("t", std::to_string(id));
  }
  sent.taken.push_back({"g", "t", {1, 3}});
  auto again = sent; // a checkpoint may have brought it already
  // The group's shard hears of it by way of the outbox: both or none.
  BOOST_TEST(shard(sent) == (lines{"forward 1 1 done g t 3", "noted 1"}), each);
  shard(again);
  shard(note(1, {{{}, 7, state::released}, {{}, 8, state::finished}}));
  // What its shard kept for it may become its own, too: unsubscribed.
  outbound_command moved = note(1, {});
  auto& made = moved.kept.emplace_back();
  made.packet_identifier = 9;
  made.what.qos = qos::exactly_once;
  made.what.message = make_message("u", "9");
  shard(moved);
  shard(restart_command{}); // as after a crash
  shard(claim("c"));
  BOOST_TEST(describe(*shard.effects.grants.back().record)
             == "next 1 subscriptions kept 7:7:2:1 9:9:2:0 awaiting outbound"
                " cursors");
}

BOOST_AUTO_TEST_CASE(
  a_finished_message_stays_known_when_its_identifier_is_used) {
  // After a crash identifiers are given anew, sooner than cursors move.
  test_shard shard{{.shard = 0, .shards = 2}};
  shard(claim("c"));
  shard(note(1, {{{1, 4}, 3, state::finished}}));
  outbound_command sent = note(1, {{{}, 3}});
  auto& made = sent.kept.emplace_back();
  made.packet_identifier = 3;
  made.what.qos = qos::exactly_once;
  made.what.message = make_message("t", "x");
  shard(sent);
  auto left = std::get<release_command>(keep("c", 1));
  left.record->kept = sent.kept;
  shard(left);
  shard(claim("c"));
  BOOST_TEST(describe(*shard.effects.grants.back().record)
             == "next 1 subscriptions kept 3:x:2:0 awaiting outbound 3:1:4:2"
                " cursors");
}
