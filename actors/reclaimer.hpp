#pragma once
// When memory that reactors read without a lock may be freed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace troupe::actors {

/// Quiescent-state based reclamation for a fixed set of reactors.
///
/// What is unlinked from a shared structure is handed to `retire`. It is
/// deleted after every reactor has finished two turns, one after the other:
/// after the first nobody can find it any more, and every batch that names it
/// is in its receiver's mailbox; in the second each receiver has emptied its
/// mailbox. Thread-safe.
class reclaimer {
public:
  /// @param wake_all  makes every reactor take a turn.
  reclaimer(std::size_t reactors, std::function<void()> wake_all);
  ~reclaimer();
  reclaimer(const reclaimer&) = delete;
  reclaimer& operator=(const reclaimer&) = delete;

  void retire(void* object, void (*destroy)(void*));
  template <class T>
  void retire(T* object) {
    retire(object, [](void* x) { delete static_cast<T*>(x); });
  }

  /// By a reactor at the start of a turn; to be handed to `turn_ended`.
  std::uint64_t turn_began() const noexcept {
    return requested_.load(std::memory_order_acquire);
  }
  /// By a reactor when the turn's batches have been sent and the mailbox that
  /// it found at the start of the turn is empty.
  void turn_ended(std::size_t reactor, std::uint64_t began) {
    auto& passed = passed_[reactor].value;
    if (passed.load(std::memory_order_relaxed) != began) {
      passed.store(began, std::memory_order_release);
      advance();
    }
  }
  /// No reactor runs any more: frees everything.
  void drain();

private:
  struct retired {
    void* object;
    void (*destroy)(void*);
  };
  struct alignas(64) cell {
    std::atomic<std::uint64_t> value{0};
  };
  void advance();

  std::vector<cell> passed_;
  std::atomic<std::uint64_t> requested_{0};
  std::function<void()> wake_all_;
  std::mutex mutex_;
  std::vector<retired> waiting_; ///< guarded by mutex_; not yet in a round
  std::vector<retired> round_;   ///< guarded by mutex_; in the current round
  int phase_ = 0;                ///< guarded by mutex_; 0: no round under way
};

} // namespace troupe::actors
