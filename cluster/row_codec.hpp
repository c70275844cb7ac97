#pragma once
// Rows of the state database as bytes: keys, and values of `state.capnp`.
// `docs/formats/state.md` has them with examples.

#include "cluster/record_error.hpp"
#include "cluster/rows.hpp"
#include "cluster/shard_state_machine.hpp"
#include "cluster/time_base.hpp"
#include "storage/state_store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::cluster {

/// The format of the rows of a shard that is written, and the newest that is
/// read; it stands in the row of `applied`.
inline constexpr std::uint16_t state_format = 1;

// ---- keys -------------------------------------------------------------------
// Numbers are big-endian. A key begins with its shard, so a shard is a range
// of each family.

std::string applied_key(std::uint16_t shard);
std::string session_key(std::uint16_t shard, std::string_view client_id);
std::string owned_key(std::uint16_t shard, std::string_view client_id);
/// Those that are always in memory come first.
std::string filter_key(std::uint16_t shard, const filter_name& name);
/// What `filter_key` begins with.
std::string filter_prefix(std::uint16_t shard, bool by_topic);
/// @param filter  0: the row of the cursor.
std::string holder_key(std::uint16_t shard, std::string_view client_id,
                       std::uint32_t filter);
/// What `holder_key` begins with.
std::string holder_prefix(std::uint16_t shard, std::string_view client_id);
std::string group_key(std::uint16_t shard, std::uint32_t filter);
std::string page_key(std::uint16_t shard, std::uint32_t filter,
                     std::uint64_t last);
std::string message_key(std::uint16_t shard, std::uint64_t sequence);
/// @param key  `retained_key` of the topic; rows of a shard sort as it does.
std::string retained_row_key(std::uint16_t shard, std::string_view key);
/// A time before 1970 sorts as 1970.
std::string timer_row_key(std::uint16_t shard, const timer_key& key,
                          const time_base& times);
std::string exclusive_key(std::uint16_t shard, std::string_view client_id,
                          std::string_view filter);
std::string outbox_key(std::uint16_t shard, std::uint16_t to,
                       std::uint64_t sequence);
std::string inbound_key(std::uint16_t shard, std::string_view client_id,
                        std::uint16_t packet_identifier);

// ---- values -----------------------------------------------------------------

std::string encode_row(const applied_row& x, const time_base& times);
std::string encode_row(const session_row& x, const time_base& times);
std::string encode_row(const filter_row& x);
std::string encode_row(const holder_row& x);
std::string encode_holder_cursor(std::uint64_t sequence);
std::string encode_row(const group_row& x);
std::string encode_row(const page_row& x, const time_base& times);
std::string encode_row(const message_row& x, const time_base& times);
std::string encode_row(const retained_row& x, const time_base& times);
/// @param message  null: not of a delayed one.
std::string encode_timer(const message_ptr& message, const time_base& times);
std::string encode_row(const forward_command& x, const time_base& times);
std::string encode_inbound(std::uint64_t incarnation);

// ---- a shard ----------------------------------------------------------------

/// Makes the rows of `shard_state_machine::take_changes` rows of the state
/// database; their families are positions of `row_family_names`. For a turn.
class row_collector final : public row_writer {
public:
  row_collector(std::uint16_t shard, const time_base& times)
    : shard_(shard),
      times_(times) {}

  void reserve(std::size_t rows) { rows_.reserve(rows); }
  std::vector<storage::row> take() { return std::exchange(rows_, {}); }

  void applied(const applied_row& x) override;
  void session(const std::string& client_id, const session_row* x) override;
  void owned(const std::string& client_id, bool there) override;
  void filter(const filter_name& name, const filter_row* x) override;
  void holder(const std::string& client_id, std::uint32_t filter,
              const holder_row* x) override;
  void holder_cursor(const std::string& client_id,
                     const std::uint64_t* sequence) override;
  void group(std::uint32_t filter, const group_row* x) override;
  void page(std::uint32_t filter, std::uint64_t last,
            const page_row* x) override;
  void message(std::uint64_t sequence, const message_row* x) override;
  void retained(const std::string& key, const retained_row* x) override;
  void timer(const timer_key& key, bool there,
             const message_ptr& message) override;
  void exclusive(const std::string& client_id, const std::string& filter,
                 bool there) override;
  void outbox(std::uint16_t to, std::uint64_t sequence,
              const forward_command* x) override;
  void inbound(const std::string& client_id, std::uint16_t identifier,
               const std::uint64_t* incarnation) override;

private:
  template <class Row, class... Times>
  void add(row_family family, std::string&& key, const Row* x,
           const Times&... times);
  std::optional<std::string>& add(row_family family, std::string&& key);

  std::uint16_t shard_;
  time_base times_;
  std::vector<storage::row> rows_;
};

/// Where decoded rows go.
class row_target {
public:
  virtual void load(const applied_row&) {}
  virtual void load_session(const std::string&, session_row&&) {}
  virtual void load_owned(const std::string&) {}
  virtual void load_filter(filter_name&&, const filter_row&) {}
  virtual void load_holder(const std::string&, std::uint32_t,
                           const holder_row&) {}
  virtual void load_holder_cursor(const std::string&, std::uint64_t) {}
  virtual void load_group(std::uint32_t, group_row&&) {}
  virtual void load_page(std::uint32_t, std::uint64_t, page_row&&) {}
  virtual void load_message(std::uint64_t, message_row&&) {}
  virtual void load_retained(retained_row&&) {}
  virtual void load_timer(timer_row&&) {}
  virtual void load_exclusive(const std::string&, const std::string&) {}
  virtual void load_outbox(std::uint16_t, forward_command&&) {}
  virtual void load_inbound(const std::string&, std::uint16_t, std::uint64_t) {}

protected:
  ~row_target() = default;
};

/// Decodes one row of `shard` and gives it to `into`.
/// @throws record_error  names the family and the key, and says what is wrong.
void load_row(row_family family, std::string_view key, std::string_view value,
              std::uint16_t shard, const time_base& times, row_target& into);

/// Puts back what `into` always has in memory. A shard without rows is left as
/// it is. Blocks on the disk.
/// @throws record_error, and what `from` throws
void load_shard(const row_source& from, std::uint16_t shard,
                const time_base& times, shard_state_machine& into);

/// The time at which `shard` stands, in stored milliseconds, out of the bytes
/// of its row of `applied`: a `time_base` must not begin below it.
/// @throws record_error
std::int64_t stored_time(std::string_view applied_value);

} // namespace troupe::cluster
