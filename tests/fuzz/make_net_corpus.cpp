// Writes the seeds of the fuzzers of what comes before MQTT below the folder
// given: PROXY headers.

#include "tests/support/proxy_header.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace {

using namespace troupe::test;

void write(const std::filesystem::path& path, const bytes& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out{path, std::ios::binary};
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

void write_proxy(const std::filesystem::path& folder) {
  const auto v4 =
    proxy_addresses(raw({192, 0, 2, 1}), raw({198, 51, 100, 2}), 56'324, 1'883);
  const auto v6 = proxy_addresses(bytes(16, '\x20'), bytes(16, '\x30'), 1, 2);
  const auto tls =
    proxy_ssl(7, 0, proxy_tlv(0x21, "TLSv1.3") + proxy_tlv(0x22, "name"));
  write(folder / "v1_tcp4", proxy_v1("TCP4", "192.0.2.1", "10.0.0.1", 1, 2));
  write(folder / "v1_tcp6", proxy_v1("TCP6", "2001:db8::7", "::1", 1, 2));
  write(folder / "v1_unknown", "PROXY UNKNOWN\r\n");
  write(folder / "v2_local", proxy_v2(0x20, 0x00, ""));
  write(folder / "v2_tcp4", proxy_v2(0x21, 0x11, v4) + "\x10\x0C");
  write(folder / "v2_tcp6",
        proxy_v2(0x21, 0x21, v6 + proxy_tlv(0x02, "mqtt.example")));
  write(folder / "v2_unix", proxy_v2(0x21, 0x31, bytes(216, 'u') + tls));
  write(folder / "v2_checked", proxy_v2_checked(0x21, 0x11, v4 + tls));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("make_net_corpus <folder>\n", stderr);
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  write_proxy(folder / "fuzz_proxy");
  return 0;
}
