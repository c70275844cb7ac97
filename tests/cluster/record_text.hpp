#pragma once
// Commands and rows as text, by which what was written and what was read are
// compared.

#include "cluster/rows.hpp"

#include <concepts>
#include <memory>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace troupe::test {

/// Writes each member of a value, in the order of their declaration.
class record_text {
public:
  std::string take() { return out_.str(); }

  record_text& operator<<(const std::string& x) {
    out_ << '"' << x << "\" ";
    return *this;
  }
  record_text& operator<<(const char* x) {
    out_ << x << ' ';
    return *this;
  }
  template <std::integral T>
  record_text& operator<<(T x) {
    out_ << +x << ' ';
    return *this;
  }
  template <class T>
  requires std::is_enum_v<T> record_text& operator<<(T x) {
    return *this << static_cast<int>(x);
  }
  record_text& operator<<(protocol::time_point x) {
    return *this << x.time_since_epoch().count();
  }
  template <class T>
  record_text& operator<<(const std::vector<T>& all) {
    *this << "[";
    for (const auto& x : all)
      *this << x;
    return *this << "]";
  }
  template <class T>
  record_text& operator<<(const std::shared_ptr<T>& x) {
    return x ? *this << *x : *this << "none";
  }
  record_text& operator<<(const protocol::message_ptr& x) {
    if (!x)
      return *this << "none";
    const auto text = [](protocol::bytes_view y) {
      return std::string{y.begin(), y.end()};
    };
    return *this << std::string{x->topic()} << text(x->payload())
                 << text(x->properties()) << x->qos() << x->retain()
                 << x->has_expiry() << x->expiry_interval() << x->received_at()
                 << x->publisher();
  }
  record_text& operator<<(const cluster::client_ref& x) {
    return *this << x.slot << x.generation << x.reactor;
  }
  record_text& operator<<(const protocol::subscription_options& x) {
    return *this << x.maximum_qos << x.no_local << x.retain_as_published
                 << x.handling;
  }
  record_text& operator<<(const cluster::subscription_record& x) {
    return *this << x.share_name << x.filter << x.options << x.identifier
                 << x.exclusive;
  }
  record_text& operator<<(const cluster::cursor& x) {
    return *this << x.shard << x.sequence;
  }
  record_text& operator<<(const protocol::shard_position& x) {
    return *this << x.shard << x.sequence;
  }
  record_text& operator<<(const cluster::kept_message& x) {
    *this << x.what.message << x.what.position << x.what.subscription_identifier
          << x.what.qos << x.what.retain << x.packet_identifier << x.released;
    return x.what.more_identifiers ? *this << *x.what.more_identifiers
                                   : *this << "none";
  }
  record_text& operator<<(const cluster::group_place& x) {
    return *this << x.share_name << x.filter << x.position;
  }
  record_text& operator<<(const cluster::outbound_state& x) {
    return *this << x.position << x.packet_identifier << x.now;
  }
  record_text& operator<<(const cluster::inbound_identity& x) {
    return *this << x.client_id << x.incarnation << x.packet_identifier;
  }
  record_text& operator<<(const cluster::inbound_place& x) {
    return *this << x.packet_identifier << x.shard;
  }
  record_text& operator<<(const cluster::session_record& x) {
    return *this << x.subscriptions << x.kept << x.awaiting_release
                 << x.published_qos2 << x.outbound << x.next_packet_identifier
                 << x.cursors;
  }
  record_text& operator<<(const cluster::will_record& x) {
    return *this << x.message << x.delay.count();
  }

