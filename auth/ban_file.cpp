#include "auth/ban_file.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <tuple>

namespace troupe::auth {

namespace {

namespace json = boost::json;

constexpr std::string_view infinity = "infinity";

void append(std::string& out, const ban& b) {
  json::object line;
  line["as"] = to_string(b.as);
  line["who"] = b.who;
  line["by"] = b.by;
  line["reason"] = b.reason;
  line["at"] = b.at_ms;
  if (b.until_ms == ban::never)
    line["until"] = infinity;
  else
    line["until"] = b.until_ms;
  out += json::serialize(line);
  out += '\n';
}

/// Reads one line.
/// @returns what is wrong and how to mend it, or nothing.
std::string read(std::string_view text, ban& into) {
  json::error_code error;
  const auto value = json::parse(text, error);
  if (error)
    return "is no JSON: " + error.message()
           + "; a ban is one line, such as "
             "{\"as\":\"clientid\",\"who\":\"x\"}";
  const auto* const fields = value.if_object();
  if (!fields)
    return "is no object: expected {\"as\":…,\"who\":…}";
  bool kind = false;
  bool who = false;
  for (const auto& field : *fields) {
    const std::string_view name{field.key().data(), field.key().size()};
    const auto* const string = field.value().if_string();
    const auto text_of = [string] {
      return std::string{string->data(), string->size()};
    };
    if (name == "as") {
      const auto found =
        string ? ban_kind_from({string->data(), string->size()}) : std::nullopt;
      if (!found)
        return "\"as\" is one of clientid, username, peerhost, peerhost_net, "
               "clientid_re, username_re";
      into.as = *found;
      kind = true;
    } else if (name == "who" || name == "by" || name == "reason") {
      if (!string)
        return "\"" + std::string{name} + "\" is a text";
      (name == "who"  ? into.who
       : name == "by" ? into.by
                      : into.reason) = text_of();
      who = who || name == "who";
    } else if (name == "at" || name == "until") {
      const auto* const number = field.value().if_int64();
      const bool never = name == "until" && string && text_of() == infinity;
      if (!never && !(number && *number >= 0))
        return "\"" + std::string{name}
               + "\" is a time in milliseconds since 1970"
               + (name == "until" ? ", or \"infinity\"" : "");
      (name == "at" ? into.at_ms : into.until_ms) =
        never ? ban::never : *number;
    } else {
      return "has an unknown field \"" + std::string{name.substr(0, 100)}
             + "\": there are as, who, by, reason, at, until";
    }
  }
  return kind && who ? std::string{}
                     : "does not say whom it bans: \"as\" and \"who\" are "
                       "needed";
}

} // namespace

std::string to_text(const ban_list& bans) {
  std::vector<const ban*> sorted;
  sorted.reserve(bans.size());
  bans.for_each([&sorted](const ban& b) { sorted.push_back(&b); });
  std::sort(sorted.begin(), sorted.end(), [](const ban* a, const ban* b) {
    return std::tie(a->as, a->who) < std::tie(b->as, b->who);
  });
  std::string text;
  for (const auto* const one : sorted)
    append(text, *one);
  return text;
}

std::vector<problem> read_bans(std::string_view text,
                               const std::string& file_name,
                               std::int64_t now_ms, ban_table& into) {
  std::vector<problem> problems;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.find_first_not_of(" \t\r") == std::string_view::npos)
      continue;
    ban b;
    auto wrong = read(one, b);
    if (wrong.empty() && into.get(b.as, b.who))
      wrong = "bans what a line before it bans: remove one of them";
    if (wrong.empty() && b.in_force(now_ms))
      wrong = into.add(std::move(b));
    if (!wrong.empty())
      problems.push_back(
        {file_name + ":" + std::to_string(line) + ":1", std::move(wrong)});
  }
  return problems;
}

} // namespace troupe::auth
