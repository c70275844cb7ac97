#pragma once
// WebSocket frames as a client sends them, and a decoder that takes a byte at a
// time. Written apart from the production code on purpose.

#include "tests/support/bytes.hpp"

#include <string_view>
#include <vector>

namespace troupe::test {

/// A frame of a client.
/// @param first  FIN, reserved bits and opcode: 0x82 is a whole binary message.
/// @param mask   four bytes; empty: not masked.
bytes websocket_frame(unsigned first, std::string_view payload,
                      std::string_view mask = "\x37\xFA\x21\x3D");

/// A close frame of a client.
bytes websocket_close_frame(unsigned code, std::string_view reason = "");

/// What a whole input says, decoded plainly.
struct plain_websocket {
  bytes payload;            ///< of all data frames
  std::vector<bytes> pings; ///< what each ping held
  std::size_t control_frames = 0;
  unsigned fail = 0;   ///< code of the close frame that is the answer
  unsigned closed = 0; ///< 1005: without a code
  bytes close_reason;
  /// Compressed messages, for each payload byte whether it is of one.
  std::vector<bool> is_compressed;
};

/// @param frame_max    payload bytes that a data frame may have.
/// @param is_deflated  whether compression was negotiated.
plain_websocket decode_plainly(std::string_view in, std::uint64_t frame_max,
                               bool is_deflated = false);

} // namespace troupe::test
