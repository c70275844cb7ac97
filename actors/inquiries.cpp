#include "actors/inquiries.hpp"

namespace troupe::actors {

client_ref inquiries::add(std::size_t reactor, answered f) {
  client_ref who;
  do {
    last_ = (last_ + 1) & ~first;
    who = {first | last_, 1, static_cast<std::uint16_t>(reactor)};
  } while (open_.contains(who.slot));
  open_.emplace(who.slot, std::move(f));
  return who;
}

void inquiries::handle(client_ref who, client_event& what) {
  const auto found = open_.find(who.slot);
  if (found == open_.end())
    return;
  // It may ask something else, which may move the table.
  const auto f = std::move(found->second);
  open_.erase(found);
  if (f(what))
    open_.emplace(who.slot, f);
}

} // namespace troupe::actors
