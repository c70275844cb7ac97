#include "config/schema.hpp"

#include "config/codec.hpp"
#include "config/fields_auth.hpp"
#include "config/fields_listeners.hpp"
#include "config/fields_mqtt.hpp"
#include "config/fields_node.hpp"
#include "config/fields_observe.hpp"
#include "config/fields_services.hpp"

#include <boost/pfr/tuple_size.hpp>

namespace troupe::config {
namespace {

template <class T>
struct plain {
  using type = T;
  static constexpr bool optional = false;
};
template <class T>
struct plain<std::optional<T>> {
  using type = T;
  static constexpr bool optional = true;
};

/// The part of a value that its range speaks of.
template <class T>
const T& measured(const T& value) {
  return value;
}
std::int64_t measured(const std::string& value) {
  return static_cast<std::int64_t>(value.size());
}

template <class T>
bool within(const range<T>& allowed, const T& value) {
  return value >= allowed.low && value <= allowed.high; // false for a NaN
}
template <class T, class Value>
bool within(const range<T>&, const Value&) {
  return true; // a type without ranges
}

template <class T>
std::string to_string(const range<T>& allowed) {
  if constexpr (requires { print(allowed.low); }) {
    auto text = print(allowed.low) + " to " + print(allowed.high);
    return allowed.unit.empty() ? text : text.append(" ").append(allowed.unit);
  } else {
    return {};
  }
}

/// What a source delivered, for a sentence that begins with "found".
std::string to_string(const raw& value) {
  struct {
    std::string operator()(bool b) { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) { return print(n); }
    std::string operator()(double d) { return print(d); }
    std::string operator()(const std::string& s) { return quoted(s); }
    std::string operator()(const text_list&) { return "an array"; }
    std::string operator()(const untyped& u) { return quoted(u.text); }
    std::string operator()(const unusable& u) { return std::string{u.what}; }
    std::string operator()(empty_section) { return "a section"; }
  } name;
  auto text = std::visit(name, value);
  // Nobody reads a page of it, and cutting a string must not cut a character.
  return text.size() <= 200 ? text : "something long";
}

template <class Field>
std::string expected(const Field& f) {
  using traits = plain<typename Field::value_type>;
  using type = codec<typename traits::type>;
  std::string text = type::type();
  if (!text.starts_with("one of"))
    text.insert(0, text.find_first_of("aeiou") == 0 ? "an " : "a ");
  if (!type::example.empty())
    text.append(" such as ").append(type::example);
  if (traits::optional)
    text += " or " + quoted(f.absent);
  return text;
}

/// The whole check of one value, and the assignment if it passes.
template <class S, class T>
std::optional<std::string> assign(const field<S, T>& f, S& into,
                                  const raw& value) {
  using traits = plain<T>;
  if constexpr (traits::optional) {
    const auto* const text = text_of(value);
    if (text && *text == f.absent) {
      into.*f.member = std::nullopt;
      return std::nullopt;
    }
  }
  auto read = codec<typename traits::type>::read(value);
  if (!read)
    return "expected " + expected(f)
           + (f.secret ? "" : ", found " + to_string(value));
  if (f.allowed && !within(*f.allowed, measured(*read)))
    return (f.secret ? "it" : to_string(value))
           + " is out of range: allowed is " + to_string(*f.allowed);
  into.*f.member = static_cast<typename traits::type>(std::move(*read));
  return std::nullopt;
}

template <class S, class T>
std::string to_toml(const field<S, T>& f, const S& of) {
  const auto& value = of.*f.member;
  if constexpr (plain<T>::optional)
    return value ? codec<typename T::value_type>::toml(*value)
                 : quoted(f.absent);
  else
    return codec<T>::toml(value);
}

template <class Field>
std::string describe_type(const Field& f) {
  using traits = plain<typename Field::value_type>;
  auto text = codec<typename traits::type>::type();
  const auto allowed = f.allowed ? to_string(*f.allowed) : std::string{};
  if (!allowed.empty())
    text += ", " + allowed;
  if (traits::optional)
    text.append(", or `").append(f.absent).append("`");
  return text;
}

struct schema_data {
  std::vector<setting> settings;
  std::vector<section_info> sections;
};

/// @tparam S  the section's struct.
/// @param get  finds it in settings, mutable (and made if need be) or const.
template <class S, class Get>
void add(schema_data& into, std::string_view section, Get get) {
  static_assert(
    boost::pfr::tuple_size_v<S> == std::tuple_size_v<decltype(fields<S>)>,
    "each member of a section has a field");
  into.sections.push_back({std::string{section}, about<S>});
  const auto add_field = [&](const auto& f) {
    std::string name{f.name};
    auto path =
      split(section.empty() ? name : std::string{section} + "." + name);
    into.settings.push_back(
      {std::string{section}, std::move(name), std::move(path), describe_type(f),
       to_toml(f, S{}), f.help, f.when,
       [f, get](settings& s, std::string_view instance, const raw& value) {
         return assign(f, get(s, instance), value);
       },
       [f, get](settings& to, const settings& from, std::string_view instance) {
         get(to, instance).*f.member = get(from, instance).*f.member;
       },
       [f, get](const settings& s, std::string_view instance) {
         return to_toml(f, get(s, instance));
       },
       f.secret});
  };
  std::apply([&](const auto&... f) { (add_field(f), ...); }, fields<S>);
}

/// One listener of a kind; made if need be where it can be.
template <class Map>
auto& named(Map& all, std::string_view name) {
  if constexpr (std::is_const_v<Map>)
    return all.find(name)->second;
  else
    return all[std::string{name}];
}

template <listener_kind K, class Settings>
auto& of_kind(Settings& s) {
  if constexpr (K == listener_kind::tcp)
    return s.listeners.tcp;
  else if constexpr (K == listener_kind::ssl)
    return s.listeners.ssl;
  else if constexpr (K == listener_kind::ws)
    return s.listeners.ws;
  else if constexpr (K == listener_kind::wss)
    return s.listeners.wss;
  else
    return s.listeners.local;
}

template <listener_kind K>
void add_kind(schema_data& all) {
  using name = std::string_view;
  const auto section = listener_section(K, "*");
  add<listener<K>>(
    all, section,
    [](auto& s, name n) -> auto& { return named(of_kind<K>(s), n).common; });
  if constexpr (K == listener_kind::ssl || K == listener_kind::wss)
    add<ssl_options>(
      all, section + ".ssl_options",
      [](auto& s, name n) -> auto& { return named(of_kind<K>(s), n).ssl; });
  if constexpr (K == listener_kind::ws || K == listener_kind::wss)
    add<websocket>(
      all, section + ".websocket",
      [](auto& s, name n) -> auto& { return named(of_kind<K>(s), n).ws; });
  if constexpr (K == listener_kind::local)
    add<unix_options>(
      all, section + ".unix_options",
      [](auto& s, name n) -> auto& { return named(of_kind<K>(s), n).local; });
}

void add_listeners(schema_data& all) {
  add_kind<listener_kind::tcp>(all);
  add_kind<listener_kind::ssl>(all);
  add_kind<listener_kind::ws>(all);
  add_kind<listener_kind::wss>(all);
  add_kind<listener_kind::local>(all);
}

schema_data make_schema() {
  using name = std::string_view;
  schema_data all;
  add<settings::top_level>(
    all, "", [](auto& s, name) -> auto& { return s.root_keys; });
  add<mqtt>(
    all, "mqtt", [](auto& s, name) -> auto& { return s.mqtt; });
  add<retainer>(
    all, "retainer", [](auto& s, name) -> auto& { return s.retainer; });
  add<delayed>(
    all, "delayed", [](auto& s, name) -> auto& { return s.delayed; });
  add<sys_topics>(
    all, "sys_topics", [](auto& s, name) -> auto& { return s.sys_topics; });
  add_listeners(all);
  add<node>(
    all, "node", [](auto& s, name) -> auto& { return s.node; });
  add<actors>(
    all, "actors", [](auto& s, name) -> auto& { return s.actors; });
  add<shards>(
    all, "shards", [](auto& s, name) -> auto& { return s.shards; });
  add<durable>(
    all, "durable", [](auto& s, name) -> auto& { return s.durable; });
  add<durability>(
    all, "durability", [](auto& s, name) -> auto& { return s.durability; });
  add<storage>(
    all, "storage", [](auto& s, name) -> auto& { return s.storage; });
  add<auth>(
    all, "auth", [](auto& s, name) -> auto& { return s.auth; });
  add<auth_users>(
    all, "auth.users", [](auto& s, name) -> auto& { return s.auth_users; });
  add<auth_certificate>(
    all, "auth.certificate",
    [](auto& s, name) -> auto& { return s.auth_certificate; });
  add<auth_guard>(
    all, "auth.guard", [](auto& s, name) -> auto& { return s.auth_guard; });
  add<auth_acl>(
    all, "auth.acl", [](auto& s, name) -> auto& { return s.auth_acl; });
  add<flapping_detect>(
    all, "flapping_detect",
    [](auto& s, name) -> auto& { return s.flapping_detect; });
  add<overload>(
    all, "overload", [](auto& s, name) -> auto& { return s.overload; });
  add<slow_subs>(
    all, "slow_subs", [](auto& s, name) -> auto& { return s.slow_subs; });
  add<alarms>(
    all, "alarms", [](auto& s, name) -> auto& { return s.alarms; });
  add<http>(
    all, "http", [](auto& s, name) -> auto& { return s.http; });
  add<log>(
    all, "log", [](auto& s, name) -> auto& { return s.log; });
  add<ctl>(
    all, "ctl", [](auto& s, name) -> auto& { return s.ctl; });
  return all;
}

const schema_data& made_schema() {
  static const schema_data made = make_schema();
  return made;
}

} // namespace

const std::vector<setting>& schema() { return made_schema().settings; }

const std::vector<section_info>& sections() { return made_schema().sections; }

std::vector<std::string> instances(const settings& of,
                                   std::string_view section) {
  if (section.find('*') == section.npos)
    return {""};
  std::vector<std::string> names;
  for_each_kind(of.listeners, [&](auto kind, const auto& all) {
    if (section.starts_with(listener_section(kind, "*")))
      for (const auto& x : all)
        names.push_back(x.first);
  });
  return names;
}

std::string with_instance(std::string_view key, std::string_view instance) {
  std::string result{key};
  const auto star = result.find('*');
  if (star != std::string::npos)
    result.replace(star, 1, instance);
  return result;
}

std::vector<std::string> split(std::string_view key) {
  std::vector<std::string> parts;
  for (;;) {
    const auto dot = key.find('.');
    parts.emplace_back(key.substr(0, dot));
    if (dot == key.npos)
      return parts;
    key.remove_prefix(dot + 1);
  }
}

} // namespace troupe::config
