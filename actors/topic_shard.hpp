#pragma once
// One shard's actor: its log, its state machine, and what follows from it.

#include "actors/home.hpp"
#include "cluster/replicated_log.hpp"
#include "cluster/session_registry.hpp"
#include "cluster/shard_state_machine.hpp"

#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace troupe::actors {

class node_storage;

/// Gathers commands while the entry before is being written, proposes them as
/// one entry, applies what is committed and carries the effects out. Reads and
/// commands that need no log keep their place among the others. Which claims
/// and releases there are is for its registry to say.
class topic_shard final : public pinned_actor,
                          private cluster::shard_effects,
                          private cluster::session_registry::actions,
                          private net::timing_wheel::timer {
public:
  topic_shard(caf::actor_config& config, home& on, std::uint16_t shard);
  const char* name() const override { return "topic_shard"; }
  actor_kind kind() const noexcept override { return actor_kind::topic_shard; }
  const cluster::shard_state_machine& state() const noexcept { return state_; }
  /// What its home says about limits has changed.
  void limits_changed();
  std::uint16_t number() const noexcept { return shard_; }

  /// Takes the state that `from` has of this shard, and logs there from now
  /// on. Once, before the reactors run; any thread.
  /// @throws storage::storage_error, cluster::record_error
  void recover(node_storage& from);
  /// As soon as it leads, tells the state that the node has started, and other
  /// shards what they may not have. Before there are clients.
  void begin();
  /// The log's store has the shard's entries up to `index`.
  void appended(cluster::log_index index);
  /// What the shard asked its disk for.
  void answered(cluster::disk_finds&& found);
  /// The state database has what was flushed up to `index`, for good.
  void stored(cluster::log_index index);
  /// Whether commands wait to be committed or applied.
  bool busy() const noexcept {
    return next_ != nullptr || !committed_.empty() || !gathered_.empty()
           || !unsure_.empty() || to_begin_;
  }
  /// Writes what changed to the state database.
  void flush();

private:
  void receive(caf::type_erased_tuple& content) override;
  void on_end() override;
  void on_timer() override;

  void take(cluster::command&& x);
  void replay_log(node_storage& from, const cluster::stored_rows& rows);
  void begin_now();
  /// Whether it is this node that proposes, knowing all that came before.
  bool leads() const noexcept;
  void propose();
  std::vector<cluster::command> take_gathered();
  /// Whether the rows that `entry` needs are in memory; else they are read.
  bool has_rows(const cluster::entry_ptr& entry);
  void apply_next();
  void ask_for_claims();
  void give_memory_back();
  cluster::time_point shard_time() const;
  void committed(cluster::log_index index, const cluster::entry_ptr& entry);
  void lost(const cluster::entry_ptr& entry);
  void apply(const cluster::entry_ptr& entry);
  /// Bytes of `x` that wait to be committed: what publications hold.
  static std::int64_t weight_of(const cluster::command& x) noexcept;
  void note_commits(const cluster::log_entry& entry, bool logged);
  void give_credit_back();
  void arm();
  void update_gauges();
  void flush_if_due();

  void admit(cluster::claim_command&& x) override;
  void superseded(client_ref who) override;
  void evict(client_ref owner, bool discard) override;

  void acknowledge(client_ref publisher, std::uint32_t token,
                   protocol::reason_code reason) override;
  void retained_changed(int by) override;
  bool route(const message_ptr& message, shard_position position) override;
  bool has_live_member(const std::string& share_name,
                       const std::string& filter) override;
  void route_to_group(const std::string& share_name, const std::string& filter,
                      const message_ptr& message,
                      shard_position position) override;
  void forward(std::uint16_t to, cluster::forward_command&& what) override;
  void forwarded(std::uint16_t from, std::uint64_t sequence) override;
  void filter_kept(const std::string& share_name, const std::string& filter,
                   bool kept) override;
  void exclusive_kept(const std::string& client_id, const std::string& filter,
                      bool kept) override;
  void granted(client_ref who, const std::string& client_id,
               const cluster::claim_granted& what) override;
  void released(const std::string& client_id) override;
  void session_ended(const std::string& client_id,
                     const cluster::session_record& record) override;
  void subscribed(client_ref who, std::uint32_t token) override;
  void held(client_ref who, std::uint32_t token, std::uint64_t start) override;
  void inbound_begun(client_ref who, std::uint16_t identifier) override;
  void inbound_ended(client_ref who, std::uint16_t identifier) override;
  void group_taken(client_ref who, std::uint16_t identifier) override;
  void outbound_noted(client_ref who) override;
  void fetched(client_ref who, cluster::fetched_page&& page) override;
  void retained(client_ref who, cluster::retained_page&& page) override;
  void read(cluster::disk_wants&& what) override;
  void propose_next(cluster::command&& what) override;
  void dropped(protocol::drop_reason why, std::size_t count_of) override;

  shared_group* find_group(const std::string& share_name,
                           const std::string& filter);

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
  cluster::session_registry registry_;
  std::unique_ptr<cluster::replicated_log> log_;
  node_storage* storage_ = nullptr; ///< null: memory only
  bool replaying_ = false; ///< what is applied was carried out once already
  bool to_begin_ = false;  ///< when it leads
  bool led_ = true;        ///< since its log began this term
  cluster::log_index applied_ = 0;
  cluster::log_index flushed_ = 0; ///< as `applied_` of the last flush
  std::size_t unflushed_bytes_ = 0;
  std::chrono::steady_clock::time_point flush_at_;
  std::vector<cluster::command> gathered_;
  /// The entry that is being written, while its rows are read.
  cluster::entry_ptr next_;
  bool next_is_logged_ = false;
  /// To be applied: `next_`, or what another replica proposed.
  std::deque<std::pair<cluster::log_index, cluster::entry_ptr>> committed_;
  cluster::entry_ptr has_rows_; ///< the rows that it needs are in memory
  bool asked_for_entry_ = false;
  /// Claims of which it is not known whether there is a session.
  std::vector<cluster::claim_command> unsure_;
  bool asked_for_claims_ = false;
  cluster::log_index stored_ = 0; ///< as told last
  std::size_t resident_ = 0;      ///< rows, when memory was given back last
  std::chrono::steady_clock::time_point give_back_at_;
  std::chrono::steady_clock::time_point sweep_at_;
  std::chrono::steady_clock::time_point sweep_began_;
  /// What other shards forwarded and this one applied, to be told them.
  std::vector<cluster::cursor> to_confirm_;
  struct credit_owed {
    std::uint16_t from;
    std::uint32_t count;
  };
  std::vector<credit_owed> owed_;        ///< for `gathered_`
  std::vector<credit_owed> owed_in_log_; ///< for the entry in the log
  std::array<std::int64_t, 6> shown_{};  ///< what the gauges hold of this
};

} // namespace troupe::actors
