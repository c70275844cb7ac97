#pragma once
// What happened in a simulation, in words and as one number.

#include "protocol/hash.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace troupe::simulator {

/// Two runs that noted the same lines have the same hash.
class trace {
public:
  /// @param kept  lines, of the last ones.
  explicit trace(std::size_t kept) : kept_(kept) {}

  void note(std::string line) {
    hash_ = protocol::hash64(line, hash_);
    last_.push_back(std::move(line));
    if (last_.size() > kept_)
      last_.pop_front();
  }
  std::uint64_t hash() const noexcept { return hash_; }
  const std::deque<std::string>& last() const noexcept { return last_; }

private:
  std::size_t kept_;
  std::uint64_t hash_ = 1;
  std::deque<std::string> last_;
};

} // namespace troupe::simulator
