#pragma once
// Rows of a shard that is asked for some of them.

#include "cluster/row_codec.hpp"
#include "tests/cluster/memory_rows.hpp"
#include "tests/cluster/record_source.hpp"

#include <string>
#include <utility>

namespace troupe::test {

/// The shard that is asked.
inline constexpr std::uint16_t found_shard = 3;

/// Rows of a shard, and the same ones of the shards before and behind it.
struct found_disk {
  memory_rows rows;

  template <class F>
  void write(F&& f) {
    for (const std::uint16_t of :
         {found_shard - 1, +found_shard, found_shard + 1}) {
      cluster::row_collector out{of, record_times};
      f(out);
      rows.write(out.take());
    }
  }
  void hold(const std::string& client_id, std::uint32_t filter,
            std::uint64_t start) {
    const cluster::holder_row x{start, {}, filter};
    write([&](auto& out) { out.holder(client_id, filter, &x); });
  }
  void hold_up_to(const std::string& client_id, std::uint64_t cursor) {
    write([&](auto& out) { out.holder_cursor(client_id, &cursor); });
  }
  void page(std::uint32_t filter, const cluster::page_row& x) {
    write([&](auto& out) { out.page(filter, x.entries.back().sequence, &x); });
  }

  cluster::row_finds rows_of(const cluster::row_wants& what) const {
    return get<cluster::row_finds>(what);
  }
  cluster::backlog_finds backlog(const cluster::backlog_wants& what) const {
    return get<cluster::backlog_finds>(what);
  }
  cluster::retained_finds retained(cluster::retained_wants what) const {
    cluster::row_wants asked;
    asked.pages.push_back(std::move(what));
    return std::move(rows_of(asked).pages.at(0).second);
  }
  cluster::clean_finds clean(const cluster::clean_wants& what) const {
    return get<cluster::clean_finds>(what);
  }

private:
  template <class T>
  T get(const cluster::disk_wants& what) const {
    return std::get<T>(cluster::find(rows, found_shard, record_times, what));
  }
};

inline protocol::message_ptr message_of(const std::string& topic,
                                        std::uint64_t sequence = 0) {
  protocol::message_options made;
  made.topic = topic;
  made.publisher = sequence;
  made.received_at = record_times.rounded(record_start);
  return protocol::message::make(made);
}

} // namespace troupe::test
