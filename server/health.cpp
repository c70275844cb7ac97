#include "server/health.hpp"

#include "actors/node_storage.hpp"
#include "net/tls_context.hpp"
#include "server/log.hpp"
#include "server/options.hpp"
#include "server/process_figures.hpp"
#include "server/table.hpp"

#include <boost/json.hpp>

#include <fstream>

namespace troupe::server {

namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using steady = std::chrono::steady_clock;

constexpr milliseconds often{1'000};
/// Counting open files is work where there are many.
constexpr unsigned looks_per_count = 10;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

std::uint64_t number_in_file(const std::string& path) {
  std::ifstream in{path};
  std::uint64_t x = 0;
  return in >> x ? x : 0; // also for the word "max"
}

} // namespace

std::uint64_t memory_of_machine() {
  std::uint64_t least = 0;
  const auto bound = [&](std::uint64_t x) {
    if (x != 0 && (least == 0 || x < least))
      least = x;
  };
  std::ifstream all{"/proc/meminfo"};
  std::string word;
  std::uint64_t kb = 0;
  if (all >> word >> kb && word == "MemTotal:")
    bound(kb << 10U);
  std::ifstream groups{"/proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    const auto path = line.substr(line.rfind(':') + 1);
    if (line.starts_with("0::"))
      bound(number_in_file("/sys/fs/cgroup" + path + "/memory.max"));
    else if (line.find(":memory:") != std::string::npos)
      bound(number_in_file("/sys/fs/cgroup/memory" + path
                           + "/memory.limit_in_bytes"));
  }
  bound(number_in_file("/sys/fs/cgroup/memory.max"));
  return least;
}

/// When each reactor was asked and has answered; shared with what it posts.
struct health::answers {
  explicit answers(std::size_t count) : answered(count) {}
  steady::time_point asked;
  std::vector<std::atomic<std::int64_t>> answered; ///< of `asked`, in ms; -1
};

health::health(boost::asio::io_context& control, actors::node& of,
               log_writer& log, const config::settings& settings)
  : node_(of),
    log_(log),
    timer_(control),
    rules_(health_options_of(settings)) {
  change(settings, of.options().listeners);
  of.alarms().listen([this](const actors::alarm& x) { tell(x); });
}

health::~health() { node_.alarms().listen({}); }

void health::change(const config::settings& settings,
                    const std::vector<actors::listener_options>& listeners) {
  rules_.set_options(health_options_of(settings));
  node_.alarms().set_history(settings.alarms.history);
  refuse_at_ = settings.overload.enable ? settings.overload.memory_high : 0;
  memory_limit_ = settings.overload.memory_limit
                    ? settings.overload.memory_limit->count
                    : memory_of_machine();
  certificates_.clear();
  for (const auto& x : listeners)
    if (x.tls)
      for (const auto& one : x.tls->certificates())
        certificates_.push_back({one.file, one.subject,
                                 std::chrono::duration_cast<milliseconds>(
                                   one.not_after.time_since_epoch())
                                   .count()});
}

void health::start() {
  look();
  arm();
}

void health::stop() {
  stopped_ = true; // a wait may have ended already, its handler on the way
  timer_.cancel();
}

void health::arm() {
  timer_.expires_after(often);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || stopped_)
      return;
    look();
    arm();
  });
}

void health::ask_reactors() {
  const auto count = node_.options().actors.reactors;
  if (answers_)
    for (const auto& x : answers_->answered)
      if (x.load() < 0)
        return; // who has not answered is not asked again
  answers_ = std::make_shared<answers>(count);
  for (auto& x : answers_->answered)
    x.store(-1);
  answers_->asked = steady::now();
  node_.on_each_reactor([to = answers_](std::size_t i) {
    to->answered.at(i).store(
      std::chrono::duration_cast<milliseconds>(steady::now() - to->asked)
        .count());
  });
}

health_figures health::figures() {
  health_figures x;
  const auto now = steady::now();
  x.wall_ms = wall_ms();
  x.steady = std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
  if (looks_++ % looks_per_count == 0) {
    const auto process = figures_of_this_process();
    files_ = process.open_files;
    files_max_ = process.max_files;
  }
  x.files = files_;
  x.files_max = files_max_;
  x.memory = resident_bytes();
  x.memory_max = memory_limit_;
  const auto load = node_.load();
  x.waiting = load.uncommitted_bytes + load.queued_bytes + load.unsent_bytes;
  x.blocked = load.blocked;
  x.overload = static_cast<int>(load.level);
  if (auto* disk = node_.storage()) {
    x.disk = static_cast<int>(disk->space());
    x.disk_free = disk->free_bytes();
  }
  if (answers_)
    for (const auto& one : answers_->answered) {
      const auto took = one.load();
      x.reactor_delays.push_back(
        took >= 0
          ? milliseconds{took}
          : std::chrono::duration_cast<milliseconds>(now - answers_->asked));
    }
  x.certificates = certificates_;
  return x;
}

void health::look() {
  const auto now = figures();
  auto& board = node_.alarms();
  for (auto& x : rules_.look(now))
    if (x.active)
      board.raise(x.name, std::move(x.message), std::move(x.details),
                  now.wall_ms);
    else
      board.clear(x.name, now.wall_ms);
  const auto bound = refuse_at_ * static_cast<double>(now.memory_max);
  memory_high_ =
    bound > 0
    && static_cast<double>(now.memory) > (memory_high_ ? 0.95 * bound : bound);
  node_.set_memory_high(memory_high_);
  ask_reactors();
}

void health::tell(const actors::alarm& what) const {
  const bool active = what.deactivated_ms == 0;
  log_.write({active ? actors::log_level::warning : actors::log_level::info,
              "alarm",
              active ? what.name + ": " + what.message : what.name + " is over",
              {},
              {}});
  json::object details;
  for (const auto& [name, value] : what.details)
    details[name] = value;
  // As EMQX has it: times in microseconds.
  json::object text{{"name", what.name},
                    {"message", what.message},
                    {"details", std::move(details)},
                    {"node", node_.options().name},
                    {"activate_at", what.activated_ms * 1'000}};
  if (!active)
    text["deactivate_at"] = what.deactivated_ms * 1'000;
  const auto payload = json::serialize(text);
  const auto topic = "$SYS/brokers/" + node_.options().name + "/alarms/"
                     + (active ? "activate" : "deactivate");
  protocol::message_options message;
  message.topic = topic;
  message.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()),
                     payload.size()};
  node_.publish(message);
}

} // namespace troupe::server
