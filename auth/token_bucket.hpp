#pragma once
// A rate with a burst.

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace troupe::auth {

/// So many in so long: 1 MB in 10 s is not 100 KB in 1 s, whose burst is
/// smaller.
struct token_rate {
  std::uint64_t tokens = 0;                               ///< 0: no limit
  std::chrono::nanoseconds per = std::chrono::seconds{1}; ///< above 0
  /// Most that gather while nothing is taken; 0: `tokens`.
  std::uint64_t burst = 0;

  std::uint64_t capacity() const noexcept {
    return burst != 0 ? burst : tokens;
  }
  bool limits() const noexcept { return tokens != 0; }
  friend bool operator==(const token_rate&, const token_rate&) = default;
};

/// Messages or bytes of a client, connections of a listener: tokens that come
/// at a rate and are taken. Integers: what arrives over any time is exact,
/// however often it is asked. Begins full. For one thread; callers pass the
/// time, which may stand still but not count backwards.
class token_bucket {
public:
  using time_point = std::chrono::steady_clock::time_point;

  token_bucket(token_rate rate, time_point now) noexcept
    : rate_{rate},
      since_{now},
      tokens_{as_signed(rate.capacity())} {}

  /// Takes `n`, or nothing if there are fewer.
  bool take(std::uint64_t n, time_point now) noexcept {
    if (!rate_.limits())
      return true;
    refill(now);
    if (n > most || tokens_ < as_signed(n))
      return false;
    tokens_ -= as_signed(n);
    return true;
  }

  /// Takes `n` even if there are fewer: for what is already there and may be
  /// more than a burst. The bucket is then in debt.
  /// @returns whether it is not; if it is, wait until `ready_at(1, now)`.
  bool charge(std::uint64_t n, time_point now) noexcept {
    if (!rate_.limits())
      return true;
    refill(now);
    tokens_ = std::max(tokens_ - as_signed(n), -as_signed(most));
    return tokens_ >= 0;
  }

  /// When there will be `n`, or a full bucket if `n` is more than that; `now`
  /// if they are there.
  time_point ready_at(std::uint64_t n, time_point now) noexcept {
    if (!rate_.limits())
      return now;
    refill(now);
    const auto wanted = as_signed(std::min(n, rate_.capacity()));
    if (tokens_ >= wanted)
      return now;
    // `part_` of the first token that is missing has come.
    const auto per = static_cast<wide>(rate_.per.count());
    const auto missing = static_cast<wide>(wanted - tokens_) * per - part_;
    const auto rate = static_cast<wide>(rate_.tokens);
    const auto wait = (missing + rate - 1) / rate;
    const auto left = static_cast<wide>((time_point::max() - now).count());
    return wait >= left
             ? time_point::max()
             : now + std::chrono::nanoseconds{static_cast<std::int64_t>(wait)};
  }

  /// From now on another rate. What is there stays, up to the new burst; a
  /// bucket that had no limit begins full.
  void set_rate(token_rate rate, time_point now) noexcept {
    if (rate == rate_)
      return;
    if (!rate_.limits() || !rate.limits()) {
      *this = token_bucket{rate, now};
      return;
    }
    refill(now);
    rate_ = rate;
    part_ = 0;
    tokens_ = std::min(tokens_, as_signed(rate.capacity()));
  }

  const token_rate& rate() const noexcept { return rate_; }
  /// Below 0: a debt.
  std::int64_t tokens(time_point now) noexcept {
    refill(now);
    return tokens_;
  }

private:
  __extension__ using wide = __int128;
  static constexpr std::uint64_t most = std::uint64_t{1} << 61U;

  static std::int64_t as_signed(std::uint64_t n) noexcept {
    return static_cast<std::int64_t>(std::min(n, most));
  }

  void refill(time_point now) noexcept {
    if (now <= since_ || !rate_.limits())
      return;
    const auto passed = static_cast<wide>((now - since_).count());
    since_ = now;
    const auto full = as_signed(rate_.capacity());
    const auto per = static_cast<wide>(rate_.per.count());
    const auto all =
      passed * static_cast<wide>(as_signed(rate_.tokens)) + part_;
    const auto came = all / per;
    if (came >= static_cast<wide>(full) - tokens_) {
      tokens_ = full;
      part_ = 0; // a full bucket gathers nothing
      return;
    }
    tokens_ += static_cast<std::int64_t>(came);
    part_ = static_cast<std::int64_t>(all % per);
  }

  token_rate rate_;
  time_point since_;
  std::int64_t tokens_;
  std::int64_t part_ = 0; ///< of the next token, in 1/per
};

} // namespace troupe::auth
