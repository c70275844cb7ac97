// Password files of other brokers.

#include "auth/user_import.hpp"
#include "samples.hpp"

using namespace troupe::auth;
using namespace troupe::tests;

namespace {

std::vector<std::string> problems(std::string_view text,
                                  const import_options& options = {}) {
  std::vector<std::string> made;
  for (const auto& x : import_users(text, options).problems.listed)
    made.push_back(std::to_string(x.line) + ": " + x.text);
  return made;
}

std::vector<imported_user> users(std::string_view text,
                                 const import_options& options = {}) {
  auto made = import_users(text, options);
  for (const auto& x : made.problems.listed)
    BOOST_ERROR(x.in("import"));
  return std::move(made.users);
}

void expect_starts(const std::vector<std::string>& found,
                   const std::vector<std::string>& expected) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    BOOST_TEST(found[i].starts_with(expected[i]), found[i]);
}

import_options hashed(const char* with) {
  import_options x;
  x.hashes = hashed_with::parse(with).value();
  return x;
}

bool verifies(const imported_user& x, std::string_view password) {
  return password_hash::parse(x.who.hash).value().verify(password);
}

/// The salt is the text "salt", the password "secret".
const std::string sha256_prefix = to_hex(view(sha256("saltsecret")));
const std::string sha256_suffix = to_hex(view(sha256("secretsalt")));

} // namespace

BOOST_AUTO_TEST_CASE(a_file_of_mosquitto_is_taken_with_its_hashes) {
  const std::string text =
    "alice:$7$101$S3JPmVYfRX1kITtB$KcbStaHOhXHGxaEneNkUSpVK8AJQ3KrpZqhkddm/+/"
    "dKZa4jGA2EnKQ5EYZ8SSayA2JleasYZq8GrKNzufFPIA==\r\n"
    "# comment\n\n"
    "b%b:$6$YNDTtnQYSwUu6NPZ$"
    "Qu4uE0FsuBm5Abip7KA8u4MnsGdKDvNejZiK8pfkR50z81LOIaPOAds4levxtWFhNTE+"
    "hzEeyrt5TR7fzltetQ==";
  const auto found = users(text);
  BOOST_REQUIRE(found.size() == 2U);
  BOOST_TEST(found[0].who.name == "alice");
  BOOST_TEST(found[1].who.name == "b%b"); // theirs have no escapes
  BOOST_TEST(found[1].line == 4U);
  for (const auto& x : found) {
    BOOST_TEST(verifies(x, "secret"));
    BOOST_TEST(table_of(x.who.line())->find(x.who.name).has_value());
  }
}

BOOST_AUTO_TEST_CASE(plain_passwords_are_taken_when_that_is_said) {
  import_options options;
  options.plain = true;
  const auto found = users("alice:se:cret\nbob: x \n", options);
  BOOST_REQUIRE(found.size() == 2U);
  BOOST_TEST(found[0].password.value() == "se:cret");
  BOOST_TEST(found[1].password.value() == " x ");
  expect_starts(problems("alice:secret\n"), {"1: this is no hash: if it is"});
  expect_starts(problems("alice\nbob:\nalice:x\nalice:y\n", options),
                {"1: a user is name:password", "2: the password is empty",
                 "4: the user is in line 3 already"});
}

BOOST_AUTO_TEST_CASE(a_csv_of_emqx_is_taken_when_its_hashes_are_named) {
  const auto text = "user_id,password_hash,salt,is_superuser\n"
                    "alice,"
                    + sha256_prefix
                    + ",salt,true\n"
                      "\"b,\"\"o\"\"b\","
                    + sha256_prefix + ",salt,false\r\n";
  const auto found = users(text, hashed("sha256-prefix"));
  BOOST_REQUIRE(found.size() == 2U);
  BOOST_TEST(found[0].who.superuser);
  BOOST_TEST(!found[1].who.superuser);
  BOOST_TEST(found[1].who.name == "b,\"o\"b");
  BOOST_TEST(verifies(found[0], "secret"));
  BOOST_TEST(!verifies(found[0], "Secret"));
  const auto suffix =
    users("user_id,salt,password_hash\nalice,salt," + sha256_suffix + "\n",
          hashed("sha256-suffix"));
  BOOST_TEST(verifies(suffix.at(0), "secret"));
  expect_starts(problems(text),
                {"2: the file does not say how this hash was made",
                 "3: the file does not say how this hash was made"});
}

