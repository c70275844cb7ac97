#pragma once
// The memory that OpenSSL's records lie in while they are under way.

namespace troupe::net {

/// From now on a thread keeps the few record buffers that it used last.
/// Connections release theirs after each record (an idle one has none), and
/// memory of that size costs the allocator as much as encrypting a short
/// record. Does nothing if OpenSSL has allocated before: call it first of all,
/// once for the process.
void keep_record_buffers();

} // namespace troupe::net
