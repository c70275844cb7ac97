// What the codec costs per packet, on the path of a PUBLISH above all.

#include "protocol/codec.hpp"
#include "protocol/topic.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace troupe::protocol;

constexpr std::string_view topic = "bank/37/outlet/20000/cash/state"; // 31
const std::string payload_64(64, 'x');

bytes_view as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

publish_packet publish(qos level) {
  return {.topic = topic,
          .payload = as_bytes(payload_64),
          .packet_identifier =
            static_cast<std::uint16_t>(level == qos::at_most_once ? 0 : 1),
          .qos = level};
}

byte_buffer user_property() {
  byte_buffer out;
  append_user_property(out, "trace", "00-4bf92f3577b34da6");
  return out;
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(each));
}

void decode(benchmark::State& state, const publish_packet& packet,
            protocol_version version) {
  byte_buffer wire;
  encode_publish(wire, packet, version);
  const auto in = next_frame(wire.view(), no_packet_limit).value().value();
  for ([[maybe_unused]] auto _ : state) {
    auto read = in;
    benchmark::DoNotOptimize(read);
    auto decoded = decode_publish(read, version);
    benchmark::DoNotOptimize(decoded);
  }
  count_bytes(state, wire.size());
}

void decode_publish_v3_qos0(benchmark::State& state) {
  decode(state, publish(qos::at_most_once), protocol_version::mqtt_3_1_1);
}
BENCHMARK(decode_publish_v3_qos0);

void decode_publish_v3_qos1(benchmark::State& state) {
  decode(state, publish(qos::at_least_once), protocol_version::mqtt_3_1_1);
}
BENCHMARK(decode_publish_v3_qos1);

void decode_publish_v5_qos1(benchmark::State& state) {
  decode(state, publish(qos::at_least_once), protocol_version::mqtt_5_0);
}
BENCHMARK(decode_publish_v5_qos1);

void decode_publish_v5_with_properties(benchmark::State& state) {
  const auto user = user_property();
  auto packet = publish(qos::at_least_once);
  packet.message_expiry_interval = 3600;
  packet.topic_alias = 7;
  packet.properties[0] = user.view();
  decode(state, packet, protocol_version::mqtt_5_0);
}
BENCHMARK(decode_publish_v5_with_properties);

