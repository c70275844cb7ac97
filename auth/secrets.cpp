#include "auth/secrets.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <charconv>
#include <stdexcept>

namespace troupe::auth {

namespace {

constexpr std::string_view letters =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const unsigned char* raw(std::string_view x) noexcept {
  return reinterpret_cast<const unsigned char*>(x.data());
}

/// The six bits of one letter, or -1.
int bits_of(char c, base64 form) noexcept {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '+' || (c == '.' && form == base64::adapted))
    return 62;
  return c == '/' ? 63 : -1;
}

} // namespace

std::string random_bytes(std::size_t count) {
  std::string made(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(made.data()),
                 static_cast<int>(count))
      != 1)
    throw std::runtime_error("the source of random bytes fails: look at the "
                             "configuration of OpenSSL");
  return made;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size()
         && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

digest sha256(std::string_view text) {
  digest made{};
  SHA256(raw(text), text.size(), made.data());
  return made;
}

std::string sha512(std::string_view text) {
  std::string made(SHA512_DIGEST_LENGTH, '\0');
  SHA512(raw(text), text.size(), reinterpret_cast<unsigned char*>(made.data()));
  return made;
}

digest hmac_sha256(std::string_view key, std::string_view text) {
  digest made{};
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(text),
           text.size(), made.data(), nullptr)
      == nullptr)
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");
  return made;
}

std::string pbkdf2(hmac_hash with, std::string_view password,
                   std::string_view salt, std::uint32_t iterations,
                   std::size_t size) {
  std::string made(size, '\0');
  if (PKCS5_PBKDF2_HMAC(
        password.data(), static_cast<int>(password.size()), raw(salt),
        static_cast<int>(salt.size()), static_cast<int>(iterations),
        with == hmac_hash::sha256 ? EVP_sha256() : EVP_sha512(),
        static_cast<int>(size), reinterpret_cast<unsigned char*>(made.data()))
      != 1)
    throw std::runtime_error("OpenSSL refuses to compute PBKDF2");
  return made;
}

std::string to_base64(std::string_view bytes, base64 form) {
  std::string made;
  made.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < left ? raw(bytes)[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      if (k <= left)
        made += letters[word >> (18 - 6 * k) & 63];
      else if (form == base64::padded)
        made += '=';
  }
  if (form == base64::adapted)
    for (auto& c : made)
      if (c == '+')
        c = '.';
  return made;
}

std::optional<std::string> from_base64(std::string_view text, base64 form) {
  if (form == base64::padded) {
    if (text.size() % 4 != 0)
      return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i)
      text.remove_suffix(1);
  }
  if (text.size() % 4 == 1)
    return std::nullopt;
  std::string made;
  made.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t word = 0;
  int held = 0; // bits of `word` that are not written yet
  for (const char c : text) {
    const int bits = bits_of(c, form);
    if (bits < 0)
      return std::nullopt;
    word = (word << 6 | static_cast<std::uint32_t>(bits)) & 0xFFFF;
    held += 6;
    if (held >= 8) {
      held -= 8;
      made += static_cast<char>(word >> held & 0xFF);
    }
  }
  if ((word & ((1U << held) - 1)) != 0)
    return std::nullopt;
  return made;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  for (const auto c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    made += digits[byte >> 4];
    made += digits[byte & 15];
  }
  return made;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0)
    return std::nullopt;
  std::string made;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    const auto* end = text.data() + i + 2;
    const auto [at, error] = std::from_chars(text.data() + i, end, byte, 16);
    if (error != std::errc{} || at != end)
      return std::nullopt;
    made += static_cast<char>(byte);
  }
  return made;
}

std::optional<std::uint32_t> to_number(std::string_view text) noexcept {
  std::uint32_t made = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, made);
  if (error != std::errc{} || at != end)
    return std::nullopt;
  return made;
}

} // namespace troupe::auth
