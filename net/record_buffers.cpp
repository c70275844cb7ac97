#include "net/record_buffers.hpp"

#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <malloc.h>

namespace troupe::net {

namespace {

/// OpenSSL's buffers are a record (RFC 8446, section 5.2: 2^14 + 256 bytes)
/// with its header and room to align; all that are near get this size.
constexpr std::size_t smallest = 16'384;
constexpr std::size_t buffer_size = 17'408;
constexpr std::size_t kept_at_most = 8;

/// Of one thread; without a destructor of its own, so that it can be used
/// until the last object of the thread is gone.
struct shelf {
  std::array<void*, kept_at_most> buffers;
  std::size_t count;
  bool closed; ///< the thread ends
};

constinit thread_local shelf kept{};

struct closes_shelf {
  ~closes_shelf() {
    kept.closed = true;
    while (kept.count != 0)
      std::free(kept.buffers[--kept.count]);
  }
};

void* allocate(std::size_t size, const char*, int) {
  if (size <= smallest || size > buffer_size)
    return std::malloc(size);
  if (kept.count != 0)
    return kept.buffers[--kept.count];
  return std::malloc(buffer_size);
}

void release(void* x, const char*, int) {
  if (x == nullptr)
    return;
  const auto size = ::malloc_usable_size(x);
  if (size < buffer_size || size >= buffer_size + 64 || kept.closed
      || kept.count == kept.buffers.size()) {
    std::free(x);
    return;
  }
  thread_local closes_shelf closes;
  static_cast<void>(closes);
  kept.buffers[kept.count++] = x;
}

void* reallocate(void* x, std::size_t size, const char* file, int line) {
  if (size == 0) {
    release(x, file, line);
    return nullptr;
  }
  return std::realloc(x, size);
}

} // namespace

void keep_record_buffers() {
  CRYPTO_set_mem_functions(allocate, reallocate, release);
}

} // namespace troupe::net
