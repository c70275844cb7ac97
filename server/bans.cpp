#include "server/bans.hpp"

#include "auth/ban_file.hpp"
#include "auth/whole_file.hpp"
#include "server/wall_time.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <stdexcept>

namespace troupe::server {

namespace {

constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;
constexpr std::chrono::minutes look_after{1};

} // namespace

bans::bans(std::filesystem::path file, log_writer& log,
           boost::asio::io_context& control)
  : file_(std::move(file)),
    log_(log),
    control_(control),
    timer_(control) {}

void bans::load(actors::admission& into) {
  table_ = &into;
  if (!std::filesystem::exists(file_))
    return;
  std::vector<auth::problem> problems;
  try {
    const auto text = auth::read_whole_file(file_, largest_file);
    into.load([&](auth::ban_table& to) {
      problems = auth::read_bans(text, file_.string(), wall_ms(), to);
    });
  } catch (const std::filesystem::filesystem_error& e) {
    throw std::runtime_error(e.what());
  }
  std::string all;
  for (const auto& x : problems)
    all += (all.empty() ? "" : "\n") + x.where + ": " + x.text;
  if (!all.empty())
    throw std::runtime_error(all);
}

void bans::changed() {
  boost::asio::post(control_, [this] {
    if (std::exchange(due_, true))
      return;
    // What changes meanwhile is written with it.
    boost::asio::post(control_, [this] { save(); });
  });
}

void bans::save() {
  if (!due_)
    return;
  if (const auto why = write(); !why.empty())
    log_.error("bans", "the bans are in force, but would not outlive a "
                       "restart: "
                         + why);
}

std::string bans::write() {
  due_ = false;
  try {
    auth::replace_file(file_, auth::to_text(*table_->bans()));
  } catch (const std::filesystem::filesystem_error& e) {
    return e.what();
  }
  return {};
}

void bans::watch() {
  timer_.expires_after(look_after);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error)
      return;
    table_->expire(wall_ms());
    watch();
  });
}

void bans::stop() {
  timer_.cancel();
  save();
}

} // namespace troupe::server
