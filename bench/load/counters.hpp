#pragma once
// What is counted, and readings of it at one moment.

#include "bench/load/process_probe.hpp"
#include "bench/load/time.hpp"

#include <cstdint>

namespace troupe::bench {

/// Since the beginning of the load, warm-up included.
struct counters {
  std::uint64_t published = 0;
  std::uint64_t expected = 0;  ///< deliveries that the published ones ask for
  std::uint64_t delivered = 0; ///< each message once per receiver
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t foreign = 0;      ///< publications that are not of this run
  std::uint64_t acknowledged = 0; ///< QoS 1 and 2 messages published
  std::uint64_t refused = 0;      ///< acknowledged with a reason of 0x80 and up
  std::uint64_t stalls = 0;       ///< a closed loop had to give messages up
  std::uint64_t disconnects = 0;
  std::uint64_t connects = 0; ///< CONNACKs, mode connect; sessions made
  std::uint64_t absent = 0;   ///< sessions that the broker has forgotten
  std::uint64_t reads = 0;    ///< system calls
  std::uint64_t writes = 0;
  std::uint64_t handshakes = 0; ///< of TLS
  std::uint64_t resumed = 0;    ///< those of them that were short
  std::uint64_t retries = 0;    ///< storm: connections refused or cut off

  counters& operator+=(const counters& other) {
    published += other.published;
    expected += other.expected;
    delivered += other.delivered;
    duplicates += other.duplicates;
    out_of_order += other.out_of_order;
    foreign += other.foreign;
    acknowledged += other.acknowledged;
    refused += other.refused;
    stalls += other.stalls;
    disconnects += other.disconnects;
    connects += other.connects;
    absent += other.absent;
    reads += other.reads;
    writes += other.writes;
    handshakes += other.handshakes;
    resumed += other.resumed;
    retries += other.retries;
    return *this;
  }
  counters& operator-=(const counters& other) {
    published -= other.published;
    expected -= other.expected;
    delivered -= other.delivered;
    duplicates -= other.duplicates;
    out_of_order -= other.out_of_order;
    foreign -= other.foreign;
    acknowledged -= other.acknowledged;
    refused -= other.refused;
    stalls -= other.stalls;
    disconnects -= other.disconnects;
    connects -= other.connects;
    absent -= other.absent;
    reads -= other.reads;
    writes -= other.writes;
    handshakes -= other.handshakes;
    resumed -= other.resumed;
    retries -= other.retries;
    return *this;
  }
};

/// All readings at one end of the measuring window.
struct sample {
  counters count;
  instant at;
  nanoseconds broker_cpu{};
  cpu_split broker_split;
  nanoseconds own_cpu{};
};

} // namespace troupe::bench
