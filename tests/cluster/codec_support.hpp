#pragma once
// Rows as they are written and read, and damaged records.

#include "tests/cluster/record_source.hpp"
#include "tests/cluster/record_text.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::test {

/// Writes each row down as a line of text.
class row_recorder final : public cluster::row_target {
public:
  std::vector<std::string> lines;

  void load(const cluster::applied_row& x) override { add("applied", x); }
  void load_session(const std::string& client_id,
                    cluster::session_row&& x) override {
    add("session", client_id, x);
  }
  void load_owned(const std::string& client_id) override {
    add("owned", client_id);
  }
  void load_filter(cluster::filter_name&& name,
                   const cluster::filter_row& x) override {
    add("filter", name, x);
  }
  void load_holder(const std::string& client_id, std::uint32_t filter,
                   const cluster::holder_row& x) override {
    add("holder", client_id, filter, x);
  }
  void load_holder_cursor(const std::string& client_id,
                          std::uint64_t x) override {
    add("cursor", client_id, x);
  }
  void load_group(std::uint32_t filter, cluster::group_row&& x) override {
    add("group", filter, x);
  }
  void load_page(std::uint32_t filter, std::uint64_t last,
                 cluster::page_row&& x) override {
    add("page", filter, last, x);
  }
  void load_message(std::uint64_t sequence, cluster::message_row&& x) override {
    add("message", sequence, x);
  }
  void load_retained(cluster::retained_row&& x) override { add("retained", x); }
  void load_timer(cluster::timer_row&& x) override {
    add("timer", x.first, x.second);
  }
  void load_exclusive(const std::string& client_id,
                      const std::string& filter) override {
    add("exclusive", client_id, filter);
  }
  void load_outbox(std::uint16_t to, cluster::forward_command&& x) override {
    add("outbox", to, x);
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    add("inbound", client_id, identifier, incarnation);
  }
  template <class... Parts>
  void add(const Parts&... parts) {
    record_text line;
    (line << ... << parts);
    lines.push_back(line.take());
  }
};

/// Writes each row that is read as it was.
class row_copier final : public cluster::row_target {
public:
  explicit row_copier(std::uint16_t shard) : rows(shard, record_times) {}
  cluster::row_collector rows;

  void load(const cluster::applied_row& x) override { rows.applied(x); }
  void load_session(const std::string& client_id,
                    cluster::session_row&& x) override {
    rows.session(client_id, &x);
  }
  void load_owned(const std::string& client_id) override {
    rows.owned(client_id, true);
  }
  void load_filter(cluster::filter_name&& name,
                   const cluster::filter_row& x) override {
    rows.filter(name, &x);
  }
  void load_holder(const std::string& client_id, std::uint32_t filter,
                   const cluster::holder_row& x) override {
    rows.holder(client_id, filter, &x);
  }
  void load_holder_cursor(const std::string& client_id,
                          std::uint64_t x) override {
    rows.holder_cursor(client_id, &x);
  }
  void load_group(std::uint32_t filter, cluster::group_row&& x) override {
    rows.group(filter, &x);
  }
  void load_page(std::uint32_t filter, std::uint64_t last,
                 cluster::page_row&& x) override {
    rows.page(filter, last, &x);
  }
  void load_message(std::uint64_t sequence, cluster::message_row&& x) override {
    rows.message(sequence, &x);
  }
  void load_retained(cluster::retained_row&& x) override {
    rows.retained(cluster::retained_key(x.message->topic()), &x);
  }
  void load_timer(cluster::timer_row&& x) override {
    rows.timer(x.first, true, x.second);
  }
  void load_exclusive(const std::string& client_id,
                      const std::string& filter) override {
    rows.exclusive(client_id, filter, true);
  }
  void load_outbox(std::uint16_t to, cluster::forward_command&& x) override {
    rows.outbox(to, x.sequence, &x);
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    rows.inbound(client_id, identifier, &incarnation);
  }
};

/// One row of each kind of `shard`: of each family one, of `holder` two.
/// @param lines  their texts, as `row_recorder` writes them.
inline std::vector<storage::row>
random_rows(record_source& from, std::uint16_t shard, row_recorder& lines) {
  cluster::row_collector out{shard, record_times};
  const auto applied = from.applied();
  out.applied(applied);
  lines.add("applied", applied);
  const auto client = from.client_id();
  const auto session = from.session();
  out.session(client, &session);
  lines.add("session", client, session);
  out.owned(client, true);
  lines.add("owned", client);
  const auto name = from.filter_name();
  const auto filter = from.filter_row();
  out.filter(name, &filter);
  lines.add("filter", name, filter);
  const auto holder = from.holder();
  out.holder(client, filter.id, &holder);
  lines.add("holder", client, filter.id, holder);
  const auto cursor = from.number();
  out.holder_cursor(client, &cursor);
  lines.add("cursor", client, cursor);
  const auto group = from.group();
  out.group(filter.id, &group);
  lines.add("group", filter.id, group);
  const auto page = from.page();
  const auto last = page.entries.back().sequence;
  out.page(filter.id, last, &page);
  lines.add("page", filter.id, last, page);
  const auto message = from.stored();
  const auto sequence = from.number();
  out.message(sequence, &message);
  lines.add("message", sequence, message);
  const cluster::retained_row retained{from.message(), from.number()};
  out.retained(cluster::retained_key(retained.message->topic()), &retained);
  lines.add("retained", retained);
  const auto timer = from.timer();
  out.timer(timer.first, true, timer.second);
  lines.add("timer", timer.first, timer.second);
  const auto exclusive = from.filter();
  out.exclusive(client, exclusive, true);
  lines.add("exclusive", client, exclusive);
  const auto forward = from.forward();
  out.outbox(5, forward.sequence, &forward);
  lines.add("outbox", 5, forward);
  const auto incarnation = from.number();
  const auto identifier = from.packet_identifier();
  out.inbound(client, identifier, &incarnation);
  lines.add("inbound", client, identifier, incarnation);
  return out.take();
}

// ---- damage -----------------------------------------------------------------

/// Calls `f` with each proper prefix of `x`, and with `x` with one byte
/// changed, in an allocation of the exact size.
template <class F>
void for_each_damage(const std::string& x, F&& f) {
  const auto run = [&](std::string_view bytes) {
    const std::vector<char> exact{bytes.begin(), bytes.end()};
    f(std::string_view{exact.data(), exact.size()});
  };
  for (std::size_t size = 0; size < x.size(); ++size)
    run(std::string_view{x}.substr(0, size));
  auto changed = x;
  for (auto& byte : changed) {
    const auto before = byte;
    for (unsigned by = 1; by < 256; ++by) {
      byte = static_cast<char>(static_cast<unsigned char>(before) ^ by);
      run(changed);
    }
    byte = before;
  }
}

/// The number in eight bytes, as Cap'n Proto stores it.
inline std::uint64_t word_at(std::string_view x, std::size_t at) {
  std::uint64_t out = 0;
  for (std::size_t i = 8; i-- > 0;)
    out = out << 8 | static_cast<unsigned char>(x[at + i]);
  return out;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

} // namespace troupe::test
