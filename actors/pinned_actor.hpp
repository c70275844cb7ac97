#pragma once
// Actors that live on one reactor for all of their life.

#include <caf/actor.hpp>
#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/resumable.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace troupe::actors {

class home;
enum class actor_kind : std::uint8_t;

/// A small CAF actor for what exists once per client. It has a handle, can be
/// linked and monitored and takes any CAF message; instead of behaviours,
/// requests and streams it has `receive`, called on its reactor's thread. Code
/// on that thread may also call its methods directly; everybody else sends.
///
/// An event-based actor of CAF 0.17 takes 1.1 KB before it holds anything,
/// this one a quarter of it.
class pinned_actor : public caf::monitorable_actor, public caf::resumable {
public:
  pinned_actor(caf::actor_config& config, home& on);
  ~pinned_actor() override;

  using caf::abstract_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override;

  resume_result resume(caf::execution_unit*, std::size_t) override;
  subtype_t subtype() const override { return scheduled_actor; }
  void intrusive_ptr_add_ref_impl() override;
  void intrusive_ptr_release_impl() override;

  home& at() const noexcept { return home_; }

  /// Ends the actor: mail that is still to come is dropped. The memory goes
  /// with the last handle, so the caller's frame may still use it if it holds
  /// one. On the home's thread.
  void quit(caf::error reason = {});
  bool ended() const noexcept { return ended_; }

protected:
  /// One message, on the home's thread. An exception ends this actor only.
  virtual void receive(caf::type_erased_tuple& content) = 0;
  /// Under which kind its mail is counted.
  virtual actor_kind kind() const noexcept;
  /// Called once when the actor ends, whatever the cause.
  virtual void on_end() {}

private:
  home& home_;
  /// Mail in reverse order; `idle` when nobody has scheduled the actor.
  std::atomic<caf::mailbox_element*> mail_;
  bool ended_ = false;
};

/// A new pinned actor: its handle keeps it alive.
template <class T>
struct pinned {
  caf::actor handle;
  T* self = nullptr;
};

/// Makes a pinned actor; the first argument of `T` after the config is its
/// home. May be called on any thread.
template <class T, class... Ts>
pinned<T> spawn_pinned(caf::actor_system& system, Ts&&... xs) {
  caf::actor_config config;
  auto handle =
    caf::make_actor<T, caf::actor>(system.next_actor_id(), system.node(),
                                   &system, config, std::forward<Ts>(xs)...);
  auto* made = static_cast<T*>(caf::actor_cast<caf::abstract_actor*>(handle));
  made->register_at_system();
  return {std::move(handle), made};
}

} // namespace troupe::actors
