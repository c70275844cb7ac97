#include "actors/subscriber_list.hpp"

#include <cstdlib>
#include <new>

namespace troupe::actors {

packed_options pack(const protocol::subscription_options& x) noexcept {
  return static_cast<packed_options>(static_cast<unsigned>(x.maximum_qos)
                                     | (x.no_local ? 4U : 0U)
                                     | (x.retain_as_published ? 8U : 0U)
                                     | static_cast<unsigned>(x.handling) << 4);
}

protocol::subscription_options unpack(packed_options x) noexcept {
  return {static_cast<protocol::qos>(x & 3), (x & 4) != 0, (x & 8) != 0,
          static_cast<protocol::retain_handling>(x >> 4 & 3)};
}

subscriber_list::~subscriber_list() {
  if ((bits_ & single) == 0)
    std::free(reinterpret_cast<block*>(bits_));
}

std::uint32_t subscriber_list::size() const noexcept {
  if (bits_ == 0)
    return 0;
  return (bits_ & single) != 0 ? 1
                               : reinterpret_cast<const block*>(bits_)->count;
}

subscriber_list::entry
subscriber_list::at(std::uint32_t position) const noexcept {
  if ((bits_ & single) != 0)
    return {reinterpret_cast<session*>((bits_ << 16 >> 16) & ~single), 0,
            static_cast<packed_options>(bits_ >> 48)};
  return reinterpret_cast<const block*>(bits_)->entries()[position];
}

subscriber_list::block& subscriber_list::to_block(std::uint32_t room) {
  const bool was_single = (bits_ & single) != 0;
  auto* old = was_single ? nullptr : reinterpret_cast<block*>(bits_);
  if (old != nullptr && old->capacity >= room)
    return *old;
  const auto capacity = room <= 2 ? 2 : room + room / 2;
  auto* fresh = static_cast<block*>(
    std::realloc(old, sizeof(block) + capacity * sizeof(entry)));
  if (fresh == nullptr)
    throw std::bad_alloc{};
  fresh->capacity = capacity;
  if (old == nullptr)
    fresh->count = 0;
  if (was_single) {
    fresh->entries()[0] = at(0);
    fresh->count = 1;
  }
  bits_ = reinterpret_cast<std::uint64_t>(fresh);
  return *fresh;
}

std::uint32_t subscriber_list::add(session* who, packed_options options,
                                   std::uint32_t identifier) {
  if (bits_ == 0 && identifier == 0) {
    bits_ = reinterpret_cast<std::uint64_t>(who) | single
            | static_cast<std::uint64_t>(options) << 48;
    return 0;
  }
  auto& list = to_block(size() + 1);
  list.entries()[list.count] = {who, identifier, options};
  return list.count++;
}

void subscriber_list::change(std::uint32_t position, packed_options options,
                             std::uint32_t identifier) {
  const auto who = at(position).who;
  if ((bits_ & single) != 0 && identifier == 0) {
    bits_ = 0;
    add(who, options, 0);
    return;
  }
  to_block(size()).entries()[position] = {who, identifier, options};
}

session* subscriber_list::remove(std::uint32_t position) {
  if ((bits_ & single) != 0) {
    bits_ = 0;
    return nullptr;
  }
  auto* list = reinterpret_cast<block*>(bits_);
  const auto last = --list->count;
  session* moved = nullptr;
  if (position != last) {
    list->entries()[position] = list->entries()[last];
    moved = list->entries()[position].who;
  }
  if (last == 0) {
    std::free(list);
    bits_ = 0;
  }
  return moved;
}

} // namespace troupe::actors
