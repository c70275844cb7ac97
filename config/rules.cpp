#include "config/rules.hpp"

#include "config/text.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace troupe::config {
namespace {

class checker {
public:
  checker(const settings& s, const origin_map& origins,
          std::vector<problem>& problems, std::vector<problem>& warnings)
    : s_{s},
      origins_{origins},
      problems_{problems},
      warnings_{warnings} {
    for (const auto& p : problems)
      wrong_.insert(p.key);
  }

  void anonymous_access();
  void same_address();
  void node_name();
  void paths();
  void socket_path();

private:
  [[nodiscard]] bool is_wrong(const std::string& key) const {
    return wrong_.contains(key);
  }
  [[nodiscard]] problem about(const std::string& key, std::string text) const {
    const auto from = origins_.find(key);
    return {from == origins_.end() ? "default" : from->second, key,
            std::move(text)};
  }
  /// Key and address of everything that is opened; wrong ones are left out.
  [[nodiscard]] std::vector<std::pair<std::string, address>> opened() const;

  const settings& s_;
  const origin_map& origins_;
  std::vector<problem>& problems_;
  std::vector<problem>& warnings_;
  std::set<std::string> wrong_;
};

std::vector<std::pair<std::string, address>> checker::opened() const {
  std::vector<std::pair<std::string, address>> all;
  const auto add = [&](const std::string& section, bool enable,
                       const address& bind) {
    if (enable && !is_wrong(section + ".enable")
        && !is_wrong(section + ".bind"))
      all.emplace_back(section + ".bind", bind);
  };
  for (const auto& [name, listener] : s_.listeners.tcp)
    add("listeners.tcp." + name, listener.enable, listener.bind);
  add("http", s_.http.enable, s_.http.bind);
  return all;
}

void checker::anonymous_access() {
  if (is_wrong("allow_anonymous"))
    return;
  for (const auto& [key, bind] : opened()) {
    if (!key.starts_with("listeners.") || bind.is_loopback())
      continue;
    if (s_.root_keys.allow_anonymous)
      warnings_.push_back(
        about(key, print(bind)
                     + " is open to other machines, and anybody can "
                       "connect (allow_anonymous = true)"));
    else
      problems_.push_back(
        about(key, print(bind)
                     + " is open to other machines, and anybody could "
                       "connect: bind to 127.0.0.1, or set "
                       "allow_anonymous = true"));
  }
}

void checker::same_address() {
  const auto is_any = [](const address& a) {
    return a.host.empty() || a.host == "0.0.0.0" || a.host == "::";
  };
  const auto all = opened();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const auto& a = all[i].second;
      const auto& b = all[j].second;
      const bool same_host =
        a.host == b.host
        || (is_any(a) && is_any(b) && (a.host.empty() || b.host.empty()));
      if (a.port == 0 || a.port != b.port || !same_host)
        continue;
      problems_.push_back(
        about(all[i].first, print(a) + " is the address of " + all[j].first
                              + " too: give one of them another port"));
      break;
    }
}

void checker::node_name() {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z')
           || std::string_view{"._@-"}.find(c) != std::string_view::npos;
  };
  if (!is_wrong("node.name") && !std::ranges::all_of(s_.node.name, fits))
    problems_.push_back(
      about("node.name", quoted(s_.node.name)
                           + " has other characters than letters, digits and "
                             ". _ @ -"));
}

void checker::paths() {
  const auto check = [&](const char* key, const std::string& path) {
    if (path.find('\0') != std::string::npos)
      problems_.push_back(about(key, "a path has no zero bytes"));
  };
  check("node.data_dir", s_.node.data_dir);
  check("log.file", s_.log.file);
  check("ctl.socket", s_.ctl.socket);
}

void checker::socket_path() {
  // sockaddr_un has room for 107 bytes and a zero.
  constexpr std::size_t longest = 107;
  const auto& dir = s_.node.data_dir;
  const auto& socket = s_.ctl.socket;
  if (is_wrong("node.data_dir") || is_wrong("ctl.socket"))
    return;
  if (!socket.starts_with('/') && dir.size() + 1 + socket.size() > longest)
    problems_.push_back(
      about("ctl.socket",
            "below node.data_dir the path is longer than the 107 bytes of a "
            "Unix socket: set an absolute path, such as "
            "\"/run/troupe/troupe.sock\""));
}

} // namespace

void check_rules(const settings& s, const origin_map& origins,
                 std::vector<problem>& problems,
                 std::vector<problem>& warnings) {
  checker c{s, origins, problems, warnings};
  c.anonymous_access();
  c.same_address();
  c.node_name();
  c.paths();
  c.socket_path();
}

} // namespace troupe::config
