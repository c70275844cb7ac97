// The request of a WebSocket: any bytes are refused with a whole response, or
// are accepted with one, and more bytes behind it change nothing.

#include "net/websocket_handshake.hpp"

#include <algorithm>
#include <cstdlib>

namespace {

using namespace troupe::net;

void check(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

/// The first byte chooses settings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0)
    return 0;
  websocket_settings settings;
  settings.fail_if_no_subprotocol = (data[0] & 1U) == 0;
  settings.compress = (data[0] & 2U) == 0;
  if ((data[0] & 4U) != 0)
    settings.origins = {"https://a.example"};
  settings.allow_missing_origin = (data[0] & 8U) == 0;
  const std::span<const std::uint8_t> in{data + 1, size - 1};
  const auto got = websocket_accept(in, settings);
  check(got.needs_more() == got.response.empty());
  if (got.needs_more()) {
    check(in.size() < websocket_request_max);
    return 0;
  }
  check(got.response.starts_with("HTTP/1.1 " + std::to_string(got.status)));
  check(got.consumed <= in.size());
  check(got.is_accepted() == got.reason.empty());
  // One empty line ends the header of the response: nothing of the request can
  // end it earlier.
  check(got.response.find("\r\n\r\n")
        == got.response.size() - 4
             - (got.is_accepted() ? 0 : got.reason.size() + 1));
  if (!got.is_accepted())
    return 0;
  check(got.status == 101);
  check(!settings.fail_if_no_subprotocol || !got.subprotocol.empty());
  const auto again = websocket_accept(in.first(got.consumed), settings);
  check(again.response == got.response);
  check(websocket_accept(in.first(got.consumed - 1), settings).needs_more());
  return 0;
}
