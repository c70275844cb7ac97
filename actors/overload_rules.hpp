#pragma once
// What a node does when more waits in it than it can carry.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe::actors {

/// `[overload]`.
struct overload_options {
  bool enable = true;
  /// Bytes that may wait in the node: to be committed, in queues of connected
  /// clients, and for sockets that take no more.
  std::uint64_t node_bytes = std::uint64_t{512} << 20;
  /// Bytes of one client's publications that may wait to be committed.
  std::uint64_t connection_bytes = std::uint64_t{16} << 20;
  /// The part of `node_bytes` from which QoS 0 to slow readers is dropped.
  double shed_part = 0.5;
};

/// In the order in which they are taken; each has those before it.
enum class overload_level : std::uint8_t {
  none,
  shedding, ///< QoS 0 to readers that do not keep up is dropped
  slowing,  ///< sockets of publishers are not read
  refusing, ///< who connects is told to come later
};
inline constexpr std::array<std::string_view, 4> overload_level_names{
  "none", "shedding", "slowing", "refusing"};

/// Looks at figures and says what to do. A step that was taken is left when the
/// figure is a fifth below where it was taken, so that it does not flicker. Not
/// thread-safe.
class overload_rules {
public:
  struct figures {
    std::uint64_t uncommitted = 0; ///< bytes
    std::uint64_t queued = 0;
    std::uint64_t unsent = 0; ///< for sockets that take no more
    bool memory_high = false;
  };
  struct verdict {
    overload_level level = overload_level::none;
    /// Commits alone are beyond the bound: publishers wait until they are
    /// below, which needs nothing of clients. Otherwise they are read a little,
    /// as the acknowledgements that empty queues may be behind what they
    /// publish.
    bool commits_late = false;
    bool memory_high = false; ///< why connections are refused
    friend bool operator==(const verdict&, const verdict&) = default;
  };

  explicit overload_rules(const overload_options& how) : how_(how) {}
  void set_options(const overload_options& how) noexcept { how_ = how; }
  const overload_options& options() const noexcept { return how_; }

  const verdict& look(const figures& now) noexcept;
  const verdict& last() const noexcept { return last_; }

private:
  overload_options how_;
  verdict last_;
};

/// Whether a client whose publications of so many bytes wait to be committed
/// has to wait itself.
class commit_bound {
public:
  /// @param waits  whether it does already.
  static bool exceeded(std::uint64_t bytes, const overload_options& how,
                       bool waits) noexcept {
    return how.enable
           && bytes > (waits ? how.connection_bytes / 2 : how.connection_bytes);
  }
};

} // namespace troupe::actors
