// troupe-bench: load for MQTT brokers.

#include "bench/load/options.hpp"
#include "bench/load/report.hpp"
#include "bench/load/run.hpp"
#include "bench/load/socket.hpp"

#include <cstdio>

namespace {

// Exit codes; 2 is for bad options.
constexpr int messages_lost = 1;
constexpr int run_failed = 3;

} // namespace

int main(int argc, char** argv) {
  namespace bench = troupe::bench;
  int status = 0;
  const auto options = bench::parse_options(argc, argv, status);
  if (!options)
    return status;
  try {
    const auto found = bench::run(*options);
    const auto text = options->json ? bench::to_json(*options, found)
                                    : bench::to_table(*options, found);
    std::fputs(text.c_str(), stdout);
    return found.clean(*options) || options->allow_loss ? 0 : messages_lost;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "troupe-bench: %s\n", error.what());
    return run_failed;
  }
}
