// The next timers in memory, the others on a disk, compared with all of them.

#include "cluster/timer_window.hpp"
#include "protocol/message.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <random>
#include <string>

using namespace troupe::cluster;
using namespace std::chrono_literals;
using troupe::test::test_seed;

namespace {

constexpr time_point start{1h};
constexpr std::size_t batch = timer_window::batch;

using timers = std::map<timer_key, message_ptr>;

timer_key key_at(std::chrono::milliseconds due, const std::string& of,
                 timer_kind kind = timer_kind::session) {
  return {start + due, kind, of};
}

/// What a disk gives behind `after`.
void supply(timer_window& to, const timers& disk, const timer_key& after) {
  std::vector<timer_row> rows;
  for (auto at = disk.upper_bound(after);
       at != disk.end() && rows.size() < batch; ++at)
    rows.emplace_back(*at);
  const bool more = rows.size() == batch;
  to.supply(after, std::move(rows), more);
}

void write(timer_window& from, std::uint64_t index, timers& disk) {
  from.take_changes(index,
                    [&](const timer_key& key, const message_ptr* message) {
                      if (message == nullptr)
                        disk.erase(key);
                      else
                        disk[key] = *message;
                    });
}

/// All that are due, in their order.
std::vector<timer_key> take_all(timer_window& from, const timers& disk,
                                time_point now) {
  std::vector<timer_key> taken;
  while (true) {
    if (const auto after = from.wanted(now)) {
      supply(from, disk, *after);
      continue;
    }
    std::size_t count = 0;
    while (const auto x = from.take_due(now)) {
      taken.push_back(x->first);
      if (++count == batch)
        break;
    }
    if (count < batch)
      return taken;
  }
}

std::vector<timer_key> keys_of(const timers& all) {
  std::vector<timer_key> made;
  for (const auto& [key, message] : all)
    made.push_back(key);
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(without_a_disk_timers_are_taken_in_their_order) {
  timer_window x{false};
  BOOST_TEST(!x.next_due());
  x.add(key_at(2s, "b"));
  x.add(key_at(1s, "z"));
  x.add(key_at(1s, "a"));
  x.add(key_at(1s, "b", timer_kind::will));
  BOOST_TEST(!x.wanted(start + 9s));
  BOOST_TEST((*x.next_due() == start + 1s));
  BOOST_TEST(!x.take_due(start + 999ms));
  x.remove(key_at(1s, "z"));
  const std::vector<timer_key> wanted{key_at(1s, "b", timer_kind::will),
                                      key_at(1s, "a"), key_at(2s, "b")};
  BOOST_TEST((take_all(x, {}, start + 2s) == wanted));
  BOOST_TEST(!x.next_due());
  BOOST_TEST(x.change_count() == 0U);
}

BOOST_AUTO_TEST_CASE(with_a_disk_it_is_read_before_anything_is_due) {
  timer_window x{true};
  x.add(key_at(5s, "new"));
  BOOST_REQUIRE(x.wanted(start));
  BOOST_TEST((*x.next_due() <= start)); // it must look
  BOOST_TEST(!x.take_due(start + 9s));
  timers disk{{key_at(3s, "old"), {}}};
  BOOST_TEST((take_all(x, disk, start) == std::vector<timer_key>{}));
  BOOST_TEST((*x.next_due() == start + 3s));
  BOOST_TEST((take_all(x, disk, start + 9s)
              == std::vector<timer_key>{key_at(3s, "old"), key_at(5s, "new")}));
  write(x, 1, disk);
  BOOST_TEST(disk.empty());
}

BOOST_AUTO_TEST_CASE(
  a_timer_that_comes_and_goes_between_writes_is_not_written) {
  timer_window x{true};
  timers disk;
  take_all(x, disk, start);
  x.add(key_at(5s, "a"));
  x.remove(key_at(5s, "a"));
  std::size_t told = 0;
  x.take_changes(1, [&](const auto&...) { ++told; });
  BOOST_TEST(told == 0U);
  // And the other way round: it is on the disk already.
  x.add(key_at(5s, "b"));
  write(x, 2, disk);
  x.remove(key_at(5s, "b"));
  x.add(key_at(5s, "b"));
  x.remove(key_at(5s, "b"));
  write(x, 3, disk);
  BOOST_TEST(disk.empty());
}

BOOST_AUTO_TEST_CASE(what_is_removed_behind_the_window_does_not_come_back) {
  timers disk;
  for (std::size_t i = 0; i < 2 * batch; ++i)
    disk.emplace(key_at(std::chrono::seconds{i}, "x"), message_ptr{});
  timer_window x{true};
  take_all(x, disk, start - 1s);
  const auto behind = key_at(std::chrono::seconds{batch + 7}, "x");
  x.remove(behind);
  auto wanted = disk;
  wanted.erase(behind);
  // The disk has it yet when it is read.
  BOOST_TEST((take_all(x, disk, start + 24h) == keys_of(wanted)));
  write(x, 1, disk);
  BOOST_TEST(disk.empty());
}

BOOST_AUTO_TEST_CASE(an_answer_to_an_old_question_is_dropped) {
  timer_window x{true};
  const auto after = *x.wanted(start);
  timers disk{{key_at(1s, "a"), {}}};
  supply(x, disk, after);
  disk[key_at(0s, "later")] = {};
  supply(x, disk, after);
  BOOST_TEST((*x.next_due() == start + 1s));
}

BOOST_AUTO_TEST_CASE(what_is_due_next_is_told_before_it_is_taken) {
  timer_window x{false};
  for (std::size_t i = 0; i < batch + 9; ++i)
    x.add(key_at(std::chrono::milliseconds{i}, "x"));
  std::vector<timer_key> told;
  x.for_each_due(start + 1h, [&](const timer_key& key, const message_ptr&) {
    told.push_back(key);
  });
  BOOST_TEST(told.size() == batch);
  for (const auto& key : told)
    BOOST_TEST((x.take_due(start + 1h)->first == key));
}

namespace {

/// A window, what it should have, and its disk: batches become visible in
/// their order, and are stored for good later. Nothing is stored while an
/// answer is awaited, as `shard_state_machine::stored` promises.
class model {
public:
  model(std::uint32_t seed, std::chrono::milliseconds span)
    : random_(seed),
      span_(span) {}

  void add(std::size_t count) {
    for (; count != 0; --count) {
      const auto kind = static_cast<timer_kind>(random_() % 4);
      const timer_key key{now_ + 1ms * (1 + random_() % span_.count()), kind,
                          std::to_string(random_() % 100'000)};
      if (all_.contains(key))
        continue;
      message_ptr message;
      if (kind == timer_kind::delayed) {
        troupe::protocol::message_options made;
        made.topic = key.of;
        message = troupe::protocol::message::make(made);
      }
      all_.emplace(key, message);
      window_.add(key, message);
      if (random_() % 8 == 0)
        removed_.push_back(key);
    }
  }
  void remove(std::size_t count) {
    for (; count != 0 && !all_.empty(); --count) {
      auto at = all_.lower_bound(
        {now_ + 1ms * (random_() % span_.count()), timer_kind::delayed, {}});
      if (at == all_.end())
        at = all_.begin();
      removed_.push_back(at->first);
      window_.remove(at->first);
      all_.erase(at);
    }
  }
  /// What went comes again, at the same time.
  void add_again() {
    for (; !removed_.empty() && random_() % 8 != 0; removed_.pop_back())
      if (const auto& key = removed_.back(); key.kind != timer_kind::delayed
                                             && key.due > now_
                                             && all_.try_emplace(key).second)
        window_.add(key);
    removed_.clear();
  }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    while (take_some() == batch)
      ;
    const auto due = window_.next_due();
    if (all_.empty())
      return;
    BOOST_REQUIRE(due);
    BOOST_REQUIRE((*due <= all_.begin()->first.due));
    BOOST_REQUIRE((*due > now_ || window_.wanted(now_)));
  }
  void take_changes() {
    queued_.emplace_back();
    window_.take_changes(
      ++index_, [&](const timer_key& key, const message_ptr* message) {
        queued_.back().emplace_back(
          key, message == nullptr ? std::nullopt : std::optional{*message});
      });
  }
  void show(std::size_t batches) {
    for (; batches != 0 && !queued_.empty(); --batches) {
      for (const auto& [key, message] : queued_.front())
        if (message)
          disk_[key] = *message;
        else
          disk_.erase(key);
      queued_.pop_front();
    }
  }
  void store() { window_.stored(index_ - queued_.size()); }
  /// A new process begins with what is on the disk.
  void start_again() {
    take_changes();
    show(queued_.size());
    BOOST_REQUIRE((keys_of(disk_) == keys_of(all_)));
    window_ = timer_window{true};
  }
  void step() {
    switch (random_() % 8) {
    case 0:
      add(random_() % (random_() % 8 == 0 ? 3 * batch : 20));
      break;
    case 1:
      remove(random_() % (random_() % 8 == 0 ? batch : 20));
      break;
    case 2:
      add_again();
      break;
    case 3:
    case 4:
      take_changes();
      break;
    case 5:
      show(random_() % 4);
      store();
      break;
    case 6:
      pass(1ms * (random_() % (span_.count() / 20)));
      break;
    default:
      if (random_() % 16 == 0)
        start_again();
    }
  }
  void finish() {
    pass(std::chrono::hours{24} * 365);
    BOOST_REQUIRE(all_.empty());
    start_again();
    BOOST_REQUIRE(disk_.empty());
  }

private:
  /// As one command that says that time has passed.
  std::size_t take_some() {
    while (const auto after = window_.wanted(now_)) {
      if (random_() % 4 == 0)
        take_changes();
      if (random_() % 4 == 0)
        show(1);
      supply(window_, disk_, *after);
    }
    std::vector<timer_key> told;
    window_.for_each_due(now_, [&](const timer_key& key, const message_ptr& x) {
      BOOST_REQUIRE(static_cast<bool>(x) == (key.kind == timer_kind::delayed));
      told.push_back(key);
    });
    std::size_t count = 0;
    for (; count < batch; ++count) {
      const auto taken = window_.take_due(now_);
      const bool due = !all_.empty() && all_.begin()->first.due <= now_;
      BOOST_REQUIRE(taken.has_value() == due);
      if (!taken)
        break;
      BOOST_REQUIRE((taken->first == all_.begin()->first));
      BOOST_REQUIRE((told.at(count) == taken->first));
      BOOST_REQUIRE(static_cast<bool>(taken->second)
                    == static_cast<bool>(all_.begin()->second));
      all_.erase(all_.begin());
    }
    BOOST_REQUIRE(told.size() == count);
    return count;
  }

  std::minstd_rand random_;
  std::chrono::milliseconds span_;
  time_point now_ = start;
  timer_window window_{true};
  timers all_;
  timers disk_;
  std::vector<timer_key> removed_;
  std::deque<std::vector<std::pair<timer_key, std::optional<message_ptr>>>>
    queued_; ///< taken, not visible yet
  std::uint64_t index_ = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_window_gives_the_timers_that_all_of_them_give) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  for (std::uint32_t round = 0; round < 40; ++round) {
    model x{seed + round, round % 2 == 0 ? 1'000'000ms : 200ms};
    for (int i = 0; i < 500; ++i)
      x.step();
    x.finish();
  }
}

BOOST_AUTO_TEST_CASE(many_more_timers_than_the_window_has) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  model x{seed, 10'000'000ms};
  x.add(20 * batch);
  x.take_changes();
  x.show(1);
  x.store();
  for (int i = 0; i < 300; ++i)
    x.step();
  x.add(10 * batch); // between those that are there
  x.remove(5 * batch);
  for (int i = 0; i < 300; ++i)
    x.step();
  x.finish();
}
