#include "cluster/session_registry.hpp"

namespace troupe::cluster {

void session_registry::evict(owner& x) {
  if (!std::exchange(x.evicted, true))
    actions_.evict(x.who, x.waiting->clean_start);
}

void session_registry::claim(claim_command&& x) {
  const auto [at, fresh] = owners_.try_emplace(x.client_id);
  auto& of = at->second;
  if (fresh) {
    of.who = x.who;
    actions_.admit(std::move(x));
    return;
  }
  if (of.waiting)
    actions_.superseded(of.waiting->who);
  of.waiting = std::move(x);
  if (of.now == phase::live)
    evict(of);
}

bool session_registry::granted(std::string_view client_id) {
  const auto at = owners_.find(client_id);
  if (at == owners_.end())
    return true;
  at->second.now = phase::live;
  if (!at->second.waiting)
    return true;
  evict(at->second);
  return false;
}

void session_registry::refused(std::string_view client_id) {
  if (const auto at = owners_.find(client_id); at != owners_.end()) {
    at->second.now = phase::releasing;
    released(client_id);
  }
}

bool session_registry::release(std::string_view client_id, client_ref who) {
  const auto at = owners_.find(client_id);
  if (at == owners_.end() || at->second.who != who
      || at->second.now != phase::live)
    return false;
  at->second.now = phase::releasing;
  return true;
}

void session_registry::released(std::string_view client_id) {
  const auto at = owners_.find(client_id);
  if (at == owners_.end() || at->second.now != phase::releasing)
    return;
  auto waiting = std::exchange(at->second.waiting, std::nullopt);
  if (!waiting) {
    owners_.erase(at);
    return;
  }
  at->second = {waiting->who, phase::claiming, false, std::nullopt};
  actions_.admit(std::move(*waiting));
}

} // namespace troupe::cluster
