// Files and settings of TLS that are wrong, and the keys of tickets.

#include "net/psk_file.hpp"
#include "net/ticket_keys.hpp"
#include "tests/net/tls_support.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/pem.h>

#include <array>

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

std::string error_of(const net::tls_options& how) {
  try {
    const net::tls_context made(how, "ssl:test");
  } catch (const net::tls_error& e) {
    return e.what();
  }
  return "no error";
}

void fails(const net::tls_options& how, const std::string& file,
           const std::string& why) {
  const auto said = error_of(how);
  BOOST_TEST(said.find(file) != said.npos, said << " names " << file);
  BOOST_TEST(said.find(why) != said.npos, said << " says " << why);
}

std::string encrypted(const std::string& key, const std::string& password) {
  const net::bio_ptr from{
    BIO_new_mem_buf(key.data(), static_cast<int>(key.size()))};
  const net::key_ptr x{
    PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr)};
  const net::bio_ptr to{BIO_new(BIO_s_mem())};
  PEM_write_bio_PKCS8PrivateKey(
    to.get(), x.get(), EVP_aes_256_cbc(), password.data(),
    static_cast<int>(password.size()), nullptr, nullptr);
  char* at = nullptr;
  const auto size = BIO_get_mem_data(to.get(), &at);
  return {at, static_cast<std::size_t>(size)};
}

} // namespace

BOOST_AUTO_TEST_CASE(each_file_that_is_wrong_is_named) {
  const certificates all;
  const auto good = all.mutual();
  BOOST_TEST(error_of(good) == "no error");
  const auto nothing = all.files.write("nothing", "nothing\n");
  const auto missing = all.files.path("missing");
  const auto with = [&](auto member, const std::string& file) {
    auto how = good;
    how.*member = file;
    return how;
  };
  using options = net::tls_options;
  fails(with(&options::certificate_file, missing), missing,
        "cannot be read: No such file");
  fails(with(&options::certificate_file, nothing), nothing,
        "holds no certificate in PEM form");
  fails(with(&options::key_file, missing), missing, "cannot be read");
  fails(with(&options::key_file, nothing), nothing,
        "holds no private key that can be read");
  fails(with(&options::key_file, all.files.path("atm-7.key")), "atm-7.key",
        "is not the key of the certificate");
  fails(with(&options::ca_file, missing), missing, "cannot be read");
  fails(with(&options::ca_file, nothing), nothing,
        "holds no certificates of authorities");
  fails(with(&options::crl_file, missing), missing, "cannot be read");
  fails(with(&options::crl_file, nothing), nothing, "holds no revocation list");
  fails(with(&options::crl_file, all.files.path("ca.pem")), "ca.pem",
        "holds no revocation list");
  fails(with(&options::psk_file, missing), missing, "cannot be read");
  fails(with(&options::psk_file, nothing), nothing, "identity:key");
  fails(with(&options::sni_directory, missing), missing, "cannot be listed");
  fails(with(&options::ocsp_file, nothing), nothing,
        "OCSP needs the certificate of the issuer");
}

BOOST_AUTO_TEST_CASE(a_damaged_certificate_in_a_chain_is_not_passed_over) {
  const certificates all;
  const auto own = all.authority.own().certificate;
  auto how = all.server();
  const auto chain = [&](const std::string& tail) {
    const auto pair = all.files.path("server.pem");
    std::string text;
    {
      const net::bio_ptr from{BIO_new_file(pair.c_str(), "r")};
      std::array<char, 8'192> room{};
      const auto size = BIO_read(from.get(), room.data(), room.size());
      text.assign(room.data(), static_cast<std::size_t>(size));
    }
    return all.files.write("chain.pem", text + tail);
  };
  how.certificate_file = chain(own);
  BOOST_TEST(error_of(how) == "no error");
  how.certificate_file = chain(own + "\n# the end\n");
  BOOST_TEST(error_of(how) == "no error");
  auto damaged = own;
  damaged[damaged.size() / 2] = '!';
  how.certificate_file = chain(damaged);
  fails(how, "chain.pem", "certificate number 2 in it is damaged");
  how.certificate_file = chain(own.substr(0, own.size() / 2));
  fails(how, "chain.pem", "certificate number 2 in it is damaged");
}

BOOST_AUTO_TEST_CASE(an_encrypted_key_needs_its_password) {
  certificates all;
  auto how = all.server();
  const auto made =
    all.authority.issue_server({"localhost"}, certificates::today());
  how.certificate_file = all.files.write("own.pem", made.certificate);
  how.key_file = all.files.write("own.key", encrypted(made.key, "open sesame"));
  how.key_password = "open sesame";
  BOOST_TEST(error_of(how) == "no error");
  for (const std::string wrong : {"", "open", "open sesamf"}) {
    how.key_password = wrong;
    fails(how, "own.key", "is the password right");
  }
}

