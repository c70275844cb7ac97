#include "protocol/codec.hpp"

namespace troupe::protocol {

result<std::optional<variable_byte_integer>>
decode_variable_byte_integer(bytes_view in) noexcept {
  constexpr std::size_t size_max = 4;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i != size_max; ++i) {
    if (i == in.size())
      return std::optional<variable_byte_integer>{};
    value |= (in[i] & 0x7FU) << (7 * i);
    if ((in[i] & 0x80) != 0)
      continue;
    if (in[i] == 0 && i != 0) // a shorter form exists
      return reason_code::malformed_packet;
    return std::optional{variable_byte_integer{value, i + 1}};
  }
  return reason_code::malformed_packet;
}

void append_variable_byte_integer(byte_buffer& out, std::uint32_t value) {
  auto* at = out.extend(variable_byte_integer_size(value));
  for (; value >= 0x80; value >>= 7)
    *at++ = static_cast<std::uint8_t>(value | 0x80);
  *at = static_cast<std::uint8_t>(value);
}

result<std::optional<frame>>
next_frame(bytes_view in, std::size_t maximum_packet_size) noexcept {
  if (in.empty())
    return std::optional<frame>{};
  const auto first_byte = in[0];
  if (first_byte < 0x10) // packet type 0 is reserved
    return reason_code::malformed_packet;
  variable_byte_integer length;
  if (in.size() > 1 && in[1] < 0x80) [[likely]] {
    length = {in[1], 1};
  } else {
    const auto decoded = decode_variable_byte_integer(in.subspan(1));
    if (!decoded)
      return decoded.assume_error();
    if (!decoded.assume_value())
      return std::optional<frame>{};
    length = *decoded.assume_value();
  }
  const auto size = 1 + length.size + length.value;
  if (size > maximum_packet_size)
    return reason_code::packet_too_large;
  if (size > in.size())
    return std::optional<frame>{};
  return std::optional{
    frame{first_byte, in.subspan(1 + length.size, length.value), size}};
}

} // namespace troupe::protocol
