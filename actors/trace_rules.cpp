#include "actors/trace_rules.hpp"

#include "protocol/hash.hpp"
#include "protocol/topic.hpp"

#include <algorithm>

namespace troupe::actors {

std::string wrong_with_trace_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
  };
  if (name.empty() || name.size() > 64 || name.front() == '.'
      || !std::all_of(name.begin(), name.end(), fits))
    return "the name of a trace is the name of a file: up to 64 letters, "
           "digits, - _ and ., and no . at its beginning";
  return {};
}

std::variant<trace_set::entry, std::string>
trace_set::entry::make(const trace_options& how) {
  if (auto wrong = wrong_with_trace_name(how.name); !wrong.empty())
    return wrong;
  if (how.lasts.count() <= 0)
    return std::string{"a trace has to last for some time, e.g. 10m"};
  if (how.size_max == 0)
    return std::string{"a trace has to have some room, e.g. 128MB"};
  entry x;
  x.options_ = how;
  switch (how.kind) {
  case trace_kind::client:
    if (how.wanted.empty())
      return std::string{"which client? Name a client identifier"};
    x.publisher_ = protocol::hash64(how.wanted);
    break;
  case trace_kind::topic:
    if (!protocol::is_valid_topic_filter(how.wanted))
      return '"' + how.wanted
             + "\" is no topic filter, such as sensors/+/temperature or #";
    break;
  case trace_kind::address: {
    auto read = auth::network::parse(how.wanted);
    if (auto* wrong = std::get_if<std::string>(&read))
      return std::move(*wrong);
    x.network_ = std::get<auth::network>(read);
    break;
  }
  case trace_kind::user:
    if (how.wanted.empty())
      return std::string{"which user? Name one"};
    break;
  }
  return x;
}

bool trace_set::entry::fits(const client& who) const {
  switch (options_.kind) {
  case trace_kind::client:
    return who.client_id == options_.wanted;
  case trace_kind::user:
    return who.user == options_.wanted;
  case trace_kind::address:
    if (who.peer == nullptr)
      return false;
    if (const auto address = auth::address::of(*who.peer))
      return network_->contains(*address);
    return false;
  case trace_kind::topic:
    break;
  }
  return false;
}

bool trace_set::entry::fits_topic(std::string_view topic) const noexcept {
  return options_.kind == trace_kind::topic
         && (topic == options_.wanted
             || protocol::matches(options_.wanted, topic));
}

trace_set::trace_set(std::vector<std::optional<entry>> slots)
  : slots_(std::move(slots)) {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]) {
      running_ |= trace_mask{1} << i;
      if (slots_[i]->is_told())
        told_ |= trace_mask{1} << i;
    }
}

trace_mask trace_set::of_client(const client& who) const {
  trace_mask all = 0;
  for_each(running_, [&](std::size_t i) {
    if (slots_[i]->fits(who))
      all |= trace_mask{1} << i;
  });
  return all;
}

trace_mask trace_set::of_message(const protocol::message& what) const noexcept {
  trace_mask all = 0;
  for_each(running_, [&](std::size_t i) {
    const auto& x = *slots_[i];
    if ((x.publisher() != 0 && x.publisher() == what.publisher())
        || x.fits_topic(what.topic()))
      all |= trace_mask{1} << i;
  });
  return all;
}

trace_mask trace_set::of_topic(std::string_view topic) const noexcept {
  trace_mask all = 0;
  for_each(running_, [&](std::size_t i) {
    if (slots_[i]->fits_topic(topic))
      all |= trace_mask{1} << i;
  });
  return all;
}

trace_mask trace_set::like_first(trace_mask which) const noexcept {
  const auto& first =
    slots_[static_cast<std::size_t>(std::countr_zero(which))]->options();
  trace_mask all = 0;
  for_each(which, [&](std::size_t i) {
    const auto& x = slots_[i]->options();
    if (x.payload == first.payload
        && (x.payload == trace_payload::none
            || x.payload_max == first.payload_max))
      all |= trace_mask{1} << i;
  });
  return all;
}

} // namespace troupe::actors
