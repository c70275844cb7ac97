#pragma once
// Whether the rows of a shard agree with each other.

#include "cluster/row_codec.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::server {

/// Reads all rows of one shard, family by family, and looks up what they say of
/// others. Has a few bytes for each filter in memory. Blocks on the disk.
class shard_check final : private cluster::row_target {
public:
  /// @param rows  outlives it.
  shard_check(const cluster::row_source& rows, std::uint16_t shard)
    : rows_(rows),
      shard_(shard) {}

  /// Adds to `problems`.
  /// @throws record_error  a row cannot be read.
  /// @throws storage_error
  void run();

  /// Where the state stands in the log; 0: nothing was ever applied.
  std::uint64_t applied() const noexcept { return at_.index; }
  /// A sentence for each problem, the first hundred of them.
  std::vector<std::string> problems() const;
  void tell(const std::string& what);

private:
  struct filter_figures {
    std::uint64_t holders = 0;              ///< as its row says
    std::uint64_t found = 0;                ///< rows of holders
    std::uint64_t done = ~std::uint64_t{0}; ///< everybody is, up to here
    bool shared = false;
    bool has_group = false;
  };

  void read(cluster::row_family family);
  bool has_rows() const;
  bool is_there(cluster::row_family family, const std::string& key) const {
    return rows_.get(family, key).has_value();
  }
  cluster::session_row session_of(const std::string& client_id) const;
  void compare_timer(const std::string& client_id, cluster::timer_kind kind,
                     cluster::time_point due);
  void compare_counts();

  void load(const cluster::applied_row& x) override { at_ = x; }
  void load_filter(cluster::filter_name&& name,
                   const cluster::filter_row& x) override;
  void load_holder(const std::string& client_id, std::uint32_t filter,
                   const cluster::holder_row& x) override;
  void load_holder_cursor(const std::string& client_id,
                          std::uint64_t sequence) override;
  void load_group(std::uint32_t filter, cluster::group_row&& x) override;
  void load_page(std::uint32_t filter, std::uint64_t last,
                 cluster::page_row&& x) override;
  void load_message(std::uint64_t sequence, cluster::message_row&&) override;
  void load_session(const std::string& client_id,
                    cluster::session_row&& x) override;
  void load_owned(const std::string& client_id) override;
  void load_timer(cluster::timer_row&& x) override;
  void load_retained(cluster::retained_row&& x) override;

  const cluster::row_source& rows_;
  std::uint16_t shard_;
  cluster::time_base times_{cluster::time_point{}, 0};
  cluster::applied_row at_;
  cluster::applied_row counted_; ///< rows that were read
  std::unordered_map<std::uint32_t, filter_figures> filters_;
  std::string holder_; ///< whose cursor was read last
  std::uint64_t cursor_ = 0;
  std::vector<std::string> problems_;
  std::size_t more_problems_ = 0;
};

} // namespace troupe::server
