#define BOOST_TEST_MODULE server_health_rules
#include "server/health_rules.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::server;
using namespace std::chrono_literals;

namespace {

/// A node that is well, and time that passes.
class watched {
public:
  explicit watched(const health_options& how = {}) : rules(how) {
    now.files = 10;
    now.files_max = 1'000;
    now.memory = 1;
    now.memory_max = 1'000;
    now.wall_ms = 1'700'000'000'000;
    now.steady = 5s;
  }
  /// The names of the alarms there are, a second later.
  std::string look() {
    now.wall_ms += 1'000;
    now.steady += 1s;
    std::string all;
    last = rules.look(now);
    for (const auto& x : last)
      if (x.active)
        all += x.name + ' ';
    return all;
  }
  std::string message(std::string_view name) const {
    const auto found = std::find_if(
      last.begin(), last.end(), [&](const auto& x) { return x.name == name; });
    return found == last.end() ? "" : found->message;
  }

  health_rules rules;
  health_figures now;
  std::vector<health_rules::finding> last;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_node_that_is_well_has_no_alarms) {
  watched x;
  for (int i = 0; i < 1'000; ++i)
    BOOST_TEST(x.look().empty());
}

BOOST_AUTO_TEST_CASE(files_and_memory_are_alarms_until_a_tenth_below) {
  watched x;
  x.now.files = 801;
  x.now.memory = 701;
  BOOST_TEST(x.look() == "files memory ");
  x.now.files = 721;
  x.now.memory = 631;
  BOOST_TEST(x.look() == "files memory ");
  x.now.files = 720;
  x.now.memory = 630;
  BOOST_TEST(x.look().empty());
  x.now.files = 800;
  BOOST_TEST(x.look().empty());
  x.now.files_max = x.now.memory_max = 0; // the system does not say
  BOOST_TEST(x.look().empty());
}

BOOST_AUTO_TEST_CASE(pressure_of_queues_is_bytes_or_sockets) {
  health_options how;
  how.queued_bytes = 1'000;
  how.blocked = 10;
  watched x{how};
  x.now.waiting = 1'001;
  BOOST_TEST(x.look() == "queue_pressure ");
  x.now.waiting = 0;
  BOOST_TEST(x.look().empty());
  x.now.blocked = 11;
  BOOST_TEST(x.look() == "queue_pressure ");
}

BOOST_AUTO_TEST_CASE(a_clock_that_jumps_is_shown_for_ten_minutes) {
  watched x;
  BOOST_TEST(x.look().empty());
  x.now.wall_ms += 3'000;
  BOOST_TEST(x.look() == "clock_jump ");
  BOOST_TEST(x.message("clock_jump").find("+3.0 s") != std::string::npos);
  for (int i = 0; i < 600; ++i)
    BOOST_TEST(x.look() == "clock_jump ");
  BOOST_TEST(x.look().empty());
  x.now.wall_ms -= 60'000;
  BOOST_TEST(x.look() == "clock_jump ");
  BOOST_TEST(x.message("clock_jump").find("-60.0 s") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_process_that_slept_has_no_clock_that_jumped) {
  watched x;
  BOOST_TEST(x.look().empty());
  x.now.wall_ms += 3'600'000;
  x.now.steady += 1h;
  BOOST_TEST(x.look().empty());
}

BOOST_AUTO_TEST_CASE(a_reactor_that_is_late_is_shown_for_a_minute) {
  watched x;
  x.now.reactor_delays = {3ms, 1'001ms};
  BOOST_TEST(x.look() == "reactor_stall ");
  BOOST_TEST(x.message("reactor_stall").find("1001 ms") != std::string::npos);
  x.now.reactor_delays = {3ms, 3ms};
  for (int i = 0; i < 60; ++i)
    BOOST_TEST(x.look() == "reactor_stall ");
  BOOST_TEST(x.look().empty());
}

BOOST_AUTO_TEST_CASE(the_disk_is_low_or_full_and_not_both) {
  watched x;
  x.now.disk = 1;
  BOOST_TEST(x.look() == "disk_low ");
  x.now.disk = 2;
  BOOST_TEST(x.look() == "disk_full ");
  x.now.disk = 0;
  BOOST_TEST(x.look().empty());
}

BOOST_AUTO_TEST_CASE(certificates_are_alarms_by_file_until_they_are_renewed) {
  watched x;
  const auto in = [&](std::chrono::hours time) {
    return x.now.wall_ms + std::chrono::milliseconds{time}.count();
  };
  x.now.certificates = {{"a.pem", "CN=a", in(24h * 29)},
                        {"b.pem", "CN=b", in(24h * 32)},
                        {"c.pem", "CN=c", in(-1h)},
                        {"c.pem", "CN=issuer", in(-1h)}};
  BOOST_TEST(x.look() == "certificate:a.pem certificate:c.pem ");
  BOOST_TEST(x.message("certificate:a.pem").find("in 28 days")
             != std::string::npos);
  BOOST_TEST(x.message("certificate:c.pem").find("expired")
             != std::string::npos);
  x.now.certificates = {{"a.pem", "CN=a", in(24h * 300)}};
  BOOST_TEST(x.look().empty());
  const auto told = [&](std::string_view name) {
    return std::any_of(x.last.begin(), x.last.end(), [&](const auto& one) {
      return one.name == name && !one.active;
    });
  };
  BOOST_TEST(told("certificate:a.pem")); // or it would never be cleared
  BOOST_TEST(told("certificate:c.pem"));
}

BOOST_AUTO_TEST_CASE(overload_is_an_alarm_from_when_publishers_are_slowed) {
  watched x;
  x.now.overload = 1;
  BOOST_TEST(x.look().empty());
  x.now.overload = 2;
  BOOST_TEST(x.look() == "overload ");
}

// ---- the board -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(
  an_alarm_is_told_once_when_it_comes_and_once_when_it_goes) {
  actors::alarm_board board{2};
  std::string told;
  board.listen([&](const actors::alarm& x) {
    told += x.name + (x.deactivated_ms == 0 ? "+ " : "- ");
  });
  BOOST_TEST(board.raise("a", "1", {}, 10));
  BOOST_TEST(!board.raise("a", "2", {{"n", "2"}}, 20));
  BOOST_TEST(board.active().at(0).message == "2");
  BOOST_TEST(board.active().at(0).activated_ms == 10);
  BOOST_TEST(board.clear("a", 30));
  BOOST_TEST(!board.clear("a", 40));
  BOOST_TEST(told == "a+ a- ");
  BOOST_TEST(board.active().empty());
  BOOST_TEST(board.history().at(0).deactivated_ms == 30);
  for (const auto* name : {"b", "c", "d"}) {
    board.raise(name, "", {}, 50);
    board.clear(name, 60);
  }
  BOOST_TEST(board.history().size() == 2U);
  BOOST_TEST(board.history().at(0).name == "d");
  board.set_history(1);
  BOOST_TEST(board.history().size() == 1U);
}
