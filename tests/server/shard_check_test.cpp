// What is said of rows that do not agree with each other.

#include "cluster/retained_scan.hpp"
#include "server/shard_check.hpp"
#include "storage/keys.hpp"
#include "tests/cluster/memory_rows.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace std::chrono_literals;
using troupe::server::shard_check;
using troupe::test::memory_rows;
using lines = std::vector<std::string>;

namespace {

constexpr std::uint16_t shard = 3;
constexpr time_point now{100h};
const time_base times{now, 1'767'225'600'123};

message_ptr message_of(const std::string& topic, bool expires = false) {
  troupe::protocol::message_options made;
  made.topic = topic;
  made.received_at = now;
  if (expires)
    made.message_expiry_interval = 0xFFFF'FFFF;
  return troupe::protocol::message::make(made);
}

/// A shard of 50 messages: "home" has an owner, "away" has none. Both hold
/// filter 1, "away" also 2 of a group; filter 7 is gone and left a page.
struct sound_shard {
  memory_rows rows;
  applied_row at;
  session_row away;
  session_row home;

  template <class F>
  sound_shard& write(F&& f) {
    row_collector out{shard, times};
    f(out);
    rows.write(out.take());
    return *this;
  }
  sound_shard() {
    at.index = 1'000;
    at.now = now;
    at.sequence = 50;
    at.last_epoch = 9;
    at.next_filter = 8;
    at.next_delayed = 5;
    at.sessions = 2;
    at.offline = at.retained = at.delayed = 1;
    at.backlog = 77; // wrong, as it may be
    home.epoch = 9;
    home.owned = true;
    home.record = std::make_shared<session_record>();
    away.epoch = 8;
    away.expires = now + 24h * 365 * 130;
    away.will_due = now + 1h;
    away.will = std::make_shared<will_record>();
    away.will->message = message_of("will");
    away.record = std::make_shared<session_record>();
    write([&](row_collector& out) {
      out.applied(at);
      out.session("home", &home);
      out.session("away", &away);
      out.owned("home", true);
      const filter_row all{1, 2};
      out.filter({"", "#"}, &all);
      const filter_row shared{2, 1};
      out.filter({"g", "a/b"}, &shared);
      const filter_row exact{3, 1};
      out.filter({"", "a/b"}, &exact);
      hold(out, "home", 1, 45);
      hold(out, "home", 3, 10);
      hold(out, "away", 1, 20);
      hold(out, "away", 2, 10);
      move(out, "away", 40);
      const group_row group{30, {29}, {33}};
      out.group(2, &group);
      // 39 is done with for filter 1, its row may be gone. 29 is not for 2.
      put_page(out, 1, {{38, message_of("a/b")}, {39, {}}, {41, {}}});
      put_page(out, 2, {{28, {}}, {29, {}}, {41, {}}});
      put_page(out, 7, {{12, {}}});
      list(out, 29, {1, 2});
      list(out, 41, {1, 2, 7});
      retain(out, "a/b", 44);
      out.timer({now + 5s, timer_kind::delayed,
                 troupe::storage::key_of(std::uint64_t{4})},
                true, message_of("later"));
      out.timer({away.expires, timer_kind::session, "away"}, true, {});
      out.timer({away.will_due, timer_kind::will, "away"}, true, {});
      // Of a message that was replaced.
      out.timer({now + 7s, timer_kind::retained, retained_key("a/b")}, true,
                {});
    });
  }
  static void hold(row_collector& out, const std::string& client_id,
                   std::uint32_t filter, std::uint64_t start) {
    const holder_row x{start, {}, 0};
    out.holder(client_id, filter, &x);
  }
  static void move(row_collector& out, const std::string& client_id,
                   std::uint64_t cursor) {
    out.holder_cursor(client_id, &cursor);
  }
  static void put_page(row_collector& out, std::uint32_t filter,
                       std::vector<page_row::entry> entries) {
    const page_row x{std::move(entries)};
    out.page(filter, x.entries.back().sequence, &x);
  }
  static void list(row_collector& out, std::uint64_t sequence,
                   std::vector<std::uint32_t> filters) {
    const message_row x{message_of("a/b"), std::move(filters)};
    out.message(sequence, &x);
  }
  static void retain(row_collector& out, const std::string& topic,
                     std::uint64_t sequence) {
    const retained_row x{message_of(topic, true), sequence};
    out.retained(retained_key(topic), &x);
    out.timer(
      {x.message->expires_at(), timer_kind::retained, retained_key(topic)},
      true, {});
  }

