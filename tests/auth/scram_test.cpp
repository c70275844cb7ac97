// SCRAM-SHA-256, from the client's side.

#include "auth/scram.hpp"
#include "samples.hpp"

using namespace troupe::auth;
using namespace troupe::tests;

namespace {

using outcome = exchange::step::outcome;

/// RFC 7677, section 3.
constexpr auto server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const std::string server_first =
  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const std::string client_final =
  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const std::string server_final =
  "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

std::string line(const std::string& name, std::string_view password) {
  user x;
  x.name = name;
  x.hash = "*";
  x.scram =
    scram_keys::derive(
      password, *from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", base64::padded), 4'096)
      .text();
  return x.line() + "\n";
}

struct fixture {
  std::shared_ptr<user_source> users = std::make_shared<user_source>(table_of(
    line("user", "pencil") + line("a,b=c", "pencil") + "nokeys:*\n"
    + "root:*:superuser:" + scram_keys::make("pencil", 4'096).value().text()));
  scram_options options{"a key of the node", [] { return server_nonce; }};
  std::shared_ptr<method> scram = make_scram_sha256(users, options);
  std::unique_ptr<exchange> talk = scram->begin({});

  exchange::step say(std::string_view text) {
    return talk->next(
      {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  static std::string text(const exchange::step& x) {
    return {x.data.begin(), x.data.end()};
  }
  void begin_again(std::optional<std::string_view> name = {}) {
    identity who;
    who.user_name = name;
    talk = scram->begin(who);
  }
  /// What a first message, and nothing before it, is answered with.
  std::string failing(std::string_view first) {
    begin_again();
    const auto x = say(first);
    BOOST_TEST((x.what == outcome::failure), first);
    return text(x);
  }

  /// A client as it should be. @returns whether both sides are content.
  bool login(const std::string& name, std::string_view password,
             const std::string& gs2 = "n,,") {
    std::string escaped;
    for (const char c : name)
      escaped += c == ',' ? "=2C" : c == '=' ? "=3D" : std::string(1, c);
    const auto bare = "n=" + escaped + ",r=mine";
    const auto challenge = say(gs2 + bare);
    if (challenge.what != outcome::challenge)
      return false;
    const auto first = text(challenge);
    const auto s = first.find(",s=");
    const auto i = first.find(",i=");
    const auto keys = scram_keys::derive(
      password, *from_base64(first.substr(s + 3, i - s - 3), base64::padded),
      *to_number(first.substr(i + 3)));
    // The client has the password, so it has ClientKey.
    const auto salted =
      pbkdf2(hmac_hash::sha256, password, keys.salt, keys.iterations, 32);
    const auto client_key = hmac_sha256(salted, "Client Key");
    const auto without_proof =
      "c=" + to_base64(gs2, base64::padded) + "," + first.substr(0, s);
    const auto message = bare + "," + first + "," + without_proof;
    auto proof = hmac_sha256(view(keys.stored_key), message);
    for (std::size_t k = 0; k < proof.size(); ++k)
      proof[k] ^= client_key[k];
    const auto answer =
      say(without_proof + ",p=" + to_base64(view(proof), base64::padded));
    last = answer;
    return answer.what == outcome::success
           && text(answer)
                == "v="
                     + to_base64(
                       view(hmac_sha256(view(keys.server_key), message)),
                       base64::padded);
  }
  exchange::step last;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(scram, fixture)

BOOST_AUTO_TEST_CASE(the_conversation_of_rfc_7677_succeeds) {
  BOOST_TEST(this->scram->name() == "SCRAM-SHA-256");
  const auto challenge = say(client_first);
  BOOST_TEST((challenge.what == outcome::challenge));
  BOOST_TEST(text(challenge) == server_first);
  const auto end = say(client_final);
  BOOST_TEST((end.what == outcome::success));
  BOOST_TEST(text(end) == server_final);
  BOOST_TEST(end.who.user_name == "user");
  BOOST_TEST(!end.who.superuser);
  BOOST_TEST(end.who.version == users->version_of("user").value());
  BOOST_TEST((say(client_final).what == outcome::failure));
}

BOOST_AUTO_TEST_CASE(a_client_with_the_password_gets_in_and_no_other) {
  BOOST_TEST(login("root", "pencil"));
  BOOST_TEST(last.who.superuser);
  begin_again();
  BOOST_TEST(!login("root", "pencil2"));
  BOOST_TEST(text(last) == "e=invalid-proof");
  BOOST_TEST(last.who.user_name == "root");
  BOOST_TEST(!last.who.superuser);
  BOOST_TEST(last.cause == "SCRAM: wrong password");
}

BOOST_AUTO_TEST_CASE(names_with_commas_and_equals_signs_are_unescaped) {
  BOOST_TEST(login("a,b=c", "pencil"));
  BOOST_TEST(last.who.user_name == "a,b=c");
}

BOOST_AUTO_TEST_CASE(a_client_that_could_bind_the_channel_is_taken_without) {
  BOOST_TEST(login("user", "pencil", "y,,"));
  begin_again();
  BOOST_TEST(login("user", "pencil", "n,a=user,"));
  BOOST_TEST(failing("p=tls-unique,,n=user,r=x")
             == "e=channel-binding-not-supported");
}

BOOST_AUTO_TEST_CASE(no_one_can_change_y_to_n_on_the_way) {
  say("y,,n=user,r=x");
  BOOST_TEST(text(say("c=biws,r=x" + std::string{server_nonce} + ",p="
                      + to_base64(std::string(32, 'x'), base64::padded)))
             == "e=channel-bindings-dont-match");
}

BOOST_AUTO_TEST_CASE(unknown_users_are_challenged_as_all_others) {
  for (const std::string name : {"nobody", "nokeys"}) {
    begin_again();
    const auto one = text(say("n,,n=" + name + ",r=x"));
    BOOST_TEST(one.ends_with(",i=4096"));
    begin_again();
    BOOST_TEST(text(say("n,,n=" + name + ",r=x")) == one);
    // Of another broker with the same key, too.
    talk = make_scram_sha256(users, options)->begin({});
    BOOST_TEST(text(say("n,,n=" + name + ",r=x")) == one);
    begin_again();
    BOOST_TEST(text(say("n,,n=" + name + "2,r=x")) != one);
    begin_again();
    BOOST_TEST(!login(name, "pencil"));
    BOOST_TEST(text(last) == "e=invalid-proof");
  }
}

BOOST_AUTO_TEST_CASE(a_user_who_changes_between_the_messages_is_refused) {
  say(client_first);
  users->replace(table_of(line("user", "other")));
  BOOST_TEST(text(say(client_final)) == "e=invalid-proof");
  users->replace(table_of(""));
  begin_again();
  say(client_first);
  BOOST_TEST(text(say(client_final)) == "e=invalid-proof");
}

BOOST_AUTO_TEST_CASE(the_name_in_connect_must_be_the_same) {
  begin_again("user");
  BOOST_TEST(login("user", "pencil"));
  begin_again("root");
  BOOST_TEST(text(say(client_first)) == "e=other-error");
  begin_again("");
  BOOST_TEST(text(say(client_first)) == "e=other-error");
}

BOOST_AUTO_TEST_CASE(
  malformed_first_messages_are_refused_with_the_words_of_the_rfc) {
  for (const auto* x :
       {"", "n", "n,", "n,,", "x,,n=user,r=x", "n,,n=user", "n,,n=user,",
        "n,,n=user,r=", "n,,r=x,n=user", "n,,user,r=x", "n=user,r=x",
        "n,,n=user,r=a b", "n,,n=user,r=a\x7F", ",,n=user,r=x"})
    BOOST_TEST(failing(x) == "e=invalid-encoding", x);
  BOOST_TEST(failing("n,,n=user,r=" + std::string(2'000, 'x'))
             == "e=invalid-encoding");
  for (const auto* x : {"n,,n=,r=x", "n,,n=us=er,r=x", "n,,n=us=2c,r=x",
                        "n,,n=\xC3\xA4,r=x", "n,,n=a\x01,r=x"})
    BOOST_TEST(failing(x) == "e=invalid-username-encoding", x);
  BOOST_TEST(failing("n,,m=x,n=user,r=x") == "e=extensions-not-supported");
  for (const auto* x : {"n,a=root,n=user,r=x", "n,root,n=user,r=x"})
    BOOST_TEST(failing(x) == "e=other-error", x);
}

BOOST_AUTO_TEST_CASE(every_changed_byte_of_the_last_message_is_refused) {
  for (std::size_t i = 0; i < client_final.size(); ++i)
    for (const int bit : {1, 4, 32}) {
      auto changed = client_final;
      changed[i] = static_cast<char>(changed[i] ^ bit);
      begin_again();
      say(client_first);
      BOOST_REQUIRE((say(changed).what == outcome::failure));
      BOOST_REQUIRE((say(client_final).what == outcome::failure));
    }
  for (std::size_t i = 0; i < client_final.size(); ++i) {
    begin_again();
    say(client_first);
    BOOST_REQUIRE((say(client_final.substr(0, i)).what == outcome::failure));
  }
}

BOOST_AUTO_TEST_CASE(the_servers_nonces_differ) {
  options.nonce = nullptr;
  const auto random = make_scram_sha256(users, options);
  talk = random->begin({});
  const auto one = text(say(client_first));
  talk = random->begin({});
  BOOST_TEST(text(say(client_first)) != one);
  talk = random->begin({});
  BOOST_TEST(login("user", "pencil"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(keys_are_written_and_read_to_the_same) {
  const auto keys = scram_keys::make("pencil", 4'096).value();
  const auto read = scram_keys::parse(keys.text());
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read.value().text() == keys.text());
  // As PostgreSQL writes the keys of RFC 7677.
  BOOST_TEST(
    scram_keys::derive(
      "pencil", *from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", base64::padded), 4'096)
      .text()
    == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
       "WG5d8oPm3OtcPnkdi4Uo7BkeZkBF"
       "zpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

BOOST_AUTO_TEST_CASE(keys_that_were_cut_or_ask_too_much_are_refused) {
  const auto text = scram_keys::make("pencil", 4'096).value().text();
  for (std::size_t i = 0; i < text.size(); ++i)
    BOOST_TEST(!scram_keys::parse(text.substr(0, i)).has_value());
  BOOST_TEST(!scram_keys::parse(text + "A").has_value());
  for (const auto* x : {"4095", "1000001", "4294967295", "-1", ""})
    BOOST_TEST(
      !scram_keys::parse("SCRAM-SHA-256$" + std::string{x} + text.substr(18))
         .has_value());
  BOOST_TEST(!scram_keys::make("p\xC3\xA4ss", 4'096).has_value());
  BOOST_TEST(!scram_keys::make("", 4'096).has_value());
  BOOST_TEST(!scram_keys::make("pencil", 100).has_value());
}
