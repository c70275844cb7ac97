#pragma once
// `troupe ctl`: listeners.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer listeners_list(broker& of, const boost::json::object& with);
std::string print_listeners(const boost::json::value& answer);
ctl_answer listeners_start(broker& of, const boost::json::object& with);
ctl_answer listeners_stop(broker& of, const boost::json::object& with);
std::string print_listener(const boost::json::value& answer);

} // namespace troupe::server
