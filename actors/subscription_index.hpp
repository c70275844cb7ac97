#pragma once
// Which sessions of this node a topic name goes to.

#include "actors/concurrent_table.hpp"
#include "actors/subscriber_list.hpp"
#include "cluster/approximate_set.hpp"
#include "cluster/client_ref.hpp"
#include "protocol/topic.hpp"

#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

using cluster::client_ref;

/// How a shared group picks the member for a message; EMQX's names.
enum class share_strategy : std::uint8_t {
  random,
  round_robin,
  round_robin_per_group,
  sticky,
  local,
  hash_clientid,
  hash_topic,
};

struct group_member {
  client_ref who;
  packed_options options = 0;
  std::uint32_t identifier = 0; ///< Subscription Identifier, 0: none
};
using group_members = std::vector<group_member>;

struct filter_node;

/// One `$share/{share_name}/{filter}` with at least one live member. Lives
/// while sessions hold a reference (`subscription_index::join`).
struct shared_group {
  std::string share_name;
  filter_node* filter = nullptr;
  std::atomic<const group_members*> members{nullptr};
  std::atomic<std::uint32_t> turn{0}; ///< for round_robin_per_group
  std::atomic<shared_group*> next{nullptr};
  /// Durable members: while there are any, its messages go through shards.
  std::atomic<std::uint32_t> durable_members{0};
  std::uint32_t references = 0; ///< guarded by the index
};

/// One distinct filter. Everybody reads it; `lists[r]` belongs to reactor r.
struct filter_node {
  std::uint32_t hash = 0;
  std::uint32_t references = 0;           ///< guarded by the index
  std::atomic<std::uint32_t> reactors{0}; ///< bit r: `lists[r]` has somebody
  std::atomic<std::uint32_t> durable{0};  ///< durable holders, live or not
  std::atomic<shared_group*> groups{nullptr};
  std::uint16_t text_size = 0;
  std::uint16_t reactor_count = 0;

  subscriber_list& list(std::size_t reactor) noexcept {
    return reinterpret_cast<subscriber_list*>(this + 1)[reactor];
  }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(this + 1)
              + reactor_count * sizeof(subscriber_list),
            text_size};
  }
};

/// What a topic name matches; filled again and again to keep its memory.
struct match_result {
  std::vector<filter_node*> nodes;
  std::vector<shared_group*> groups;
  std::vector<shared_group*> durable_groups; ///< for the shard
  std::uint32_t reactors = 0;                ///< union of the nodes' bits
  bool durable = false;       ///< a durable holder or durable group matches
  bool durable_group = false; ///< only its shard knows whom to send it to

  void clear() noexcept {
    nodes.clear();
    groups.clear();
    durable_groups.clear();
    reactors = 0;
    durable = durable_group = false;
  }
};

/// Filters to live sessions and shared groups. Exact filters are a hash table
/// over whole topics, those with wildcards a trie of levels whose edges are
/// one hash table. Reading takes no lock and is for reactors within a turn
/// (see `reclaimer`); changes take a mutex and come from any reactor.
class subscription_index {
public:
  /// @param reactors  at most 32.
  /// @param seed  of the hashes.
  subscription_index(std::size_t reactors, reclaimer& graveyard,
                     std::uint32_t seed = std::random_device{}());
  ~subscription_index();
  subscription_index(const subscription_index&) = delete;
  subscription_index& operator=(const subscription_index&) = delete;

  /// Raised by every change; a result is valid while it stands still.
  std::uint64_t version() const noexcept {
    return version_.load(std::memory_order_acquire);
  }

  /// Adds what `topic` matches to `into`. A reactor, within a turn.
  void match(std::string_view topic, match_result& into) const;

  /// The node of `filter` with one more reference.
  filter_node& acquire(std::string_view filter);
  /// Gives one reference back; the last one removes the node.
  void release(filter_node& node);
  /// The node of `filter` if there is one; a reactor, within a turn.
  filter_node* find(std::string_view filter) const;

  /// Marks that the reactor's list of `node` has, or has not, somebody.
  void set_reactor(filter_node& node, std::size_t reactor, bool somebody);
  /// Counts durable holders of `node`, but those of a whole topic.
  void add_durable(filter_node& node, int by);
  /// Topics of which each is somebody's durable filter, and perhaps others.
  /// Shards put them in, and say so with `exact_durable_added`.
  cluster::approximate_set& exact_durable() noexcept { return exact_durable_; }
  void exact_durable_added() noexcept { changed(); }

  /// Adds or replaces a live member. The caller holds one reference to the
  /// group from now on; `leave` only takes the member out, `forget` gives the
  /// reference back when no message of the group is in the caller's hands.
  shared_group& join(std::string_view share_name, std::string_view filter,
                     const group_member& member);
  void leave(shared_group& group, client_ref who);
  void forget(shared_group& group);
  /// A durable session became, or is no longer, a member, live or not.
  void hold(std::string_view share_name, std::string_view filter);
  void unhold(std::string_view share_name, std::string_view filter);

  /// Distinct filters with subscribers.
  std::size_t size() const noexcept {
    return size_.load(std::memory_order_relaxed);
  }

private:
  struct level_node;
  void changed() noexcept { version_.fetch_add(1, std::memory_order_release); }
  std::uint32_t hash(std::string_view text) const noexcept;
  std::uint32_t edge_hash(const level_node* parent,
                          std::uint32_t level) const noexcept;
  level_node* child(const level_node& parent, std::string_view level) const;
  level_node& make_child(level_node& parent, std::string_view level);
  void prune(level_node& from);
  filter_node& make_node(std::string_view filter, std::uint32_t hash);
  filter_node& acquire_locked(std::string_view filter);
  void release_locked(filter_node& node);
  shared_group& group_locked(std::string_view share_name, filter_node& node);
  void forget_locked(shared_group& group);
  void replace_members(shared_group& group, group_members&& fresh);
  void match_levels(const level_node& from, std::string_view rest, bool last,
                    bool root_of_dollar, match_result& into) const;
  static void collect(filter_node* node, match_result& into);
  /// The slot of the trie that holds a wildcard filter's node.
  std::atomic<filter_node*>* terminal(std::string_view filter, bool make,
                                      level_node** at);

  std::size_t reactors_;
  reclaimer& graveyard_;
  std::uint64_t seed_;
  concurrent_table<filter_node> exact_;
  concurrent_table<level_node> edges_;
  std::unique_ptr<level_node, void (*)(level_node*)> root_;
  cluster::approximate_set exact_durable_;
  std::atomic<std::size_t> wildcards_{0};
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_; ///< taken by writers
};

} // namespace troupe::actors
