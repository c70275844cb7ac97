#pragma once
// Rules that say who may publish and subscribe to what. The file that they
// stand in: docs/security.md.

#include "auth/address.hpp"
#include "auth/authorizer.hpp"
#include "auth/filter_forest.hpp"
#include "auth/problem.hpp"
#include "auth/rule_filter.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace troupe::auth {

/// One rule, as written. Each list that is not empty must have something that
/// fits; the others say nothing.
struct acl_rule {
  std::string where; ///< `acl.toml:12:1`, for logs
  bool allow = false;
  bool publish = true;
  bool subscribe = true;
  std::uint8_t qos = 0b111;   ///< bit n: QoS n
  std::optional<bool> retain; ///< of publications; with it, `subscribe` is off
  std::vector<std::string> users;
  std::vector<std::string> clients;
  std::vector<std::string> user_patterns; ///< `glob_matches`
  std::vector<std::string> client_patterns;
  std::vector<network> addresses;
  std::vector<std::string> listeners;
  std::vector<rule_filter> topics; ///< at least one
};

/// The rules of one file. Immutable, thread-safe.
///
/// The first rule that fits decides. An *allow* rule fits a subscription when a
/// filter of it has in it all that the subscription's can match; a *deny* rule
/// when they have any topic in common. What a client's name makes unusable in a
/// filter fails closed: an allow rule then allows nothing, a deny rule denies
/// all that could have been meant.
class acl {
public:
  /// Filters times names (of `users`, or of `clients`) that the rules of one
  /// file may have together.
  static constexpr std::size_t filters_max = 4'000'000;

  /// Without rules.
  acl() : acl({}, std::nullopt) {}
  /// @param no_match  what is said when no rule fits; by default deny, or
  ///                  ignore if there are no rules.
  acl(std::vector<acl_rule> rules, std::optional<decision> no_match);

  /// Reads a file's text.
  /// @param file_name  for `problem::where`.
  /// @returns the rules, or all that is wrong, in the order of the lines.
  static std::variant<acl, std::vector<problem>>
  parse(std::string_view text, const std::string& file_name);

  struct finding {
    decision what = decision::ignore; ///< `ignore`: no rule fits
    const acl_rule* rule = nullptr;   ///< the one that fits; the acl has it
  };
  /// @param what  a valid topic name or filter.
  finding decide(const identity& who, const request& what) const;

  decision no_match() const noexcept { return no_match_; }
  const std::vector<acl_rule>& rules() const noexcept { return rules_; }

private:
  /// The roots of what concerns one user, one client or everybody.
  struct trees {
    std::uint32_t allow = filter_forest::none;
    std::uint32_t deny = filter_forest::none;
    std::uint32_t allow_literal = filter_forest::none;
    std::uint32_t deny_literal = filter_forest::none;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept;
  };
  using trees_by_name =
    std::unordered_map<std::string, trees, text_hash, std::equal_to<>>;
  /// What a look at a rule decides most often, in few bytes.
  struct brief {
    std::uint8_t actions; ///< bit 0: publish, 1: subscribe
    std::uint8_t qos;
    std::uint8_t retain; ///< bit 0: without RETAIN, 1: with
    bool more;           ///< has conditions beyond the tree that it is in
  };
  class test;

  void index(std::uint32_t rule);
  void put(trees& into, std::uint32_t rule);
  std::uint32_t search(const trees& in, const filter_forest::question& q,
                       std::uint32_t best) const;

  std::vector<acl_rule> rules_;
  std::vector<brief> briefs_;
  decision no_match_;
  filter_forest forest_;
  trees everybody_;
  trees_by_name by_user_;
  trees_by_name by_client_; ///< of rules without `users`
};

} // namespace troupe::auth
