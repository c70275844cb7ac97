// What a shard asks its disk: messages, and what nobody needs of them.

#include "tests/cluster/row_find_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

/// Messages of a few filters, and their pages.
struct backlog_model {
  using filters = std::vector<std::uint32_t>;
  std::map<std::uint64_t, filters> messages;
  std::map<std::uint32_t, std::vector<page_row>> pages;
  static constexpr std::uint32_t filter_count = 6;

  void fill(record_source& random, found_disk& on) {
    std::uint64_t sequence = 0;
    for (auto left = random.below(150); left != 0; --left) {
      sequence += 1 + random.below(3);
      filters of;
      for (std::uint32_t id = 1; id <= filter_count; ++id)
        if (random.below(4) == 0)
          of.push_back(id);
      if (of.empty())
        continue;
      messages.emplace(sequence, of);
      const auto message = message_of("t", sequence);
      if (of.size() > 1) {
        const message_row row{message, of};
        on.write([&](auto& out) { out.message(sequence, &row); });
      }
      for (const auto id : of) {
        auto& all = pages[id];
        if (all.empty() || random.below(8) == 0)
          all.emplace_back();
        all.back().entries.push_back(
          {sequence, of.size() == 1 ? message : message_ptr{}});
      }
    }
    for (const auto& [id, all] : pages)
      for (const auto& x : all)
        on.page(id, x);
  }

  std::vector<std::pair<std::uint64_t, filters>>
  wanted(const backlog_wants& what) const {
    std::vector<std::pair<std::uint64_t, filters>> found;
    for (const auto& [sequence, of] : messages) {
      filters by;
      for (const auto& x : what.filters)
        if (sequence > x.after
            && std::find(of.begin(), of.end(), x.filter) != of.end())
          by.push_back(x.filter);
      if (!by.empty() && sequence <= what.up_to
          && (what.only.empty()
              || std::binary_search(what.only.begin(), what.only.end(),
                                    sequence)))
        found.emplace_back(sequence, by);
    }
    return found;
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(messages_of_several_filters_are_merged_by_sequence) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto round = 0; round < 60; ++round) {
    found_disk on;
    backlog_model model;
    model.fill(random, on);
    for (auto i = 0; i < 30; ++i) {
      backlog_wants wants;
      wants.token = random.number();
      for (std::uint32_t id = 1; id <= backlog_model::filter_count + 1; ++id)
        if (random.coin())
          wants.filters.push_back({id, random.below(300)});
      wants.up_to = random.coin() ? ~std::uint64_t{0} : random.below(300);
      wants.limit = 1 + random.below(random.coin() ? 8 : 300);
      if (random.below(3) == 0) {
        std::set<std::uint64_t> only;
        for (auto left = 1 + random.below(20); left != 0; --left)
          only.insert(random.below(300));
        wants.only = {only.begin(), only.end()};
      }
      const auto wanted = model.wanted(wants);
      const auto found = on.backlog(wants);
      BOOST_TEST(found.token == wants.token);
      BOOST_REQUIRE(found.messages.size()
                    == std::min(wanted.size(), wants.limit));
      BOOST_REQUIRE(found.more == (wanted.size() > wants.limit));
      for (std::size_t k = 0; k < found.messages.size(); ++k) {
        const auto& x = found.messages[k];
        BOOST_REQUIRE(x.sequence == wanted[k].first);
        BOOST_REQUIRE((x.filters == wanted[k].second));
        BOOST_REQUIRE(x.message->publisher() == x.sequence);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_was_cleaned_away_is_left_out) {
  found_disk on;
  on.page(1, {{{1, message_of("a", 1)}, {2, {}}, {3, message_of("a", 3)}}});
  const auto found = on.backlog({0, {{1, 0}}, 9, 9, {}});
  BOOST_REQUIRE(found.messages.size() == 2U);
  BOOST_TEST(found.messages[0].sequence == 1U);
  BOOST_TEST(found.messages[1].sequence == 3U);
  BOOST_TEST(!found.more);
}

// ---- cleaning ---------------------------------------------------------------

namespace {

using pages_found = std::vector<std::pair<std::uint32_t, std::uint64_t>>;

pages_found pages_of(const clean_finds& x) {
  pages_found made;
  for (const auto& page : x.pages)
    made.emplace_back(page.filter, page.last);
  std::sort(made.begin(), made.end());
  return made;
}

void check_pages(const clean_finds& found, const backlog_model& model,
                 const std::map<std::uint32_t, std::uint64_t>& done) {
  pages_found wanted;
  std::size_t count = 0;
  for (const auto& [id, pages] : model.pages)
    for (const auto& x : pages)
      if (const auto at = done.find(id);
          at != done.end() && x.entries.back().sequence <= at->second) {
        wanted.emplace_back(id, x.entries.back().sequence);
        count += x.entries.size();
      }
  BOOST_REQUIRE((pages_of(found) == wanted));
  BOOST_REQUIRE(found.count == count);
}

} // namespace

BOOST_AUTO_TEST_CASE(pages_that_end_before_are_cleaned) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto round = 0; round < 100; ++round) {
    found_disk on;
    backlog_model model;
    model.fill(random, on);
    clean_wants wants;
    std::map<std::uint32_t, std::uint64_t> done;
    for (std::uint32_t id = 1; id <= backlog_model::filter_count + 1; ++id)
      if (random.coin())
        done[id] = random.below(4) == 0 ? ~std::uint64_t{0} : random.below(300);
    for (const auto& [id, up_to] : done)
      wants.filters.push_back({id, up_to});
    const auto found = on.clean(wants);
    check_pages(found, model, done);
    BOOST_TEST(found.messages.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_finds_all_that_nobody_is_behind) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto round = 0; round < 100; ++round) {
    found_disk on;
    backlog_model model;
    model.fill(random, on);
    // Of some filters nobody is left, the last one is a group's.
    std::map<std::uint32_t, std::uint64_t> done;
    for (std::uint32_t id = 1; id <= backlog_model::filter_count; ++id)
      done[id] = ~std::uint64_t{0};
    const auto shared = backlog_model::filter_count;
    for (const std::string client : {"a", "ab", "b", "c"}) {
      const auto cursor = random.coin() ? random.below(300) : 0;
      if (cursor != 0)
        on.hold_up_to(client, cursor);
      for (std::uint32_t id = 1; id <= backlog_model::filter_count; ++id)
        if (random.below(3) == 0) {
          const auto start = random.below(300);
          on.hold(client, id, start);
          done[id] = std::min<std::uint64_t>(done[id], std::max(start, cursor));
        }
    }
    if (random.coin()) {
      group_row group;
      group.up_to = random.below(300);
      if (random.coin())
        group.open = {1 + random.below(300)};
      group.done = {group.up_to + 2, group.up_to + 3};
      on.write([&](auto& out) { out.group(shared, &group); });
      done[shared] = group.open.empty() ? group.up_to : group.open[0] - 1;
    }
    clean_wants wants;
    wants.sweep = true;
    const auto found = on.clean(wants);
    check_pages(found, model, done);
    std::vector<std::uint64_t> messages;
    for (const auto& [sequence, of] : model.messages)
      if (of.size() > 1
          && std::all_of(of.begin(), of.end(), [&, at = sequence](auto id) {
               return at <= done.at(id);
             }))
        messages.push_back(sequence);
    BOOST_REQUIRE((found.messages == messages));
  }
}
