#pragma once
// The mode broadcast: one filter of very many sessions that are away.

#include "bench/load/offline_worker.hpp"
#include "bench/load/publish_template.hpp"

#include <algorithm>

namespace troupe::bench {

/// N durable sessions with the same filter go away, then P publishers write to
/// it: as fast as they are acknowledged, or paced. Afterwards it waits until
/// the broker has written nothing for a while, so that all it ever writes for
/// these messages is counted. In the end some of the sessions return and read
/// everything.
class broadcast_worker : public offline_worker {
public:
  using offline_worker::offline_worker;

protected:
  void prepare() override;
  void set_up() override;
  bool loads() const override { return true; }
  void load() override;
  void drain() override;
  void start(instant at) override;
  instant advance(instant now) override;
  void stop(instant) override { running_ = false; }
  void fill(client& c) override;
  void delivered(client& c, const arrival& message) override;
  std::string topic(std::uint32_t) const override;
  std::uint32_t returning() const override {
    return std::min(options_.readers, sessions_);
  }

private:
  /// How many messages there may have been by now.
  std::uint64_t due(instant now) const;
  void wait_until_quiet();

  publish_template packet_;
  std::vector<sequence_check> seen_; ///< by reader and publisher
  instant began_;
  bool running_ = false;
};

} // namespace troupe::bench
