#include "server/json_fields.hpp"

#include "server/table.hpp"

#include <boost/json.hpp>

namespace troupe::server {

namespace json = boost::json;

std::string text_in(const json::object& from, std::string_view key) {
  const auto* x = from.if_contains(key);
  if (x == nullptr || x->is_null())
    return {};
  if (const auto* text = x->if_string())
    return {text->data(), text->size()};
  if (x->is_double())
    return json::serialize(*x);
  return json::serialize(*x);
}

std::uint64_t number_in(const json::object& from, std::string_view key) {
  const auto* x = from.if_contains(key);
  boost::system::error_code error;
  return x == nullptr ? 0 : x->to_number<std::uint64_t>(error);
}

json::value number_of(double x) {
  const auto whole = static_cast<std::int64_t>(x);
  return static_cast<double>(whole) == x ? json::value(whole) : json::value(x);
}

} // namespace troupe::server
