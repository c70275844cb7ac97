#pragma once
// Reads the fields of a Control Packet, one after another.

#include "protocol/codec.hpp"
#include "protocol/topic.hpp"

namespace troupe::protocol::detail {

/// Takes fields off the front of a packet body it borrows. Once a field is
/// not there or not well formed, this and all later ones read as zero or
/// empty and `failed()` is true: malformed_packet, to be looked at once, when
/// all is read.
class wire_reader {
public:
  explicit wire_reader(bytes_view in) noexcept
    : at_(in.data()),
      end_(in.data() + in.size()) {}

  std::uint8_t u8() noexcept {
    const auto* at = advance(1);
    return at != nullptr ? *at : std::uint8_t{0};
  }
  std::uint16_t u16() noexcept {
    const auto* at = advance(2);
    return at != nullptr ? read_u16(at) : std::uint16_t{0};
  }
  std::uint32_t u32() noexcept {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::uint32_t variable_byte_integer() noexcept {
    // Most are one byte; the others go through the function of the codec.
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    const auto answer = decode_variable_byte_integer({at_, end_});
    if (!answer || !answer.assume_value()) {
      fail();
      return 0;
    }
    at_ += answer.assume_value()->size;
    return answer.assume_value()->value;
  }
  bytes_view take(std::size_t count) noexcept {
    const auto* at = advance(count);
    return at != nullptr ? bytes_view{at, count} : bytes_view{};
  }
  /// Binary Data, 1.5.6.
  bytes_view binary() noexcept { return take(u16()); }
  /// A UTF-8 Encoded String, not looked into.
  std::string_view unchecked_text() noexcept {
    const auto bytes = binary();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// A UTF-8 Encoded String, 1.5.4.
  std::string_view text() noexcept {
    const auto read = unchecked_text();
    if (is_valid_utf8(read)) [[likely]]
      return read;
    fail();
    return {};
  }
  /// Property Length and as many bytes, 2.2.2.
  bytes_view properties() noexcept { return take(variable_byte_integer()); }

  bytes_view rest() const noexcept { return {at_, end_}; }
  bool at_end() const noexcept { return at_ == end_; }
  bool failed() const noexcept { return failed_; }
  /// Whether all fields were there and no byte is left behind them.
  bool complete() const noexcept { return at_ == end_ && !failed_; }

private:
  void fail() noexcept {
    at_ = end_;
    failed_ = true;
  }
  const std::uint8_t* advance(std::size_t count) noexcept {
    if (static_cast<std::size_t>(end_ - at_) < count) [[unlikely]] {
      fail();
      return nullptr;
    }
    const auto* at = at_;
    at_ += count;
    return at;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool failed_ = false;
};

/// Reason code 0x00 stands for "nothing wrong" between the decoders.
constexpr bool is_bad(reason_code code) noexcept {
  return code != reason_code::success;
}

/// Makes the answer of a decoder from `parse(Packet&)`, which fills the
/// packet where the caller will find it and returns what was wrong.
template <class Packet, class Parse>
result<Packet> decoded(Parse&& parse) noexcept {
  result<Packet> answer{outcome::in_place_type<Packet>};
  if (const auto bad = parse(answer.assume_value()); is_bad(bad)) [[unlikely]]
    answer = result<Packet>{bad};
  return answer;
}

/// Checks the flags of a fixed header other than PUBLISH's [MQTT-2.1.3-1].
inline reason_code check_flags(const frame& in,
                               protocol_version version) noexcept {
  const auto type = in.type();
  const std::uint8_t wanted = type == packet_type::pubrel
                                  || type == packet_type::subscribe
                                  || type == packet_type::unsubscribe
                                ? 0x02
                                : 0x00;
  // MQTT 3.1 ignores flags that a packet does not use. It uses only the QoS
  // bits of the three above; their DUP may be set.
  const std::uint8_t used = version != protocol_version::mqtt_3_1 ? 0x0F
                            : wanted != 0                         ? 0x06
                                                                  : 0x00;
  return (in.flags() & used) == wanted ? reason_code::success
                                       : reason_code::malformed_packet;
}

} // namespace troupe::protocol::detail