BOOST_AUTO_TEST_CASE(each_setting_that_is_wrong_is_named) {
  const certificates all;
  const auto with = [&](auto member, const std::string& value) {
    auto how = all.server();
    how.*member = value;
    return how;
  };
  using options = net::tls_options;
  fails(with(&options::ciphers, "NO-SUCH"), "ciphers = \"NO-SUCH\"",
        "not known");
  fails(with(&options::cipher_suites, "NO-SUCH"), "ciphersuites = \"NO-SUCH\"",
        "not known");
  fails(with(&options::groups, "no-such"), "groups = \"no-such\"", "not known");
  auto how = all.server();
  how.ask_client = true;
  fails(how, "cacertfile", "authorities");
  fails({}, "certfile", "psk_file");
}

BOOST_AUTO_TEST_CASE(a_name_nobody_can_ask_for_is_told) {
  const certificates all;
  const auto& made = all.client;
  temporary_directory names;
  const auto file = names.write("x.pem", made.certificate + made.key);
  auto how = all.server();
  how.sni_directory = names.path("");
  fails(how, file, "names no server");
}

BOOST_AUTO_TEST_CASE(expiry_is_told_for_alarms) {
  const certificates all;
  const net::tls_context made(all.server(), "ssl:test");
  BOOST_TEST_REQUIRE(made.certificates().size() == 1U);
  const auto& one = made.certificates().front();
  BOOST_TEST(one.subject == "CN=localhost");
  BOOST_TEST(one.file == all.files.path("server.pem"));
  const auto left = one.not_after - std::chrono::system_clock::now();
  BOOST_TEST((left > 23h && left <= 24h));
}

// ---- pre-shared keys -------------------------------------------------------

BOOST_AUTO_TEST_CASE(keys_are_read_by_line) {
  const auto table = net::psk_table::parse(
    "# machines\r\n\natm-7:000102030405060708090a0b0c0d0e0f\r\n"
    "a:b:FF0102030405060708090A0B0C0D0E0FFF",
    "keys");
  BOOST_TEST(table.size() == 2U);
  BOOST_REQUIRE(table.find("atm-7") != nullptr);
  BOOST_TEST(table.find("atm-7")->size() == 16U);
  BOOST_REQUIRE(table.find("a:b") != nullptr);
  BOOST_TEST(table.find("a:b")->back() == 0xFF);
  BOOST_TEST(table.find("a") == nullptr);
  BOOST_TEST(table.find("") == nullptr);
}

BOOST_AUTO_TEST_CASE(every_line_that_is_wrong_is_named) {
  const std::string key = "000102030405060708090a0b0c0d0e0f";
  try {
    net::psk_table::parse("a:" + key + "\nno colon\n:" + key + "\nb:00\nc:"
                            + key + "0\nd:" + key.substr(1) + "g\na:" + key
                            + "\ne:" + std::string(130, '0') + '\n',
                          "keys");
    BOOST_FAIL("it was taken");
  } catch (const net::tls_error& e) {
    const std::string_view said{e.what()};
    for (const auto* where :
         {"keys:2: is no", "keys:3: is no", "keys:4: the key", "keys:5: the",
          "keys:6: the key", "keys:7: the identity is there already",
          "keys:8: the key"})
      BOOST_TEST(said.find(where) != said.npos, said << " has " << where);
    BOOST_TEST(said.find("keys:1") == said.npos);
  }
  for (const std::string empty : {"", "# nothing\n"})
    BOOST_CHECK_THROW(net::psk_table::parse(empty, "keys"), net::tls_error);
}

// ---- tickets ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(keys_of_tickets_are_good_for_two_lifetimes) {
  const net::ticket_keys::clock_time start{};
  net::ticket_keys keys(100s, start);
  const auto first = keys.current(start);
  const auto known = [&](const net::ticket_keys::key& x, auto at) {
    return keys.find(x.name.data(), start + at);
  };
  BOOST_TEST((keys.current(start + 99s).name == first.name));
  BOOST_REQUIRE(known(first, 99s).has_value());
  BOOST_TEST(!known(first, 99s)->renew);
  // The next one: the first is taken, and a new ticket given for it.
  const auto second = keys.current(start + 100s);
  BOOST_TEST((second.name != first.name));
  BOOST_TEST((second.encrypt != first.encrypt));
  BOOST_TEST((second.sign != first.sign));
  BOOST_REQUIRE(known(first, 199s).has_value());
  BOOST_TEST(known(first, 199s)->renew);
  BOOST_TEST((known(first, 199s)->with.sign == first.sign));
  BOOST_TEST(!known(first, 200s).has_value());
  BOOST_REQUIRE(known(second, 200s).has_value());
  BOOST_TEST(known(second, 200s)->renew);
}

BOOST_AUTO_TEST_CASE(after_a_long_silence_no_ticket_is_good) {
  const net::ticket_keys::clock_time start{};
  net::ticket_keys keys(100s, start);
  const auto first = keys.current(start);
  BOOST_TEST(!keys.find(first.name.data(), start + 1h).has_value());
}

BOOST_AUTO_TEST_CASE(renewing_forgets_all) {
  const net::ticket_keys::clock_time start{};
  net::ticket_keys keys(100s, start);
  const auto first = keys.current(start);
  keys.current(start + 100s);
  keys.renew(start + 101s);
  BOOST_TEST(!keys.find(first.name.data(), start + 101s).has_value());
  BOOST_TEST((keys.current(start + 101s).name != first.name));
}
