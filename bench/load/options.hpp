#pragma once
// The command line.

#include "bench/load/link.hpp"
#include "bench/load/time.hpp"
#include "bench/load/wire.hpp"

#include <optional>
#include <string>

namespace troupe::bench {

enum class mode : std::uint8_t {
  pairs,
  fan_in,
  fan_out,
  shared,
  connect,
  idle,
  filters,
  durable,
  sessions,
  subscribe,
  resume,
  retained,
  broadcast,
  storm,
};

/// All that a run is told. What a mode has no use for keeps its default.
struct options {
  mode what = mode::pairs;

  std::string host = "127.0.0.1";
  unsigned port = 1883;
  protocol_version version = protocol_version::mqtt_3_1_1;
  std::string user;
  std::string password;
  std::string client_prefix;    ///< of the client identifiers
  std::string topic_prefix;     ///< before every topic and filter
  std::uint16_t keep_alive = 0; ///< seconds, 0 is off
  std::string source;           ///< local addresses
  link_options link;            ///< between MQTT and TCP
  unsigned connecting = 100;    ///< connections in the making per thread
  seconds_f timeout{30};        ///< for a set-up that stands still

  int pid = 0; ///< of the broker, 0 if it is not to be watched
  unsigned threads = 1;
  bool own_file_tables = false;

  bool json = false;
  bool progress = false;
  bool allow_loss = false;

  unsigned publishers = 1;
  unsigned subscribers = 1;
  unsigned connections = 1; ///< pairs, connects, idle clients or sessions
  unsigned concurrency = 50;
  unsigned filters = 1'000'000;
  unsigned filters_per_packet = 500;
  unsigned messages = 100; ///< resume: per session; retained: all in all
  bool durable = false;    ///< pairs: the subscribers' sessions
  bool check = true;       ///< durable, resume: the subscribers return
  unsigned readers = 10;   ///< broadcast: sessions that return

  std::uint8_t qos = 0;
  std::size_t payload = 64;
  unsigned outstanding = 100;
  unsigned inflight = 20;
  bool topic_per_client = false; ///< pairs: the publisher's name in it
  double rate = 0; ///< messages per second in total, 0 is a closed loop
  seconds_f duration{10};
  seconds_f warmup{2};
  seconds_f drain{5};
  seconds_f hold{0};     ///< idle: how long to do nothing
  bool on_input = false; ///< storm: begin, pairs: end, when told to
  seconds_f retry{0.1};  ///< storm: before a refused client comes again
  unsigned at_once = 0;  ///< storm: connections in the making, 0: all
  seconds_f quiet{10};   ///< broadcast: without a write of the broker's
  seconds_f settle{0};   ///< between the set-up and the reading of memory
};

/// Reads the command line.
/// @returns std::nullopt when the program is to end at once with `status`:
///          0 after `--help`, 2 after a message about bad options.
std::optional<options> parse_options(int argc, char** argv, int& status);

/// The name of the subcommand.
const char* to_string(mode what);

/// Whether the mode measures for a given time, not until it is done.
bool has_window(mode what);

} // namespace troupe::bench
