#include "net/websocket_frames.hpp"

#include "protocol/topic.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace troupe::net {

namespace {

enum opcode : std::uint8_t { // 5.2
  opcode_continuation = 0,
  opcode_text = 1,
  opcode_binary = 2,
  opcode_close = 8,
  opcode_ping = 9,
  opcode_pong = 10,
};

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t compressed_bit = 0x40;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::size_t control_max = 125;

std::uint64_t read_big_endian(const std::uint8_t* in, std::size_t size) {
  std::uint64_t made = 0;
  for (std::size_t i = 0; i != size; ++i)
    made = made << 8U | in[i];
  return made;
}

/// The mask, for the payload byte that lies `n` behind the first one.
std::uint32_t turned(std::uint32_t mask, std::size_t n) {
  const auto bits = static_cast<int>(n % 4 * 8);
  return std::endian::native == std::endian::little ? std::rotr(mask, bits)
                                                    : std::rotl(mask, bits);
}

/// 7.4: codes that may be in a close frame. 1012 to 1014 were registered later.
bool may_be_sent(std::uint16_t code) {
  return (code >= 1'000 && code <= 1'003) || (code >= 1'007 && code <= 1'014)
         || (code >= 3'000 && code <= 4'999);
}

/// As MQTT has it, but that U+0000 is allowed.
bool is_utf8(std::string_view text) {
  while (true) {
    const auto part = text.substr(0, text.find('\0'));
    if (!protocol::is_valid_utf8(part))
      return false;
    if (part.size() == text.size())
      return true;
    text.remove_prefix(part.size() + 1);
  }
}

bool refuse(websocket_step& step, websocket_close code, const char* reason) {
  step.fail = code;
  step.reason = reason;
  return false;
}

bool refuse(websocket_step& step, const char* reason) {
  return refuse(step, websocket_close::protocol_error, reason);
}

} // namespace

void websocket_unmask(std::uint8_t* to, const std::uint8_t* from,
                      std::size_t size, std::uint32_t mask) noexcept {
  // A block is read wholly before it is written, and what is written lies at or
  // before what is read, so nothing is overwritten before its turn.
  const std::uint64_t wide = static_cast<std::uint64_t>(mask) << 32U | mask;
  std::array<std::uint64_t, 4> block{};
  for (; size >= sizeof block; size -= sizeof block) {
    std::memcpy(block.data(), from, sizeof block);
    for (auto& x : block)
      x ^= wide;
    std::memcpy(to, block.data(), sizeof block);
    from += sizeof block;
    to += sizeof block;
  }
  for (; size >= sizeof wide; size -= sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    word ^= wide;
    std::memcpy(to, &word, sizeof word);
    from += sizeof word;
    to += sizeof word;
  }
  std::array<std::uint8_t, 4> each{};
  std::memcpy(each.data(), &mask, sizeof mask);
  for (std::size_t i = 0; i != size; ++i)
    to[i] = from[i] ^ each[i % 4];
}

// ---- reading ----------------------------------------------------------------

bool websocket_reader::check_start(std::uint8_t first, std::uint8_t second,
                                   websocket_step& step) {
  opcode_ = first & 0x0FU;
  is_final_ = (first & final_bit) != 0;
  in_control_ = (opcode_ & 0x08U) != 0;
  if (const auto reserved = first & reserved_bits;
      reserved != 0
      && (reserved != compressed_bit || !is_deflated_
          || (opcode_ != opcode_binary && opcode_ != opcode_text)))
    return refuse(step, "a reserved bit is set");
  switch (opcode_) {
  case opcode_continuation:
    if (!in_message_)
      return refuse(step, "a continuation of no message");
    break;
  case opcode_text:
    return refuse(step, websocket_close::unsupported_data,
                  "a text frame: MQTT is binary");
  case opcode_binary:
    if (in_message_)
      return refuse(step, "a new message within a message");
    is_compressed_ = (first & compressed_bit) != 0;
    break;
  case opcode_close:
  case opcode_ping:
  case opcode_pong:
    if (!is_final_)
      return refuse(step, "a control frame in fragments");
    if ((second & 0x7FU) > control_max)
      return refuse(step, "a control frame of more than 125 bytes");
    break;
  default:
    return refuse(step, "a reserved opcode");
  }
  if ((second & mask_bit) == 0)
    return refuse(step, "a frame without a mask");
  return true;
}

