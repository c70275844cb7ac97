// TLS on a socket, with OpenSSL's client at the other end.

#include "tests/net/tls_support.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/pem.h>

#include <array>
#include <cerrno>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::test;

namespace {

using context_ptr = std::shared_ptr<const net::tls_context>;

context_ptr context_of(const net::tls_options& how,
                       const net::tls_context* replaces = nullptr) {
  return std::make_shared<const net::tls_context>(how, "ssl:test", replaces);
}

const certificates& files() {
  static const certificates made;
  return made;
}

client_options only(int version) {
  client_options made;
  made.lowest = made.highest = version;
  return made;
}

constexpr std::array versions{TLS1_2_VERSION, TLS1_3_VERSION};

std::string random_text(std::size_t size) {
  std::mt19937 from{42};
  std::string made(size, '\0');
  for (auto& c : made)
    c = static_cast<char>(from());
  return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_handshake_may_come_in_pieces_of_any_size) {
  const auto context = context_of(files().mutual());
  for (const int version : versions)
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 517U, 5'000U}) {
      auto how = only(version);
      how.identity = &files().client;
      tls_link link(context, how);
      link.say("hello");
      link.answer("welcome");
      link.run(piece);
      BOOST_TEST_CONTEXT("version " << version << ", pieces of " << piece) {
        BOOST_TEST(link.is_up());
        BOOST_TEST(link.heard() == "hello");
        BOOST_TEST(link.was_told() == "welcome");
        BOOST_TEST(link.server_error() == EAGAIN);
      }
    }
}

BOOST_AUTO_TEST_CASE(a_handshake_may_come_in_two_pieces_cut_anywhere) {
  const auto context = context_of(files().server());
  for (std::size_t cut = 1; cut < 600; ++cut) {
    tls_link link(context);
    link.say("x");
    link.run(cut);
    BOOST_TEST_REQUIRE(link.is_up(), "cut at " << cut);
    BOOST_TEST_REQUIRE(link.heard() == "x");
  }
}

