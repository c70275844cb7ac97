#include "cluster/wire_records.hpp"

#include <algorithm>
#include <cassert>
#include <new>

namespace troupe::cluster {

namespace {

constexpr std::size_t word_bytes = sizeof(capnp::word);
constexpr std::size_t text_max = 65'535; // of a string of MQTT, 1.5.4

void put_u32(char* to, std::size_t x) {
  for (unsigned i = 0; i < 4; ++i)
    to[i] = static_cast<char>(static_cast<unsigned char>(x >> 8 * i));
}

[[noreturn]] void refuse(const std::string& what) { throw record_error{what}; }

std::string_view checked_text(capnp::Text::Reader from, const char* what,
                              std::size_t least = 0) {
  const auto text = view(from);
  if (text.size() < least || text.size() > text_max)
    refuse(std::string{what} + " has " + std::to_string(text.size())
           + " bytes");
  return text;
}

} // namespace

// ---- building ---------------------------------------------------------------

flat_builder::flat_builder(std::size_t words)
  // Never in the string itself, which is not aligned.
  : out_((std::max<std::size_t>(words, 8) + 1) * word_bytes, '\0') {}

kj::ArrayPtr<capnp::word> flat_builder::allocateSegment(unsigned minimum) {
  const auto room = out_.size() / word_bytes - 1;
  if (std::exchange(first_, false) && room >= minimum)
    return {reinterpret_cast<capnp::word*>(out_.data()) + 1, room};
  const auto size = std::max<std::size_t>(minimum, room);
  auto* made = static_cast<capnp::word*>(std::calloc(size, word_bytes));
  if (made == nullptr)
    throw std::bad_alloc{};
  further_.emplace_back(made);
  return {made, size};
}

std::string flat_builder::take() {
  const auto segments = getSegmentsForOutput();
  const auto* first = reinterpret_cast<capnp::word*>(out_.data()) + 1;
  if (segments.size() == 1 && segments[0].begin() == first) {
    put_u32(out_.data() + 4, segments[0].size());
    out_.resize((1 + segments[0].size()) * word_bytes);
    return std::move(out_);
  }
  std::string all((segments.size() / 2 + 1) * word_bytes, '\0');
  put_u32(all.data(), segments.size() - 1);
  for (std::size_t i = 0; i < segments.size(); ++i)
    put_u32(all.data() + 4 * (i + 1), segments[i].size());
  for (const auto& segment : segments)
    all.append(reinterpret_cast<const char*>(segment.begin()),
               segment.size() * word_bytes);
  return all;
}

std::size_t words(const subscription_record& x) {
  return words_of<wire::Subscription> + text_words(x.filter.size())
         + text_words(x.share_name.size());
}

std::size_t words(const std::vector<kept_message>& x) {
  auto sum = list_words<wire::KeptMessage>(x);
  for (const auto& one : x) {
    sum += words(*one.what.message);
    if (one.what.more_identifiers)
      sum += (one.what.more_identifiers->size() + 1) / 2;
  }
  return sum;
}

std::size_t words(const std::vector<group_place>& x) {
  auto sum = list_words<wire::GroupPlace>(x);
  for (const auto& one : x)
    sum += text_words(one.filter.size()) + text_words(one.share_name.size());
  return sum;
}

std::size_t words(const session_record& x) {
  auto sum = words_of<wire::SessionRecord> + 1 + words(x.kept)
             + list_words<wire::InboundPlace>(x.awaiting_release)
             + list_words<wire::OutboundState>(x.outbound)
             + list_words<wire::Cursor>(x.cursors);
  for (const auto& one : x.subscriptions)
    sum += words(one);
  return sum;
}

std::size_t words(const will_record& x) {
  return words_of<wire::Will> + words(*x.message);
}

std::uint8_t to_byte(const protocol::subscription_options& x) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(x.maximum_qos)
                                   | (x.no_local ? 0x04U : 0U)
                                   | (x.retain_as_published ? 0x08U : 0U)
                                   | static_cast<unsigned>(x.handling) << 4);
}

