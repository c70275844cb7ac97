// Retained messages of a filter, compared with a look at every topic.

#include "cluster/retained_scan.hpp"
#include "tests/cluster/row_find_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;
using troupe::protocol::matches;

namespace {

/// Levels are few, and some of them are beginnings of others.
std::string random_level(record_source& random) {
  static constexpr const char* levels[] = {"",  "a",    "b",  "a!", "ab",
                                           "0", "\x01", "$a", "z"};
  return levels[random.below(9)];
}

std::string random_levels(record_source& random, bool wildcards) {
  std::string made;
  const auto count = 1 + random.below(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    made += i == 0 ? "" : "/";
    if (wildcards && random.below(8) == 0)
      return made + "#";
    made += wildcards && random.below(3) == 0 ? "+" : random_level(random);
  }
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_wildcard_finds_what_a_look_at_all_topics_finds) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto round = 0; round < 40; ++round) {
    found_disk on;
    std::map<std::string, std::string> topics; // by key
    for (auto left = random.below(120); left != 0; --left)
      if (const auto topic = random_levels(random, false); !topic.empty())
        topics.emplace(retained_key(topic), topic);
    for (const auto& [key, topic] : topics) {
      const retained_row row{message_of(topic), 1};
      on.write([&, at = key](auto& out) { out.retained(at, &row); });
    }
    for (auto i = 0; i < 60; ++i) {
      const auto filter = random_levels(random, true);
      if (filter.empty())
        continue;
      std::vector<std::string> wanted;
      for (const auto& [key, topic] : topics)
        if (matches(filter, topic))
          wanted.push_back(key);
      std::vector<std::string> found;
      retained_wants wants{filter, {}, 1 + random.below(9)};
      bool more = true;
      while (more) {
        const auto page = on.retained(wants);
        BOOST_REQUIRE(page.rows.size() <= wants.limit);
        BOOST_REQUIRE((!page.more || page.rows.size() == wants.limit));
        for (const auto& [key, row] : page.rows) {
          BOOST_TEST(retained_key(row.message->topic()) == key);
          found.push_back(key);
        }
        more = page.more;
        if (!found.empty())
          wants.after = found.back();
      }
      BOOST_REQUIRE_MESSAGE(found == wanted, "filter " << filter);
    }
  }
}

namespace {

/// Counts how often it is moved.
class counting_cursor final : public row_source::cursor {
public:
  explicit counting_cursor(std::unique_ptr<row_source::cursor> in)
    : in_(std::move(in)) {}
  std::size_t moves = 0;
  void seek(std::string_view key) override {
    ++moves;
    in_->seek(key);
  }
  void next() override {
    ++moves;
    in_->next();
  }
  bool valid() const override { return in_->valid(); }
  std::string_view key() const override { return in_->key(); }
  std::string_view value() const override { return in_->value(); }

private:
  std::unique_ptr<row_source::cursor> in_;
};

} // namespace

BOOST_AUTO_TEST_CASE(what_does_not_match_is_passed_over) {
  found_disk on;
  const retained_row row{message_of("a"), 1};
  for (int i = 0; i < 20; ++i)
    for (int k = 0; k < 50; ++k)
      on.rows.put(
        row_family::retained,
        retained_row_key(found_shard, retained_key("s" + std::to_string(i)
                                                   + "/t" + std::to_string(k))),
        encode_row(row, record_times));
  const auto moves_for = [&](const std::string& filter) {
    const auto prefix = troupe::storage::key_of(found_shard);
    counting_cursor rows{on.rows.open(row_family::retained, prefix)};
    scan_retained(rows, prefix, filter, {}, [](auto) { return true; });
    return rows.moves;
  };
  BOOST_TEST(moves_for("s7/t7") <= 4U);
  BOOST_TEST(moves_for("none/+") <= 4U);
  BOOST_TEST(moves_for("s7/+") <= 54U);
  BOOST_TEST(moves_for("+/t7") <= 20U * 4);
  BOOST_TEST(moves_for("+") <= 20U * 2 + 2);
}
