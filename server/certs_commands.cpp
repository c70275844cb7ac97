#include "server/certs_commands.hpp"

#include "auth/whole_file.hpp"
#include "net/certificate_authority.hpp"
#include "server/exit_codes.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace troupe::server {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_file = 64U << 20U;
/// Clocks of other machines may be behind.
constexpr std::chrono::hours early{1};
constexpr unsigned authority_days = 3'650;

/// Names a file, so it stays in its directory and takes nobody else's place.
std::string trouble_of(const std::string& name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'
           || c == '@';
  };
  if (name.empty() || name.size() > 64 || name.front() == '.'
      || name.front() == '-' || !std::all_of(name.begin(), name.end(), good))
    return '"' + name
           + "\" is no name for a client here: up to 64 letters, digits and "
             "-_.@, not beginning with - or .";
  if (name == "ca" || name == "server" || name == "crl")
    return '"' + name + "\" is the name of other files here";
  return {};
}

fs::path certificate_of(const fs::path& directory, const std::string& name) {
  return directory / (name + ".pem");
}

fs::path key_of(const fs::path& directory, const std::string& name) {
  return directory / (name + ".key");
}

void tell(const fs::path& made, std::string_view what) {
  std::printf("%s  %.*s\n", made.c_str(), static_cast<int>(what.size()),
              what.data());
}

void write(const fs::path& file, const std::string& text) {
  const bool fresh = !fs::exists(file);
  auth::replace_file(file, text); // a new one is its owner's alone
  if (fresh && file.extension() == ".pem")
    fs::permissions(file, fs::perms{0644});
}

void write(const fs::path& directory, const std::string& name,
           const net::certificate_pair& what) {
  write(key_of(directory, name), what.key);
  write(certificate_of(directory, name), what.certificate);
}

std::string read(const fs::path& file) {
  return auth::read_whole_file(file, largest_file);
}

} // namespace

void certs_commands::add_to(CLI::App& app) {
  certs_ = app.add_subcommand(
    "certs", "Make an authority and certificates for trying TLS; its key lies "
             "open beside them, so it is not for production");
  certs_->add_option("DIR", directory_, "Where; is made if it is not there")
    ->required();
  certs_
    ->add_option("--name", names_,
                 "A host name or address of the server; localhost, 127.0.0.1 "
                 "and ::1 without any")
    ->type_name("NAME")
    ->take_all();
  certs_
    ->add_option("--client", clients_,
                 "Makes NAME.pem and NAME.key for a client")
    ->type_name("NAME")
    ->take_all();
  certs_
    ->add_option("--revoke", revoke_,
                 "Puts the certificate NAME.pem on the list crl.pem")
    ->type_name("NAME")
    ->take_all();
  certs_->add_option("--days", days_, "How long new certificates are good")
    ->type_name("N")
    ->check(CLI::Range(1U, authority_days))
    ->capture_default_str();
}

int certs_commands::run() const {
  try {
    check();
    return make();
  } catch (const net::certificate_error& e) {
    std::fprintf(stderr, "troupe: %s\n", e.what());
    return exit_usage;
  } catch (const fs::filesystem_error& e) {
    std::fprintf(stderr, "troupe: %s: %s\n", e.path1().c_str(),
                 e.code().message().c_str());
    return exit_unavailable;
  }
}

void certs_commands::check() const {
  std::string problems;
  const auto wrong = [&](const std::string& what) {
    if (!what.empty())
      problems += (problems.empty() ? "" : "\ntroupe: ") + what;
  };
  const fs::path at{directory_};
  const auto taken = [&](const std::string& name) {
    for (const auto& file : {certificate_of(at, name), key_of(at, name)})
      if (fs::exists(file))
        wrong(file.string()
              + " is there already; move it away to have another one made");
  };
  for (const auto& one : names_)
    if (!net::is_server_name(one))
      wrong('"' + one + "\" is neither a name of a host nor an address");
  if (!names_.empty())
    taken("server");
  auto clients = clients_;
  std::sort(clients.begin(), clients.end());
  if (std::adjacent_find(clients.begin(), clients.end()) != clients.end())
    wrong("a client is there twice");
  for (const auto& one : clients) {
    const auto trouble = trouble_of(one);
    wrong(trouble);
    if (trouble.empty())
      taken(one);
  }
  for (const auto& one : revoke_)
    if (one != "server" && !trouble_of(one).empty())
      wrong(trouble_of(one));
    else if (!fs::exists(certificate_of(at, one)))
      wrong(certificate_of(at, one).string() + " is not there");
  const bool has_ca = fs::exists(at / "ca.pem");
  for (const auto* file : {"ca.key", "crl.pem"})
    if (fs::exists(at / file) != has_ca)
      wrong((at / file).string() + (has_ca ? " is missing" : " is there")
            + (has_ca ? ", although ca.pem is there" : " without ca.pem")
            + "; take another directory, or put the files back");
  if (!problems.empty())
    throw net::certificate_error(problems);
}

int certs_commands::make() const {
  const fs::path at{directory_};
  fs::create_directories(at);
  const auth::edit_lock lock{at / "ca.pem"};
  const auto now = std::chrono::system_clock::now();
  const bool is_new = !fs::exists(at / "ca.pem");
  const auto until = [&](unsigned days) {
    return now + std::chrono::hours{24} * days;
  };
  auto authority = [&] {
    if (is_new)
      return net::certificate_authority::make(
        "Troupe test authority", {now - early, until(authority_days)});
    try {
      return net::certificate_authority::read(
        {read(at / "ca.pem"), read(at / "ca.key")}, read(at / "crl.pem"));
    } catch (const net::certificate_error& e) {
      throw net::certificate_error("the authority in " + at.string()
                                   + " cannot be used: " + e.what());
    }
  }();
  const net::certificate_authority::validity when{
    now - early, std::min(until(days_), authority.good_until())};
  for (const auto& one : revoke_)
    try {
      authority.revoke(read(certificate_of(at, one)), now);
    } catch (const net::certificate_error& e) {
      throw net::certificate_error(certificate_of(at, one).string() + ' '
                                   + e.what());
    }
  if (is_new) {
    write(at, "ca", authority.own());
    tell(at / "ca.pem", "the authority: clients check the server with it");
  }
  if (is_new || !revoke_.empty()) {
    write(at / "crl.pem", authority.revoked(now));
    tell(at / "crl.pem", "certificates that were revoked");
  }
  if (!fs::exists(at / "server.pem")) {
    write(at, "server",
          authority.issue_server(
            names_.empty()
              ? std::vector<std::string>{"localhost", "127.0.0.1", "::1"}
              : names_,
            when));
    tell(at / "server.pem", "the server's certificate, and server.key");
  }
  for (const auto& one : clients_) {
    write(at, one, authority.issue_client(one, when));
    tell(certificate_of(at, one), "a client's, and " + one + ".key");
  }
  return exit_success;
}

} // namespace troupe::server