void write(wire::Message::Builder to, const protocol::message& x,
           const time_base& times) {
  const auto topic = x.topic();
  copy_to(to.initTopic(static_cast<unsigned>(topic.size())), topic);
  if (const auto payload = x.payload(); !payload.empty())
    copy_to(to.initPayload(static_cast<unsigned>(payload.size())), payload);
  if (const auto properties = x.properties(); !properties.empty())
    copy_to(to.initProperties(static_cast<unsigned>(properties.size())),
            properties);
  write_header(to, x, times);
}

void write(wire::Subscription::Builder to, const subscription_record& x) {
  copy_to(to.initFilter(static_cast<unsigned>(x.filter.size())), x.filter);
  if (!x.share_name.empty())
    copy_to(to.initShareName(static_cast<unsigned>(x.share_name.size())),
            x.share_name);
  to.setOptions(to_byte(x.options));
  to.setExclusive(x.exclusive);
  to.setIdentifier(x.identifier);
}

void write(capnp::List<wire::KeptMessage>::Builder to,
           const std::vector<kept_message>& x, const time_base& times) {
  for (unsigned i = 0; i < to.size(); ++i) {
    const auto& from = x[i];
    auto one = to[i];
    write(one.initMessage(), *from.what.message, times);
    if (const auto* more = from.what.more_identifiers.get();
        more != nullptr && !more->empty()) {
      auto list = one.initMoreIdentifiers(static_cast<unsigned>(more->size()));
      for (unsigned j = 0; j < list.size(); ++j)
        list.set(j, (*more)[j]);
    }
    one.setSubscriptionIdentifier(from.what.subscription_identifier);
    one.setPacketIdentifier(from.packet_identifier);
    one.setShard(from.what.position.shard);
    one.setSequence(from.what.position.sequence);
    one.setQos(static_cast<std::uint8_t>(from.what.qos));
    one.setRetain(from.what.retain);
    one.setReleased(from.released);
  }
}

void write(capnp::List<wire::Cursor>::Builder to,
           const std::vector<cursor>& x) {
  for (unsigned i = 0; i < to.size(); ++i) {
    to[i].setShard(x[i].shard);
    to[i].setSequence(x[i].sequence);
  }
}

void write(capnp::List<wire::OutboundState>::Builder to,
           const std::vector<outbound_state>& x) {
  for (unsigned i = 0; i < to.size(); ++i) {
    auto one = to[i];
    one.setShard(x[i].position.shard);
    one.setPacketIdentifier(x[i].packet_identifier);
    one.setPhase(static_cast<wire::OutboundPhase>(x[i].now));
    one.setSequence(x[i].position.sequence);
  }
}

void write(capnp::List<wire::GroupPlace>::Builder to,
           const std::vector<group_place>& x) {
  for (unsigned i = 0; i < to.size(); ++i) {
    auto one = to[i];
    const auto& from = x[i];
    copy_to(one.initShareName(static_cast<unsigned>(from.share_name.size())),
            from.share_name);
    copy_to(one.initFilter(static_cast<unsigned>(from.filter.size())),
            from.filter);
    one.setShard(from.position.shard);
    one.setSequence(from.position.sequence);
  }
}

void write(wire::InboundIdentity::Builder to, const inbound_identity& x) {
  copy_to(to.initClientId(static_cast<unsigned>(x.client_id.size())),
          x.client_id);
  to.setIncarnation(x.incarnation);
  to.setPacketIdentifier(x.packet_identifier);
}

void write(wire::SessionRecord::Builder to, const session_record& x,
           const time_base& times) {
  const auto size = [](const auto& list) {
    return static_cast<unsigned>(list.size());
  };
  if (!x.subscriptions.empty()) {
    auto list = to.initSubscriptions(size(x.subscriptions));
    for (unsigned i = 0; i < list.size(); ++i)
      write(list[i], x.subscriptions[i]);
  }
  if (!x.kept.empty())
    write(to.initKept(size(x.kept)), x.kept, times);
  if (!x.awaiting_release.empty()) {
    auto list = to.initAwaitingRelease(size(x.awaiting_release));
    for (unsigned i = 0; i < list.size(); ++i) {
      list[i].setPacketIdentifier(x.awaiting_release[i].packet_identifier);
      list[i].setShard(x.awaiting_release[i].shard);
    }
  }
  if (!x.outbound.empty())
    write(to.initOutbound(size(x.outbound)), x.outbound);
  if (!x.cursors.empty())
    write(to.initCursors(size(x.cursors)), x.cursors);
  to.setNextPacketIdentifier(x.next_packet_identifier);
  to.setPublishedQos2(x.published_qos2);
}

