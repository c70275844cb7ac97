#include "cluster/row_codec.hpp"
#include "cluster/state.capnp.h"
#include "cluster/wire_records.hpp"
#include "storage/keys.hpp"

namespace troupe::cluster {

namespace {

using storage::key_of;

std::string key_with(std::string&& key, std::string_view rest) {
  key.append(rest);
  return std::move(key);
}

/// @param words  of everything behind the root.
template <class Root, class F>
std::string build(std::size_t words, F&& write_to) {
  flat_builder built{1 + words_of<Root> + words};
  write_to(built.initRoot<Root>());
  return built.take();
}

unsigned size_of(const auto& x) { return static_cast<unsigned>(x.size()); }

} // namespace

// ---- keys -------------------------------------------------------------------

std::string applied_key(std::uint16_t shard) { return key_of(shard); }

std::string session_key(std::uint16_t shard, std::string_view client_id) {
  return key_with(key_of(shard), client_id);
}

std::string owned_key(std::uint16_t shard, std::string_view client_id) {
  return key_with(key_of(shard), client_id);
}

std::string filter_prefix(std::uint16_t shard, bool by_topic) {
  return key_of(shard, static_cast<std::uint8_t>(by_topic ? 1 : 0));
}

std::string filter_key(std::uint16_t shard, const filter_name& name) {
  auto key = key_with(filter_prefix(shard, name.by_topic()), name.filter);
  if (!name.by_topic()) {
    key.push_back('\0');
    key.append(name.share_name);
  }
  return key;
}

std::string holder_prefix(std::uint16_t shard, std::string_view client_id) {
  auto key = key_with(key_of(shard), client_id);
  key.push_back('\0');
  return key;
}

std::string holder_key(std::uint16_t shard, std::string_view client_id,
                       std::uint32_t filter) {
  auto key = holder_prefix(shard, client_id);
  storage::put(key, filter);
  return key;
}

std::string group_key(std::uint16_t shard, std::uint32_t filter) {
  return key_of(shard, filter);
}

std::string page_key(std::uint16_t shard, std::uint32_t filter,
                     std::uint64_t last) {
  return key_of(shard, filter, last);
}

std::string message_key(std::uint16_t shard, std::uint64_t sequence) {
  return key_of(shard, sequence);
}

std::string retained_row_key(std::uint16_t shard, std::string_view key) {
  return key_with(key_of(shard), key);
}

std::string timer_row_key(std::uint16_t shard, const timer_key& key,
                          const time_base& times) {
  const auto due = std::max<std::int64_t>(times.to_stored(key.due), 0);
  return key_with(key_of(shard, static_cast<std::uint64_t>(due),
                         static_cast<std::uint8_t>(key.kind)),
                  key.of);
}

std::string exclusive_key(std::uint16_t shard, std::string_view client_id,
                          std::string_view filter) {
  return key_with(holder_prefix(shard, client_id), filter);
}

std::string outbox_key(std::uint16_t shard, std::uint16_t to,
                       std::uint64_t sequence) {
  return key_of(shard, to, sequence);
}

std::string inbound_key(std::uint16_t shard, std::string_view client_id,
                        std::uint16_t packet_identifier) {
  auto key = key_of(shard, static_cast<std::uint16_t>(client_id.size()));
  key.append(client_id);
  storage::put(key, packet_identifier);
  return key;
}

// ---- values -----------------------------------------------------------------

std::string encode_row(const applied_row& x, const time_base& times) {
  return build<wire::AppliedRow>(
    list_words<wire::Cursor>(x.forwarded)
      + list_words<wire::Cursor>(x.applied_from),
    [&](wire::AppliedRow::Builder to) {
      to.setIndex(x.index);
      to.setNow(times.to_stored(x.now));
      to.setSequence(x.sequence);
      to.setLastEpoch(x.last_epoch);
      to.setNextDelayed(x.next_delayed);
      to.setNextFilter(x.next_filter);
      to.setFormat(state_format);
      to.setSessions(x.sessions);
      to.setOffline(x.offline);
      to.setRetained(x.retained);
      to.setDelayed(x.delayed);
      to.setBacklog(x.backlog);
      to.setBacklogBytes(x.backlog_bytes);
      to.setShared(x.shared);
      if (!x.forwarded.empty())
        write(to.initForwarded(size_of(x.forwarded)), x.forwarded);
      if (!x.applied_from.empty())
        write(to.initAppliedFrom(size_of(x.applied_from)), x.applied_from);
    });
}

std::string encode_row(const session_row& x, const time_base& times) {
  return build<wire::SessionRow>(words(*x.record)
                                   + (x.will ? words(*x.will) : 0),
                                 [&](wire::SessionRow::Builder to) {
                                   write(to.initRecord(), *x.record, times);
                                   if (x.will)
                                     write(to.initWill(), *x.will, times);
                                   to.setIncarnation(x.incarnation);
                                   to.setEpoch(x.epoch);
                                   to.setExpires(times.to_stored(x.expires));
                                   to.setWillDue(times.to_stored(x.will_due));
                                   to.setExpiryInterval(x.expiry_interval);
                                   to.setOwned(x.owned);
                                 });
}

std::string encode_row(const filter_row& x) {
  return build<wire::FilterRow>(0, [&](wire::FilterRow::Builder to) {
    to.setId(x.id);
    to.setHolders(x.holders);
  });
}

std::string encode_row(const holder_row& x) {
  return build<wire::HolderRow>(0, [&](wire::HolderRow::Builder to) {
    to.setStart(x.start);
    to.setIdentifier(x.identifier);
    to.setOptions(to_byte(x.options));
  });
}

std::string encode_holder_cursor(std::uint64_t sequence) {
  return build<wire::HolderCursorRow>(
    0, [&](wire::HolderCursorRow::Builder to) { to.setSequence(sequence); });
}

std::string encode_row(const group_row& x) {
  return build<wire::GroupRow>(
    x.open.size() + x.done.size(), [&](wire::GroupRow::Builder to) {
      to.setDeclared(x.declared);
      to.setUpTo(x.up_to);
      write_sequences(x.open, [&](unsigned n) { return to.initOpen(n); });
      write_sequences(x.done, [&](unsigned n) { return to.initDone(n); });
    });
}

std::string encode_row(const page_row& x, const time_base& times) {
  // Without the topics of messages whose topic is that of the one before.
  std::size_t bytes = 0;
  std::string_view topic;
  for (const auto& [sequence, message] : x.entries)
    if (message) {
      if (message->topic() != topic)
        bytes += message->topic().size();
      topic = message->topic();
      bytes += message->properties().size() + message->payload().size();
    }
  const auto size = list_words<wire::PageRow::Entry>(x.entries);
  return build<wire::PageRow>(
    size + data_words(bytes), [&](wire::PageRow::Builder to) {
      auto list = to.initEntries(size_of(x.entries));
      auto at = to.initBytes(static_cast<unsigned>(bytes)).begin();
      const auto put = [&at](const auto& from) {
        at = std::copy(from.begin(), from.end(), at);
        return size_of(from);
      };
      topic = {};
      for (unsigned i = 0; i < list.size(); ++i) {
        auto entry = list[i];
        entry.setSequence(x.entries[i].sequence);
        const auto* message = x.entries[i].message.get();
        entry.setElsewhere(message == nullptr);
        if (message == nullptr)
          continue;
        if (message->topic() != topic) {
          topic = message->topic();
          entry.setTopicSize(static_cast<std::uint16_t>(put(topic)));
        }
        entry.setPropertiesSize(put(message->properties()));
        entry.setPayloadSize(put(message->payload()));
        write_header(entry, *message, times);
      }
    });
}

std::string encode_row(const message_row& x, const time_base& times) {
  return build<wire::MessageRow>(words(*x.message) + (x.filters.size() + 1) / 2,
                                 [&](wire::MessageRow::Builder to) {
                                   write(to.initMessage(), *x.message, times);
                                   auto list =
                                     to.initFilters(size_of(x.filters));
                                   for (unsigned i = 0; i < list.size(); ++i)
                                     list.set(i, x.filters[i]);
                                 });
}

std::string encode_timer(const message_ptr& message, const time_base& times) {
  return build<wire::TimerRow>(message ? words(*message) : 0,
                               [&](wire::TimerRow::Builder to) {
                                 if (message)
                                   write(to.initMessage(), *message, times);
                               });
}

std::string encode_row(const retained_row& x, const time_base& times) {
  return build<wire::RetainedRow>(words(*x.message),
                                  [&](wire::RetainedRow::Builder to) {
                                    write(to.initMessage(), *x.message, times);
                                    to.setSequence(x.sequence);
                                  });
}

std::string encode_row(const forward_command& x, const time_base& times) {
  return build<wire::Forward>(
    words_of<wire::Command> + words(x.what->what),
    [&](wire::Forward::Builder to) { write(to, x, times); });
}

std::string encode_inbound(std::uint64_t incarnation) {
  return build<wire::InboundRow>(
    0, [&](wire::InboundRow::Builder to) { to.setIncarnation(incarnation); });
}

// ---- a shard: writing -------------------------------------------------------

template <class Row, class... Times>
void row_collector::add(row_family family, std::string&& key, const Row* x,
                        const Times&... times) {
  auto& row = rows_.emplace_back();
  row.family = static_cast<std::uint8_t>(family);
  row.key = std::move(key);
  if (x != nullptr)
    row.value = encode_row(*x, times...);
}

std::optional<std::string>& row_collector::add(row_family family,
                                               std::string&& key) {
  auto& row = rows_.emplace_back();
  row.family = static_cast<std::uint8_t>(family);
  row.key = std::move(key);
  return row.value;
}

void row_collector::applied(const applied_row& x) {
  add(row_family::applied, applied_key(shard_), &x, times_);
}

void row_collector::session(const std::string& client_id,
                            const session_row* x) {
  add(row_family::session, session_key(shard_, client_id), x, times_);
}

void row_collector::owned(const std::string& client_id, bool there) {
  auto& value = add(row_family::owned, owned_key(shard_, client_id));
  if (there)
    value.emplace();
}

void row_collector::filter(const filter_name& name, const filter_row* x) {
  add(row_family::filter, filter_key(shard_, name), x);
}

void row_collector::holder(const std::string& client_id, std::uint32_t filter,
                           const holder_row* x) {
  add(row_family::holder, holder_key(shard_, client_id, filter), x);
}

void row_collector::holder_cursor(const std::string& client_id,
                                  const std::uint64_t* sequence) {
  auto& value = add(row_family::holder, holder_key(shard_, client_id, 0));
  if (sequence != nullptr)
    value = encode_holder_cursor(*sequence);
}

void row_collector::group(std::uint32_t filter, const group_row* x) {
  add(row_family::group, group_key(shard_, filter), x);
}

void row_collector::page(std::uint32_t filter, std::uint64_t last,
                         const page_row* x) {
  add(row_family::backlog, page_key(shard_, filter, last), x, times_);
}

void row_collector::message(std::uint64_t sequence, const message_row* x) {
  add(row_family::message, message_key(shard_, sequence), x, times_);
}

void row_collector::retained(const std::string& key, const retained_row* x) {
  add(row_family::retained, retained_row_key(shard_, key), x, times_);
}

void row_collector::timer(const timer_key& key, bool there,
                          const message_ptr& message) {
  auto& value = add(row_family::timer, timer_row_key(shard_, key, times_));
  if (there)
    value = encode_timer(message, times_);
}

void row_collector::exclusive(const std::string& client_id,
                              const std::string& filter, bool there) {
  auto& value =
    add(row_family::exclusive, exclusive_key(shard_, client_id, filter));
  if (there)
    value.emplace();
}

void row_collector::outbox(std::uint16_t to, std::uint64_t sequence,
                           const forward_command* x) {
  add(row_family::outbox, outbox_key(shard_, to, sequence), x, times_);
}

void row_collector::inbound(const std::string& client_id,
                            std::uint16_t identifier,
                            const std::uint64_t* incarnation) {
  auto& value =
    add(row_family::inbound, inbound_key(shard_, client_id, identifier));
  if (incarnation != nullptr)
    value = encode_inbound(*incarnation);
}

} // namespace troupe::cluster
