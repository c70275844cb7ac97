#include "auth/placeholders.hpp"

#include "auth/address.hpp"

#include <algorithm>

namespace troupe::auth {

const std::array<std::string_view, placeholder_count> placeholder_names{
  "clientid",     "username", "cert_common_name",
  "cert_subject", "peerhost", "listener"};

const placeholder_values::value& placeholder_values::of(placeholder which) {
  const auto i = static_cast<std::size_t>(which);
  auto& found = values_[i];
  if (known_[i])
    return found;
  known_[i] = true;
  switch (which) {
  case placeholder::client_id:
    found.text = who_->client_id;
    break;
  case placeholder::user_name:
    found.text = who_->user_name.value_or("");
    break;
  case placeholder::cert_common_name:
    if (who_->tls)
      found.text = who_->tls->common_name;
    break;
  case placeholder::cert_subject:
    if (who_->tls)
      found.text = who_->tls->subject;
    break;
  case placeholder::peerhost:
    if (who_->peer)
      if (const auto a = address::of(*who_->peer))
        peerhost_ = a->to_string();
    found.text = peerhost_;
    break;
  case placeholder::listener:
    found.text = who_->listener;
  }
  found.usable =
    !found.text.empty()
    && std::all_of(found.text.begin(), found.text.end(), [](char c) {
         return c != '+' && c != '#' && c != '/' && c != '\0';
       });
  return found;
}

bool level_template::usable(placeholder_values& values,
                            bool first_level) const {
  for (const auto& one : parts)
    if (one.what && !values.of(*one.what).usable)
      return false;
  return !first_level || !parts[0].what
         || !values.of(*parts[0].what).text.starts_with('$');
}

bool level_template::gives(std::string_view level,
                           placeholder_values& values) const {
  for (const auto& one : parts) {
    const std::string_view text =
      one.what ? values.of(*one.what).text : std::string_view{one.text};
    if (!level.starts_with(text))
      return false;
    level.remove_prefix(text.size());
  }
  return level.empty();
}

} // namespace troupe::auth
