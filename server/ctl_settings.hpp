#pragma once
// `troupe ctl`: the configuration of the running broker, and its log.

#include "config/load.hpp"
#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer reload(broker& of, const boost::json::object& with);
std::string print_reload(const boost::json::value& answer);

ctl_answer log_level(broker& of, const boost::json::object& with);
std::string print_log_level(const boost::json::value& answer);

/// Reads the file that is to be compared.
std::optional<ctl_failure> prepare_diff(boost::json::object& with);
ctl_answer config_diff(broker& of, const boost::json::object& with);
std::string print_diff(const boost::json::value& answer);

/// What differs: `{"changed":[{"key","before","after","takes_effect"}]}`.
boost::json::object diff_answer(const std::vector<config::changed>& all);

} // namespace troupe::server
