#pragma once
// The mode retained: very many retained messages are written, then read.

#include "bench/load/worker.hpp"
#include "bench/load/writer_set.hpp"

namespace troupe::bench {

/// Writes N retained messages at QoS 1, each to a topic of its own, in the
/// set-up; the load is that R readers subscribe to all of them. It is measured
/// from the first SUBSCRIBE to the last message. One thread.
class retained_worker : public worker {
public:
  retained_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  void set_up() override;
  void load() override;
  void delivered(client& c, const arrival& message) override;
  void acknowledged(client& c, std::uint16_t packet_id,
                    std::uint8_t reason) override;
  void subscribed(client&, bytes_view reasons) override {
    check_suback(reasons);
  }
  void fill(client& c) override;

private:
  const std::uint32_t topics_;
  writer_set writers_;
  std::vector<std::uint8_t> filling_;
  std::vector<std::vector<bool>> seen_; ///< by reader and topic
  instant arrived_at_;
};

} // namespace troupe::bench
