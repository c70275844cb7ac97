#pragma once
// Writes Control Packets. Each is described once, as a function of a sink; it
// runs once to count the bytes and once to write them.

#include "protocol/codec.hpp"
#include "protocol/properties.hpp"

#include <algorithm>
#include <cassert>

namespace troupe::protocol::detail {

/// A sink that only counts.
class size_counter {
public:
  void u8(std::uint8_t) noexcept { size_ += 1; }
  void u16(std::uint16_t) noexcept { size_ += 2; }
  void u32(std::uint32_t) noexcept { size_ += 4; }
  void variable_byte_integer(std::uint32_t x) noexcept {
    size_ += variable_byte_integer_size(x);
  }
  void bytes(bytes_view x) noexcept { size_ += x.size(); }
  void text(std::string_view x) noexcept { size_ += 2 + x.size(); }
  void binary(bytes_view x) noexcept { size_ += 2 + x.size(); }

  std::size_t size() const noexcept { return size_; }

private:
  std::size_t size_ = 0;
};

/// A sink that writes where the caller has made room.
class wire_writer {
public:
  explicit wire_writer(std::uint8_t* at) noexcept : at_(at) {}

  void u8(std::uint8_t x) noexcept { *at_++ = x; }
  void u16(std::uint16_t x) noexcept {
    at_[0] = static_cast<std::uint8_t>(x >> 8);
    at_[1] = static_cast<std::uint8_t>(x);
    at_ += 2;
  }
  void u32(std::uint32_t x) noexcept {
    u16(static_cast<std::uint16_t>(x >> 16));
    u16(static_cast<std::uint16_t>(x));
  }
  void variable_byte_integer(std::uint32_t x) noexcept {
    for (; x >= 0x80; x >>= 7)
      u8(static_cast<std::uint8_t>(x | 0x80));
    u8(static_cast<std::uint8_t>(x));
  }
  void bytes(bytes_view x) noexcept { copy(x.data(), x.size()); }
  /// At most 65,535 bytes, as everything that was decoded from such a field.
  void text(std::string_view x) noexcept {
    u16(length(x.size()));
    copy(x.data(), x.size());
  }
  void binary(bytes_view x) noexcept {
    u16(length(x.size()));
    copy(x.data(), x.size());
  }

  const std::uint8_t* position() const noexcept { return at_; }

private:
  static std::uint16_t length(std::size_t size) noexcept {
    assert(size <= 0xFFFF);
    return static_cast<std::uint16_t>(size);
  }
  void copy(const void* from, std::size_t size) noexcept {
    if (size != 0)
      std::memcpy(at_, from, size);
    at_ += size;
  }

  std::uint8_t* at_;
};

// Properties with a value; those without are left out.

template <class Sink>
void put(Sink& to, property_id id, const std::optional<std::uint32_t>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.u32(*x);
  }
}
template <class Sink>
void put(Sink& to, property_id id, const std::optional<std::uint16_t>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.u16(*x);
  }
}
template <class Sink>
void put(Sink& to, property_id id, const std::optional<std::uint8_t>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.u8(*x);
  }
}
template <class Sink>
void put(Sink& to, property_id id, const std::optional<bool>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.u8(*x ? 1 : 0);
  }
}
template <class Sink>
void put(Sink& to, property_id id, const std::optional<std::string_view>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.text(*x);
  }
}
template <class Sink>
void put(Sink& to, property_id id, const std::optional<bytes_view>& x) {
  if (x) {
    to.u8(static_cast<std::uint8_t>(id));
    to.binary(*x);
  }
}

template <class Sink>
void put_subscription_identifier(Sink& to, std::uint32_t x) {
  to.u8(static_cast<std::uint8_t>(property_id::subscription_identifier));
  to.variable_byte_integer(x);
}

/// Only the User Properties of the view: others may stand between them.
template <class Sink>
void put_user_properties(Sink& to, user_properties_view in) {
  for_each_user_property(
    in, [&to](std::string_view name, std::string_view value) {
      to.u8(static_cast<std::uint8_t>(property_id::user_property));
      to.text(name);
      to.text(value);
    });
}

/// Property Length and what `write(sink)` puts behind it.
template <class Sink, class Write>
void put_properties(Sink& to, Write&& write) {
  size_counter count;
  write(count);
  to.variable_byte_integer(static_cast<std::uint32_t>(count.size()));
  write(to);
}

/// What of a packet may be left out to keep within the receiver's limit.
struct optional_properties {
  bool reason_string = true;
  bool user_properties = true;

  template <class Sink, class Packet>
  void put_of(Sink& to, const Packet& packet) const {
    if (reason_string)
      put(to, property_id::reason_string, packet.reason_string);
    if (user_properties)
      put_user_properties(to, packet.user_properties);
  }
};

/// Appends a packet whose body `write(sink, optional_properties)` writes.
/// @returns false, and `out` unchanged, if it stays over `limit` even with
///          nothing optional in it.
template <class Write>
bool encode_packet(byte_buffer& out, std::uint8_t first_byte, std::size_t limit,
                   Write&& write) {
  constexpr optional_properties choices[] = {
    {true, true}, {false, true}, {false, false}};
  limit = std::min(limit, no_packet_limit);
  for (const auto& kept : choices) {
    size_counter count;
    write(count, kept);
    if (count.size() >= limit)
      continue;
    const auto remaining = static_cast<std::uint32_t>(count.size());
    const auto size = 1 + variable_byte_integer_size(remaining) + remaining;
    if (size > limit)
      continue;
    auto* const begin = out.extend(size);
    wire_writer to{begin};
    to.u8(first_byte);
    to.variable_byte_integer(remaining);
    write(to, kept);
    assert(to.position() == begin + size);
    return true;
  }
  return false;
}

} // namespace troupe::protocol::detail
