#include "actors/tracer.hpp"

#include "actors/trace_event.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace troupe::actors {

namespace {

using clock = std::chrono::steady_clock;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

/// Publishers that were told; who is beyond it is traced by its own lines
/// only.
constexpr std::size_t most_watched = 100'000;

std::string lines_lost(std::uint64_t count) {
  return trace_event{wall_ms(), "lines lost"}
    .number("lines", static_cast<std::int64_t>(count))
    .text("cause", "more was to be written than the disk takes")
    .take();
}

} // namespace

tracer::tracer(options how, on_change changed)
  : how_(std::move(how)),
    changed_(std::move(changed)),
    slots_(trace_set::most) {}

void tracer::close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

std::filesystem::path tracer::path_of(std::string_view name) const {
  return how_.directory / (std::string{name} + ".log");
}

tracer::running* tracer::find(std::string_view name) {
  for (auto& x : slots_)
    if (x && x->what.options().name == name)
      return x.get();
  return nullptr;
}

void tracer::tell() {
  std::vector<std::optional<trace_set::entry>> now;
  for (const auto& x : slots_)
    now.push_back(x && x->why.empty() ? std::optional{x->what} : std::nullopt);
  changed_(std::make_shared<const trace_set>(std::move(now)));
}

std::string tracer::start(const trace_options& how) {
  auto made = trace_set::entry::make(how);
  if (const auto* wrong = std::get_if<std::string>(&made))
    return *wrong;
  if (how_.directory.empty())
    return "this node has no directory for traces";
  const auto known = list().size();
  const std::lock_guard lock(mutex_);
  if (stopping_)
    return "the node is stopping";
  const auto path = path_of(how.name);
  std::error_code error;
  std::filesystem::create_directories(how_.directory, error);
  if (find(how.name) != nullptr || std::filesystem::exists(path, error))
    return "there is a trace \"" + how.name
           + "\" already: choose another name, or take it away with troupe "
             "ctl trace delete "
           + how.name;
  const auto slot = std::find(slots_.begin(), slots_.end(), nullptr);
  if (known >= trace_set::most || slot == slots_.end())
    return "there are " + std::to_string(trace_set::most)
           + " traces already: take one away with troupe ctl trace delete";
  auto x = std::make_unique<running>(
    running{std::get<trace_set::entry>(std::move(made)),
            clock::now() + how.lasts,
            nullptr,
            0,
            0,
            0,
            {},
            false});
  x->file = std::fopen(path.c_str(), "wxe");
  if (x->file == nullptr)
    return "the file " + path.string()
           + " cannot be made: " + std::strerror(errno);
  // Fewer than `most` are known, so there is a free one.
  while (slots_[next_slot_] != nullptr)
    next_slot_ = (next_slot_ + 1) % slots_.size();
  slots_[next_slot_] = std::move(x);
  next_slot_ = (next_slot_ + 1) % slots_.size();
  ended_.erase(how.name);
  if (!thread_.joinable())
    thread_ = std::thread([this] { run(); });
  tell();
  wake_.notify_all();
  return {};
}

bool tracer::stop(std::string_view name) {
  std::unique_lock lock(mutex_);
  auto* x = find(name);
  if (x == nullptr)
    return false;
  x->why = "stopped";
  tell();
  wake_.notify_all();
  idle_.wait(lock, [&] { return find(name) == nullptr; });
  return true;
}

bool tracer::remove(std::string_view name) {
  if (!wrong_with_trace_name(name).empty() || how_.directory.empty())
    return false;
  stop(name);
  const std::lock_guard lock(mutex_);
  if (const auto known = ended_.find(name); known != ended_.end())
    ended_.erase(known);
  std::error_code error;
  return std::filesystem::remove(path_of(name), error);
}

std::vector<tracer::info> tracer::list() {
  std::map<std::string, info> all;
  const std::lock_guard lock(mutex_);
  std::error_code error;
  if (!how_.directory.empty())
    for (std::filesystem::directory_iterator at{how_.directory, error}, end;
         !error && at != end; at.increment(error)) {
      if (at->path().extension() != ".log")
        continue;
      auto& x = all[at->path().stem().string()];
      x.what.name = at->path().stem().string();
      x.ended = "of an earlier start";
      std::error_code gone;
      x.size = at->file_size(gone);
    }
  for (const auto& [name, x] : ended_)
    if (const auto there = all.find(name); there != all.end()) {
      const auto size = there->second.size;
      there->second = x;
      there->second.size = size;
    }
  for (const auto& x : slots_)
    if (x)
      all[x->what.options().name] = {
        x->what.options(),
        true,
        x->size,
        x->lost,
        {},
        std::chrono::duration_cast<std::chrono::milliseconds>(x->ends
                                                              - clock::now())
          .count()};
  std::vector<info> made;
  made.reserve(all.size());
  for (auto& [name, x] : all)
    made.push_back(std::move(x));
  return made;
}

