#pragma once
// From the settings of listeners to what the node is told.

#include "actors/listener_options.hpp"
#include "config/sections.hpp"
#include "server/ocsp_stapler.hpp"

#include <vector>

namespace troupe::server {

/// Every listener that is enabled, certificates read.
/// @param before  what is open now: session tickets of a listener go on to be
///                good. Empty at the start.
/// @throws std::runtime_error naming setting, file and what to do, a line for
///         each listener
std::vector<actors::listener_options>
listeners_of(const config::settings& from,
             const std::vector<actors::listener_options>& before);

/// For those whose certificate has a responder to be asked.
std::vector<ocsp_stapler::job>
ocsp_jobs_of(const config::settings& from,
             const std::vector<actors::listener_options>& listeners);

} // namespace troupe::server
