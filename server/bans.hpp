#pragma once
// The bans, in a file of the data directory, so that they outlive a restart.

#include "actors/admission.hpp"
#include "server/log.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <filesystem>
#include <memory>

namespace troupe::server {

/// Reads the file at the start and writes it a moment after each change, on
/// the thread that runs `control`.
class bans {
public:
  bans(std::filesystem::path file, log_writer& log,
       boost::asio::io_context& control);

  /// @throws std::runtime_error with every mistake of the file, a line each
  void load(actors::admission& into);
  /// Writes what is not written yet.
  void save();
  /// Writes them now. @returns why that cannot be, or nothing.
  std::string write();
  /// Forgets those that are over, and then every minute; until `stop`.
  void watch();
  void stop();

  actors::admission& table() { return *table_; }
  /// Any thread: they have changed.
  void changed();

private:
  std::filesystem::path file_;
  log_writer& log_;
  boost::asio::io_context& control_;
  boost::asio::steady_timer timer_;
  actors::admission* table_ = nullptr;
  bool due_ = false; ///< to be saved
};

} // namespace troupe::server
