#pragma once
// Who and what is traced.

#include "auth/address.hpp"
#include "net/tcp.hpp"
#include "protocol/message.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::actors {

enum class trace_kind : std::uint8_t { client, topic, address, user };
inline constexpr std::array<std::string_view, 4> trace_kind_names{
  "client", "topic", "address", "user"};

enum class trace_payload : std::uint8_t { none, text, hex };
inline constexpr std::array<std::string_view, 3> trace_payload_names{
  "none", "text", "hex"};

/// What one trace is to be.
struct trace_options {
  std::string name;
  trace_kind kind = trace_kind::client;
  std::string wanted; ///< a Client Identifier, Topic Filter, network or user
  std::chrono::milliseconds lasts{600'000};
  std::uint64_t size_max = std::uint64_t{128} << 20; ///< bytes of the file
  trace_payload payload = trace_payload::text;
  std::size_t payload_max = 1'024; ///< bytes of it in a line
};

/// @returns what is wrong with a trace's name, or nothing. A name is a file's.
std::string wrong_with_trace_name(std::string_view name);

/// Bit n: the n-th trace that runs.
using trace_mask = std::uint32_t;

/// All traces that run. Immutable; each home has one.
class trace_set {
public:
  static constexpr std::size_t most = 30;

  /// The client of a connection.
  struct client {
    std::string_view client_id;
    std::string_view user;
    const net::endpoint* peer = nullptr;
  };
  class entry {
  public:
    /// @returns the entry, or what is wrong with `how` and how to mend it.
    static std::variant<entry, std::string> make(const trace_options& how);
    const trace_options& options() const noexcept { return options_; }
    bool fits(const client& who) const;
    bool fits_topic(std::string_view topic) const noexcept;
    /// The hash of the publisher that is traced; 0: none by name.
    std::uint64_t publisher() const noexcept { return publisher_; }
    /// Whether messages of its clients are known by `trace_set::of_message`
    /// only if they are told (`tracer::watch`).
    bool is_told() const noexcept {
      return options_.kind == trace_kind::address
             || options_.kind == trace_kind::user;
    }

  private:
    trace_options options_;
    std::optional<auth::network> network_;
    std::uint64_t publisher_ = 0;
  };

  /// @param slots  at most `most`; those without a value do not run.
  explicit trace_set(std::vector<std::optional<entry>> slots = {});

  bool empty() const noexcept { return running_ == 0; }
  trace_mask running() const noexcept { return running_; }
  trace_mask told() const noexcept { return told_; }
  trace_mask of_client(const client& who) const;
  /// Of topics, and of publishers by name.
  trace_mask of_message(const protocol::message& what) const noexcept;
  trace_mask of_topic(std::string_view topic) const noexcept;
  const entry& at(std::size_t slot) const { return *slots_.at(slot); }
  /// Calls `f(some, form, limit)` for those of `which` that are told the same
  /// of payloads: each gets what its owner asked for, and no more.
  template <class F>
  void for_each_form(trace_mask which, F&& f) const {
    for (which &= running_; which != 0;) {
      const auto some = like_first(which);
      const auto& how = at(static_cast<std::size_t>(std::countr_zero(which)));
      f(some, how.options().payload, how.options().payload_max);
      which &= ~some;
    }
  }

  template <class F>
  static void for_each(trace_mask which, F&& f) {
    for (; which != 0; which &= which - 1)
      f(static_cast<std::size_t>(std::countr_zero(which)));
  }

private:
  /// The first of `which`, and those that want the same of payloads.
  trace_mask like_first(trace_mask which) const noexcept;

  std::vector<std::optional<entry>> slots_;
  trace_mask running_ = 0;
  trace_mask told_ = 0;
};

} // namespace troupe::actors
