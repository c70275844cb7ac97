#include "cluster/log_codec.hpp"

#include "cluster/wire_records.hpp"

#include <algorithm>
#include <cassert>

namespace troupe::cluster {

namespace {

// ---- how many words ---------------------------------------------------------

std::size_t text(const std::string& x) { return text_words(x.size()); }

/// What a command takes beside its place in the list.
struct command_words {
  std::size_t operator()(const publish_command& x) const {
    return words(*x.message) + (x.inbound ? words(*x.inbound) : 0);
  }
  std::size_t operator()(const claim_command& x) const {
    return words_of<wire::Claim> + text(x.client_id)
           + (x.will ? words(*x.will) : 0);
  }
  std::size_t operator()(const release_command& x) const {
    return words_of<wire::Release> + text(x.client_id)
           + (x.record ? words(*x.record) : 0);
  }
  std::size_t operator()(const subscribe_command& x) const {
    return words_of<wire::Subscribe> + text(x.client_id)
           + words(x.subscription);
  }
  std::size_t operator()(const checkpoint_command& x) const {
    return words_of<wire::Checkpoint> + text(x.client_id) + words(x.kept)
           + list_words<wire::Cursor>(x.cursors);
  }
  std::size_t operator()(const inbound_command& x) const {
    return words_of<wire::Inbound> + text(x.client_id);
  }
  std::size_t operator()(const inbound_end_command& x) const {
    return words(x.what);
  }
  std::size_t operator()(const inbound_forget_command& x) const {
    return words_of<wire::InboundForget> + text(x.client_id);
  }
  std::size_t operator()(const outbound_command& x) const {
    return words_of<wire::Outbound> + text(x.client_id)
           + list_words<wire::OutboundState>(x.states) + words(x.kept)
           + words(x.taken);
  }
  std::size_t operator()(const hold_command& x) const {
    return words_of<wire::Hold> + text(x.client_id) + words(x.subscription);
  }
  std::size_t operator()(const advance_command& x) const {
    return words_of<wire::Advance> + text(x.client_id);
  }
  std::size_t operator()(const group_done_command& x) const {
    return words_of<wire::GroupDone> + text(x.share_name) + text(x.filter);
  }
  std::size_t operator()(const group_return_command& x) const {
    return words_of<wire::GroupReturn> + text(x.share_name) + text(x.filter)
           + words(*x.message);
  }
  std::size_t operator()(const group_cursor_command& x) const {
    return words_of<wire::GroupCursor> + text(x.share_name) + text(x.filter) + 1
           + x.open.size();
  }
  std::size_t operator()(const remove_retained_command& x) const {
    return text(x.topic);
  }
  std::size_t operator()(const restart_command& x) const {
    return text(x.after);
  }
  std::size_t operator()(const forward_command& x) const {
    return words_of<
             wire::
               Forward> + words_of<wire::Command> + cluster::words(x.what->what);
  }
  std::size_t operator()(const forwarded_command&) const {
    return words_of<wire::Forwarded>;
  }
  template <class T>
  std::size_t operator()(const T&) const {
    return 0; // nothing beside its kind, or not in the log
  }
};

// ---- writing ----------------------------------------------------------------

struct command_writer {
  wire::Command::Builder to;
  const time_base& times;

  static unsigned size(const auto& x) {
    return static_cast<unsigned>(x.size());
  }
  /// The Client Identifier of a command.
  template <class Builder>
  static void client(Builder& x, const std::string& id) {
    copy_to(x.initClientId(size(id)), id);
  }
  template <class Builder, class Command>
  static void group(Builder& x, const Command& from) {
    copy_to(x.initShareName(size(from.share_name)), from.share_name);
    copy_to(x.initFilter(size(from.filter)), from.filter);
  }

