#pragma once
// `troupe ctl top`: who is busy now.

#include "server/ctl_commands.hpp"

namespace troupe::server {

/// Rates since the question before it, if that is not long ago.
ctl_answer top(actors::node& of, const boost::json::object& with);
std::string print_top(const boost::json::value& answer);
/// Asks again and again, until somebody ends it.
int watch_top(const ctl_exchange& ask, const boost::json::object& with,
              bool as_json);

} // namespace troupe::server
