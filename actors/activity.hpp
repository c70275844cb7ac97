#pragma once
// How busy the clients and topics of one reactor are, while somebody looks.

#include "actors/busiest.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace troupe::actors {

/// Made by the first question of `troupe ctl top` and dropped when there was
/// none for `patience`: it costs nothing else. On the reactor's thread.
struct activity {
  static constexpr std::chrono::seconds patience{10};

  /// What a place in the home had counted when it was asked last.
  struct sample {
    std::uint16_t generation = 0; ///< of the tenant; 0: none
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };

  busiest_names topics{512};
  std::vector<sample> samples; ///< by slot
  std::chrono::steady_clock::time_point sampled_at{};
  std::chrono::steady_clock::time_point until{};
};

} // namespace troupe::actors
