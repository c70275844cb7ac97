#pragma once
// The modes in which each publisher has one topic: pairs, fan-in, fan-out,
// shared and idle.

#include "bench/load/sequence.hpp"
#include "bench/load/worker.hpp"

namespace troupe::bench {

/// How many receivers a message has, and how they are followed.
enum class audience : std::uint8_t {
  one,   ///< each stream has one receiver: pairs, fan-in, idle
  all,   ///< each receiver gets each stream: fan-out
  group, ///< one of the receivers gets each message: shared
};

/// The numbered messages of one publisher.
struct stream {
  client* publisher = nullptr;
  publish_template packet;
  std::uint32_t published = 0;
  std::uint32_t due = 0; ///< paced: to be published by now
  /// Arrived everywhere, or known to be lost.
  std::uint32_t settled = 0;
  /// `all`: receivers still to come, by sequence number modulo the size.
  std::vector<std::uint32_t> waiting;
  /// `group`: bits of what has arrived, likewise.
  std::vector<std::uint64_t> arrived;
};

/// Streams from publishers to receivers, in a closed loop or paced.
class stream_worker : public worker {
public:
  stream_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  std::vector<std::string> next_filters(client& c) override;
  void start(instant at) override;
  instant advance(instant now) override;
  void stop(instant at) override;
  void write_off() override;
  bool settled() const override;
  bool loads() const override;
  void delivered(client& c, const arrival& message) override;
  void fill(client& c) override;

private:
  void prepare_clients(std::uint32_t receivers, bool one_for_both);
  std::string topic(std::uint32_t stream_number) const;
  std::string filter(std::uint32_t receiver) const;
  unsigned wanted(const stream& from) const;
  void publish(stream& from, client& c);
  void arrived_at_one(client& c, stream& from, const arrival& message);
  void arrived_at_all(client& c, stream& from, const arrival& message);
  void arrived_in_group(client& c, stream& from, const arrival& message);
  /// Counts it. @returns false for a duplicate.
  bool count(arrival_kind kind, const arrival& message);
  std::uint32_t number(const stream& from) const {
    return static_cast<std::uint32_t>(&from - streams_.data());
  }
  std::size_t check_index(const client& c, const stream& from) const {
    return c.receives * streams_.size() + number(from);
  }
  /// When the message `sequence` of a paced stream is to be sent.
  instant intended(std::uint32_t stream_number, std::uint32_t sequence) const {
    const auto k = std::uint64_t{sequence} * streams_.size() + stream_number;
    return started_
           + nanoseconds{
             static_cast<std::int64_t>(static_cast<double>(k) * interval_ns_)};
  }

  const audience audience_;
  slice slice_; ///< of the streams, when there are several workers
  std::uint32_t receivers_ = 0;
  std::vector<stream> streams_;
  /// By stream, for `all` and `group` by receiver and stream.
  std::vector<sequence_check> checks_;
  bool running_ = false; ///< a closed loop may publish
  instant started_;
  double interval_ns_ = 0;        ///< paced: between two messages
  std::uint32_t next_stream_ = 0; ///< paced: the next message to fall due
  std::uint32_t next_sequence_ = 0;
};

} // namespace troupe::bench
