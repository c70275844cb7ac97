// Retained messages of a shard.

#include "cluster/retained_scan.hpp"
#include "cluster/shard_state_machine.hpp"

#include <algorithm>

namespace troupe::cluster {

namespace {

/// The rows in memory, as a scan goes through them.
class table_cursor final : public row_source::cursor {
public:
  using rows = resident_table<retained_row>::map;
  explicit table_cursor(const rows& in) : rows_(in), at_(in.end()) {}
  void seek(std::string_view key) override {
    at_ = rows_.lower_bound(std::string{key});
  }
  void next() override { ++at_; }
  bool valid() const override { return at_ != rows_.end(); }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return {}; }
  const std::optional<retained_row>& row() const { return at_->second.row; }

private:
  const rows& rows_;
  rows::const_iterator at_;
};

} // namespace

void shard_state_machine::retain(const message_ptr& message,
                                 std::uint64_t sequence) {
  const auto key = retained_key(message->topic());
  if (message->payload().empty()) { // [MQTT-3.3.1-6]
    remove_retained(key);
    return;
  }
  const auto* old = retained_.find(key);
  if (old == nullptr) {
    if (options_.retained_max != 0 && at_.retained >= options_.retained_max) {
      effects_.dropped(protocol::drop_reason::queue_full, 1);
      return;
    }
    ++at_.retained;
    effects_.retained_changed(1);
  } else if (old->message->has_expiry()) {
    timers_.remove({old->message->expires_at(), timer_kind::retained, key});
  }
  if (message->has_expiry())
    timers_.add({message->expires_at(), timer_kind::retained, key});
  retained_.change(key) = {message, sequence};
}

void shard_state_machine::remove_retained(const std::string& key) {
  const auto* old = retained_.find(key);
  if (old == nullptr)
    return;
  if (old->message->has_expiry())
    timers_.remove({old->message->expires_at(), timer_kind::retained, key});
  retained_.erase(key);
  --at_.retained;
  effects_.retained_changed(-1);
}

void shard_state_machine::on(remove_retained_command& x, time_point) {
  remove_retained(retained_key(x.topic));
}

void shard_state_machine::on(retained_read& x, time_point now) {
  retained_page page;
  page.shard = options_.shard;
  page.token = x.token;
  // What is in memory is newer than what the disk had.
  const auto of_disk = retained_pages_.extract({x.filter, x.after, x.limit});
  static const retained_finds nothing;
  const auto& stored = of_disk ? of_disk.mapped() : nothing;
  std::string_view last;
  auto take = [&, left = x.limit](std::string_view key,
                                  const retained_row& row) mutable {
    if (left == 0) {
      page.next = last;
      return false;
    }
    --left;
    last = key;
    if (!row.message->expired(now))
      page.rows.push_back({row.message, row.sequence});
    return true;
  };
  auto next = stored.rows.begin();
  const auto take_stored_before = [&](std::string_view key) {
    for (; next != stored.rows.end() && (key.empty() || next->first < key);
         ++next)
      if (!retained_.is_here(next->first) && !take(next->first, next->second))
        return false;
    return true;
  };
  table_cursor rows{retained_.rows()};
  scan_retained(rows, {}, x.filter, x.after, [&](std::string_view key) {
    if (stored.more && key > stored.rows.back().first)
      return false; // for the next page
    return take_stored_before(key) && (!rows.row() || take(key, *rows.row()));
  });
  if (page.next.empty() && take_stored_before({}) && stored.more)
    page.next = stored.rows.back().first;
  effects_.retained(x.who, std::move(page));
}

} // namespace troupe::cluster
