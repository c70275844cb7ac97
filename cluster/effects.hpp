#pragma once
// What follows from applied commands; only the leader of a shard acts on it.

#include "cluster/row_reads.hpp"

namespace troupe::cluster {

/// A claim was decided for the better: `who` owns the session now.
struct claim_granted {
  /// Of a session that its shard keeps; 0: nobody but the owner knows of it.
  std::uint64_t epoch = 0;
  std::uint64_t incarnation = 0; ///< likewise
  bool session_present = false;
  std::shared_ptr<const session_record> record; ///< null: a fresh session
};

/// A page of what a durable session missed.
struct fetched_page {
  std::uint16_t shard = 0;
  std::vector<protocol::outbound> messages; ///< positions ascend
  /// Everything up to here has been looked at.
  std::uint64_t up_to = 0;
  bool complete = false; ///< live copies behind `up_to` follow by themselves
  bool only = false;     ///< the answer to `fetch_read::only`
};

struct retained_page {
  std::uint16_t shard = 0;
  std::uint32_t token = 0;
  struct row {
    message_ptr message;
    std::uint64_t sequence = 0;
  };
  std::vector<row> rows;
  std::string next; ///< key to go on behind; empty: complete
};

/// Carried out by the actor of the shard. Calls come from within
/// `shard_state_machine::apply`, in the order of the commands.
class shard_effects {
public:
  virtual ~shard_effects() = default;

  /// The publish that carried `token` is committed.
  virtual void acknowledge(client_ref publisher, std::uint32_t token,
                           protocol::reason_code reason) = 0;
  /// The number of retained messages is about to change by `by`; called
  /// before the message that changes it is routed.
  virtual void retained_changed(int by) = 0;
  /// To every live subscriber of the node.
  /// @param position  where the shard keeps the message; may be nowhere.
  /// @returns whether there was any.
  virtual bool route(const message_ptr& message, shard_position position) = 0;
  /// Whether a durable group has a live member.
  virtual bool has_live_member(const std::string& share_name,
                               const std::string& filter) = 0;
  /// To one live member of a durable group.
  virtual void route_to_group(const std::string& share_name,
                              const std::string& filter,
                              const message_ptr& message,
                              shard_position position) = 0;
  /// To another shard, until that has applied it (`forwarded_command`).
  virtual void forward(std::uint16_t to, forward_command&& what) = 0;
  /// What shard `from` forwarded up to `sequence` is applied.
  virtual void forwarded(std::uint16_t from, std::uint64_t sequence) = 0;

  /// The first holder of a filter has come, or the last one has gone.
  virtual void filter_kept(const std::string& share_name,
                           const std::string& filter, bool kept) = 0;
  /// A session has, or no longer has, an `$exclusive/` filter.
  virtual void exclusive_kept(const std::string& client_id,
                              const std::string& filter, bool kept) = 0;

  virtual void granted(client_ref who, const std::string& client_id,
                       const claim_granted& what) = 0;
  /// The release of `client_id` is applied.
  virtual void released(const std::string& client_id) = 0;
  /// A session ended that nobody owned: by expiry or Clean Start.
  virtual void session_ended(const std::string& client_id,
                             const session_record& record) = 0;

  /// The session's shard has the subscription, or has it no more.
  virtual void subscribed(client_ref who, std::uint32_t token) = 0;
  virtual void held(client_ref who, std::uint32_t token,
                    std::uint64_t start) = 0;
  /// The QoS 2 publication with this identifier may get its PUBREC, or its
  /// PUBCOMP.
  virtual void inbound_begun(client_ref who, std::uint16_t identifier) = 0;
  virtual void inbound_ended(client_ref who, std::uint16_t identifier) = 0;
  /// A message of a group is the client's alone.
  virtual void group_taken(client_ref who, std::uint16_t identifier) = 0;
  /// The states of an `outbound_command` are committed.
  virtual void outbound_noted(client_ref who) = 0;
  virtual void fetched(client_ref who, fetched_page&& page) = 0;
  virtual void retained(client_ref who, retained_page&& page) = 0;

  /// Asks the disk; `shard_state_machine::answer` gets what it has.
  virtual void read(disk_wants&& what) = 0;
  /// To be proposed by the leader, for this shard.
  virtual void propose_next(command&& what) = 0;

  /// For the ledger: `count` messages left the shard undelivered.
  virtual void dropped(protocol::drop_reason why, std::size_t count) = 0;
};

} // namespace troupe::cluster
