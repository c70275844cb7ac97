#include "auth/ban_patterns.hpp"

#include <algorithm>

namespace troupe::auth::detail {

namespace {

re2::RE2::Options options(std::int64_t memory) {
  re2::RE2::Options made; // UTF-8, the first match that there is
  made.set_log_errors(false);
  made.set_never_capture(true);
  made.set_max_mem(memory);
  return made;
}

constexpr std::int64_t memory_of_one = 1 << 20;
constexpr std::int64_t memory_of_all = 32 << 20;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

} // namespace

ban_patterns::ban_patterns(std::vector<shared_ban> bans)
  : bans_{std::move(bans)} {
  all_ = std::make_unique<re2::RE2::Set>(options(memory_of_all),
                                         re2::RE2::UNANCHORED);
  bool whole = true;
  for (const auto& one : bans_) {
    whole = whole && all_->Add(piece(one->who), nullptr) >= 0;
    each_.push_back(
      std::make_unique<re2::RE2>(piece(one->who), options(memory_of_one)));
  }
  if (!whole || !all_->Compile())
    all_.reset();
}

const ban* ban_patterns::find(std::string_view text,
                              std::int64_t now_ms) const {
  if (!all_)
    return try_each(text, now_ms);
  std::vector<int> found;
  re2::RE2::Set::ErrorInfo error{};
  if (!all_->Match(piece(text), &found, &error))
    return error.kind == re2::RE2::Set::kNoError ? nullptr
                                                 : try_each(text, now_ms);
  std::sort(found.begin(), found.end());
  for (const auto i : found)
    if (const auto& one = *bans_[static_cast<std::size_t>(i)];
        one.in_force(now_ms))
      return &one;
  return nullptr;
}

const ban* ban_patterns::try_each(std::string_view text,
                                  std::int64_t now_ms) const {
  for (std::size_t i = 0; i != bans_.size(); ++i)
    if (bans_[i]->in_force(now_ms)
        && re2::RE2::PartialMatch(piece(text), *each_[i]))
      return bans_[i].get();
  return nullptr;
}

std::string ban_patterns::problem_with(std::string_view expression) {
  const re2::RE2 read{piece(expression), options(memory_of_one)};
  return read.ok() ? std::string{} : read.error();
}

} // namespace troupe::auth::detail
