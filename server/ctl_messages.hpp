#pragma once
// `troupe ctl`: retained messages, and publishing.

#include "server/ctl_commands.hpp"

namespace troupe::server {

ctl_answer retained_list(actors::node& of, const boost::json::object& with);
std::string print_retained_list(const boost::json::value& answer);
ctl_answer retained_show(actors::node& of, const boost::json::object& with);
std::string print_retained(const boost::json::value& answer);
ctl_answer retained_delete(actors::node& of, const boost::json::object& with);
std::string print_retained_deleted(const boost::json::value& answer);

/// Reads the payload, from a file or standard input if that is asked for.
std::optional<ctl_failure> prepare_publish(boost::json::object& with);
ctl_answer publish(actors::node& of, const boost::json::object& with);
std::string print_published(const boost::json::value& answer);

} // namespace troupe::server
