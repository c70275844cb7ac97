#include "actors/admission.hpp"

#include "auth/address_key.hpp"

namespace troupe::actors {

namespace {

std::string key_of(const auth::identity& who) {
  return who.peer != nullptr ? auth::address_key(*who.peer) : std::string{};
}

} // namespace

admission::admission(const admission_options& how)
  : how_(how),
    guard_(std::make_unique<auth::guard>(how.guard)),
    flapping_(how.flapping),
    table_(how.bans) {}

void admission::set_options(const admission_options& how) {
  const std::lock_guard lock(mutex_);
  // A reload for other reasons does not give whoever guesses a new start.
  if (how.guard != how_.guard)
    guard_ = std::make_unique<auth::guard>(how.guard);
  how_ = how;
  flapping_.set_options(how.flapping);
}

void admission::listen(on_bans told) {
  const std::lock_guard lock(mutex_);
  told_ = std::move(told);
}

void admission::tell() {
  // Who tells last tells the newest list.
  const std::lock_guard one_by_one(telling_);
  on_bans told;
  std::shared_ptr<const auth::ban_list> now;
  {
    const std::lock_guard lock(mutex_);
    told = told_;
    now = table_.snapshot();
  }
  if (told)
    told(std::move(now));
}

std::optional<std::chrono::seconds>
admission::refused_for(const auth::identity& who, clock_time now) {
  const std::lock_guard lock(mutex_);
  return guard_->refused_for(key_of(who), who.user_name.value_or(""), now);
}

std::optional<auth::locked> admission::failed(const auth::identity& who,
                                              clock_time now) {
  const std::lock_guard lock(mutex_);
  return guard_->failed(key_of(who), who.user_name.value_or(""), now);
}

bool admission::unlock(const std::optional<net::endpoint>& address,
                       std::optional<std::string_view> user_name,
                       clock_time now) {
  const std::lock_guard lock(mutex_);
  return guard_->unlock(address ? auth::address_key(*address) : std::string{},
                        user_name, now);
}

void admission::succeeded(const auth::identity& who) {
  const std::lock_guard lock(mutex_);
  guard_->succeeded(key_of(who), who.user_name.value_or(""));
}

std::optional<auth::ban> admission::disconnected(std::string_view client_id,
                                                 clock_time now,
                                                 std::int64_t wall_ms) {
  std::optional<auth::ban> made;
  {
    const std::lock_guard lock(mutex_);
    if (!how_.flapping.enable || !flapping_.disconnected(client_id, now))
      return std::nullopt;
    made = flapping_.ban_of(client_id, wall_ms);
    table_.add(*made);
  }
  tell();
  return made;
}

std::string admission::ban(auth::ban what) {
  {
    const std::lock_guard lock(mutex_);
    if (auto wrong = table_.add(std::move(what)); !wrong.empty())
      return wrong;
  }
  tell();
  return {};
}

bool admission::unban(auth::ban_kind as, std::string_view who) {
  {
    const std::lock_guard lock(mutex_);
    if (!table_.remove(as, who))
      return false;
  }
  tell();
  return true;
}

void admission::expire(std::int64_t wall_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (table_.expire(wall_ms).empty())
      return;
  }
  tell();
}

void admission::load(const std::function<void(auth::ban_table&)>& fill) {
  {
    const std::lock_guard lock(mutex_);
    fill(table_);
  }
  tell();
}

std::shared_ptr<const auth::ban_list> admission::bans() {
  const std::lock_guard lock(mutex_);
  return table_.snapshot();
}

} // namespace troupe::actors
