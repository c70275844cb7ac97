#pragma once
// A growable run of bytes that packets are encoded into and written from.

#include "protocol/types.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace troupe::protocol {

/// Bytes waiting to be written, consumed from the front. An empty buffer may
/// own no memory at all (an idle connection must not). Not thread-safe.
class byte_buffer {
public:
  byte_buffer() = default;
  byte_buffer(byte_buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}
  byte_buffer& operator=(byte_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  byte_buffer(const byte_buffer&) = delete;
  byte_buffer& operator=(const byte_buffer&) = delete;
  ~byte_buffer() { std::free(data_); }

  /// Makes room for `count` more bytes and returns where they go; their
  /// values are undefined until the caller writes them.
  std::uint8_t* extend(std::size_t count) {
    if (capacity_ - end_ < count)
      grow(count);
    auto* at = data_ + end_;
    end_ += count;
    return at;
  }

  void append(bytes_view in) {
    if (!in.empty())
      std::memcpy(extend(in.size()), in.data(), in.size());
  }
  void append(std::string_view in) {
    if (!in.empty())
      std::memcpy(extend(in.size()), in.data(), in.size());
  }
  void append_u8(std::uint8_t x) { *extend(1) = x; }
  void append_u16(std::uint16_t x) {
    auto* at = extend(2);
    at[0] = static_cast<std::uint8_t>(x >> 8);
    at[1] = static_cast<std::uint8_t>(x);
  }
  void append_u32(std::uint32_t x) {
    append_u16(static_cast<std::uint16_t>(x >> 16));
    append_u16(static_cast<std::uint16_t>(x));
  }

  bytes_view view() const noexcept { return {data_ + begin_, end_ - begin_}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Drops `count` bytes from the front.
  void consume(std::size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_)
      begin_ = end_ = 0;
  }
  /// Drops bytes from the back until `size()` is `size`; to take back a
  /// packet that turned out not to fit.
  void truncate(std::size_t size) noexcept { end_ = begin_ + size; }
  void clear() noexcept { begin_ = end_ = 0; }

  /// Gives the memory back; the buffer is empty afterwards.
  void release() noexcept {
    std::free(std::exchange(data_, nullptr));
    begin_ = end_ = capacity_ = 0;
  }

private:
  void grow(std::size_t count) {
    const auto live = end_ - begin_;
    if (begin_ >= capacity_ / 2 && capacity_ - live >= count) {
      std::memmove(data_, data_ + begin_, live);
      begin_ = 0;
      end_ = live;
      return;
    }
    auto wanted = capacity_ < 128 ? std::size_t{256} : capacity_ * 2;
    while (wanted - end_ < count || wanted < end_)
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

} // namespace troupe::protocol
