#include "actors/reclaimer.hpp"

#include <utility>

namespace troupe::actors {

reclaimer::reclaimer(std::size_t reactors, std::function<void()> wake_all)
  : passed_(reactors),
    wake_all_(std::move(wake_all)) {}

reclaimer::~reclaimer() { drain(); }

void reclaimer::retire(void* object, void (*destroy)(void*)) {
  bool start = false;
  {
    std::lock_guard guard(mutex_);
    waiting_.push_back({object, destroy});
    if (phase_ == 0) {
      round_.swap(waiting_);
      phase_ = 1;
      requested_.fetch_add(1, std::memory_order_acq_rel);
      start = true;
    }
  }
  if (start)
    wake_all_();
}

void reclaimer::advance() {
  std::vector<retired> dead;
  bool wake = false;
  {
    std::lock_guard guard(mutex_);
    const auto wanted = requested_.load(std::memory_order_relaxed);
    if (phase_ == 0)
      return;
    for (const auto& reactor : passed_)
      if (reactor.value.load(std::memory_order_acquire) < wanted)
        return;
    if (phase_ == 1) {
      phase_ = 2;
      wake = true;
    } else {
      dead.swap(round_);
      phase_ = 0;
      if (!waiting_.empty()) {
        round_.swap(waiting_);
        phase_ = 1;
        wake = true;
      }
    }
    if (wake)
      requested_.fetch_add(1, std::memory_order_acq_rel);
  }
  if (wake)
    wake_all_();
  for (const auto& x : dead)
    x.destroy(x.object);
}

void reclaimer::drain() {
  std::lock_guard guard(mutex_);
  for (auto* list : {&round_, &waiting_}) {
    for (const auto& x : *list)
      x.destroy(x.object);
    list->clear();
  }
  phase_ = 0;
}

} // namespace troupe::actors
