#include "auth/guard.hpp"

namespace troupe::auth {

guard::guard(const guard_options& options)
  : seed_(random_bytes(16)),
    addresses_(options.address_failures_max, options),
    pairs_(options.failures_max, options) {}

std::string guard::pair_key(std::string_view address,
                            std::string_view user_name) const {
  // A name may have 64 KiB: what is kept is of one size.
  std::string text{seed_};
  text += static_cast<char>(address.size());
  text += address;
  text += user_name;
  return std::string{view(sha256(text)).substr(0, 16)};
}

std::optional<std::chrono::seconds>
guard::refused_for(std::string_view address, std::string_view user_name,
                   protocol::time_point now) {
  if (const auto left = addresses_.refused_for(std::string{address}, now))
    return left;
  if (pairs_.size() == 0 || user_name.empty())
    return std::nullopt;
  return pairs_.refused_for(pair_key(address, user_name), now);
}

std::optional<locked> guard::failed(std::string_view address,
                                    std::string_view user_name,
                                    protocol::time_point now) {
  // A login makes one lock at most, so that each is told.
  if (addresses_.failed(std::string{address}, now))
    return locked::address;
  if (!user_name.empty() && pairs_.failed(pair_key(address, user_name), now))
    return locked::user;
  return std::nullopt;
}

void guard::succeeded(std::string_view address, std::string_view user_name) {
  if (pairs_.size() != 0)
    pairs_.erase(pair_key(address, user_name));
}

bool guard::unlock(std::string_view address,
                   std::optional<std::string_view> user_name,
                   protocol::time_point now) {
  auto& where = user_name ? pairs_ : addresses_;
  const auto key =
    user_name ? pair_key(address, *user_name) : std::string{address};
  const bool was = where.refused_for(key, now).has_value();
  if (was)
    where.erase(key);
  return was;
}

void guard::clear() {
  addresses_.clear();
  pairs_.clear();
}

std::optional<std::chrono::seconds>
guard::table::refused_for(const std::string& key, protocol::time_point now) {
  const auto at = by_key_.find(key);
  if (at == by_key_.end() || at->second->locked_until <= now)
    return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(at->second->locked_until
                                                 - now);
}

bool guard::table::failed(const std::string& key, protocol::time_point now) {
  if (failures_max_ == 0 || options_.entries_max == 0)
    return false;
  auto at = by_key_.find(key);
  if (at == by_key_.end()) {
    if (by_key_.size() >= options_.entries_max) {
      by_key_.erase(oldest_first_.front().key);
      oldest_first_.pop_front();
    }
    oldest_first_.push_back({key, 0, now, {}});
    const auto place = std::prev(oldest_first_.end());
    at = by_key_.emplace(place->key, place).first;
  } else {
    oldest_first_.splice(oldest_first_.end(), oldest_first_, at->second);
  }
  auto& x = *at->second;
  if (x.locked_until > now)
    return false; // it was under way when the lock came
  if (now - x.since > options_.window) {
    x.since = now;
    x.failures = 0;
  }
  if (++x.failures < failures_max_)
    return false;
  x.failures = 0;
  x.locked_until = now + options_.lock;
  return true;
}

void guard::table::erase(const std::string& key) {
  const auto at = by_key_.find(key);
  if (at == by_key_.end())
    return;
  const auto place = at->second; // whose key the map borrows
  by_key_.erase(at);
  oldest_first_.erase(place);
}

void guard::table::clear() {
  by_key_.clear();
  oldest_first_.clear();
}

} // namespace troupe::auth
