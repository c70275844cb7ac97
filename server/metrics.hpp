#pragma once
// All metrics in one table: what is served, listed and documented.

#include "actors/node.hpp"
#include "server/process_figures.hpp"

#include <functional>
#include <string>
#include <vector>

namespace troupe::server {

/// Everything that metrics are read from, at one moment.
struct observation {
  actors::node::numbers node;
  process_figures process;
  std::chrono::seconds uptime{0};
  std::array<actors::hop_snapshot, actors::hop_names.size()> hops;
  actors::node::waiting waiting;
  std::vector<std::string> alarms; ///< active ones, by name
};

/// Asks the reactors and the system. Not on a reactor's thread: it waits.
observation observe(actors::node& of);

enum class metric_type : std::uint8_t { counter, gauge, histogram };
std::string_view to_string(metric_type x);

struct sample {
  std::string labels; ///< as in `reactor="0"`; empty for most
  double value = 0;
  std::string_view suffix{}; ///< of a histogram: `_bucket`, `_sum`, `_count`
};

struct metric {
  std::string name; ///< for Prometheus
  metric_type type;
  std::string help;
  std::string label; ///< its name, if the samples have one
  std::function<void(const observation&, std::vector<sample>&)> read;
};

/// In the order of the reference page. Made once; any thread.
const std::vector<metric>& all_metrics();

/// A value without needless digits: whole numbers as such.
std::string print(double value);

/// The text exposition format of Prometheus, version 0.0.4.
std::string prometheus_text(const observation& of);

/// The reference page, `docs/metrics.md`.
std::string metrics_markdown();

} // namespace troupe::server
