#pragma once
// Entries of the replicated log as bytes: `LogEntry` of `log.capnp`, unpacked.
// `docs/formats/log.md` has them with examples.

#include "cluster/command.hpp"
#include "cluster/record_error.hpp"
#include "cluster/time_base.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace troupe::cluster {

/// The format that `encode_entry` writes, and the newest that is read.
inline constexpr std::uint16_t log_format = 1;

/// The commands of `x` that need the log (`needs_log`), in their order, with
/// its time; possibly none. Times lose what is below a millisecond.
/// `client_ref` and token of a command mean something to this process only and
/// are left out. Not for reads inside a `forward_command`, which nobody
/// forwards. Any thread.
std::string encode_entry(const log_entry& x, const time_base& times);

/// The entry that `encode_entry` made, in this process or another one. Whoever
/// waited for a command is nobody, its token 0. Memory is bounded by a small
/// multiple of the size of `in`, which may lie at any address and is not
/// needed afterwards. Any thread.
/// @throws record_error  damaged, truncated, of a newer format, or with a kind
///                       of command that is not known here.
log_entry decode_entry(std::span<const std::uint8_t> in,
                       const time_base& times);

} // namespace troupe::cluster
