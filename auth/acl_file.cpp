#include "auth/acl.hpp"
#include "auth/glob.hpp"
#include "protocol/topic.hpp"
#include "toml/parse.hpp"

#include <algorithm>
#include <array>

namespace troupe::auth {

namespace {

using place = toml::source_position;

std::string quoted(std::string_view text) {
  return "\"" + std::string{text.substr(0, 200)}
         + (text.size() > 200 ? "…\"" : "\"");
}

std::string describe(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::boolean:
    return node.as_boolean()->get() ? "true" : "false";
  case toml::node_type::integer:
    return std::to_string(node.as_integer()->get());
  case toml::node_type::string:
    return quoted(node.as_string()->get());
  case toml::node_type::floating_point:
    return "a number with a fraction";
  case toml::node_type::array:
    return "an array";
  case toml::node_type::table:
    return "a table";
  default:
    return "a date or time";
  }
}

/// Reads the tables of a file and gathers what is wrong with them.
class reader {
public:
  explicit reader(const std::string& file) : file_{file} {}

  void read(const toml::table& root) {
    for (auto&& [key, node] : root) {
      if (key.str() == "no_match")
        no_match_ = permission("no_match", node);
      else if (key.str() == "rule")
        read_rules(node, key.source().begin);
      else
        wrong(key.source().begin,
              quoted(key.str())
                + " is not known here: a file has no_match and [[rule]] tables"
                + (is_rule_key(key.str())
                     ? "; write this one below a line [[rule]]"
                     : ""));
    }
  }

  void wrong(place at, std::string text) {
    found_.push_back({at, std::move(text)});
  }

  std::string where(place at) const {
    return file_ + ":" + std::to_string(at.line) + ":"
           + std::to_string(at.column);
  }

  std::variant<acl, std::vector<problem>> finish() {
    if (found_.empty())
      return acl{std::move(rules_), no_match_};
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    std::vector<problem> problems;
    problems.reserve(found_.size());
    for (auto& one : found_)
      problems.push_back({where(one.at), std::move(one.text)});
    return problems;
  }

private:
  struct placed {
    place at;
    std::string text;
  };

  static constexpr std::array<std::string_view, 11> rule_keys{
    "permission",     "action",   "qos",     "retain",
    "user",           "client",   "address", "user_pattern",
    "client_pattern", "listener", "topics"};

  static bool is_rule_key(std::string_view key) {
    return std::find(rule_keys.begin(), rule_keys.end(), key)
           != rule_keys.end();
  }

  /// What people write who know another broker's files.
  static std::string meant(std::string_view key) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 14>
      others{{{"username", "user"},
              {"users", "user"},
              {"clientid", "client"},
              {"client_id", "client"},
              {"clients", "client"},
              {"ipaddr", "address"},
              {"ipaddress", "address"},
              {"peerhost", "address"},
              {"username_re", "user_pattern"},
              {"clientid_re", "client_pattern"},
              {"topic", "topics"},
              {"permit", "permission"},
              {"access", "action"},
              {"listeners", "listener"}}};
    for (const auto& [theirs, ours] : others)
      if (theirs == key)
        return "; did you mean " + std::string{ours} + "?";
    return {};
  }

  std::optional<decision> permission(std::string_view key,
                                     const toml::node& node) {
    const auto* const text = node.as_string();
    if (text && text->get() == "allow")
      return decision::allow;
    if (text && text->get() == "deny")
      return decision::deny;
    wrong(node.source().begin, std::string{key}
                                 + " is \"allow\" or \"deny\", not "
                                 + describe(node));
    return std::nullopt;
  }

  void read_rules(const toml::node& node, place at) {
    const auto* const list = node.as_array();
    if (!list) {
      wrong(at, "rules are a list: write [[rule]] with two brackets on each "
                "side");
      return;
    }
    for (const auto& one : *list) {
      if (const auto* const table = one.as_table())
        read_rule(*table);
      else
        wrong(one.source().begin, "a rule is a table, not " + describe(one)
                                    + ": write it below a line [[rule]]");
    }
  }

  void read_rule(const toml::table& table) {
    acl_rule rule;
    const auto at = table.source().begin;
    rule.where = where(at);
    for (auto&& [key, node] : table)
      read_key(key, node, rule);
    if (!table.contains("permission"))
      wrong(at, "this rule does not say what it does: add permission = "
                "\"allow\" or \"deny\"");
    if (!table.contains("topics"))
      wrong(at, "this rule names no topics: add topics = [\"…\"], or [\"#\"] "
                "for all");
    if (rule.retain && rule.subscribe)
      wrong(table.get("retain")->source().begin,
            "retain is about publications alone: add action = \"publish\" to "
            "this rule");
    const auto names = std::max<std::size_t>(
      1, rule.users.empty() ? rule.clients.size() : rule.users.size());
    filters_ += names * rule.topics.size();
    if (filters_ > acl::filters_max && !too_many_) {
      too_many_ = true;
      wrong(at, "the rules up to here have more than "
                  + std::to_string(acl::filters_max)
                  + " filters, each counted once for each name in its rule: "
                    "use patterns or placeholders for names");
    }
    rules_.push_back(std::move(rule));
  }

  void read_key(const toml::key& key, const toml::node& node, acl_rule& rule) {
    const auto name = key.str();
    if (name == "permission")
      rule.allow = permission(name, node) == decision::allow;
    else if (name == "action")
      read_action(node, rule);
    else if (name == "qos")
      read_qos(node, rule);
    else if (name == "retain")
      read_retain(node, rule);
    else if (name == "user")
      texts(name, node, rule.users);
    else if (name == "client")
      texts(name, node, rule.clients);
    else if (name == "listener")
      texts(name, node, rule.listeners);
    else if (name == "user_pattern")
      patterns(name, node, rule.user_patterns);
    else if (name == "client_pattern")
      patterns(name, node, rule.client_patterns);
    else if (name == "address")
      read_addresses(node, rule);
    else if (name == "topics")
      read_topics(node, rule);
    else
      wrong(key.source().begin,
            quoted(name) + " is not known in a rule" + meant(name)
              + (meant(name).empty()
                   ? ": there are permission, action, qos, retain, user, "
                     "client, user_pattern, client_pattern, address, "
                     "listener, topics"
                   : ""));
  }

