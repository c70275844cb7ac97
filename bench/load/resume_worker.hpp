#pragma once
// The mode resume: many clients come back at once to what has waited for them.

#include "bench/load/offline_worker.hpp"

namespace troupe::bench {

/// The set-up makes N sessions and writes M messages to each; the load is their
/// return. It is measured from the first CONNECT to the last message.
class resume_worker : public offline_worker {
public:
  resume_worker(const options& o, run_control& control, unsigned number);

protected:
  void set_up() override;
  bool loads() const override { return options_.check; }
  void load() override;
  void fill(client& c) override;
  std::uint32_t published_to(std::uint32_t) const override {
    return options_.messages;
  }

private:
  std::vector<std::uint8_t> filling_;
};

} // namespace troupe::bench
