#pragma once
// The QoS 1 and 2 messages that a publisher has not had acknowledged.

#include <bit>
#include <cstdint>
#include <vector>

namespace troupe::bench {

/// Packet identifiers in flight, at most `limit`. Answers may come in any
/// order. Not thread-safe.
class send_window {
public:
  explicit send_window(unsigned limit = 0)
    : limit_(limit),
      cells_(std::bit_ceil(2U * limit + 2U)) {}

  /// Where to keep something about a packet identifier in flight: below
  /// `places()`, and of no other one in flight.
  std::size_t place(std::uint16_t id) const { return id & (cells_.size() - 1); }
  std::size_t places() const { return cells_.size(); }

  bool can_open() const { return open_ < limit_ && cell(next_) == 0; }
  bool empty() const { return open_ == 0; }

  /// Lowers the limit to what the server accepts.
  void restrict_to(unsigned limit) {
    if (limit < limit_)
      limit_ = limit;
  }

  /// The next packet identifier; only after `can_open()`.
  std::uint16_t open() {
    const auto id = next_;
    cell(id) = id;
    ++open_;
    next_ =
      id == 65'535 ? std::uint16_t{1} : static_cast<std::uint16_t>(id + 1);
    return id;
  }

  /// The exchange of `id` is over (PUBACK, PUBCOMP, a PUBREC that refuses).
  /// @returns false if it was not in flight.
  bool close(std::uint16_t id) {
    auto& at = cell(id);
    if (at != id || id == 0)
      return false;
    at = 0;
    --open_;
    return true;
  }

private:
  std::uint16_t& cell(std::uint16_t id) { return cells_[place(id)]; }
  const std::uint16_t& cell(std::uint16_t id) const {
    return cells_[place(id)];
  }

  unsigned limit_;
  unsigned open_ = 0;
  std::uint16_t next_ = 1;
  std::vector<std::uint16_t> cells_; ///< the identifier in use, or 0
};

} // namespace troupe::bench
