#pragma once
// `troupe ctl`: clients, their subscriptions, and what is subscribed.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer clients_list(actors::node& of, const boost::json::object& with);
std::string print_clients(const boost::json::value& answer);
ctl_answer clients_show(actors::node& of, const boost::json::object& with);
std::string print_client(const boost::json::value& answer);
ctl_answer clients_kick(actors::node& of, const boost::json::object& with);
ctl_answer clients_disconnect(actors::node& of,
                              const boost::json::object& with);
std::string print_disconnected(const boost::json::value& answer);

ctl_answer subscriptions(actors::node& of, const boost::json::object& with);
std::string print_subscriptions(const boost::json::value& answer);
ctl_answer topics(actors::node& of, const boost::json::object& with);
std::string print_topics(const boost::json::value& answer);

} // namespace troupe::server
