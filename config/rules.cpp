#include "config/rules.hpp"

#include "config/text.hpp"

#include <algorithm>
#include <map>
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
  void listeners();

private:
  void tls(const std::string& section, const ssl_options& of);
  void websocket(const std::string& section, const config::websocket& of);

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
  for_each_kind(s_.listeners, [&](auto kind, const auto& of_kind) {
    if constexpr (kind != listener_kind::local)
      for (const auto& [name, x] : of_kind)
        add(listener_section(kind, name), x.common.enable, x.common.bind);
  });
  add("http", s_.http.enable, s_.http.bind);
  return all;
}

void checker::anonymous_access() {
  if (is_wrong("allow_anonymous"))
    return;
  const bool knows = !s_.auth_users.file.empty() || s_.auth_certificate.enable;
  for_each_kind(s_.listeners, [&](auto kind, const auto& all) {
    if constexpr (kind != listener_kind::local)
      for (const auto& [name, x] : all) {
        const auto section = listener_section(kind, name);
        const auto& of = x.common;
        if (!of.enable || is_wrong(section + ".enable")
            || is_wrong(section + ".bind"))
          continue;
        // What comes of a balancer comes of elsewhere.
        if (of.bind.is_loopback() && !of.proxy_protocol)
          continue;
        const auto key = section + ".bind";
        const auto open =
          print(of.bind)
          + (of.proxy_protocol ? " has clients of other machines behind its "
                                 "balancer (proxy_protocol), and "
                               : " is open to other machines, and ");
        if (!of.enable_authn)
          warnings_.push_back(
            about(key, open + "anybody can connect (enable_authn = false)"));
        else if (s_.root_keys.allow_anonymous)
          warnings_.push_back(
            about(key, open + "anybody can connect (allow_anonymous = true)"));
        else if (!knows)
          problems_.push_back(about(
            key, open + "nobody could be known: name users (auth.users.file), "
                   + (of.proxy_protocol ? "" : "bind to 127.0.0.1, ")
                   + "or set allow_anonymous = true"));
      }
  });
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
  std::map<std::string, std::string> files;
  for (const auto& [name, x] : s_.listeners.local) {
    const auto key = listener_section(listener_kind::local, name) + ".bind";
    if (!x.common.enable || is_wrong(key))
      continue;
    const auto [first, is_new] = files.emplace(x.common.bind, key);
    if (!is_new)
      problems_.push_back(about(key, x.common.bind + " is the file of "
                                       + first->second
                                       + " too: give one of them another"));
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

void checker::websocket(const std::string& section,
                        const config::websocket& of) {
  if (!of.path.starts_with('/'))
    problems_.push_back(
      about(section + ".mqtt_path", "does not begin with a slash"));
  if (of.fail_if_no_subprotocol && of.subprotocols.texts.empty())
    problems_.push_back(
      about(section + ".supported_subprotocols",
            "is empty, so nobody could connect: name one, such as mqtt, or "
            "set fail_if_no_subprotocol = false"));
  for (const auto& one : of.allow_origins.texts) {
    const auto host = one.find("://");
    const bool is_origin =
      host != std::string::npos && host != 0 && host + 3 != one.size()
      && one.find_first_of("/?# ", host + 3) == std::string::npos
      && std::none_of(one.begin(), one.end(),
                      [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!is_origin)
      problems_.push_back(
        about(section + ".check_origins",
              quoted(one)
                + " is no origin as browsers write it: scheme, host and, if "
                  "it is not the usual one, port, in lower case, without a "
                  "path: https://desk.example:8443"));
  }
}

void checker::tls(const std::string& section, const ssl_options& of) {
  const auto wrong = [&](const char* name, const char* text) {
    problems_.push_back(about(section + name, text));
  };
  if (of.certfile.empty() && of.psk_file.empty())
    wrong(".certfile", "is missing: name the file with the server's "
                       "certificate (and .keyfile with its key)");
  if (!of.certfile.empty() && of.keyfile.empty())
    wrong(".keyfile", "is missing: name the file with the key of certfile");
  if (of.verify == verify_mode::verify_peer && of.cacertfile.empty())
    wrong(".cacertfile", "is missing: with verify_peer, name the file with "
                         "the authorities that sign clients' certificates");
  if (of.fail_if_no_peer_cert && of.verify != verify_mode::verify_peer)
    wrong(".fail_if_no_peer_cert",
          "needs verify = \"verify_peer\": nobody is asked for a certificate");
  if ((of.peer_cert_as_username != certificate_part::disabled
       || of.peer_cert_as_clientid != certificate_part::disabled)
      && of.verify != verify_mode::verify_peer)
    wrong(".verify", "has to be verify_peer for peer_cert_as_username and "
                     "peer_cert_as_clientid");
  if (of.min_version > of.max_version)
    wrong(".min_version", "is above max_version");
  if (!of.ocsp_responder_url.empty()
      && !of.ocsp_responder_url.starts_with("http://"))
    wrong(".ocsp.responder_url", "does not begin with http://");
}

void checker::listeners() {
  for_each_kind(s_.listeners, [&](auto kind, const auto& all) {
    for (const auto& [name, x] : all) {
      const auto section = listener_section(kind, name);
      if (!x.common.enable || is_wrong(section + ".enable"))
        continue;
      for (const auto& one : x.common.versions.texts)
        if (one != "3.1" && one != "3.1.1" && one != "5.0")
          problems_.push_back(
            about(section + ".versions",
                  quoted(one) + " is none of 3.1, 3.1.1 and 5.0"));
      if (x.common.mountpoint.find_first_of("+#") != std::string::npos)
        problems_.push_back(
          about(section + ".mountpoint", "has a wildcard in it"));
      if constexpr (kind == listener_kind::ssl || kind == listener_kind::wss)
        tls(section + ".ssl_options", x.ssl);
      if constexpr (kind == listener_kind::ws || kind == listener_kind::wss)
        websocket(section + ".websocket", x.ws);
      if constexpr (kind == listener_kind::local)
        if (x.local.mode.find_first_not_of("01234567") != std::string::npos)
          problems_.push_back(
            about(section + ".unix_options.mode",
                  quoted(x.local.mode) + " is no octal number such as 0660"));
    }
  });
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
  c.listeners();
}

} // namespace troupe::config
