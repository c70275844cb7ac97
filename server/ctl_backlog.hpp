#pragma once
// `troupe ctl`: what is kept for those who are away, and durable groups.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer backlog(actors::node& of, const boost::json::object& with);
std::string print_backlog(const boost::json::value& answer);

ctl_answer groups_list(actors::node& of, const boost::json::object& with);
std::string print_groups(const boost::json::value& answer);
ctl_answer groups_create(actors::node& of, const boost::json::object& with);
ctl_answer groups_delete(actors::node& of, const boost::json::object& with);
std::string print_group(const boost::json::value& answer);

} // namespace troupe::server
