// 2,000 devices of a bank, their back end and those who command them, against a
// broker: nothing is lost, out of order, or twice where that must not be.
// The broker gives all telemetry of a device to one member of the back end
// (mqtt.shared_subscription_strategy = "hash_clientid"), so that it has an
// order there.
//
// usage: fleet PORT

#include "tests/clients/fleet/bank.hpp"
#include "tests/clients/fleet/ledger.hpp"
#include "tests/clients/fleet/link.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <sys/resource.h>

namespace {

using namespace troupe;
using namespace troupe::fleet;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using protocol::protocol_version;
using protocol::qos;

constexpr std::uint32_t telemetry_each = 20;
constexpr std::uint32_t commands_each = 10;
constexpr std::size_t members = 4;         ///< of the back end's group
constexpr std::size_t device_window = 5;   ///< unacknowledged telemetry
constexpr std::size_t command_window = 50; ///< unacknowledged commands
/// Telemetry on the way: the rest waits until the back end has caught up.
constexpr std::uint64_t most_on_the_way = 4'000;
constexpr auto patience = 45s; ///< for a phase, on a machine with much to do
constexpr auto quiet = 300ms;  ///< in which nothing more may come

/// Telemetry at one receiver: the numbers of each device.
struct consumer {
  std::unique_ptr<mqtt_link> connection;
  std::vector<series> from = std::vector<series>(device_count);
  tally got[kind_count];
};

struct device {
  std::unique_ptr<mqtt_link> connection;
  bool deaf = false;
  bool had_accident = false;
  std::uint32_t published = 0;
  std::uint32_t commanded = 0;
  series commands;
};

class scenario {
public:
  explicit scenario(std::uint16_t port) : port_(port), devices_(device_count) {}

  /// @returns whether all is as it must be.
  bool run() {
    connect_all();
    load();
    settle();
    return report();
  }

private:
  template <class Done>
  void serve_until(const char* what, Done&& done) {
    const auto until = clock::now() + patience;
    while (!done()) {
      poller_.serve(10ms);
      if (clock::now() > until)
        throw broken(std::string{"no end of: "} + what);
    }
  }

  void open(mqtt_link& x, const std::string& filter, qos how) {
    x.open(port_);
    serve_until("connecting", [&] { return x.live(); });
    x.subscribe(filter, how);
    serve_until("subscribing", [&] { return x.subscribed(); });
  }

  void connect_all() {
    for (std::size_t i = 0; i <= members; ++i) {
      auto& x = i == members ? archive_ : backend_[i];
      x.connection =
        std::make_unique<mqtt_link>(poller_, "backend-" + std::to_string(i),
                                    protocol_version::mqtt_5_0, false);
      x.connection->on_message = [&x](const mqtt_link::message& in) {
        const auto from = device_in(in.topic);
        x.from[from].take(number_in(in.payload),
                          x.got[from / devices_per_kind]);
      };
      open(*x.connection,
           i == members ? "bank/+/+/telemetry"
                        : "$share/backend/bank/+/+/telemetry",
           qos::at_least_once);
    }
    controller_ = std::make_unique<mqtt_link>(
      poller_, "controller", protocol_version::mqtt_5_0, false);
    controller_->open(port_);
    for (std::uint32_t i = 0; i < device_count; ++i)
      add_device(i);
    serve_until("subscribing the devices", [&] {
      return std::all_of(devices_.begin(), devices_.end(), [](const auto& x) {
        return x.connection->subscribed();
      });
    });
  }

  void add_device(std::uint32_t i) {
    auto& x = devices_[i];
    const auto& its = kind_of(i);
    x.connection = std::make_unique<mqtt_link>(
      poller_, "device-" + std::to_string(i), its.version, its.durable);
    x.connection->on_message = [&x, i, this](const mqtt_link::message& in) {
      x.commands.take(number_in(in.payload),
                      commands_got_[i / devices_per_kind]);
      if (device_in(in.topic) != i)
        throw broken("a command for another device");
      if (accident_of(i) == accident::handshake && !x.had_accident
          && x.commands.count() == commands_each / 2)
        to_drop_.push_back(i);
    };
    x.connection->open(port_);
    serve_until("connecting", [&] { return x.connection->live(); });
    x.connection->subscribe(topic_of(i, "command"), its.command);
  }

