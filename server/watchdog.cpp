#include "server/watchdog.hpp"

namespace troupe::server {

watchdog::watchdog(boost::asio::io_context& on, std::size_t parts,
                   std::chrono::microseconds timeout, handlers call)
  : rules_(parts, timeout),
    call_(std::move(call)),
    timer_(on),
    answered_(
      std::make_shared<std::vector<std::atomic<std::uint64_t>>>(parts)) {}

void watchdog::stop() {
  stopped_ = true;
  timer_.cancel();
}

void watchdog::look() {
  const std::vector<std::uint64_t> answered(answered_->begin(),
                                            answered_->end());
  const auto what = rules_.decide(std::chrono::steady_clock::now(), answered);
  if (what.feed)
    call_.feed();
  if (what.ask != 0)
    call_.ask([to = answered_, question = what.ask](std::size_t part) {
      to->at(part).store(question);
    });
  if (!what.silent.empty()) {
    std::string who;
    for (const auto part : what.silent)
      who += (who.empty() ? "" : ", ") + std::to_string(part);
    call_.warn("no turn was taken for half of the watchdog's time by reactor "
               + who
               + ": the service manager gets no sign of life until all take "
                 "turns again");
  }
  if (what.mended)
    call_.warn("all reactors take turns again");
  timer_.expires_at(what.next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !stopped_)
      look();
  });
}

} // namespace troupe::server
