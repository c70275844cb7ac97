// Hashes computed.

#include "auth/password_hash.hpp"

#include <argon2.h>
#include <crypt.h>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

namespace troupe::auth {

namespace {

constexpr std::size_t salt_size = 16;
constexpr std::size_t argon2_size = 32;
constexpr std::size_t password_max = 65'535; ///< what a CONNECT can carry
constexpr std::size_t bcrypt_password_max = 72;
constexpr std::size_t crypt_password_max = CRYPT_MAX_PASSPHRASE_SIZE - 1;

std::string argon2id(std::string_view password, std::string_view salt,
                     std::uint32_t memory_kib, std::uint32_t passes,
                     std::uint32_t lanes, std::size_t size) {
  std::string made(size, '\0');
  // The library's own functions start a thread for each lane; one may not
  // take more than one core of a pool that promises N.
  argon2_context in{};
  in.out = reinterpret_cast<std::uint8_t*>(made.data());
  in.outlen = static_cast<std::uint32_t>(made.size());
  // It only reads these without ARGON2_FLAG_CLEAR_PASSWORD.
  in.pwd = reinterpret_cast<std::uint8_t*>(const_cast<char*>(password.data()));
  in.pwdlen = static_cast<std::uint32_t>(password.size());
  in.salt = reinterpret_cast<std::uint8_t*>(const_cast<char*>(salt.data()));
  in.saltlen = static_cast<std::uint32_t>(salt.size());
  in.t_cost = passes;
  in.m_cost = memory_kib;
  in.lanes = lanes;
  in.threads = 1;
  in.version = ARGON2_VERSION_13;
  in.flags = ARGON2_DEFAULT_FLAGS;
  const int error = argon2id_ctx(&in);
  if (error == ARGON2_MEMORY_ALLOCATION_ERROR)
    throw std::bad_alloc();
  if (error != ARGON2_OK)
    throw std::runtime_error(std::string{"argon2id: "}
                             + argon2_error_message(error));
  return made;
}

/// crypt(3): `setting` and the letters of the hash.
std::string crypt_text(std::string_view password, const std::string& setting) {
  // crypt_data has 32 KiB and leaves traces of the password in them.
  const auto data = std::make_unique<crypt_data>();
  std::string copy{password};
  const char* made = crypt_r(copy.c_str(), setting.c_str(), data.get());
  std::string answer = made == nullptr || *made == '*' ? "" : made;
  wipe(copy);
  explicit_bzero(data.get(), sizeof(crypt_data));
  if (answer.empty())
    throw std::runtime_error("crypt(3) does not compute "
                             + setting.substr(0, 4));
  return answer;
}

std::string crypt_setting(hash_algorithm with, const hash_cost& cost) {
  const bool bcrypt = with == hash_algorithm::bcrypt;
  const auto random = random_bytes(salt_size);
  std::string made(CRYPT_GENSALT_OUTPUT_SIZE, '\0');
  if (crypt_gensalt_rn(bcrypt ? "$2b$" : "$6$",
                       bcrypt ? cost.bcrypt_log : cost.crypt_rounds,
                       random.data(), static_cast<int>(random.size()),
                       made.data(), static_cast<int>(made.size()))
      == nullptr)
    throw std::runtime_error("crypt(3) makes no salt");
  made.resize(std::strlen(made.c_str()));
  return made;
}

bool is_crypt(hash_algorithm x) noexcept {
  return x == hash_algorithm::bcrypt || x == hash_algorithm::sha512_crypt;
}

} // namespace

std::string password_hash::compute(std::string_view password) const {
  const auto salted = [&](bool salt_first) {
    std::string text{salt_first ? salt_ : std::string{password}};
    text += salt_first ? password : std::string_view{salt_};
    return text;
  };
  switch (algorithm_) {
  case hash_algorithm::argon2id:
    return argon2id(password, salt_, memory_kib_, rounds_, lanes_,
                    hash_.size());
  case hash_algorithm::pbkdf2_sha256:
    return pbkdf2(hmac_hash::sha256, password, salt_, rounds_, hash_.size());
  case hash_algorithm::pbkdf2_sha512:
  case hash_algorithm::mosquitto_pbkdf2:
    return pbkdf2(hmac_hash::sha512, password, salt_, rounds_, hash_.size());
  case hash_algorithm::salted_sha256:
    return std::string{view(sha256(salted(salt_first_)))};
  case hash_algorithm::mosquitto_sha512:
  case hash_algorithm::salted_sha512:
    return sha512(salted(salt_first_));
  case hash_algorithm::bcrypt:
  case hash_algorithm::sha512_crypt:
    break;
  }
  return crypt_text(password, salt_).substr(salt_.size());
}

bool password_hash::verify(std::string_view password) const {
  bool possible = password.size() <= password_max;
  // What crypt(3) cannot take costs the same and is wrong: cut at a NUL it
  // would be another password. What is beyond bcrypt's 72 bytes was ignored
  // by whoever made the hash, too.
  if (is_crypt(algorithm_)
      && (password.size() > crypt_password_max
          || password.find('\0') != std::string_view::npos))
    possible = false;
  return equal_in_constant_time(compute(possible ? password : ""), hash_)
         && possible;
}

parsed<password_hash> password_hash::make(hash_algorithm with,
                                          const hash_cost& cost,
                                          std::string_view password) {
  if (auto x = problem_of(cost); !x.empty())
    return x;
  const auto longest = with == hash_algorithm::bcrypt ? bcrypt_password_max
                       : with == hash_algorithm::sha512_crypt
                         ? crypt_password_max
                         : password_max;
  if (password.size() > longest)
    return "a password for " + std::string{to_string(with)} + " has at most "
           + std::to_string(longest)
           + " bytes: take a shorter one, or argon2id";
  if (is_crypt(with)) {
    if (password.find('\0') != std::string_view::npos)
      return "a password for " + std::string{to_string(with)}
             + " has no NUL byte in it: take another one, or argon2id";
    return parse(crypt_text(password, crypt_setting(with, cost)));
  }
  password_hash made;
  made.algorithm_ = with;
  made.salt_ = random_bytes(salt_size);
  switch (with) {
  case hash_algorithm::argon2id:
    made.memory_kib_ = cost.memory_kib;
    made.rounds_ = cost.passes;
    made.lanes_ = cost.lanes;
    made.hash_.resize(argon2_size);
    break;
  case hash_algorithm::pbkdf2_sha256:
    made.rounds_ = cost.iterations;
    made.hash_.resize(32);
    break;
  case hash_algorithm::pbkdf2_sha512:
    made.rounds_ = cost.iterations;
    made.hash_.resize(64);
    break;
  default:
    return "hashes of the kind " + std::string{to_string(with)}
           + " are read, not made: take argon2id";
  }
  made.hash_ = made.compute(password);
  return made;
}

password_hash password_hash::decoy() const {
  auto made = *this;
  // The salt of crypt(3) has the parameters in it; nobody knows the hash.
  if (!is_crypt(algorithm_))
    made.salt_ = random_bytes(salt_.size());
  made.hash_ = random_bytes(hash_.size());
  return made;
}

} // namespace troupe::auth
