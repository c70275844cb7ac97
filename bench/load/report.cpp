#include "bench/load/report.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace troupe::bench {

namespace {

/// Writes one JSON object; nested ones are opened and closed by name.
class json_writer {
public:
  void open(const char* name) {
    key(name);
    text_ += '{';
    first_ = true;
  }
  void close() {
    text_ += '}';
    first_ = false;
  }
  void add(const char* name, double x) {
    key(name);
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   std::round(x * 1e6) / 1e6);
    text_.append(digits.data(), end.ptr);
  }
  void add(const char* name, std::uint64_t x) {
    key(name);
    text_ += std::to_string(x);
  }
  void add(const char* name, bool x) {
    key(name);
    text_ += x ? "true" : "false";
  }
  void add(const char* name, const std::string& x) {
    key(name);
    text_ += '"';
    for (const auto c : x) {
      if (c == '"' || c == '\\')
        text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  std::string take() { return "{" + text_ + "}\n"; }

private:
  void key(const char* name) {
    if (!first_)
      text_ += ", ";
    first_ = false;
    text_ += '"';
    text_ += name;
    text_ += "\": ";
  }

  std::string text_;
  bool first_ = true;
};

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

/// What is counted, in the plural.
const char* unit_of(mode what) {
  switch (what) {
  case mode::connect:
    return "connections";
  case mode::subscribe:
    return "SUBACKs";
  case mode::storm:
    return "clients";
  case mode::durable:
  case mode::broadcast:
    return "PUBACKs";
  default:
    return "deliveries";
  }
}

/// Everything that is derived from an outcome, said once for both forms.
struct figures {
  std::uint64_t done; ///< deliveries, or what the mode counts
  double deliveries;  ///< the same
  double per_second;
  double per_cpu_second;
  double broker_cores;
  double own_ns; ///< the generator's processor time per delivery
  double own_cores;
};

figures derive(const options& o, const outcome& found) {
  figures out{};
  const auto& in = found.window;
  out.done = o.what == mode::durable || o.what == mode::broadcast
               ? in.count.acknowledged
               : in.count.delivered;
  out.deliveries = static_cast<double>(out.done);
  out.per_second = ratio(out.deliveries, in.elapsed.count());
  out.per_cpu_second = ratio(out.deliveries, in.broker_cpu.count());
  out.broker_cores = ratio(in.broker_cpu.count(), in.elapsed.count());
  out.own_ns = ratio(in.own_cpu.count() * 1e9, out.deliveries);
  out.own_cores = ratio(in.own_cpu.count(), in.elapsed.count());
  return out;
}

/// The broker's memory for each of what a mode has very many of.
struct share {
  const char* key; ///< null: the mode has nothing of the kind
  const char* title;
  double bytes;
};

share memory_share(const options& o, const outcome& found) {
  const auto grown = [&](std::uint64_t from, unsigned among) {
    return ratio(static_cast<double>(found.memory.subscribed)
                   - static_cast<double>(from),
                 among);
  };
  const auto& memory = found.memory;
  switch (o.what) {
  case mode::idle:
    return {"bytes_per_connection", "bytes per connection",
            grown(memory.before, o.connections)};
  case mode::filters:
    return {"bytes_per_filter", "bytes per filter",
            grown(memory.connected, o.filters)};
  case mode::sessions:
    return {"bytes_per_session", "bytes per session",
            grown(memory.connected, o.connections)};
  case mode::retained:
    return {"bytes_per_message", "bytes per message",
            grown(memory.connected, o.messages)};
  default:
    return {};
  }
}

void add_options(json_writer& json, const options& o) {
  json.add("mode", std::string{to_string(o.what)});
  json.add("mqtt", std::string{
                     o.version == protocol_version::mqtt_5_0 ? "5" : "3.1.1"});
  json.open("options");
  json.add("threads", std::uint64_t{o.threads});
  const auto any_of = [&](auto... modes) { return ((o.what == modes) || ...); };
  using enum mode;
  if (any_of(pairs, connect, idle, sessions, subscribe, resume, broadcast,
             storm))
    json.add("connections", std::uint64_t{o.connections});
  if (!any_of(pairs, connect, idle, sessions, subscribe, storm))
    json.add("publishers", std::uint64_t{o.publishers});
  if (any_of(fan_out, shared, mode::filters, retained))
    json.add("subscribers", std::uint64_t{o.subscribers});
  if (any_of(mode::filters))
    json.add("filters", std::uint64_t{o.filters});
  if (any_of(resume, retained))
    json.add("messages", std::uint64_t{o.messages});
  if (any_of(pairs))
    json.add("durable", o.durable);
  json.add("tls", o.link.tls.on);
  json.add("websocket", o.link.websocket);
  json.add("qos", std::uint64_t{o.qos});
  json.add("payload", std::uint64_t{o.payload});
  json.add("outstanding", std::uint64_t{o.outstanding});
  json.add("inflight", std::uint64_t{o.inflight});
  json.add("rate", o.rate);
  json.add("duration_s", o.duration.count());
  json.add("warmup_s", o.warmup.count());
  json.close();
}

void add_latency(json_writer& json, const char* name, const histogram& in) {
  json.open(name);
  json.add("count", in.total());
  json.add("mean", in.mean_us());
  json.add("p50", in.quantile_us(0.5));
  json.add("p90", in.quantile_us(0.9));
  json.add("p99", in.quantile_us(0.99));
  json.add("p99.9", in.quantile_us(0.999));
  json.add("max", in.max_us());
  json.close();
}

void add_broker(json_writer& json, const options& o, const outcome& found,
                const figures& derived) {
  json.open("broker");
  json.add("pid", static_cast<std::uint64_t>(o.pid));
  json.add("cpu_s", found.window.broker_cpu.count());
  json.add("user_s", found.window.broker_split.user.count());
  json.add("system_s", found.window.broker_split.system.count());
  json.add("cores", derived.broker_cores);
  json.add("deliveries_per_cpu_s", derived.per_cpu_second);
  json.add("cpu_us_per_delivery", ratio(1e6, derived.per_cpu_second));
  json.open("resident_bytes");
  json.add("before", found.memory.before);
  json.add("connected", found.memory.connected);
  json.add("subscribed", found.memory.subscribed);
  json.add("loaded", found.memory.loaded);
  json.close();
  if (const auto each = memory_share(o, found); each.key != nullptr)
    json.add(each.key, each.bytes);
  json.close();
}

/// What came between connecting and load: sessions made, messages written.
void add_set_up(json_writer& json, const outcome& found) {
  const auto& in = found.set_up;
  const auto per_second = [&](std::uint64_t count) {
    return ratio(static_cast<double>(count), in.elapsed.count());
  };
  json.open("set_up");
  json.add("elapsed_s", in.elapsed.count());
  json.add("broker_cpu_s", in.broker_cpu.count());
  json.add("sessions", in.count.connects);
  json.add("sessions_per_s", per_second(in.count.connects));
  json.add("acknowledged", in.count.acknowledged);
  json.add("acknowledged_per_s", per_second(in.count.acknowledged));
  json.close();
}

/// All that the broker has written for the messages of the load.
double written_per_message(const outcome& found) {
  return ratio(static_cast<double>(found.disk.bytes),
               static_cast<double>(found.total.published));
}

void add_disk(json_writer& json, const outcome& found) {
  const auto seconds = [](instant x) {
    return static_cast<double>(to_stamp(x)) / 1e9;
  };
  json.open("disk");
  json.add("from_s", seconds(found.disk.from));
  json.add("quiet_s", seconds(found.disk.quiet_at));
  json.add("written_bytes", found.disk.bytes);
  json.add("written_bytes_per_message", written_per_message(found));
  json.close();
}

/// In the window, or as long as the mode measures.
void add_tls(json_writer& json, const outcome& found) {
  json.open("tls");
  json.add("handshakes", found.window.count.handshakes);
  json.add("resumed", found.window.count.resumed);
  json.close();
}

class table {
public:
  void row(const char* name, const char* format, auto... values) {
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "%-28s", name);
    text_ += line.data();
    std::snprintf(line.data(), line.size(), format, values...);
    text_ += line.data();
    text_ += '\n';
  }
  void latency(const char* name, const histogram& in) {
    if (in.total() > 0)
      row(name, "p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f us",
          in.quantile_us(0.5), in.quantile_us(0.9), in.quantile_us(0.99),
          in.quantile_us(0.999), in.max_us());
  }
  std::string take() { return std::move(text_); }

private:
  std::string text_;
};

void add_broker_rows(table& out, const options& o, const outcome& found,
                     const figures& derived) {
  if (o.pid == 0)
    return;
  if (derived.done > 0) {
    const auto& in = found.window;
    out.row("broker CPU", "%.3f s, %.2f cores (user %.2f s, system %.2f s)",
            in.broker_cpu.count(), derived.broker_cores,
            in.broker_split.user.count(), in.broker_split.system.count());
    out.row((std::string{unit_of(o.what)} + " per CPU-second").c_str(),
            "%.0f  (%.2f us each)", derived.per_cpu_second,
            ratio(1e6, derived.per_cpu_second));
  }
  const auto mib = [](std::uint64_t bytes) {
    return static_cast<double>(bytes) / (1 << 20);
  };
  const auto& memory = found.memory;
  out.row("broker resident MiB",
          "before %.1f, connected %.1f, subscribed %.1f, loaded %.1f",
          mib(memory.before), mib(memory.connected), mib(memory.subscribed),
          mib(memory.loaded));
  if (const auto each = memory_share(o, found); each.key != nullptr)
    out.row(each.title, "%.0f", each.bytes);
}

void add_set_up_rows(table& out, const outcome& found) {
  const auto& in = found.set_up;
  const auto row = [&](const char* name, std::uint64_t count) {
    if (count > 0)
      out.row(name, "%llu in %.2f s, %.0f per second",
              static_cast<unsigned long long>(count), in.elapsed.count(),
              ratio(static_cast<double>(count), in.elapsed.count()));
  };
  row("sessions made", in.count.connects);
  row("written before", in.count.acknowledged);
}

} // namespace

