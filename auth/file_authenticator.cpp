#include "auth/file_authenticator.hpp"

#include "auth/address_key.hpp"

namespace troupe::auth {

namespace {

using outcome = authentication_answer::outcome;
using protocol::reason_code;

authentication_answer deny(reason_code reason, std::string_view cause) {
  authentication_answer made;
  made.reason = reason;
  made.cause = cause;
  return made;
}

authentication_answer allow(std::string_view name,
                            const user_table::record& as) {
  authentication_answer made;
  made.what = outcome::allow;
  made.reason = reason_code::success;
  made.cause = "password";
  made.who = {std::string{name}, as.superuser, as.version};
  return made;
}

password_hash fixed_decoy(const hash_cost& cost) {
  auto made = password_hash::make(hash_algorithm::argon2id, cost, "");
  if (!made)
    throw std::invalid_argument(made.error());
  return made.value().decoy();
}

} // namespace

/// What a job needs: not the pool, which would be joined by its own thread if
/// a job were the last to hold it.
struct file_authenticator::checker {
  checker(const file_authenticator_options& from,
          std::shared_ptr<user_source> source)
    : options(from),
      users(std::move(source)),
      cache(from.cache),
      decoy(fixed_decoy(from.decoy)) {}

  authentication_answer unknown() const {
    auto made = deny(reason_code::bad_user_name_or_password, "unknown user");
    if (options.unknown == unknown_user::ignore)
      made.what = outcome::ignore;
    return made;
  }

  static authentication_answer wrong() {
    return deny(reason_code::bad_user_name_or_password, "wrong password");
  }

  bool remembers(std::string_view name, const user_table::record& as,
                 std::string_view password) {
    return cache.has(cache.mark_of(name, as.version, password));
  }

  /// Takes long.
  authentication_answer compare(std::string_view name,
                                std::string_view password) {
    // The file may be replaced meanwhile: what was right must still be.
    for (int round = 0; round < 3; ++round) {
      const auto table = users->now();
      const auto found = table->find(name);
      if (!found || found->hash == "*") {
        (table->decoy() ? *table->decoy() : decoy).verify(password);
        return found ? wrong() : unknown();
      }
      const auto mark = cache.mark_of(name, found->version, password);
      // One before it in the queue may have had the same.
      if (!cache.has(mark)) {
        const auto hash = password_hash::parse(found->hash);
        if (!hash || !hash.value().verify(password))
          return wrong();
        cache.add(mark);
      }
      if (users->version_of(name) == found->version)
        return allow(name, *found);
    }
    return deny(reason_code::server_busy, "the users change all the time");
  }

  file_authenticator_options options;
  std::shared_ptr<user_source> users;
  verified_cache cache;
  password_hash decoy;
};

file_authenticator::file_authenticator(
  const file_authenticator_options& options, std::shared_ptr<user_source> users,
  std::shared_ptr<hash_pool> pool)
  : checker_(std::make_shared<checker>(options, std::move(users))),
    pool_(std::move(pool)) {}

void file_authenticator::authenticate(std::shared_ptr<const credentials> what,
                                      answered then) {
  if (!what->who.user_name) {
    authentication_answer made;
    made.what = outcome::ignore;
    return then(made);
  }
  const std::string_view name = *what->who.user_name;
  const auto table = checker_->users->now();
  const auto found = table->find(name);
  if (!what->password)
    return then(found
                  ? deny(reason_code::bad_user_name_or_password, "no password")
                  : checker_->unknown());
  if (found && checker_->remembers(name, *found, *what->password))
    return then(allow(name, *found));
  const auto from = address_key(what->who.peer);
  const auto job = [what, then, in = checker_](hash_pool::fate fate) {
    if (fate == hash_pool::fate::stopping)
      return then(deny(reason_code::server_shutting_down, "shutting down"));
    if (fate == hash_pool::fate::too_late)
      return then(deny(reason_code::server_busy, "too many logins wait"));
    authentication_answer made;
    try {
      made = in->compare(*what->who.user_name, *what->password);
    } catch (const std::exception&) { // there is no memory for a hash
      made = deny(reason_code::server_busy, "the hash cannot be computed");
    }
    then(std::move(made));
  };
  if (!pool_->submit(from, job))
    then(deny(reason_code::server_busy, "too many logins wait"));
}

std::optional<std::uint64_t>
file_authenticator::version_of(std::string_view user_name) const {
  return checker_->users->version_of(user_name);
}

} // namespace troupe::auth