  void operator()(const publish_command& x) {
    auto at = to.initPublish();
    write(at.initMessage(), *x.message, times);
    if (x.inbound)
      write(at.initInbound(), *x.inbound);
    at.setDelay(x.delay_seconds);
  }
  void operator()(const claim_command& x) {
    auto at = to.initClaim();
    client(at, x.client_id);
    if (x.will)
      write(at.initWill(), *x.will, times);
    at.setExpiryInterval(x.expiry_interval);
    at.setCleanStart(x.clean_start);
  }
  void operator()(const release_command& x) {
    auto at = to.initRelease();
    client(at, x.client_id);
    if (x.record)
      write(at.initRecord(), *x.record, times);
    at.setEpoch(x.epoch);
    at.setExpiryInterval(x.expiry_interval);
    at.setPublishesWill(x.will == release_command::will_fate::publish);
  }
  void operator()(const subscribe_command& x) {
    auto at = to.initSubscribe();
    client(at, x.client_id);
    write(at.initSubscription(), x.subscription);
    at.setEpoch(x.epoch);
    at.setSubscribes(x.subscribes);
  }
  void operator()(const checkpoint_command& x) {
    auto at = to.initCheckpoint();
    client(at, x.client_id);
    if (!x.kept.empty())
      write(at.initKept(size(x.kept)), x.kept, times);
    if (!x.cursors.empty())
      write(at.initCursors(size(x.cursors)), x.cursors);
    at.setEpoch(x.epoch);
  }
  void operator()(const inbound_command& x) {
    auto at = to.initInbound();
    client(at, x.client_id);
    at.setEpoch(x.epoch);
    at.setPacketIdentifier(x.packet_identifier);
    at.setShard(x.shard);
    at.setBegins(x.begins);
  }
  void operator()(const inbound_end_command& x) {
    write(to.initInboundEnd(), x.what);
  }
  void operator()(const inbound_forget_command& x) {
    auto at = to.initInboundForget();
    client(at, x.client_id);
    at.setIncarnation(x.incarnation);
  }
  void operator()(const outbound_command& x) {
    auto at = to.initOutbound();
    client(at, x.client_id);
    if (!x.states.empty())
      write(at.initStates(size(x.states)), x.states);
    if (!x.kept.empty())
      write(at.initKept(size(x.kept)), x.kept, times);
    if (!x.taken.empty())
      write(at.initTaken(size(x.taken)), x.taken);
    at.setEpoch(x.epoch);
  }
  void operator()(const hold_command& x) {
    auto at = to.initHold();
    client(at, x.client_id);
    write(at.initSubscription(), x.subscription);
    at.setHolds(x.holds);
  }
  void operator()(const advance_command& x) {
    auto at = to.initAdvance();
    client(at, x.client_id);
    at.setSequence(x.sequence);
  }
  void operator()(const group_done_command& x) {
    auto at = to.initGroupDone();
    group(at, x);
    at.setSequence(x.sequence);
  }
  void operator()(const group_return_command& x) {
    auto at = to.initGroupReturn();
    group(at, x);
    write(at.initMessage(), *x.message, times);
    at.setSequence(x.sequence);
  }
  void operator()(const group_cursor_command& x) {
    auto at = to.initGroupCursor();
    group(at, x);
    at.setUpTo(x.up_to);
    write_sequences(x.open, [&](unsigned n) { return at.initOpen(n); });
  }
  void operator()(const remove_retained_command& x) {
    copy_to(to.initRemoveRetained(size(x.topic)), x.topic);
  }
  void operator()(const time_command&) { to.setTime(); }
  void operator()(const restart_command& x) {
    copy_to(to.initRestart(size(x.after)), x.after);
  }
  void operator()(const forward_command& x) {
    write(to.initForward(), x, times);
  }
  void operator()(const forwarded_command& x) {
    auto at = to.initForwarded();
    at.setTo(x.to);
    at.setSequence(x.sequence);
  }
  // What never is in the log. Its kind stays unset, which no reader takes.
  void operator()(const group_online_command&) { assert(false); }
  void operator()(const fetch_read&) { assert(false); }
  void operator()(const retained_read&) { assert(false); }
};

// ---- reading ----------------------------------------------------------------

/// @param forwarded  inside a Forward, where no other one is.
command read_command(wire::Command::Reader from, const source& in,
                     bool forwarded) {
  switch (from.which()) {
  case wire::Command::UNSET:
    throw record_error{"a command has no kind"};
  case wire::Command::PUBLISH: {
    const auto at = from.getPublish();
    publish_command x;
    x.message = read_message_of(at, in);
    if (at.hasInbound())
      x.inbound = read(at.getInbound());
    x.delay_seconds = at.getDelay();
    return x;
  }
  case wire::Command::CLAIM: {
    const auto at = from.getClaim();
    claim_command x;
    x.client_id = read_client_id(at.getClientId());
    x.clean_start = at.getCleanStart();
    x.expiry_interval = at.getExpiryInterval();
    if (at.hasWill())
      x.will = read(at.getWill(), in);
    return x;
  }
  case wire::Command::RELEASE: {
    const auto at = from.getRelease();
    release_command x;
    x.client_id = read_client_id(at.getClientId());
    x.epoch = at.getEpoch();
    if (at.hasRecord())
      x.record = read(at.getRecord(), in);
    x.expiry_interval = at.getExpiryInterval();
    x.will = at.getPublishesWill() ? release_command::will_fate::publish
                                   : release_command::will_fate::discard;
    return x;
  }
  case wire::Command::SUBSCRIBE: {
    const auto at = from.getSubscribe();
    subscribe_command x;
    x.client_id = read_client_id(at.getClientId());
    x.epoch = at.getEpoch();
    x.subscription = read(at.getSubscription());
    x.subscribes = at.getSubscribes();
    return x;
  }
  case wire::Command::CHECKPOINT: {
    const auto at = from.getCheckpoint();
    checkpoint_command x;
    x.client_id = read_client_id(at.getClientId());
    x.epoch = at.getEpoch();
    x.kept = read(at.getKept(), in);
    x.cursors = read(at.getCursors(), in);
    return x;
  }
  case wire::Command::INBOUND: {
    const auto at = from.getInbound();
    inbound_command x;
    x.client_id = read_client_id(at.getClientId());
    x.epoch = at.getEpoch();
    x.packet_identifier = read_packet_identifier(at.getPacketIdentifier());
    x.shard = at.getShard();
    x.begins = at.getBegins();
    return x;
  }
  case wire::Command::INBOUND_END:
    return inbound_end_command{read(from.getInboundEnd()), {}};
  case wire::Command::INBOUND_FORGET: {
    const auto at = from.getInboundForget();
    return inbound_forget_command{read_client_id(at.getClientId()),
                                  at.getIncarnation()};
  }
  case wire::Command::OUTBOUND: {
    const auto at = from.getOutbound();
    outbound_command x;
    x.client_id = read_client_id(at.getClientId());
    x.epoch = at.getEpoch();
    x.states = read(at.getStates(), in);
    x.kept = read(at.getKept(), in);
    x.taken = read(at.getTaken(), in);
    return x;
  }
  case wire::Command::HOLD: {
    const auto at = from.getHold();
    hold_command x;
    x.client_id = read_client_id(at.getClientId());
    x.subscription = read(at.getSubscription());
    x.holds = at.getHolds();
    return x;
  }
  case wire::Command::ADVANCE: {
    const auto at = from.getAdvance();
    return advance_command{read_client_id(at.getClientId()), at.getSequence()};
  }
  case wire::Command::GROUP_DONE: {
    const auto at = from.getGroupDone();
    return group_done_command{read_share_name(at.getShareName()),
                              read_filter(at.getFilter()), at.getSequence()};
  }
  case wire::Command::GROUP_RETURN: {
    const auto at = from.getGroupReturn();
    return group_return_command{read_share_name(at.getShareName()),
                                read_filter(at.getFilter()),
                                read_message_of(at, in), at.getSequence()};
  }
  case wire::Command::GROUP_CURSOR: {
    const auto at = from.getGroupCursor();
    return group_cursor_command{read_share_name(at.getShareName()),
                                read_filter(at.getFilter()), at.getUpTo(),
                                read_sequences(at.getOpen(), in)};
  }
  case wire::Command::REMOVE_RETAINED:
    return remove_retained_command{read_topic(from.getRemoveRetained())};
  case wire::Command::TIME:
    return time_command{};
  case wire::Command::RESTART:
    return restart_command{std::string{view(from.getRestart())}};
  case wire::Command::FORWARD:
    if (forwarded)
      throw record_error{"a forwarded command forwards another one"};
    return read(from.getForward(), in);
  case wire::Command::FORWARDED: {
    const auto at = from.getForwarded();
    return forwarded_command{at.getTo(), at.getSequence()};
  }
  }
  throw record_error{
    "a command is of kind " + std::to_string(static_cast<int>(from.which()))
    + ", which this version does not know: a newer one has written it"};
}

} // namespace

std::size_t words(const command& x) { return std::visit(command_words{}, x); }

void write(wire::Forward::Builder to, const forward_command& x,
           const time_base& times) {
  assert(!std::holds_alternative<forward_command>(x.what->what));
  std::visit(command_writer{to.initWhat(), times}, x.what->what);
  to.setSequence(x.sequence);
  to.setFrom(x.from);
}

forward_command read(wire::Forward::Reader from, const source& in) {
  if (!from.hasWhat())
    throw record_error{"there is no command where one is forwarded"};
  return {from.getFrom(), from.getSequence(),
          std::make_shared<boxed_command>(
            boxed_command{read_command(from.getWhat(), in, true)})};
}

std::string encode_entry(const log_entry& x, const time_base& times) {
  // The root with its pointer, and what leads the list.
  auto size = 2 + words_of<wire::LogEntry>;
  unsigned count = 0;
  for (const auto& one : x.commands)
    if (needs_log(one)) {
      size += words_of<wire::Command> + words(one);
      ++count;
    }
  flat_builder built{size};
  auto root = built.initRoot<wire::LogEntry>();
  root.setAt(times.to_stored(x.at));
  root.setFormat(log_format);
  auto list = root.initCommands(count);
  unsigned next = 0;
  for (const auto& one : x.commands)
    if (needs_log(one))
      std::visit(command_writer{list[next++], times}, one);
  return built.take();
}

log_entry decode_entry(std::span<const std::uint8_t> in,
                       const time_base& times) {
  return read_record<wire::LogEntry>(
    in, times, [](wire::LogEntry::Reader from, const source& message) {
      if (from.getFormat() == 0 || from.getFormat() > log_format)
        throw record_error{
          "the entry has format " + std::to_string(from.getFormat())
          + ", this version knows 1 to " + std::to_string(log_format)};
      log_entry x;
      x.at = read_past(from.getAt(), message.times);
      const auto list = checked(from.getCommands(), message);
      x.commands.reserve(list.size());
      for (const auto one : list)
        x.commands.push_back(read_command(one, message, false));
      return x;
    });
}

} // namespace troupe::cluster
