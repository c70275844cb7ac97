#include "protocol/block_cache.hpp"

#include <array>
#include <new>

namespace troupe::protocol {

namespace {

constexpr std::array<std::size_t, 6> sizes{128, 192, 320, 640, 1'280, 4'608};
constexpr std::size_t bytes_per_list = 160 * 1'024;

struct free_block {
  free_block* next;
};

struct free_lists {
  std::array<free_block*, sizes.size()> first{};
  std::array<std::size_t, sizes.size()> bytes{};

  free_lists() = default;
  free_lists(const free_lists&) = delete;
  free_lists& operator=(const free_lists&) = delete;
  ~free_lists() {
    for (auto*& list : first)
      while (list != nullptr) {
        auto* following = list->next;
        ::operator delete(list);
        list = following;
      }
    bytes.fill(bytes_per_list); // nothing is kept any more
  }
};

thread_local free_lists cache;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool caching = false; // a block used again would hide its misuse
#else
constexpr bool caching = true;
#endif

} // namespace

void* block_cache::acquire(std::size_t size, std::uint8_t& size_class) {
  std::uint8_t i = 0;
  while (i < sizes.size() && sizes[i] < size)
    ++i;
  if (!caching || i == sizes.size()) {
    size_class = not_cached;
    return ::operator new(size);
  }
  size_class = i;
  auto*& list = cache.first[i];
  if (list == nullptr)
    return ::operator new(sizes[i]);
  cache.bytes[i] -= sizes[i];
  auto* block = list;
  list = block->next;
  return block;
}

void block_cache::release(void* block, std::uint8_t size_class) noexcept {
  if (size_class == not_cached
      || cache.bytes[size_class] + sizes[size_class] > bytes_per_list) {
    ::operator delete(block);
    return;
  }
  cache.bytes[size_class] += sizes[size_class];
  cache.first[size_class] = new (block) free_block{cache.first[size_class]};
}

} // namespace troupe::protocol