bool tracer::read(std::string_view name, std::uint64_t offset, std::size_t most,
                  std::string& out) {
  if (!wrong_with_trace_name(name).empty() || how_.directory.empty())
    return false;
  std::ifstream in{path_of(name), std::ios::binary};
  if (!in)
    return false;
  out.resize(most);
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(out.data(), static_cast<std::streamsize>(most));
  out.resize(
    static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return true;
}

// ---- from reactors ---------------------------------------------------------

void tracer::write(trace_mask to, const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (queue_size_ + line.size() > how_.queue_bytes) {
    trace_set::for_each(to, [&](std::size_t i) {
      if (slots_.at(i)) {
        ++slots_[i]->lost;
        ++slots_[i]->unsaid;
      }
    });
    return;
  }
  queue_.push_back({to, line});
  queue_size_ += line.size();
  if (queue_.size() == 1)
    wake_.notify_one();
}

void tracer::watch(std::uint64_t publisher, trace_mask by) {
  const std::lock_guard lock(mutex_);
  if (watched_.size() < most_watched || watched_.contains(publisher))
    watched_[publisher] |= by;
}

trace_mask tracer::watched(std::uint64_t publisher) {
  const std::lock_guard lock(mutex_);
  const auto known = watched_.find(publisher);
  return known == watched_.end() ? 0 : known->second;
}

// ---- the thread ------------------------------------------------------------

void tracer::run() {
  constexpr std::chrono::milliseconds often{100};
  std::unique_lock lock(mutex_);
  for (;;) {
    if (queue_.empty() && !stopping_)
      wake_.wait_for(lock, often);
    write_all(lock);
    end_some();
    idle_.notify_all();
    if (stopping_ && queue_.empty())
      break;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i])
      end(i);
  idle_.notify_all();
}

void tracer::write_all(std::unique_lock<std::mutex>& lock) {
  std::deque<queued> lines;
  lines.swap(queue_);
  queue_size_ = 0;
  struct part {
    std::FILE* file = nullptr;
    std::uint64_t room = 0;
    std::uint64_t written = 0;
    std::uint64_t unsaid = 0;
    int error = 0;
    bool full = false;
  };
  std::vector<part> parts(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (auto& x = slots_[i]) {
      const auto most = x->what.options().size_max;
      parts[i] = {x->file, most - std::min(most, x->size),
                  0,       std::exchange(x->unsaid, 0),
                  0,       false};
    }
  // Only this thread ends traces and closes files.
  lock.unlock();
  const auto put = [](part& to, const std::string& line) {
    if (to.file == nullptr || to.full || to.error != 0)
      return;
    if (to.written + line.size() > to.room) {
      to.full = true;
      return;
    }
    if (std::fwrite(line.data(), 1, line.size(), to.file) != line.size())
      to.error = errno;
    to.written += line.size();
  };
  for (const auto& x : lines)
    trace_set::for_each(x.to, [&](std::size_t i) { put(parts.at(i), x.line); });
  for (auto& x : parts) {
    if (x.unsaid != 0)
      put(x, lines_lost(x.unsaid));
    if (x.file != nullptr && x.written != 0 && std::fflush(x.file) != 0)
      x.error = errno;
  }
  lock.lock();
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (auto& x = slots_[i]; x && x->file == parts[i].file) {
      x->size += parts[i].written;
      x->cut = parts[i].full || parts[i].error != 0;
      if (parts[i].error != 0)
        x->why = std::string{"the file cannot be written: "}
                 + std::strerror(parts[i].error);
      else if (parts[i].full)
        x->why = "the file has reached its size";
    }
}

void tracer::end_some() {
  bool changed = false;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto& x = slots_[i];
    if (!x)
      continue;
    if (x->why.empty() && clock::now() >= x->ends)
      x->why = "its time is over";
    if (x->why.empty())
      continue;
    end(i);
    changed = true;
  }
  if (changed)
    tell();
}

void tracer::end(std::size_t slot) {
  const auto x = std::exchange(slots_[slot], nullptr);
  const auto bit = trace_mask{1} << slot;
  // What came since lines were written last.
  std::string rest;
  for (auto& one : queue_)
    if ((std::exchange(one.to, one.to & ~bit) & bit) != 0) {
      const auto size = x->size + rest.size() + one.line.size();
      if (!x->cut && size <= x->what.options().size_max)
        rest += one.line;
      else
        ++x->lost;
    }
  if (x->unsaid != 0)
    rest += lines_lost(x->unsaid);
  if (!x->cut) {
    std::fwrite(rest.data(), 1, rest.size(), x->file);
    x->size += rest.size();
  }
  const auto line = trace_event{wall_ms(), "trace ends"}
                      .text("cause", x->why.empty() ? "the node stops" : x->why)
                      .take();
  std::fwrite(line.data(), 1, line.size(), x->file);
  std::fclose(x->file);
  ended_[x->what.options().name] = {x->what.options(),
                                    false,
                                    x->size + line.size(),
                                    x->lost,
                                    x->why.empty() ? "the node stops" : x->why,
                                    0};
  for (auto& [publisher, mask] : watched_)
    mask &= ~bit;
  std::erase_if(watched_, [](const auto& y) { return y.second == 0; });
}

} // namespace troupe::actors
