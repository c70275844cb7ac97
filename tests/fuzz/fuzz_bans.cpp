// Any text as a file of bans. What was read is written, and reads the same.

#include "auth/ban_file.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace {

using namespace troupe;

/// Stops the fuzzer: the property named does not hold.
[[noreturn]] void broken(std::string_view property) {
  std::cerr << property << "\n";
  std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  auth::ban_table table{{.bans_max = 100, .patterns_max = 10}};
  for (const auto& p : auth::read_bans(text, "fuzz", 1'000, table))
    if (p.where.empty() || p.text.empty())
      broken("a problem says where and what");
  const auto list = table.snapshot();
  const auto written = auth::to_text(*list);
  auth::ban_table again{{.bans_max = 100, .patterns_max = 10}};
  if (!auth::read_bans(written, "fuzz", 1'000, again).empty()
      || auth::to_text(*again.snapshot()) != written)
    broken("what is written reads the same");
  auth::client_facts who;
  who.client_id = "bot-1";
  who.user_name = "guest";
  who.peer = net::endpoint::parse("10.1.2.3:4").value();
  list->find(who.view(), 2'000);
  list->for_each([&](const auth::ban& b) {
    if (!b.in_force(1'000))
      broken("what is over is not read");
    who.client_id = b.who;
    if (b.as == auth::ban_kind::clientid && !list->find(who.view(), 1'000))
      broken("whom a ban names is found");
  });
  for (const auto at : {2'000, 1'000'000'000})
    table.expire(at);
  if (table.size() > list->size())
    broken("time adds no ban");
  return 0;
}
