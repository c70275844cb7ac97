// Hashes as text.

#include "auth/password_hash.hpp"

#include <algorithm>
#include <vector>

namespace troupe::auth {

namespace {

constexpr std::size_t text_max = 1'024;
constexpr std::size_t salt_max = 256;
constexpr std::size_t hash_min = 16;
constexpr std::size_t hash_max = 128;
constexpr std::size_t crypt6_letters = 86;
constexpr std::size_t bcrypt_letters = 53; // 22 of the salt, 31 of the hash

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_crypt_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '.' && c <= '9'); // . / 0-9
  });
}

std::string range_problem(std::string_view what, std::uint64_t least,
                          std::uint64_t most) {
  return std::string{what} + " must be from " + std::to_string(least) + " to "
         + std::to_string(most) + ": make the hash again";
}

/// Reads "m=19456" as 19456.
std::optional<std::uint32_t> parameter(std::string_view text,
                                       std::string_view name) {
  if (!text.starts_with(name))
    return std::nullopt;
  return to_number(text.substr(name.size()));
}

std::string argon2_problem(std::uint32_t memory_kib, std::uint32_t passes,
                           std::uint32_t lanes) {
  if (lanes < 1 || lanes > hash_cost::lanes_max)
    return range_problem("argon2id's p", 1, hash_cost::lanes_max);
  if (memory_kib < 8 * lanes || memory_kib > hash_cost::memory_kib_max)
    return range_problem("argon2id's m (KiB)", std::uint64_t{8} * lanes,
                         hash_cost::memory_kib_max);
  if (passes < 1
      || std::uint64_t{memory_kib} * passes > hash_cost::written_kib_max)
    return range_problem("argon2id's t with m=" + std::to_string(memory_kib), 1,
                         hash_cost::written_kib_max / memory_kib);
  return {};
}

} // namespace

/// Fills a password_hash from the parts between `$`.
class hash_parser {
public:
  explicit hash_parser(std::string_view text)
    : text_(text),
      parts_(split(text, '$')) {}

  parsed<password_hash> run() {
    problem_ = read();
    if (!problem_.empty())
      return problem_;
    return std::move(made_);
  }

private:
  std::string read() {
    if (text_.size() > text_max)
      return "a hash of more than " + std::to_string(text_max)
             + " characters: make it again with troupe passwd add";
    if (parts_.size() < 4 || !parts_[0].empty())
      return std::string{unknown};
    const auto id = parts_[1];
    if (id == "argon2id")
      return argon2id();
    if (id == "pbkdf2-sha256")
      return pbkdf2(hash_algorithm::pbkdf2_sha256, base64::adapted);
    if (id == "pbkdf2-sha512")
      return pbkdf2(hash_algorithm::pbkdf2_sha512, base64::adapted);
    if (id == "7")
      return pbkdf2(hash_algorithm::mosquitto_pbkdf2, base64::padded);
    if (id == "2b" || id == "2y" || id == "2a")
      return bcrypt();
    if (id == "6")
      return parts_.size() == 4 && parts_[3].size() != crypt6_letters
               ? mosquitto_sha512()
               : sha512_crypt();
    if (id == "sha256")
      return salted(hash_algorithm::salted_sha256, 32);
    if (id == "sha512")
      return salted(hash_algorithm::salted_sha512, 64);
    if (id == "argon2i" || id == "argon2d")
      return "argon2i and argon2d are weaker and not taken: make an argon2id "
             "hash";
    return std::string{unknown};
  }

  std::string argon2id() {
    if (parts_.size() != 6)
      return "an argon2id hash is $argon2id$v=19$m=..,t=..,p=..$salt$hash";
    if (parts_[2] != "v=19")
      return "argon2id of a version other than v=19: make the hash again";
    const auto words = split(parts_[3], ',');
    if (words.size() != 3)
      return "argon2id's parameters are m=..,t=..,p=.. in this order";
    const auto m = parameter(words[0], "m=");
    const auto t = parameter(words[1], "t=");
    const auto p = parameter(words[2], "p=");
    if (!m || !t || !p)
      return "argon2id's parameters are m=..,t=..,p=.. in this order";
    if (auto x = argon2_problem(*m, *t, *p); !x.empty())
      return x;
    made_.algorithm_ = hash_algorithm::argon2id;
    made_.memory_kib_ = *m;
    made_.rounds_ = *t;
    made_.lanes_ = *p;
    return salt_and_hash(parts_[4], parts_[5], base64::unpadded, 8);
  }

