// What one replica does, message by message and write by write.

#include "cluster/log_codec.hpp"
#include "cluster/raft_log.hpp"
#include "storage/log_store.hpp"
#include "tests/cluster/support.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>
#include <vector>

using namespace troupe::cluster;
using namespace troupe::test;
using troupe::storage::log_store;
using troupe::storage::log_store_options;
using troupe::storage::storage_error;

namespace {

constexpr std::uint16_t shard = 2;
const time_base times{start_time, 1'767'225'600'000};

/// An entry that is known from its one command.
entry_ptr entry(const std::string& topic) {
  auto made = std::make_shared<log_entry>();
  made->at = start_time;
  made->commands.emplace_back(remove_retained_command{topic});
  return made;
}

std::string name_of(const log_entry& x) {
  return x.commands.empty()
           ? "empty"
           : std::get<remove_retained_command>(x.commands.at(0)).topic;
}

class replica {
public:
  replica(std::uint64_t id, std::uint64_t voters) : id_(id), voters_(voters) {
    start();
  }
  ~replica() { stop(); }
  replica(const replica&) = delete;
  replica& operator=(const replica&) = delete;

  void start(log_index applied = 0) {
    stop();
    log_store_options store_options;
    store_options.directory = home_ / "log.db";
    store_options.how.stepped = true;
    store_options.env = disk_.get();
    store = std::make_unique<log_store>(store_options);
    store->start([this](auto told) {
      for (const auto& x : told)
        if (log)
          log->appended(x.index);
    });
    engine = std::make_unique<raft_engine>(static_cast<node_id>(id_), now);
    raft_options options;
    options.shard = shard;
    options.applied = applied;
    for (std::uint64_t id = 1; id <= voters_; ++id)
      options.voters.push_back(static_cast<node_id>(id));
    raft_callbacks callbacks;
    callbacks.committed = [this](log_index index, const entry_ptr& x) {
      committed.push_back(text(index, ' ', name_of(*x)));
      given_back.push_back(x);
    };
    callbacks.lost = [this](const entry_ptr& x) {
      lost.push_back(name_of(*x));
    };
    callbacks.send = [this](node_id to, std::span<const std::uint8_t> bytes) {
      sent.emplace_back(static_cast<std::uint64_t>(to),
                        std::vector<std::uint8_t>{bytes.begin(), bytes.end()});
    };
    log = std::make_unique<raft_log>(options, *engine, *store, times,
                                     std::move(callbacks));
    turn();
  }
  void stop() {
    log.reset();
    engine.reset();
    store.reset();
  }
  void turn() {
    while (engine->pending())
      engine->turn();
  }
  /// The disk does what it was asked for. @returns whether there was something.
  bool write() {
    const auto wrote = store->step();
    turn();
    return wrote;
  }
  void propose(const std::string& topic) {
    indexes.push_back(log->propose(entry(topic)));
    turn();
  }

  std::unique_ptr<log_store> store;
  std::unique_ptr<raft_engine> engine;
  std::unique_ptr<raft_log> log;
  time_point now = start_time;
  std::deque<std::pair<std::uint64_t, std::vector<std::uint8_t>>> sent;
  std::vector<log_index> indexes; ///< of proposals
  lines committed;
  lines lost;
  std::vector<entry_ptr> given_back;

private:
  std::uint64_t id_;
  std::uint64_t voters_;
  temporary_directory home_;
  faulty_env disk_;
};

/// Three of them. Messages wait in `sent` until they are carried.
struct three {
  replica a{1, 3};
  replica b{2, 3};
  replica c{3, 3};

