#include "server/log.hpp"

#include "server/text.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <map>
#include <mutex>

namespace troupe::server {

struct log_writer::state {
  struct window {
    std::chrono::steady_clock::time_point began;
    std::uint64_t written = 0;
    std::uint64_t silenced = 0;
  };
  config::log settings;
  std::shared_ptr<spdlog::logger> out;
  std::shared_ptr<spdlog::logger> audit; ///< at every level, to the same place
  std::mutex mutex;
  std::map<std::string, window, std::less<>> causes; ///< guarded by mutex
};

namespace {

spdlog::level::level_enum level_of(config::log_level x) {
  switch (x) {
  case config::log_level::trace:
    return spdlog::level::trace;
  case config::log_level::debug:
    return spdlog::level::debug;
  case config::log_level::info:
    return spdlog::level::info;
  case config::log_level::warning:
    return spdlog::level::warn;
  case config::log_level::error:
    return spdlog::level::err;
  case config::log_level::off:
    break;
  }
  return spdlog::level::off;
}

spdlog::level::level_enum level_of(actors::log_level x) {
  switch (x) {
  case actors::log_level::debug:
    return spdlog::level::debug;
  case actors::log_level::info:
    return spdlog::level::info;
  case actors::log_level::warning:
    return spdlog::level::warn;
  case actors::log_level::error:
    break;
  }
  return spdlog::level::err;
}

// Strangers choose most of them, of any length.
constexpr std::size_t longest_text = 2'048;
constexpr std::size_t longest_field = 256;

} // namespace

log_writer::log_writer(const config::log& settings)
  : state_(std::make_unique<state>()) {
  state_->settings = settings;
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (settings.file.empty())
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  else
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file);
  state_->audit = std::make_shared<spdlog::logger>("troupe", sink);
  state_->audit->flush_on(spdlog::level::info);
  state_->out = std::make_shared<spdlog::logger>("troupe", std::move(sink));
  state_->out->set_level(level_of(settings.level));
  state_->out->flush_on(spdlog::level::info);
  if (settings.format == config::log_format::json)
    state_->out->set_pattern(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})");
  else
    state_->out->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%l] %v");
}

log_writer::~log_writer() = default;

void log_writer::write(const actors::log_line& line) {
  const auto level = level_of(line.level);
  auto& out = line.always ? *state_->audit : *state_->out;
  if (!out.should_log(level))
    return;
  std::uint64_t silenced = 0;
  if (!line.always) {
    const std::lock_guard guard(state_->mutex);
    const auto& limit = state_->settings.rate_limit;
    const auto now = std::chrono::steady_clock::now();
    auto& window = state_->causes[std::string{line.cause}];
    if (!limit || now - window.began >= limit->per) {
      silenced = window.silenced;
      window = {now, 0, 0};
    }
    if (limit && window.written >= limit->count) {
      ++window.silenced;
      return;
    }
    ++window.written;
  }
  const std::pair<std::string_view, std::string_view> fields[] = {
    {"client", line.client},
    {"user", line.user},
    {"peer", line.peer},
    {"listener", line.listener},
    {"topic", line.topic}};
  std::string text;
  const auto said = shortened(line.text, longest_text);
  if (state_->settings.format == config::log_format::json) {
    text =
      "\"cause\":" + json_string(line.cause) + ",\"text\":" + json_string(said);
    for (const auto& [name, value] : fields)
      if (!value.empty())
        text += ",\"" + std::string{name}
                + "\":" + json_string(shortened(value, longest_field));
    if (silenced != 0)
      text += ",\"silenced\":" + std::to_string(silenced);
  } else {
    text = std::string{line.cause} + ": " + printable(said);
    for (const auto& [name, value] : fields)
      if (!value.empty())
        text += ' ' + std::string{name} + '='
                + one_word(shortened(value, longest_field));
    if (silenced != 0)
      text += " (and " + std::to_string(silenced) + " more like it before)";
  }
  out.log(level, "{}", text);
}

void log_writer::audit(std::string_view text) {
  write({.level = actors::log_level::info,
         .cause = "ctl",
         .text = text,
         .always = true});
}

void log_writer::info(std::string_view cause, std::string_view text) {
  write({.level = actors::log_level::info, .cause = cause, .text = text});
}

void log_writer::warning(std::string_view cause, std::string_view text) {
  write({.level = actors::log_level::warning, .cause = cause, .text = text});
}

void log_writer::error(std::string_view cause, std::string_view text) {
  write({.level = actors::log_level::error, .cause = cause, .text = text});
}

void log_writer::set_limits(const config::log& settings) {
  const std::lock_guard guard(state_->mutex);
  state_->settings.rate_limit = settings.rate_limit;
  state_->settings.level = settings.level;
  state_->out->set_level(level_of(settings.level));
}

void log_writer::set_level(config::log_level to) {
  const std::lock_guard guard(state_->mutex);
  state_->settings.level = to;
  state_->out->set_level(level_of(to));
}

config::log_level log_writer::level() const {
  const std::lock_guard guard(state_->mutex);
  return state_->settings.level;
}

void log_writer::flush() { state_->out->flush(); }

} // namespace troupe::server
