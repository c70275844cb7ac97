#include "cluster/approximate_set.hpp"

#include "protocol/hash.hpp"

#include <bit>

namespace troupe::cluster {

namespace {

/// The bits of a name in its line, by nine bits of the hash each.
template <class F>
void for_each_bit(std::uint64_t hash, F&& f) {
  for (int i = 0; i < 7; ++i, hash >>= 9U)
    f((hash >> 6U) & 7U, std::uint64_t{1} << (hash & 63U));
}

/// Another hash than that of the bits.
std::size_t line_of(std::uint64_t hash, std::size_t lines) {
  return static_cast<std::size_t>((hash * 0x9E37'79B9'7F4A'7C15U) >> 32U)
         & (lines - 1);
}

} // namespace

approximate_set::~approximate_set() {
  for (auto& x : parts_)
    delete x.load();
}

bool approximate_set::has(const part& in, std::uint64_t hash) noexcept {
  const auto& words = in.lines[line_of(hash, in.count)].words;
  bool all = true;
  for_each_bit(hash, [&](std::size_t word, std::uint64_t bit) {
    all = all && (words[word].load(std::memory_order_acquire) & bit) != 0;
  });
  return all;
}

void approximate_set::reserve(std::size_t names) {
  const std::lock_guard guard{mutex_};
  if (parts_[0].load() != nullptr || names <= first_lines * names_of_line)
    return;
  parts_[0].store(new part{std::bit_ceil(names / names_of_line + 1)});
}

void approximate_set::add(std::string_view name) {
  const auto hash = protocol::hash64(name);
  const std::lock_guard guard{mutex_};
  std::size_t lines = first_lines;
  for (auto& place : parts_) {
    auto* x = place.load(std::memory_order_relaxed);
    if (x != nullptr && has(*x, hash))
      return;
    std::unique_ptr<part> made;
    if (x == nullptr) {
      made = std::make_unique<part>(lines);
      x = made.get();
    }
    lines = 2 * x->count;
    if (x->names == x->count * names_of_line)
      continue;
    ++x->names;
    auto& words = x->lines[line_of(hash, x->count)].words;
    for_each_bit(hash, [&](std::size_t word, std::uint64_t bit) {
      words[word].fetch_or(bit, std::memory_order_release);
    });
    if (made)
      place.store(made.release(), std::memory_order_release);
    return;
  }
}

bool approximate_set::may_have(std::string_view name) const noexcept {
  if (empty())
    return false;
  const auto hash = protocol::hash64(name);
  for (const auto& place : parts_) {
    const auto* x = place.load(std::memory_order_acquire);
    if (x == nullptr)
      return false;
    if (has(*x, hash))
      return true;
  }
  return false;
}

std::size_t approximate_set::memory() const noexcept {
  std::size_t bytes = sizeof(*this);
  for (const auto& place : parts_)
    if (const auto* x = place.load(std::memory_order_acquire))
      bytes += x->count * sizeof(line);
  return bytes;
}

} // namespace troupe::cluster
