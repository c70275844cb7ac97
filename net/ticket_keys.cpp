#include "net/ticket_keys.hpp"

#include "net/openssl.hpp"
#include "net/tls_context.hpp"

#include <openssl/rand.h>

#include <algorithm>

namespace troupe::net {

namespace {

template <std::size_t N>
void fill(std::array<std::uint8_t, N>& to) {
  if (RAND_bytes(to.data(), static_cast<int>(N)) != 1)
    throw tls_error("no random bytes for session tickets: " + openssl_error());
}

ticket_keys::key make_key() {
  ticket_keys::key made;
  fill(made.name);
  fill(made.encrypt);
  fill(made.sign);
  return made;
}

} // namespace

ticket_keys::ticket_keys(std::chrono::seconds lifetime, clock_time now)
  : period_(std::max(lifetime, std::chrono::seconds{1})),
    current_(make_key()),
    since_(now) {}

void ticket_keys::turn(clock_time now) {
  if (now - since_ < period_)
    return;
  if (now - since_ < 2 * period_)
    previous_ = current_;
  else
    previous_.reset();
  current_ = make_key();
  since_ = now;
}

void ticket_keys::set_lifetime(std::chrono::seconds to) {
  const std::lock_guard lock(mutex_);
  period_ = std::max(to, std::chrono::seconds{1});
}

ticket_keys::key ticket_keys::current(clock_time now) {
  const std::lock_guard lock(mutex_);
  turn(now);
  return current_;
}

std::optional<ticket_keys::known> ticket_keys::find(const std::uint8_t* name,
                                                    clock_time now) {
  const std::lock_guard lock(mutex_);
  turn(now);
  const auto is = [name](const key& x) {
    return std::equal(x.name.begin(), x.name.end(), name);
  };
  if (is(current_))
    return known{current_, false};
  if (previous_ && is(*previous_))
    return known{*previous_, true};
  return std::nullopt;
}

void ticket_keys::renew(clock_time now) {
  const std::lock_guard lock(mutex_);
  current_ = make_key();
  previous_.reset();
  since_ = now;
}

} // namespace troupe::net
