// PROXY headers: any bytes are no header, the beginning of one, or one; which
// of them does not depend on what follows, and prefixes agree.

#include "net/proxy_protocol.hpp"

#include <cstdlib>

namespace {

using namespace troupe::net;

void check(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::span<const std::uint8_t> in{data, size};
  const auto whole = proxy_parse(in);
  if (const auto* header = std::get_if<proxy_header>(&whole)) {
    check(header->size <= size && header->size <= proxy_header_max);
    check(header->is_local != header->source.has_value());
    check(header->source.has_value() == header->destination.has_value());
    const auto alone = proxy_parse(in.first(header->size));
    check(std::holds_alternative<proxy_header>(alone));
    check(std::get<proxy_header>(alone).size == header->size);
  }
  // As whoever takes no byte of what follows reads it.
  std::size_t have = 0;
  for (;;) {
    const auto got = proxy_parse(in.first(have));
    const auto* more = std::get_if<proxy_incomplete>(&got);
    if (more == nullptr) {
      check(got.index() == whole.index());
      if (const auto* header = std::get_if<proxy_header>(&got))
        check(header->size == have);
      return 0;
    }
    check(more->size_min > have && more->size_min <= proxy_header_max);
    if (more->size_min > size) {
      // What is behind the last read may still show that it is no header.
      check(!std::holds_alternative<proxy_header>(whole));
      return 0;
    }
    have = more->size_min;
  }
}
