// Apart from the codec, which needs no shard.

#include "cluster/row_codec.hpp"

namespace troupe::cluster {

namespace {

/// Hands rows on to a shard.
class shard_target final : public row_target {
public:
  explicit shard_target(shard_state_machine& to) : to_(to) {}

  void load(const applied_row& x) override { to_.load(x); }
  void load_session(const std::string& client_id, session_row&& x) override {
    to_.load_session(client_id, std::move(x));
  }
  void load_filter(std::uint32_t id, filter_name&& x) override {
    to_.load_filter(id, std::move(x));
  }
  void load_holder(std::uint32_t filter, const std::string& client_id,
                   const holder_row& x) override {
    to_.load_holder(filter, client_id, x);
  }
  void load_message(std::uint64_t sequence, message_row&& x) override {
    to_.load_message(sequence, std::move(x));
  }
  void load_retained(retained_row&& x) override {
    to_.load_retained(std::move(x));
  }
  void load_delayed(time_point due, std::uint64_t id,
                    message_row&& x) override {
    to_.load_delayed(due, id, std::move(x));
  }
  void load_outbox(std::uint16_t to, forward_command&& x) override {
    to_.load_outbox(to, std::move(x));
  }
  void load_inbound(const std::string& client_id, std::uint16_t identifier,
                    std::uint64_t incarnation) override {
    to_.load_inbound(client_id, identifier, incarnation);
  }

private:
  shard_state_machine& to_;
};

} // namespace

void load_rows(const row_scan& scan, std::uint16_t shard,
               const time_base& times, shard_state_machine& into) {
  shard_target target{into};
  load_rows(scan, shard, times, target);
}

} // namespace troupe::cluster