bool websocket_reader::check_length(std::uint64_t length,
                                    websocket_step& step) {
  if ((length >> 63U) != 0)
    return refuse(step, "a length with the highest bit set");
  if (!in_control_ && length > frame_max_)
    return refuse(step, websocket_close::too_big, "a frame is too large");
  left_ = length;
  return true;
}

std::size_t websocket_reader::take_header(std::span<const std::uint8_t> in,
                                          websocket_step& step) {
  // Where it came in pieces, they are put together first.
  const std::size_t before = header_size_;
  const auto* at = in.data();
  auto have = in.size();
  if (before != 0) {
    const auto added = std::min(header_.size() - before, have);
    std::copy_n(in.begin(), added, header_.begin() + before);
    at = header_.data();
    have = before + added;
  }
  const auto keep = [&] {
    if (before == 0)
      std::copy_n(at, have, header_.begin());
    header_size_ = static_cast<std::uint8_t>(have);
    return std::size_t{0};
  };
  if (have < 2)
    return keep();
  if (!check_start(at[0], at[1], step))
    return 0;
  const auto short_length = at[1] & 0x7FU;
  const std::size_t wide = short_length == 127   ? 8
                           : short_length == 126 ? 2
                                                 : 0;
  if (have >= 2 + wide) {
    const auto length =
      wide == 0 ? short_length : read_big_endian(at + 2, wide);
    if ((wide == 2 && length < 126) || (wide == 8 && length < 65'536)) {
      refuse(step, "a length in more bytes than it needs");
      return 0;
    }
    if (!check_length(length, step))
      return 0;
  }
  const auto size = 2 + wide + sizeof mask_;
  if (have < size) {
    left_ = 0;
    return keep();
  }
  std::memcpy(&mask_, at + 2 + wide, sizeof mask_);
  header_size_ = 0;
  if (!in_control_)
    in_message_ = !is_final_;
  return size - before;
}

std::size_t websocket_reader::take_control(std::span<const std::uint8_t> in,
                                           websocket_step& step) {
  if (!control_) {
    if (left_ == 0) { // most have nothing in them
      finish_control(step);
      return 0;
    }
    control_ = std::make_unique<control_store>();
  }
  const auto size =
    static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
  auto* to = control_->now.data() + control_->now_size;
  websocket_unmask(reinterpret_cast<std::uint8_t*>(to), in.data(), size, mask_);
  control_->now_size += static_cast<std::uint8_t>(size);
  mask_ = turned(mask_, size);
  left_ -= size;
  if (left_ == 0)
    finish_control(step);
  return size;
}

void websocket_reader::finish_control(websocket_step& step) {
  in_control_ = false;
  ++step.control_frames;
  const std::string_view body =
    control_ ? std::string_view{control_->now.data(), control_->now_size}
             : std::string_view{};
  if (control_)
    control_->now_size = 0;
  if (opcode_ == opcode_close) {
    finish_close(body, step);
  } else if (opcode_ == opcode_ping) {
    step.is_pinged = true;
    step.ping = {};
    if (!body.empty()) {
      std::copy(body.begin(), body.end(), control_->ping.begin());
      step.ping = {control_->ping.data(), body.size()};
    }
  }
}

void websocket_reader::finish_close(std::string_view body,
                                    websocket_step& step) {
  if (body.empty()) {
    step.closed = static_cast<std::uint16_t>(websocket_close::no_status);
    return;
  }
  if (body.size() == 1) {
    refuse(step, "a close frame with half a code");
    return;
  }
  const auto code = static_cast<std::uint16_t>(
    read_big_endian(reinterpret_cast<const std::uint8_t*>(body.data()), 2));
  if (!may_be_sent(code)) {
    refuse(step, "a close frame with a code that is none");
    return;
  }
  body.remove_prefix(2);
  if (!is_utf8(body)) { // 8.1
    refuse(step, websocket_close::bad_payload,
           "a close frame whose reason is no UTF-8");
    return;
  }
  step.closed = code;
  step.close_reason = body;
}

websocket_step websocket_reader::decode(std::span<std::uint8_t> bytes) {
  websocket_step step;
  if (is_done_) {
    step.consumed = bytes.size();
    return step;
  }
  if (control_ && !in_control_)
    control_.reset(); // the ping in it was answered
  std::size_t at = 0;
  while (at != bytes.size()) {
    bool is_fresh = false;
    if (left_ == 0) {
      const auto taken = take_header(bytes.subspan(at), step);
      if (taken == 0) {
        at = bytes.size();
        break;
      }
      at += taken;
      is_fresh = true;
    }
    const auto rest = bytes.subspan(at);
    if (in_control_) {
      at += take_control(rest, step);
      if (step.closed != 0 || step.fail != websocket_close::none)
        break;
      continue;
    }
    const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
    websocket_unmask(bytes.data() + step.payload, rest.data(), size, mask_);
    mask_ = turned(mask_, size);
    left_ -= size;
    at += size;
    step.payload += size;
    if (is_fresh && size == 0 && left_ == 0)
      ++step.empty_frames;
    if (is_deflated_) {
      step.is_compressed = is_compressed_;
      if (left_ == 0 && is_final_) {
        step.is_message_end = true;
        break;
      }
    }
  }
  step.consumed = at;
  if (step.closed != 0 || step.fail != websocket_close::none) {
    is_done_ = true;
    step.consumed = bytes.size();
  }
  return step;
}

// ---- writing ----------------------------------------------------------------

websocket_header encode_websocket_header(std::uint64_t payload,
                                         bool is_compressed) noexcept {
  websocket_header made;
  made.bytes[0] = final_bit | opcode_binary;
  if (is_compressed)
    made.bytes[0] |= compressed_bit;
  std::size_t wide = 0;
  if (payload < 126) {
    made.bytes[1] = static_cast<std::uint8_t>(payload);
  } else {
    wide = payload < 65'536 ? 2 : 8;
    made.bytes[1] = wide == 2 ? 126 : 127;
  }
  for (std::size_t i = 0; i != wide; ++i)
    made.bytes[1 + wide - i] = static_cast<std::uint8_t>(payload >> 8 * i);
  made.size = static_cast<std::uint8_t>(2 + wide);
  return made;
}

namespace {

websocket_control encode_control(std::uint8_t opcode,
                                 std::string_view payload) noexcept {
  payload = payload.substr(0, control_max);
  websocket_control made;
  made.bytes[0] = final_bit | opcode;
  made.bytes[1] = static_cast<std::uint8_t>(payload.size());
  std::copy(payload.begin(), payload.end(), made.bytes.begin() + 2);
  made.size = static_cast<std::uint8_t>(2 + payload.size());
  return made;
}

} // namespace

websocket_control encode_websocket_ping(std::string_view payload) noexcept {
  return encode_control(opcode_ping, payload);
}

websocket_control encode_websocket_pong(std::string_view payload) noexcept {
  return encode_control(opcode_pong, payload);
}

websocket_control encode_websocket_close(std::uint16_t code,
                                         std::string_view reason) noexcept {
  if (code == 0
      || code == static_cast<std::uint16_t>(websocket_close::no_status))
    return encode_control(opcode_close, {});
  std::array<char, control_max> body{};
  body[0] = static_cast<char>(code >> 8U);
  body[1] = static_cast<char>(code & 0xFFU);
  const auto size = std::min(reason.size(), body.size() - 2);
  std::copy_n(reason.begin(), size, body.begin() + 2);
  return encode_control(opcode_close, {body.data(), size + 2});
}

void websocket_writer::begin(std::uint64_t payload,
                             bool is_compressed) noexcept {
  assert(is_between_frames());
  header_ = encode_websocket_header(payload, is_compressed);
  header_at_ = 0;
  owed_ = payload;
}

std::size_t websocket_writer::wrote(std::size_t n) noexcept {
  const auto of_header = std::min<std::size_t>(n, header_.size - header_at_);
  header_at_ = static_cast<std::uint8_t>(header_at_ + of_header);
  const auto of_payload = n - of_header;
  assert(of_payload <= owed_);
  owed_ -= of_payload;
  return of_payload;
}

} // namespace troupe::net
