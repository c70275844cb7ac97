// Writes the seeds of the protocol's fuzzers below the folder given: the
// samples of the tests, their properties alone, and filters with topics.

#include "tests/protocol/samples.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace troupe::test;

void write(const std::filesystem::path& path, const bytes& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out{path, std::ios::binary};
  out.write(reinterpret_cast<const char*>(content.data()),
            static_cast<std::streamsize>(content.size()));
}

/// See `fuzz_packets.cpp`: version and direction, then packets.
void write_packets(const std::filesystem::path& folder) {
  for (const auto& one : samples()) {
    const auto version = static_cast<unsigned>(one.version) - 3;
    const auto direction = one.from == sender::server ? 0x80U : 0U;
    write(folder / one.name, u8(version | direction) + one.whole);
  }
}

/// See `fuzz_properties.cpp`: the packet, then its properties.
void write_properties(const std::filesystem::path& folder) {
  const std::pair<const char*, bytes> seeds[] = {
    {"connect", u8(0) + u8(0x11) + u32(9) + u8(0x21) + u16(9) + u8(0x27)
                  + u32(9) + u8(0x22) + u16(9) + u8(0x19) + u8(1) + u8(0x17)
                  + u8(0) + u8(0x15) + text("M") + u8(0x16) + text("D")},
    {"will", u8(1) + u8(0x18) + u32(9) + u8(0x01) + u8(1) + u8(0x02) + u32(9)
               + u8(0x03) + text("t") + u8(0x08) + text("r") + u8(0x09)
               + text("c") + user_property("k", "v")},
    {"publish", u8(2) + u8(0x03) + text("t") + u8(0x02) + u32(9)
                  + user_property("k", "v") + u8(0x23) + u16(1) + u8(0x08)
                  + text("r")},
    {"publish_alias", u8(3) + u8(0x23) + u16(1)},
    {"puback", u8(4) + u8(0x1F) + text("r") + user_property("k", "v")},
    {"subscribe", u8(5) + u8(0x0B) + variable(300) + user_property("k", "v")},
    {"unsubscribe", u8(6) + user_property("k", "v")},
    {"disconnect", u8(7) + u8(0x11) + u32(9) + u8(0x1F) + text("r")},
    {"auth", u8(8) + u8(0x15) + text("M") + u8(0x16) + text("D")},
    {"connack", u8(9) + u8(0x12) + text("i") + u8(0x13) + u16(9) + u8(0x1A)
                  + text("r") + u8(0x1C) + text("s") + u8(0x24) + u8(1)
                  + u8(0x25) + u8(1) + u8(0x28) + u8(1) + u8(0x29) + u8(1)
                  + u8(0x2A) + u8(1)},
    {"server_publish", u8(10) + u8(0x0B) + variable(1) + u8(0x0B)
                         + variable(300) + u8(0x01) + u8(0)},
    {"server_disconnect", u8(13) + u8(0x1C) + text("s")},
  };
  for (const auto& [name, content] : seeds)
    write(folder / name, content);
}

/// See `fuzz_filters.cpp`: a filter, a newline, a topic.
void write_filters(const std::filesystem::path& folder) {
  const std::pair<const char*, const char*> seeds[] = {
    {"plain", "a/b\na/b"},
    {"plus", "a/+/c\na/b/c"},
    {"hash", "a/#\na"},
    {"levels", "/+//#\n//x/y"},
    {"dollar", "+/x\n$SYS/x"},
    {"shared", "$share/g/+/b\na/b"},
    {"queue", "$queue/a/#\na/b"},
    {"exclusive", "$exclusive/a\na"},
    {"delayed", "#\n$delayed/15/a/b"},
    {"utf_8", "\xD1\x84/+\n\xD1\x84/\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"long", "outlet/20000/cash/+/state\noutlet/20000/cash/box-17/state"},
    {"invalid", "a/#/b+\n\xED\xA0\x80"},
  };
  for (const auto& [name, content] : seeds)
    write(folder / name, raw(content));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("make_corpus <folder>\n", stderr);
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  write_packets(folder / "fuzz_packets");
  write_properties(folder / "fuzz_properties");
  write_filters(folder / "fuzz_filters");
  return 0;
}