std::string to_json(const options& o, const outcome& found) {
  const auto derived = derive(o, found);
  json_writer json;
  add_options(json, o);
  json.add("elapsed_s", found.window.elapsed.count());
  json.add("from_s", static_cast<double>(to_stamp(found.window.from)) / 1e9);
  json.add("published", found.window.count.published);
  json.add("acknowledged", found.window.count.acknowledged);
  json.add("deliveries", derived.done);
  json.add("deliveries_per_s", derived.per_second);
  add_broker(json, o, found, derived);
  json.open("generator");
  json.add("cpu_s", found.window.own_cpu.count());
  json.add("cores", derived.own_cores);
  json.add("cpu_ns_per_delivery", derived.own_ns);
  json.add("reads", found.window.count.reads);
  json.add("writes", found.window.count.writes);
  json.close();
  add_latency(json, "latency_us", found.latency);
  if (o.rate > 0)
    add_latency(json, "schedule_lag_us", found.lag);
  add_set_up(json, found);
  if (o.what == mode::broadcast)
    add_disk(json, found);
  if (o.link.tls.on)
    add_tls(json, found);
  json.open("whole_run");
  json.add("published", found.total.published);
  json.add("expected", found.total.expected);
  json.add("delivered", found.total.delivered);
  json.close();
  json.add("lost", found.lost());
  json.add("duplicates", found.total.duplicates);
  json.add("out_of_order", found.total.out_of_order);
  json.add("foreign", found.total.foreign);
  json.add("refused", found.total.refused);
  json.add("disconnects", found.total.disconnects);
  json.add("sessions_absent", found.total.absent);
  json.add("stalls", found.total.stalls);
  if (o.what == mode::storm)
    json.add("retries", found.total.retries);
  json.add("ok", found.clean(o));
  return json.take();
}

