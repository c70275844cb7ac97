#pragma once
// Answers of `troupe ctl` that are lists, cut to a limit.

#include "server/ctl_commands.hpp"
#include "server/table.hpp"

namespace troupe::server {

/// The argument of every list.
inline constexpr ctl_argument limit_option{
  "--limit", "limit", "So many rows at most; 100 unless said otherwise"};

/// @param limit  becomes what `--limit` says, or 100.
std::optional<ctl_failure> read_limit(const boost::json::object& with,
                                      std::size_t& limit);

/// EMQX's shape: `{"data":[…],"meta":{"count":7,"limit":100,"hasnext":false}}`.
/// @param all  rows that there are; nullopt: more than these, nobody knows how
///             many.
boost::json::object list_answer(boost::json::array&& rows,
                                std::optional<std::size_t> all,
                                std::size_t limit);

/// `rows`, and how many there are beside them.
std::string print_list(const table& rows, const boost::json::value& answer);

} // namespace troupe::server
