// Retained messages of a shard in memory and of one on a disk, compared with a
// look at every topic.

#include "tests/cluster/row_store.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using troupe::protocol::matches;

namespace {

/// A shard with retained messages only.
class retained_shard {
public:
  explicit retained_shard(bool on_disk) {
    if (on_disk)
      shard_ = std::make_unique<durable_shard>(shard_options{.shard = 3});
    else
      shard_ = std::make_unique<test_shard>();
  }
  void put(const message_ptr& x) { shard_->publish(x); }
  void put(std::string_view topic, std::string_view payload,
           std::optional<std::uint32_t> expiry = std::nullopt) {
    put(make_message(topic, payload,
                     {.retain = true, .expiry = expiry, .at = shard_->now}));
  }
  void remove(const std::string& topic) {
    (*shard_)(remove_retained_command{topic});
  }
  void wait(std::chrono::seconds time) { shard_->wait(time); }
  std::size_t size() const { return shard_->state.retained_count(); }
  time_point now() const { return shard_->now; }
  std::optional<time_point> next_due() const {
    return shard_->state.next_due();
  }
  /// What was written so far is on the disk, if there is one.
  void snapshot() {
    if (auto* x = dynamic_cast<durable_shard*>(shard_.get())) {
      x->snapshot();
      x->state.stored(x->index, x->now); // what is not needed leaves memory
      x->state.stored(x->index, x->now);
    }
  }
  retained_page page(const std::string& filter, const std::string& after,
                     std::size_t limit) {
    (*shard_)(retained_read{filter, {1, 1, 0}, 1, after, limit});
    return shard_->effects.retained_pages.back();
  }
  /// All topics that match, read page by page.
  lines read_all(const std::string& filter, std::size_t limit) {
    lines found;
    std::string after;
    do {
      const auto x = page(filter, after, limit);
      BOOST_TEST(x.rows.size() <= limit);
      for (const auto& row : x.rows)
        found.emplace_back(row.message->topic());
      BOOST_TEST((x.next.empty() || x.next > after));
      after = x.next;
    } while (!after.empty());
    return found;
  }

private:
  std::unique_ptr<test_shard> shard_;
};

template <class F>
void in_memory_and_on_disk(F&& f) {
  for (const bool on_disk : {false, true}) {
    BOOST_TEST_CONTEXT((on_disk ? "on disk" : "in memory")) {
      retained_shard shard{on_disk};
      f(shard);
    }
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_5_a_retained_message_replaces_the_one_before) {
  in_memory_and_on_disk([](retained_shard& shard) {
    shard.put("a/b", "1");
    shard.snapshot();
    shard.put("a/b", "2");
    BOOST_TEST(shard.size() == 1U);
    const auto rows = shard.page("a/b", {}, 10).rows;
    BOOST_TEST_REQUIRE(rows.size() == 1U);
    BOOST_TEST(payload_of(*rows[0].message) == "2");
    BOOST_TEST(rows[0].sequence == 2U);
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_1_6_an_empty_payload_removes_and_is_not_kept) {
  in_memory_and_on_disk([](retained_shard& shard) {
    shard.put("a", ""); // [MQTT-3.3.1-7]
    BOOST_TEST(shard.size() == 0U);
    shard.put("a", "x");
    shard.snapshot();
    shard.put("a", "");
    BOOST_TEST(shard.size() == 0U);
    BOOST_TEST(shard.read_all("#", 9).empty());
    shard.snapshot();
    BOOST_TEST(shard.read_all("#", 9).empty());
    shard.put("b", "x");
    shard.remove("b");
    shard.remove("b");
    BOOST_TEST(shard.size() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_wildcard_read_finds_what_a_scan_of_all_topics_finds) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 60; ++round) {
    retained_shard shard{round % 3 != 0};
    std::set<std::string> topics;
    for (auto left = random() % 80; left > 0; --left) {
      const auto topic = random_topic(random);
      if (random() % 5 == 0) {
        shard.remove(topic);
        topics.erase(topic);
      } else {
        shard.put(topic, "x");
        topics.insert(topic);
      }
      if (random() % 8 == 0)
        shard.snapshot();
    }
    BOOST_TEST(shard.size() == topics.size());
    for (int i = 0; i < 40; ++i) {
      const auto filter = random_filter(random);
      std::multiset<std::string> wanted;
      for (const auto& topic : topics)
        if (matches(filter, topic))
          wanted.insert(topic);
      for (const std::size_t limit : {1U, 2U, 3U, 7U, 1'000U}) {
        const auto found = shard.read_all(filter, limit);
        BOOST_TEST(
          (std::multiset<std::string>{found.begin(), found.end()} == wanted),
          "filter " << filter << " pages of " << limit << " seed " << seed);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(topics_of_a_wildcard_come_in_the_order_of_their_levels) {
  in_memory_and_on_disk([](retained_shard& shard) {
    for (const auto* topic : {"a/c", "a", "a!/x", "a/b/z", "a/b", "b"}) {
      shard.put(topic, "x");
      shard.snapshot();
    }
    const lines wanted{"a", "a/b", "a/b/z", "a/c"};
    BOOST_TEST(shard.read_all("a/#", 2) == wanted,
               boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(mqtt5_3_3_2_5_what_has_expired_is_neither_read_nor_kept) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (const bool on_disk : {false, true}) {
    retained_shard shard{on_disk};
    std::map<std::string, message_ptr> model;
    for (int step = 0; step < 4'000; ++step) {
      const auto topic = random_topic(random);
      switch (random() % 5) {
      case 0:
        shard.remove(topic);
        model.erase(topic);
        break;
      case 1:
        shard.wait(std::chrono::seconds{random() % 10});
        std::erase_if(
          model, [&](const auto& x) { return x.second->expired(shard.now()); });
        break;
      case 2:
        if (random() % 5 == 0)
          shard.snapshot();
        break;
      default: {
        const auto x = make_message(
          topic, "x",
          {.retain = true,
           .expiry = random() % 3 == 0
                       ? std::nullopt
                       : std::optional<std::uint32_t>{1 + random() % 40},
           .at = shard.now()});
        shard.put(x);
        model[topic] = x;
      }
      }
      BOOST_TEST_REQUIRE(shard.size() == model.size(),
                         "step " << step << " seed " << seed);
      std::optional<time_point> next;
      for (const auto& [name, x] : model)
        if (x->has_expiry() && (!next || x->expires_at() < *next))
          next = x->expires_at();
      // A shard with a disk may look there before.
      BOOST_TEST((on_disk ? !next || shard.next_due() <= next
                          : shard.next_due() == next),
                 "seed " << seed);
    }
    BOOST_TEST(shard.read_all("#", 50).size()
               == static_cast<std::size_t>(
                 std::count_if(model.begin(), model.end(), [](const auto& x) {
                   return !x.first.starts_with('$');
                 })));
  }
}

BOOST_AUTO_TEST_CASE(a_page_may_begin_behind_a_topic_that_is_gone_meanwhile) {
  in_memory_and_on_disk([](retained_shard& shard) {
    for (const auto* topic : {"a/1", "a/2", "a/3"})
      shard.put(topic, "x");
    shard.snapshot();
    const auto after = shard.page("a/+", {}, 2).next;
    shard.remove("a/2");
    const auto rest = shard.page("a/+", after, 2);
    BOOST_TEST_REQUIRE(rest.rows.size() == 1U);
    BOOST_TEST(rest.rows[0].message->topic() == "a/3");
    BOOST_TEST(rest.next.empty());
  });
}
