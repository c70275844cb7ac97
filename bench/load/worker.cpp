#include "bench/load/worker.hpp"

#include "bench/load/driver.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sched.h>

namespace troupe::bench {

using namespace std::chrono_literals;

namespace {

/// Clients that wait for a SUBACK at the same time.
constexpr std::uint32_t subscribing_max = 500;
/// How long to wait for duplicates after everything has arrived.
constexpr auto linger = 100ms;
/// A closed loop without a delivery for so long has lost messages.
constexpr auto stall = 2s;
constexpr auto turn_max = 100ms;
/// Seconds that a durable session outlives its connection, where the client
/// may say so.
constexpr std::uint32_t session_expiry = 24 * 3600;

const char* connack_text(std::uint8_t reason) {
  switch (reason) {
  case 0x01:
  case 0x84:
    return "unacceptable protocol version";
  case 0x02:
  case 0x85:
    return "client identifier rejected";
  case 0x03:
  case 0x88:
    return "server unavailable";
  case 0x04:
  case 0x86:
    return "bad user name or password";
  case 0x05:
  case 0x87:
    return "not authorized";
  case 0x97:
    return "quota exceeded";
  case 0x9F:
    return "connection rate exceeded";
  case 0xFF:
    return "malformed CONNACK";
  default:
    return "see the standard";
  }
}

} // namespace

slice slice_of(std::uint32_t total, unsigned thread, unsigned threads) {
  const auto at = [&](unsigned i) {
    return static_cast<std::uint32_t>(std::uint64_t{total} * i / threads);
  };
  return {at(thread), at(thread + 1) - at(thread)};
}

void standstill::check(std::uint64_t count, const char* what) {
  const auto now = clock::now();
  if (count != before_) {
    before_ = count;
    moved_at_ = now;
  } else if (now - moved_at_ > limit_) {
    throw run_error{"the broker stopped to answer after "
                    + std::to_string(count) + ' ' + what};
  }
}

worker::worker(const options& o, run_control& control, unsigned number)
  : options_(o),
    control_(control),
    number_(number),
    sources_(parse_sources(o.source)) {}

void worker::run() {
  try {
    if (options_.own_file_tables && ::unshare(CLONE_FILES) != 0)
      throw run_error{std::string{"--own-file-tables: "}
                      + std::strerror(errno)};
    event_handler& self = *this; // the base is for the loop only
    if (options_.link.any())
      layers_.emplace(options_.link, options_.host, options_.port);
    loop_.emplace(resolve(options_.host, options_.port), options_.version, self,
                  layers_ ? &*layers_ : nullptr);
    prepare();
    connect_all();
    control_.meet(); // connected; the main thread reads the memory
    control_.meet();
    set_up_first_ = take_sample();
    set_up();
    set_up_last_ = take_sample();
    setting_up_ = false;
    rest(options_.settle + options_.hold);
    control_.meet(); // subscribed; once more
    control_.meet();
    if (!control_.stopped() && loads()) {
      load();
      drain();
    }
    if (number_ == 0)
      control_.resident_loaded = control_.broker.resident();
    take_down();
  } catch (const std::exception& error) {
    control_.fail(error.what());
  }
  control_.leave();
  for (auto& c : clients_)
    c.way.reset(); // it knows the layers
  loop_.reset();
}

client& worker::add_client() {
  auto& c = clients_.emplace_back();
  c.index = static_cast<std::uint32_t>(clients_.size() - 1);
  return c;
}

std::string worker::client_id(std::uint32_t index) const {
  return options_.client_prefix + '-' + std::to_string(number_) + '-'
         + std::to_string(index);
}

void worker::open(client& c) {
  const auto* source =
    sources_.empty() ? nullptr : &sources_[opened_ % sources_.size()];
  ++opened_;
  loop_->open(c, source);
}

void worker::greet(client& c) {
  append_connect(c.out, {.version = options_.version,
                         .client_id = client_id(c),
                         .keep_alive = options_.keep_alive,
                         .user = options_.user,
                         .password = options_.password,
                         .session_expiry = c.durable ? session_expiry : 0});
}

void worker::connected(client& c, const connack& answer) {
  if (answer.reason != 0)
    throw run_error{"the broker refused a connection with reason "
                    + std::to_string(answer.reason) + " ("
                    + connack_text(answer.reason) + ")"};
  if (c.window)
    c.window->restrict_to(answer.receive_maximum);
  ++ready_;
}

void worker::connect_all() {
  const auto count = connected_at_once();
  standstill watch{options_.timeout};
  while (ready_ < count && !control_.stopped()) {
    while (opened_ < count && opened_ - ready_ < options_.connecting)
      open(clients_[opened_]);
    loop_->turn(clock::now() + turn_max);
    watch.check(ready_, "connections");
    show(ready_);
  }
}

void worker::check_suback(bytes_view reasons) const {
  if (reasons.empty())
    throw run_error{"the broker sent a malformed SUBACK"};
  for (const auto reason : reasons)
    if (reason != options_.qos)
      throw run_error{"the broker answered a SUBSCRIBE with reason "
                      + std::to_string(reason) + " instead of QoS "
                      + std::to_string(options_.qos)};
}

void worker::subscribed(client& c, bytes_view reasons) {
  check_suback(reasons);
  const auto filters = next_filters(c);
  if (filters.empty()) {
    ++complete_;
    return;
  }
  append_subscribe(c.out, options_.version, 1, filters, options_.qos);
  loop_->queue(c);
}

void worker::subscribe_all() {
  std::size_t next = 0;
  std::uint32_t asked = 0;
  standstill watch{options_.timeout};
  while ((next < clients_.size() || complete_ < asked) && !control_.stopped()) {
    for (; next < clients_.size() && asked - complete_ < subscribing_max;
         ++next) {
      auto& c = clients_[next];
      const auto filters = next_filters(c);
      if (filters.empty())
        continue;
      append_subscribe(c.out, options_.version, 1, filters, options_.qos);
      loop_->queue(c);
      ++asked;
    }
    if (complete_ == asked)
      continue;
    loop_->turn(clock::now() + turn_max);
    watch.check(complete_, "subscribers");
    show(complete_);
  }
}

void worker::rest(seconds_f length) {
  const auto end = clock::now() + to_nanoseconds(length);
  next_ping_ = clock::now();
  if (number_ == 0 && length.count() > 0)
    control_.phase = "holding";
  while (clock::now() < end && !control_.stopped()) {
    ping(clock::now());
    loop_->turn(std::min<instant>(end, clock::now() + turn_max));
  }
}

void worker::ping(instant now) {
  // A tenth of the keep-alive for each tenth of the clients.
  if (options_.keep_alive == 0 || now < next_ping_)
    return;
  next_ping_ = now + std::chrono::milliseconds{options_.keep_alive * 50};
  const auto share = clients_.size() / 10 + 1;
  for (std::size_t i = 0; i < share; ++i) {
    auto& c = clients_[pinged_++ % clients_.size()];
    if (c.state != client_state::connected)
      continue;
    append_pingreq(c.out);
    loop_->queue(c);
  }
}

sample worker::take_sample() const {
  sample out;
  out.count = count_;
  out.at = clock::now();
  out.count.reads = loop_->reads();
  out.count.writes = loop_->writes();
  out.count.handshakes = loop_->handshakes();
  out.count.resumed = loop_->resumed();
  out.broker_cpu = control_.broker.cpu();
  out.broker_split = control_.broker.split();
  out.own_cpu = own_cpu();
  return out;
}

void worker::show(std::uint64_t ready) const {
  auto& live = control_.live[number_];
  live.ready.store(ready, std::memory_order_relaxed);
  live.published.store(count_.published, std::memory_order_relaxed);
  live.delivered.store(count_.delivered, std::memory_order_relaxed);
}

void worker::load() {
  const auto begin = control_.load_at + to_nanoseconds(options_.warmup);
  measure(begin, begin + to_nanoseconds(options_.duration));
}

void worker::measure(instant begin, instant end) {
  measured_from_ = to_stamp(begin);
  measured_to_ = to_stamp(end);
  auto next_sample = begin;
  auto moved_at = control_.load_at;
  std::uint64_t before = 0;
  bool measuring = false;
  next_ping_ = control_.load_at;
  start(control_.load_at);
  for (;;) {
    const auto now = clock::now();
    if (now >= next_sample || control_.stopped()) {
      (measuring ? last_ : first_) = take_sample();
      if (measuring)
        break;
      measuring = true;
      next_sample = end;
      if (options_.on_input)
        say("measuring");
    }
    if (measuring && options_.on_input && input_ready()) {
      end = std::min(end, now);
      next_sample = end;
      measured_to_ = to_stamp(end);
      continue;
    }
    if (const auto sum = count_.delivered + count_.acknowledged;
        sum != before) {
      before = sum;
      moved_at = now;
    } else if (now - moved_at > stall && options_.rate <= 0) {
      moved_at = now;
      ++count_.stalls;
      write_off();
    }
    const auto due = advance(now);
    ping(now);
    loop_->turn(std::min({next_sample, due, instant{now + turn_max}}));
    show(clients_.size());
  }
  stop(std::min(end, clock::now()));
}

bool worker::settled() const {
  if (count_.delivered < count_.expected)
    return false;
  return std::all_of(clients_.begin(), clients_.end(), [](const client& c) {
    return c.fd < 0 || ((!c.window || c.window->empty()) && c.out.empty());
  });
}

void worker::drain() {
  auto moved_at = clock::now();
  const auto moved = [this] {
    return count_.delivered + count_.acknowledged + count_.published;
  };
  auto before = moved();
  while (!settled() && !control_.stopped()) {
    const auto now = clock::now();
    if (const auto sum = moved(); sum != before) {
      before = sum;
      moved_at = now;
    } else if (now - moved_at > options_.drain) {
      break;
    }
    loop_->turn(now + 10ms);
    show(clients_.size());
  }
  const auto end = clock::now() + linger;
  while (clock::now() < end && !control_.stopped())
    loop_->turn(end);
}

void worker::take_down() {
  for (auto& c : clients_) {
    if (c.state == client_state::connected)
      append_disconnect(c.out);
    loop_->close(c);
  }
}

void worker::acknowledged(client& c, std::uint16_t, std::uint8_t reason) {
  ++count_.acknowledged;
  if (reason >= 0x80)
    ++count_.refused;
  loop_->queue(c);
}

void worker::closed(client& c, const std::string& why) {
  if (setting_up_)
    throw run_error{"connection " + client_id(c) + ": " + why};
  ++count_.disconnects;
}

} // namespace troupe::bench
