#pragma once
// A queue in one block of memory that owns none while it never held anything.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace troupe::protocol {

/// First in, first out, with access by position; grows by doubling. An idle
/// session must cost nothing, so `shrink` gives the memory of an empty ring
/// back. Not thread-safe.
template <class T>
class ring {
public:
  ring() = default;
  ring(ring&& other) noexcept
    : slots_(std::exchange(other.slots_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      head_(std::exchange(other.head_, 0)),
      size_(std::exchange(other.size_, 0)) {}
  ring& operator=(ring&& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(size_, other.size_);
    return *this;
  }
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;
  ~ring() {
    clear();
    release();
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return slots_[at(i)]; }
  const T& operator[](std::size_t i) const noexcept { return slots_[at(i)]; }
  T& front() noexcept { return slots_[head_]; }
  T& back() noexcept { return slots_[at(size_ - 1U)]; }

  T& push_back(T&& x) {
    if (size_ == capacity_)
      grow();
    auto* made = new (slots_ + at(size_)) T(std::move(x));
    ++size_;
    return *made;
  }
  void pop_front() noexcept {
    slots_[head_].~T();
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
  }
  void pop_back() noexcept {
    --size_;
    slots_[at(size_)].~T();
  }
  /// Removes the element at `i` and closes the gap: linear.
  void erase(std::size_t i) noexcept {
    for (; i > 0; --i)
      (*this)[i] = std::move((*this)[i - 1]);
    pop_front();
  }
  void clear() noexcept {
    while (!empty())
      pop_front();
  }
  void shrink() noexcept {
    if (empty())
      release();
  }

private:
  std::size_t at(std::size_t i) const noexcept {
    return (head_ + i) & (capacity_ - 1U);
  }
  void release() noexcept {
    if (slots_ != nullptr)
      std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = nullptr;
    capacity_ = head_ = 0;
  }
  void grow() {
    const std::uint32_t wanted = capacity_ == 0 ? 4 : capacity_ * 2;
    T* fresh = std::allocator<T>{}.allocate(wanted);
    for (std::uint32_t i = 0; i < size_; ++i) {
      new (fresh + i) T(std::move((*this)[i]));
      (*this)[i].~T();
    }
    if (slots_ != nullptr)
      std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = fresh;
    capacity_ = wanted;
    head_ = 0;
  }

  T* slots_ = nullptr;
  std::uint32_t capacity_ = 0; ///< a power of two, or 0
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
};

} // namespace troupe::protocol
