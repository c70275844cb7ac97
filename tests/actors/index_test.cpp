// Lists of subscribers and the index, compared with a look at every filter.

#include "tests/actors/index_support.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

using namespace troupe::actors;
using namespace troupe::test;
using troupe::protocol::matches;

namespace {

const auto nothing = [] {};

std::set<std::string> texts_of(const match_result& x) {
  std::set<std::string> all;
  for (auto* node : x.nodes)
    BOOST_TEST(all.insert(std::string{node->text()}).second);
  return all;
}

std::set<std::string> groups_of(const std::vector<shared_group*>& groups) {
  std::set<std::string> all;
  for (const auto* x : groups)
    if (!x->members.load()->empty())
      all.insert(x->share_name + ' ' + std::string{x->filter->text()});
  return all;
}

} // namespace

// ---- subscriber_list -------------------------------------------------------

BOOST_AUTO_TEST_CASE(options_survive_packing) {
  for (unsigned bits = 0; bits < 64; ++bits)
    if ((bits & 3) != 3 && (bits >> 4) != 3)
      BOOST_TEST(pack(unpack(static_cast<packed_options>(bits))) == bits);
}

BOOST_AUTO_TEST_CASE(a_list_does_what_a_vector_does) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 50; ++round) {
    subscriber_list list;
    std::vector<subscriber_list::entry> model;
    for (int step = 0; step < 200; ++step) {
      const auto identifier =
        random() % 3 == 0 ? static_cast<std::uint32_t>(random()) : 0U;
      const auto options = static_cast<packed_options>(random() % 48);
      const auto at = model.empty()
                        ? 0U
                        : static_cast<std::uint32_t>(random() % model.size());
      const auto dice = random() % 10;
      if (model.empty() || dice < 5) {
        auto* who = fake_session(static_cast<std::uintptr_t>(step));
        BOOST_REQUIRE(list.add(who, options, identifier) == model.size());
        model.push_back({who, identifier, options});
      } else if (dice < 9) {
        auto* moved = at + 1 == model.size() ? nullptr : model.back().who;
        BOOST_REQUIRE(list.remove(at) == moved);
        model[at] = model.back();
        model.pop_back();
      } else {
        list.change(at, options, identifier);
        model[at].options = options;
        model[at].identifier = identifier;
      }
      BOOST_REQUIRE(list.size() == model.size());
      BOOST_REQUIRE(list.empty() == model.empty());
      std::size_t seen = 0;
      list.for_each([&](const subscriber_list::entry& x) {
        const auto& wanted = model[seen++];
        BOOST_REQUIRE(x.who == wanted.who);
        BOOST_REQUIRE(x.identifier == wanted.identifier);
        BOOST_REQUIRE(x.options == wanted.options);
      });
      BOOST_REQUIRE(seen == model.size());
      for (std::uint32_t i = 0; i < model.size(); ++i)
        BOOST_REQUIRE(list.at(i).who == model[i].who);
    }
  }
}

// ---- subscription_index ----------------------------------------------------

BOOST_AUTO_TEST_CASE(the_index_matches_what_each_filter_alone_matches) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 20; ++round) {
    reclaimer graveyard{2, nothing};
    subscription_index index{2, graveyard};
    struct held {
      filter_node* node = nullptr;
      std::uint32_t reactors = 0;
      int references = 0;
      int durable = 0;
    };
    std::map<std::string, held> model;
    for (int step = 0; step < 600; ++step) {
      const auto text = random_name(random, true);
      auto& x = model[text];
      const auto version = index.version();
      bool changes = true;
      const auto dice = random() % 8;
      if (dice < 3 || x.references == 0) {
        x.node = &index.acquire(text);
        ++x.references;
        const auto reactor = random() % 2;
        index.set_reactor(*x.node, reactor, true);
        x.reactors |= 1U << reactor;
      } else if (dice == 3) {
        const auto reactor = random() % 2;
        index.set_reactor(*x.node, reactor, false);
        x.reactors &= ~(1U << reactor);
      } else if (dice == 4) {
        const int by = x.durable > 0 ? -1 : 1;
        index.add_durable(*x.node, by);
        x.durable += by;
      } else if (x.durable == 0) {
        if (x.references == 1 && x.reactors != 0)
          for (std::size_t r = 0; r < 2; ++r)
            index.set_reactor(*x.node, r, false);
        changes = x.references == 1;
        index.release(*x.node);
        if (--x.references == 0)
          x = {};
      } else {
        changes = false;
      }
      BOOST_REQUIRE((!changes || index.version() != version));
      BOOST_REQUIRE((index.find(text) == (x.references ? x.node : nullptr)));
      for (std::size_t r = 0; r < 2; ++r)
        turn(graveyard, r, nothing);

      const auto topic = random_name(random, false);
      match_result found;
      index.match(topic, found);
      std::set<std::string> wanted;
      std::uint32_t reactors = 0;
      bool durable = false;
      for (const auto& [filter, of] : model)
        if (of.references != 0 && matches(filter, topic)) {
          if (of.reactors != 0)
            wanted.insert(filter);
          reactors |= of.reactors;
          durable |= of.durable != 0;
        }
      BOOST_TEST((texts_of(found) == wanted), "seed " << seed);
      BOOST_TEST(found.reactors == reactors);
      BOOST_TEST(found.durable == durable);
    }
    std::size_t live = 0;
    for (auto& [filter, of] : model) {
      live += of.references != 0 ? 1 : 0;
      if (of.references == 0)
        model[filter].node = nullptr;
    }
    BOOST_TEST(index.size() == live);
    for (auto& [filter, of] : model)
      for (; of.references != 0; --of.references)
        index.release(*of.node);
    BOOST_TEST(index.size() == 0U);
    match_result none;
    index.match(random_name(random, false), none);
    BOOST_TEST(none.nodes.empty());
  }
}

