#pragma once
// From what is configured to what the node is told.

#include "actors/options.hpp"
#include "config/load.hpp"
#include "server/health_rules.hpp"

namespace troupe::server {

/// Every setting that the node uses; the rest is used by `serve` itself.
actors::node_options node_options_of(const config::settings& from);
/// The same with listeners that are made already.
actors::node_options
node_options_of(const config::settings& from,
                std::vector<actors::listener_options> listeners);

/// `overload.*` and `slow_subs.*`.
actors::observation_options observation_of(const config::settings& from);
/// `alarms.*`.
health_options health_options_of(const config::settings& from);

} // namespace troupe::server
