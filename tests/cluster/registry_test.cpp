// Who owns a Client Identifier, whatever order claims and releases come in.

#include "cluster/session_registry.hpp"
#include "tests/cluster/support.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const auto each = boost::test_tools::per_element();

client_ref client(std::uint32_t slot) { return {slot, 1, 0}; }

/// A registry whose actions are written down.
struct test_registry : private session_registry::actions {
  lines claim(std::uint32_t slot, bool clean_start = false,
              const char* name = "c") {
    rules.claim({name, client(slot), clean_start, 100, nullptr});
    return take();
  }
  /// The claim admitted last is applied.
  lines grant(const char* name = "c") {
    done.push_back(rules.granted(name) ? "stays" : "goes");
    return take();
  }
  lines release(std::uint32_t slot, const char* name = "c") {
    done.push_back(rules.release(name, client(slot)) ? "taken" : "ignored");
    return take();
  }
  /// The release taken last is applied.
  lines released(const char* name = "c") {
    rules.released(name);
    return take();
  }
  lines take() { return std::exchange(done, {}); }

  session_registry rules{*this};
  lines done;

private:
  void admit(claim_command&& x) override {
    done.push_back(text("admit ", x.client_id, ' ', x.who.slot,
                        x.clean_start ? " clean" : ""));
  }
  void superseded(client_ref who) override {
    done.push_back(text("superseded ", who.slot));
  }
  void evict(client_ref owner, bool discard) override {
    done.push_back(text("evict ", owner.slot, discard ? " discard" : ""));
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_first_claim_is_admitted_at_once) {
  test_registry x;
  BOOST_TEST(x.claim(1, true) == lines{"admit c 1 clean"}, each);
  BOOST_TEST(x.grant() == lines{"stays"}, each);
  BOOST_TEST(x.rules.owned("c"));
  BOOST_TEST(x.claim(2, false, "d") == lines{"admit d 2"}, each);
  BOOST_TEST(x.rules.size() == 2U);
  BOOST_TEST(x.release(1) == lines{"taken"}, each);
  BOOST_TEST(x.rules.owned("c")); // until that is applied
  BOOST_TEST(x.released().empty());
  BOOST_TEST(!x.rules.owned("c"));
  BOOST_TEST(x.rules.owned("d"));
}

BOOST_AUTO_TEST_CASE(mqtt5_3_1_4_3_a_takeover_waits_until_the_owner_released) {
  test_registry x;
  x.claim(1);
  x.grant();
  BOOST_TEST(x.claim(2) == lines{"evict 1"}, each);
  BOOST_TEST(x.release(1) == lines{"taken"}, each);
  BOOST_TEST(x.released() == lines{"admit c 2"}, each);
  BOOST_TEST(x.grant() == lines{"stays"}, each);
  BOOST_TEST(x.release(1) == lines{"ignored"}, each);
  BOOST_TEST(x.release(2) == lines{"taken"}, each);
}

BOOST_AUTO_TEST_CASE(a_takeover_with_clean_start_lets_the_owner_discard) {
  test_registry x;
  x.claim(1);
  x.grant();
  BOOST_TEST(x.claim(2, true) == lines{"evict 1 discard"}, each);
  x.release(1);
  BOOST_TEST(x.released() == lines{"admit c 2 clean"}, each);
}

BOOST_AUTO_TEST_CASE(the_latest_of_several_claims_gets_the_session) {
  test_registry x;
  x.claim(1);
  x.grant();
  BOOST_TEST(x.claim(2) == lines{"evict 1"}, each);
  BOOST_TEST(x.claim(3) == lines{"superseded 2"}, each); // evicted but once
  x.release(1);
  BOOST_TEST(x.claim(4, true) == lines{"superseded 3"}, each);
  BOOST_TEST(x.released() == lines{"admit c 4 clean"}, each);
  BOOST_TEST(x.grant() == lines{"stays"}, each);
  BOOST_TEST(x.claim(5) == lines{"evict 4"}, each);
}

BOOST_AUTO_TEST_CASE(a_claim_while_another_is_applied_evicts_once_it_is) {
  test_registry x;
  x.claim(1);
  BOOST_TEST(x.claim(2).empty());
  BOOST_TEST(x.claim(3, true) == lines{"superseded 2"}, each);
  BOOST_TEST(x.grant() == (lines{"evict 1 discard", "goes"}), each);
  BOOST_TEST(x.claim(4) == lines{"superseded 3"}, each);
  BOOST_TEST(x.release(1) == lines{"taken"}, each);
  BOOST_TEST(x.released() == lines{"admit c 4"}, each);
  BOOST_TEST(x.grant() == lines{"stays"}, each);
}

BOOST_AUTO_TEST_CASE(a_claim_while_the_owner_releases_evicts_nobody) {
  test_registry x;
  x.claim(1);
  x.grant();
  x.release(1);
  BOOST_TEST(x.claim(2).empty());
  BOOST_TEST(x.claim(3) == lines{"superseded 2"}, each);
  BOOST_TEST(x.released() == lines{"admit c 3"}, each);
  BOOST_TEST(x.rules.owned("c"));
}

BOOST_AUTO_TEST_CASE(only_a_live_owner_releases_and_only_once) {
  test_registry x;
  BOOST_TEST(x.release(1) == lines{"ignored"}, each); // nobody owns it
  x.claim(1);
  BOOST_TEST(x.release(1) == lines{"ignored"}, each); // not granted yet
  x.grant();
  BOOST_TEST(x.release(2) == lines{"ignored"}, each);
  x.claim(2);
  BOOST_TEST(x.release(2) == lines{"ignored"}, each); // it only waits
  auto other_tenant = client(1);
  other_tenant.generation = 2;
  BOOST_TEST(!x.rules.release("c", other_tenant));
  BOOST_TEST(x.release(1) == lines{"taken"}, each);
  BOOST_TEST(x.release(1) == lines{"ignored"}, each);
  BOOST_TEST(x.released() == lines{"admit c 2"}, each);
}

BOOST_AUTO_TEST_CASE(a_release_that_was_not_taken_frees_nothing) {
  test_registry x;
  BOOST_TEST(x.released().empty()); // of nobody
  x.claim(1);
  BOOST_TEST(x.released().empty());
  x.grant();
  BOOST_TEST(x.released().empty());
  BOOST_TEST(x.rules.owned("c"));
  BOOST_TEST(x.claim(2) == lines{"evict 1"}, each);
}

BOOST_AUTO_TEST_CASE(any_order_leaves_one_owner_and_loses_no_claim) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  std::minstd_rand random{seed};
  test_registry x;
  std::uint32_t next = 1;
  std::uint32_t applying = 0; // claim admitted, not granted
  std::uint32_t owner = 0;
  bool releasing = false;
  bool evicted = false;
  std::uint32_t waiting = 0;
  const auto check = [&](const lines& done) {
    for (const auto& line : done) {
      const auto number = [&](std::size_t at) {
        return static_cast<std::uint32_t>(std::stoul(line.substr(at)));
      };
      if (line.starts_with("admit")) {
        BOOST_REQUIRE_MESSAGE((owner == 0 && applying == 0),
                              line << " seed " << seed);
        applying = number(8);
      } else if (line.starts_with("evict")) {
        BOOST_REQUIRE((number(6) == owner && !evicted && !releasing));
        evicted = true;
      } else if (line.starts_with("superseded")) {
        BOOST_REQUIRE(number(11) == waiting);
      }
    }
  };
  for (int step = 0; step < 5'000; ++step) {
    switch (random() % 4) {
    case 0: {
      const auto done = x.claim(next);
      check(done);
      waiting = applying == next ? 0 : next;
      ++next;
      break;
    }
    case 1:
      if (applying != 0) {
        owner = std::exchange(applying, 0);
        evicted = false;
        check(x.grant());
        BOOST_REQUIRE(evicted == (waiting != 0));
      }
      break;
    case 2: {
      const auto who = random() % 2 == 0 ? owner : next - 1 - random() % 3;
      const auto done = x.release(who);
      const bool taken = owner != 0 && who == owner && !releasing;
      BOOST_REQUIRE(done == lines{taken ? "taken" : "ignored"});
      releasing |= taken;
      break;
    }
    default:
      if (releasing) {
        releasing = false;
        owner = 0;
        check(x.released());
        BOOST_REQUIRE(applying == waiting);
        waiting = 0;
        BOOST_REQUIRE(x.rules.owned("c") == (applying != 0));
      }
    }
  }
}
