#pragma once
// The mode subscribe: subscriptions of durable sessions, one after the other.

#include "bench/load/worker.hpp"

namespace troupe::bench {

/// N durable clients are connected; the load is that each subscribes to
/// `x/{client id}/#`, with a bound on those that wait for their SUBACK. The
/// latency is from SUBSCRIBE to SUBACK.
class subscribe_worker : public worker {
public:
  subscribe_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  void set_up() override {}
  void load() override;
  void subscribed(client& c, bytes_view reasons) override;
  void delivered(client& c, const arrival&) override { foreign(c); }

private:
  const std::uint32_t wanted_;    ///< clients, this worker's share
  std::vector<instant> asked_at_; ///< by client
};

} // namespace troupe::bench
