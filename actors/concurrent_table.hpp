#pragma once
// A hash table that many threads read without a lock while one writes.

#include "actors/reclaimer.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace troupe::actors {

/// Open addressing over pointers to nodes that carry their own hash
/// (`std::uint32_t hash`). Grown and shrunk tables are copies; old ones go to
/// the reclaimer. The upper 16 bits of a slot hold bits of the hash, so that a
/// miss rarely touches a node.
///
/// Writers exclude each other outside; a reader must be between `turn_began`
/// and `turn_ended` of the reclaimer.
template <class Node>
class concurrent_table {
public:
  explicit concurrent_table(reclaimer& graveyard) : graveyard_(graveyard) {}
  ~concurrent_table() {
    for (auto& segment : segments_)
      std::free(segment.load(std::memory_order_relaxed));
  }
  concurrent_table(const concurrent_table&) = delete;
  concurrent_table& operator=(const concurrent_table&) = delete;

  /// @param equal  bool(const Node&): whether it is the one looked for.
  template <class Equal>
  Node* find(std::uint32_t hash, Equal&& equal) const {
    const auto* in = segment_of(hash).load(std::memory_order_acquire);
    if (in == nullptr)
      return nullptr;
    for (auto i = hash & in->mask;; i = (i + 1) & in->mask) {
      const auto slot = in->slots()[i].load(std::memory_order_acquire);
      if (slot == empty)
        return nullptr;
      if (slot != grave && tag_of(slot) == tag(hash))
        if (auto* node = pointer_of(slot); equal(*node))
          return node;
    }
  }

  void insert(Node& node) {
    auto& segment = segment_of(node.hash);
    auto* in = segment.load(std::memory_order_relaxed);
    if (in == nullptr || (in->used + 1) * 4 > (in->mask + 1) * 3)
      in = regrow(segment);
    place(*in, node);
  }

  void erase(Node& node) {
    auto& segment = segment_of(node.hash);
    auto* in = segment.load(std::memory_order_relaxed);
    for (auto i = node.hash & in->mask;; i = (i + 1) & in->mask) {
      auto& slot = in->slots()[i];
      const auto held = slot.load(std::memory_order_relaxed);
      if (held != grave && held != empty && pointer_of(held) == &node) {
        slot.store(grave, std::memory_order_release);
        --in->live;
        if (in->live == 0) {
          segment.store(nullptr, std::memory_order_release);
          retire(in);
        }
        return;
      }
      if (held == empty)
        return;
    }
  }

  /// Calls `f(Node&)` for all; by a writer, or with writers excluded.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& segment : segments_)
      if (const auto* in = segment.load(std::memory_order_acquire))
        for (std::uint32_t i = 0; i <= in->mask; ++i)
          if (const auto slot = in->slots()[i].load(std::memory_order_acquire);
              slot != empty && slot != grave)
            f(*pointer_of(slot));
  }

private:
  using word = std::uintptr_t;
  static constexpr word empty = 0;
  static constexpr word grave = 1;
  static constexpr std::size_t segment_count = 64;

  struct table {
    std::uint32_t mask; ///< slots minus one; slots are a power of two
    std::uint32_t used; ///< slots that are not empty; writer only
    std::uint32_t live; ///< slots that hold a node; writer only
    std::uint32_t unused;
    std::atomic<word>* slots() noexcept {
      return reinterpret_cast<std::atomic<word>*>(this + 1);
    }
    const std::atomic<word>* slots() const noexcept {
      return reinterpret_cast<const std::atomic<word>*>(this + 1);
    }
  };

  static word tag(std::uint32_t hash) noexcept {
    return static_cast<word>(hash >> 10 & 0xFFFF) << 48;
  }
  static word tag_of(word slot) noexcept { return slot >> 48 << 48; }
  static Node* pointer_of(word slot) noexcept {
    return reinterpret_cast<Node*>(slot << 16 >> 16);
  }
  std::atomic<table*>& segment_of(std::uint32_t hash) noexcept {
    return segments_[hash >> 26];
  }
  const std::atomic<table*>& segment_of(std::uint32_t hash) const noexcept {
    return segments_[hash >> 26];
  }

  static void place(table& in, Node& node) {
    for (auto i = node.hash & in.mask;; i = (i + 1) & in.mask)
      if (auto& slot = in.slots()[i];
          slot.load(std::memory_order_relaxed) == empty) {
        slot.store(reinterpret_cast<word>(&node) | tag(node.hash),
                   std::memory_order_release);
        ++in.used;
        ++in.live;
        return;
      }
  }

  table* regrow(std::atomic<table*>& segment) {
    auto* old = segment.load(std::memory_order_relaxed);
    std::uint32_t size = 8;
    while (old != nullptr && size * 5 < old->live * 8)
      size *= 2;
    const auto bytes = sizeof(table) + size * sizeof(std::atomic<word>);
    auto* fresh = static_cast<table*>(std::calloc(1, bytes));
    if (fresh == nullptr)
      throw std::bad_alloc{};
    fresh->mask = size - 1;
    if (old != nullptr)
      for (std::uint32_t i = 0; i <= old->mask; ++i)
        if (const auto slot = old->slots()[i].load(std::memory_order_relaxed);
            slot != empty && slot != grave)
          place(*fresh, *pointer_of(slot));
    segment.store(fresh, std::memory_order_release);
    if (old != nullptr)
      retire(old);
    return fresh;
  }

  void retire(table* old) {
    graveyard_.retire(old, [](void* x) { std::free(x); });
  }

  reclaimer& graveyard_;
  std::array<std::atomic<table*>, segment_count> segments_{};
};

} // namespace troupe::actors
