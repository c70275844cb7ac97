#include "actors/output.hpp"

#include <algorithm>

namespace troupe::actors {

void output::borrow(const protocol::message& holder,
                    protocol::bytes_view what) {
  borrowed_ += what.size();
  const auto own_before = own_consumed_ + bytes_.size();
  if (first_ < runs_.size() && holder.source() != nullptr) {
    // Packets that were read behind each other leave as one run; its first
    // message keeps the block.
    auto& last = runs_.back();
    const auto* block = last.holder->source();
    if (last.own_before == own_before
        && last.bytes.data() + last.bytes.size() == what.data()
        && block != nullptr && block->block == holder.source()->block) {
      last.bytes = {last.bytes.data(), last.bytes.size() + what.size()};
      return;
    }
  }
  runs_.push_back({protocol::message_ptr::share(holder), what, own_before});
}

std::size_t output::gather(std::span<iovec> to) const noexcept {
  std::size_t used = 0;
  const auto add = [&](protocol::bytes_view what) {
    if (!what.empty() && used < to.size())
      to[used++] = {const_cast<std::uint8_t*>(what.data()), what.size()};
  };
  const auto own = bytes_.view();
  std::size_t position = 0;
  for (auto i = first_; i < runs_.size() && used < to.size(); ++i) {
    const auto before = runs_[i].own_before - own_consumed_;
    add(own.subspan(position, before - position));
    add(runs_[i].bytes);
    position = before;
  }
  add(own.subspan(position));
  return used;
}

void output::consume(std::size_t count) noexcept {
  const auto take_own = [&](std::size_t most) {
    const auto taken = std::min(count, most);
    bytes_.consume(taken);
    own_consumed_ += taken;
    count -= taken;
  };
  while (count != 0 && first_ < runs_.size()) {
    auto& next = runs_[first_];
    take_own(next.own_before - own_consumed_);
    const auto taken = std::min(count, next.bytes.size());
    next.bytes = next.bytes.subspan(taken);
    borrowed_ -= taken;
    count -= taken;
    if (next.bytes.empty() && next.own_before == own_consumed_) {
      next.holder.reset();
      ++first_;
    }
  }
  take_own(bytes_.size());
  if (empty())
    clear();
}

void output::clear() noexcept {
  runs_.clear();
  first_ = 0;
  own_consumed_ = 0;
}

void output::keep() {
  if (first_ == runs_.size())
    return;
  protocol::byte_buffer all;
  const auto own = bytes_.view();
  std::size_t position = 0;
  for (auto i = first_; i < runs_.size(); ++i) {
    const auto before = runs_[i].own_before - own_consumed_;
    all.append(own.subspan(position, before - position));
    all.append(runs_[i].bytes);
    position = before;
  }
  all.append(own.subspan(position));
  bytes_ = std::move(all);
  borrowed_ = 0;
  clear();
}

// ---- the pool --------------------------------------------------------------

namespace {
constexpr std::size_t most_spare = 256;
constexpr std::size_t most_capacity = 256 * 1'024;
} // namespace

std::unique_ptr<output> output_pool::lend() {
  if (spare_.empty())
    return std::make_unique<output>();
  auto lent = std::move(spare_.back());
  spare_.pop_back();
  least_ = std::min(least_, spare_.size());
  return lent;
}

void output_pool::take_back(std::unique_ptr<output> from) {
  if (spare_.size() < most_spare && from->capacity() <= most_capacity)
    spare_.push_back(std::move(from));
}

void output_pool::trim() {
  spare_.erase(spare_.begin(),
               spare_.begin() + static_cast<std::ptrdiff_t>(least_));
  least_ = spare_.size();
}

} // namespace troupe::actors
