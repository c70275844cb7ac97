#pragma once
// Options that several modes have in common.

#include "bench/load/options.hpp"

#include <CLI/CLI.hpp>

#include <deque>

namespace troupe::bench {

/// A subcommand with what all of them have: the broker, names, output.
CLI::App* add_mode(CLI::App& app, options& o, mode what,
                   const std::string& help);

/// One option of `double` seconds.
CLI::Option* add_seconds(CLI::App& app, const std::string& name,
                         seconds_f& target, const std::string& help);

template <class T>
CLI::Option* add_count(CLI::App& app, const std::string& name, T& target,
                       const std::string& help) {
  return app.add_option(name, target, help)
    ->check(CLI::Range(1U, 100'000'000U))
    ->capture_default_str();
}

void add_threads(CLI::App& app, options& o);
/// Messages with a warm-up and a measuring window.
void add_load(CLI::App& app, options& o);
/// Messages without.
void add_messages(CLI::App& app, options& o);
void add_qos(CLI::App& app, options& o);
void add_inflight(CLI::App& app, options& o);
void add_outstanding(CLI::App& app, options& o);
void add_rate(CLI::App& app, options& o);
/// TLS and WebSocket.
void add_link(CLI::App& app, options& o);
/// For modes whose clients connect more than once.
void add_ticket_use(CLI::App& app, options& o);

/// The subcommands' options; each has defaults of its own and keeps its place.
using all_options = std::deque<options>;

/// Adds the modes about durable sessions and retained messages.
void add_durable_modes(CLI::App& app, all_options& all);
/// Adds the mode in which everybody comes back at once.
void add_storm_mode(CLI::App& app, all_options& all);

} // namespace troupe::bench