void encode(benchmark::State& state, const message_options& options,
            const delivery& how, protocol_version version) {
  const auto sent = message::make(options);
  const auto now = time_point{} + std::chrono::hours{1};
  byte_buffer out;
  for ([[maybe_unused]] auto _ : state) {
    if (out.size() > 32'768)
      out.clear();
    encode_message(out, *sent, how, version, now);
    benchmark::ClobberMemory();
  }
  count_bytes(state, encoded_message_size(*sent, how, version));
}

constexpr delivery at_least_once{.qos = qos::at_least_once,
                                 .packet_identifier = 1};

void encode_message_v3_qos0(benchmark::State& state) {
  encode(state, {.topic = topic, .payload = as_bytes(payload_64)}, {},
         protocol_version::mqtt_3_1_1);
}
BENCHMARK(encode_message_v3_qos0);

void encode_message_v3_qos1(benchmark::State& state) {
  encode(state, {.topic = topic, .payload = as_bytes(payload_64)},
         at_least_once, protocol_version::mqtt_3_1_1);
}
BENCHMARK(encode_message_v3_qos1);

void encode_message_v5_qos1(benchmark::State& state) {
  encode(state, {.topic = topic, .payload = as_bytes(payload_64)},
         at_least_once, protocol_version::mqtt_5_0);
}
BENCHMARK(encode_message_v5_qos1);

void encode_message_v5_with_properties(benchmark::State& state) {
  const auto user = user_property();
  const std::uint32_t identifiers[] = {1};
  auto how = at_least_once;
  how.subscription_identifiers = identifiers;
  encode(state,
         {.topic = topic,
          .payload = as_bytes(payload_64),
          .properties = {user.view()},
          .message_expiry_interval = 3600},
         how, protocol_version::mqtt_5_0);
}
BENCHMARK(encode_message_v5_with_properties);

/// A read of 64 KB, full of publishes: frames alone, then with decoding.
void cut_frames(benchmark::State& state, bool with_decoding) {
  constexpr auto version = protocol_version::mqtt_3_1_1;
  byte_buffer wire;
  std::size_t count = 0;
  for (; wire.size() < 65'536; ++count)
    encode_publish(wire, publish(qos::at_least_once), version);
  for ([[maybe_unused]] auto _ : state) {
    auto rest = wire.view();
    while (true) {
      const auto cut = next_frame(rest, no_packet_limit);
      if (!cut.assume_value())
        break;
      const auto& in = *cut.assume_value();
      rest = rest.subspan(in.size);
      if (with_decoding) {
        auto decoded = decode_publish(in, version);
        benchmark::DoNotOptimize(decoded);
      }
    }
    benchmark::DoNotOptimize(rest);
  }
  count_bytes(state, wire.size());
  state.counters["per_packet"] = benchmark::Counter(
    static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate
                                  | benchmark::Counter::kInvert);
}

void next_frame_over_64_kb(benchmark::State& state) {
  cut_frames(state, false);
}
BENCHMARK(next_frame_over_64_kb);

void next_frame_and_decode_over_64_kb(benchmark::State& state) {
  cut_frames(state, true);
}
BENCHMARK(next_frame_and_decode_over_64_kb);

void valid_topic_name(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 't');
  for ([[maybe_unused]] auto _ : state) {
    std::string_view in = text;
    benchmark::DoNotOptimize(in);
    auto valid = is_valid_topic_name(in);
    benchmark::DoNotOptimize(valid);
  }
  count_bytes(state, text.size());
}
BENCHMARK(valid_topic_name)->Arg(5)->Arg(31)->Arg(200);

void valid_topic_name_in_cyrillic(benchmark::State& state) {
  std::string text;
  while (text.size() < 30)
    text += "\xD1\x84";
  for ([[maybe_unused]] auto _ : state) {
    std::string_view in = text;
    benchmark::DoNotOptimize(in);
    auto valid = is_valid_topic_name(in);
    benchmark::DoNotOptimize(valid);
  }
  count_bytes(state, text.size());
}
BENCHMARK(valid_topic_name_in_cyrillic);

void topic_matches(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    std::string_view filter = "bank/+/outlet/+/cash/#";
    benchmark::DoNotOptimize(filter);
    auto match = matches(filter, topic);
    benchmark::DoNotOptimize(match);
  }
}
BENCHMARK(topic_matches);

void decode_connect_of(benchmark::State& state, protocol_version version) {
  connect_packet packet;
  packet.version = version;
  packet.client_id = "cash-box-000042";
  packet.user_name = "device";
  packet.password = as_bytes("secret");
  packet.will = will_message{.topic = "gone/42", .payload = as_bytes("bye")};
  if (version == protocol_version::mqtt_5_0) {
    packet.session_expiry_interval = 3600;
    packet.receive_maximum = 100;
  }
  byte_buffer wire;
  encode_connect(wire, packet);
  const auto in = next_frame(wire.view(), no_packet_limit).value().value();
  for ([[maybe_unused]] auto _ : state) {
    auto read = in;
    benchmark::DoNotOptimize(read);
    auto decoded = decode_connect(read, false);
    benchmark::DoNotOptimize(decoded);
  }
  count_bytes(state, wire.size());
}

void decode_connect_v3(benchmark::State& state) {
  decode_connect_of(state, protocol_version::mqtt_3_1_1);
}
BENCHMARK(decode_connect_v3);

void decode_connect_v5(benchmark::State& state) {
  decode_connect_of(state, protocol_version::mqtt_5_0);
}
BENCHMARK(decode_connect_v5);

} // namespace
