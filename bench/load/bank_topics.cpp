#include "bench/load/bank_topics.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace troupe::bench {

namespace {

using namespace std::string_view_literals;

constexpr std::array kind_names{"atm"sv, "terminal"sv, "kiosk"sv, "camera"sv,
                                "sensor"sv};
constexpr std::array leaf_names{"telemetry"sv, "state"sv, "event"sv,
                                "response"sv};
constexpr std::uint32_t kinds = kind_names.size();
constexpr std::uint32_t leaf_kinds = leaf_names.size();
constexpr std::uint32_t devices = 9;  ///< of a kind at an outlet
constexpr std::uint32_t outlets = 10; ///< of a branch

/// `i * of / total`, rounded down: where the i-th of `total` lies among `of`.
std::uint32_t spread(std::uint32_t i, std::uint32_t of, std::uint32_t total) {
  return static_cast<std::uint32_t>(std::uint64_t{i} * of / total);
}

/// The first `i` whose `spread` is `at` or more.
std::uint32_t unspread(std::uint32_t at, std::uint32_t of,
                       std::uint32_t total) {
  return static_cast<std::uint32_t>((std::uint64_t{at} * total + of - 1) / of);
}

/// Whether one of `total` lies on `at` among `of`.
bool hit(std::uint32_t at, std::uint32_t of, std::uint32_t total) {
  const auto i = unspread(at, of, total);
  return i < total && spread(i, of, total) == at;
}

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* put(char* to, std::uint32_t number) {
  return std::to_chars(to, to + 10, number).ptr;
}

/// `bank/b12/o3/atm/`
char* put_kind(char* to, std::uint32_t kind_number) {
  const auto outlet = kind_number / kinds;
  to = put(put(to, "bank/b"), outlet / outlets);
  to = put(put(to, "/o"), outlet % outlets);
  return put(put(put(to, "/"), kind_names[kind_number % kinds]), "/");
}

} // namespace

bank_topics::bank_topics(std::string prefix, std::uint32_t filters,
                         std::uint32_t clients)
  : prefix_(std::move(prefix)),
    clients_(clients),
    exact_(filters - filters / 100 * 9 - filters / 100),
    plus_(filters / 100 * 9),
    hash_(filters / 100) {
  kinds_ = (exact_ + devices * leaf_kinds - 1) / (devices * leaf_kinds);
}

std::uint32_t bank_topics::client_of(std::uint32_t number,
                                     std::uint32_t total) const {
  return spread(number, clients_, total);
}

bank_topics::range bank_topics::range_of(std::uint32_t place,
                                         std::uint32_t total) const {
  const auto first = unspread(place, clients_, total);
  return {first, unspread(place + 1, clients_, total) - first};
}

std::size_t bank_topics::write_topic(std::uint32_t leaf, char* to) const {
  const auto device = leaf / leaf_kinds;
  auto* at = put_kind(put(to, prefix_), device / devices);
  at = put(put(at, "d"), device);
  at = put(put(at, "/"), leaf_names[leaf % leaf_kinds]);
  return static_cast<std::size_t>(at - to);
}

std::string bank_topics::kind_prefix(std::uint32_t kind_number) const {
  std::array<char, 64> text{};
  const char* begin = text.data();
  const char* end = put_kind(text.data(), kind_number);
  return prefix_ + std::string{begin, end};
}

std::uint32_t bank_topics::filters_of(std::uint32_t client) const {
  return range_of(client, exact_).count
         + range_of(place_of(client, clients_ / 2), plus_).count
         + range_of(place_of(client, clients_ / 4), hash_).count;
}

std::string bank_topics::filter(std::uint32_t client,
                                std::uint32_t which) const {
  const auto own = range_of(client, exact_);
  if (which < own.count) {
    std::string text(topic_max(), '\0');
    text.resize(write_topic(own.first + which, text.data()));
    return text;
  }
  which -= own.count;
  const auto plus = range_of(place_of(client, clients_ / 2), plus_);
  if (which < plus.count) {
    const auto at = spread(plus.first + which, kinds_ * leaf_kinds, plus_);
    return kind_prefix(at / leaf_kinds) + "+/"
           + std::string{leaf_names[at % leaf_kinds]};
  }
  which -= plus.count;
  const auto hash = range_of(place_of(client, clients_ / 4), hash_);
  return kind_prefix(spread(hash.first + which, kinds_, hash_)) + "#";
}

std::uint32_t bank_topics::audience(std::uint32_t leaf) const {
  const auto kind = leaf / (devices * leaf_kinds);
  const auto plus_at = kind * leaf_kinds + leaf % leaf_kinds;
  return 1U + (hit(plus_at, kinds_ * leaf_kinds, plus_) ? 1U : 0U)
         + (hit(kind, kinds_, hash_) ? 1U : 0U);
}

} // namespace troupe::bench
