// Nothing is freed while somebody may still read it.

#include "actors/concurrent_table.hpp"
#include "tests/actors/index_support.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>

using namespace troupe::actors;
using namespace troupe::test;

namespace {

/// Says when it goes.
struct mortal {
  explicit mortal(int& count) : alive(count) { ++alive; }
  ~mortal() { --alive; }
  mortal(const mortal&) = delete;
  mortal& operator=(const mortal&) = delete;
  int& alive;
};

const auto nothing = [] {};

struct numbered {
  std::uint32_t hash = 0;
  std::uint64_t key = 0;
  std::atomic<std::uint64_t> canary{0x600D};
};

} // namespace

BOOST_AUTO_TEST_CASE(an_object_lives_until_all_reactors_took_two_turns) {
  int alive = 0;
  int wakes = 0;
  reclaimer graveyard{2, [&] { ++wakes; }};
  graveyard.retire(new mortal{alive});
  BOOST_TEST(wakes == 1);
  turn(graveyard, 0, nothing);
  turn(graveyard, 0, nothing);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1); // the other one may still read it
  turn(graveyard, 1, nothing);
  BOOST_TEST(alive == 1); // or have it in its mailbox
  BOOST_TEST(wakes == 2);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1);
  turn(graveyard, 1, nothing);
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(a_turn_that_began_before_does_not_count) {
  int alive = 0;
  reclaimer graveyard{1, nothing};
  const auto before = graveyard.turn_began();
  graveyard.retire(new mortal{alive});
  graveyard.turn_ended(0, before);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(what_is_retired_meanwhile_waits_for_a_round_of_its_own) {
  int alive = 0;
  reclaimer graveyard{1, nothing};
  graveyard.retire(new mortal{alive});
  turn(graveyard, 0, [&] { graveyard.retire(new mortal{alive}); });
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1);
  turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(a_destructor_may_retire_something_else) {
  int alive = 0;
  struct chain {
    reclaimer& graveyard;
    int& count;
  };
  reclaimer graveyard{1, nothing};
  graveyard.retire(new chain{graveyard, alive}, [](void* x) {
    auto* self = static_cast<chain*>(x);
    self->graveyard.retire(new mortal{self->count});
    delete self;
  });
  for (int i = 0; i < 2; ++i)
    turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 1);
  for (int i = 0; i < 2; ++i)
    turn(graveyard, 0, nothing);
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(what_is_left_goes_with_the_reclaimer) {
  int alive = 0;
  {
    reclaimer graveyard{3, nothing};
    for (int i = 0; i < 10; ++i)
      graveyard.retire(new mortal{alive});
    turn(graveyard, 0, nothing);
    graveyard.retire(new mortal{alive});
    BOOST_TEST(alive == 11);
  }
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(readers_on_many_threads_never_see_what_was_freed) {
  struct cell {
    std::atomic<std::uint64_t> canary{0x600D};
    ~cell() { canary.store(0xDEAD, std::memory_order_relaxed); }
  };
  constexpr std::size_t threads = 3;
  reclaimer graveyard{threads, nothing};
  std::array<std::atomic<cell*>, 16> shared{};
  for (auto& x : shared)
    x.store(new cell);
  std::atomic<std::uint64_t> bad{0};
  std::vector<std::thread> all;
  for (std::size_t r = 0; r < threads; ++r)
    all.emplace_back([&, r] {
      std::minstd_rand random{static_cast<std::uint32_t>(r + 1)};
      for (int i = 0; i < 20'000; ++i)
        turn(graveyard, r, [&] {
          std::array<cell*, 4> seen{};
          for (auto& x : seen)
            x = shared[random() % shared.size()].load();
          if (random() % 4 == 0)
            graveyard.retire(
              shared[random() % shared.size()].exchange(new cell));
          for (auto* x : seen)
            if (x->canary.load(std::memory_order_relaxed) != 0x600D)
              ++bad;
        });
      // Whoever stops must not keep the others from freeing.
      for (int i = 0; i < 1'000; ++i)
        turn(graveyard, r, [] { std::this_thread::yield(); });
    });
  for (auto& x : all)
    x.join();
  graveyard.drain();
  for (auto& x : shared)
    delete x.load();
  BOOST_TEST(bad.load() == 0U);
}

// ---- concurrent_table ------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_table_finds_what_was_put_into_it) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  reclaimer graveyard{1, nothing};
  concurrent_table<numbered> table{graveyard};
  std::vector<std::unique_ptr<numbered>> in(3'000);
  for (int step = 0; step < 60'000; ++step) {
    const auto key = random() % in.size();
    // Few different hashes, so that many keys collide.
    const auto hash = static_cast<std::uint32_t>(key % 700 * 0x9E37'79B9U);
    const auto found =
      table.find(hash, [&](const numbered& x) { return x.key == key; });
    BOOST_REQUIRE(found == in[key].get());
    if (in[key]) {
      table.erase(*in[key]);
      in[key].reset();
    } else {
      in[key] = std::make_unique<numbered>();
      in[key]->hash = hash;
      in[key]->key = key;
      table.insert(*in[key]);
    }
    turn(graveyard, 0, nothing);
  }
  std::set<std::uint64_t> all;
  table.for_each(
    [&](const numbered& x) { BOOST_TEST(all.insert(x.key).second); });
  for (std::size_t i = 0; i < in.size(); ++i)
    BOOST_TEST(all.contains(i) == (in[i] != nullptr));
}

BOOST_AUTO_TEST_CASE(readers_of_a_table_always_find_what_stays_in_it) {
  constexpr std::size_t readers = 2;
  reclaimer graveyard{readers, nothing};
  concurrent_table<numbered> table{graveyard};
  std::vector<std::unique_ptr<numbered>> fixed;
  const auto make = [](std::uint64_t key) {
    auto x = std::make_unique<numbered>();
    x->key = key;
    x->hash = static_cast<std::uint32_t>(key * 0x9E37'79B9U);
    return x;
  };
  for (std::uint64_t i = 0; i < 500; ++i) {
    fixed.push_back(make(i));
    table.insert(*fixed.back());
  }
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> bad{0};
  std::vector<std::thread> all;
  for (std::size_t r = 0; r < readers; ++r)
    all.emplace_back([&, r] {
      std::minstd_rand random{static_cast<std::uint32_t>(r + 1)};
      while (!done)
        turn(graveyard, r, [&] {
          for (int i = 0; i < 20; ++i) {
            const auto key = random() % 1'000;
            const auto* x =
              table.find(static_cast<std::uint32_t>(key * 0x9E37'79B9U),
                         [&](const numbered& n) { return n.key == key; });
            if ((x == nullptr && key < 500)
                || (x != nullptr && x->canary != 0x600D))
              ++bad;
          }
        });
    });
  std::minstd_rand random{7};
  std::vector<std::unique_ptr<numbered>> moving(500);
  for (int i = 0; i < 20'000; ++i) {
    auto& x = moving[random() % moving.size()];
    if (x) {
      table.erase(*x);
      graveyard.retire(x.release());
    } else {
      x = make(500 + static_cast<std::uint64_t>(&x - moving.data()));
      table.insert(*x);
    }
  }
  done = true;
  for (auto& x : all)
    x.join();
  graveyard.drain();
  BOOST_TEST(bad.load() == 0U);
}