  lines problems() const {
    shard_check check{rows, shard};
    check.run();
    auto all = check.problems();
    for (auto& x : all) {
      BOOST_TEST(x.substr(0, 9) == "shard 3: ");
      x.erase(0, 9);
    }
    return all;
  }
};

/// What is said after `change`, which writes rows.
template <class F>
lines after(F&& change) {
  sound_shard x;
  x.write([&](row_collector& out) { change(out, x); });
  return x.problems();
}

void is(const lines& found, const lines& wanted) {
  BOOST_TEST(found == wanted, boost::test_tools::per_element());
}

} // namespace

BOOST_AUTO_TEST_CASE(a_sound_shard_has_no_problems) {
  const sound_shard x;
  is(x.problems(), {});
  shard_check check{x.rows, shard};
  check.run();
  BOOST_TEST(check.applied() == 1'000U);
  shard_check other{x.rows, 4};
  other.run();
  BOOST_TEST(other.applied() == 0U);
  BOOST_TEST(other.problems().empty());
}

BOOST_AUTO_TEST_CASE(a_shard_must_say_where_it_stands) {
  sound_shard x;
  x.rows.erase(row_family::applied, applied_key(shard));
  is(x.problems(), {"it has rows, but not the one that says where it stands"});
}

BOOST_AUTO_TEST_CASE(a_row_that_cannot_be_read_ends_the_check) {
  sound_shard x;
  x.rows.put(row_family::inbound, inbound_key(shard, "c", 1), "x");
  BOOST_CHECK_THROW(x.problems(), record_error);
}

BOOST_AUTO_TEST_CASE(filters_have_numbers_of_their_own) {
  is(after([](row_collector& out, auto&) {
       const filter_row late{8, 1};
       out.filter({"", "late"}, &late);
       sound_shard::hold(out, "home", 8, 1);
     }),
     {"filter late has number 8, which is still to be given"});
  is(after([](row_collector& out, auto&) {
       const filter_row twice{3, 1};
       out.filter({"", "twice"}, &twice);
     }),
     {"filter twice has number 3, which another one has"});
}

BOOST_AUTO_TEST_CASE(filters_and_holders_know_each_other) {
  is(after([](row_collector& out, auto&) { out.holder("home", 1, nullptr); }),
     {"filter 1 has 2 holders, there are rows of 1"});
  is(after([](row_collector& out, auto&) {
       out.filter({"", "a/b"}, nullptr);
     }),
     {"home holds filter 3, which is not there"});
  is(after([](row_collector& out, auto&) {
       const filter_row none{3, 0};
       out.filter({"", "a/b"}, &none);
       out.holder("home", 3, nullptr);
     }),
     {"filter 3 has no holder"});
}

BOOST_AUTO_TEST_CASE(nobody_is_beyond_the_last_message) {
  is(after(
       [](row_collector& out, auto&) { sound_shard::move(out, "away", 51); }),
     {"away is done up to message 51, the last one is 50"});
  is(after([](row_collector& out, auto&) {
       sound_shard::hold(out, "home", 3, 51);
     }),
     {"home holds filter 3 behind message 51, the last one is 50"});
  is(after([](row_collector& out, auto&) {
       const group_row group{30, {29}, {52}};
       out.group(2, &group);
     }),
     {"the group of filter 2 is done up to message 52, the last one is 50"});
  is(after([](row_collector& out, auto&) { sound_shard::list(out, 53, {}); }),
     {"there is message 53, the last one is 50"});
  is(after([](row_collector& out, auto&) {
       sound_shard::put_page(out, 7, {{54, {}}});
     }),
     {"a page of filter 7 has message 54, the last one is 50"});
  is(after(
       [](row_collector& out, auto&) { sound_shard::retain(out, "a/b", 55); }),
     {"retained message of a/b is message 55, the last one is 50"});
}

BOOST_AUTO_TEST_CASE(shared_filters_have_groups_and_no_others) {
  is(after([](row_collector& out, auto&) { out.group(2, nullptr); }),
     {"filter 2 is shared and has no row of its group"});
  is(after([](row_collector& out, auto&) {
       const group_row group{};
       out.group(1, &group);
       out.group(6, &group);
     }),
     {"there is a group of filter 1, which is not shared",
      "there is a group of filter 6, which is not there"});
}

BOOST_AUTO_TEST_CASE(messages_that_somebody_needs_are_there) {
  is(after([](row_collector& out, auto&) { out.message(41, nullptr); }),
     {"filter 1 needs message 41, which is not there",
      "filter 2 needs message 41, which is not there"});
  is(after([](row_collector& out, auto&) {
       sound_shard::list(out, 41, {1, 7});
     }),
     {"filter 2 needs message 41, which does not know of it"});
  is(after([](row_collector& out, auto&) { out.message(29, nullptr); }),
     {"filter 2 needs message 29, which is not there"});
  // As soon as everybody is done with it nobody does.
  is(after([](row_collector& out, auto&) {
       out.message(41, nullptr);
       out.message(29, nullptr);
       sound_shard::move(out, "away", 41);
       const group_row group{45, {}, {}};
       out.group(2, &group);
     }),
     {});
}

BOOST_AUTO_TEST_CASE(owned_sessions_are_known_as_such) {
  is(after([](row_collector& out, auto&) { out.owned("home", false); }),
     {"home has an owner, but is not among those that have"});
  is(after([](row_collector& out, auto&) { out.owned("away", true); }),
     {"away is owned, but its session says that it is not"});
  is(after([](row_collector& out, auto&) { out.owned("nobody", true); }),
     {"nobody is owned, but has no session"});
  is(after([](row_collector& out, auto& x) {
       x.home.epoch = 10;
       out.session("home", &x.home);
     }),
     {"home has epoch 10, the last one given is 9"});
}

BOOST_AUTO_TEST_CASE(timers_and_sessions_agree) {
  const auto remove = [](timer_kind kind, time_point session_row::*due) {
    return after([&](row_collector& out, auto& x) {
      out.timer({x.away.*due, kind, "away"}, false, {});
    });
  };
  is(remove(timer_kind::session, &session_row::expires),
     {"away expires, but has no timer"});
  is(remove(timer_kind::will, &session_row::will_due),
     {"away has a Will that is due, but has no timer"});
  is(after([](row_collector& out, auto&) {
       out.timer({now + 3h, timer_kind::session, "away"}, true, {});
       out.timer({now + 3h, timer_kind::will, "home"}, true, {});
       out.timer({now + 3h, timer_kind::will, "nobody"}, true, {});
     }),
     {"home has a timer of its Will that its session does not know",
      "nobody has a timer of its Will, but no session",
      "away has a timer of its session that its session does not know"});
  is(after([](row_collector& out, auto&) {
       out.timer({message_of("a/b", true)->expires_at(), timer_kind::retained,
                  retained_key("a/b")},
                 false, {});
     }),
     {"retained message of a/b expires, but has no timer"});
}

BOOST_AUTO_TEST_CASE(rows_are_as_many_as_is_said) {
  is(after([](row_collector& out, auto& x) {
       x.at.sessions = 3;
       x.at.offline = 0;
       x.at.retained = 4;
       x.at.delayed = 5;
       out.applied(x.at);
     }),
     {"it has 3 sessions as it says, there are rows of 2",
      "it has 0 sessions without an owner as it says, there are rows of 1",
      "it has 4 retained messages as it says, there are rows of 1",
      "it has 5 delayed messages as it says, there are rows of 1"});
  is(after([](row_collector& out, auto& x) {
       out.timer(
         {now, timer_kind::delayed, troupe::storage::key_of(std::uint64_t{5})},
         true, message_of("later"));
       x.at.delayed = 2;
       out.applied(x.at);
     }),
     {"a delayed message to later has a number that is still to be given"});
}

BOOST_AUTO_TEST_CASE(a_packet_identifier_is_in_flight_once) {
  is(after([](row_collector& out, auto& x) {
       for (int i = 0; i < 2; ++i) {
         kept_message kept;
         kept.what.message = message_of("a");
         kept.packet_identifier = 17;
         x.away.record->kept.push_back(kept);
         kept.packet_identifier = 0; // these were not sent yet
         x.away.record->kept.push_back(kept);
       }
       out.session("away", &x.away);
     }),
     {"away has Packet Identifier 17 in flight twice"});
}

BOOST_AUTO_TEST_CASE(of_many_problems_some_are_told) {
  const auto found = after([](row_collector& out, auto&) {
    for (int i = 0; i < 150; ++i)
      out.owned("nobody" + std::to_string(i), true);
  });
  BOOST_TEST(found.size() == 101U);
  BOOST_TEST(found.back() == "and 50 more");
}