  record_text& operator<<(const cluster::publish_command& x) {
    *this << "publish" << x.message << x.publisher << x.token << x.delay_seconds
          << x.logged;
    return x.inbound ? *this << *x.inbound : *this << "none";
  }
  record_text& operator<<(const cluster::claim_command& x) {
    return *this << "claim" << x.client_id << x.who << x.clean_start
                 << x.expiry_interval << x.will;
  }
  record_text& operator<<(const cluster::release_command& x) {
    return *this << "release" << x.client_id << x.who << x.epoch << x.record
                 << x.expiry_interval << x.will;
  }
  record_text& operator<<(const cluster::subscribe_command& x) {
    return *this << "subscribe" << x.client_id << x.epoch << x.subscription
                 << x.subscribes << x.who << x.token;
  }
  record_text& operator<<(const cluster::checkpoint_command& x) {
    return *this << "checkpoint" << x.client_id << x.epoch << x.kept
                 << x.cursors;
  }
  record_text& operator<<(const cluster::inbound_command& x) {
    return *this << "inbound" << x.client_id << x.epoch << x.packet_identifier
                 << x.shard << x.begins << x.who;
  }
  record_text& operator<<(const cluster::inbound_end_command& x) {
    return *this << "inbound end" << x.what << x.who;
  }
  record_text& operator<<(const cluster::inbound_forget_command& x) {
    return *this << "inbound forget" << x.client_id << x.incarnation;
  }
  record_text& operator<<(const cluster::outbound_command& x) {
    return *this << "outbound" << x.client_id << x.epoch << x.states << x.kept
                 << x.taken << x.who;
  }
  record_text& operator<<(const cluster::hold_command& x) {
    return *this << "hold" << x.client_id << x.subscription << x.holds << x.who
                 << x.token;
  }
  record_text& operator<<(const cluster::advance_command& x) {
    return *this << "advance" << x.client_id << x.sequence;
  }
  record_text& operator<<(const cluster::group_done_command& x) {
    return *this << "group done" << x.share_name << x.filter << x.sequence;
  }
  record_text& operator<<(const cluster::group_return_command& x) {
    return *this << "group return" << x.share_name << x.filter << x.message
                 << x.sequence;
  }
  record_text& operator<<(const cluster::remove_retained_command& x) {
    return *this << "remove retained" << x.topic;
  }
  record_text& operator<<(const cluster::time_command&) {
    return *this << "time";
  }
  record_text& operator<<(const cluster::restart_command& x) {
    return *this << "restart" << x.after;
  }
  record_text& operator<<(const cluster::group_cursor_command& x) {
    return *this << "group cursor" << x.share_name << x.filter << x.up_to
                 << x.open;
  }
  record_text& operator<<(const cluster::forward_command& x) {
    return *this << "forward" << x.from << x.sequence << x.what->what;
  }
  record_text& operator<<(const cluster::forwarded_command& x) {
    return *this << "forwarded" << x.to << x.sequence;
  }
  record_text& operator<<(const cluster::command& x) {
    std::visit([this](const auto& one) { write(one); }, x);
    return *this;
  }
  record_text& operator<<(const cluster::log_entry& x) {
    *this << x.at;
    for (const auto& one : x.commands)
      *this << "\n" << one;
    return *this;
  }

  record_text& operator<<(const cluster::applied_row& x) {
    return *this << x.index << x.now << x.sequence << x.last_epoch
                 << x.next_filter << x.next_delayed << x.forwarded
                 << x.applied_from << x.sessions << x.offline << x.retained
                 << x.delayed << x.backlog;
  }
  record_text& operator<<(const cluster::session_row& x) {
    return *this << x.incarnation << x.epoch << x.owned << x.expiry_interval
                 << x.expires << x.record << x.will << x.will_due;
  }
  record_text& operator<<(const cluster::filter_name& x) {
    return *this << x.share_name << x.filter;
  }
  record_text& operator<<(const cluster::filter_row& x) {
    return *this << x.id << x.holders;
  }
  record_text& operator<<(const cluster::holder_row& x) {
    return *this << x.start << x.options << x.identifier;
  }
  record_text& operator<<(const cluster::group_row& x) {
    return *this << x.up_to << x.open << x.done;
  }
  record_text& operator<<(const cluster::page_row::entry& x) {
    return *this << x.sequence << x.message;
  }
  record_text& operator<<(const cluster::page_row& x) {
    return *this << x.entries;
  }
  record_text& operator<<(const cluster::message_row& x) {
    return *this << x.message << x.filters;
  }
  record_text& operator<<(const cluster::timer_key& x) {
    return *this << x.due << x.kind << x.of;
  }
  record_text& operator<<(const cluster::retained_row& x) {
    return *this << x.message << x.sequence;
  }

private:
  template <class T>
  void write(const T& x) {
    *this << x;
  }
  void write(const cluster::fetch_read&) { *this << "fetch"; }
  void write(const cluster::retained_read&) { *this << "retained read"; }
  void write(const cluster::group_online_command&) { *this << "group online"; }

  std::ostringstream out_;
};

template <class T>
std::string text_of(const T& x) {
  record_text out;
  out << x;
  return out.take();
}

} // namespace troupe::test
