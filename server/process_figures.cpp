#include "server/process_figures.hpp"

#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace troupe::server {

namespace {

double seconds_of(const timeval& x) {
  return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) / 1e6;
}

} // namespace

std::uint64_t resident_bytes() {
  std::uint64_t pages = 0;
  std::uint64_t resident_pages = 0;
  std::ifstream in{"/proc/self/statm"};
  return in >> pages >> resident_pages
           ? resident_pages
               * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))
           : 0;
}

process_figures figures_of_this_process() {
  process_figures x;
  x.resident_bytes = resident_bytes();
  std::uint64_t pages = 0;
  if (std::ifstream in{"/proc/self/statm"}; in >> pages)
    x.virtual_bytes =
      pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto heap = ::mallinfo2();
  x.heap_bytes = heap.uordblks + heap.hblkhd;
  if (rusage used{}; ::getrusage(RUSAGE_SELF, &used) == 0)
    x.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  std::error_code error;
  const auto entries = [&error](const char* folder) {
    std::uint64_t count = 0;
    for (std::filesystem::directory_iterator at{folder, error}, end;
         !error && at != end; at.increment(error))
      ++count;
    return count;
  };
  x.threads = entries("/proc/self/task");
  // One of them is the folder that is being read.
  if (const auto files = entries("/proc/self/fd"); files > 0)
    x.open_files = files - 1;
  if (rlimit limit{}; ::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    x.max_files = limit.rlim_cur;
  return x;
}

} // namespace troupe::server
