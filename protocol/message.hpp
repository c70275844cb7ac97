#pragma once
// An Application Message: what a PUBLISH carries from publisher to receivers.

#include "protocol/types.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

namespace troupe::protocol {

class message_ptr;
class read_block;

/// The bytes that a message was made from, left where they were read.
struct message_source {
  read_block* block = nullptr;
  /// The whole PUBLISH, if a receiver at QoS 0 may get it as it is; else
  /// empty.
  bytes_view packet{};
  protocol_version version{};
};

/// What a `message` is made from; everything is borrowed and copied once.
struct message_options {
  std::string_view topic{};
  bytes_view payload{};
  /// Application properties as encoded on the wire and already validated, in
  /// order, in up to three runs: Payload Format Indicator, Content Type,
  /// Response Topic, Correlation Data, User Property (MQTT 5.0 3.3.2.3).
  std::array<bytes_view, 3> properties{};
  protocol::qos qos = qos::at_most_once;
  bool retain = false;
  /// Seconds (3.3.2.3.3); absent: never expires.
  std::optional<std::uint32_t> message_expiry_interval{};
  time_point received_at{};
  /// For measuring: when it was received within the millisecond that begins at
  /// `received_at`, see `received_exactly`; 0: that says nothing of how long it
  /// is on its way.
  std::uint8_t received_part = 0;
  /// Hash of the publisher's Client Identifier, for No Local; 0: nobody.
  std::uint64_t publisher = 0;
  /// With a block, in which the payload lies: the payload is not copied, and
  /// the message is for the moment; see `message_ptr::kept`.
  message_source source{};
};

/// Immutable and reference-counted; header, topic, properties and payload lie
/// in one allocation, unless the payload is borrowed from where it was read.
/// May be shared between threads.
class message {
public:
  static message_ptr make(const message_options& options);

  std::string_view topic() const noexcept {
    return {reinterpret_cast<const char*>(body()), topic_size_};
  }
  bytes_view properties() const noexcept {
    return {body() + topic_size_, properties_size_};
  }
  bytes_view payload() const noexcept { return {payload_, payload_size_}; }
  /// Of a borrowed payload; else null.
  const message_source* source() const noexcept {
    return borrows_ ? reinterpret_cast<const message_source*>(this + 1)
                    : nullptr;
  }
  protocol::qos qos() const noexcept { return qos_; }
  bool retain() const noexcept { return retain_; }
  std::uint64_t publisher() const noexcept { return publisher_; }
  time_point received_at() const noexcept { return received_at_; }
  /// Whether it is on its way to whoever was there when it came; not after it
  /// was stored, and not if it was to wait.
  bool is_live() const noexcept { return received_part_ != 0; }
  /// To 4 microseconds. Only if `is_live()`.
  time_point received_exactly() const noexcept {
    return received_at_ + std::chrono::microseconds{4 * (received_part_ - 1)};
  }
  std::uint8_t received_part() const noexcept { return received_part_; }
  /// Of a message of now whose `received_at` was rounded down from `now`.
  static std::uint8_t part_of(time_point now, time_point received_at) noexcept {
    const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(now - received_at)
        .count();
    return static_cast<std::uint8_t>(us <= 0       ? 1
                                     : us >= 1'000 ? 251
                                                   : 1 + us / 4);
  }

  bool has_expiry() const noexcept { return has_expiry_; }
  bool expired(time_point now) const noexcept {
    return has_expiry_ && now >= expires_at();
  }
  /// When it expires. Only if `has_expiry()`.
  time_point expires_at() const noexcept {
    return received_at_ + std::chrono::seconds{expiry_interval_};
  }
  /// The interval it was received with. Only if `has_expiry()`.
  std::uint32_t expiry_interval() const noexcept { return expiry_interval_; }
  /// Seconds left to forward at `now`: the received interval less the time
  /// waited here [MQTT-3.3.2-6]. Only if `has_expiry()`.
  std::uint32_t remaining_expiry(time_point now) const noexcept {
    const auto waited =
      std::chrono::duration_cast<std::chrono::seconds>(now - received_at_)
        .count();
    if (waited <= 0)
      return expiry_interval_;
    return static_cast<std::uint64_t>(waited) >= expiry_interval_
             ? 0
             : expiry_interval_ - static_cast<std::uint32_t>(waited);
  }
  /// Bytes of memory this message holds, for queue bounds.
  std::size_t memory() const noexcept {
    return sizeof(message) + topic_size_ + properties_size_ + payload_size_;
  }

private:
  friend class message_ptr;
  message() = default;
  const std::uint8_t* body() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this + 1)
           + (borrows_ ? sizeof(message_source) : 0);
  }

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t payload_size_ = 0;
  std::uint32_t properties_size_ = 0;
  std::uint16_t topic_size_ = 0;
  protocol::qos qos_ = qos::at_most_once;
  bool retain_ = false;
  bool has_expiry_ = false;
  bool borrows_ = false;
  std::uint8_t size_class_ = 0; ///< of its block, see `block_cache`
  std::uint8_t received_part_ = 0;
  std::uint32_t expiry_interval_ = 0;
  time_point received_at_{};
  std::uint64_t publisher_ = 0;
  const std::uint8_t* payload_ = nullptr;
};

/// Shared ownership of a message.
class message_ptr {
public:
  message_ptr() = default;
  message_ptr(const message_ptr& other) noexcept : raw_(other.raw_) {
    if (raw_ != nullptr)
      raw_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  message_ptr(message_ptr&& other) noexcept
    : raw_(std::exchange(other.raw_, nullptr)) {}
  message_ptr& operator=(message_ptr other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~message_ptr() { reset(); }

  /// One more owner of a message that somebody owns.
  static message_ptr share(const message& in) noexcept {
    in.references_.fetch_add(1, std::memory_order_relaxed);
    return message_ptr{&in};
  }
  /// The same message for longer than a turn: a copy if the payload is
  /// borrowed, as the block that it lies in is much larger than it.
  message_ptr kept() const;

  const message& operator*() const noexcept { return *raw_; }
  const message* operator->() const noexcept { return raw_; }
  const message* get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != nullptr; }
  void reset() noexcept {
    if (auto* last = std::exchange(raw_, nullptr))
      if (last->references_.load(std::memory_order_acquire) == 1
          || last->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        destroy(last);
  }

private:
  friend class message;
  explicit message_ptr(const message* raw) noexcept : raw_(raw) {}
  static void destroy(const message* last) noexcept;

  const message* raw_ = nullptr;
};

} // namespace troupe::protocol
