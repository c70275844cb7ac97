#pragma once
// The mode storm: everybody is cut off and comes back at once.

#include "bench/load/worker.hpp"

namespace troupe::bench {

/// Connects and subscribes N clients, closes all of them without a word, opens
/// them all again and waits until each is served: CONNACK and all SUBACKs. The
/// latency of a client is from the cut to that moment.
class storm_worker : public worker {
public:
  storm_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  std::vector<std::string> next_filters(client& c) override;
  void load() override;

  void greet(client& c) override;
  void connected(client& c, const connack& answer) override;
  void subscribed(client& c, bytes_view reasons) override;
  void delivered(client& c, const arrival&) override { foreign(c); }
  void closed(client& c, const std::string& why) override;

private:
  struct waiting {
    client* who;
    instant until;
  };

  void await_input();
  void open_more(instant now);
  std::string filter(const client& c, std::uint32_t number) const;

  const std::uint32_t at_once_;
  bool storming_ = false;
  std::uint32_t next_ = 0;          ///< client to come back for the first time
  std::uint32_t in_the_making_ = 0; ///< opened, neither served nor closed
  std::deque<waiting> to_retry_;    ///< by time
  std::vector<bool> served_;        ///< by client
  instant cut_at_;
};

} // namespace troupe::bench
