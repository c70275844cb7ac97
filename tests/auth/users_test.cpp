// The file of users: read, searched, edited, replaced.

#include "auth/user_file.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace troupe::auth;
namespace fs = std::filesystem;

namespace {

const std::string hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                         "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

std::string keys() {
  return scram_keys::derive("pencil", "0123456789abcdef", 4'096).text();
}

std::shared_ptr<const user_table> table_of(const std::string& text) {
  auto read = user_table::parse(text);
  if (!read)
    BOOST_FAIL(read.error().listed.front().in("users"));
  return read.value();
}

/// "7: what" of each problem.
std::vector<std::string> problems_of(const std::string& text,
                                     user_limits limits = {}) {
  const auto read = user_table::parse(text, limits);
  std::vector<std::string> made;
  if (!read)
    for (const auto& x : read.error().listed)
      made.push_back(std::to_string(x.line) + ": " + x.text);
  return made;
}

std::size_t files_in(const troupe::test::temporary_directory& x) {
  return static_cast<std::size_t>(
    std::distance(fs::directory_iterator{x.path()}, {}));
}

std::string content(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

mode_t mode_of(const fs::path& path) {
  struct stat about {};
  BOOST_REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

} // namespace

BOOST_AUTO_TEST_CASE(users_are_found_with_what_their_lines_say) {
  const auto table = table_of("# people\n\nalice:" + hash + "\r\nbob:" + hash
                              + ":superuser\n" + "carol:*::" + keys()
                              + "\ndave:" + hash + ":superuser:" + keys());
  BOOST_TEST(table->size() == 4U);
  const auto alice = table->find("alice");
  BOOST_REQUIRE(alice.has_value());
  BOOST_TEST(alice->hash == hash);
  BOOST_TEST(!alice->superuser);
  BOOST_TEST(alice->scram.empty());
  BOOST_TEST(table->find("bob")->superuser);
  BOOST_TEST(table->find("carol")->hash == "*");
  BOOST_TEST(table->find("carol")->scram == keys());
  BOOST_TEST(table->find("dave")->superuser);
  BOOST_TEST(table->find("dave")->scram == keys());
  for (const auto* x : {"", "alic", "alicea", "people", "# people", "Alice"})
    BOOST_TEST(!table->find(x).has_value(), x);
}

BOOST_AUTO_TEST_CASE(a_table_without_users_finds_nobody) {
  for (const auto* text : {"", "\n", "# nobody", "\n\n#\n"}) {
    const auto table = table_of(text);
    BOOST_TEST(table->size() == 0U);
    BOOST_TEST(!table->find("alice").has_value());
    BOOST_TEST(!table->find("").has_value());
    BOOST_TEST(!table->decoy().has_value());
  }
}

BOOST_AUTO_TEST_CASE(every_name_that_mqtt_can_carry_survives_its_line) {
  std::string all;
  for (int c = 1; c < 0x80; ++c)
    all += static_cast<char>(c);
  for (const std::string& name :
       {all, std::string{"a:b"}, std::string{"100%"}, std::string{"%41"},
        std::string{"#1"}, std::string{" x "}, std::string{" "},
        std::string{"\xC3\xA4\xE2\x82\xAC"}, std::string{"a\nb\r"},
        std::string(65'535, 'n')}) {
    user x;
    x.name = name;
    x.hash = hash;
    const auto table = table_of("other:*\n" + x.line() + "\n");
    BOOST_TEST(table->find(name).has_value());
    BOOST_TEST(!table->find(name + "x").has_value());
    std::string seen;
    table->each([&](const std::string& n, const auto&) { seen = n; });
    BOOST_TEST(seen == name);
  }
  BOOST_TEST(table_of("%61lice:*")->find("alice").has_value());
}

BOOST_AUTO_TEST_CASE(a_version_changes_with_anything_about_a_user_only) {
  const auto version = [](const std::string& text) {
    return table_of(text)->find("alice")->version;
  };
  const auto first = version("alice:" + hash + "\n");
  BOOST_TEST(first != 0U);
  BOOST_TEST(version("# x\nbob:*\nalice:" + hash + "\r\n") == first);
  BOOST_TEST(version("alice:" + hash + ":superuser") != first);
  BOOST_TEST(version("alice:*") != first);
  BOOST_TEST(version("alice:" + hash + "::" + keys()) != first);
}

BOOST_AUTO_TEST_CASE(all_problems_of_a_file_are_told_with_their_lines) {
  const auto found = problems_of(
    "# fine\nalice:" + hash + "\nnothing\n:" + hash + "\nbob:secret\ncarol:\n"
    + "alice:*\nerin%4:*\n" + "fred:*:admin\ngina:*::SCRAM-SHA-256$1:x$y:z\n"
    + "h\xFF:*\nian:*:superuser\njo\thn:*\n kim:*\nalice:*:x\n%00:*\n");
  const std::vector<std::string> expected{
    "3: a user is name:hash, and there is no colon",
    "4: a user without a name",
    "5: this is no hash that is known",
    "6: there is no hash",
    "7: the user is in line 2 already",
    "8: a % that is not followed by two hexadecimal digits",
    "9: the only option is `superuser`",
    "10: SCRAM's iterations must be from 4096",
    "11: a name that is not UTF-8",
    "13: it has a control character",
    "14: the name begins or ends with a space",
    "15: the only option is `superuser`",
    "15: the user is in line 2 already",
    "16: a name that is not UTF-8"};
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    BOOST_TEST(found[i].starts_with(expected[i]), found[i]);
  BOOST_TEST((user_problem{7, "x"}.in("users") == "users:7: x"));
}

BOOST_AUTO_TEST_CASE(of_very_many_problems_a_thousand_are_listed) {
  std::string text;
  for (int i = 0; i < 5'000; ++i)
    text += "x\n";
  const auto read = user_table::parse(text);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().listed.size() == 1'000U);
  BOOST_TEST(read.error().count == 5'000U);
}

BOOST_AUTO_TEST_CASE(more_users_or_bytes_than_the_limits_are_refused) {
  user_limits limits;
  limits.users = 2;
  BOOST_TEST(problems_of("a:*\n#\nb:*\n", limits).empty());
  const auto many = problems_of("a:*\nb:*\nc:*\n", limits);
  BOOST_REQUIRE(many.size() == 1U);
  BOOST_TEST(many[0].starts_with("0: it has 3 users, at most 2"));
  limits.file_bytes = 7;
  BOOST_TEST(problems_of("a:*\nb:*\n", limits).size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_decoy_costs_what_most_hashes_do) {
  const std::string weak =
    "$7$101$AAAAAAAAAAAAAAAA$" + std::string(86, 'A') + "==";
  const auto table =
    table_of("a:" + weak + "\nb:" + hash + "\nc:" + weak + "\nd:*\n");
  BOOST_REQUIRE(table->decoy().has_value());
  BOOST_TEST(table->decoy()->costs_as(password_hash::parse(weak).value()));
  BOOST_TEST(table_of("a:*::" + keys())->scram_iterations() == 4'096U);
}

BOOST_AUTO_TEST_CASE(an_edit_keeps_comments_and_order) {
  const std::string text = "# staff\nalice:*\n\nbob:*\n# end\ncarol:*";
  user_edit edit{table_of(text)};
  user x;
  x.name = "bob";
  x.hash = hash;
  edit.put(x);
  BOOST_TEST(edit.remove("alice"));
  BOOST_TEST(!edit.remove("alice"));
  BOOST_TEST(!edit.remove("nobody"));
  BOOST_TEST(!edit.has("alice"));
  x.name = "dave";
  edit.put(x);
  x.name = "erin";
  edit.put(x);
  BOOST_TEST(edit.has("erin"));
  BOOST_TEST(edit.remove("erin"));
  x.name = "dave";
  x.superuser = true;
  edit.put(x);
  BOOST_TEST(edit.text()
             == "# staff\n\nbob:" + hash + "\n# end\ncarol:*\ndave:" + hash
                  + ":superuser\n");
  user_edit last{table_of("a:*")};
  BOOST_TEST(last.remove("a"));
  BOOST_TEST(last.text() == "");
  BOOST_TEST(user_edit{table_of("")}.text() == "");
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_with_its_rights_and_nothing_is_left) {
  const troupe::test::temporary_directory in;
  const auto path = in / "users";
  replace_file(path, "a:*\n");
  BOOST_TEST(content(path) == "a:*\n");
  BOOST_TEST(mode_of(path) == 0600U);
  BOOST_REQUIRE(::chmod(path.c_str(), 0640) == 0);
  replace_file(path, "b:*\n");
  BOOST_TEST(content(path) == "b:*\n");
  BOOST_TEST(mode_of(path) == 0640U);
  BOOST_TEST(files_in(in) == 1U);
  // A link stays one.
  fs::create_symlink(path, in / "link");
  replace_file(in / "link", "c:*\n");
  BOOST_TEST(fs::is_symlink(in / "link"));
  BOOST_TEST(content(path) == "c:*\n");
  BOOST_TEST(files_in(in) == 2U);
  BOOST_CHECK_THROW(replace_file(in / "none/users", "x"), fs::filesystem_error);
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_not_read) {
  const troupe::test::temporary_directory in;
  const auto pipe = in / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_CHECK_THROW(read_whole_file(pipe, 100), fs::filesystem_error);
  BOOST_CHECK_THROW(replace_file(pipe, "x"), fs::filesystem_error);
  BOOST_CHECK_THROW(read_whole_file(in / "", 100), fs::filesystem_error);
  BOOST_CHECK_THROW(read_whole_file(in / "none", 100), fs::filesystem_error);
  BOOST_TEST(files_in(in) == 1U);
  const auto path = in / "users";
  replace_file(path, "0123456789");
  BOOST_TEST(read_whole_file(path, 10) == "0123456789");
  BOOST_CHECK_THROW(read_whole_file(path, 9), fs::filesystem_error);
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_users_are_loaded_and_all_found) {
  constexpr int users = 100'000;
  std::string text;
  for (int i = 0; i < users; ++i)
    text += "device-" + std::to_string(i) + ":" + hash + "\n";
  const auto bytes = text.size();
  const auto table = table_of(text);
  BOOST_TEST(table->size() == std::size_t{users});
  BOOST_TEST(table->memory() < bytes + users * 12 + 1'000U);
  for (int i = 0; i < users; ++i)
    BOOST_REQUIRE(table->find("device-" + std::to_string(i)).has_value());
  BOOST_TEST(!table->find("device-100000").has_value());
}
