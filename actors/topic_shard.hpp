#pragma once
// One shard's actor: its log, its state machine, and what follows from it.

#include "actors/home.hpp"
#include "cluster/memory_log.hpp"
#include "cluster/shard_state_machine.hpp"

#include <memory>
#include <vector>

namespace troupe::actors {

/// Gathers commands while the entry before is being written, proposes them as
/// one entry, applies what is committed and carries the effects out. Reads and
/// commands that need no log keep their place among the others.
class topic_shard final : public pinned_actor,
                          private cluster::shard_effects,
                          private net::timing_wheel::timer {
public:
  topic_shard(caf::actor_config& config, home& on, std::uint16_t shard);
  const char* name() const override { return "topic_shard"; }
  actor_kind kind() const noexcept override { return actor_kind::topic_shard; }
  const cluster::shard_state_machine& state() const noexcept { return state_; }

private:
  void receive(caf::type_erased_tuple& content) override;
  void on_end() override;
  void on_timer() override;

  void propose();
  void apply(cluster::log_entry& entry);
  void arm();
  void update_gauges();

  void acknowledge(client_ref publisher, std::uint32_t token,
                   protocol::reason_code reason) override;
  void retained_changed(int by) override;
  bool route(const message_ptr& message, shard_position position) override;
  void route_to_group(const std::string& share_name, const std::string& filter,
                      const message_ptr& message) override;
  void publish(const message_ptr& message) override;
  void granted(client_ref who, const cluster::claim_granted& what) override;
  void superseded(client_ref who) override;
  void evict(client_ref owner, const std::string& client_id,
             std::uint64_t epoch, bool discard) override;
  void session_ended(const std::string& client_id,
                     const cluster::session_record& record) override;
  void held(client_ref who, std::uint32_t token, std::uint64_t start) override;
  void fetched(client_ref who, cluster::fetched_page&& page) override;
  void retained(client_ref who, cluster::retained_page&& page) override;
  void dropped(protocol::drop_reason why, std::size_t count_of) override;

  /// The log's delay: a timer of the wheel, or the next turn.
  struct delayed_call final : net::timing_wheel::timer {
    std::function<void()> what;
    void on_timer() override {
      const auto run = std::move(what);
      delete this;
      run();
    }
  };

  std::uint16_t shard_;
  cluster::shard_state_machine state_;
  std::unique_ptr<cluster::replicated_log> log_;
  std::vector<cluster::command> gathered_;
  struct credit_owed {
    std::uint16_t from;
    std::uint32_t count;
  };
  std::vector<credit_owed> owed_;        ///< for `gathered_`
  std::vector<credit_owed> owed_in_log_; ///< for the entry in the log
  std::array<std::int64_t, 4> shown_{};  ///< what the gauges hold of this
};

} // namespace troupe::actors
