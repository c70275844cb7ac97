#include "bench/load/process_probe.hpp"

#include "bench/load/socket.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace troupe::bench {

namespace {

nanoseconds read_clock(clockid_t id) {
  timespec now{};
  if (::clock_gettime(id, &now) != 0)
    return {};
  return std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
}

std::string proc_file(int pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

} // namespace

process_probe::process_probe(int pid) : pid_(pid) {
  if (pid_ == 0)
    return;
  int error = ::clock_getcpuclockid(pid_, &clock_);
  if (timespec now{}; error == 0 && ::clock_gettime(clock_, &now) != 0)
    error = ESRCH;
  if (error != 0)
    throw run_error{"--pid " + std::to_string(pid_) + ": "
                    + std::strerror(error)};
}

nanoseconds process_probe::cpu() const {
  return pid_ == 0 ? nanoseconds{0} : read_clock(clock_);
}

cpu_split process_probe::split() const {
  std::ifstream in{proc_file(pid_, "stat")};
  std::string line;
  if (pid_ == 0 || !std::getline(in, line))
    return {};
  // The name, in parentheses, may hold anything; utime is the 12th after it.
  std::istringstream fields{line.substr(line.rfind(')') + 1)};
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return {seconds_f{user / ticks}, seconds_f{system / ticks}};
}

std::uint64_t process_probe::resident() const {
  std::ifstream in{proc_file(pid_, "smaps_rollup")};
  std::uint64_t kilobytes = 0;
  for (std::string word; pid_ != 0 && in >> word;)
    if (word == "Rss:" && in >> kilobytes)
      return kilobytes * 1024;
  // Without the right to read that, the page count that anybody may read.
  std::ifstream pages{proc_file(pid_, "statm")};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (pid_ != 0 && pages >> size >> resident)
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return 0;
}

std::uint64_t process_probe::written() const {
  std::ifstream in{proc_file(pid_, "io")};
  std::uint64_t bytes = 0;
  for (std::string word; pid_ != 0 && in >> word;)
    if (word == "write_bytes:" && in >> bytes)
      return bytes;
  return 0;
}

nanoseconds own_cpu() { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

} // namespace troupe::bench
