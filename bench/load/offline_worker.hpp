#pragma once
// Durable sessions whose clients go away, and come back. The mode sessions.

#include "bench/load/sequence.hpp"
#include "bench/load/worker.hpp"
#include "bench/load/writer_set.hpp"

namespace troupe::bench {

/// Makes N sessions in its set-up: CONNECT, SUBSCRIBE to one topic of its own,
/// SUBACK, DISCONNECT, and the broker's close. That is all of the mode
/// sessions; the modes derived from it write to these topics and let the
/// clients return. One thread.
class offline_worker : public worker {
public:
  offline_worker(const options& o, run_control& control, unsigned number);

protected:
  void prepare() override;
  std::size_t connected_at_once() const override { return writers_.size(); }
  void set_up() override { visit_all(); }
  bool loads() const override { return false; }
  bool settled() const override;

  void connected(client& c, const connack& answer) override;
  void subscribed(client& c, bytes_view reasons) override;
  void delivered(client& c, const arrival& message) override;
  void acknowledged(client& c, std::uint16_t packet_id,
                    std::uint8_t reason) override;
  void closed(client& c, const std::string& why) override;

  /// How many messages a session was sent so far.
  virtual std::uint32_t published_to(std::uint32_t) const { return 0; }

  /// Makes the sessions.
  void visit_all();
  /// How many of them come back.
  virtual std::uint32_t returning() const { return sessions_; }
  /// Connects these again and receives until all that was published has
  /// arrived, or nothing comes any more.
  void return_all();
  virtual std::string topic(std::uint32_t session) const;
  /// When the last message came.
  instant arrived_at() const { return arrived_at_; }

  const std::uint32_t sessions_;
  writer_set writers_;

private:
  client& session(std::uint32_t i) { return clients_[writers_.size() + i]; }

  const std::uint32_t publishers_;
  std::uint32_t visited_ = 0;
  std::uint32_t returned_ = 0;
  bool visiting_ = false;
  bool returning_ = false;
  std::vector<sequence_check> checks_; ///< by session
  instant arrived_at_;
};

} // namespace troupe::bench
