#pragma once
// Fields of JSON objects as text and as numbers.

#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::server {

/// The field as people read it; empty if it is missing or null.
std::string text_in(const boost::json::object& from, std::string_view key);

/// 0 if it is missing or no such number.
std::uint64_t number_in(const boost::json::object& from, std::string_view key);

/// Whole numbers as such: programs may read them into integers.
boost::json::value number_of(double x);

} // namespace troupe::server