BOOST_AUTO_TEST_CASE(groups_are_found_while_they_have_members) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  reclaimer graveyard{1, nothing};
  subscription_index index{1, graveyard};
  struct membership {
    shared_group* group;
    std::string share_name;
    std::string filter;
    client_ref who;
    bool left;
  };
  std::vector<membership> joined;
  std::vector<std::pair<std::string, std::string>> held;
  for (int step = 0; step < 4'000; ++step) {
    const std::string share_name = random() % 2 == 0 ? "g" : "h";
    const auto filter = random_name(random, true);
    const auto dice = random() % 10;
    if (dice < 4) {
      const client_ref who{static_cast<std::uint32_t>(step), 1, 0};
      auto& group = index.join(share_name, filter, {who, 1, 0});
      joined.push_back({&group, share_name, filter, who, false});
      // Again: the entry is replaced, no second reference is taken.
      BOOST_REQUIRE(&index.join(share_name, filter, {who, 2, 0}) == &group);
    } else if (dice < 8 && !joined.empty()) {
      const auto at = random() % joined.size();
      auto& x = joined[at];
      if (!x.left) {
        index.leave(*x.group, x.who);
        x.left = true;
      } else {
        index.forget(*x.group);
        x = joined.back();
        joined.pop_back();
      }
    } else if (dice == 8 || held.empty()) {
      index.hold(share_name, filter);
      held.emplace_back(share_name, filter);
    } else {
      const auto at = random() % held.size();
      index.unhold(held[at].first, held[at].second);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    turn(graveyard, 0, nothing);
    const auto topic = random_name(random, false);
    match_result found;
    index.match(topic, found);
    std::set<std::string> direct;
    std::set<std::string> durable;
    bool any_durable = false;
    const auto is_held = [&](const auto& name, const auto& text) {
      return std::find(held.begin(), held.end(), std::pair{name, text})
             != held.end();
    };
    for (const auto& [name, text] : held)
      any_durable |= matches(text, topic);
    for (const auto& x : joined)
      if (!x.left && matches(x.filter, topic))
        (is_held(x.share_name, x.filter) ? durable : direct)
          .insert(x.share_name + ' ' + x.filter);
    BOOST_TEST((groups_of(found.groups) == direct), "seed " << seed);
    BOOST_TEST((groups_of(found.durable_groups) == durable), "seed " << seed);
    BOOST_TEST(found.durable_group == any_durable);
    BOOST_TEST(found.durable == any_durable);
  }
  for (const auto& x : joined)
    index.forget(*x.group);
  for (const auto& [share_name, filter] : held)
    index.unhold(share_name, filter);
  BOOST_TEST(index.size() == 0U);
}

BOOST_AUTO_TEST_CASE(matching_goes_on_while_other_threads_subscribe) {
  constexpr std::size_t threads = 3;
  reclaimer graveyard{threads, nothing};
  subscription_index index{threads + 1, graveyard};
  // These stay: whoever matches must always find them.
  for (const auto* filter : {"a/b", "a/#", "+/b", "#"})
    index.set_reactor(index.acquire(filter), threads, true);
  std::atomic<std::uint64_t> bad{0};
  std::vector<std::thread> all;
  for (std::size_t r = 0; r < threads; ++r)
    all.emplace_back([&, r] {
      std::minstd_rand random{static_cast<std::uint32_t>(r + 1)};
      std::vector<filter_node*> mine;
      std::vector<shared_group*> groups;
      match_result found;
      for (int i = 0; i < 4'000; ++i)
        turn(graveyard, r, [&] {
          const client_ref self{static_cast<std::uint32_t>(i), 1,
                                static_cast<std::uint16_t>(r)};
          if (mine.size() < 20) {
            mine.push_back(&index.acquire(random_name(random, true)));
            index.set_reactor(*mine.back(), r, true);
          } else {
            index.set_reactor(*mine.front(), r, false);
            index.release(*mine.front());
            mine.erase(mine.begin());
          }
          if (groups.size() < 5) {
            groups.push_back(
              &index.join("g", random_name(random, true), {self, 1, 0}));
          } else {
            index.leave(*groups.front(), self);
            index.forget(*groups.front());
            groups.erase(groups.begin());
          }
          found.clear();
          index.match("a/b", found);
          std::size_t fixed = 0;
          for (const auto* node : found.nodes)
            for (const auto* filter : {"a/b", "a/#", "+/b", "#"})
              fixed += node->text() == filter ? 1 : 0;
          for (const auto* group : found.groups)
            for (const auto& member : *group->members.load())
              fixed += member.options == 1 ? 0U : 1'000U;
          if (fixed != 4)
            ++bad;
        });
      for (auto* node : mine)
        index.release(*node);
      for (auto* group : groups)
        index.forget(*group);
      for (int i = 0; i < 200; ++i)
        turn(graveyard, r, [] { std::this_thread::yield(); });
    });
  for (auto& x : all)
    x.join();
  graveyard.drain();
  BOOST_TEST(bad.load() == 0U);
  BOOST_TEST(index.size() == 4U);
}
