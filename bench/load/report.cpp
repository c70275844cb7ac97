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

/// Everything that is derived from an outcome, said once for both forms.
struct figures {
  double deliveries;
  double per_second;
  double per_cpu_second;
  double broker_cores;
  double own_ns; ///< the generator's processor time per delivery
  double own_cores;
  double bytes_per_unit; ///< memory per connection or filter
};

figures derive(const options& o, const outcome& found) {
  figures out{};
  out.deliveries = static_cast<double>(found.window.delivered);
  out.per_second = ratio(out.deliveries, found.elapsed.count());
  out.per_cpu_second = ratio(out.deliveries, found.broker_cpu.count());
  out.broker_cores = ratio(found.broker_cpu.count(), found.elapsed.count());
  out.own_ns = ratio(found.own_cpu.count() * 1e9, out.deliveries);
  out.own_cores = ratio(found.own_cpu.count(), found.elapsed.count());
  const auto grown = [](std::uint64_t from, std::uint64_t to) {
    return static_cast<double>(to) - static_cast<double>(from);
  };
  const auto& memory = found.memory;
  if (o.what == mode::idle)
    out.bytes_per_unit =
      ratio(grown(memory.before, memory.subscribed), o.connections);
  if (o.what == mode::filters)
    out.bytes_per_unit =
      ratio(grown(memory.connected, memory.subscribed), o.filters);
  return out;
}

void add_options(json_writer& json, const options& o) {
  json.add("mode", std::string{to_string(o.what)});
  json.add("mqtt", std::string{
                     o.version == protocol_version::mqtt_5_0 ? "5" : "3.1.1"});
  json.open("options");
  json.add("threads", std::uint64_t{o.threads});
  if (o.what == mode::pairs || o.what == mode::connect || o.what == mode::idle)
    json.add("connections", std::uint64_t{o.connections});
  else
    json.add("publishers", std::uint64_t{o.publishers});
  if (o.what == mode::fan_out || o.what == mode::shared
      || o.what == mode::filters)
    json.add("subscribers", std::uint64_t{o.subscribers});
  if (o.what == mode::filters)
    json.add("filters", std::uint64_t{o.filters});
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
  json.add("cpu_s", found.broker_cpu.count());
  json.add("user_s", found.broker_split.user.count());
  json.add("system_s", found.broker_split.system.count());
  json.add("cores", derived.broker_cores);
  json.add("deliveries_per_cpu_s", derived.per_cpu_second);
  json.add("cpu_us_per_delivery", ratio(1e6, derived.per_cpu_second));
  json.open("resident_bytes");
  json.add("before", found.memory.before);
  json.add("connected", found.memory.connected);
  json.add("subscribed", found.memory.subscribed);
  json.add("loaded", found.memory.loaded);
  json.close();
  if (o.what == mode::idle)
    json.add("bytes_per_connection", derived.bytes_per_unit);
  if (o.what == mode::filters)
    json.add("bytes_per_filter", derived.bytes_per_unit);
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
  if (found.window.delivered > 0) {
    out.row("broker CPU", "%.3f s, %.2f cores (user %.2f s, system %.2f s)",
            found.broker_cpu.count(), derived.broker_cores,
            found.broker_split.user.count(), found.broker_split.system.count());
    out.row(o.what == mode::connect ? "connections per CPU-second"
                                    : "deliveries per CPU-second",
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
  if (o.what == mode::idle)
    out.row("bytes per connection", "%.0f", derived.bytes_per_unit);
  if (o.what == mode::filters)
    out.row("bytes per filter", "%.0f", derived.bytes_per_unit);
}

} // namespace

std::string to_json(const options& o, const outcome& found) {
  const auto derived = derive(o, found);
  json_writer json;
  add_options(json, o);
  json.add("elapsed_s", found.elapsed.count());
  json.add("published", found.window.published);
  json.add("deliveries", found.window.delivered);
  json.add("deliveries_per_s", derived.per_second);
  add_broker(json, o, found, derived);
  json.open("generator");
  json.add("cpu_s", found.own_cpu.count());
  json.add("cores", derived.own_cores);
  json.add("cpu_ns_per_delivery", derived.own_ns);
  json.add("reads", found.window.reads);
  json.add("writes", found.window.writes);
  json.close();
  add_latency(json, "latency_us", found.latency);
  if (o.rate > 0)
    add_latency(json, "schedule_lag_us", found.lag);
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
  json.add("stalls", found.total.stalls);
  json.add("ok", found.clean(o.qos));
  return json.take();
}

std::string to_table(const options& o, const outcome& found) {
  const auto derived = derive(o, found);
  const auto count = [](std::uint64_t x) {
    return static_cast<unsigned long long>(x);
  };
  const bool connects = o.what == mode::connect;
  table out;
  out.row("mode", "%s, MQTT %s, QoS %u, %zu bytes", to_string(o.what),
          o.version == protocol_version::mqtt_5_0 ? "5" : "3.1.1", o.qos,
          o.payload);
  if (found.window.delivered > 0) {
    out.row("measured", "%.2f s", found.elapsed.count());
    out.row(connects ? "connections" : "deliveries", "%llu, %.0f per second",
            count(found.window.delivered), derived.per_second);
  }
  add_broker_rows(out, o, found, derived);
  if (found.window.delivered > 0) {
    out.row("generator CPU", "%.0f ns per %s, %.2f cores", derived.own_ns,
            connects ? "connection" : "delivery", derived.own_cores);
    out.row(
      "generator batches", "%.1f deliveries per read, %.1f per write",
      ratio(derived.deliveries, static_cast<double>(found.window.reads)),
      ratio(derived.deliveries, static_cast<double>(found.window.writes)));
  }
  out.latency("latency", found.latency);
  out.latency("late to send", found.lag);
  if (!connects && found.total.published > 0)
    out.row("whole run", "%llu published, %llu of %llu delivered",
            count(found.total.published), count(found.total.delivered),
            count(found.total.expected));
  out.row("lost", "%llu", count(found.lost()));
  out.row("duplicates, out of order", "%llu, %llu",
          count(found.total.duplicates), count(found.total.out_of_order));
  if (!found.clean(o.qos))
    out.row("foreign, refused, closed", "%llu, %llu, %llu",
            count(found.total.foreign), count(found.total.refused),
            count(found.total.disconnects));
  if (found.total.stalls > 0)
    out.row("stalls", "%llu", count(found.total.stalls));
  return out.take();
}

} // namespace troupe::bench
