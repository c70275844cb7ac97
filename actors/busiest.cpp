#include "actors/busiest.hpp"

#include <algorithm>

namespace troupe::actors {

void busiest_names::add(std::string_view name, std::uint64_t bytes) {
  auto found = names_.find(name);
  if (found == names_.end()) {
    if (names_.size() >= 2 * keep_)
      give_up_rare_ones();
    found = names_.emplace(std::string{name}, counted{}).first;
  }
  ++found->second.messages;
  found->second.bytes += bytes;
}

void busiest_names::give_up_rare_ones() {
  std::vector<std::uint64_t> counts;
  counts.reserve(names_.size());
  for (const auto& [name, x] : names_)
    counts.push_back(x.messages);
  const auto at = counts.begin() + static_cast<std::ptrdiff_t>(keep_);
  std::nth_element(counts.begin(), at, counts.end(), std::greater<>{});
  const auto less = *at;
  for (auto& [name, x] : names_) {
    const auto left = x.messages > less ? x.messages - less : 0;
    x.bytes -= x.bytes * (x.messages - left) / x.messages;
    x.messages = left;
  }
  std::erase_if(names_, [](const auto& x) { return x.second.messages == 0; });
  missed_ += less;
}

std::vector<busiest_names::one> busiest_names::take(std::size_t most) {
  std::vector<one> all;
  all.reserve(names_.size());
  for (const auto& [name, x] : names_)
    all.push_back({name, x.messages, x.bytes});
  names_.clear();
  missed_ = 0;
  std::sort(all.begin(), all.end(), [](const one& a, const one& b) {
    return a.messages != b.messages ? a.messages > b.messages : a.name < b.name;
  });
  if (all.size() > most)
    all.resize(most);
  return all;
}

} // namespace troupe::actors
