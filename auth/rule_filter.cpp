#include "auth/rule_filter.hpp"

#include "protocol/topic.hpp"

#include <algorithm>

namespace troupe::auth {

namespace {

using std::string_literals::operator""s;

std::string all_placeholders() {
  std::string all;
  for (const auto name : placeholder_names)
    all += (all.empty() ? "${" : ", ${") + std::string{name} + "}";
  return all;
}

/// Takes one level apart.
/// @returns what is wrong, or nothing.
std::string read_parts(std::string_view text, level_template& into) {
  while (!text.empty()) {
    const auto begin = text.find("${");
    if (begin != 0)
      into.parts.push_back({std::nullopt, std::string{text.substr(0, begin)}});
    if (begin == std::string_view::npos)
      break;
    const auto end = text.find('}', begin);
    if (end == std::string_view::npos)
      return "a placeholder lacks its closing brace: write ${clientid}, in "
             "one level";
    const auto name = text.substr(begin + 2, end - begin - 2);
    const auto* const found =
      std::find(placeholder_names.begin(), placeholder_names.end(), name);
    if (found == placeholder_names.end())
      return "there is no placeholder ${" + std::string{name}
             + "}: the placeholders are " + all_placeholders();
    into.parts.push_back(
      {static_cast<placeholder>(found - placeholder_names.begin()), {}});
    text.remove_prefix(end + 1);
  }
  return {};
}

std::string wrong_form(std::string_view text) {
  if (text.empty())
    return "is empty: write \"#\" for all topics";
  if (text.size() > 65'535)
    return "is longer than a topic can be (65,535 bytes)";
  if (!protocol::is_valid_utf8(text))
    return "holds U+0000 or is not UTF-8: no topic is like that";
  if (protocol::level_count(text) > rule_levels_max)
    return "has more than " + std::to_string(rule_levels_max)
           + " levels: end it earlier, with #";
  return {};
}

/// What says that somebody means another thing than this would do.
std::string wrong_prefix(std::string_view text) {
  if (text.starts_with("eq "))
    return "begins with \"eq \": write { eq = \"" + std::string{text.substr(3)}
           + "\" } for a literal one";
  for (const std::string_view prefix : {"$share/", "$queue/", "$exclusive/"})
    if (text.starts_with(prefix))
      return "begins with " + std::string{prefix}
             + ": rules are asked for the filter that is inside, so write that";
  return {};
}

} // namespace

std::variant<rule_filter, std::string> rule_filter::parse(std::string_view text,
                                                          bool literal) {
  const auto quoted = "\"" + std::string{text.substr(0, 200)}
                      + (text.size() > 200 ? "…" : "") + "\" ";
  if (const auto wrong = wrong_form(text); !wrong.empty())
    return quoted + wrong;
  if (const auto wrong = wrong_prefix(text); !wrong.empty())
    return quoted + wrong;
  rule_filter made;
  made.literal = literal;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('/', at), text.size());
    const auto part = text.substr(at, end - at);
    auto& one = made.levels.emplace_back();
    one.text = part;
    if (part.find("${") != std::string_view::npos) {
      one.what = level::kind::pattern;
      if (const auto wrong = read_parts(part, one.pattern); !wrong.empty())
        return quoted + "is no filter: " + wrong;
    }
    if (!literal && part == "+")
      one.what = level::kind::plus;
    else if (!literal && part == "#" && end == text.size())
      one.what = level::kind::hash;
    else if (!literal && protocol::has_wildcard(part))
      return quoted + "is no filter: " + (part == "#" ? "#" : "+ and #")
             + (part == "#" ? " stands only at the end"s
                            : " are levels of their own, as in a/+/b/#"s);
    at = end + 1;
  }
  return made;
}

} // namespace troupe::auth
