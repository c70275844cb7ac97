#pragma once
// `troupe ctl hops` and `slow`: how long messages take, and to whom.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer hops(actors::node& of, const boost::json::object& with);
std::string print_hops(const boost::json::value& answer);
ctl_answer slow(actors::node& of, const boost::json::object& with);
std::string print_slow(const boost::json::value& answer);

} // namespace troupe::server
