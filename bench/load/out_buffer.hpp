#pragma once
// Bytes that wait for the one write of a turn.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace troupe::bench {

using bytes_view = std::span<const std::uint8_t>;

/// Appended at the back, sent from the front. Owns no memory until the first
/// byte, so that a hundred thousand idle clients stay small. Not thread-safe.
class out_buffer {
public:
  out_buffer() = default;
  out_buffer(out_buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}
  out_buffer& operator=(out_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  out_buffer(const out_buffer&) = delete;
  out_buffer& operator=(const out_buffer&) = delete;
  ~out_buffer() { std::free(data_); }

  /// Room for `count` bytes at the back; the caller writes all of them.
  std::uint8_t* extend(std::size_t count) {
    if (capacity_ - end_ < count)
      grow(count);
    auto* at = data_ + end_;
    end_ += count;
    return at;
  }

  void append(bytes_view bytes) {
    if (!bytes.empty())
      std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }

  /// Takes back the last `count` bytes.
  void shrink(std::size_t count) { end_ -= count; }

  bytes_view view() const { return {data_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  /// Drops what was sent.
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_)
      begin_ = end_ = 0;
  }

  /// Gives the memory back.
  void release() {
    std::free(std::exchange(data_, nullptr));
    begin_ = end_ = capacity_ = 0;
  }

private:
  void grow(std::size_t count) {
    auto wanted = capacity_ == 0 ? std::size_t{64} : capacity_;
    while (wanted - end_ < count)
      wanted *= 2;
    auto* fresh = static_cast<std::uint8_t*>(std::realloc(data_, wanted));
    if (fresh == nullptr)
      throw std::bad_alloc{};
    data_ = fresh;
    capacity_ = wanted;
  }

  std::uint8_t* data_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

} // namespace troupe::bench
