#pragma once
// Which topics somebody may hold a filter for: a few bits each.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

namespace troupe::cluster {

/// Says "no" for sure, and "yes" wrongly for about one name in a hundred. It
/// grows by parts, each twice as large as the one before; what was put in stays
/// in. Thread-safe; asking takes no lock.
///
/// B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors
/// (1970), with all bits of a name in one cache line; parts after P. S. Almeida
/// et al., Scalable Bloom Filters (2007).
class approximate_set {
public:
  approximate_set() = default;
  approximate_set(const approximate_set&) = delete;
  approximate_set& operator=(const approximate_set&) = delete;
  ~approximate_set();

  /// Makes room for so many in one part, which is asked sooner than several.
  /// Before anything is put in.
  void reserve(std::size_t names);
  void add(std::string_view name);
  bool may_have(std::string_view name) const noexcept;
  /// Whether anything was put in.
  bool empty() const noexcept {
    return parts_[0].load(std::memory_order_acquire) == nullptr;
  }
  std::size_t memory() const noexcept; ///< bytes

private:
  /// 512 bits, of which a name has seven.
  struct alignas(64) line {
    std::array<std::atomic<std::uint64_t>, 8> words{};
  };
  struct part {
    explicit part(std::size_t of)
      : lines(std::make_unique<line[]>(of)),
        count(of) {}
    std::unique_ptr<line[]> lines;
    std::size_t count;     ///< a power of two
    std::size_t names = 0; ///< guarded by mutex_
  };
  static constexpr std::size_t names_of_line = 32; ///< 16 bits each
  static constexpr std::size_t first_lines = 64;
  static bool has(const part& in, std::uint64_t hash) noexcept;

  std::array<std::atomic<part*>, 32> parts_{};
  std::mutex mutex_; ///< of those who add
};

} // namespace troupe::cluster
