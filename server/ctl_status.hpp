#pragma once
// `troupe ctl`: the node as a whole.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer status(broker& by, const boost::json::object& with);
std::string print_status(const boost::json::value& answer);

ctl_answer metrics(actors::node& of, const boost::json::object& with);
std::string print_metrics(const boost::json::value& answer);

ctl_answer backup(actors::node& of, const boost::json::object& with);
std::string print_backup(const boost::json::value& answer);

} // namespace troupe::server
