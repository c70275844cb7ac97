#pragma once
// What a shard asks its disk, and what it is answered.

#include "cluster/rows.hpp"
#include "cluster/time_base.hpp"
#include "cluster/timer_window.hpp"
#include "storage/state_store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::cluster {

/// What one session holds in a shard.
struct holder_rows {
  struct one {
    std::uint32_t filter = 0;
    holder_row row;
    std::uint32_t counted_in = 0; ///< see `shard_state_machine::count_cursor`
    bool dirty = false;
    bool gone = false; ///< while it is dirty
  };
  std::uint64_t cursor = 0; ///< done up to here
  bool cursor_dirty = false;
  std::vector<one> all; ///< by number of the filter
  /// Up to where the session is done with what it gets by `x`.
  std::uint64_t done(const one& x) const noexcept {
    return x.row.start > cursor ? x.row.start : cursor;
  }
};

/// A page of retained messages.
struct retained_wants {
  std::string filter;
  std::string after; ///< key; empty: from the start
  std::size_t limit = 0;
  friend bool operator<(const retained_wants& a, const retained_wants& b) {
    return std::tie(a.filter, a.after, a.limit)
           < std::tie(b.filter, b.after, b.limit);
  }
};
struct retained_finds {
  std::vector<std::pair<std::string, retained_row>> rows; ///< by key
  bool more = false;
};

/// Rows that must be in memory before commands are applied.
struct row_wants {
  static constexpr std::size_t owned_at_once = 512;

  std::uint64_t token = 0;           ///< of who asks
  std::vector<std::string> sessions; ///< Client Identifiers
  std::vector<std::string> holders;  ///< Client Identifiers
  std::vector<std::string> filters;  ///< topics
  std::vector<std::string> retained; ///< `retained_key`s
  std::vector<retained_wants> pages; ///< one for each read, equal ones too
  std::optional<timer_key> timers;   ///< those behind it
  std::optional<std::string> owned;  ///< Client Identifiers behind it

  bool empty() const noexcept {
    return sessions.empty() && holders.empty() && filters.empty()
           && retained.empty() && pages.empty() && !timers && !owned;
  }
};
struct row_finds {
  template <class Row>
  using rows = std::vector<std::pair<std::string, std::optional<Row>>>;
  std::uint64_t token = 0;
  rows<session_row> sessions;
  rows<holder_rows> holders;
  rows<filter_row> filters;
  rows<retained_row> retained;
  std::vector<std::pair<retained_wants, retained_finds>> pages;
  std::optional<timer_key> timers_after;
  std::vector<timer_row> timers;
  bool more_timers = false;
  std::optional<std::string> owned_after;
  std::vector<std::string> owned;
  bool more_owned = false;
};

/// Messages of some filters.
struct backlog_wants {
  struct range {
    std::uint32_t filter = 0;
    std::uint64_t after = 0; ///< sequence
  };
  std::uint64_t token = 0; ///< of who asks
  std::vector<range> filters;
  std::uint64_t up_to = 0;
  std::size_t limit = 0;
  std::vector<std::uint64_t> only; ///< if not empty: just these, ascending
};
struct backlog_finds {
  struct one {
    std::uint64_t sequence = 0;
    message_ptr message;
    std::vector<std::uint32_t> filters; ///< of those that were asked for
  };
  std::uint64_t token = 0;
  std::vector<one> messages; ///< ascending
  bool more = false;         ///< behind `up_to`
  std::uint64_t up_to = 0; ///< if there are more: all up to here are looked at
};

/// Pages that everybody is done with.
struct clean_wants {
  struct range {
    std::uint32_t filter = 0;
    std::uint64_t up_to = 0;
  };
  std::vector<range> filters;
  /// Also whatever else nobody needs: this reads a lot.
  bool sweep = false;
  // With it, what else is given up, by whole pages:
  std::optional<time_point> oldest{}; ///< what was received before
  std::uint64_t most_bytes = 0; ///< of a filter, the oldest first; 0: no limit
};
struct clean_finds {
  /// What one holder of a filter keeps others, or nobody else, from cleaning.
  struct pin {
    std::uint32_t filter = 0;
    std::string client_id; ///< who is furthest behind; empty: a group
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0; ///< of topics, payloads and properties
  };
  struct page {
    std::uint32_t filter = 0;
    std::uint64_t last = 0; ///< sequence
  };
  std::vector<page> pages;
  std::vector<std::uint64_t> messages; ///< rows of `message`
  std::size_t count = 0;               ///< of messages in `pages`
  std::size_t bytes = 0; ///< of these: topics, payloads and properties
  // Deliveries that will not be made since their pages go:
  std::size_t too_old = 0;
  std::size_t too_many = 0;
  bool swept = false;
  std::vector<pin> pins; ///< of a sweep: the greatest, in that order
};

using disk_wants = std::variant<row_wants, backlog_wants, clean_wants>;
using disk_finds = std::variant<row_finds, backlog_finds, clean_finds>;

/// The rows of the state database, for those who may wait for the disk.
class row_source {
public:
  using cursor = storage::row_cursor;
  virtual ~row_source() = default;
  virtual std::optional<std::string> get(row_family family,
                                         const std::string& key) const = 0;
  /// Rows of one family whose keys begin with `prefix`, as of one moment.
  virtual std::unique_ptr<cursor> open(row_family family,
                                       const std::string& prefix) const = 0;
};

/// Those of a state store, which outlives it.
class stored_rows final : public row_source {
public:
  explicit stored_rows(const storage::state_store& in) : in_(in) {}
  std::optional<std::string> get(row_family family,
                                 const std::string& key) const override {
    return in_.get(static_cast<std::uint8_t>(family), key);
  }
  std::unique_ptr<cursor> open(row_family family,
                               const std::string& prefix) const override {
    return in_.open(static_cast<std::uint8_t>(family), prefix);
  }

private:
  const storage::state_store& in_;
};

/// Answers what `shard` asks. Blocks on the disk.
/// @throws record_error, and what `from` throws
disk_finds find(const row_source& from, std::uint16_t shard,
                const time_base& times, const disk_wants& what);

} // namespace troupe::cluster
