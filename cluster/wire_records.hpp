#pragma once
// What the codecs of log and rows have in common: building and reading Cap'n
// Proto messages, and the structs of `common.capnp`. The headers are heavy: for
// the sources of the codecs alone.

#include "cluster/command.hpp"
#include "cluster/common.capnp.h"
#include "cluster/log.capnp.h"
#include "cluster/record_error.hpp"
#include "cluster/rows.hpp"
#include "cluster/time_base.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::cluster {

// ---- building ---------------------------------------------------------------

/// Builds a message where it stays: behind its segment table, in the string
/// that leaves, without a copy if the size was not estimated too low.
class flat_builder final : public capnp::MessageBuilder {
public:
  /// @param words  estimate, root and its pointer included.
  explicit flat_builder(std::size_t words);

  /// The message with its segment table; nothing can be built afterwards.
  std::string take();

  kj::ArrayPtr<capnp::word> allocateSegment(unsigned minimum) override;

private:
  struct deleter {
    void operator()(capnp::word* x) const noexcept { std::free(x); }
  };
  std::string out_;
  std::vector<std::unique_ptr<capnp::word, deleter>> further_;
  bool first_ = true;
};

// Words that something takes, for `flat_builder`.

template <class Struct>
inline constexpr std::size_t words_of =
  Struct::_capnpPrivate::dataWordSize + Struct::_capnpPrivate::pointerCount;

constexpr std::size_t text_words(std::size_t size) { return size / 8 + 1; }
constexpr std::size_t data_words(std::size_t size) { return (size + 7) / 8; }
inline std::size_t words(const protocol::message& x) {
  return words_of<wire::Message> + text_words(x.topic().size())
         + data_words(x.payload().size()) + data_words(x.properties().size());
}
std::size_t words(const subscription_record& x);
std::size_t words(const std::vector<kept_message>& x);
std::size_t words(const std::vector<group_place>& x);
std::size_t words(const session_record& x);
std::size_t words(const will_record& x);
inline std::size_t words(const inbound_identity& x) {
  return words_of<wire::InboundIdentity> + text_words(x.client_id.size());
}
/// Beside its place in a list.
std::size_t words(const command& x);
template <class Struct, class T>
std::size_t list_words(const std::vector<T>& x) {
  return 1 + x.size() * words_of<Struct>;
}

// Text and data are copied by hand: a setter wants a terminating null.

inline void copy_to(capnp::Text::Builder to, std::string_view from) {
  std::memcpy(to.begin(), from.data(), from.size());
}
inline void copy_to(capnp::Data::Builder to, protocol::bytes_view from) {
  std::memcpy(to.begin(), from.data(), from.size());
}

/// @param init  makes the list of so many numbers.
template <class Init>
void write_sequences(const std::vector<std::uint64_t>& x, Init&& init) {
  if (x.empty())
    return;
  auto list = init(static_cast<unsigned>(x.size()));
  for (unsigned i = 0; i < list.size(); ++i)
    list.set(i, x[i]);
}

std::uint8_t to_byte(const protocol::subscription_options& x) noexcept;
void write(wire::Message::Builder to, const protocol::message& x,
           const time_base& times);
/// What a message has beside its bytes: of `Message` and of an entry of a page.
template <class Builder>
void write_header(Builder to, const protocol::message& x,
                  const time_base& times) {
  to.setQos(static_cast<std::uint8_t>(x.qos()));
  to.setRetain(x.retain());
  if (x.has_expiry()) {
    to.setHasExpiry(true);
    to.setExpiryInterval(x.expiry_interval());
  }
  to.setReceivedAt(times.to_stored(x.received_at()));
  to.setPublisher(x.publisher());
}
void write(wire::Subscription::Builder to, const subscription_record& x);
void write(capnp::List<wire::KeptMessage>::Builder to,
           const std::vector<kept_message>& x, const time_base& times);
void write(capnp::List<wire::Cursor>::Builder to, const std::vector<cursor>& x);
void write(capnp::List<wire::OutboundState>::Builder to,
           const std::vector<outbound_state>& x);
void write(capnp::List<wire::GroupPlace>::Builder to,
           const std::vector<group_place>& x);
void write(wire::InboundIdentity::Builder to, const inbound_identity& x);
void write(wire::SessionRecord::Builder to, const session_record& x,
           const time_base& times);
void write(wire::Will::Builder to, const will_record& x,
           const time_base& times);
void write(wire::Forward::Builder to, const forward_command& x,
           const time_base& times);

