#pragma once
// `troupe ctl`: rows of subscriptions.

#include "actors/node.hpp"
#include "server/table.hpp"

#include <boost/json.hpp>

#include <string>

namespace troupe::server {

/// Those of one client, connected or not.
boost::json::array subscriptions_of(actors::node& of,
                                    const std::string& client_id);
table print_subscription_rows(const boost::json::array& rows);

} // namespace troupe::server
