#pragma once
// The mode connect: connections that are opened only to be closed.

#include "bench/load/worker.hpp"

namespace troupe::bench {

/// Keeps a number of connections in the making: CONNECT, CONNACK, DISCONNECT,
/// then it waits for the broker to close, which the standard obliges it to.
/// The latency is from connect() to CONNACK.
class connect_worker : public worker {
public:
  connect_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override {}
  void load() override;

  void connected(client& c, const connack& answer) override;
  void delivered(client& c, const arrival&) override { foreign(c); }
  void closed(client& c, const std::string& why) override;

private:
  void begin(client& c);
  /// Makes `count` connections, which is at least the concurrency.
  void make(std::uint32_t count);
  /// A full handshake for each of the clients that are to resume.
  void collect_tickets();

  const std::uint32_t wanted_; ///< connections, this worker's share
  const std::uint32_t concurrency_;
  std::uint32_t begun_ = 0;
  std::vector<instant> begun_at_;  ///< by client
  std::vector<client*> to_reopen_; ///< not from within a turn
};

} // namespace troupe::bench