  std::uint64_t archived() const {
    std::uint64_t all = 0;
    for (const auto& x : archive_.got)
      all += x.messages - x.duplicates;
    return all;
  }

  /// Telemetry up and commands down, each as fast as acknowledgements and
  /// receivers allow.
  void load() {
    const auto until = clock::now() + patience;
    std::uint32_t turn = 0;
    std::uint32_t command = 0;
    while (published_ < device_count * telemetry_each
           || command < device_count * commands_each) {
      for (int i = 0; i < 200 && published_ - archived() < most_on_the_way; ++i)
        publish_telemetry(turn++ % device_count);
      // Every device has its first command before any has its second.
      for (; command < device_count * commands_each
             && controller_->outstanding() < command_window;
           ++command)
        send_command(command % device_count);
      poller_.serve(0ms);
      drop_in_handshake();
      if (clock::now() > until) // something is lost: the report says what
        return;
    }
  }

  /// Before the next packets are read, that is before any PUBREL.
  void drop_in_handshake() {
    for (const auto i : to_drop_)
      lose_connection(devices_[i]);
    to_drop_.clear();
  }

  void lose_connection(device& x) {
    x.had_accident = true;
    x.deaf = false;
    x.connection->drop();
    x.connection->open(port_);
  }

  void publish_telemetry(std::uint32_t i) {
    auto& x = devices_[i];
    auto& connection = *x.connection;
    if (!connection.live())
      return;
    const auto what = x.had_accident ? accident::none : accident_of(i);
    if (what == accident::deaf && !x.deaf && x.commands.count() >= 2) {
      x.deaf = true;
      connection.stop_reading();
    }
    if (x.deaf && x.commanded >= x.commands.count() + 4)
      return lose_connection(x);
    if (what == accident::publishing && x.published == telemetry_each / 2) {
      while (connection.outstanding() < device_window)
        publish_one(x, i);
      return lose_connection(x);
    }
    if (x.published < telemetry_each
        && connection.outstanding() < device_window)
      publish_one(x, i);
  }

  void publish_one(device& x, std::uint32_t i) {
    x.connection->publish(topic_of(i, "telemetry"),
                          std::to_string(x.published++)
                            + R"( {"state":"in service","value":21.5})",
                          kind_of(i).telemetry);
    ++published_;
  }

  void send_command(std::uint32_t i) {
    auto& x = devices_[i];
    controller_->publish(topic_of(i, "command"),
                         std::to_string(x.commanded++) + " update",
                         kind_of(i).command);
  }

  bool all_arrived() const {
    if (archived() < device_count * telemetry_each
        || controller_->outstanding() != 0)
      return false;
    for (std::uint32_t i = 0; i < device_count; ++i) {
      if (devices_[i].commands.count() < commands_each
          || devices_[i].connection->outstanding() != 0
          || shared_count(i) < telemetry_each)
        return false;
    }
    return true;
  }

  /// Telemetry of a device that some member of the group got.
  std::uint32_t shared_count(std::uint32_t device) const {
    std::uint32_t all = 0;
    for (const auto& x : backend_)
      all += x.from[device].count();
    return all;
  }

  void settle() {
    const auto until = clock::now() + patience / 3;
    while (!all_arrived() && clock::now() < until)
      for (std::uint32_t i = 0; i < device_count; ++i) {
        poller_.serve(0ms);
        drop_in_handshake();
        publish_telemetry(i); // accidents that are still to come
      }
    for (const auto end = clock::now() + quiet; clock::now() < end;)
      poller_.serve(10ms);
  }

