#pragma once
// The mode durable: what an acknowledgement costs that is a promise.

#include "bench/load/offline_worker.hpp"

namespace troupe::bench {

/// N publishers, each with one durable subscriber that is away; each has as
/// much in flight as it may. Acknowledgements are counted, the latency is from
/// PUBLISH to PUBACK. After the load the subscribers return, so that what was
/// acknowledged is seen to be there.
class durable_worker : public offline_worker {
public:
  using offline_worker::offline_worker;

protected:
  void prepare() override;
  bool loads() const override { return true; }
  void start(instant) override;
  void stop(instant) override { running_ = false; }
  void fill(client& c) override;
  void drain() override;
  std::uint32_t published_to(std::uint32_t session) const override {
    return writers_[session].written;
  }

private:
  std::vector<publish_template> packets_; ///< by publisher
  bool running_ = false;
};

} // namespace troupe::bench
