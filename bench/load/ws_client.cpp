#include "bench/load/ws_client.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace troupe::bench {

namespace {

constexpr std::size_t head_max = 8 * 1024;
constexpr std::size_t control_max = 125;
constexpr std::uint8_t fin = 0x80;
constexpr std::uint8_t reserved = 0x70;
constexpr std::uint8_t masked = 0x80;

std::string base64(bytes_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto size =
    ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      bytes.data(), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x))
           == std::tolower(static_cast<unsigned char>(y));
  });
}

/// The value of a header; empty if it is not there.
std::string_view header_value(std::string_view head, std::string_view name) {
  for (auto at = head.find("\r\n"); at != std::string_view::npos;) {
    const auto end = head.find("\r\n", at + 2);
    if (end == std::string_view::npos)
      break;
    const auto line = head.substr(at + 2, end - at - 2);
    at = end;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos
        || !equal_ignoring_case(line.substr(0, colon), name))
      continue;
    auto value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    return value.substr(0, value.find_last_not_of(" \t") + 1);
  }
  return {};
}

} // namespace

void append_ws_frame(out_buffer& out, ws_opcode opcode, bytes_view payload,
                     std::uint32_t mask) {
  const auto size = payload.size();
  const std::size_t extra = size <= control_max ? 0 : size <= 0xFFFF ? 2 : 8;
  auto* at = out.extend(2 + extra + 4 + size);
  *at++ = static_cast<std::uint8_t>(fin | static_cast<std::uint8_t>(opcode));
  *at++ = static_cast<std::uint8_t>(masked
                                    | (extra == 0   ? size
                                       : extra == 2 ? 126U
                                                    : 127U));
  for (auto i = extra; i-- > 0;)
    *at++ = static_cast<std::uint8_t>(size >> (8 * i));
  std::memcpy(at, &mask, sizeof mask);
  at += sizeof mask;
  // Eight bytes at a time: this is the price of a message, not a detail.
  const auto wide = (std::uint64_t{mask} << 32) | mask;
  std::size_t i = 0;
  for (; i + sizeof wide <= size; i += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, payload.data() + i, sizeof word);
    word ^= wide;
    std::memcpy(at + i, &word, sizeof word);
  }
  std::array<std::uint8_t, sizeof mask> key{};
  std::memcpy(key.data(), &mask, sizeof mask);
  for (; i < size; ++i)
    at[i] = payload[i] ^ key[i % key.size()];
}

std::string ws_accept(const std::string& key) {
  const auto text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha1(),
               nullptr);
  return base64({digest.data(), size});
}

ws_client::ws_client(const std::array<std::uint8_t, 16>& nonce)
  : key_(base64(nonce)) {}

