// Which rows must be in memory before a command is applied.

#include "cluster/retained_scan.hpp"
#include "cluster/shard_state_machine.hpp"

#include <algorithm>

namespace troupe::cluster {

std::optional<bool>
shard_state_machine::keeps_session(const std::string& client_id) {
  if (at_.sessions == 0)
    return false;
  if (!sessions_.knows(client_id))
    return std::nullopt;
  return sessions_.find(client_id) != nullptr;
}

void shard_state_machine::want_session(const std::string& client_id,
                                       row_wants& to) {
  if (!sessions_.knows(client_id))
    to.sessions.push_back(client_id);
}

void shard_state_machine::want_holders(const std::string& client_id,
                                       row_wants& to) {
  if (!holders_.knows(client_id))
    to.holders.push_back(client_id);
}

void shard_state_machine::want_filter(std::string_view topic, row_wants& to) {
  if (!filters_.knows(topic) && may_be_held(topic))
    to.filters.emplace_back(topic);
}

void shard_state_machine::want_retained(std::string_view topic, row_wants& to) {
  if (auto key = retained_key(topic); !retained_.knows(key))
    to.retained.push_back(std::move(key));
}

void shard_state_machine::want_message(const protocol::message& x,
                                       row_wants& to) {
  want_filter(x.topic(), to);
  if (retains(x))
    want_retained(x.topic(), to);
}

void shard_state_machine::want_time(time_point now, row_wants& to) {
  if ((to.timers = timers_.wanted(now)))
    return; // then again
  timers_.for_each_due(now,
                       [&](const timer_key& key, const message_ptr& message) {
                         switch (key.kind) {
                         case timer_kind::delayed:
                           want_message(*message, to);
                           break;
                         case timer_kind::will:
                         case timer_kind::session:
                           want_session(key.of, to);
                           break;
                         case timer_kind::retained:
                           want_retained(retained_topic(key.of), to);
                           break;
                         }
                       });
}

void shard_state_machine::want_restart(const restart_command& x,
                                       row_wants& to) {
  if (!owned_page_ || owned_page_->owned_after != x.after) {
    to.owned = x.after;
    return; // then again
  }
  std::vector<std::string> owned;
  owned_behind(x.after, owned);
  for (const auto& name : owned)
    want_session(name, to);
}

void shard_state_machine::want(const command& x, time_point now,
                               row_wants& to) {
  if (!options_.has_disk)
    return;
  struct visitor {
    shard_state_machine& of;
    time_point now;
    row_wants& to;
    void operator()(const publish_command& c) const {
      if (c.delay_seconds == 0)
        of.want_message(*c.message, to);
    }
    void operator()(const claim_command& c) const { session(c.client_id); }
    void operator()(const release_command& c) const { session(c.client_id); }
    void operator()(const subscribe_command& c) const { session(c.client_id); }
    void operator()(const checkpoint_command& c) const { session(c.client_id); }
    void operator()(const inbound_command& c) const { session(c.client_id); }
    void operator()(const outbound_command& c) const { session(c.client_id); }
    void operator()(const hold_command& c) const {
      of.want_holders(c.client_id, to);
      const filter_name name{c.subscription.share_name, c.subscription.filter};
      if (name.by_topic())
        of.want_filter(name.filter, to);
    }
    void operator()(const advance_command& c) const {
      of.want_holders(c.client_id, to);
    }
    void operator()(const fetch_read& c) const {
      of.want_holders(c.client_id, to);
    }
    void operator()(const retained_read& c) const {
      if (retained_wants page{c.filter, c.after, c.limit};
          !of.retained_pages_.contains(page))
        to.pages.push_back(std::move(page));
    }
    void operator()(const remove_retained_command& c) const {
      of.want_retained(c.topic, to);
    }
    void operator()(const time_command&) const { of.want_time(now, to); }
    void operator()(const restart_command& c) const { of.want_restart(c, to); }
    void operator()(const forward_command& c) const {
      of.want(c.what->what, now, to);
    }
    // Groups, the outbox and inbound publications are all in memory.
    void operator()(const group_online_command&) const {}
    void operator()(const group_done_command&) const {}
    void operator()(const group_return_command&) const {}
    void operator()(const group_cursor_command&) const {}
    void operator()(const inbound_end_command&) const {}
    void operator()(const inbound_forget_command&) const {}
    void operator()(const forwarded_command&) const {}
    void session(const std::string& client_id) const {
      of.want_session(client_id, to);
    }
  };
  std::visit(visitor{*this, now, to}, x);
}

void shard_state_machine::supply(row_finds&& found) {
  for (auto& [key, row] : found.sessions)
    sessions_.supply(key, std::move(row));
  for (auto& [key, row] : found.holders)
    holders_.supply(key, std::move(row));
  for (auto& [key, row] : found.retained)
    retained_.supply(key, std::move(row));
  for (auto& [topic, row] : found.filters) {
    std::optional<filter_state> state;
    if (row) {
      state.emplace();
      state->name.filter = topic;
      state->row = *row;
      state->pages_up_to = written_.sequence;
    }
    if (filters_.is_here(topic))
      continue;
    filters_.supply(topic, std::move(state));
    if (auto* made = filters_.find(topic))
      remember(*made);
  }
  for (auto& [asked, page] : found.pages)
    retained_pages_.emplace(std::move(asked), std::move(page));
  if (found.timers_after)
    timers_.supply(*found.timers_after, std::move(found.timers),
                   found.more_timers);
  if (found.owned_after)
    owned_page_ = std::move(found);
}

void shard_state_machine::answer(disk_finds&& found, time_point now) {
  if (auto* rows = std::get_if<row_finds>(&found))
    supply(std::move(*rows));
  else if (auto* messages = std::get_if<backlog_finds>(&found))
    answer_backlog(std::move(*messages), now);
  else
    answer_clean(std::move(std::get<clean_finds>(found)));
}

} // namespace troupe::cluster