  std::string pbkdf2(hash_algorithm with, base64 form) {
    if (parts_.size() != 5)
      return "a PBKDF2 hash is $" + std::string{parts_[1]}
             + "$iterations$salt$hash";
    const auto n = to_number(parts_[2]);
    if (!n || *n < 1 || *n > hash_cost::iterations_max)
      return range_problem("PBKDF2's iterations", 1, hash_cost::iterations_max);
    made_.algorithm_ = with;
    made_.rounds_ = *n;
    if (auto x = salt_and_hash(parts_[3], parts_[4], form, 1); !x.empty())
      return x;
    return sized(with == hash_algorithm::pbkdf2_sha256 ? 32 : 64);
  }

  std::string mosquitto_sha512() {
    made_.algorithm_ = hash_algorithm::mosquitto_sha512;
    if (auto x = salt_and_hash(parts_[2], parts_[3], base64::padded, 1);
        !x.empty())
      return x;
    return made_.hash_.size() == 64
             ? std::string{}
             : "the hash of a $6$ line has 86 characters (SHA-512-crypt) or "
               "88 (mosquitto): it was cut or changed; make it again";
  }

  std::string salted(hash_algorithm with, std::size_t size) {
    if (parts_.size() != 5 || (parts_[2] != "prefix" && parts_[2] != "suffix"))
      return "a salted hash is $" + std::string{parts_[1]}
             + "$prefix|suffix$salt$hash, salt and hash in base64";
    made_.algorithm_ = with;
    made_.salt_first_ = parts_[2] == "prefix";
    if (auto x = salt_and_hash(parts_[3], parts_[4], base64::padded, 1);
        !x.empty())
      return x;
    return sized(size);
  }

  /// A part of PBKDF2's output would compare equal as well.
  std::string sized(std::size_t size) const {
    return made_.hash_.size() == size
             ? std::string{}
             : "the hash has not the size that its name says: it was cut or "
               "changed; make it again";
  }

  std::string bcrypt() {
    const auto cost = to_number(parts_[2]);
    if (parts_.size() != 4 || parts_[2].size() != 2 || !cost
        || parts_[3].size() != bcrypt_letters || !is_crypt_text(parts_[3]))
      return "a bcrypt hash is $2b$nn$ and 53 characters of ./0-9A-Za-z";
    if (*cost < 4 || *cost > hash_cost::bcrypt_log_max)
      return range_problem("bcrypt's cost", 4, hash_cost::bcrypt_log_max);
    made_.algorithm_ = hash_algorithm::bcrypt;
    made_.rounds_ = *cost;
    made_.salt_ = text_.substr(0, text_.size() - 31);
    made_.hash_ = text_.substr(text_.size() - 31);
    return {};
  }

