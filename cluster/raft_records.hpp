#pragma once
// What a replica keeps in log.db beside the entries of `log_codec.hpp`.
// `docs/formats/log.md` has it.

#include "cluster/record_error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace troupe::cluster {

/// What a replica must not forget of the elections it took part in.
struct hard_state {
  std::uint64_t term = 0;
  std::uint64_t vote = 0;   ///< `node_id`; 0: none in this term
  std::uint64_t commit = 0; ///< committed up to here, at least
  friend bool operator==(const hard_state&, const hard_state&) = default;
};

std::string encode_hard_state(const hard_state& x);
/// @throws record_error  damaged, or of a newer format.
hard_state decode_hard_state(std::span<const std::uint8_t> in);

/// An entry of Raft's log: the term in which it was proposed, and the bytes of
/// `encode_entry`; none in the one that a leader begins its term with.
struct raft_entry {
  std::uint64_t term = 0;
  std::span<const std::uint8_t> bytes; ///< borrowed
};

std::string encode_raft_entry(const raft_entry& x);
/// @throws record_error  shorter than a term.
raft_entry decode_raft_entry(std::span<const std::uint8_t> in);

} // namespace troupe::cluster