  bool report();

  poller poller_;
  std::uint16_t port_;
  std::vector<device> devices_;
  std::vector<std::uint32_t> to_drop_;
  consumer backend_[members];
  consumer archive_;
  std::unique_ptr<mqtt_link> controller_;
  tally commands_got_[kind_count];
  std::uint64_t published_ = 0;
};

bool scenario::report() {
  bool good = true;
  std::printf("%-9s %-10s %9s %6s %12s %12s\n", "kind", "flow", "expected",
              "lost", "out of order", "duplicates");
  const auto line = [&](std::size_t k, const char* flow, std::uint64_t expected,
                        std::uint64_t distinct, const tally& x,
                        bool may_repeat) {
    const auto lost = expected - std::min(expected, distinct);
    const bool fine = lost == 0 && distinct == expected && x.out_of_order == 0
                      && (may_repeat || x.duplicates == 0);
    std::printf("%-9s %-10s %9llu %6llu %12llu %12llu%s\n", kinds[k].name, flow,
                static_cast<unsigned long long>(expected),
                static_cast<unsigned long long>(lost),
                static_cast<unsigned long long>(x.out_of_order),
                static_cast<unsigned long long>(x.duplicates),
                fine ? "" : "  WRONG");
    good = good && fine;
  };
  constexpr std::uint64_t telemetry = devices_per_kind * telemetry_each;
  for (std::size_t k = 0; k < kind_count; ++k) {
    tally shared;
    std::uint64_t shared_distinct = 0;
    std::uint64_t archive_distinct = 0;
    std::uint64_t commands = 0;
    for (const auto& x : backend_)
      shared += x.got[k];
    for (std::uint32_t i = 0; i < devices_per_kind; ++i) {
      const auto at = static_cast<std::uint32_t>(k) * devices_per_kind + i;
      // A message sent twice may reach two members: by number, not by sum.
      shared_distinct += std::min(shared_count(at), telemetry_each);
      archive_distinct += archive_.from[at].count();
      commands += devices_[at].commands.count();
    }
    // QoS 1 may repeat what was on the way when a connection was lost.
    line(k, "back end", telemetry, shared_distinct, shared, kinds[k].durable);
    line(k, "archive", telemetry, archive_distinct, archive_.got[k],
         kinds[k].durable);
    line(k, "commands", std::uint64_t{devices_per_kind} * commands_each,
         commands, commands_got_[k], false);
  }
  std::uint64_t accidents = 0;
  std::uint64_t sent_again = 0;
  std::uint64_t came_again = 0;
  for (const auto& x : devices_) {
    accidents += x.had_accident ? 1 : 0;
    sent_again += x.connection->sent_again();
    came_again += x.connection->came_again();
    if (x.had_accident && !x.connection->session_present()) {
      std::printf("%s did not find its session again\n",
                  x.connection->client_id().c_str());
      good = false;
    }
  }
  std::printf("%llu connections lost: %llu publications sent again, %llu "
              "commands came again\n",
              static_cast<unsigned long long>(accidents),
              static_cast<unsigned long long>(sent_again),
              static_cast<unsigned long long>(came_again));
  // Otherwise nothing was shown.
  return good && accidents == 2 * devices_per_kind / 4 * 3 && sent_again > 0
         && came_again > 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fleet PORT\n", stderr);
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < device_count + 100) {
    std::printf("left out: needs %u open files, ulimit -n allows %llu\n",
                device_count + 100,
                static_cast<unsigned long long>(files.rlim_max));
    return 77;
  }
  try {
    const auto began = clock::now();
    scenario all{static_cast<std::uint16_t>(number_in(argv[1]))};
    const bool good = all.run();
    std::printf("%.1f s\n",
                std::chrono::duration<double>(clock::now() - began).count());
    return good ? 0 : 1;
  } catch (const std::exception& e) {
    std::printf("FAILED: %s\n", e.what());
    return 1;
  }
}