  std::string sha512_crypt() {
    constexpr std::string_view form =
      "a SHA-512-crypt hash is $6$salt$hash or $6$rounds=n$salt$hash, its "
      "salt of 1 to 16 and its hash of 86 characters of ./0-9A-Za-z";
    std::uint32_t rounds = 5'000; // crypt(5): if nothing is said
    if (parts_.size() == 5) {
      const auto said = parameter(parts_[2], "rounds=");
      if (!said)
        return std::string{form};
      if (*said < 1'000 || *said > hash_cost::crypt_rounds_max)
        return range_problem("SHA-512-crypt's rounds", 1'000,
                             hash_cost::crypt_rounds_max);
      rounds = *said;
    } else if (parts_.size() != 4) {
      return std::string{form};
    }
    const auto salt = parts_[parts_.size() - 2];
    const auto hash = parts_.back();
    if (salt.empty() || salt.size() > 16 || !is_crypt_text(salt)
        || hash.size() != crypt6_letters || !is_crypt_text(hash))
      return std::string{form};
    made_.algorithm_ = hash_algorithm::sha512_crypt;
    made_.rounds_ = rounds;
    made_.salt_ = text_.substr(0, text_.size() - crypt6_letters);
    made_.hash_ = hash;
    return {};
  }

  std::string salt_and_hash(std::string_view salt, std::string_view hash,
                            base64 form, std::size_t salt_min) {
    auto salt_bytes = from_base64(salt, form);
    auto hash_bytes = from_base64(hash, form);
    if (!salt_bytes || !hash_bytes)
      return std::string{salt_bytes ? "the hash" : "the salt"}
             + " is no base64 of this format: it was cut or changed; make the "
               "hash again";
    if (salt_bytes->size() < salt_min || salt_bytes->size() > salt_max)
      return range_problem("the salt's bytes", salt_min, salt_max);
    if (hash_bytes->size() < hash_min || hash_bytes->size() > hash_max)
      return range_problem("the hash's bytes", hash_min, hash_max);
    made_.salt_ = std::move(*salt_bytes);
    made_.hash_ = std::move(*hash_bytes);
    return {};
  }

  static constexpr std::string_view unknown =
    "this is no hash that is known ($argon2id$, $pbkdf2-sha512$, "
    "$pbkdf2-sha256$, $2b$, $6$, $7$, $sha256$, $sha512$): make one with "
    "troupe passwd add";

  std::string_view text_;
  std::vector<std::string_view> parts_;
  password_hash made_;
  std::string problem_;
};

parsed<password_hash> password_hash::parse(std::string_view text) {
  return hash_parser{text}.run();
}

std::string problem_of(const hash_cost& cost) {
  if (auto x = argon2_problem(cost.memory_kib, cost.passes, cost.lanes);
      !x.empty())
    return x;
  if (cost.iterations < 1'000 || cost.iterations > hash_cost::iterations_max)
    return range_problem("PBKDF2's iterations", 1'000,
                         hash_cost::iterations_max);
  if (cost.bcrypt_log < 4 || cost.bcrypt_log > hash_cost::bcrypt_log_max)
    return range_problem("bcrypt's cost", 4, hash_cost::bcrypt_log_max);
  if (cost.crypt_rounds < 1'000
      || cost.crypt_rounds > hash_cost::crypt_rounds_max)
    return range_problem("SHA-512-crypt's rounds", 1'000,
                         hash_cost::crypt_rounds_max);
  return {};
}

std::string_view to_string(hash_algorithm x) noexcept {
  switch (x) {
  case hash_algorithm::argon2id:
    return "argon2id";
  case hash_algorithm::pbkdf2_sha256:
    return "pbkdf2-sha256";
  case hash_algorithm::pbkdf2_sha512:
    return "pbkdf2-sha512";
  case hash_algorithm::bcrypt:
    return "bcrypt";
  case hash_algorithm::sha512_crypt:
    return "sha512-crypt";
  case hash_algorithm::mosquitto_pbkdf2:
    return "mosquitto-pbkdf2";
  case hash_algorithm::mosquitto_sha512:
    return "mosquitto-sha512";
  case hash_algorithm::salted_sha256:
    return "salted-sha256";
  case hash_algorithm::salted_sha512:
    return "salted-sha512";
  }
  return "unknown";
}

std::string password_hash::text() const {
  const auto joined = [&](std::string_view head, base64 form) {
    return std::string{head} + "$" + to_base64(salt_, form) + "$"
           + to_base64(hash_, form);
  };
  const auto rounds = std::to_string(rounds_);
  const std::string_view place = salt_first_ ? "prefix" : "suffix";
  switch (algorithm_) {
  case hash_algorithm::argon2id:
    return joined("$argon2id$v=19$" + cost_text(), base64::unpadded);
  case hash_algorithm::pbkdf2_sha256:
    return joined("$pbkdf2-sha256$" + rounds, base64::adapted);
  case hash_algorithm::pbkdf2_sha512:
    return joined("$pbkdf2-sha512$" + rounds, base64::adapted);
  case hash_algorithm::mosquitto_pbkdf2:
    return joined("$7$" + rounds, base64::padded);
  case hash_algorithm::mosquitto_sha512:
    return joined("$6", base64::padded);
  case hash_algorithm::salted_sha256:
    return joined("$sha256$" + std::string{place}, base64::padded);
  case hash_algorithm::salted_sha512:
    return joined("$sha512$" + std::string{place}, base64::padded);
  case hash_algorithm::bcrypt:
  case hash_algorithm::sha512_crypt:
    break;
  }
  return salt_ + hash_;
}

std::string password_hash::cost_text() const {
  switch (algorithm_) {
  case hash_algorithm::argon2id:
    return "m=" + std::to_string(memory_kib_) + ",t=" + std::to_string(rounds_)
           + ",p=" + std::to_string(lanes_);
  case hash_algorithm::bcrypt:
    return "cost=" + std::to_string(rounds_);
  case hash_algorithm::sha512_crypt:
    return "rounds=" + std::to_string(rounds_);
  case hash_algorithm::mosquitto_sha512:
  case hash_algorithm::salted_sha256:
  case hash_algorithm::salted_sha512:
    return "one round";
  default:
    return "iterations=" + std::to_string(rounds_);
  }
}

bool password_hash::costs_as(const password_hash& other) const noexcept {
  return algorithm_ == other.algorithm_ && rounds_ == other.rounds_
         && memory_kib_ == other.memory_kib_ && lanes_ == other.lanes_;
}

} // namespace troupe::auth
