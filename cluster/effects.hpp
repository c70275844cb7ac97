#pragma once
// What follows from applied commands; only the leader of a shard acts on it.

#include "cluster/command.hpp"

namespace troupe::cluster {

/// A claim was decided for the better: `who` owns the session now.
struct claim_granted {
  std::uint64_t epoch = 0;
  bool session_present = false;
  std::shared_ptr<session_record> record; ///< null: a fresh session
};

/// A page of what a durable session missed.
struct fetched_page {
  std::uint16_t shard = 0;
  std::vector<protocol::outbound> messages; ///< positions ascend
  /// Everything up to here has been looked at.
  std::uint64_t up_to = 0;
  bool complete = false; ///< live copies behind `up_to` follow by themselves
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
  /// @returns whether there was any.
  virtual bool route(const message_ptr& message, shard_position position) = 0;
  /// To one live member of a durable group.
  virtual void route_to_group(const std::string& share_name,
                              const std::string& filter,
                              const message_ptr& message) = 0;
  /// A new publication of the shard itself: a will.
  virtual void publish(const message_ptr& message) = 0;

  virtual void granted(client_ref who, const claim_granted& what) = 0;
  /// The claim of `who` lost against a later one.
  virtual void superseded(client_ref who) = 0;
  /// The live owner has to release the session of `epoch`.
  virtual void evict(client_ref owner, const std::string& client_id,
                     std::uint64_t epoch, bool discard) = 0;
  /// A session ended by expiry or Clean Start: what it held has to go.
  virtual void session_ended(const std::string& client_id,
                             const session_record& record) = 0;

  virtual void held(client_ref who, std::uint32_t token,
                    std::uint64_t start) = 0;
  virtual void fetched(client_ref who, fetched_page&& page) = 0;
  virtual void retained(client_ref who, retained_page&& page) = 0;

  /// For the ledger: `count` messages left the shard undelivered.
  virtual void dropped(protocol::drop_reason why, std::size_t count) = 0;
};

} // namespace troupe::cluster