  replica& of(std::uint64_t id) { return id == 1 ? a : id == 2 ? b : c; }
  /// Carries and writes among some until nothing happens; what is for others is
  /// lost.
  void settle(const std::vector<std::uint64_t>& among = {1, 2, 3}) {
    for (bool more = true; more;) {
      more = false;
      for (const auto id : among) {
        more = of(id).write() || more;
        for (auto& [to, bytes] : std::exchange(of(id).sent, {}))
          if (std::find(among.begin(), among.end(), to) != among.end()) {
            of(to).log->step(bytes);
            of(to).turn();
            more = true;
          }
      }
    }
  }
  /// Time passes for all, not at once for any.
  void wait(std::chrono::milliseconds time,
            const std::vector<std::uint64_t>& among = {1, 2, 3}) {
    for (auto left = time; left > 0ms; left -= 50ms) {
      for (const auto id : among) {
        of(id).now += 50ms;
        of(id).engine->advance(of(id).now);
        of(id).turn();
      }
      settle(among);
    }
  }
  /// Of these nobody hears anybody for longer than a leader's lease.
  void silence(const std::vector<std::uint64_t>& among) {
    for (const auto id : among) {
      of(id).now += 1'000ms;
      of(id).engine->advance(of(id).now);
      of(id).turn();
      while (of(id).write()) {
      }
      of(id).sent.clear();
    }
  }
  void elect(std::uint64_t id,
             const std::vector<std::uint64_t>& among = {1, 2, 3}) {
    silence(among);
    of(id).log->campaign();
    of(id).turn();
    settle(among);
    BOOST_REQUIRE((of(id).log->role() == raft_role::leader));
    BOOST_REQUIRE(of(id).log->leads());
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(raft_logs)

BOOST_AUTO_TEST_CASE(a_single_voter_commits_what_is_on_its_disk) {
  replica one{1, 1};
  one.log->campaign();
  one.turn();
  BOOST_CHECK((one.log->role() == raft_role::leader));
  BOOST_TEST(!one.log->leads()); // its first entry is not on the disk
  one.write();
  BOOST_TEST(one.log->leads());
  BOOST_CHECK((one.log->leader() == node_id{1}));
  BOOST_TEST(one.log->term() == 1U);
  const auto given = entry("x");
  BOOST_TEST(one.log->propose(given) == 2U);
  BOOST_TEST(one.log->outstanding() == 1U);
  one.turn();
  BOOST_TEST(one.committed.size() == 1U);
  one.write();
  BOOST_CHECK(one.committed == (lines{"1 empty", "2 x"}));
  BOOST_TEST(one.given_back.back() == given); // with whom it waits for
  BOOST_TEST(one.log->outstanding() == 0U);
  BOOST_TEST(one.log->take_size() > 16U);
  BOOST_TEST(one.log->take_size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_start_goes_on_behind_what_is_applied) {
  replica one{1, 1};
  one.log->campaign();
  one.turn();
  while (one.write()) {
  }
  one.propose("x");
  one.write();
  one.propose("y");
  one.write();
  one.propose("not written");
  const auto term = one.log->term();
  // Its disk has what it was asked for when it is closed; a crash is for the
  // simulation. The last entry is there and not known to be committed.
  one.committed.clear();
  one.start(2);
  BOOST_TEST(one.log->term() == term);
  BOOST_CHECK((one.log->role() == raft_role::follower));
  BOOST_TEST(one.log->last_index() == 4U);
  one.log->campaign();
  one.turn();
  while (one.write()) {
  }
  BOOST_CHECK(one.committed == (lines{"3 y", "4 not written", "5 empty"}));
  BOOST_TEST(one.log->term() == term + 1);
}

BOOST_AUTO_TEST_CASE(only_a_leaders_entries_leave_before_they_are_written) {
  three all;
  all.elect(1);
  all.a.propose("x");
  BOOST_TEST(all.a.sent.size() == 2U); // to both, and nothing is written yet
  // A follower has it in memory and answers when it is on the disk.
  const auto [to, bytes] = all.a.sent.front();
  BOOST_REQUIRE_EQUAL(to, 2U);
  all.b.log->step(bytes);
  all.b.turn();
  BOOST_TEST(all.b.sent.empty());
  all.b.write();
  BOOST_REQUIRE_EQUAL(all.b.sent.size(), 1U);
  // Its answer is half of a majority; the other is the leader's own disk.
  all.a.log->step(all.b.sent.front().second);
  all.a.turn();
  BOOST_TEST(all.a.committed.back() != "2 x");
  all.a.write();
  BOOST_TEST(all.a.committed.back() == "2 x");
  // The followers hear of it, and apply what they read.
  all.settle();
  all.wait(100ms);
  BOOST_TEST(all.b.committed.back() == "2 x");
  BOOST_TEST(all.c.committed.back() == "2 x");
}

BOOST_AUTO_TEST_CASE(a_vote_leaves_when_it_is_written) {
  three all;
  all.wait(1'000ms, {});
  all.a.log->campaign();
  all.a.turn();
  BOOST_REQUIRE_EQUAL(all.a.sent.size(), 2U); // asks whether it could win
  all.b.log->step(all.a.sent.front().second);
  all.b.turn();
  BOOST_REQUIRE_EQUAL(all.b.sent.size(), 1U); // promises nothing
  all.a.sent.clear();
  all.a.log->step(all.b.sent.front().second);
  all.a.turn();
  all.b.sent.clear();
  BOOST_TEST(all.a.sent.empty()); // it votes for itself first
  all.a.write();
  BOOST_REQUIRE_EQUAL(all.a.sent.size(), 2U);
  all.b.log->step(all.a.sent.front().second);
  all.b.turn();
  BOOST_TEST(all.b.sent.empty());
  all.b.write();
  BOOST_REQUIRE_EQUAL(all.b.sent.size(), 1U);
  all.a.log->step(all.b.sent.front().second);
  all.a.turn();
  BOOST_CHECK((all.a.log->role() == raft_role::leader));
}

BOOST_AUTO_TEST_CASE(a_proposal_to_a_follower_is_lost) {
  three all;
  all.elect(1);
  all.b.log->propose(entry("x"));
  BOOST_TEST(all.b.log->outstanding() == 1U);
  BOOST_TEST(all.b.lost.empty()); // never from within `propose`
  all.b.turn();
  BOOST_CHECK(all.b.lost == lines{"x"});
  BOOST_TEST(all.b.log->outstanding() == 0U);
  // It counts for nothing when that replica is the leader.
  all.elect(2);
  all.b.propose("y");
  all.settle();
  BOOST_TEST(all.b.committed.back() == text(all.b.indexes.back(), ' ', 'y'));
}

BOOST_AUTO_TEST_CASE(what_a_deposed_leader_proposed_is_lost_or_committed) {
  three all;
  all.elect(1);
  all.a.propose("reaches c");
  all.c.log->step(all.a.sent.back().second);
  all.c.turn();
  all.a.sent.clear();
  all.a.propose("reaches nobody");
  all.settle({1});
  all.settle({3});
  BOOST_TEST(all.a.log->outstanding() == 2U);
  all.elect(3, {2, 3});
  all.c.propose("of c");
  all.settle({2, 3});
  // Nobody has told the first leader: all is open.
  BOOST_TEST(all.a.log->outstanding() == 2U);
  BOOST_TEST(all.a.lost.empty());
  all.wait(500ms);
  BOOST_TEST(all.a.log->outstanding() == 0U);
  BOOST_CHECK(all.a.lost == lines{"reaches nobody"});
  const lines wanted{"1 empty", "2 reaches c", "3 empty", "4 of c"};
  BOOST_CHECK(all.a.committed == wanted);
  BOOST_CHECK(all.b.committed == wanted);
  BOOST_CHECK(all.c.committed == wanted);
  // Its disk has the others' entries in place of its own.
  all.a.start();
  BOOST_TEST(all.a.log->last_index() == 4U);
}

BOOST_AUTO_TEST_CASE(a_leader_hands_over_and_what_it_refuses_takes_no_index) {
  three all;
  all.elect(1);
  all.a.propose("before");
  all.settle();
  all.a.log->transfer(node_id{2});
  for (const auto* topic : {"while", "it hands over"}) {
    all.a.propose(topic);
    BOOST_TEST(all.a.indexes.back() == 3U);
  }
  BOOST_TEST(all.a.lost == (lines{"while", "it hands over"}));
  all.settle();
  BOOST_REQUIRE((all.b.log->role() == raft_role::leader));
  BOOST_TEST(!all.a.log->leads());
  all.b.propose("of the next");
  all.settle();
  const lines expected{"1 empty", "2 before", "3 empty", "4 of the next"};
  BOOST_TEST(all.a.committed == expected);
  BOOST_TEST(all.b.indexes == (std::vector<log_index>{4}));
  // To one that cannot be reached: after an election's time it goes on.
  all.b.log->transfer(node_id{3});
  all.b.turn();
  auto too_early = entry("too early");
  all.b.log->propose(too_early);
  all.wait(2'500ms, {1, 2});
  BOOST_TEST(all.b.lost == (lines{"too early"}));
  BOOST_REQUIRE(all.b.log->leads());
  all.b.propose("again");
  BOOST_TEST(all.b.indexes.back() == 5U);
  all.settle();
  BOOST_TEST(all.c.committed.back() == "5 again");
}

BOOST_AUTO_TEST_CASE(one_that_follows_hands_nothing_over) {
  three all;
  all.elect(1);
  all.b.log->transfer(node_id{3});
  all.b.turn();
  all.settle();
  BOOST_TEST(all.a.log->leads());
}

BOOST_AUTO_TEST_CASE(time_is_the_clocks_and_not_the_number_of_calls) {
  three all;
  all.elect(1);
  for (int call = 0; call < 10'000; ++call)
    all.b.engine->advance(all.b.now);
  BOOST_TEST(!all.b.engine->pending());
  BOOST_CHECK((all.b.engine->next_tick() > all.b.now));
  // A leader that was away for as long as two elections is none any more.
  all.a.now += 10min;
  all.a.engine->advance(all.a.now);
  all.a.turn();
  BOOST_CHECK((all.a.log->role() != raft_role::leader));
  BOOST_TEST(!all.a.log->leads());
  // And the time that nobody was looking is not made up for.
  all.a.engine->advance(all.a.now + 50ms);
  BOOST_TEST(!all.a.engine->pending());
}

BOOST_AUTO_TEST_CASE(followers_without_a_leader_elect_one) {
  three all;
  all.wait(5s);
  int leaders = 0;
  for (std::uint64_t id = 1; id <= 3; ++id)
    leaders += all.of(id).log->leads() ? 1 : 0;
  BOOST_TEST(leaders == 1);
}

BOOST_AUTO_TEST_CASE(a_message_that_cannot_be_read_is_dropped) {
  three all;
  all.elect(1);
  all.a.propose("x");
  const auto hear = [&](const std::vector<std::uint8_t>& bytes) {
    all.b.log->step(bytes);
    all.b.turn();
    return !all.b.sent.empty() || all.b.write();
  };
  for (const auto& [to, bytes] : all.a.sent) {
    auto part = bytes;
    while (!part.empty()) {
      part.pop_back();
      BOOST_REQUIRE(!hear(part));
    }
    if (to != 2) {
      BOOST_TEST(!hear(bytes)); // somebody else's
    }
  }
  std::minstd_rand random{test_seed()};
  for (int i = 0; i < 1'000; ++i) {
    std::vector<std::uint8_t> noise(random() % 60);
    for (auto& x : noise)
      x = static_cast<std::uint8_t>(random());
    BOOST_REQUIRE(!hear(noise));
  }
  all.settle();
  all.wait(100ms);
  BOOST_TEST(all.b.committed.back() == "2 x");
}

BOOST_AUTO_TEST_CASE(a_log_that_lost_what_it_had_stops_the_engine) {
  three all;
  all.elect(1);
  all.a.propose("x");
  all.settle();
  all.b.stop();
  { // entry 2, which it has confirmed, is gone
    replica other{2, 3};
    BOOST_TEST(other.log->last_index() == 0U);
    all.wait(100ms, {1, 3});
    all.a.engine->advance(all.a.now += 100ms);
    all.a.turn();
    BOOST_REQUIRE(!all.a.sent.empty());
    const auto hear = [&] {
      for (const auto& [to, bytes] : all.a.sent)
        if (to == 2)
          other.log->step(bytes);
      other.turn();
    };
    BOOST_CHECK_THROW(hear(), raft_failure);
  }
}

BOOST_AUTO_TEST_CASE(a_log_that_is_not_the_states_is_refused) {
  replica one{1, 1};
  one.log->campaign();
  one.turn();
  while (one.write()) {
  }
  const auto refused = [](const std::string& part) {
    return [part](const storage_error& e) {
      return std::string{e.what()}.find(part) != std::string::npos;
    };
  };
  BOOST_CHECK_EXCEPTION(one.start(2), storage_error,
                        refused("its state is at entry 2"));
  one.start(1);
  one.store->append(shard, 2, encode_raft_entry({0, {}}));
  one.store->step();
  BOOST_CHECK_EXCEPTION(one.start(1), storage_error,
                        refused("these were never one log"));
  one.store->append(shard, 3, "short");
  one.store->step();
  one.store->trim(shard, 1);
  BOOST_CHECK_EXCEPTION(one.start(1), storage_error,
                        refused("begins with entry 2"));
}

BOOST_AUTO_TEST_CASE(hard_states_are_read_as_they_were_written) {
  const hard_state x{1, 2, 0x1234'5678'9abc'def0};
  const auto bytes = encode_hard_state(x);
  const std::span<const std::uint8_t> all{
    reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  BOOST_CHECK(decode_hard_state(all) == x);
  for (std::size_t size = 0; size < all.size(); ++size)
    BOOST_CHECK_THROW(decode_hard_state(all.first(size)), record_error);
  const std::string entry_bytes =
    encode_raft_entry({7, std::span{all}.first(5)});
  const std::span<const std::uint8_t> stored{
    reinterpret_cast<const std::uint8_t*>(entry_bytes.data()),
    entry_bytes.size()};
  const auto read = decode_raft_entry(stored);
  BOOST_TEST(read.term == 7U);
  BOOST_TEST(read.bytes.size() == 5U);
  BOOST_CHECK_THROW(decode_raft_entry(stored.first(7)), record_error);
}

BOOST_AUTO_TEST_SUITE_END()
