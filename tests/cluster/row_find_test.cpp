// What a shard asks its disk: rows by their keys.

#include "cluster/retained_scan.hpp"
#include "tests/cluster/record_text.hpp"
#include "tests/cluster/row_find_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(rows_are_found_with_those_that_are_not_there) {
  record_source random{test_seed()};
  found_disk on;
  const auto session = random.session();
  const filter_row filter{7, 2};
  const retained_row retained{message_of("a/b"), 5};
  on.write([&](auto& out) {
    out.session("c", &session);
    out.filter({"", "a/b"}, &filter);
    out.filter({"", "a/+"}, &filter);
    out.filter({"g", "a/c"}, &filter);
    out.retained(retained_key("a/b"), &retained);
  });
  row_wants wants;
  wants.token = 9;
  wants.sessions = {"c", "", "c1"};
  wants.filters = {"a/b", "a", "a/c"};
  wants.retained = {retained_key("a"), retained_key("a/b")};
  const auto found = on.rows_of(wants);
  BOOST_TEST(found.token == 9U);
  BOOST_REQUIRE(found.sessions.size() == 3U);
  BOOST_TEST(found.sessions[0].first == "c");
  BOOST_TEST(text_of(*found.sessions[0].second) == text_of(session));
  BOOST_TEST(found.sessions[1].first == "");
  BOOST_TEST(!found.sessions[1].second);
  BOOST_TEST(!found.sessions[2].second);
  BOOST_REQUIRE(found.filters.size() == 3U);
  BOOST_TEST(found.filters[0].second->id == 7U);
  BOOST_TEST(found.filters[0].second->holders == 2U);
  BOOST_TEST(!found.filters[1].second);
  BOOST_TEST(!found.filters[2].second); // that is a group's
  BOOST_REQUIRE(found.retained.size() == 2U);
  BOOST_TEST(!found.retained[0].second);
  BOOST_TEST(found.retained[1].first == retained_key("a/b"));
  BOOST_TEST(found.retained[1].second->sequence == 5U);
  BOOST_TEST(found.holders.empty());
  BOOST_TEST(!found.timers_after);
  BOOST_TEST(!found.owned_after);
}

BOOST_AUTO_TEST_CASE(a_session_holds_what_its_own_rows_say) {
  found_disk on;
  on.hold("c", 300, 30);
  on.hold("c", 1, 10);
  on.hold("c", 2, 50);
  on.hold_up_to("c", 20);
  on.hold("ca", 4, 1);
  on.hold_up_to("ca", 99);
  on.hold("", 5, 1);
  on.hold_up_to("b", 7); // of a filter that was left just now
  row_wants wants;
  wants.holders = {"c", "ca", "", "b", "cab"};
  const auto found = on.rows_of(wants).holders;
  BOOST_REQUIRE(found.size() == 5U);
  const auto& held = *found[0].second;
  BOOST_TEST(held.cursor == 20U);
  BOOST_TEST(!held.cursor_dirty);
  BOOST_REQUIRE(held.all.size() == 3U);
  const std::uint32_t filters[] = {1, 2, 300};
  const std::uint64_t starts[] = {10, 50, 30};
  const std::uint64_t done[] = {20, 50, 30};
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(held.all[i].filter == filters[i]);
    BOOST_TEST(held.all[i].row.start == starts[i]);
    BOOST_TEST(held.all[i].row.identifier == filters[i]);
    BOOST_TEST(held.done(held.all[i]) == done[i]);
    BOOST_TEST((!held.all[i].dirty && !held.all[i].gone));
    BOOST_TEST(held.all[i].counted_in == 0U);
  }
  BOOST_TEST(found[1].second->cursor == 99U);
  BOOST_TEST(found[1].second->all.size() == 1U);
  BOOST_TEST(found[2].second->cursor == 0U);
  BOOST_TEST(found[2].second->all.at(0).filter == 5U);
  BOOST_TEST(!found[3].second);
  BOOST_TEST(!found[4].second);
}

BOOST_AUTO_TEST_CASE(timers_are_found_in_their_order_a_batch_at_a_time) {
  record_source random{test_seed()};
  for (const std::size_t count :
       {std::size_t{0}, timer_window::batch - 1, timer_window::batch,
        2 * timer_window::batch + 9}) {
    found_disk on;
    std::set<timer_key> all;
    while (all.size() < count)
      all.insert({record_times.rounded(
                    record_start + std::chrono::seconds{random.below(50)}),
                  static_cast<timer_kind>(random.below(4)),
                  random.text(1, 12)});
    const auto message = message_of("a");
    on.write([&](auto& out) {
      for (const auto& x : all)
        out.timer(x, true,
                  x.kind == timer_kind::delayed ? message : message_ptr{});
    });
    std::vector<timer_key> found;
    timer_key after{time_point::min(), timer_kind::delayed, {}};
    bool more = true;
    while (more) {
      row_wants wants;
      wants.timers = after;
      auto page = on.rows_of(wants);
      BOOST_TEST((page.timers_after == after));
      BOOST_TEST(page.timers.size() <= timer_window::batch);
      BOOST_TEST((!page.more_timers || !page.timers.empty()));
      for (auto& [key, of] : page.timers) {
        BOOST_TEST((key.kind == timer_kind::delayed) == static_cast<bool>(of));
        found.push_back(key);
      }
      more = page.more_timers;
      if (!found.empty())
        after = found.back();
    }
    BOOST_TEST((found == std::vector<timer_key>{all.begin(), all.end()}));
  }
}

BOOST_AUTO_TEST_CASE(owned_sessions_are_found_a_page_at_a_time) {
  record_source random{test_seed()};
  for (const std::size_t count :
       {std::size_t{0}, row_wants::owned_at_once - 1, row_wants::owned_at_once,
        2 * row_wants::owned_at_once + 9}) {
    found_disk on;
    std::set<std::string> all;
    while (all.size() < count)
      all.insert(random.text(1, 6));
    on.write([&](auto& out) {
      for (const auto& x : all)
        out.owned(x, true);
    });
    std::vector<std::string> found;
    std::string after;
    bool more = true;
    while (more) {
      row_wants wants;
      wants.owned = after;
      const auto page = on.rows_of(wants);
      BOOST_TEST((page.owned_after == after));
      BOOST_TEST(page.owned.size() <= row_wants::owned_at_once);
      BOOST_TEST((!page.more_owned || !page.owned.empty()));
      found.insert(found.end(), page.owned.begin(), page.owned.end());
      more = page.more_owned;
      if (!found.empty())
        after = found.back();
    }
    BOOST_TEST((found == std::vector<std::string>{all.begin(), all.end()}));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_row_is_refused_and_not_left_out) {
  found_disk on;
  on.rows.put(row_family::session, session_key(found_shard, "c"), "x");
  row_wants wants;
  wants.sessions = {"c"};
  BOOST_CHECK_THROW(on.rows_of(wants), record_error);
  on.rows.put(row_family::backlog, page_key(found_shard, 1, 1), "");
  BOOST_CHECK_THROW(on.backlog({0, {{1, 0}}, 9, 9, {}}), record_error);
  BOOST_CHECK_THROW(on.clean({{{1, 1}}, false}), record_error);
  BOOST_CHECK_THROW(on.clean({{}, true}), record_error);
}
