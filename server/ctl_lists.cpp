#include "server/ctl_lists.hpp"

#include "server/json_fields.hpp"
#include "server/text.hpp"

#include <fmt/format.h>

#include <charconv>

namespace troupe::server {

namespace json = boost::json;

namespace {
constexpr std::size_t default_limit = 100;
constexpr std::size_t most = 1'000'000;
} // namespace

std::optional<ctl_failure> read_limit(const json::object& with,
                                      std::size_t& limit) {
  limit = default_limit;
  const auto text = text_in(with, "limit");
  if (text.empty())
    return std::nullopt;
  const auto* const end = text.data() + text.size();
  const auto got = std::from_chars(text.data(), end, limit);
  if (got.ec != std::errc{} || got.ptr != end || limit == 0 || limit > most)
    return ctl_failure{exit_usage, "--limit " + printable(text)
                                     + ": has to be a number from 1 to "
                                     + std::to_string(most)};
  return std::nullopt;
}

json::object list_answer(json::array&& rows, std::optional<std::size_t> all,
                         std::size_t limit) {
  const bool more = !all || *all > rows.size();
  json::object meta{{"limit", limit}, {"hasnext", more}};
  if (all)
    meta["count"] = *all;
  json::object made;
  made["data"] = std::move(rows);
  made["meta"] = std::move(meta);
  return made;
}

std::string print_list(const table& rows, const json::value& answer) {
  auto text = rows.text();
  const auto& meta = answer.at("meta").as_object();
  if (!meta.at("hasnext").as_bool())
    return text;
  const auto shown = answer.at("data").as_array().size();
  if (meta.contains("count"))
    return text
           + fmt::format("… and {} more; --limit says how many to show\n",
                         number_in(meta, "count") - shown);
  return text + "… and more; --limit says how many to show\n";
}

} // namespace troupe::server