BOOST_AUTO_TEST_CASE(pbkdf2_sha512_and_bcrypt_of_emqx_are_taken) {
  const auto derived =
    to_hex(pbkdf2(hmac_hash::sha256, "secret", "salt", 1'000, 32));
  const auto bcrypt =
    password_hash::make(hash_algorithm::bcrypt, cheap(), "secret").value();
  const auto found =
    users("user_id,password_hash,salt,is_superuser\nalice," + derived
            + ",salt,0\nbob," + bcrypt.text() + ",$2b$04$ignored,1\n",
          hashed("pbkdf2-sha256:1000"));
  BOOST_REQUIRE(found.size() == 2U);
  BOOST_TEST(verifies(found[0], "secret"));
  BOOST_TEST(verifies(found[1], "secret"));
  const auto other = users("user_id,password_hash,salt\nalice,"
                             + to_hex(sha512("secretsalt")) + ",salt\n",
                           hashed("sha512-suffix"));
  BOOST_TEST(verifies(other.at(0), "secret"));
}

BOOST_AUTO_TEST_CASE(a_csv_with_passwords_is_taken) {
  const auto found =
    users("\xEF\xBB\xBFuser_id,password,is_superuser\nalice,\"a,b\",true\n");
  BOOST_TEST(found.at(0).password.value() == "a,b");
  BOOST_TEST(found.at(0).who.superuser);
  BOOST_TEST(found.at(0).line == 2U);
}

BOOST_AUTO_TEST_CASE(what_of_a_csv_cannot_be_taken_is_told_by_line) {
  expect_starts(
    problems("user_id,password_hash,salt,is_superuser\n"
             "a,5ebe2294ecd0e0f08eab7690d2a6ee69,salt,true\n"
             "b,xyz,salt,true\n"
             "c,"
               + sha256_prefix
               + ",,true\n"
                 "d,"
               + sha256_prefix
               + ",salt,maybe\n"
                 "e,"
               + sha256_prefix
               + ",salt\n"
                 "\"f,"
               + sha256_prefix
               + ",salt,true\n"
                 "\"g\"g,"
               + sha256_prefix
               + ",salt,true\n"
                 ","
               + sha256_prefix
               + ",salt,true\n"
                 "h,"
               + sha256_prefix
               + "00,salt,true\n"
                 "i,"
               + sha256_prefix
               + ",salt,true\n"
                 "i,"
               + sha256_prefix + ",salt,true\n",
             hashed("sha256-prefix")),
    {"2: the hash is too short to be safe", "3: the hash is neither",
     "4: the hash has no salt", "5: is_superuser must be",
     "6: it has 3 fields, the first line has 4", "7: a quote that does not end",
     "8: a quote that does not end", "9: a user without a name",
     "10: the hash has not the size", "12: the user is in line 11 already"});
  expect_starts(problems("user_id,password_hash,color\na,b,c\n"),
                {"1: the column 'color' is unknown"});
  expect_starts(problems("user_id,salt\na,b\n"),
                {"1: there must be a column password"});
  expect_starts(problems("user_id,password,password\na,b,c\n"),
                {"1: the column 'password' is there twice",
                 "1: the column 'password' is there twice",
                 "1: there must be a column password"});
}

BOOST_AUTO_TEST_CASE(how_hashes_were_made_is_read_strictly) {
  for (const auto* x :
       {"", "sha256", "sha1-prefix", "sha256-prefix:1", "pbkdf2-sha256",
        "pbkdf2-sha256:0", "pbkdf2-sha256:5000001", "pbkdf2-sha256:x", "md5"})
    BOOST_TEST(!hashed_with::parse(x).has_value(), x);
}

BOOST_AUTO_TEST_CASE(more_users_than_are_taken_is_a_problem) {
  import_options options;
  options.plain = true;
  options.limits.users = 2;
  expect_starts(problems("a:x\nb:x\nc:x\nd:x\n", options),
                {"3: more than 2 users are not taken"});
}