// ---- reading ----------------------------------------------------------------

inline constexpr std::size_t packet_max =
  268'435'455; // Remaining Length, 2.1.4

// All of these throw record_error, and kj::Exception for what `read_record`
// translates. Each pointer is read once: the reader counts what is read, and
// stops when that is more than the message has.

/// A message that is being read.
struct source {
  const time_base& times;
  std::size_t words = 0; ///< of the whole message
};

/// Refuses a list that claims more structs than its message has room for.
template <class List>
List checked(List list, const source& from) {
  if (list.size() > from.words)
    throw record_error{"a list has more elements than the record has room for"};
  return list;
}

/// `in` where the library can read it: copied if it is not aligned. Its segment
/// table is checked, and that nothing is missing or too much.
class aligned_bytes {
public:
  explicit aligned_bytes(std::span<const std::uint8_t> in);
  kj::ArrayPtr<const capnp::word> view() const noexcept { return {at_, size_}; }

private:
  std::unique_ptr<capnp::word[]> copy_;
  const capnp::word* at_ = nullptr;
  std::size_t size_ = 0;
};

/// Calls `f(reader of Root, source)` with the message in `in`.
/// @returns what `f` does.
/// @throws record_error  also for what the library finds wrong.
template <class Root, class F>
auto read_record(std::span<const std::uint8_t> in, const time_base& times,
                 F&& f) {
  const aligned_bytes bytes{in};
  const auto all = bytes.view();
  try {
    capnp::ReaderOptions limits;
    limits.traversalLimitInWords = all.size();
    limits.nestingLimit = 16;
    capnp::FlatArrayMessageReader reader{all, limits};
    return f(reader.getRoot<Root>(), source{times, all.size()});
  } catch (const kj::Exception& e) {
    throw record_error{std::string{"damaged: "} + e.getDescription().cStr()};
  }
}

inline std::string_view view(capnp::Text::Reader x) {
  return {x.begin(), x.size()};
}
inline protocol::bytes_view view(capnp::Data::Reader x) {
  return {x.begin(), x.size()};
}

std::string read_client_id(capnp::Text::Reader from);
std::string read_share_name(capnp::Text::Reader from);
std::string read_filter(capnp::Text::Reader from);
std::string read_topic(capnp::Text::Reader from);
std::uint16_t read_packet_identifier(std::uint16_t from);
std::uint32_t read_subscription_identifier(std::uint32_t from);
protocol::qos read_qos(std::uint8_t from);
protocol::subscription_options read_options(std::uint8_t from);
/// Of something that has happened: not `never`.
time_point read_past(std::int64_t from, const time_base& times);
message_ptr read(wire::Message::Reader from, const source& in);
/// @param made  has topic, payload and properties.
/// @returns the message with what `write_header` has written.
template <class Reader>
message_ptr read_header(Reader from, protocol::message_options& made,
                        const source& in) {
  if (made.payload.size() > packet_max
      || made.properties[0].size() > packet_max)
    throw record_error{"a message is larger than a packet"};
  made.qos = read_qos(from.getQos());
  made.retain = from.getRetain();
  if (from.getHasExpiry())
    made.message_expiry_interval = from.getExpiryInterval();
  made.received_at = read_past(from.getReceivedAt(), in.times);
  made.publisher = from.getPublisher();
  return protocol::message::make(made);
}
/// Ascending, else it throws.
std::vector<std::uint64_t>
read_sequences(capnp::List<std::uint64_t>::Reader from, const source& in);
subscription_record read(wire::Subscription::Reader from);
std::vector<kept_message> read(capnp::List<wire::KeptMessage>::Reader from,
                               const source& in);
std::vector<cursor> read(capnp::List<wire::Cursor>::Reader from,
                         const source& in);
std::vector<group_place> read(capnp::List<wire::GroupPlace>::Reader from,
                              const source& in);
std::vector<outbound_state> read(capnp::List<wire::OutboundState>::Reader from,
                                 const source& in);
inbound_identity read(wire::InboundIdentity::Reader from);
std::shared_ptr<session_record> read(wire::SessionRecord::Reader from,
                                     const source& in);
std::shared_ptr<will_record> read(wire::Will::Reader from, const source& in);
forward_command read(wire::Forward::Reader from, const source& in);

/// A message that must be there.
template <class Reader>
message_ptr read_message_of(Reader from, const source& in) {
  if (!from.hasMessage())
    throw record_error{"there is no message where one belongs"};
  return read(from.getMessage(), in);
}

} // namespace troupe::cluster
