#include "auth/scram_keys.hpp"

#include <algorithm>

namespace troupe::auth {

namespace {

constexpr std::string_view head = "SCRAM-SHA-256$";
constexpr std::size_t salt_size = 16;

std::optional<digest> key_of(std::string_view text) {
  const auto bytes = from_base64(text, base64::padded);
  digest made{};
  if (!bytes || bytes->size() != made.size())
    return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), made.begin());
  return made;
}

} // namespace

parsed<scram_keys> scram_keys::parse(std::string_view text) {
  const auto wrong = [](std::string_view what) {
    return std::string{what}
           + "; SCRAM keys are "
             "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, make them "
             "with troupe passwd add";
  };
  // A space for what is missing, so that nothing more can be right.
  const auto next = [&text](char until) {
    const auto end = text.find(until);
    const auto part = end == text.npos ? " " : text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    return part;
  };
  if (!text.starts_with(head))
    return wrong("these are no SCRAM-SHA-256 keys");
  text.remove_prefix(head.size());
  scram_keys made;
  const auto iterations = to_number(next(':'));
  auto salt = from_base64(next('$'), base64::padded);
  const auto stored = key_of(next(':'));
  const auto server = key_of(text);
  if (!iterations || *iterations < iterations_min
      || *iterations > iterations_max)
    return wrong("SCRAM's iterations must be from "
                 + std::to_string(iterations_min) + " to "
                 + std::to_string(iterations_max));
  if (!salt || salt->size() < 8 || salt->size() > 64)
    return wrong("SCRAM's salt must be base64 of 8 to 64 bytes");
  if (!stored || !server)
    return wrong("SCRAM's StoredKey and ServerKey must be base64 of 32 bytes");
  made.iterations = *iterations;
  made.salt = std::move(*salt);
  made.stored_key = *stored;
  made.server_key = *server;
  return made;
}

scram_keys scram_keys::derive(std::string_view password, std::string salt,
                              std::uint32_t iterations) {
  scram_keys made;
  auto salted = pbkdf2(hmac_hash::sha256, password, salt, iterations, 32);
  made.iterations = iterations;
  made.salt = std::move(salt);
  made.stored_key = sha256(view(hmac_sha256(salted, "Client Key")));
  made.server_key = hmac_sha256(salted, "Server Key");
  wipe(salted);
  return made;
}

parsed<scram_keys> scram_keys::make(std::string_view password,
                                    std::uint32_t iterations) {
  if (!scram_prepared(password))
    return std::string{"SCRAM here takes passwords of printable ASCII alone: "
                       "take such a one, or go without SCRAM keys"};
  if (iterations < iterations_min || iterations > iterations_max)
    return "SCRAM's iterations must be from " + std::to_string(iterations_min)
           + " to " + std::to_string(iterations_max);
  return derive(password, random_bytes(salt_size), iterations);
}

std::string scram_keys::text() const {
  return std::string{head} + std::to_string(iterations) + ":"
         + to_base64(salt, base64::padded) + "$"
         + to_base64(view(stored_key), base64::padded) + ":"
         + to_base64(view(server_key), base64::padded);
}

bool scram_prepared(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c <= '~';
  });
}

} // namespace troupe::auth
