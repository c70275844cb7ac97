#include "tests/support/packet.hpp"

#include <algorithm>
#include <map>

namespace troupe::test {

namespace {

enum class kind { byte, two, four, variable, text, binary, pair };

struct property_rule {
  kind what;
  std::vector<packet_type> where; ///< packets of a server
  std::uint32_t minimum = 0;
  std::uint32_t maximum = 0xFFFF'FFFF;
};

const std::vector<packet_type> with_reason{
  CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH};

const std::map<property_id, property_rule>& property_rules() {
  using enum property_id;
  static const std::map<property_id, property_rule> rules{
    {payload_format_indicator, {kind::byte, {PUBLISH}, 0, 1}},
    {message_expiry_interval, {kind::four, {PUBLISH}}},
    {content_type, {kind::text, {PUBLISH}}},
    {response_topic, {kind::text, {PUBLISH}}},
    {correlation_data, {kind::binary, {PUBLISH}}},
    {subscription_identifier, {kind::variable, {PUBLISH}, 1}},
    {session_expiry_interval, {kind::four, {CONNACK}}},
    {assigned_client_identifier, {kind::text, {CONNACK}}},
    {server_keep_alive, {kind::two, {CONNACK}}},
    {authentication_method, {kind::text, {CONNACK, AUTH}}},
    {authentication_data, {kind::binary, {CONNACK, AUTH}}},
    {response_information, {kind::text, {CONNACK}}},
    {server_reference, {kind::text, {CONNACK, DISCONNECT}}},
    {reason_string, {kind::text, with_reason}},
    {receive_maximum, {kind::two, {CONNACK}, 1}},
    {topic_alias_maximum, {kind::two, {CONNACK}}},
    {topic_alias, {kind::two, {PUBLISH}, 1}},
    {maximum_qos, {kind::byte, {CONNACK}, 0, 1}},
    {retain_available, {kind::byte, {CONNACK}, 0, 1}},
    {maximum_packet_size, {kind::four, {CONNACK}, 1}},
    {wildcard_subscription_available, {kind::byte, {CONNACK}, 0, 1}},
    {subscription_identifier_available, {kind::byte, {CONNACK}, 0, 1}},
    {shared_subscription_available, {kind::byte, {CONNACK}, 0, 1}},
    {user_property, {kind::pair, {}}},
  };
  return rules;
}

/// Reason Codes that a server may send, by packet (MQTT 5.0 section 2.4).
bool reason_allowed(packet_type type, unsigned code) {
  static const std::map<packet_type, std::vector<unsigned>> allowed{
    {CONNACK,
     {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
      0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}},
    {PUBACK, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
    {PUBREC, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}},
    {PUBREL, {0x00, 0x92}},
    {PUBCOMP, {0x00, 0x92}},
    {SUBACK,
     {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}},
    {UNSUBACK, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}},
    {DISCONNECT, {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
                  0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
                  0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2}},
    {AUTH, {0x00, 0x18}},
  };
  const auto& codes = allowed.at(type);
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

/// Reads from the front of a body; throws where it ends early.
class reader {
public:
  reader(std::string_view in, std::string_view whole)
    : rest_(in),
      whole_(whole) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  std::string_view take(std::size_t count) {
    if (rest_.size() < count)
      fail("it ends early");
    const auto out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  unsigned u8() { return static_cast<unsigned char>(take(1)[0]); }
  unsigned u16() {
    const auto high = u8();
    return high << 8 | u8();
  }
  std::uint32_t u32() {
    const auto high = u16();
    return high << 16 | u16();
  }
  std::uint32_t variable() {
    std::uint32_t out = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const auto byte = u8();
      out |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift > 0)
          fail("a variable byte integer is not in its shortest form");
        return out;
      }
    }
    fail("a variable byte integer is longer than four bytes");
  }
  std::string_view binary() { return take(u16()); }
  std::string_view text() {
    const auto out = binary();
    if (!is_text(out))
      fail("a string is not valid UTF-8");
    return out;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_packet{what + ": " + hex(whole_)};
  }

private:
  std::string_view rest_;
  std::string_view whole_;
};

