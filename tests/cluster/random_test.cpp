// Random commands: equal shards stay equal, and nothing held is ever lost.

#include "tests/cluster/random_commands.hpp"
#include "tests/cluster/row_store.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const shard_options small{
  .shard = 3, .retained_max = 20, .delayed_max = 10, .stored_bytes_max = 5'000};

const shard_options unbounded{
  .shard = 3, .retained_max = 20, .delayed_max = 10};

/// Without what depends on leases, which are lost with the process.
lines durable(lines all) {
  std::erase_if(all, [](const std::string& x) {
    return x.starts_with("group ") || x.starts_with("dropped ");
  });
  return all;
}

/// What groups get of the disk comes later, and that in another order; what
/// they leave there when they end is not counted.
lines groups_last(lines all) {
  std::erase_if(
    all, [](const std::string& x) { return x.starts_with("dropped 6 "); });
  const auto groups =
    std::stable_partition(all.begin(), all.end(), [](const std::string& x) {
      return !x.starts_with("group ");
    });
  std::sort(groups, all.end());
  return all;
}

/// What clients were told of their sessions since the last call.
lines take_grants(recorder& from) {
  lines made;
  for (const auto& x : std::exchange(from.grants, {}))
    made.push_back(text(x.epoch, ' ', x.incarnation, ' ',
                        x.record ? describe(*x.record) : "fresh"));
  return made;
}

void require_same(const lines& got, const lines& wanted,
                  const std::string& where) {
  if (got != wanted) { // slow, and says what is different
    for (const auto& x : got)
      BOOST_TEST_MESSAGE("got    " << x);
    for (const auto& x : wanted)
      BOOST_TEST_MESSAGE("wanted " << x);
    BOOST_TEST(got == wanted, boost::test_tools::per_element());
  }
  BOOST_REQUIRE_MESSAGE(got == wanted, where);
}

void require_same_counts(const test_shard& got, const test_shard& wanted,
                         const std::string& where) {
  const auto counts = [](const shard_state_machine& of) {
    return lines{text("sessions ", of.session_count()),
                 text("offline ", of.offline_count()),
                 text("retained ", of.retained_count()),
                 text("delayed ", of.delayed_count()),
                 text("time ", describe(of.last_time()))};
  };
  require_same(counts(got.state), counts(wanted.state), where);
  BOOST_REQUIRE(got.effects.retained_count == wanted.effects.retained_count);
}

lines forwards(const test_shard& of) {
  lines made;
  of.state.for_each_forward([&](std::uint16_t to, const forward_command& x) {
    made.push_back(text(to, ' ', x.sequence, ' ', describe(x.what->what)));
  });
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(two_shards_fed_the_same_commands_have_the_same_effects) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 10; ++round) {
    test_shard one{small};
    test_shard other{small};
    one.effects.live_groups = other.effects.live_groups = {"g #", "g +", "h #"};
    random_commands next{static_cast<std::uint32_t>(random())};
    for (int step = 0; step < 2'000; ++step) {
      const auto x = next(one.effects);
      one.now = other.now += std::chrono::seconds{random() % 3};
      const auto first = one(x);
      const auto second = other(x);
      if (first != second)
        BOOST_TEST(first == second, boost::test_tools::per_element());
      BOOST_REQUIRE_MESSAGE(first == second,
                            "step " << step << " seed " << seed);
      BOOST_REQUIRE((one.state.next_due() == other.state.next_due()));
      BOOST_REQUIRE(one.state.stored_bytes() <= 5'000);
    }
    BOOST_TEST(one.state.stored_count() == other.state.stored_count());
    BOOST_TEST(one.state.session_count() == other.state.session_count());
    BOOST_TEST(one.state.retained_count() == other.state.retained_count());
    BOOST_TEST(one.effects.retained_count
               == static_cast<int>(one.state.retained_count()));
  }
}

BOOST_AUTO_TEST_CASE(a_shard_that_starts_again_goes_on_as_if_it_never_ended) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  for (int round = 0; round < 12; ++round) {
    // With live members of groups, leases differ, and nothing else may.
    const bool live = round % 2 == 0;
    durable_shard one{unbounded};
    test_shard untracked{unbounded}; // without a disk nothing is different
    std::unique_ptr<durable_shard> again;
    const auto begin = [&](recorder& of) {
      of.on_forward = nullptr;
      of.on_forwarded = nullptr;
      of.grants.clear();
      if (live)
        of.live_groups = {"g #", "g +", "h #"};
    };
    begin(one.effects);
    begin(untracked.effects);
    random_commands next{static_cast<std::uint32_t>(random())};
    recorder seen; // all grants, for `next`
    for (int step = 0; step < 3'000; ++step) {
      const auto where = text("round ", round, " step ", step, " seed ", seed);
      const auto x = next(seen);
      one.now = untracked.now += std::chrono::seconds{random() % 3};
      const auto wanted = one(x);
      seen.grants.insert(seen.grants.end(), one.effects.grants.begin(),
                         one.effects.grants.end());
      const auto grants = take_grants(one.effects);
      require_same(groups_last(untracked(x)), groups_last(wanted), where);
      require_same(take_grants(untracked.effects), grants, where);
      if (again) {
        again->now = one.now;
        const auto got = (*again)(x);
        if (live)
          require_same(durable(got), durable(wanted), where);
        else
          require_same(got, wanted, where);
        require_same(take_grants(again->effects), grants, where);
        require_same_counts(*again, one, where);
        // Members that gave something back are asked again by the leader.
        // What is on the disk is looked at before it is due.
        BOOST_REQUIRE((live || !one.state.next_due()
                       || again->state.next_due() <= one.state.next_due()));
      }
      if (random() % 50 != 0)
        continue;
      // Both write down what changed since: their rows are the same.
      if (random() % 2 == 0) {
        one.snapshot();
        if (again) {
          again->snapshot();
          require_same(again->rows.dump(), one.rows.dump(), where);
        }
      }
      // From the rows, and the log behind them.
      again = one.started_again();
      begin(again->effects);
      require_same_counts(*again, one, where + " started");
      require_same(forwards(*again), forwards(one), where);
      BOOST_REQUIRE((again->effects.kept_filters == one.effects.kept_filters));
      BOOST_REQUIRE((again->effects.exclusive == one.effects.exclusive));
      auto copy = one.started_again();
      copy->snapshot();
      one.snapshot();
      again->snapshot();
      require_same(copy->rows.dump(), one.rows.dump(), where);
      if (random() % 4 == 0)
        again.reset(); // it goes on alone for a while
    }
    BOOST_TEST(seen.grants.size() > 50U);
    BOOST_TEST(one.effects.retained_count
               == static_cast<int>(one.state.retained_count()));
  }
}

