#pragma once
// Fetches what authorities say of the listeners' certificates.

#include "net/tls_context.hpp"
#include "server/log.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace troupe::server {

/// Where an OCSP responder is.
struct http_place {
  std::string host;
  std::string port;
  std::string target; ///< path and query
  /// @returns nothing if it is not `http://host[:port][/path]`.
  static std::optional<http_place> parse(std::string_view url);
  std::string host_field() const;
};

/// Asks OCSP responders on a thread of its own, again and again, and has the
/// answers stapled. One that cannot be used is logged and counted, and what was
/// stapled before goes on to be, until it is out of date.
class ocsp_stapler {
public:
  struct job {
    std::string listener; ///< `ssl:default`
    std::shared_ptr<const net::tls_context> tls;
    http_place from;
    std::chrono::milliseconds refresh{300'000};
    std::chrono::milliseconds patience{15'000}; ///< for one answer
  };
  /// @param told  of each attempt, whether it was good; on the thread of this.
  ocsp_stapler(log_writer& log, std::function<void(bool)> told);
  ~ocsp_stapler();
  ocsp_stapler(const ocsp_stapler&) = delete;
  ocsp_stapler& operator=(const ocsp_stapler&) = delete;

  /// Does these from now on, and no others. What a listener had stapled is
  /// shown again if it fits the new certificate. The thread begins with the
  /// first job.
  void set(std::vector<job> jobs);
  /// No answer is waited for any more.
  void stop();

private:
  struct state;
  std::unique_ptr<state> state_;
  std::thread thread_;
};

} // namespace troupe::server