BOOST_AUTO_TEST_CASE(much_goes_both_ways_through_small_socket_buffers) {
  const auto context = context_of(files().server());
  const auto there = random_text(3'000'000);
  const auto back = random_text(2'500'001);
  for (const int version : versions)
    for (const int buffer : {1, 20'000}) {
      tls_link link(context, only(version), buffer);
      link.say(there);
      link.answer(back);
      link.run();
      BOOST_TEST((link.heard() == there), "version " << version);
      BOOST_TEST((link.was_told() == back), "version " << version);
      BOOST_TEST(!link.server().wants_flush());
      const auto [received, sent] = link.server().take_traffic();
      BOOST_TEST(received > there.size());
      BOOST_TEST(sent > back.size());
      BOOST_TEST(link.server().take_traffic().sent == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_full_socket_takes_some_and_keeps_the_rest_in_order) {
  tls_link link(context_of(files().server()), {}, 1);
  link.run();
  BOOST_TEST_REQUIRE(link.is_up());
  const auto text = random_text(400'000);
  iovec part{const_cast<char*>(text.data()), text.size()};
  const auto taken = link.server().write({&part, 1});
  BOOST_TEST_REQUIRE(taken > 0);
  BOOST_TEST(static_cast<std::size_t>(taken) < text.size());
  BOOST_TEST(link.server().wants_flush());
  errno = 0;
  BOOST_TEST(!link.server().flush());
  BOOST_TEST(errno == EAGAIN);
  BOOST_TEST(link.server().write({&part, 1}) == -1); // nothing is lost by it
  BOOST_TEST(errno == EAGAIN);
  link.run();
  BOOST_TEST(
    (link.was_told() == text.substr(0, static_cast<std::size_t>(taken))));
}

BOOST_AUTO_TEST_CASE(both_sides_end_in_order) {
  for (const int version : versions) {
    tls_link link(context_of(files().server()), only(version));
    link.say("last words");
    link.run();
    SSL_shutdown(link.client());
    link.run();
    BOOST_TEST(link.heard() == "last words");
    BOOST_TEST(link.ended());
    link.server().end(true);
    link.run();
    BOOST_TEST(link.client_ended());
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_is_gone_is_at_its_end) {
  tls_link link(context_of(files().server()));
  link.say("last words");
  link.run();
  link.hang_up();
  link.run();
  BOOST_TEST(link.heard() == "last words");
  BOOST_TEST(link.ended());
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_its_handshake_is_in_error) {
  tls_link link(context_of(files().server()));
  link.say("x");
  link.hang_up();
  link.run();
  BOOST_TEST(link.server_error() == EPROTO);
  BOOST_TEST(link.server().trouble() == "the client left during the handshake");
  BOOST_TEST(!link.server().established());
}

BOOST_AUTO_TEST_CASE(key_updates_without_end_are_refused) {
  tls_link link(context_of(files().server()), only(TLS1_3_VERSION));
  link.run();
  // Now and then one is what a client does.
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST_REQUIRE(SSL_key_update(link.client(), SSL_KEY_UPDATE_REQUESTED)
                       == 1);
    link.say("x");
    link.run();
  }
  BOOST_TEST(link.heard().size() == 20U);
  BOOST_TEST(link.server_error() == EAGAIN);
  for (int i = 0; i < 10'000 && link.server_error() == EAGAIN; ++i) {
    SSL_key_update(link.client(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(link.client());
    link.run();
  }
  BOOST_TEST(link.server_error() == EPROTO);
  BOOST_TEST(link.server().trouble()
             == "the client sends TLS records without data");
}

BOOST_AUTO_TEST_CASE(key_updates_that_come_at_once_are_not_all_read) {
  tls_link link(context_of(files().server()), only(TLS1_3_VERSION));
  link.run();
  link.server().take_traffic();
  for (int i = 0; i < 5'000; ++i) {
    SSL_key_update(link.client(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(link.client());
  }
  link.run();
  BOOST_TEST(link.server_error() == EPROTO);
  BOOST_TEST(link.server().trouble()
             == "the client sends TLS records without data");
  BOOST_TEST(link.server().take_traffic().received < 90'000U);
}

BOOST_AUTO_TEST_CASE(renegotiation_is_refused_and_costs_nothing) {
  tls_link link(context_of(files().server()), only(TLS1_2_VERSION));
  link.run();
  SSL_renegotiate(link.client());
  link.say("x");
  link.run();
  BOOST_TEST(link.client_error() == "no renegotiation");
  BOOST_TEST(link.heard().empty());
}

BOOST_AUTO_TEST_CASE(versions_are_held_to) {
  auto how = files().server();
  how.lowest = net::tls_version::tls_1_3;
  tls_link old(context_of(how), only(TLS1_2_VERSION));
  old.run();
  BOOST_TEST(!old.is_up());
  BOOST_TEST(old.server_error() == EPROTO);
  BOOST_TEST(old.server().trouble() == "unsupported protocol");
  BOOST_TEST(old.client_error() == "tlsv1 alert protocol version");
  how.lowest = how.highest = net::tls_version::tls_1_2;
  tls_link any(context_of(how));
  any.run();
  BOOST_TEST(any.server().version() == "TLSv1.2");
  // What says it speaks TLS 1.3 and comes with less is sent away by the
  // client: the broker's random bytes tell that it could do more (RFC 8446,
  // 4.1.3).
  how = files().server();
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    tls_link ancient(context_of(how), only(version));
    ancient.run();
    BOOST_TEST(!ancient.is_up());
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_tls_is_refused) {
  for (const std::string text :
       {"\x10\x0C MQTT, not TLS", "GET / HTTP/1.1\r\n\r\n"}) {
    std::array<int, 2> pair{};
    BOOST_REQUIRE(
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
    net::tls_stream server(pair[0], context_of(files().server()));
    BOOST_REQUIRE(::send(pair[1], text.data(), text.size(), 0) > 0);
    std::array<std::uint8_t, 64> room{};
    server.begin_reading(false);
    BOOST_TEST(server.read(room) == -1);
    BOOST_TEST(errno == EPROTO);
    BOOST_TEST(!server.trouble().empty());
    BOOST_TEST(server.read(room) == -1); // and it stays so
    BOOST_TEST(errno == EPROTO);
    ::close(pair[0]);
    ::close(pair[1]);
  }
}

// ---- who it is -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_certificate_says_who_the_client_is) {
  auto how = client_options{};
  how.identity = &files().client;
  tls_link link(context_of(files().mutual()), how);
  link.run();
  const auto said = link.server().certificate();
  BOOST_REQUIRE(said.has_value());
  BOOST_TEST(said->subject == "CN=atm-7");
  BOOST_TEST(said->common_name == "atm-7");
  const net::bio_ptr from{
    BIO_new_mem_buf(files().client.certificate.data(),
                    static_cast<int>(files().client.certificate.size()))};
  const net::x509_ptr x{
    PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)};
  std::array<unsigned char, 32> digest{};
  X509_digest(x.get(), EVP_sha256(), digest.data(), nullptr);
  std::string hex;
  for (const auto byte : digest) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[byte >> 4U];
    hex += digits[byte & 15U];
  }
  BOOST_TEST(said->fingerprint == hex);
}

BOOST_AUTO_TEST_CASE(without_one_nobody_is_named) {
  tls_link link(context_of(files().server()));
  link.run();
  BOOST_TEST(link.is_up());
  BOOST_TEST(!link.server().certificate().has_value());
  auto how = files().mutual();
  how.require_client = false;
  tls_link asked(context_of(how));
  asked.run();
  BOOST_TEST(asked.is_up());
  BOOST_TEST(!asked.server().certificate().has_value());
  tls_link required(context_of(files().mutual()));
  required.run();
  BOOST_TEST(!required.server().established());
  BOOST_TEST(required.server().trouble()
             == "peer did not return a certificate");
}

BOOST_AUTO_TEST_CASE(the_name_that_is_asked_for_chooses_the_certificate) {
  temporary_directory more;
  auto authority =
    net::certificate_authority::make("More", certificates::today());
  for (const std::string name : {"one.example.org", "*.two.example.org"}) {
    const auto made = authority.issue_server({name}, certificates::today());
    more.write(name.substr(name.find('.') + 1) + name.front() + ".pem",
               made.certificate + made.key);
  }
  auto how = files().server();
  how.sni_directory = more.path("");
  const auto context = context_of(how);
  BOOST_TEST(context->certificates().size() == 3U);
  for (const auto& [asked, given] :
       std::vector<std::pair<std::string, std::string>>{
         {"one.example.org", "one.example.org"},
         {"ONE.example.org", "one.example.org"},
         {"x.two.example.org", "*.two.example.org"},
         {"a.b.two.example.org", "localhost"},
         {"two.example.org", "localhost"},
         {"other", "localhost"},
         {"", "localhost"}})
    for (const int version : versions) {
      auto client = only(version);
      client.name = asked;
      tls_link link(context, client);
      link.run();
      BOOST_TEST_REQUIRE(link.is_up());
      const net::x509_ptr x{SSL_get1_peer_certificate(link.client())};
      std::array<char, 64> name{};
      X509_NAME_get_text_by_NID(X509_get_subject_name(x.get()), NID_commonName,
                                name.data(), name.size());
      BOOST_TEST(name.data() == given, "asked for " << asked);
    }
}

BOOST_AUTO_TEST_CASE(a_shared_key_does_without_certificates) {
  temporary_directory at;
  net::tls_options how;
  how.psk_file = at.write("psk", "atm-7:" + std::string(64, 'a') + "\n");
  const auto context = context_of(how);
  for (const int version : versions) {
    auto client = only(version);
    client.psk_identity = "atm-7";
    client.psk.assign(32, 0xAA);
    tls_link link(context, client);
    link.say("hello");
    link.run();
    BOOST_TEST(link.heard() == "hello", "version " << version);
    if (version == TLS1_2_VERSION)
      BOOST_TEST(link.server().psk_identity() == "atm-7");
    BOOST_TEST(!link.server().certificate().has_value());
    client.psk.back() = 0;
    tls_link wrong(context, client);
    wrong.run();
    BOOST_TEST(!wrong.server().established());
    client.psk_identity = "atm-8";
    tls_link unknown(context, client);
    unknown.run();
    BOOST_TEST(!unknown.server().established());
  }
}

// ---- resumption ------------------------------------------------------------

namespace {

/// A ticket of a first connection.
auto ticket_of(const context_ptr& context, int version) {
  auto how = only(version);
  how.identity = &files().client;
  tls_link link(context, how);
  link.run();
  BOOST_REQUIRE(link.is_up());
  BOOST_REQUIRE(!link.tickets.empty());
  SSL_shutdown(link.client());
  return std::move(link.tickets.back());
}

bool resumes(const context_ptr& context, SSL_SESSION* with, int version) {
  auto how = only(version);
  how.identity = &files().client;
  how.session = with;
  tls_link link(context, how);
  link.say("hello");
  link.run();
  BOOST_TEST_REQUIRE(link.is_up());
  BOOST_TEST(link.heard() == "hello");
  BOOST_TEST(link.server().certificate()->common_name == "atm-7");
  return link.server().resumed();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_client_resumes_by_its_ticket) {
  const auto context = context_of(files().mutual());
  for (const int version : versions) {
    const auto ticket = ticket_of(context, version);
    BOOST_TEST(resumes(context, ticket.get(), version));
  }
}

BOOST_AUTO_TEST_CASE(it_does_so_after_a_reload_that_trusts_the_same) {
  const auto before = context_of(files().mutual());
  for (const int version : versions) {
    const auto ticket = ticket_of(before, version);
    const auto now = context_of(files().mutual(), before.get());
    BOOST_TEST(resumes(now, ticket.get(), version));
    BOOST_TEST(!resumes(context_of(files().mutual()), ticket.get(), version));
  }
}

BOOST_AUTO_TEST_CASE(it_does_not_when_whom_to_trust_has_changed) {
  const auto before = context_of(files().mutual());
  auto listed = files().mutual();
  listed.crl_file = files().files.path("crl.pem");
  auto shallow = files().mutual();
  shallow.depth = 1;
  auto others = files().mutual();
  others.ca_file = files().files.write(
    "both.pem",
    files().authority.own().certificate
      + net::certificate_authority::make("Another", certificates::today())
          .own()
          .certificate);
  auto keys = files().mutual(); // whose key is taken away must not stay
  keys.psk_file =
    files().files.write("keys", "atm-7:" + std::string(64, 'a') + "\n");
  for (const int version : versions) {
    const auto ticket = ticket_of(before, version);
    for (const auto& how : {listed, shallow, others, keys})
      BOOST_TEST(
        !resumes(context_of(how, before.get()), ticket.get(), version));
  }
}

BOOST_AUTO_TEST_CASE(sessions_of_one_listener_are_not_resumed_on_another) {
  const auto one = context_of(files().mutual());
  const auto other = std::make_shared<const net::tls_context>(
    files().mutual(), "ssl:other", one.get());
  for (const int version : versions) {
    const auto ticket = ticket_of(one, version);
    auto how = only(version);
    how.identity = &files().client;
    how.session = ticket.get();
    tls_link link(other, how);
    link.run();
    BOOST_TEST(!link.server().resumed());
  }
}

BOOST_AUTO_TEST_CASE(no_tickets_are_given_where_they_are_not_wanted) {
  auto how = files().server();
  how.resumption = false;
  tls_link link(context_of(how), only(TLS1_3_VERSION));
  link.say("x");
  link.run();
  BOOST_TEST(link.is_up());
  BOOST_TEST(link.tickets.empty());
}