void ws_client::append_request(out_buffer& out, std::string_view host,
                               std::string_view path) const {
  std::string text{"GET "};
  text.append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  text.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: ");
  text.append(key_).append("\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
  std::memcpy(out.extend(text.size()), text.data(), text.size());
}

std::optional<std::size_t> ws_client::take_head(bytes_view bytes) {
  constexpr std::string_view end_mark = "\r\n\r\n";
  const auto before = head_.size();
  head_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto from = before < end_mark.size() ? 0 : before - end_mark.size();
  const auto end = head_.find(end_mark, from);
  if (end == std::string::npos) {
    if (head_.size() <= head_max)
      return bytes.size();
    fail("the answer to the upgrade does not end");
    return std::nullopt;
  }
  const auto taken = end + end_mark.size() - before;
  head_.resize(end + end_mark.size());
  if (!check_head())
    return std::nullopt;
  upgraded_ = true;
  head_ = {};
  key_ = {};
  return taken;
}

bool ws_client::check_head() {
  const std::string_view head{head_};
  if (head.substr(0, 13) != "HTTP/1.1 101 ") {
    why_ = "refused the upgrade: "
           + std::string{
             head.substr(0, std::min(head.find("\r\n"), std::size_t{80}))};
    return false;
  }
  if (!equal_ignoring_case(header_value(head, "Upgrade"), "websocket"))
    return fail("upgraded to something else");
  if (header_value(head, "Sec-WebSocket-Accept") != ws_accept(key_))
    return fail("sent a wrong Sec-WebSocket-Accept");
  if (header_value(head, "Sec-WebSocket-Protocol") != "mqtt")
    return fail("did not choose the subprotocol mqtt");
  return true;
}

std::size_t ws_client::header_size() const {
  if (header_got_ < 2)
    return 2;
  const auto length = header_[1] & 0x7F;
  return length < 126 ? 2 : length == 126 ? 4 : 10;
}

bool ws_client::begin_frame() {
  if ((header_[0] & reserved) != 0)
    return fail("set a reserved bit of a frame");
  if ((header_[1] & masked) != 0)
    return fail("masked a frame");
  opcode_ = static_cast<ws_opcode>(header_[0] & 0x0F);
  left_ = header_[1] & 0x7F;
  if (left_ >= 126) {
    const auto size = header_size();
    left_ = 0;
    for (std::size_t i = 2; i < size; ++i)
      left_ = left_ << 8 | header_[i];
  }
  const bool final = (header_[0] & fin) != 0;
  switch (opcode_) {
  case ws_opcode::binary:
  case ws_opcode::continuation:
    if (in_message_ != (opcode_ == ws_opcode::continuation))
      return fail("mixed up the fragments of messages");
    in_message_ = !final;
    break;
  case ws_opcode::close:
  case ws_opcode::ping:
  case ws_opcode::pong:
    if (!final || (header_[1] & 0x7FU) > control_max)
      return fail("sent a control frame that is fragmented or too long");
    control_.clear();
    break;
  default:
    return fail("sent a frame that is not binary");
  }
  in_frame_ = true;
  return true;
}

bool ws_client::take_header(bytes_view& rest) {
  while (!rest.empty() && header_got_ < header_size()) {
    header_[header_got_++] = rest.front();
    rest = rest.subspan(1);
  }
  if (header_got_ < 2 || header_got_ < header_size())
    return true;
  if (!begin_frame())
    return false;
  header_got_ = 0;
  return true;
}

void ws_client::end_control_frame(out_buffer& answers) {
  // What a server says in pings is known to it alone: no need of a good mask.
  constexpr std::uint32_t mask = 0x5A17C3E1;
  if (opcode_ == ws_opcode::ping) {
    append_ws_frame(answers, ws_opcode::pong, control_, mask);
  } else if (opcode_ == ws_opcode::close) {
    closed_ = true;
    why_ = "closed by the broker";
    if (control_.size() >= 2)
      why_ += " with WebSocket code "
              + std::to_string(control_[0] * 256 + control_[1]);
    append_ws_frame(
      answers, ws_opcode::close,
      bytes_view{control_}.first(std::min<std::size_t>(control_.size(), 2)),
      mask);
  }
}

std::optional<std::size_t> ws_client::receive(std::span<std::uint8_t> bytes,
                                              out_buffer& answers) {
  bytes_view rest{bytes};
  if (!upgraded_) {
    const auto taken = take_head(rest);
    if (!taken)
      return std::nullopt;
    rest = rest.subspan(*taken);
  }
  std::size_t kept = 0;
  while (!closed_ && (!rest.empty() || (in_frame_ && left_ == 0))) {
    if (!in_frame_) {
      if (!take_header(rest))
        return std::nullopt;
      continue;
    }
    const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
    const auto part = rest.first(count);
    rest = rest.subspan(count);
    left_ -= count;
    const bool control = (static_cast<unsigned>(opcode_) & 8) != 0;
    if (control) {
      control_.insert(control_.end(), part.begin(), part.end());
    } else if (count > 0) {
      std::memmove(bytes.data() + kept, part.data(), count);
      kept += count;
    }
    if (left_ == 0) {
      in_frame_ = false;
      if (control)
        end_control_frame(answers);
    }
  }
  return kept;
}

} // namespace troupe::bench
