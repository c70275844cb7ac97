// PROXY headers: what HAProxy's proxy-protocol.txt gives as examples, what is
// refused and why, what is not there yet.

#include "net/proxy_protocol.hpp"
#include "tests/support/proxy_header.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace troupe::net;
using namespace troupe::test;

namespace {

/// On a copy of the exact size, so that the address sanitizer sees each step
/// beyond it.
proxy_result parse(std::string_view in) {
  const auto copy = std::make_unique<std::uint8_t[]>(in.size());
  std::copy(in.begin(), in.end(), copy.get());
  return proxy_parse({copy.get(), in.size()});
}

proxy_header header_of(std::string_view in) {
  const auto got = parse(in);
  const auto* error = std::get_if<proxy_error>(&got);
  BOOST_REQUIRE_MESSAGE(std::holds_alternative<proxy_header>(got),
                        hex(in)
                          << ": " << (error ? error->what : "incomplete"));
  return std::get<proxy_header>(got);
}

std::string error_of(std::string_view in) {
  const auto got = parse(in);
  const auto* error = std::get_if<proxy_error>(&got);
  return error != nullptr ? error->what : "no error";
}

const bytes v4_addresses =
  proxy_addresses(raw({192, 0, 2, 1}), raw({198, 51, 100, 2}), 56'324, 1'883);
const bytes v6_addresses = proxy_addresses(
  raw({0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}),
  raw({0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 1, 65'535);
const bytes client_tls =
  proxy_ssl(0x07, 0,
            proxy_tlv(0x21, "TLSv1.3") + proxy_tlv(0x22, "outlet-20000")
              + proxy_tlv(0x23, "TLS_AES_128_GCM_SHA256"));

/// Whole headers, of each kind one.
std::vector<bytes> examples() {
  return {
    proxy_v1("TCP4", "255.255.255.255", "255.255.255.255", 65'535, 65'535),
    proxy_v1("TCP6", "2001:db8::7", "::1", 0, 1),
    "PROXY UNKNOWN\r\n",
    proxy_v2(0x20, 0x00, ""),
    proxy_v2(0x21, 0x11, v4_addresses),
    proxy_v2(0x21, 0x21, v6_addresses + proxy_tlv(0x02, "mqtt.example")),
    proxy_v2(0x21, 0x31, bytes(216, 'u')),
    proxy_v2_checked(0x21, 0x11, v4_addresses + client_tls),
  };
}

} // namespace

BOOST_AUTO_TEST_CASE(version_1_tells_addresses_and_ports) {
  // Section 2.1: the longest lines of TCP4 and of TCP6.
  const std::string_view longest_v4 =
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
  auto got = header_of(bytes{longest_v4} + "\x10\x0C");
  BOOST_TEST(got.size == longest_v4.size());
  BOOST_TEST(!got.is_local);
  BOOST_TEST(got.source->to_string() == "255.255.255.255:65535");
  const std::string_view longest_v6 =
    "PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
  BOOST_TEST(error_of(longest_v6)
             == "PROXY v1: an address is none of the transport named");
  const bytes ones = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  got = header_of(proxy_v1("TCP6", ones, ones, 65'535, 65'535));
  BOOST_TEST(got.size == 104U);
  BOOST_TEST(got.source->to_string() == '[' + ones + "]:65535");

  // Section 2.1: the example with a request behind it.
  const bytes line = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
  got = header_of(line + "GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n");
  BOOST_TEST(got.size == line.size());
  BOOST_TEST(got.source->to_string() == "192.168.0.1:56324");
  BOOST_TEST(got.destination->to_string() == "192.168.0.11:443");
  BOOST_TEST(!got.tls.has_value());

  got = header_of(proxy_v1("TCP6", "2001:db8::7", "::ffff:10.0.0.1", 0, 1));
  BOOST_TEST(got.source->to_string() == "[2001:db8::7]:0");
  BOOST_TEST(got.destination->to_string() == "10.0.0.1:1");
}

BOOST_AUTO_TEST_CASE(version_1_unknown_keeps_the_addresses_of_the_socket) {
  // The longest line of all has 107 bytes: the worst case of section 2.1.
  const bytes ones = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const auto longest = proxy_v1("UNKNOWN", ones, ones, 65'535, 65'535);
  BOOST_TEST(longest.size() == 107U);
  for (const auto& line : {bytes{"PROXY UNKNOWN\r\n"}, longest,
                           bytes{"PROXY UNKNOWN  anything at all \r\n"}}) {
    const auto got = header_of(line + "x");
    BOOST_TEST(got.size == line.size());
    BOOST_TEST(got.is_local);
    BOOST_TEST(!got.source.has_value());
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_line_of_version_1_is_said) {
  struct row {
    bytes line;
    const char* what;
  };
  const auto* words = "PROXY v1: not two addresses and two ports with one "
                      "space between each";
  const auto* port = "PROXY v1: a port is no number from 0 to 65535";
  const auto* address = "PROXY v1: an address is none of the transport named";
  const auto* transport = "PROXY v1: the transport is none of TCP4, TCP6, "
                          "UNKNOWN";
  const auto* line_end = "PROXY v1: the line does not end with CR LF";
  const row rows[] = {
    {"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", transport},
    {"PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", transport},
    {"PROXY UNKNOWNS\r\n", transport},
    {"PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", transport},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", words},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", words},
    {"PROXY TCP4 1.1.1.1  1.1.1.1 1\r\n", port},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", port},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", port},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n", port},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1 1x\r\n", port},
    {"PROXY TCP4 1.1.1.1 1.1.1.01 1 1\r\n", address},
    {"PROXY TCP4 1.1.1.256 1.1.1.1 1 1\r\n", address},
    {"PROXY TCP4 ::1 ::1 1 1\r\n", address},
    {"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", address},
    {"PROXY TCP6 ::g ::1 1 1\r\n", address},
    {bytes{"PROXY TCP6 ::"} + '\0' + " ::1 1 1\r\n", address},
    {"PROXY TCP6 " + bytes(46, 'f') + " ::1 1 1\r\n", address},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", line_end},
    {"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rx", line_end},
    {"PROXY UNKNOWN" + bytes(93, ' ') + "\r\n", line_end},
    {"PROXY UNKNOWN" + bytes(93, ' '), "PROXY v1: no CR LF within 107 bytes"},
    {"PROXY UNKNOWN" + bytes(900, ' '), "PROXY v1: no CR LF within 107 bytes"},
    {"PROXY\t", "no PROXY header: the first bytes are none"},
    {"proxy ", "no PROXY header: the first bytes are none"},
  };
  for (const auto& x : rows)
    BOOST_TEST(error_of(x.line) == x.what, x.line << ": " << error_of(x.line));
}

BOOST_AUTO_TEST_CASE(version_2_tells_addresses_of_both_families) {
  auto got = header_of(proxy_v2(0x21, 0x11, v4_addresses) + "\x10\x0C");
  BOOST_TEST(got.size == 28U);
  BOOST_TEST(!got.is_local);
  BOOST_TEST(got.source->to_string() == "192.0.2.1:56324");
  BOOST_TEST(got.destination->to_string() == "198.51.100.2:1883");
  got = header_of(proxy_v2(0x21, 0x21, v6_addresses));
  BOOST_TEST(got.size == 52U);
  BOOST_TEST(got.source->to_string() == "[2001:db8::7]:1");
  BOOST_TEST(got.destination->to_string() == "[2001:db8::1]:65535");
}

BOOST_AUTO_TEST_CASE(version_2_keeps_the_addresses_of_the_socket) {
  const bytes local[] = {
    // Section 2.2: LOCAL; what follows is passed over, whatever it is.
    proxy_v2(0x20, 0x00, ""),
    proxy_v2(0x20, 0x11, v4_addresses),
    proxy_v2(0x20, 0xFF, "no TLV"),
    // Of a Unix socket, and of what the balancer has no name for.
    proxy_v2(0x21, 0x31, bytes(216, 'u')),
    proxy_v2(0x21, 0x00, ""),
  };
  for (const auto& x : local) {
    const auto got = header_of(x + "x");
    BOOST_TEST(got.size == x.size());
    BOOST_TEST(got.is_local);
    BOOST_TEST(!got.source.has_value());
  }
  // Its client may have come over TLS all the same.
  BOOST_TEST(header_of(proxy_v2(0x21, 0x31, bytes(216, 'u') + client_tls))
               .tls->common_name
             == "outlet-20000");
  BOOST_TEST(header_of(proxy_v2(0x21, 0x00, client_tls)).tls.has_value());
}

BOOST_AUTO_TEST_CASE(version_2_tells_of_the_clients_tls) {
  const auto got = header_of(proxy_v2_checked(
    0x21, 0x11,
    v4_addresses + proxy_tlv(0x04, "padding") + client_tls
      + proxy_tlv(0x02, "mqtt.example") + proxy_tlv(0x05, bytes(128, 'i'))
      + proxy_tlv(0xEE, "of somebody's own")));
  BOOST_TEST(got.authority == "mqtt.example");
  BOOST_REQUIRE(got.tls.has_value());
  BOOST_TEST(got.tls->over_tls);
  BOOST_TEST(got.tls->certificate_now);
  BOOST_TEST(got.tls->certificate_in_session);
  BOOST_TEST(got.tls->verify_result == 0U);
  BOOST_TEST(got.tls->version == "TLSv1.3");
  BOOST_TEST(got.tls->common_name == "outlet-20000");
}

BOOST_AUTO_TEST_CASE(a_name_counts_only_of_a_certificate_that_is_good) {
  struct row {
    unsigned flags;
    std::uint32_t verify;
    bool is_good;
  };
  const row rows[] = {{0x07, 0, true},           {0x03, 0, true},
                      {0x05, 0, true},           {0x01, 0, false},
                      {0x06, 0, false},          {0x07, 1, false},
                      {0x07, 0x80000000, false}, {0x00, 0, false}};
  for (const auto& x : rows) {
    const auto got = header_of(proxy_v2(
      0x21, 0x11,
      v4_addresses + proxy_ssl(x.flags, x.verify, proxy_tlv(0x22, "n"))));
    BOOST_TEST(got.tls->certificate_is_good() == x.is_good,
               x.flags << ' ' << x.verify);
    BOOST_TEST(got.tls->verify_result == x.verify);
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_header_of_version_2_is_said) {
  const auto with = [](const bytes& tlvs) {
    return proxy_v2(0x21, 0x11, v4_addresses + tlvs);
  };
  const auto fixed = proxy_v2(0x21, 0x11, "");
  auto wrong_sum = proxy_v2_checked(0x21, 0x11, v4_addresses);
  wrong_sum[16] ^= 1;
  struct row {
    bytes header;
    const char* what;
  };
  const auto* kind = "PROXY v2: neither TCP over IPv4 or IPv6, nor a Unix "
                     "socket, nor unspecified";
  const row rows[] = {
    {proxy_v2(0x11, 0x11, v4_addresses), "PROXY v2: the version is not 2"},
    {proxy_v2(0x31, 0x11, v4_addresses).substr(0, 13),
     "PROXY v2: the version is not 2"},
    {proxy_v2(0x22, 0x11, v4_addresses),
     "PROXY v2: the command is neither LOCAL nor PROXY"},
    {proxy_v2(0x21, 0x12, v4_addresses), kind},
    {proxy_v2(0x21, 0x10, v4_addresses), kind},
    {proxy_v2(0x21, 0x41, v4_addresses), kind},
    {proxy_v2(0x21, 0x11, v4_addresses.substr(1)),
     "PROXY v2: too short for its addresses"},
    {proxy_v2(0x21, 0x21, v4_addresses),
     "PROXY v2: too short for its addresses"},
    {proxy_v2(0x21, 0x31, v4_addresses),
     "PROXY v2: too short for its addresses"},
    // Seen before the rest has come.
    {proxy_v2(0x21, 0x11, bytes(4'097, '\0')).substr(0, 16),
     "PROXY v2: longer than 4096 bytes"},
    {with("\x02"), "PROXY v2: a TLV is longer than the header"},
    {with(raw({2, 0})), "PROXY v2: a TLV is longer than the header"},
    {with(raw({2, 0, 1})), "PROXY v2: a TLV is longer than the header"},
    {with(raw({2, 0xFF, 0xFF, 'a'})),
     "PROXY v2: a TLV is longer than the header"},
    {with(proxy_tlv(0x05, bytes(129, 'i'))),
     "PROXY v2: the unique id is longer than 128 bytes"},
    {with(proxy_tlv(0x20, raw({7, 0, 0, 0}))),
     "PROXY v2: the SSL TLV is shorter than 5 bytes"},
    {with(proxy_ssl(7, 0, raw({0x22, 0, 2, 'a'}))),
     "PROXY v2: a TLV in the SSL TLV is longer than it"},
    {with(client_tls + client_tls), "PROXY v2: the SSL TLV is there twice"},
    {with(proxy_ssl(7, 0, proxy_tlv(0x22, "a") + proxy_tlv(0x22, "b"))),
     "PROXY v2: the common name is there twice"},
    {with(proxy_ssl(7, 0, proxy_tlv(0x22, "a\xFF"))),
     "PROXY v2: the common name is no UTF-8 text"},
    {with(proxy_ssl(7, 0, proxy_tlv(0x22, bytes{"admin\0x", 7}))),
     "PROXY v2: the common name is no UTF-8 text"},
    {with(proxy_tlv(0x03, "abc")), "PROXY v2: the checksum has not 4 bytes"},
    {wrong_sum, "PROXY v2: the checksum is wrong"},
    {proxy_v2_checked(0x21, 0x11, v4_addresses + proxy_tlv(0x03, u32(0))),
     "PROXY v2: the checksum is wrong"},
    {fixed.substr(0, 11) + "x", "no PROXY header: the first bytes are none"},
    {raw({0x10, 0x0C}), "no PROXY header: the first bytes are none"},
  };
  for (const auto& x : rows)
    BOOST_TEST(error_of(x.header) == x.what, hex(x.header)
                                               << ": " << error_of(x.header));
}

BOOST_AUTO_TEST_CASE(the_longest_header_of_version_2_is_taken) {
  const auto longest = proxy_v2(
    0x21, 0x11, v4_addresses + proxy_tlv(0x04, bytes(4'096 - 12 - 3, '\0')));
  BOOST_TEST(longest.size() == proxy_header_max);
  BOOST_TEST(header_of(longest).size == proxy_header_max);
}

BOOST_AUTO_TEST_CASE(every_prefix_of_a_header_is_incomplete) {
  for (const auto& whole : examples()) {
    for (std::size_t n = 0; n != whole.size(); ++n) {
      const auto got = parse(std::string_view{whole}.substr(0, n));
      BOOST_REQUIRE(std::holds_alternative<proxy_incomplete>(got));
      const auto at_least = std::get<proxy_incomplete>(got).size_min;
      BOOST_TEST(at_least > n);
      BOOST_TEST(at_least <= whole.size());
    }
    BOOST_TEST(header_of(whole).size == whole.size());
  }
}

BOOST_AUTO_TEST_CASE(who_reads_what_is_asked_for_reads_no_byte_too_many) {
  for (const auto& whole : examples()) {
    std::size_t have = 0;
    int reads = 0;
    for (;; ++reads) {
      const auto got = parse(std::string_view{whole}.substr(0, have));
      if (std::holds_alternative<proxy_header>(got))
        break;
      have = std::get<proxy_incomplete>(got).size_min;
    }
    BOOST_TEST(have == whole.size());
    // Version 2: fixed part (two reads, its first bytes tell the version) and
    // the rest.
    BOOST_TEST(reads <= (whole[0] == 'P' ? 45 : 3), hex(whole));
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_is_another_header_or_refused) {
  for (const auto& whole : examples())
    for (std::size_t i = 0; i != whole.size(); ++i)
      for (int x = 1; x != 256; ++x) {
        auto changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ x);
        const auto got = parse(changed);
        if (const auto* header = std::get_if<proxy_header>(&got))
          BOOST_TEST_REQUIRE(header->size <= changed.size());
      }
  // With a checksum no change goes unseen, but one that leaves it no PROXY
  // header of its own, or that makes the balancer speak for itself.
  const auto checked = proxy_v2_checked(0x21, 0x11, v4_addresses + client_tls);
  for (std::size_t i = 0; i != checked.size(); ++i) {
    auto changed = checked;
    changed[i] ^= 0x10;
    // The type of the checksum's own TLV: without it nothing is checked.
    const bool is_type = i == checked.size() - 7;
    BOOST_TEST(std::holds_alternative<proxy_header>(parse(changed)) == is_type,
               i);
  }
}

BOOST_AUTO_TEST_CASE(random_headers_are_read_as_they_were_written) {
  const auto seed = test_seed();
  BOOST_TEST_CONTEXT(say_seed(seed)) {
    std::mt19937 random{seed};
    for (int i = 0; i != 2'000; ++i) {
      const std::size_t each = random() % 2 == 0 ? 4 : 16;
      bytes source(each, '\0');
      for (auto& x : source)
        x = static_cast<char>(random());
      source[0] = 0x20; // not ::ffff:0:0/96
      const auto port = random() % 65'536;
      const bytes name(random() % 80, 'n');
      const auto flags = static_cast<unsigned>(random() % 8);
      const auto tlvs = proxy_tlv(0xE0, bytes(random() % 300, '\xFF'))
                        + proxy_ssl(flags, 0, proxy_tlv(0x22, name));
      const auto body = proxy_addresses(source, source, port, port) + tlvs;
      const auto family = each == 4 ? 0x11 : 0x21;
      const auto whole = random() % 2 == 0
                           ? proxy_v2(0x21, family, body)
                           : proxy_v2_checked(0x21, family, body);
      const auto got = header_of(whole);
      BOOST_TEST(got.source->port() == port);
      BOOST_TEST(got.tls->common_name == name);
      BOOST_TEST(got.tls->over_tls == ((flags & 1) != 0));
      // The same, said in version 1.
      const auto line =
        proxy_v1(each == 4 ? "TCP4" : "TCP6", got.source->address(),
                 got.destination->address(), port, port);
      BOOST_TEST(header_of(line).source->to_string()
                 == got.source->to_string());
    }
  }
}
