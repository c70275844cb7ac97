#include "auth/certificate_authenticator.hpp"

#include <stdexcept>

namespace troupe::auth {

namespace {

/// Of who is not in the file and need not be: a line that comes changes it.
constexpr std::uint64_t version_without_line = 1;

std::string_view name_in(const certificate& x, certificate_name from) {
  switch (from) {
  case certificate_name::common_name:
    return x.common_name;
  case certificate_name::subject:
    return x.subject;
  case certificate_name::fingerprint:
    break;
  }
  return x.fingerprint;
}

} // namespace

certificate_authenticator::certificate_authenticator(
  const certificate_authenticator_options& options,
  std::shared_ptr<user_source> users)
  : options_(options),
    users_(std::move(users)) {
  if (options_.user_must_exist && !users_)
    throw std::invalid_argument("no file of users to look certificates up in");
}

void certificate_authenticator::authenticate(
  std::shared_ptr<const credentials> what, answered then) {
  authentication_answer made;
  made.what = authentication_answer::outcome::ignore;
  const auto name =
    what->who.tls ? name_in(*what->who.tls, options_.from) : std::string_view{};
  if (name.empty() || !problem_of_name(name).empty())
    return then(made);
  made.who.user_name = name;
  // Of the one table: version and rights belong together.
  const auto table = users_ ? users_->now() : nullptr;
  const auto found = table ? table->find(name) : std::nullopt;
  if (!found && options_.user_must_exist) {
    made = {};
    made.cause = "the certificate's user is not in the file";
    if (options_.unknown == unknown_user::ignore)
      made.what = authentication_answer::outcome::ignore;
    return then(made);
  }
  made.what = authentication_answer::outcome::allow;
  made.reason = protocol::reason_code::success;
  made.cause = "certificate";
  made.who.superuser = found && found->superuser;
  made.who.version = found ? found->version : users_ ? version_without_line : 0;
  then(made);
}

std::optional<std::uint64_t>
certificate_authenticator::version_of(std::string_view user_name) const {
  if (!users_)
    return 0;
  const auto found = users_->version_of(user_name);
  if (found || options_.user_must_exist)
    return found;
  return version_without_line;
}

} // namespace troupe::auth
