#pragma once
// Rows of a shard that are in memory, of those that are on its disk.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::cluster {

template <class Key, class Entry>
using sorted_by = std::map<Key, Entry, std::less<>>;

/// A part of the rows of one column family: those that changed and are not on
/// the disk for sure, and those that were needed lately. What is not here is
/// read and `supply`-ed before it is asked for. A table without a disk has all
/// rows there are. Not thread-safe.
///
/// Rows stay where they are until `evict`; Map is an associative container of
/// nodes.
template <class Row, template <class, class> class Map = sorted_by,
          class Key = std::string>
class resident_table {
public:
  struct entry {
    std::optional<Row> row; ///< nullopt: there is none
    bool on_disk = false;   ///< a row of that key may be
    bool dirty = false;
    bool listed = false;       ///< in `recent_` or `older_`
    std::uint32_t pins = 0;    ///< who needs it here
    std::uint64_t written = 0; ///< applied index of its last `take_changes`
    std::uint32_t touched = 0; ///< epoch
  };
  using map = Map<Key, entry>;

  explicit resident_table(bool has_disk) : has_disk_(has_disk) {}

  using node = typename map::value_type;

  /// Whether the row of `key`, or that there is none, is known. It is needed
  /// soon, then.
  template <class K>
  bool knows(const K& key) {
    if (!has_disk_)
      return true;
    const auto at = all_.find(key);
    if (at == all_.end())
      return false;
    touch(*at);
    return true;
  }
  /// The row of `key`, which is known; null if there is none.
  template <class K>
  Row* find(const K& key) {
    const auto at = all_.find(key);
    return at == all_.end() || !at->second.row ? nullptr : &*at->second.row;
  }
  /// Likewise, but it need not be known: null as well then.
  template <class K>
  const Row* peek(const K& key) const {
    const auto at = all_.find(key);
    return at == all_.end() || !at->second.row ? nullptr : &*at->second.row;
  }
  /// As `knows`, but it need not stay.
  bool is_here(const Key& key) const { return all_.find(key) != all_.end(); }
  /// As `find`, for `changed`.
  node* find_node(const Key& key) {
    const auto at = all_.find(key);
    return at == all_.end() || !at->second.row ? nullptr : &*at;
  }
  /// Its row is changed by the caller.
  void changed(node& x) { mark(x); }
  /// The row of `key`, which is known, to be changed; made if there is none.
  Row& change(const Key& key) {
    const auto at = all_.try_emplace(key).first;
    if (!at->second.row)
      at->second.row.emplace();
    mark(*at);
    return *at->second.row;
  }
  void erase(const Key& key) {
    if (const auto at = all_.find(key); at != all_.end()) {
      if (!has_disk_) {
        all_.erase(at);
        return;
      }
      at->second.row.reset();
      mark(*at);
    }
  }
  /// What the disk has; nothing happens if the row is known.
  void supply(const Key& key, std::optional<Row>&& row) {
    const auto [at, fresh] = all_.try_emplace(key);
    if (!fresh)
      return;
    at->second.on_disk = row.has_value();
    at->second.row = std::move(row);
    touch(*at);
  }

  /// While it is pinned a row, which is known, stays.
  void pin(const Key& key) { ++all_.at(key).pins; }
  void unpin(const Key& key) { --all_.at(key).pins; }

  /// The row of `key` is to be there, or to be gone, whatever the disk has.
  void set_blindly(const Key& key, bool there) {
    const auto at = all_.try_emplace(key).first;
    at->second.on_disk = true;
    if (there)
      at->second.row.emplace();
    else
      at->second.row.reset();
    mark(*at);
    if (!has_disk_ && !there)
      all_.erase(at);
  }

  /// Calls `f(const Key&, std::optional<Row>&)` for what changed since the last
  /// call; it may take the row away.
  /// @param index  of the log entry applied last.
  template <class F>
  void take_changes(std::uint64_t index, F&& f) {
    for (auto* x : std::exchange(dirty_, {})) {
      auto& [key, at] = *x;
      at.dirty = false;
      if (!at.row && !at.on_disk)
        continue;
      f(key, at.row);
      at.on_disk = at.row.has_value();
      at.written = index;
      touch(*x);
    }
  }
  std::size_t change_count() const noexcept { return dirty_.size(); }

  /// Drops what is on the disk, as of the log entry `stored`, and was not
  /// needed since the call before the last one. `keep(const Key&, const Row&)`
  /// may refuse; `gone(const Key&, Row&)` is told.
  template <class Keep, class Gone>
  void evict(std::uint64_t stored, Keep&& keep, Gone&& gone) {
    if (!has_disk_)
      return;
    const auto candidates = std::exchange(older_, std::exchange(recent_, {}));
    ++epoch_;
    for (auto* x : candidates) {
      auto& at = x->second;
      at.listed = false;
      if (at.touched + 2 > epoch_ || at.dirty || at.pins != 0
          || at.written > stored || (at.row && keep(x->first, *at.row))) {
        list(*x);
        continue;
      }
      if (at.row)
        gone(x->first, *at.row);
      all_.erase(all_.find(x->first));
    }
  }
  void evict(std::uint64_t stored) {
    evict(
      stored, [](const auto&...) { return false; }, [](const auto&...) {});
  }

  const map& rows() const noexcept { return all_; }
  std::size_t size() const noexcept { return all_.size(); }

private:
  void list(node& x) {
    if (!std::exchange(x.second.listed, true))
      recent_.push_back(&x);
  }
  void touch(node& x) {
    x.second.touched = epoch_;
    list(x);
  }
  void mark(node& x) {
    if (!has_disk_)
      return;
    touch(x);
    if (!std::exchange(x.second.dirty, true))
      dirty_.push_back(&x);
  }

  bool has_disk_;
  map all_;
  std::vector<node*> dirty_;
  std::vector<node*> recent_; ///< touched since the last `evict`, or kept
  std::vector<node*> older_;
  std::uint32_t epoch_ = 0;
};

} // namespace troupe::cluster