void write(wire::Will::Builder to, const will_record& x,
           const time_base& times) {
  write(to.initMessage(), *x.message, times);
  to.setDelay(static_cast<std::uint32_t>(
    std::clamp<std::int64_t>(x.delay.count(), 0, 0xFFFF'FFFF)));
}

// ---- reading ----------------------------------------------------------------

aligned_bytes::aligned_bytes(std::span<const std::uint8_t> in) {
  const auto u32 = [&](std::size_t at) {
    return static_cast<std::uint64_t>(in[at]) | std::uint64_t{in[at + 1]} << 8
           | std::uint64_t{in[at + 2]} << 16 | std::uint64_t{in[at + 3]} << 24;
  };
  if (in.empty())
    refuse("empty");
  if (in.size() % word_bytes != 0)
    refuse("cut off: " + std::to_string(in.size())
           + " bytes are not a whole number of words");
  // The library reads the same table, but takes what lies behind its end.
  const auto segments = u32(0) + 1;
  auto expected = segments / 2 + 1;
  if (expected > in.size() / word_bytes)
    refuse("damaged: its table has " + std::to_string(segments) + " segments");
  for (std::uint64_t i = 0; i < segments; ++i)
    expected += u32(4 * (i + 1));
  if (expected != in.size() / word_bytes)
    refuse((expected > in.size() / word_bytes ? "cut off: " : "too long: ")
           + std::to_string(in.size()) + " bytes instead of "
           + std::to_string(expected * word_bytes));
  size_ = in.size() / word_bytes;
  if (reinterpret_cast<std::uintptr_t>(in.data()) % alignof(std::uint64_t)
      == 0) {
    at_ = reinterpret_cast<const capnp::word*>(in.data());
    return;
  }
  copy_ = std::make_unique<capnp::word[]>(size_);
  std::memcpy(copy_.get(), in.data(), in.size());
  at_ = copy_.get();
}

std::string read_client_id(capnp::Text::Reader from) {
  return std::string{checked_text(from, "a Client Identifier")};
}

std::string read_share_name(capnp::Text::Reader from) {
  return std::string{checked_text(from, "a share name")};
}

std::string read_filter(capnp::Text::Reader from) {
  return std::string{checked_text(from, "a topic filter", 1)};
}

std::string read_topic(capnp::Text::Reader from) {
  return std::string{checked_text(from, "a topic name", 1)};
}

std::uint16_t read_packet_identifier(std::uint16_t from) {
  if (from == 0)
    refuse("a packet identifier is 0");
  return from;
}

std::uint32_t read_subscription_identifier(std::uint32_t from) {
  if (from > packet_max)
    refuse("a Subscription Identifier is " + std::to_string(from));
  return from;
}

protocol::qos read_qos(std::uint8_t from) {
  if (from > 2)
    refuse("a QoS is " + std::to_string(from));
  return static_cast<protocol::qos>(from);
}

protocol::subscription_options read_options(std::uint8_t from) {
  if ((from & 0x03) == 0x03 || (from & 0x30) == 0x30 || (from & 0xC0) != 0)
    refuse("Subscription Options are " + std::to_string(from));
  return {static_cast<protocol::qos>(from & 0x03), (from & 0x04) != 0,
          (from & 0x08) != 0,
          static_cast<protocol::retain_handling>(from >> 4)};
}

time_point read_past(std::int64_t from, const time_base& times) {
  if (from == time_base::stored_never)
    refuse("something has happened at a time that never comes");
  return times.from_stored(from);
}

message_ptr read(wire::Message::Reader from, const source& in) {
  protocol::message_options made;
  made.topic = checked_text(from.getTopic(), "a topic name", 1);
  made.payload = view(from.getPayload());
  made.properties[0] = view(from.getProperties());
  return read_header(from, made, in);
}

subscription_record read(wire::Subscription::Reader from) {
  subscription_record x;
  x.filter = read_filter(from.getFilter());
  x.share_name = read_share_name(from.getShareName());
  x.options = read_options(from.getOptions());
  x.exclusive = from.getExclusive();
  x.identifier = read_subscription_identifier(from.getIdentifier());
  return x;
}

std::vector<kept_message> read(capnp::List<wire::KeptMessage>::Reader from,
                               const source& in) {
  std::vector<kept_message> all;
  all.reserve(checked(from, in).size());
  for (const auto one : from) {
    auto& x = all.emplace_back();
    x.what.message = read_message_of(one, in);
    if (const auto more = one.getMoreIdentifiers(); more.size() != 0) {
      x.what.more_identifiers = std::make_unique<std::vector<std::uint32_t>>();
      x.what.more_identifiers->reserve(more.size());
      for (const auto identifier : more)
        x.what.more_identifiers->push_back(
          read_subscription_identifier(identifier));
    }
    x.what.subscription_identifier =
      read_subscription_identifier(one.getSubscriptionIdentifier());
    x.packet_identifier = one.getPacketIdentifier();
    x.what.position = {one.getShard(), one.getSequence()};
    x.what.qos = read_qos(one.getQos());
    x.what.retain = one.getRetain();
    x.released = one.getReleased();
  }
  return all;
}

std::vector<cursor> read(capnp::List<wire::Cursor>::Reader from,
                         const source& in) {
  std::vector<cursor> all;
  all.reserve(checked(from, in).size());
  for (const auto one : from)
    all.push_back({one.getShard(), one.getSequence()});
  return all;
}

std::vector<group_place> read(capnp::List<wire::GroupPlace>::Reader from,
                              const source& in) {
  std::vector<group_place> all;
  all.reserve(checked(from, in).size());
  for (const auto one : from)
    all.push_back({read_share_name(one.getShareName()),
                   read_filter(one.getFilter()),
                   {one.getShard(), one.getSequence()}});
  return all;
}

std::vector<outbound_state> read(capnp::List<wire::OutboundState>::Reader from,
                                 const source& in) {
  std::vector<outbound_state> all;
  all.reserve(checked(from, in).size());
  for (const auto one : from) {
    const auto phase = static_cast<unsigned>(one.getPhase());
    if (phase > static_cast<unsigned>(outbound_state::state::finished))
      refuse("a state of an outgoing message is " + std::to_string(phase));
    all.push_back({{one.getShard(), one.getSequence()},
                   read_packet_identifier(one.getPacketIdentifier()),
                   static_cast<outbound_state::state>(phase)});
  }
  return all;
}

inbound_identity read(wire::InboundIdentity::Reader from) {
  return {read_client_id(from.getClientId()), from.getIncarnation(),
          read_packet_identifier(from.getPacketIdentifier())};
}

std::shared_ptr<session_record> read(wire::SessionRecord::Reader from,
                                     const source& in) {
  auto x = std::make_shared<session_record>();
  const auto subscriptions = checked(from.getSubscriptions(), in);
  x->subscriptions.reserve(subscriptions.size());
  for (const auto one : subscriptions)
    x->subscriptions.push_back(read(one));
  x->kept = read(from.getKept(), in);
  const auto awaiting = checked(from.getAwaitingRelease(), in);
  x->awaiting_release.reserve(awaiting.size());
  for (const auto one : awaiting)
    x->awaiting_release.push_back(
      {read_packet_identifier(one.getPacketIdentifier()), one.getShard()});
  x->outbound = read(from.getOutbound(), in);
  x->cursors = read(from.getCursors(), in);
  x->next_packet_identifier =
    read_packet_identifier(from.getNextPacketIdentifier());
  x->published_qos2 = from.getPublishedQos2();
  return x;
}

std::vector<std::uint64_t>
read_sequences(capnp::List<std::uint64_t>::Reader from, const source& in) {
  std::vector<std::uint64_t> x;
  x.reserve(checked(from, in).size());
  for (const auto sequence : from) {
    if (!x.empty() && sequence <= x.back())
      throw record_error{"sequences do not ascend"};
    x.push_back(sequence);
  }
  return x;
}

std::shared_ptr<will_record> read(wire::Will::Reader from, const source& in) {
  auto x = std::make_shared<will_record>();
  x->message = read_message_of(from, in);
  x->delay = std::chrono::seconds{from.getDelay()};
  return x;
}

} // namespace troupe::cluster
