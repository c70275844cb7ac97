// Hashes of passwords: those of other programs, our own, and wrong ones.

#include "auth/password_hash.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace troupe::auth;

namespace {

struct sample {
  const char* text;
  const char* password;
  hash_algorithm algorithm;
};
std::ostream& operator<<(std::ostream& to, const sample& x) {
  return to << x.text;
}

/// Made by other programs than this one.
const std::array samples{
  // test.c of the reference implementation of Argon2
  sample{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
         "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
         "password", hash_algorithm::argon2id},
  sample{"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
         "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
         "password", hash_algorithm::argon2id},
  // hashlib.pbkdf2_hmac of Python, written as passlib does
  sample{"$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdeg$"
         "bFPVTJauoFPJ31FdPqj81brpQ6qh7BGzrn/ERFmUtUQ",
         "secret", hash_algorithm::pbkdf2_sha256},
  sample{"$pbkdf2-sha512$6400$0ZrzXitFSGltTQnBWOsdeg$"
         "IPjklH4iCe6lHy.Lq3HeJqFJAS08WMae9hpvr0IDLYu"
         "X/qmS/VxjYP35QpC0aKF41UxsBF04PD3UsuXPQ6yiYQ",
         "secret", hash_algorithm::pbkdf2_sha512},
  // crypt() of Python
  sample{"$2b$12$NSN5m5AqdR2IWjW2l1uEd.mboFSwAB5BnsTNCn3AowVdZdMcLPOb6",
         "secret", hash_algorithm::bcrypt},
  // `openssl passwd -6 -salt abcdefgh secret`
  sample{"$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKP"
         "PrVACtLtip/cZ/1GM/O6IND4WQhG.",
         "secret", hash_algorithm::sha512_crypt},
  // the specification of SHA-crypt
  sample{"$6$rounds=10000$saltstringsaltst$OW1/"
         "O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/"
         "YTBmSK6H9qs/y3RnOaw5v.",
         "Hello world!", hash_algorithm::sha512_crypt},
  // `mosquitto_passwd -b`, and with `-H sha512`
  sample{"$7$101$S3JPmVYfRX1kITtB$KcbStaHOhXHGxaEneNkUSpVK8AJQ3KrpZqhkddm/+/"
         "dKZa4jGA2EnKQ5EYZ8SSayA2JleasYZq8GrKNzufFPIA==",
         "secret", hash_algorithm::mosquitto_pbkdf2},
  sample{"$6$YNDTtnQYSwUu6NPZ$Qu4uE0FsuBm5Abip7KA8u4MnsGdKDvNejZiK8pfkR50z81LOI"
         "aPOAds4levxtWFhNTE+hzEeyrt5TR7fzltetQ==",
         "secret", hash_algorithm::mosquitto_sha512},
  // `printf salt-secret | openssl sha256 -binary | base64`, and so on
  sample{"$sha256$prefix$c2FsdC0=$+Fu+KBHaIUXtBVpr1XepBH0IWNE/bXs5/10zZjkMnb4=",
         "secret", hash_algorithm::salted_sha256},
};

std::string problem(std::string_view text) {
  const auto read = password_hash::parse(text);
  return read ? std::string{"none"} : read.error();
}

/// Cheap: tests compare many.
hash_cost cheap() {
  hash_cost x;
  x.memory_kib = 64;
  x.passes = 1;
  x.iterations = 1'000;
  x.bcrypt_log = 4;
  x.crypt_rounds = 1'000;
  return x;
}

constexpr std::array makable{
  hash_algorithm::argon2id, hash_algorithm::pbkdf2_sha256,
  hash_algorithm::pbkdf2_sha512, hash_algorithm::bcrypt,
  hash_algorithm::sha512_crypt};

/// What a program prints; empty if it fails.
std::string output_of(const std::string& command) {
  std::string made;
  auto* const from = ::popen(command.c_str(), "r"); // NOLINT(cert-env33-c)
  BOOST_REQUIRE(from != nullptr);
  std::array<char, 256> part{};
  while (std::fgets(part.data(), part.size(), from) != nullptr)
    made += part.data();
  return ::pclose(from) == 0 ? made : "";
}

} // namespace

BOOST_DATA_TEST_CASE(a_hash_of_another_program_is_read_and_compared,
                     boost::unit_test::data::make(samples)) {
  const auto read = password_hash::parse(sample.text);
  BOOST_REQUIRE_MESSAGE(read.has_value(), problem(sample.text));
  const auto& hash = read.value();
  BOOST_TEST((hash.algorithm() == sample.algorithm));
  BOOST_TEST(hash.verify(sample.password));
  BOOST_TEST(!hash.verify(std::string{sample.password} + "x"));
  BOOST_TEST(!hash.verify(""));
  BOOST_TEST(hash.text() == sample.text);
}

