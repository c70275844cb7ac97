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
  const auto token = begin_reading();
  reading_.emplace(token, reading_retained{x, at_.sequence});
  if (options_.has_disk)
    effects_.read(retained_wants{token, x.filter, x.after, x.limit});
  else
    answer_retained({token, {}, false}, now);
}

void shard_state_machine::answer_retained(retained_finds&& found,
                                          time_point now) {
  end_reading(found.token);
  const auto [asked, sequence] =
    std::get<reading_retained>(reading_.extract(found.token).mapped());
  // What is in memory is newer than what the disk had.
  std::map<std::string, retained_row> merged;
  for (auto& [key, row] : found.rows)
    if (!retained_.is_here(key))
      merged.emplace(key, std::move(row));
  const auto last = found.more ? found.rows.back().first : std::string{};
  std::size_t here = 0;
  bool more_here = false;
  table_cursor rows{retained_.rows()};
  scan_retained(rows, {}, asked.filter, asked.after, [&](std::string_view key) {
    if (!last.empty() && key > last)
      return false;
    if (!rows.row())
      return true;
    more_here = here++ == asked.limit;
    if (!more_here)
      merged.emplace(key, *rows.row());
    return !more_here;
  });
  retained_page page;
  page.shard = options_.shard;
  page.token = asked.token;
  const bool cut = merged.size() > asked.limit || more_here;
  std::string behind = last;
  auto left = asked.limit;
  for (auto& [key, row] : merged) {
    if (left-- == 0)
      break;
    if (cut)
      behind = key;
    // What is newer than the question comes live.
    if (row.sequence <= sequence && !row.message->expired(now))
      page.rows.push_back({std::move(row.message), row.sequence});
  }
  page.next = behind;
  effects_.retained(asked.who, std::move(page));
}

} // namespace troupe::cluster
