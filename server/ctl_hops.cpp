#include "server/ctl_hops.hpp"

#include "actors/node.hpp"
#include "server/json_fields.hpp"
#include "server/table.hpp"

#include <fmt/format.h>

namespace troupe::server {

namespace json = boost::json;

ctl_answer hops(actors::node& of, const json::object&) {
  const auto all = of.hops();
  json::array rows;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& x = all.at(i);
    const auto us = [&](double part) { return x.percentile(part).count(); };
    rows.push_back(json::object{
      {"hop", actors::hop_names.at(i)},
      {"count", x.count()},
      {"mean_us", x.count() == 0
                    ? 0
                    : static_cast<std::uint64_t>(x.sum().count()) / x.count()},
      {"p50_us", us(0.5)},
      {"p99_us", us(0.99)},
      {"p999_us", us(0.999)},
      {"max_us", us(1)}});
  }
  return rows;
}

std::string print_hops(const json::value& answer) {
  table rows(
    {"hop", "count", "mean ms", "p50 ms", "p99 ms", "p99.9 ms", "max ms"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    const auto ms = [&](const char* name) {
      return fmt::format("{:.3f}",
                         static_cast<double>(number_in(x, name)) / 1e3);
    };
    rows.add({text_in(x, "hop"), text_in(x, "count"), ms("mean_us"),
              ms("p50_us"), ms("p99_us"), ms("p999_us"), ms("max_us")});
  }
  return rows.text();
}

ctl_answer slow(actors::node& of, const json::object&) {
  if (!of.slow_subs().enable)
    return ctl_failure{exit_failure, "nobody looks after slow subscribers: set "
                                     "slow_subs.enable = true and reload"};
  json::array rows;
  for (const auto& x : of.slow_subscribers())
    rows.push_back(json::object{{"clientid", x.client_id},
                                {"topic", x.topic},
                                {"timespan", x.took.count()}});
  return rows;
}

std::string print_slow(const json::value& answer) {
  table rows({"client", "topic", "ms"});
  for (const auto& one : answer.as_array()) {
    const auto& x = one.as_object();
    rows.add(
      {text_in(x, "clientid"), text_in(x, "topic"), text_in(x, "timespan")});
  }
  return rows.text();
}

} // namespace troupe::server