BOOST_AUTO_TEST_CASE(a_hash_that_is_made_is_read_and_has_a_salt_of_its_own) {
  for (const auto algorithm : makable) {
    BOOST_TEST_CONTEXT(to_string(algorithm)) {
      const auto made = password_hash::make(algorithm, cheap(), "p\xC3\xA4ss");
      BOOST_REQUIRE(made.has_value());
      const auto text = made.value().text();
      const auto read = password_hash::parse(text);
      BOOST_REQUIRE_MESSAGE(read.has_value(), problem(text));
      BOOST_TEST(read.value().verify("p\xC3\xA4ss"));
      BOOST_TEST(!read.value().verify("pass"));
      BOOST_TEST(read.value().costs_as(made.value()));
      const auto again = password_hash::make(algorithm, cheap(), "p\xC3\xA4ss");
      BOOST_TEST(again.value().text() != text);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_default_is_argon2id_as_owasp_says) {
  const auto made =
    password_hash::make(hash_algorithm::argon2id, hash_cost{}, "secret");
  BOOST_REQUIRE(made.has_value());
  BOOST_TEST(
    made.value().text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  BOOST_TEST(made.value().verify("secret"));
}

BOOST_AUTO_TEST_CASE(a_decoy_costs_the_same_and_no_password_is_right) {
  for (const auto& x : samples) {
    const auto hash = password_hash::parse(x.text).value();
    const auto decoy = hash.decoy();
    BOOST_TEST(decoy.costs_as(hash));
    BOOST_TEST(!decoy.verify(x.password));
  }
}

BOOST_AUTO_TEST_CASE(what_mosquitto_passwd_writes_is_compared) {
  const auto file = std::filesystem::temp_directory_path()
                    / ("troupe-test-passwd-" + std::to_string(::getpid()));
  for (const auto* kind : {"sha512", "sha512-pbkdf2"}) {
    std::ofstream{file}.close();
    output_of(std::string{"mosquitto_passwd -b -H "} + kind + " "
              + file.string() + " bob 'a secret' 2>&1");
    std::string line;
    std::getline(std::ifstream{file}, line);
    BOOST_REQUIRE_MESSAGE(line.starts_with("bob:"), line);
    const auto read = password_hash::parse(line.substr(4));
    BOOST_REQUIRE_MESSAGE(read.has_value(), line);
    BOOST_TEST(read.value().verify("a secret"));
    BOOST_TEST(!read.value().verify("another"));
  }
  std::filesystem::remove(file);
}

BOOST_AUTO_TEST_CASE(what_openssl_passwd_writes_is_compared) {
  auto text = output_of("openssl passwd -6 'a secret'");
  BOOST_REQUIRE(text.ends_with('\n'));
  text.pop_back();
  const auto read = password_hash::parse(text);
  BOOST_REQUIRE_MESSAGE(read.has_value(), text);
  BOOST_TEST((read.value().algorithm() == hash_algorithm::sha512_crypt));
  BOOST_TEST(read.value().verify("a secret"));
}

BOOST_AUTO_TEST_CASE(openssl_takes_the_sha512_crypt_that_is_made) {
  const auto made =
    password_hash::make(hash_algorithm::sha512_crypt, cheap(), "a secret");
  const auto text = made.value().text();
  const auto salt = text.substr(0, text.size() - 87);
  BOOST_TEST(
    output_of("openssl passwd -6 -salt '" + salt.substr(3) + "' 'a secret'")
    == text + "\n");
}

BOOST_AUTO_TEST_CASE(a_file_cannot_ask_for_all_memory_or_time) {
  const std::string salt_and_hash =
    "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  for (const auto* x :
       {"m=104857600,t=1,p=1", "m=1048576,t=5,p=1", "m=64,t=2147483647,p=1",
        "m=4294967295,t=4294967295,p=1", "m=1048576,t=1,p=17", "m=64,t=0,p=1",
        "m=8,t=1,p=2", "m=64,t=1,p=0", "m=-1,t=1,p=1", "m=99999999999,t=1,p=1",
        "m=,t=1,p=1", "m=64,t=1", "t=1,m=64,p=1", "m=64,t=1,p=1,x=1"})
    BOOST_TEST(problem(std::string{"$argon2id$v=19$"} + x + salt_and_hash)
                   .find("argon2id's")
                 == 0U,
               x);
  BOOST_TEST(problem("$argon2id$v=16$m=64,t=1,p=1" + salt_and_hash)
             == "argon2id of a version other than v=19: make the hash again");
  for (const auto* x :
       {"0", "5000001", "2147483648", "4294967297", "-1", "x"}) {
    BOOST_TEST(problem(std::string{"$7$"} + x + "$AAAA$AAAA")
                 .find("PBKDF2's iterations must be from 1 to 5000000")
               == 0U);
    BOOST_TEST(problem(std::string{"$pbkdf2-sha512$"} + x + "$AAAA$AAAA")
                 .find("PBKDF2's iterations")
               == 0U);
  }
  BOOST_TEST(problem("$2b$31$NSN5m5AqdR2IWjW2l1uEd."
                     "mboFSwAB5BnsTNCn3AowVdZdMcLPOb6")
             == "bcrypt's cost must be from 4 to 16: make the hash again");
  BOOST_TEST(problem("$6$rounds=999999999$saltstring$" + std::string(86, 'a'))
               .find("SHA-512-crypt's rounds must be")
             == 0U);
  hash_cost cost;
  cost.memory_kib = hash_cost::memory_kib_max + 1;
  BOOST_TEST(
    !password_hash::make(hash_algorithm::argon2id, cost, "x").has_value());
}

BOOST_AUTO_TEST_CASE(a_hash_that_was_cut_or_is_none_is_refused_with_a_reason) {
  for (const auto& x : samples) {
    const std::string text = x.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto read = password_hash::parse(text.substr(0, i));
      // Where a hash may have another length, a shorter one is another hash.
      if (read)
        BOOST_TEST(!read.value().verify(x.password), text.substr(0, i));
      else
        BOOST_TEST(!read.error().empty());
    }
  }
  for (const auto* x :
       {"", "$", "$$$$", "plain", "secret$6$", "$1$salt$hash", "$5$salt$hash",
        "$2x$10$NSN5m5AqdR2IWjW2l1uEd.mboFSwAB5BnsTNCn3AowVdZdMcLPOb6",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$AAAA"})
    BOOST_TEST(!password_hash::parse(x).has_value(), x);
  BOOST_TEST(!password_hash::parse("$6$" + std::string(2'000, 'a') + "$"
                                   + std::string(86, 'a'))
                .has_value());
}

BOOST_AUTO_TEST_CASE(passwords_that_crypt_would_cut_are_never_right) {
  const std::string with_nul{"secret\0more", 11};
  for (const auto algorithm :
       {hash_algorithm::bcrypt, hash_algorithm::sha512_crypt}) {
    const auto made = password_hash::make(algorithm, cheap(), "secret");
    BOOST_TEST(!made.value().verify(with_nul));
    BOOST_TEST(!made.value().verify(std::string(1'000, 's')));
    const auto empty = password_hash::make(algorithm, cheap(), "");
    BOOST_TEST(!empty.value().verify(std::string(1'000, 's')));
    BOOST_TEST(!password_hash::make(algorithm, cheap(), with_nul).has_value());
    BOOST_TEST(!password_hash::make(algorithm, cheap(), std::string(600, 'x'))
                  .has_value());
  }
  // The others take any bytes.
  const auto made =
    password_hash::make(hash_algorithm::argon2id, cheap(), with_nul);
  BOOST_TEST(made.value().verify(with_nul));
  BOOST_TEST(!made.value().verify("secret"));
}

BOOST_AUTO_TEST_CASE(base64_takes_what_it_makes_and_nothing_else) {
  for (const auto form : {base64::padded, base64::unpadded, base64::adapted})
    for (std::size_t size = 0; size != 70; ++size) {
      std::string bytes;
      for (std::size_t i = 0; i != size; ++i)
        bytes += static_cast<char>(i * 151 + size * 17 + 0xF3);
      const auto text = to_base64(bytes, form);
      BOOST_TEST((from_base64(text, form) == bytes));
    }
  BOOST_TEST(to_base64("fo", base64::padded) == "Zm8=");
  BOOST_TEST(to_base64("\xFB\xEF", base64::adapted) == "..8");
  for (const auto* x :
       {"Zm8", "Zm9=", "Zm=8", "Z===", "Zm8=Zm8=", "Zm 8", "===="})
    BOOST_TEST(!from_base64(x, base64::padded).has_value(), x);
  for (const auto* x : {"Zm8=", "Zm9", "Z", "Zm.8"})
    BOOST_TEST(!from_base64(x, base64::unpadded).has_value(), x);
}