BOOST_AUTO_TEST_CASE(changes_are_handed_out_once) {
  durable_shard shard{small};
  BOOST_TEST(shard.state.change_count() == 0U);
  shard.publish(make_message("t", "x", {.retain = true}));
  BOOST_TEST(shard.state.change_count() == 1U);
  shard.snapshot();
  BOOST_TEST(shard.state.change_count() == 0U);
  BOOST_TEST(shard.rows.retained_messages.size() == 1U);
  BOOST_TEST(shard.rows.at.index == 1U);
  BOOST_TEST(shard.state.applied_index() == 1U);
  BOOST_TEST(shard.started_again()->state.applied_index() == 1U);
  // What came and went in between is not written.
  hold_command hold{"a", {}, true, {}, 0};
  hold.subscription.filter = "t";
  shard(hold);
  shard.publish(make_message("t", "y"));
  hold.holds = false;
  shard(hold);
  shard.snapshot();
  BOOST_TEST(shard.rows.messages.empty());
  BOOST_TEST(shard.rows.holders.empty());
  BOOST_TEST(shard.rows.filters.empty());
  test_shard untracked{small};
  untracked.publish(make_message("t", "x", {.retain = true}));
  BOOST_TEST(untracked.state.change_count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_session_can_fetch_just_what_its_filters_matched) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  struct held_filter {
    std::uint64_t since = 0;
  };
  struct client {
    std::map<std::string, held_filter> filters;
    std::uint64_t taken = 0;
  };
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<test_shard> made;
    if (round % 2 == 0)
      made = std::make_unique<test_shard>();
    else
      made = std::make_unique<durable_shard>(shard_options{.shard = 3});
    auto& shard = *made;
    auto* on_disk = dynamic_cast<durable_shard*>(made.get());
    std::map<std::string, client> clients;
    std::map<std::uint64_t, std::string> published; // sequence to topic
    for (int step = 0; step < 500; ++step) {
      const std::string who = client_names[random() % 4];
      auto& of = clients[who];
      if (on_disk != nullptr && random() % 10 == 0)
        on_disk->snapshot();
      switch (random() % 6) {
      case 0: {
        const auto filter = random_filter(random);
        hold_command hold{who, {}, random() % 3 != 0, {}, 0};
        hold.subscription.filter = filter;
        hold.subscription.options.maximum_qos = qos::at_least_once;
        shard(hold);
        if (hold.holds)
          of.filters.try_emplace(filter, held_filter{published.size()});
        else
          of.filters.erase(filter);
        break;
      }
      case 1: {
        of.taken =
          std::max<std::uint64_t>(of.taken, random() % (published.size() + 1));
        shard(advance_command{who, of.taken});
        break;
      }
      case 2: {
        std::vector<std::uint64_t> wanted;
        for (const auto& [sequence, topic] : published)
          if (sequence > of.taken)
            for (const auto& [filter, held] : of.filters)
              if (sequence > held.since
                  && troupe::protocol::matches(filter, topic)) {
                wanted.push_back(sequence);
                break;
              }
        std::vector<std::uint64_t> got;
        auto after = of.taken;
        for (bool complete = false; !complete;) {
          shard(fetch_read{who, {1, 1, 0}, after, 1 + random() % 9});
          const auto& page = shard.effects.pages.back();
          for (const auto& x : page.messages)
            got.push_back(x.position.sequence);
          after = page.up_to;
          complete = page.complete;
        }
        BOOST_TEST(after == published.size());
        BOOST_TEST((got == wanted), "step " << step << " seed " << seed);
        break;
      }
      default: {
        const auto topic = random_topic(random);
        shard.publish(make_message(topic, "x"));
        published.emplace(published.size() + 1, topic);
      }
      }
    }
    for (auto& [who, of] : clients)
      for (const auto& [filter, held] : of.filters) {
        hold_command last{who, {}, false, {}, 0};
        last.subscription.filter = filter;
        shard(last);
      }
    if (on_disk != nullptr) {
      on_disk->sweep();
      BOOST_TEST(on_disk->disk.size(row_family::backlog) == 0U);
      BOOST_TEST(on_disk->disk.size(row_family::message) == 0U);
      BOOST_TEST(on_disk->disk.size(row_family::holder) == 0U);
    }
    BOOST_TEST(shard.state.stored_count() == 0U);
    BOOST_TEST(shard.state.stored_bytes() == 0U);
  }
}
