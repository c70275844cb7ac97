#include "tests/protocol/round_trip.hpp"

#include "tests/protocol/describe.hpp"

#include <deque>
#include <vector>

namespace troupe::test {

namespace {

using namespace protocol;

template <class Decode, class Encode>
std::string compare(const frame& in, Decode&& decode, Encode&& encode) {
  const auto first = decode(in);
  if (!first)
    return {};
  byte_buffer out;
  encode(out, first.assume_value());
  const auto cut = next_frame(out.view(), no_packet_limit);
  if (!cut || !cut.assume_value() || cut.assume_value()->size != out.size())
    return "encoded again, it is not one whole packet";
  const auto second = decode(*cut.assume_value());
  if (!second)
    return "encoded again, it is refused: "
           + std::string{to_string(second.assume_error())};
  const auto before = describe(first.assume_value());
  const auto after = describe(second.assume_value());
  return before == after ? std::string{}
                         : "it was\n" + before + "and became\n" + after;
}

/// A published message reaches a receiver of each version as it was.
std::string delivery_problem(const publish_packet& packet) {
  const auto now = time_point{} + std::chrono::hours{1};
  const auto sent =
    message::make({.topic = packet.topic,
                   .payload = packet.payload,
                   .properties = packet.properties,
                   .qos = packet.qos,
                   .retain = packet.retain,
                   .message_expiry_interval = packet.message_expiry_interval,
                   .received_at = now});
  const std::uint32_t identifiers[] = {1, 268'435'455};
  for (const auto version :
       {protocol_version::mqtt_3_1, protocol_version::mqtt_3_1_1,
        protocol_version::mqtt_5_0}) {
    const auto is_v5 = version == protocol_version::mqtt_5_0;
    const delivery how{.qos = packet.qos,
                       .dup = packet.dup,
                       .retain = packet.retain,
                       .packet_identifier = packet.packet_identifier,
                       .topic_alias = packet.topic_alias,
                       .subscription_identifiers = identifiers};
    byte_buffer out;
    encode_message(out, *sent, how, version, now);
    if (out.size() != encoded_message_size(*sent, how, version))
      return "the size of a delivery is not what was foretold";
    if (packet.topic.empty() && !is_v5)
      continue; // an alias is all there is
    std::array<std::uint32_t, 4> room{};
    const auto cut = next_frame(out.view(), no_packet_limit);
    const auto got = decode_publish_from_server(*cut.value(), version, room);
    if (!got)
      return "a delivery is refused: "
             + std::string{to_string(got.assume_error())};
    auto expected = packet;
    if (is_v5) {
      expected.subscription_identifiers = identifiers;
    } else {
      expected.topic_alias = 0;
      expected.message_expiry_interval.reset();
      expected.properties = {};
    }
    if (describe(got.assume_value()) != describe(expected))
      return "a delivery differs:\n" + describe(got.assume_value());
  }
  return {};
}

std::string client_problem(const frame& in, protocol_version version) {
  switch (in.type()) {
  case packet_type::connect:
    return compare(
      in, [](const frame& x) { return decode_connect(x, true); },
      [](byte_buffer& out, const connect_packet& x) {
        encode_connect(out, x);
      });
  case packet_type::publish: {
    const auto decode = [version](const frame& x) {
      return decode_publish(x, version);
    };
    if (const auto packet = decode(in))
      if (auto bad = delivery_problem(packet.assume_value()); !bad.empty())
        return bad;
    return compare(in, decode,
                   [version](byte_buffer& out, const publish_packet& x) {
                     encode_publish(out, x, version);
                   });
  }
  case packet_type::subscribe:
    return compare(
      in, [version](const frame& x) { return decode_subscribe(x, version); },
      [version](byte_buffer& out, const subscribe_packet& x) {
        std::vector<subscription_request> filters;
        for_each_subscription(
          x, [&filters](const auto& one) { filters.push_back(one); });
        encode_subscribe(out,
                         {x.packet_identifier, x.subscription_identifier,
                          x.user_properties, filters},
                         version);
      });
  case packet_type::unsubscribe:
    return compare(
      in, [version](const frame& x) { return decode_unsubscribe(x, version); },
      [version](byte_buffer& out, const unsubscribe_packet& x) {
        std::vector<std::string_view> filters;
        for_each_filter(
          x, [&filters](std::string_view one) { filters.push_back(one); });
        encode_unsubscribe(out, x.packet_identifier, filters, version,
                           x.user_properties);
      });
  default:
    return {};
  }
}

std::string server_problem(const frame& in, protocol_version version) {
  switch (in.type()) {
  case packet_type::connack:
    return compare(
      in, [version](const frame& x) { return decode_connack(x, version); },
      [version](byte_buffer& out, const connack_packet& x) {
        encode_connack(out, x, version);
      });
  case packet_type::publish: {
    std::deque<std::array<std::uint32_t, 4>> room; // one for each decoding
    return compare(
      in,
      [version, &room](const frame& x) {
        return decode_publish_from_server(x, version, room.emplace_back());
      },
      [version](byte_buffer& out, const publish_packet& x) {
        encode_publish(out, x, version);
      });
  }
  case packet_type::suback:
  case packet_type::unsuback: {
    const auto is_suback = in.type() == packet_type::suback;
    if (is_suback && version == protocol_version::mqtt_3_1) {
      std::array<reason_code, 16> reasons{}; // 0x80 is read, never written
      static_cast<void>(decode_suback(in, version, reasons));
      return {};
    }
    std::deque<std::array<reason_code, 16>> room;
    return compare(
      in,
      [=, &room](const frame& x) {
        return is_suback ? decode_suback(x, version, room.emplace_back())
                         : decode_unsuback(x, version, room.emplace_back());
      },
      [=](byte_buffer& out, const suback_packet& x) {
        if (is_suback)
          encode_suback(out, x, version);
        else
          encode_unsuback(out, x, version);
      });
  }
  default:
    return {};
  }
}

std::string either_problem(const frame& in, protocol_version version,
                           sender from) {
  switch (in.type()) {
  case packet_type::puback:
  case packet_type::pubrec:
  case packet_type::pubrel:
  case packet_type::pubcomp:
    return compare(
      in, [version](const frame& x) { return decode_ack(x, version); },
      [version](byte_buffer& out, const ack_packet& x) {
        encode_ack(out, x, version);
      });
  case packet_type::pingreq:
  case packet_type::pingresp:
    static_cast<void>(decode_ping(in, version));
    return {};
  case packet_type::disconnect:
    return compare(
      in,
      [=](const frame& x) {
        return decode_disconnect(x, version, from == sender::client);
      },
      [version](byte_buffer& out, const disconnect_packet& x) {
        encode_disconnect(out, x, version);
      });
  case packet_type::auth:
    return compare(
      in, [](const frame& x) { return decode_auth(x); },
      [](byte_buffer& out, const auth_packet& x) { encode_auth(out, x); });
  default:
    return from == sender::client ? client_problem(in, version)
                                  : server_problem(in, version);
  }
}

} // namespace

std::string round_trip_problem(const frame& in, protocol_version version,
                               sender from) {
  return either_problem(in, version, from);
}

std::string round_trip_problem(bytes_view in, protocol_version version,
                               sender from) {
  while (true) {
    const auto cut = next_frame(in, no_packet_limit);
    if (!cut || !cut.assume_value())
      return {};
    const auto& one = *cut.assume_value();
    if (auto bad = round_trip_problem(one, version, from); !bad.empty())
      return bad;
    in = in.subspan(one.size);
  }
}

} // namespace troupe::test