  void read_action(const toml::node& node, acl_rule& rule) {
    const auto* const text = node.as_string();
    const auto is = [text](std::string_view what) {
      return text && text->get() == what;
    };
    if (!is("publish") && !is("subscribe") && !is("all"))
      wrong(node.source().begin,
            "action is \"publish\", \"subscribe\" or \"all\", not "
              + describe(node));
    rule.publish = !is("subscribe");
    rule.subscribe = !is("publish");
  }

  void read_retain(const toml::node& node, acl_rule& rule) {
    if (const auto* const is = node.as_boolean())
      rule.retain = is->get();
    else
      wrong(node.source().begin,
            "retain is true or false, not " + describe(node));
  }

  /// Calls `use` with each element, or with what is no list.
  template <class F>
  void each(std::string_view name, const toml::node& node, F&& use) {
    const auto* const list = node.as_array();
    if (!list) {
      use(node);
      return;
    }
    if (list->empty())
      wrong(node.source().begin,
            std::string{name}
              + " is an empty list, which would match nothing: "
                "name something, or leave it out");
    for (const auto& one : *list)
      use(one);
  }

  void read_qos(const toml::node& node, acl_rule& rule) {
    rule.qos = 0;
    each("qos", node, [&](const toml::node& one) {
      const auto* const level = one.as_integer();
      if (level && level->get() >= 0 && level->get() <= 2)
        rule.qos = static_cast<std::uint8_t>(rule.qos | (1U << level->get()));
      else
        wrong(one.source().begin,
              "qos is 0, 1 or 2, or a list of these, not " + describe(one));
    });
  }

  /// @param check  says what is wrong with one, or nothing.
  template <class F>
  void texts_with(std::string_view name, const toml::node& node,
                  std::vector<std::string>& into, F&& check) {
    each(name, node, [&](const toml::node& one) {
      const auto* const text = one.as_string();
      std::string problem;
      if (!text)
        problem = "is a text or a list of texts, not " + describe(one);
      else if (text->get().empty())
        problem = "is empty: nothing has this name";
      else
        problem = check(text->get());
      if (text && problem.empty())
        into.push_back(text->get());
      else
        wrong(one.source().begin, std::string{name} + " " + problem);
    });
  }

  void texts(std::string_view name, const toml::node& node,
             std::vector<std::string>& into) {
    texts_with(name, node, into, [&](std::string_view text) -> std::string {
      if (text.find("${") != std::string_view::npos)
        return quoted(text)
               + " holds a placeholder: these stand in topics "
                 "alone";
      if (name == "listener")
        return text.find(':') != std::string_view::npos
                 ? std::string{}
                 : quoted(text)
                     + " has no kind: write it as troupe ctl listeners list "
                       "does, such as tcp:default";
      if (text.find('*') != std::string_view::npos)
        return quoted(text) + " holds a *, which means itself here: write "
               + std::string{name} + "_pattern for a pattern";
      return {};
    });
  }

  void patterns(std::string_view name, const toml::node& node,
                std::vector<std::string>& into) {
    texts_with(name, node, into, [](std::string_view text) -> std::string {
      if (text.size() > glob_size_max)
        return "is longer than " + std::to_string(glob_size_max) + " bytes";
      return {};
    });
  }

  void read_addresses(const toml::node& node, acl_rule& rule) {
    each("address", node, [&](const toml::node& one) {
      const auto* const text = one.as_string();
      if (!text) {
        wrong(one.source().begin,
              "address is a text or a list of texts, not " + describe(one));
        return;
      }
      auto read = network::parse(text->get());
      if (auto* const net = std::get_if<network>(&read))
        rule.addresses.push_back(*net);
      else
        wrong(one.source().begin, "address " + std::get<1>(read));
    });
  }

  void read_topics(const toml::node& node, acl_rule& rule) {
    each("topics", node, [&](const toml::node& one) {
      const auto* text = one.as_string();
      const auto* const table = one.as_table();
      if (table && table->size() == 1)
        text = table->get_as<std::string>("eq");
      if (!text) {
        wrong(one.source().begin,
              "topics are texts, or { eq = \"…\" } for literal ones, not "
                + (table ? "another table" : describe(one)));
        return;
      }
      auto read = rule_filter::parse(text->get(), table != nullptr);
      if (auto* const filter = std::get_if<rule_filter>(&read))
        rule.topics.push_back(std::move(*filter));
      else
        wrong(text->source().begin, "filter " + std::get<1>(read));
    });
  }

  const std::string& file_;
  std::vector<placed> found_;
  std::optional<decision> no_match_;
  std::vector<acl_rule> rules_;
  std::size_t filters_ = 0;
  bool too_many_ = false;
};

} // namespace

std::variant<acl, std::vector<problem>>
acl::parse(std::string_view text, const std::string& file_name) {
  const auto read = parse_toml(text, file_name);
  if (const auto* wrong = std::get_if<toml_mistake>(&read))
    return std::vector<problem>{{file_name + ":" + std::to_string(wrong->line)
                                   + ":" + std::to_string(wrong->column),
                                 wrong->text}};
  reader r{file_name};
  r.read(std::get<toml::table>(read));
  return r.finish();
}

} // namespace troupe::auth
