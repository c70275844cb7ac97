#include "tests/support/websocket.hpp"

namespace troupe::test {

bytes websocket_frame(unsigned first, std::string_view payload,
                      std::string_view mask) {
  const auto size = payload.size();
  const unsigned masked = mask.empty() ? 0 : 0x80;
  auto out = u8(first);
  if (size < 126)
    out += u8(masked | static_cast<unsigned>(size));
  else if (size < 65'536)
    out += u8(masked | 126) + u16(static_cast<unsigned>(size));
  else
    out += u8(masked | 127) + u32(0) + u32(static_cast<std::uint32_t>(size));
  out += mask;
  for (std::size_t i = 0; i != size; ++i)
    out +=
      mask.empty() ? payload[i] : static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

bytes websocket_close_frame(unsigned code, std::string_view reason) {
  return websocket_frame(0x88, u16(code) + bytes{reason});
}

namespace {

/// The table of RFC 3629, section 4.
bool is_utf8(std::string_view in) {
  const auto at = [&](std::size_t i) -> unsigned {
    return i < in.size() ? static_cast<std::uint8_t>(in[i]) : 0;
  };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return at(i) >= low && at(i) <= high;
  };
  std::size_t i = 0;
  while (i < in.size()) {
    if (at(i) < 0x80)
      i += 1;
    else if (within(i, 0xC2, 0xDF) && within(i + 1, 0x80, 0xBF))
      i += 2;
    else if (within(i, 0xE0, 0xEF)
             && within(i + 1, at(i) == 0xE0 ? 0xA0 : 0x80,
                       at(i) == 0xED ? 0x9F : 0xBF)
             && within(i + 2, 0x80, 0xBF))
      i += 3;
    else if (within(i, 0xF0, 0xF4)
             && within(i + 1, at(i) == 0xF0 ? 0x90 : 0x80,
                       at(i) == 0xF4 ? 0x8F : 0xBF)
             && within(i + 2, 0x80, 0xBF) && within(i + 3, 0x80, 0xBF))
      i += 4;
    else
      return false;
  }
  return true;
}

/// Section 7.4.2, without the codes that stand for something that was not sent.
bool is_close_code(unsigned code) {
  switch (code) {
  case 1'004:
  case 1'005:
  case 1'006:
  case 1'015:
    return false;
  default:
    return (code >= 1'000 && code <= 1'014) || (code >= 3'000 && code < 5'000);
  }
}

} // namespace

plain_websocket decode_plainly(std::string_view in, std::uint64_t frame_max,
                               bool is_deflated) {
  plain_websocket out;
  bool in_message = false;
  bool is_compressed = false;
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<std::uint8_t>(in[i]));
  };
  for (;;) {
    if (in.size() - at < 2)
      return out;
    const auto first = byte(at);
    const auto second = byte(at + 1);
    const auto code = first & 15;
    const bool is_final = (first & 128) != 0;
    const auto fail = [&](unsigned with) {
      out.fail = with;
      return out;
    };
    if ((first & 0x30) != 0)
      return fail(1'002);
    if ((first & 0x40) != 0 && (!is_deflated || (code != 1 && code != 2)))
      return fail(1'002);
    if (code == 1)
      return fail(1'003);
    if (code == 2 ? in_message : code == 0 && !in_message)
      return fail(1'002);
    if ((code > 2 && code < 8) || code > 10)
      return fail(1'002);
    if (code >= 8 && (!is_final || (second & 127) > 125))
      return fail(1'002);
    if ((second & 128) == 0)
      return fail(1'002);
    std::uint64_t size = second & 127;
    std::size_t header = 2;
    if (size >= 126) {
      const std::size_t wide = size == 126 ? 2 : 8;
      if (in.size() - at < 2 + wide)
        return out;
      size = 0;
      for (std::size_t i = 0; i != wide; ++i)
        size = size * 256 + byte(at + 2 + i);
      if (size < (wide == 2 ? 126U : 65'536U) || size > ~0ULL / 2)
        return fail(1'002);
      header += wide;
    }
    if (code < 8 && size > frame_max)
      return fail(1'009);
    if (in.size() - at < header + 4)
      return out;
    if (code == 2)
      is_compressed = (first & 0x40) != 0;
    if (code < 8)
      in_message = !is_final;
    const auto mask = in.substr(at + header, 4);
    at += header + 4;
    bytes control;
    for (std::uint64_t i = 0; i != size; ++i) {
      if (at == in.size())
        return out;
      const auto x = static_cast<char>(in[at] ^ mask[i % 4]);
      ++at;
      if (code >= 8) {
        control += x;
      } else {
        out.payload += x;
        out.is_compressed.push_back(is_compressed);
      }
    }
    if (code < 8)
      continue;
    ++out.control_frames;
    if (code == 9)
      out.pings.push_back(control);
    if (code != 8)
      continue;
    if (control.empty()) {
      out.closed = 1'005;
      return out;
    }
    if (control.size() == 1)
      return fail(1'002);
    const auto close_code =
      static_cast<unsigned>(static_cast<std::uint8_t>(control[0])) * 256
      + static_cast<std::uint8_t>(control[1]);
    if (!is_close_code(close_code))
      return fail(1'002);
    if (!is_utf8(std::string_view{control}.substr(2)))
      return fail(1'007);
    out.closed = close_code;
    out.close_reason = control.substr(2);
    return out;
  }
}

} // namespace troupe::test
