#include "bench/load/ws_client.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe::bench;

namespace {

using bytes = std::vector<std::uint8_t>;

bytes copy(const out_buffer& out) {
  return {out.view().begin(), out.view().end()};
}

bytes to_bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// A frame as servers send it.
bytes server_frame(std::uint8_t first, const bytes& payload) {
  bytes out{first};
  const auto size = payload.size();
  if (size < 126) {
    out.push_back(static_cast<std::uint8_t>(size));
  } else if (size < 65'536) {
    out.insert(out.end(), {126, static_cast<std::uint8_t>(size >> 8),
                           static_cast<std::uint8_t>(size)});
  } else {
    out.push_back(127);
    for (int i = 7; i >= 0; --i)
      out.push_back(static_cast<std::uint8_t>(size >> (8 * i)));
  }
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

/// Of RFC 6455, section 1.3: the nonce is "the sample nonce".
constexpr std::array<std::uint8_t, 16> sample{'t', 'h', 'e', ' ', 's', 'a',
                                              'm', 'p', 'l', 'e', ' ', 'n',
                                              'o', 'n', 'c', 'e'};

std::string answer(const std::string& accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                   const std::string& status = "101 Switching Protocols",
                   const std::string& protocol = "mqtt") {
  return "HTTP/1.1 " + status
         + "\r\nUpgrade: WebSocket\r\nconnection: upgrade\r\n"
           "sec-websocket-accept:"
         + accept + "\r\nSec-WebSocket-Protocol: " + protocol + "  \r\n\r\n";
}

/// What a client makes of `in`, given in pieces of `step` bytes.
struct reading {
  bytes payload;
  bytes answers;
  std::string why; ///< it failed
  bool closed = false;
};

reading read(const bytes& in, std::size_t step, bool upgraded = true) {
  ws_client client{sample};
  out_buffer answers;
  if (upgraded) {
    auto head = to_bytes(answer());
    BOOST_REQUIRE(client.receive(head, answers) == 0U);
    BOOST_REQUIRE(client.upgraded());
  }
  reading out;
  for (std::size_t at = 0; at < in.size(); at += step) {
    bytes part(in.begin() + static_cast<std::ptrdiff_t>(at),
               in.begin()
                 + static_cast<std::ptrdiff_t>(std::min(at + step, in.size())));
    const auto kept = client.receive(part, answers);
    if (!kept) {
      out.why = client.why();
      BOOST_TEST(!out.why.empty());
      return out;
    }
    BOOST_REQUIRE(*kept <= part.size());
    out.payload.insert(out.payload.end(), part.begin(),
                       part.begin() + static_cast<std::ptrdiff_t>(*kept));
  }
  out.answers = copy(answers);
  out.closed = client.closed();
  return out;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_answer_to_a_key_is_that_of_the_standard) {
  BOOST_TEST(ws_accept("dGhlIHNhbXBsZSBub25jZQ==")
             == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

BOOST_AUTO_TEST_CASE(a_request_asks_for_mqtt) {
  out_buffer out;
  ws_client{sample}.append_request(out, "localhost:8083", "/mqtt");
  BOOST_TEST(copy(out)
               == to_bytes("GET /mqtt HTTP/1.1\r\n"
                           "Host: localhost:8083\r\n"
                           "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: mqtt\r\n\r\n"),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_upgrade_is_read_however_it_is_cut) {
  auto in = to_bytes(answer());
  const auto more = server_frame(0x82, {1, 2, 3});
  in.insert(in.end(), more.begin(), more.end());
  for (std::size_t step = 1; step <= in.size(); ++step)
    BOOST_TEST(read(in, step, false).payload == (bytes{1, 2, 3}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_upgrade_that_is_none_is_refused) {
  for (const auto& text :
       {answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOO="), answer("x"),
        answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "403 Forbidden"),
        answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "101 x", "mqttv3.1"),
        std::string{"HTTP/1.1 101 x\r\n\r\n"}, std::string{"\r\n\r\n"},
        std::string(9'000, 'x')})
    for (const std::size_t step : {std::size_t{1}, text.size()})
      BOOST_TEST(!read(to_bytes(text), step, false).why.empty());
}

BOOST_AUTO_TEST_CASE(a_frame_is_masked_and_has_the_shortest_length) {
  out_buffer out;
  append_ws_frame(out, ws_opcode::binary, bytes{'H', 'e', 'l', 'l', 'o'},
                  0x3D21FA37); // its bytes are 37 FA 21 3D
  BOOST_TEST(copy(out)
               == (bytes{0x82,                           // FIN, binary
                         0x85,                           // MASK, length
                         0x37, 0xFA, 0x21, 0x3D,         // masking key
                         0x7F, 0x9F, 0x4D, 0x51, 0x58}), // as in section 5.7
             boost::test_tools::per_element());
  for (const std::size_t size : {0, 125, 126, 65'535, 65'536, 65'543}) {
    std::mt19937 random{5};
    bytes payload(size);
    for (auto& each : payload)
      each = static_cast<std::uint8_t>(random());
    const bytes key{0x01, 0x02, 0x03, 0x04};
    auto expected = server_frame(0x82, payload);
    expected[1] |= 0x80;
    const auto head = expected.size() - size;
    for (std::size_t i = 0; i < size; ++i)
      expected[head + i] ^= key[i % 4];
    expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(head),
                    key.begin(), key.end());
    out_buffer frame;
    append_ws_frame(frame, ws_opcode::binary, payload, 0x04030201);
    BOOST_TEST((copy(frame) == expected));
  }
}

BOOST_AUTO_TEST_CASE(messages_are_read_however_they_are_cut) {
  bytes in;
  bytes expected;
  for (const std::size_t size : {0, 1, 2, 125, 126, 300, 65'535, 65'536}) {
    const bytes payload(size, static_cast<std::uint8_t>(size));
    const auto frame = server_frame(0x82, payload);
    in.insert(in.end(), frame.begin(), frame.end());
    expected.insert(expected.end(), payload.begin(), payload.end());
  }
  for (const std::size_t step : {1, 2, 3, 7, 128, 4096, 200'000})
    BOOST_TEST((read(in, step).payload == expected));
}

BOOST_AUTO_TEST_CASE(fragments_have_control_frames_between_them) {
  bytes in;
  for (const auto& frame : {
         server_frame(0x02, {1, 2}), // binary, more to come
         server_frame(0x89, {7, 8}), // ping
         server_frame(0x00, {}),     // continuation
         server_frame(0x8A, {9}),    // pong, unasked for
         server_frame(0x80, {3}),    // the last continuation
         server_frame(0x82, {4}),
       })
    in.insert(in.end(), frame.begin(), frame.end());
  for (std::size_t step = 1; step <= in.size(); ++step) {
    const auto found = read(in, step);
    BOOST_TEST(found.payload == (bytes{1, 2, 3, 4}),
               boost::test_tools::per_element());
    BOOST_REQUIRE(found.answers.size() == 8U);
    BOOST_TEST(found.answers[0] == 0x8A); // pong with what the ping held
    BOOST_TEST(found.answers[1] == 0x82);
    BOOST_TEST((found.answers[6] ^ found.answers[2]) == 7);
    BOOST_TEST((found.answers[7] ^ found.answers[3]) == 8);
  }
}

BOOST_AUTO_TEST_CASE(a_close_is_answered_and_ends_it) {
  auto in = server_frame(0x88, {0x03, 0xE9, 'b', 'y', 'e'});
  const auto after = server_frame(0x82, {1});
  in.insert(in.end(), after.begin(), after.end());
  for (std::size_t step = 1; step <= in.size(); ++step) {
    const auto found = read(in, step);
    BOOST_TEST(found.closed);
    BOOST_TEST(found.payload.empty());
    BOOST_TEST(found.answers.size() == 8U); // the code alone
  }
}

BOOST_AUTO_TEST_CASE(frames_against_the_rules_are_refused) {
  for (const auto& [first, second, text] :
       std::initializer_list<std::tuple<int, int, const char*>>{
         {0xC2, 1, "reserved"},    // RSV1: nobody agreed on compression
         {0x92, 1, "reserved"},    // RSV3
         {0x82, 0x81, "masked"},   // a server must not
         {0x81, 1, "not binary"},  // text
         {0x83, 1, "not binary"},  // reserved opcode
         {0x80, 1, "mixed up"},    // continues nothing
         {0x09, 1, "control"},     // a fragmented ping
         {0x88, 0x7E, "control"}}) // a close of more than 125 bytes
  {
    bytes in{static_cast<std::uint8_t>(first),
             static_cast<std::uint8_t>(second)};
    in.resize(16);
    for (const std::size_t step : {1, 16})
      BOOST_TEST(read(in, step).why.find(text) != std::string::npos, text);
  }
  auto in = server_frame(0x02, {1});
  const auto second = server_frame(0x82, {2}); // the first is not over
  in.insert(in.end(), second.begin(), second.end());
  BOOST_TEST(read(in, 1).why.find("mixed up") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(any_bytes_are_survived) {
  std::mt19937 random{3};
  for (int i = 0; i < 20'000; ++i) {
    bytes in(random() % 64);
    for (auto& each : in)
      each = static_cast<std::uint8_t>(random());
    if (!in.empty() && random() % 2 == 0)
      in[0] = 0x82;
    const auto found = read(in, 1 + random() % 64);
    BOOST_REQUIRE(found.payload.size() <= in.size());
  }
}
