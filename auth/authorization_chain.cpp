#include "auth/authorization_chain.hpp"

#include <atomic>
#include <exception>
#include <string>
#include <utility>

namespace troupe::auth {

namespace {

constexpr std::string_view fault = "fault";

/// An answer that ends the search, as what the caller is told.
authorization_chain::verdict final_answer(decision d, std::string_view by) {
  if (d == decision::allow || d == decision::deny)
    return {d, by};
  return {decision::deny, fault};
}

} // namespace

/// A request that may outlive the call that made it.
class authorization_chain::pending
  : public std::enable_shared_from_this<pending> {
public:
  pending(std::shared_ptr<const chain> of, const identity& who,
          const request& what, answered then)
    : chain_{std::move(of)},
      who_{client_facts::of(who)},
      topic_{what.topic},
      what_{what},
      then_{std::move(then)} {
    what_.topic = topic_;
  }

  /// Asks the links from `next` on.
  verdict run(std::size_t next);
  void answer(const verdict& v) const noexcept {
    try {
      then_(v);
    } catch (const std::exception&) {
      // Who asked has been told; there is nobody else to tell.
      return;
    }
  }
  const chain& links() const noexcept { return *chain_; }

private:
  std::shared_ptr<const chain> chain_;
  client_facts who_;
  std::string topic_;
  request what_;
  answered then_;
};

/// One link was asked: it is answered once, whoever answers or drops it.
class authorization_chain::question {
public:
  question(std::shared_ptr<pending> of, std::size_t link)
    : of_{std::move(of)},
      link_{link} {}
  question(const question&) = delete;
  question& operator=(const question&) = delete;
  ~question() {
    if (const auto of = take())
      of->answer({decision::deny, fault});
  }

  /// @returns what was asked; null if it was answered before. A link that keeps
  /// its answered question keeps nothing of it, least of all itself.
  std::shared_ptr<pending> take() noexcept {
    return done_.exchange(true) ? nullptr : std::move(of_);
  }

  /// The link's answer, after the call.
  void answer(decision d) {
    const auto of = take();
    if (!of)
      return;
    const auto v = d == decision::ignore
                     ? of->run(link_ + 1)
                     : final_answer(d, of->links().links[link_]->name());
    if (v.what != decision::later)
      of->answer(v);
  }

private:
  std::shared_ptr<pending> of_;
  std::size_t link_;
  std::atomic<bool> done_ = false;
};

authorization_chain::verdict
authorization_chain::pending::run(std::size_t next) {
  for (; next != chain_->links.size(); ++next) {
    auto& link = *chain_->links[next];
    const auto asked = std::make_shared<question>(shared_from_this(), next);
    auto said = decision::deny;
    auto by = link.name();
    try {
      said = link.authorize(who_.view(), what_,
                            [asked](decision d) { asked->answer(d); });
    } catch (...) {
      by = fault;
    }
    // Either the link has called back, or will, or the question is dropped; if
    // it called back and answered as well, what it said first counts.
    if (said == decision::later || !asked->take())
      return {decision::later, by};
    if (said != decision::ignore)
      return final_answer(said, by);
  }
  return {chain_->how.no_match, "no_match"};
}

authorization_chain::authorization_chain(
  std::vector<std::shared_ptr<authorizer>> links, options how)
  : chain_{std::make_shared<const chain>(chain{std::move(links), how})} {}

std::string authorization_chain::rule_of(std::string_view by,
                                         const identity& who,
                                         const request& what) const {
  if (chain_)
    for (const auto& x : chain_->links)
      if (x->name() == by)
        return x->rule_of(who, what);
  return {};
}

authorization_chain::verdict
authorization_chain::authorize(const identity& who, bool superuser,
                               const request& what,
                               const answered& then) const {
  if (superuser)
    return {decision::allow, "superuser"};
  if (!chain_)
    return {decision::deny, "no_match"};
  std::size_t next = 0;
  for (; next != chain_->links.size(); ++next) {
    auto& link = *chain_->links[next];
    if (!link.answers_at_once())
      return std::make_shared<pending>(chain_, who, what, then)->run(next);
    try {
      const auto said = link.authorize(who, what, {});
      if (said != decision::ignore)
        return final_answer(said, link.name());
    } catch (...) {
      return {decision::deny, fault};
    }
  }
  return {chain_->how.no_match, "no_match"};
}

} // namespace troupe::auth