property read_property(reader& in, packet_type type) {
  property out;
  const auto number = in.variable();
  out.id = static_cast<property_id>(number);
  const auto rule = property_rules().find(out.id);
  if (number > 0xFF || rule == property_rules().end())
    in.fail("property " + std::to_string(number)
            + " is not one that a server sends");
  const auto& where = rule->second.where;
  if (!where.empty()
      && std::find(where.begin(), where.end(), type) == where.end())
    in.fail("property " + std::to_string(number) + " is not allowed here");
  switch (rule->second.what) {
  case kind::byte:
    out.number = in.u8();
    break;
  case kind::two:
    out.number = in.u16();
    break;
  case kind::four:
    out.number = in.u32();
    break;
  case kind::variable:
    out.number = in.variable();
    break;
  case kind::text:
    out.value = in.text();
    return out;
  case kind::binary:
    out.value = in.binary();
    return out;
  case kind::pair:
    out.name = in.text();
    out.value = in.text();
    return out;
  }
  if (out.number < rule->second.minimum || out.number > rule->second.maximum)
    in.fail("property " + std::to_string(number) + " has a reserved value");
  return out;
}

void read_properties(reader& in, packet& out) {
  const auto size = in.variable();
  reader block{in.take(size), out.whole};
  while (!block.empty()) {
    auto one = read_property(block, out.type);
    const auto may_repeat = one.id == property_id::user_property
                            || one.id == property_id::subscription_identifier;
    if (!may_repeat && out.has(one.id))
      in.fail("property " + std::to_string(static_cast<int>(one.id))
              + " is there twice");
    out.properties.push_back(std::move(one));
  }
}

void read_reason(reader& in, packet& out, version v) {
  out.reason = in.u8();
  const auto allowed = v == version::mqtt5
                         ? reason_allowed(out.type, out.reason)
                         : out.type == CONNACK && out.reason <= 5;
  if (!allowed)
    in.fail("reason code " + hex(u8(out.reason)) + " is not in the table");
}

/// Reason Code and properties of a packet that may leave both out.
void read_optional_reason(reader& in, packet& out) {
  if (in.empty())
    return;
  read_reason(in, out, version::mqtt5);
  if (!in.empty())
    read_properties(in, out);
}

void read_publish(reader& in, packet& out, version v) {
  if (out.qos() == 3)
    in.fail("both QoS bits are set");
  if (out.qos() == 0 && out.dup())
    in.fail("DUP is set with QoS 0");
  out.topic = in.text();
  if (out.topic.find_first_of("+#") != std::string::npos)
    in.fail("a topic name holds a wildcard");
  if (out.qos() > 0 && (out.id = in.u16()) == 0)
    in.fail("the packet identifier is 0");
  if (v == version::mqtt5)
    read_properties(in, out);
  if (out.topic.empty() && !out.has(property_id::topic_alias))
    in.fail("neither topic nor alias");
  out.payload = in.take(in.rest().size());
}

void read_codes(reader& in, packet& out, version v) {
  out.id = in.u16();
  if (v == version::mqtt5)
    read_properties(in, out);
  if (out.type == UNSUBACK && v != version::mqtt5)
    return;
  if (in.empty())
    in.fail("there is no code");
  while (!in.empty()) {
    const auto code = in.u8();
    const auto known = v == version::mqtt5     ? reason_allowed(out.type, code)
                       : v == version::mqtt311 ? code <= 2 || code == 0x80
                                               : code <= 2;
    if (!known)
      in.fail("code " + hex(u8(code)) + " is not in the table");
    out.reasons.push_back(code);
  }
}

void read_body(reader& in, packet& out, version v) {
  switch (out.type) {
  case CONNACK: {
    const auto flags = in.u8();
    if (flags > 1)
      in.fail("reserved CONNACK flags are set");
    out.session_present = flags == 1;
    read_reason(in, out, v);
    if (v == version::mqtt5)
      read_properties(in, out);
    return;
  }
  case PUBLISH:
    read_publish(in, out, v);
    return;
  case PUBACK:
  case PUBREC:
  case PUBREL:
  case PUBCOMP:
    if ((out.id = in.u16()) == 0)
      in.fail("the packet identifier is 0");
    if (v == version::mqtt5)
      read_optional_reason(in, out);
    return;
  case SUBACK:
  case UNSUBACK:
    read_codes(in, out, v);
    return;
  case PINGRESP:
    return;
  case DISCONNECT:
  case AUTH:
    if (v != version::mqtt5)
      in.fail("only MQTT 5.0 has it from a server");
    read_optional_reason(in, out);
    return;
  default:
    in.fail("a server does not send it");
  }
}

} // namespace

