#include "actors/pinned_actor.hpp"

#include "actors/home.hpp"

#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>

#include <exception>

namespace troupe::actors {

namespace {

/// Marks a mailbox whose actor nobody has scheduled.
caf::mailbox_element* idle() noexcept {
  return reinterpret_cast<caf::mailbox_element*>(std::uintptr_t{1});
}

} // namespace

pinned_actor::pinned_actor(caf::actor_config& config, home& on)
  : caf::monitorable_actor(config),
    home_(on),
    mail_(idle()) {}

pinned_actor::~pinned_actor() {
  auto* left = mail_.exchange(idle(), std::memory_order_acquire);
  while (left != nullptr && left != idle()) {
    auto* following = static_cast<caf::mailbox_element*>(left->next);
    caf::mailbox_element_ptr owned{left};
    left = following;
  }
}

void pinned_actor::intrusive_ptr_add_ref_impl() {
  caf::intrusive_ptr_add_ref(ctrl());
}

void pinned_actor::intrusive_ptr_release_impl() {
  caf::intrusive_ptr_release(ctrl());
}

void pinned_actor::enqueue(caf::mailbox_element_ptr mail,
                           caf::execution_unit*) {
  auto* fresh = mail.release();
  auto* head = mail_.load(std::memory_order_relaxed);
  do {
    fresh->next = head == idle() ? nullptr : head;
  } while (!mail_.compare_exchange_weak(head, fresh, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (head == idle()) {
    intrusive_ptr_add_ref_impl(); // the run queue's; `resume`'s caller drops it
    home_.exec_later(this);
  }
}

caf::resumable::resume_result pinned_actor::resume(caf::execution_unit* unit,
                                                   std::size_t) {
  // Everything that is here now, oldest first; what arrives meanwhile is for
  // the next turn.
  auto* reversed = mail_.exchange(nullptr, std::memory_order_acq_rel);
  caf::mailbox_element* oldest = nullptr;
  std::uint64_t taken = 0;
  while (reversed != nullptr) {
    auto* following = static_cast<caf::mailbox_element*>(reversed->next);
    reversed->next = oldest;
    oldest = reversed;
    reversed = following;
    ++taken;
  }
  count(home_.numbers().mails, taken);
  auto& figures = home_.numbers().kinds[static_cast<std::size_t>(kind())];
  const auto began = std::chrono::steady_clock::now();
  while (oldest != nullptr) {
    auto* following = static_cast<caf::mailbox_element*>(oldest->next);
    caf::mailbox_element_ptr mail{oldest};
    oldest = following;
    if (ended_)
      continue;
    if (handle_system_message(*mail, unit, false)) {
      if (getf(is_cleaned_up_flag))
        quit(caf::exit_reason::user_shutdown);
      continue;
    }
    try {
      receive(mail->content());
    } catch (const std::exception& e) {
      home_.report_crash(*this, e.what());
      quit(caf::exit_reason::unhandled_exception);
    }
  }
  count(figures.runs);
  count(figures.mails, taken);
  count(figures.nanoseconds,
        static_cast<std::uint64_t>(
          std::chrono::nanoseconds(std::chrono::steady_clock::now() - began)
            .count()));
  if (taken > figures.deepest.load(std::memory_order_relaxed))
    figures.deepest.store(taken, std::memory_order_relaxed);
  caf::mailbox_element* none = nullptr;
  if (mail_.compare_exchange_strong(none, idle(), std::memory_order_acq_rel))
    return awaiting_message;
  return resume_later;
}

actor_kind pinned_actor::kind() const noexcept { return actor_kind::other; }

void pinned_actor::quit(caf::error reason) {
  if (std::exchange(ended_, true))
    return;
  const caf::strong_actor_ptr keep{ctrl()}; // `on_end` may let its handle go
  on_end();
  cleanup(std::move(reason), &home_);
  unregister_from_system();
}

} // namespace troupe::actors
