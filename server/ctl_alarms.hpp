#pragma once
// `troupe ctl alarms`: what is wrong with the node.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer alarms(actors::node& of, const boost::json::object& with);
std::string print_alarms(const boost::json::value& answer);

inline constexpr ctl_argument alarms_arguments[] = {
  {"--history", "history", "Those that are over, the newest first",
   ctl_argument::kind::flag},
};

} // namespace troupe::server