bool is_text(std::string_view in) {
  for (std::size_t i = 0; i < in.size();) {
    const auto first = static_cast<unsigned char>(in[i]);
    const auto size = first < 0x80             ? 1U
                      : (first & 0xE0) == 0xC0 ? 2U
                      : (first & 0xF0) == 0xE0 ? 3U
                      : (first & 0xF8) == 0xF0 ? 4U
                                               : 0U;
    if (size == 0 || i + size > in.size())
      return false;
    std::uint32_t point = size == 1 ? first : first & (0x7FU >> size);
    for (std::size_t j = 1; j < size; ++j) {
      const auto next = static_cast<unsigned char>(in[i + j]);
      if ((next & 0xC0) != 0x80)
        return false;
      point = point << 6 | (next & 0x3FU);
    }
    constexpr std::uint32_t smallest[] = {0, 1, 0x80, 0x800, 0x1'0000};
    if (point < smallest[size] || point > 0x10'FFFF
        || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    i += size;
  }
  return true;
}

bool packet::has(property_id which) const {
  return std::any_of(properties.begin(), properties.end(),
                     [=](const property& x) { return x.id == which; });
}

std::optional<std::uint32_t> packet::number(property_id which) const {
  const auto all = numbers(which);
  return all.empty() ? std::nullopt : std::optional{all.front()};
}

std::optional<bytes> packet::text(property_id which) const {
  for (const auto& one : properties)
    if (one.id == which)
      return one.value;
  return std::nullopt;
}

std::vector<std::uint32_t> packet::numbers(property_id which) const {
  std::vector<std::uint32_t> out;
  for (const auto& one : properties)
    if (one.id == which)
      out.push_back(one.number);
  return out;
}

std::vector<std::string> packet::user_properties() const {
  std::vector<std::string> out;
  for (const auto& one : properties)
    if (one.id == property_id::user_property)
      out.push_back(one.name + "=" + one.value);
  return out;
}

const char* name_of(packet_type type) {
  static constexpr const char* names[] = {
    "packet type 0", "CONNECT",  "CONNACK",     "PUBLISH",
    "PUBACK",        "PUBREC",   "PUBREL",      "PUBCOMP",
    "SUBSCRIBE",     "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
    "PINGREQ",       "PINGRESP", "DISCONNECT",  "AUTH"};
  return names[static_cast<std::size_t>(type) & 15];
}

std::string describe(const packet& in) {
  return std::string{name_of(in.type)} + " (" + hex(in.whole) + ")";
}

std::size_t packet_size(std::string_view in) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < 5 && i < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    length |= (byte & std::size_t{0x7F}) << (7 * (i - 1));
    if ((byte & 0x80) == 0) {
      const auto size = 1 + i + length;
      return in.size() < size ? 0 : size;
    }
    if (i == 4)
      throw bad_packet{"the Remaining Length is longer than four bytes: "
                       + hex(in)};
  }
  return 0;
}

packet parse(version v, std::string_view whole) {
  packet out;
  out.whole = whole;
  reader in{whole, out.whole};
  const auto first = in.u8();
  out.type = static_cast<packet_type>(first >> 4);
  out.flags = first & 15;
  if (in.variable() != in.rest().size())
    in.fail("the Remaining Length is wrong");
  out.body = in.rest();
  if (out.type != PUBLISH && out.flags != (out.type == PUBREL ? 2U : 0U))
    if (v != version::mqtt31 || out.type != PUBREL)
      in.fail("reserved flags of the fixed header are set");
  read_body(in, out, v);
  if (!in.empty() && out.type != PUBLISH)
    in.fail("bytes are left over");
  return out;
}

} // namespace troupe::test