std::string to_table(const options& o, const outcome& found) {
  const auto derived = derive(o, found);
  const auto count = [](std::uint64_t x) {
    return static_cast<unsigned long long>(x);
  };
  table out;
  out.row("mode", "%s, MQTT %s, QoS %u, %zu bytes", to_string(o.what),
          o.version == protocol_version::mqtt_5_0 ? "5" : "3.1.1", o.qos,
          o.payload);
  add_set_up_rows(out, found);
  if (derived.done > 0) {
    out.row("measured", "%.2f s", found.window.elapsed.count());
    out.row(unit_of(o.what), "%llu, %.0f per second", count(derived.done),
            derived.per_second);
  }
  add_broker_rows(out, o, found, derived);
  if (derived.done > 0) {
    out.row("generator CPU", "%.0f ns for each, %.2f cores", derived.own_ns,
            derived.own_cores);
    out.row(
      "generator batches", "%.1f per read, %.1f per write",
      ratio(derived.deliveries, static_cast<double>(found.window.count.reads)),
      ratio(derived.deliveries,
            static_cast<double>(found.window.count.writes)));
  }
  if (o.what == mode::broadcast && o.pid != 0)
    out.row("written per message", "%.0f bytes", written_per_message(found));
  if (found.window.count.handshakes > 0)
    out.row("TLS handshakes, resumed", "%llu, %llu",
            count(found.window.count.handshakes),
            count(found.window.count.resumed));
  if (found.total.retries > 0)
    out.row("retries", "%llu", count(found.total.retries));
  out.latency("latency", found.latency);
  out.latency("late to send", found.lag);
  if (found.total.published > 0)
    out.row("whole run", "%llu published, %llu of %llu delivered",
            count(found.total.published), count(found.total.delivered),
            count(found.total.expected));
  out.row("lost", "%llu", count(found.lost()));
  out.row("duplicates, out of order", "%llu, %llu",
          count(found.total.duplicates), count(found.total.out_of_order));
  if (!found.clean(o))
    out.row("foreign, refused, closed", "%llu, %llu, %llu",
            count(found.total.foreign), count(found.total.refused),
            count(found.total.disconnects));
  if (found.total.absent > 0)
    out.row("sessions forgotten", "%llu", count(found.total.absent));
  if (found.total.stalls > 0)
    out.row("stalls", "%llu", count(found.total.stalls));
  return out.take();
}

} // namespace troupe::bench
