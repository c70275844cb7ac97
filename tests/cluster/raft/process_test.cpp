// A process with Go's runtime in it: its signals stay its own, and engines on
// several threads do not meet.

#include "cluster/raft_log.hpp"
#include "storage/log_store.hpp"
#include "tests/cluster/support.hpp"
#include "tests/storage/support/faulty_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace troupe::cluster;
using namespace troupe::test;

namespace {

const time_base times{start_time, 1'767'225'600'000};

sigset_t ending() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  return set;
}

/// Go's threads are made when the program is loaded, and have the signal mask
/// of that time: whoever wants to read a signal from a descriptor has to block
/// it before.
[[gnu::constructor(101)]] void block_before_go_starts() {
  const auto set = ending();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// Commits entries in a group of its own.
/// @returns how many.
std::size_t commit_some(std::size_t wanted) {
  temporary_directory home;
  faulty_env disk;
  std::size_t count = 0;
  troupe::storage::log_store_options store_options;
  store_options.directory = home / "log.db";
  store_options.how.stepped = true;
  store_options.env = disk.get();
  troupe::storage::log_store store{store_options};
  raft_engine engine{node_id{1}, start_time};
  raft_options options;
  options.voters = {node_id{1}};
  raft_callbacks callbacks;
  callbacks.committed = [&](auto, const auto&) { ++count; };
  raft_log log{options, engine, store, times, std::move(callbacks)};
  store.start([&](auto told) {
    for (const auto& x : told)
      log.appended(x.index);
  });
  log.campaign();
  for (std::size_t i = 0; i <= wanted; ++i) {
    do
      while (engine.pending())
        engine.turn();
    while (store.step());
    auto entry = std::make_shared<log_entry>();
    entry->at = start_time;
    entry->commands.emplace_back(time_command{});
    if (i < wanted)
      log.propose(std::move(entry));
  }
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_with_go)

BOOST_AUTO_TEST_CASE(a_blocked_signal_is_read_and_kills_nobody) {
  const auto set = ending();
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  BOOST_REQUIRE(signals >= 0);
  std::size_t count = 0;
  std::thread busy{[&] { count = commit_some(2'000); }};
  ::kill(::getpid(), SIGTERM);
  pollfd waiting{signals, POLLIN, 0};
  BOOST_TEST(::poll(&waiting, 1, 20'000) == 1);
  signalfd_siginfo info{};
  BOOST_TEST(::read(signals, &info, sizeof info) == sizeof info);
  BOOST_TEST(info.ssi_signo == static_cast<std::uint32_t>(SIGTERM));
  busy.join();
  BOOST_TEST(count == 2'001U);
  ::close(signals);
}

BOOST_AUTO_TEST_CASE(a_broken_pipe_that_is_ignored_stays_so) {
  std::signal(SIGPIPE, SIG_IGN);
  BOOST_TEST(commit_some(1) == 2U);
  int pair[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
                == 0);
  ::close(pair[1]);
  BOOST_TEST(::write(pair[0], "x", 1) == -1);
  BOOST_TEST(errno == EPIPE);
  ::close(pair[0]);
}

BOOST_AUTO_TEST_CASE(engines_on_several_threads_do_not_meet) {
  std::vector<std::size_t> counts(4);
  std::vector<std::thread> threads;
  threads.reserve(counts.size());
  for (auto& x : counts)
    threads.emplace_back([&x] { x = commit_some(500); });
  for (auto& x : threads)
    x.join();
  for (const auto x : counts)
    BOOST_TEST(x == 501U);
}

BOOST_AUTO_TEST_SUITE_END()
