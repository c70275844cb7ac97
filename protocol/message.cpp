#include "protocol/message.hpp"

#include "protocol/block_cache.hpp"
#include "protocol/read_block.hpp"

#include <cstring>
#include <new>

namespace troupe::protocol {

message_ptr message::make(const message_options& options) {
  std::size_t properties_size = 0;
  for (const auto& run : options.properties)
    properties_size += run.size();
  auto* const lender = options.source.block;
  std::uint8_t size_class = 0;
  auto* memory = block_cache::acquire(
    sizeof(message) + options.topic.size() + properties_size
      + (lender != nullptr ? sizeof(message_source) : options.payload.size()),
    size_class);
  auto* made = new (memory) message;
  made->size_class_ = size_class;
  made->topic_size_ = static_cast<std::uint16_t>(options.topic.size());
  made->properties_size_ = static_cast<std::uint32_t>(properties_size);
  made->payload_size_ = static_cast<std::uint32_t>(options.payload.size());
  made->qos_ = options.qos;
  made->retain_ = options.retain;
  made->has_expiry_ = options.message_expiry_interval.has_value();
  made->expiry_interval_ = options.message_expiry_interval.value_or(0);
  made->received_at_ = options.received_at;
  made->received_part_ = options.received_part;
  made->publisher_ = options.publisher;
  auto* at = reinterpret_cast<std::uint8_t*>(made + 1);
  if (lender != nullptr) {
    lender->lend();
    made->borrows_ = true;
    made->payload_ = options.payload.data();
    new (at) message_source{options.source};
    at += sizeof(message_source);
  }
  const auto copy = [&at](const void* from, std::size_t size) {
    if (size != 0)
      std::memcpy(at, from, size);
    at += size;
  };
  copy(options.topic.data(), options.topic.size());
  for (const auto& run : options.properties)
    copy(run.data(), run.size());
  if (lender == nullptr) {
    made->payload_ = at;
    copy(options.payload.data(), options.payload.size());
  }
  return message_ptr{made};
}

message_ptr message_ptr::kept() const {
  if (raw_ == nullptr || raw_->source() == nullptr)
    return *this;
  message_options same;
  same.topic = raw_->topic();
  same.payload = raw_->payload();
  same.properties[0] = raw_->properties();
  same.qos = raw_->qos();
  same.retain = raw_->retain();
  if (raw_->has_expiry_)
    same.message_expiry_interval = raw_->expiry_interval_;
  same.received_at = raw_->received_at();
  same.received_part = raw_->received_part();
  same.publisher = raw_->publisher();
  return message::make(same);
}

void message_ptr::destroy(const message* last) noexcept {
  const auto size_class = last->size_class_;
  if (const auto* from = last->source())
    from->block->give_back();
  last->~message();
  block_cache::release(const_cast<message*>(last), size_class);
}

} // namespace troupe::protocol
