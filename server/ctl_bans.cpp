#include "server/ctl_bans.hpp"

#include "config/text.hpp"
#include "net/tcp.hpp"
#include "server/broker.hpp"
#include "server/ctl_lists.hpp"
#include "server/json_fields.hpp"
#include "server/text.hpp"
#include "server/wall_time.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace troupe::server {

namespace json = boost::json;

namespace {

/// EMQX's names.
json::object object_of(const auth::ban& x) {
  return {{"as", auth::to_string(x.as)},
          {"who", x.who},
          {"by", x.by},
          {"reason", x.reason},
          {"at", print_time(x.at_ms)},
          {"until", x.until_ms == auth::ban::never ? std::string{"infinity"}
                                                   : print_time(x.until_ms)}};
}

std::variant<auth::ban_kind, ctl_failure> kind_in(const json::object& with) {
  const auto text = text_in(with, "as");
  if (const auto kind = auth::ban_kind_from(text))
    return *kind;
  std::string names;
  for (const auto name : auth::ban_kind_names)
    names += (names.empty() ? "" : ", ") + std::string{name};
  return ctl_failure{exit_usage, '"' + printable(text)
                                   + "\" is nothing to ban by: KIND is one of "
                                   + names};
}

/// The last one that a time of four digits for the year can tell, in ms.
constexpr std::int64_t last_time = 253'402'300'799'999;

/// @param until  becomes what `--for` or `--until` say.
std::optional<ctl_failure> read_end(const json::object& with, std::int64_t now,
                                    std::int64_t& until) {
  const auto how_long = text_in(with, "for");
  const auto end = text_in(with, "until");
  until = auth::ban::never;
  if (!how_long.empty() && !end.empty())
    return ctl_failure{exit_usage, "--for and --until exclude each other"};
  if (!how_long.empty()) {
    const auto time = config::read_duration(how_long);
    if (!time || time->count() <= 0 || time->count() > auth::ban::never - now)
      return ctl_failure{exit_usage, "--for " + printable(how_long)
                                       + ": has to be a duration such as 30s, "
                                         "15m, 1h or 7d"};
    if (time->count() > last_time - now)
      return ctl_failure{exit_usage, "--for " + printable(how_long)
                                       + ": ends after the year 9999; leave it "
                                         "out for a ban without an end"};
    until = now + time->count();
  }
  if (!end.empty() && end != "infinity") {
    const auto time = read_time(end);
    if (!time)
      return ctl_failure{exit_usage, "--until " + printable(end)
                                       + ": has to be a time such as "
                                         "2026-07-01T12:00:00Z, or infinity"};
    if (*time <= now)
      return ctl_failure{exit_usage,
                         "--until " + printable(end) + " is over already"};
    until = *time;
  }
  return std::nullopt;
}

std::optional<ctl_failure> save(broker& of) {
  const auto why = of.banned().write();
  if (why.empty())
    return std::nullopt;
  return ctl_failure{exit_storage,
                     "it is in force, but would not outlive a restart: " + why};
}

} // namespace

ctl_answer ban_list(broker& of, const json::object& with) {
  std::size_t limit = 0;
  if (auto wrong = read_limit(with, limit))
    return *wrong;
  const auto now = wall_ms();
  std::vector<const auth::ban*> all;
  const auto bans = of.banned().table().bans();
  bans->for_each([&](const auth::ban& x) {
    if (x.in_force(now))
      all.push_back(&x);
  });
  const auto by_name = [](const auth::ban* a, const auth::ban* b) {
    return std::tie(a->as, a->who) < std::tie(b->as, b->who);
  };
  const auto shown = std::min(limit, all.size());
  std::partial_sort(all.begin(),
                    all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    by_name);
  json::array rows;
  for (std::size_t i = 0; i < shown; ++i)
    rows.push_back(object_of(*all[i]));
  return list_answer(std::move(rows), all.size(), limit);
}

std::string print_bans(const json::value& answer) {
  table rows({"kind", "who", "until", "by", "reason"});
  for (const auto& one : answer.at("data").as_array()) {
    const auto& x = one.as_object();
    rows.add({text_in(x, "as"), text_in(x, "who"), text_in(x, "until"),
              text_in(x, "by"), text_in(x, "reason")});
  }
  return print_list(rows, answer);
}

ctl_answer ban_add(broker& of, const json::object& with) {
  const auto kind = kind_in(with);
  if (const auto* why = std::get_if<ctl_failure>(&kind))
    return *why;
  auth::ban what;
  what.as = std::get<auth::ban_kind>(kind);
  what.who = text_in(with, "who");
  what.by = text_in(with, "by");
  what.reason = text_in(with, "reason");
  what.at_ms = wall_ms();
  if (auto wrong = read_end(with, what.at_ms, what.until_ms))
    return *wrong;
  if (auto wrong = of.banned().table().ban(what); !wrong.empty())
    return ctl_failure{exit_usage, '"' + printable(what.who) + "\": " + wrong};
  if (auto why = save(of))
    return *why;
  return object_of(what);
}

std::string print_banned(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto until = text_in(x, "until");
  return text_in(x, "as") + " \"" + printable(text_in(x, "who"))
         + "\" is banned"
         + (until == "infinity" ? "\n" : " until " + until + '\n');
}

ctl_answer ban_delete(broker& of, const json::object& with) {
  const auto kind = kind_in(with);
  if (const auto* why = std::get_if<ctl_failure>(&kind))
    return *why;
  const auto as = std::get<auth::ban_kind>(kind);
  const auto who = text_in(with, "who");
  if (!of.banned().table().unban(as, who))
    return ctl_failure{exit_failure,
                       std::string{auth::to_string(as)} + " \"" + printable(who)
                         + "\" is not banned; troupe ctl ban list shows who "
                           "is"};
  if (auto why = save(of))
    return *why;
  return json::object{
    {"as", auth::to_string(as)}, {"who", who}, {"deleted", true}};
}

std::string print_unbanned(const json::value& answer) {
  const auto& x = answer.as_object();
  return text_in(x, "as") + " \"" + printable(text_in(x, "who"))
         + "\" may connect again\n";
}

// ---- locks after wrong passwords --------------------------------------------

ctl_answer ban_unlock(broker& of, const json::object& with) {
  const auto address = text_in(with, "address");
  const auto user = text_in(with, "user");
  const bool v6 = address.find(':') != std::string::npos;
  const auto at =
    net::endpoint::parse(v6 ? '[' + address + "]:0" : address + ":0");
  if (!at && address != "unix")
    return ctl_failure{exit_usage,
                       '"' + printable(address)
                         + "\" is no address, such as 192.0.2.7; clients of "
                           "Unix sockets have the address unix"};
  const auto named =
    user.empty() ? std::nullopt : std::optional<std::string_view>{user};
  if (!of.banned().table().unlock(at, named, std::chrono::steady_clock::now()))
    return ctl_failure{
      exit_failure,
      user.empty() ? printable(address)
                       + " is not locked as a whole; a user of it may be: name "
                         "it with --user"
                   : "user \"" + printable(user) + "\" is not locked at "
                       + printable(address)
                       + "; the whole address may be: leave --user out"};
  json::object made{{"address", address}, {"unlocked", true}};
  if (!user.empty())
    made["user"] = user;
  return made;
}

std::string print_unlocked(const json::value& answer) {
  const auto& x = answer.as_object();
  const auto address = printable(text_in(x, "address"));
  return x.contains("user") ? "user \"" + printable(text_in(x, "user"))
                                + "\" may log in from " + address + " again\n"
                            : address + " may log in again\n";
}

} // namespace troupe::server
