#include "server/access.hpp"

#include "auth/acl.hpp"
#include "auth/acl_authorizer.hpp"
#include "auth/certificate_authenticator.hpp"
#include "auth/file_authenticator.hpp"
#include "auth/scram.hpp"
#include "auth/user_file.hpp"
#include "config/text.hpp"

#include <chrono>
#include <set>
#include <stdexcept>

namespace troupe::server {

namespace {

constexpr std::uint64_t acl_bytes_max = 64U << 20U;

std::string text_of(const std::string& file, std::uint64_t limit) {
  try {
    return auth::read_whole_file(file, limit);
  } catch (const std::filesystem::filesystem_error& e) {
    throw std::runtime_error(file + ": cannot be read: " + e.code().message());
  }
}

std::shared_ptr<const auth::user_table> users_of(const std::string& file) {
  auto read =
    auth::user_table::parse(text_of(file, auth::user_limits{}.file_bytes));
  if (read)
    return read.value();
  std::string all;
  for (const auto& one : read.error().listed)
    all += (all.empty() ? "" : "\n") + one.in(file);
  throw std::runtime_error(all);
}

std::shared_ptr<const auth::acl> rules_of(const std::string& file) {
  auto read = auth::acl::parse(text_of(file, acl_bytes_max), file);
  if (auto* rules = std::get_if<auth::acl>(&read))
    return std::make_shared<const auth::acl>(std::move(*rules));
  std::string all;
  for (const auto& one : std::get<std::vector<auth::problem>>(read))
    all += (all.empty() ? "" : "\n") + one.where + ": " + one.text;
  throw std::runtime_error(all);
}

/// Rules for listeners that there are none of: they never fit.
std::vector<config::problem> look_at_listeners(const auth::acl& rules,
                                               const config::settings& from) {
  std::set<std::string, std::less<>> known;
  config::for_each_kind(from.listeners, [&](auto kind, const auto& all) {
    for (const auto& [name, x] : all)
      known.insert(config::listener_id(kind, name));
  });
  std::vector<config::problem> made;
  for (const auto& rule : rules.rules())
    for (const auto& x : rule.listeners)
      if (!known.contains(x))
        made.push_back({rule.where, "listener",
                        "there is no listener " + config::quoted(x)
                          + ": the rule does not fit anybody there"});
  return made;
}

std::shared_ptr<const auth::user_table> no_users() {
  return auth::user_table::parse({}).value();
}

std::chrono::seconds seconds_of(config::milliseconds x) {
  return std::chrono::duration_cast<std::chrono::seconds>(x);
}

} // namespace

access::access(const config::settings& at_start)
  : users_(std::make_shared<auth::user_source>(no_users())),
    by_rules_(std::make_shared<auth::acl_authorizer>(
      std::make_shared<const auth::acl>(),
      auth::acl_authorizer::options{true})) {
  const auto& x = at_start.auth_users;
  auth::hash_pool_options pool;
  pool.threads = x.hash_threads;
  pool.queue_max = x.hash_queue;
  pool.wait_max = at_start.auth.timeout;
  pool_ = std::make_shared<auth::hash_pool>(pool);
  auth::file_authenticator_options options;
  options.unknown = static_cast<auth::unknown_user>(x.unknown);
  options.cache.entries = x.cache_entries;
  by_password_ =
    std::make_shared<auth::file_authenticator>(options, users_, pool_);
  scram_ = auth::make_scram_sha256(users_);
  test_method_ = auth::make_test_method();
}

access::~access() { stop(); }

void access::stop() { pool_->stop(); }

access::prepared access::read(const config::settings& from) {
  prepared made;
  made.settings = from;
  std::string problems;
  const auto try_to = [&](const auto& f) {
    try {
      f();
    } catch (const std::runtime_error& e) {
      problems += (problems.empty() ? "" : "\n") + std::string{e.what()};
    }
  };
  if (!from.auth_users.file.empty())
    try_to([&] { made.users = users_of(from.auth_users.file); });
  if (!from.auth_acl.file.empty())
    try_to([&] { made.rules = rules_of(from.auth_acl.file); });
  if (!problems.empty())
    throw std::runtime_error(problems);
  if (made.rules)
    made.warnings = look_at_listeners(*made.rules, from);
  return made;
}

std::shared_ptr<const actors::access_control>
access::put_in_force(prepared what) {
  const auto& from = what.settings;
  auto made = std::make_shared<actors::access_control>();
  made->allow_anonymous = from.root_keys.allow_anonymous;
  made->authentication_timeout = from.auth.timeout;
  pool_->set_wait_max(from.auth.timeout);
  const bool has_users = what.users != nullptr;
  users_->replace(has_users ? std::move(what.users) : no_users());
  const auto& certificate = from.auth_certificate;
  if (!certificate.enable) {
    by_certificate_.reset();
  } else if (!by_certificate_ || certificate.user_name != certificate_.user_name
             || certificate.user_must_exist != certificate_.user_must_exist) {
    auth::certificate_authenticator_options options;
    options.from = static_cast<auth::certificate_name>(certificate.user_name);
    options.user_must_exist = certificate.user_must_exist;
    by_certificate_ =
      std::make_shared<auth::certificate_authenticator>(options, users_);
  }
  certificate_ = certificate;
  if (by_certificate_)
    made->authenticators.push_back(by_certificate_);
  if (has_users)
    made->authenticators.push_back(by_password_);
  made->authentication =
    std::make_shared<const auth::authentication_chain>(made->authenticators);
  if (has_users && from.auth_users.scram)
    made->methods.push_back(scram_);
  if (from.auth.test_method)
    made->methods.push_back(test_method_);
  if (has_users)
    made->method_accounts = by_password_;
  if (what.rules) {
    by_rules_->replace(std::move(what.rules));
    made->authorization = std::make_shared<const auth::authorization_chain>(
      std::vector<std::shared_ptr<auth::authorizer>>{by_rules_},
      auth::authorization_chain::options{});
  }
  made->cache.entries = from.auth_acl.cache_entries;
  made->cache.ttl = from.auth_acl.cache_ttl;
  made->disconnects_denied =
    from.auth_acl.deny == config::deny_action::disconnect;
  made->generation = ++generation_;
  return made;
}

actors::admission_options admission_of(const config::settings& from) {
  actors::admission_options to;
  const auto& guard = from.auth_guard;
  to.guard.failures_max = guard.max_failures.value_or(0);
  to.guard.address_failures_max = guard.max_address_failures.value_or(0);
  to.guard.window = seconds_of(guard.window);
  to.guard.lock = seconds_of(guard.lock);
  const auto& flapping = from.flapping_detect;
  to.flapping.enable = flapping.enable;
  to.flapping.max_count = flapping.max_count;
  to.flapping.window = flapping.window_time;
  to.flapping.ban_time = flapping.ban_time;
  return to;
}

} // namespace troupe::server
