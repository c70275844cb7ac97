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
std::string filter_key(std::uint16_t shard, std::uint32_t id);
std::string holder_key(std::uint16_t shard, std::uint32_t filter,
                       std::string_view client_id);
std::string message_key(std::uint16_t shard, std::uint64_t sequence);
/// @param key  `retained_key` of the topic; rows of a shard sort as it does.
std::string retained_row_key(std::uint16_t shard, std::string_view key);
/// @param due  stored milliseconds; what is negative sorts as 0.
std::string delayed_key(std::uint16_t shard, std::int64_t due,
                        std::uint64_t id);
std::string outbox_key(std::uint16_t shard, std::uint16_t to,
                       std::uint64_t sequence);
std::string inbound_key(std::uint16_t shard, std::string_view client_id,
                        std::uint16_t packet_identifier);

// ---- values -----------------------------------------------------------------

std::string encode_row(const applied_row& x, const time_base& times);
std::string encode_row(const session_row& x, const time_base& times);
std::string encode_row(const filter_name& x);
std::string encode_row(const holder_row& x);
/// Of `message`, and of `delayed`, where there are no filters.
std::string encode_row(const message_row& x, const time_base& times);
std::string encode_row(const retained_row& x, const time_base& times);
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
  void filter(std::uint32_t id, const filter_name* x) override;
  void holder(std::uint32_t filter, const std::string& client_id,
              const holder_row* x) override;
  void message(std::uint64_t sequence, const message_row* x) override;
  void retained(const std::string& key, const retained_row* x) override;
  void delayed(time_point due, std::uint64_t id, const message_row* x) override;
  void outbox(std::uint16_t to, std::uint64_t sequence,
              const forward_command* x) override;
  void inbound(const std::string& client_id, std::uint16_t identifier,
               const std::uint64_t* incarnation) override;

private:
  template <class Row, class... Times>
  void add(row_family family, std::string&& key, const Row* x,
           const Times&... times);

  std::uint16_t shard_;
  time_base times_;
  std::vector<storage::row> rows_;
};

/// Called for each row of a family; bytes are borrowed for the call.
using row_function =
  std::function<void(std::string_view key, std::string_view value)>;
/// Reads the rows of one shard and family out of the state database.
using row_scan = std::function<void(row_family, const row_function&)>;

/// Where decoded rows go: `shard_state_machine`, by way of `load_rows`.
class row_target {
public:
  virtual void load(const applied_row& x) = 0;
  virtual void load_session(const std::string& client_id, session_row&& x) = 0;
  virtual void load_filter(std::uint32_t id, filter_name&& x) = 0;
  virtual void load_holder(std::uint32_t filter, const std::string& client_id,
                           const holder_row& x) = 0;
  virtual void load_message(std::uint64_t sequence, message_row&& x) = 0;
  virtual void load_retained(retained_row&& x) = 0;
  virtual void load_delayed(time_point due, std::uint64_t id,
                            message_row&& x) = 0;
  virtual void load_outbox(std::uint16_t to, forward_command&& x) = 0;
  virtual void load_inbound(const std::string& client_id,
                            std::uint16_t identifier,
                            std::uint64_t incarnation) = 0;

protected:
  ~row_target() = default;
};

/// Decodes one row of `shard` and gives it to `into`.
/// @throws record_error  names the family and the key, and says what is wrong.
void load_row(row_family family, std::string_view key, std::string_view value,
              std::uint16_t shard, const time_base& times, row_target& into);

/// Gives all rows of `shard` to `into`: `applied`, filters, holders, messages,
/// then the others. A shard without rows is left as it is.
/// @throws record_error  names the family and the key, and says what is wrong;
///                       also if there are rows, but not the one of `applied`.
void load_rows(const row_scan& scan, std::uint16_t shard,
               const time_base& times, row_target& into);
void load_rows(const row_scan& scan, std::uint16_t shard,
               const time_base& times, shard_state_machine& into);

/// The time at which `shard` stands, in stored milliseconds, out of the bytes
/// of its row of `applied`: a `time_base` must not begin below it.
/// @throws record_error
std::int64_t stored_time(std::string_view applied_value);

} // namespace troupe::cluster
