// Fixed headers, changed bytes, and the buffer that packets go into.

#include "tests/protocol/samples.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>

using namespace troupe::protocol;
using namespace troupe::test;

namespace {

/// The same bytes where the sanitizer sees every step beyond them.
class guarded {
public:
  explicit guarded(bytes_view from)
    : data_(std::make_unique<std::uint8_t[]>(from.size())),
      size_(from.size()) {
    std::copy(from.begin(), from.end(), data_.get());
  }
  bytes_view view() const { return {data_.get(), size_}; }

private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_;
};

/// A body of any content and length in the frame of a packet.
std::string problem_with_body(const sample& from, bytes_view body) {
  const guarded copy{body};
  const frame in{from.whole[0], copy.view(), body.size() + 2};
  return round_trip_problem(in, from.version, from.from);
}

} // namespace

BOOST_AUTO_TEST_CASE(mqtt5_1_5_5_1_variable_byte_integers_are_shortest) {
  struct row {
    std::uint32_t value;
    bytes wire;
  };
  const row rows[] = {
    {0, {0x00}},
    {127, {0x7F}},
    {128, {0x80, 0x01}},
    {16'383, {0xFF, 0x7F}},
    {16'384, {0x80, 0x80, 0x01}},
    {2'097'151, {0xFF, 0xFF, 0x7F}},
    {2'097'152, {0x80, 0x80, 0x80, 0x01}},
    {268'435'455, {0xFF, 0xFF, 0xFF, 0x7F}},
  };
  for (const auto& [value, wire] : rows) {
    const auto read = decode_variable_byte_integer(wire).value().value();
    BOOST_TEST(read.value == value);
    BOOST_TEST(read.size == wire.size());
    BOOST_TEST(variable_byte_integer_size(value) == wire.size());
    byte_buffer out;
    append_variable_byte_integer(out, value);
    BOOST_TEST(copy(out.view()) == wire);
    for (std::size_t size = 0; size != wire.size(); ++size)
      BOOST_TEST(
        !decode_variable_byte_integer(bytes_view{wire}.first(size)).value());
  }
  for (const auto& bad :
       {bytes{0x80, 0x00}, bytes{0xFF, 0x00}, bytes{0x80, 0x80, 0x00},
        bytes{0x80, 0x80, 0x80, 0x00}, bytes{0x80, 0x80, 0x80, 0x80},
        bytes{0xFF, 0xFF, 0xFF, 0xFF, 0x01}})
    BOOST_TEST(reason_of(decode_variable_byte_integer(bad))
               == reason_code::malformed_packet);
}

BOOST_AUTO_TEST_CASE(frames_are_cut_one_after_another) {
  const auto stream = packet(0xC0) + packet(0x40, u16(1))
                      + packet(0x30, text("t") + bytes(200, 'x')) + u8(0x30);
  bytes_view rest = stream;
  std::vector<packet_type> types;
  while (const auto cut = next_frame(rest, no_packet_limit).value()) {
    types.push_back(cut->type());
    rest = rest.subspan(cut->size);
  }
  BOOST_TEST((types
              == std::vector{packet_type::pingreq, packet_type::puback,
                             packet_type::publish}));
  BOOST_TEST(rest.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_packet_too_large_is_known_from_its_header) {
  const auto header = u8(0x30) + variable(1000); // the body is not there yet
  BOOST_TEST(reason_of(next_frame(header, 1002))
             == reason_code::packet_too_large);
  BOOST_TEST(!next_frame(header, 1003).value());
  const auto whole = packet(0x40, u16(1));
  BOOST_TEST(next_frame(whole, 4).value().has_value());
  BOOST_TEST(reason_of(next_frame(whole, 3)) == reason_code::packet_too_large);
}

BOOST_AUTO_TEST_CASE(bad_fixed_headers_are_malformed) {
  constexpr auto malformed = reason_code::malformed_packet;
  const auto answer = [](const bytes& in) {
    return reason_of(next_frame(in, no_packet_limit));
  };
  BOOST_TEST(answer({0x00}) == malformed);
  BOOST_TEST(answer({0x0F, 0x00}) == malformed);
  BOOST_TEST(answer({0xC0, 0x80, 0x00}) == malformed);
  BOOST_TEST(answer({0x30, 0x80, 0x80, 0x80, 0x80}) == malformed);
  BOOST_TEST(!next_frame({}, no_packet_limit).value());
}

BOOST_AUTO_TEST_CASE(every_sample_survives_its_round_trip) {
  for (const auto& one : samples())
    BOOST_TEST_CONTEXT(one.name) {
      const auto in = frame_of(one.whole);
      BOOST_TEST(in.size == one.whole.size());
      BOOST_TEST(round_trip_problem(in, one.version, one.from) == "");
    }
}

BOOST_AUTO_TEST_CASE(no_proper_prefix_is_a_packet) {
  for (const auto& one : samples())
    for (std::size_t size = 0; size != one.whole.size(); ++size) {
      const guarded prefix{bytes_view{one.whole}.first(size)};
      const auto cut = next_frame(prefix.view(), no_packet_limit);
      BOOST_TEST((cut.has_value() && !cut.value()));
    }
}

BOOST_AUTO_TEST_CASE(bodies_cut_short_are_refused_or_mean_something) {
  for (const auto& one : samples()) {
    const auto body = frame_of(one.whole).body;
    for (std::size_t size = 0; size != body.size(); ++size)
      for (const auto version : all_versions) {
        auto other = one;
        other.version = version;
        const auto problem = problem_with_body(other, body.first(size));
        BOOST_TEST(problem.empty(), one.name << ": " << problem);
      }
  }
}

BOOST_AUTO_TEST_CASE(any_single_changed_byte_is_refused_or_means_something) {
  for (const auto& one : samples()) {
    std::string problem;
    for (std::size_t at = 0; at != one.whole.size(); ++at)
      for (unsigned change = 1; change != 256; ++change) {
        auto changed = one.whole;
        changed[at] = static_cast<std::uint8_t>(changed[at] ^ change);
        const guarded in{changed};
        problem += round_trip_problem(in.view(), one.version, one.from);
      }
    BOOST_TEST(problem == "", one.name);
  }
}

BOOST_AUTO_TEST_CASE(random_changes_are_refused_or_mean_something) {
  std::mt19937 random{20'240'101}; // the seed
  for (auto round = 0; round != 20'000; ++round) {
    const auto& one = samples()[random() % samples().size()];
    auto body = copy(frame_of(one.whole).body);
    for (auto changes = random() % 4; changes != 0 && !body.empty(); --changes)
      switch (const auto at = random() % body.size(); random() % 3) {
      case 0:
        body[at] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        body.erase(body.begin() + static_cast<int>(at));
        break;
      default:
        body.insert(body.begin() + static_cast<int>(at),
                    static_cast<std::uint8_t>(random()));
      }
    const auto problem = problem_with_body(one, body);
    BOOST_TEST(problem.empty(), "round " << round << ": " << problem);
  }
}

BOOST_AUTO_TEST_CASE(codes_and_types_have_the_names_of_the_standard) {
  BOOST_TEST(to_string(reason_code::success) == "Success");
  BOOST_TEST(to_string(reason_code::malformed_packet) == "Malformed Packet");
  BOOST_TEST(to_string(reason_code::wildcard_subscriptions_not_supported)
             == "Wildcard Subscriptions not supported");
  BOOST_TEST(to_string(static_cast<reason_code>(0x05)) == "Unknown");
  BOOST_TEST(to_string(static_cast<reason_code>(0xFF)) == "Unknown");
  BOOST_TEST(to_string(packet_type::connect) == "CONNECT");
  BOOST_TEST(to_string(packet_type::auth) == "AUTH");
  BOOST_TEST(to_string(static_cast<packet_type>(0)) == "Unknown");
  BOOST_TEST(to_string(static_cast<packet_type>(16)) == "Unknown");
}
