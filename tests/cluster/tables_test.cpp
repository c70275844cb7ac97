// The tables under a shard, compared with a look at every entry.

#include "cluster/memory_log.hpp"
#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using troupe::protocol::matches;

namespace {

/// All topics that `table` has for `filter`, read page by page.
lines read_all(const retained_table& table, const std::string& filter,
               std::size_t limit, time_point now = start_time) {
  lines found;
  std::string after;
  do {
    std::size_t in_page = 0;
    after = table.read(filter, after, limit, now, [&](const auto& row) {
      found.emplace_back(row.message->topic());
      ++in_page;
    });
    BOOST_TEST(in_page <= limit);
    BOOST_TEST((after.empty() || in_page == limit));
  } while (!after.empty());
  return found;
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_5_a_retained_message_replaces_the_one_before) {
  retained_table table;
  BOOST_TEST(!table.put(make_message("a/b", "1"), 1));
  BOOST_TEST(table.put(make_message("a/b", "2"), 2));
  BOOST_TEST(table.size() == 1U);
  table.read("a/b", {}, 10, start_time, [](const auto& row) {
    BOOST_TEST(payload_of(*row.message) == "2");
    BOOST_TEST(row.sequence == 2U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_6_an_empty_payload_removes_and_is_not_kept) {
  retained_table table;
  BOOST_TEST(!table.put(make_message("a", ""), 1)); // [MQTT-3.3.1-7]
  BOOST_TEST(table.size() == 0U);
  table.put(make_message("a", "x"), 2);
  BOOST_TEST(table.put(make_message("a", ""), 3));
  BOOST_TEST(!table.contains("a"));
  table.put(make_message("b", "x"), 4);
  BOOST_TEST(table.remove("b"));
  BOOST_TEST(!table.remove("b"));
}

BOOST_AUTO_TEST_CASE(a_wildcard_read_finds_what_a_scan_of_all_topics_finds) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 60; ++round) {
    retained_table table;
    std::set<std::string> topics;
    for (auto left = random() % 80; left > 0; --left) {
      const auto topic = random_topic(random);
      if (random() % 5 == 0) {
        table.remove(topic);
        topics.erase(topic);
      } else {
        table.put(make_message(topic, "x"), left);
        topics.insert(topic);
      }
    }
    for (int i = 0; i < 40; ++i) {
      const auto filter = random_filter(random);
      std::multiset<std::string> wanted;
      for (const auto& topic : topics)
        if (matches(filter, topic))
          wanted.insert(topic);
      for (const std::size_t limit : {1U, 2U, 3U, 7U, 1'000U}) {
        const auto found = read_all(table, filter, limit);
        BOOST_TEST(
          (std::multiset<std::string>{found.begin(), found.end()} == wanted),
          "filter " << filter << " pages of " << limit << " seed " << seed);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(topics_of_a_wildcard_come_in_the_order_of_their_levels) {
  retained_table table;
  for (const auto* topic : {"a/c", "a", "a!/x", "a/b/z", "a/b", "b"})
    table.put(make_message(topic, "x"), 1);
  const lines wanted{"a", "a/b", "a/b/z", "a/c"};
  BOOST_TEST(read_all(table, "a/#", 2) == wanted,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_5_an_expired_retained_message_is_not_read) {
  retained_table table;
  table.put(make_message("a/1", "x", {.expiry = 10}), 1);
  table.put(make_message("a/2", "x"), 2);
  table.put(make_message("a/3", "x", {.expiry = 20}), 3);
  BOOST_TEST(read_all(table, "a/+", 1, start_time + 9s).size() == 3U);
  BOOST_TEST(read_all(table, "a/+", 1, start_time + 10s)
               == (lines{"a/2", "a/3"}),
             boost::test_tools::per_element());
  lines gone;
  const auto note = [&](const std::string& key) {
    BOOST_TEST(table.find(key) != nullptr); // it goes afterwards
    gone.push_back(key);
  };
  table.purge(start_time + 9s, note);
  BOOST_TEST(gone.empty());
  table.purge(start_time + 10s, note);
  BOOST_TEST(gone == lines{retained_key("a/1")},
             boost::test_tools::per_element());
  table.purge(start_time + 30s, note);
  BOOST_TEST(gone.back() == retained_key("a/3"));
  BOOST_TEST(gone.size() == 2U);
  BOOST_TEST(table.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_next_expiry_is_of_a_message_that_is_there) {
  retained_table table;
  BOOST_TEST(!table.next_expiry());
  table.put(make_message("a", "x", {.expiry = 10}), 1);
  table.put(make_message("b", "x", {.expiry = 20}), 2);
  table.put(make_message("c", "x"), 3);
  BOOST_TEST((table.next_expiry() == start_time + 10s));
  table.put(make_message("a", "x", {.expiry = 30}), 4); // later than before
  BOOST_TEST((table.next_expiry() == start_time + 20s));
  table.remove("b");
  BOOST_TEST((table.next_expiry() == start_time + 30s));
  table.put(make_message("a", "", {.expiry = 1}), 5);
  BOOST_TEST(!table.next_expiry());
  table.put(make_message("a", "x", {.expiry = 5}), 6);
  table.put(make_message("a", "x"), 7); // without expiry
  BOOST_TEST(!table.next_expiry());
  table.purge(start_time + 100s, [](const auto&) { BOOST_TEST(false); });
  BOOST_TEST(table.size() == 2U);
}

BOOST_AUTO_TEST_CASE(the_expiry_index_removes_what_a_look_at_all_rows_would) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  retained_table table;
  std::map<std::string, message_ptr> model; // by key
  auto now = start_time;
  for (int step = 0; step < 5'000; ++step) {
    const auto topic = random_topic(random);
    const auto key = retained_key(topic);
    switch (random() % 4) {
    case 0:
      BOOST_TEST(table.remove(topic) == (model.erase(key) != 0));
      break;
    case 1: {
      now += std::chrono::seconds{random() % 10};
      std::set<std::string> gone;
      table.purge(
        now, [&](const std::string& x) { BOOST_TEST(gone.insert(x).second); });
      std::set<std::string> wanted;
      for (const auto& [name, x] : model)
        if (x->expired(now))
          wanted.insert(name);
      BOOST_TEST(gone == wanted, boost::test_tools::per_element());
      for (const auto& name : wanted)
        model.erase(name);
      break;
    }
    default: {
      const auto x =
        make_message(topic, "x",
                     {.expiry = random() % 3 == 0
                                  ? std::nullopt
                                  : std::optional<std::uint32_t>{random() % 40},
                      .at = now});
      table.put(x, 1);
      model[key] = x;
    }
    }
    std::optional<time_point> next;
    for (const auto& [name, x] : model)
      if (x->has_expiry() && (!next || x->expires_at() < *next))
        next = x->expires_at();
    BOOST_TEST((table.next_expiry() == next), "seed " << seed);
    BOOST_TEST(table.size() == model.size());
  }
}

BOOST_AUTO_TEST_CASE(a_page_may_begin_behind_a_topic_that_is_gone_meanwhile) {
  retained_table table;
  for (const auto* topic : {"a/1", "a/2", "a/3"})
    table.put(make_message(topic, "x"), 1);
  const auto ignore = [](const auto&) {};
  const auto after = table.read("a/+", {}, 2, start_time, ignore);
  table.remove("a/2");
  lines rest;
  table.read("a/+", after, 2, start_time,
             [&](const auto& row) { rest.emplace_back(row.message->topic()); });
  BOOST_TEST(rest == lines{"a/3"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_filter_set_matches_what_each_filter_alone_matches) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 30; ++round) {
    filter_set set;
    std::vector<std::pair<std::string, std::uint32_t>> all;
    std::uint32_t next = 1;
    for (int step = 0; step < 300; ++step) {
      if (all.empty() || random() % 3 != 0) {
        all.emplace_back(random_filter(random), next);
        set.add(all.back().first, next++);
      } else {
        const auto at = random() % all.size();
        set.remove(all[at].first, all[at].second);
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (step % 5 != 0)
        continue;
      const auto topic = random_topic(random);
      std::vector<std::uint32_t> found;
      set.match(topic, found);
      std::vector<std::uint32_t> wanted;
      for (const auto& [filter, id] : all)
        if (matches(filter, topic))
          wanted.push_back(id);
      std::sort(found.begin(), found.end());
      std::sort(wanted.begin(), wanted.end());
      BOOST_TEST((found == wanted), "topic " << topic << " seed " << seed);
    }
    for (const auto& [filter, id] : all)
      set.remove(filter, id);
    std::vector<std::uint32_t> none;
    set.match(random_topic(random), none);
    BOOST_TEST(none.empty());
  }
}

BOOST_AUTO_TEST_CASE(removing_what_a_filter_set_never_had_changes_nothing) {
  filter_set set;
  set.add("a/+", 1);
  for (const auto* filter : {"a/+", "a/#", "a/+/b", "x", "a"})
    set.remove(filter, 2);
  std::vector<std::uint32_t> found;
  set.match("a/b", found);
  BOOST_TEST(found == std::vector<std::uint32_t>{1},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_memory_log_commits_in_order_and_never_within_propose) {
  std::vector<std::function<void()>> later;
  std::vector<log_index> committed;
  std::vector<entry_ptr> entries;
  memory_log log{5ms,
                 [&](std::chrono::milliseconds delay, auto f) {
                   BOOST_TEST(delay.count() == 5);
                   later.push_back(std::move(f));
                 },
                 [&](log_index at, const entry_ptr& x) {
                   committed.push_back(at);
                   entries.push_back(x);
                 }};
  std::vector<entry_ptr> proposed;
  for (log_index i = 1; i <= 3; ++i) {
    proposed.push_back(std::make_shared<log_entry>());
    BOOST_TEST(log.propose(proposed.back()) == i);
    BOOST_TEST(committed.empty());
    BOOST_TEST(log.outstanding() == i);
  }
  later[0]();
  BOOST_TEST(log.outstanding() == 2U);
  BOOST_TEST(log.propose(std::make_shared<log_entry>()) == 4U);
  later[1]();
  later[2]();
  BOOST_TEST(committed == (std::vector<log_index>{1, 2, 3}),
             boost::test_tools::per_element());
  BOOST_TEST((entries == proposed));
  BOOST_TEST(log.outstanding() == 1U);
}

BOOST_AUTO_TEST_CASE(the_shard_of_a_key_never_changes) {
  // Stored data depends on it: a different number is a different format.
  BOOST_TEST(shard_of("a/b", 16) == shard_of("a/b", 16));
  std::set<std::uint16_t> used;
  for (int i = 0; i < 1'000; ++i) {
    const auto shard = shard_of("topic/" + std::to_string(i), 16);
    BOOST_TEST(shard < 16);
    used.insert(shard);
  }
  BOOST_TEST(used.size() == 16U);
}
