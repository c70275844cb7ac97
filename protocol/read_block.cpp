#include "protocol/read_block.hpp"

#include <algorithm>
#include <utility>

namespace troupe::protocol {

read_blocks::read_blocks(std::size_t room)
  : room_(room),
    current_(new read_block{most_before + 2 * room}) {}

read_blocks::~read_blocks() {
  current_->leave_to_borrowers();
  for (auto* block : away_)
    block->leave_to_borrowers();
}

std::uint8_t* read_blocks::next(std::size_t before) {
  if (position_ != 0 && current_->all_returned())
    position_ = 0;
  if (current_->size_ - position_ < before + room_)
    exchange_current();
  lent_before_ = current_->lent_;
  return current_->bytes_.get() + position_;
}

void read_blocks::exchange_current() {
  const auto spare =
    std::find_if(away_.begin(), away_.end(),
                 [](const read_block* x) { return x->all_returned(); });
  if (spare != away_.end()) {
    std::swap(current_, *spare);
  } else {
    away_.reserve(away_.size() + 1);
    away_.push_back(
      std::exchange(current_, new read_block{most_before + 2 * room_}));
  }
  exchanged_ = true;
  position_ = 0;
}

void read_blocks::used(std::size_t count) noexcept {
  constexpr std::size_t line = 64; // of the processor's cache
  if (current_->lent_ != lent_before_ && !current_->all_returned())
    position_ =
      std::min(current_->size_, (position_ + count + line - 1) / line * line);
}

void read_blocks::trim() {
  if (!std::exchange(exchanged_, false))
    std::erase_if(away_, [](read_block* x) {
      const bool spare = x->all_returned();
      if (spare)
        delete x;
      return spare;
    });
}

} // namespace troupe::protocol
