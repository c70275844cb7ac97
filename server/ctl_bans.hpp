#pragma once
// `troupe ctl`: who may not connect.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer ban_list(broker& of, const boost::json::object& with);
std::string print_bans(const boost::json::value& answer);
ctl_answer ban_add(broker& of, const boost::json::object& with);
std::string print_banned(const boost::json::value& answer);
ctl_answer ban_delete(broker& of, const boost::json::object& with);
std::string print_unbanned(const boost::json::value& answer);
ctl_answer ban_unlock(broker& of, const boost::json::object& with);
std::string print_unlocked(const boost::json::value& answer);

} // namespace troupe::server
