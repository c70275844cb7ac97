#pragma once
// The mode filters: a broker with very many subscriptions.

#include "bench/load/bank_topics.hpp"
#include "bench/load/sequence.hpp"
#include "bench/load/worker.hpp"

#include <random>

namespace troupe::bench {

/// Clients with many filters each, publishers that pick a random leaf for each
/// message. QoS 0, closed loop. Loss is told from the number of clients that
/// each message is to reach; order from the client with the exact filter.
class filters_worker : public worker {
public:
  filters_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  std::vector<std::string> next_filters(client& c) override;
  void start(instant at) override;
  void stop(instant) override { running_ = false; }
  void write_off() override;
  void delivered(client& c, const arrival& message) override;
  void fill(client& c) override;

private:
  /// A message on its way.
  struct cell {
    std::uint32_t sequence = 0;
    std::uint32_t leaf = 0;
    std::uint32_t waiting = 0; ///< clients that are still to receive it
  };
  struct publisher {
    client* connection = nullptr;
    std::uint32_t published = 0;
    std::uint32_t outstanding = 0;
    std::vector<cell> cells; ///< by sequence modulo the size
  };
  void publish(publisher& from, client& c);
  std::uint32_t pick_leaf(std::uint32_t publisher_number);

  bank_topics topics_;
  std::vector<publisher> publishers_;
  /// By leaf: the number after the last one that its owner received. A leaf
  /// has one publisher.
  std::vector<std::uint32_t> next_at_owner_;
  std::minstd_rand random_{20'230'517};
  std::vector<std::uint8_t> filling_;
  bool running_ = false;
};

} // namespace troupe::bench
