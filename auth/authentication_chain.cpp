#include "auth/authentication_chain.hpp"

#include <atomic>
#include <utility>

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

/// One client's way along the chain.
class run : public std::enable_shared_from_this<run> {
public:
  run(std::shared_ptr<const authentication_chain::list> all,
      std::shared_ptr<const credentials> what, bool allow_anonymous,
      authentication_chain::answered then)
    : all_(std::move(all)),
      what_(std::move(what)),
      allow_anonymous_(allow_anonymous),
      then_(std::move(then)) {}

  void ask(std::size_t index);

  void take(std::size_t index, authentication_answer said) {
    if (said.what == outcome::ignore)
      return ask(index + 1);
    const auto by = said.what == outcome::allow ? (*all_)[index] : nullptr;
    if (by && said.who.user_name.empty() && what_->who.user_name)
      said.who.user_name = *what_->who.user_name;
    finish({std::move(said), by});
  }

private:
  void finish(chain_answer x) {
    // What it holds may hold this.
    const auto then = std::exchange(then_, nullptr);
    then(std::move(x));
  }

  chain_answer nobody_knows() const {
    const bool nameless = !what_->who.user_name && !what_->password;
    if (!nameless && !all_->empty())
      return {deny(reason_code::bad_user_name_or_password, "unknown user"),
              nullptr};
    if (!allow_anonymous_)
      return {deny(reason_code::not_authorized, "anonymous is not allowed"),
              nullptr};
    chain_answer made;
    made.said.what = outcome::allow;
    made.said.reason = reason_code::success;
    made.said.cause = "anonymous";
    if (what_->who.user_name)
      made.said.who.user_name = *what_->who.user_name;
    return made;
  }

  std::shared_ptr<const authentication_chain::list> all_;
  std::shared_ptr<const credentials> what_;
  bool allow_anonymous_;
  authentication_chain::answered then_;
};

/// The one answer of one authenticator: the first counts, and none is a no. Who
/// keeps it after that keeps nothing of the client, least of all itself.
class reply {
public:
  reply(std::shared_ptr<run> to, std::size_t index)
    : to_(std::move(to)),
      index_(index) {}
  reply(const reply&) = delete;
  reply& operator=(const reply&) = delete;
  ~reply() {
    try {
      give(deny(reason_code::not_authorized, "an authenticator is silent"));
    } catch (...) { // NOLINT(bugprone-empty-catch): there is nobody to tell
    }
  }

  void give(authentication_answer said) {
    if (!given_.test_and_set())
      std::exchange(to_, nullptr)->take(index_, std::move(said));
  }

private:
  std::shared_ptr<run> to_;
  std::size_t index_;
  std::atomic_flag given_;
};

void run::ask(std::size_t index) {
  if (index == all_->size())
    return finish(nobody_knows());
  const auto one = std::make_shared<reply>(shared_from_this(), index);
  try {
    (*all_)[index]->authenticate(
      what_, [one](authentication_answer said) { one->give(std::move(said)); });
  } catch (...) {
    one->give(deny(reason_code::not_authorized, "an authenticator failed"));
  }
}

} // namespace

void authentication_chain::authenticate(std::shared_ptr<const credentials> what,
                                        bool allow_anonymous,
                                        answered then) const {
  std::make_shared<run>(all_, std::move(what), allow_anonymous, std::move(then))
    ->ask(0);
}

} // namespace troupe::auth
