#pragma once
// A state database in memory: encoded rows, sorted as the disk sorts them.

#include "cluster/row_reads.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::test {

/// Rows of all shards. It may be copied: what a crash leaves. Not thread-safe.
class memory_rows final : public cluster::row_source {
public:
  using family_rows = std::map<std::string, std::string, std::less<>>;

  /// Carries a batch out, as `storage::state_store::write` does.
  void write(const std::vector<storage::row>& batch) {
    for (const auto& x : batch)
      put(x);
  }
  void put(const storage::row& x) {
    auto& in = families_.at(x.family);
    if (x.value)
      in.insert_or_assign(x.key, *x.value);
    else
      in.erase(x.key);
  }
  void put(cluster::row_family family, std::string key, std::string value) {
    of(family).insert_or_assign(std::move(key), std::move(value));
  }
  void erase(cluster::row_family family, const std::string& key) {
    of(family).erase(key);
  }
  const family_rows& rows(cluster::row_family family) const {
    return families_.at(static_cast<std::size_t>(family));
  }
  std::size_t size(cluster::row_family family) const {
    return rows(family).size();
  }

  std::optional<std::string> get(cluster::row_family family,
                                 const std::string& key) const override {
    const auto& in = rows(family);
    const auto at = in.find(key);
    return at == in.end() ? std::nullopt : std::optional{at->second};
  }
  std::unique_ptr<cursor> open(cluster::row_family family,
                               const std::string& prefix) const override {
    const auto& in = rows(family);
    const auto begin = in.lower_bound(prefix);
    auto end = begin;
    while (end != in.end() && end->first.compare(0, prefix.size(), prefix) == 0)
      ++end;
    return std::make_unique<moment>(family_rows{begin, end});
  }

private:
  /// Rows as of the call of `open`; invalid until the first `seek`.
  class moment final : public cursor {
  public:
    explicit moment(family_rows&& rows)
      : rows_(std::move(rows)),
        at_(rows_.end()) {}
    void seek(std::string_view key) override { at_ = rows_.lower_bound(key); }
    void next() override { ++at_; }
    bool valid() const override { return at_ != rows_.end(); }
    std::string_view key() const override { return at_->first; }
    std::string_view value() const override { return at_->second; }

  private:
    family_rows rows_;
    family_rows::const_iterator at_;
  };

  family_rows& of(cluster::row_family family) {
    return families_.at(static_cast<std::size_t>(family));
  }

  std::array<family_rows, cluster::row_family_names.size()> families_;
};

} // namespace troupe::test
