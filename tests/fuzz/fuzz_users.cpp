// Any text as a file of users, as a file to import, and its lines as hashes,
// keys, names and first messages of SCRAM. No hash is computed.
#include "auth/scram.hpp"
#include "auth/user_file.hpp"
#include "auth/user_import.hpp"

#include <cstdlib>
#include <iostream>

using namespace troupe::auth;

namespace {

/// Stops the fuzzer: the property named does not hold.
[[noreturn]] void broken(std::string_view property) {
  std::cerr << property << "\n";
  std::abort();
}

void check(const user_problems& x) {
  if (x.count == 0 || x.listed.empty())
    broken("no user without a problem");
  for (const auto& y : x.listed)
    if (y.text.empty())
      broken("a problem says what");
}

user user_of(const std::string& name, const user_table::record& x) {
  user made;
  made.name = name;
  made.hash = x.hash;
  made.superuser = x.superuser;
  made.scram = x.scram;
  return made;
}

void as_users(std::string_view text) {
  const auto read = user_table::parse(std::string{text});
  if (!read)
    return check(read.error());
  const auto& table = read.value();
  std::size_t seen = 0;
  user_edit edit{table};
  table->each([&](const std::string& name, const user_table::record& x) {
    ++seen;
    const auto found = table->find(name);
    if (!found || found->line != x.line || found->version != x.version)
      broken("each user is found");
    const auto own = user_table::parse(user_of(name, x).line());
    if (!own || !own.value()->find(name))
      broken("a user is written as it is read");
    if (seen % 2 == 0)
      edit.remove(name);
    else
      edit.put(user_of(name, x));
  });
  if (seen != table->size())
    broken("users are counted");
  const auto again = user_table::parse(edit.text());
  if (!again || again.value()->size() != (seen + 1) / 2)
    broken("an edited file is sound");
}

void as_import(std::string_view text) {
  for (const bool plain : {false, true}) {
    import_options options;
    options.plain = plain;
    options.hashes = hashed_with{};
    const auto found = import_users(text, options);
    if (found.problems.count != 0)
      check(found.problems);
    for (auto x : found.users) {
      if (x.password)
        x.who.hash = "*";
      const auto own = user_table::parse(x.who.line());
      if (!own || !own.value()->find(x.who.name))
        broken("what is imported can be written");
    }
  }
}

void as_line(std::string_view line) {
  if (const auto hash = password_hash::parse(line)) {
    const auto again = password_hash::parse(hash.value().text());
    if (!again || again.value().text() != hash.value().text()
        || !again.value().costs_as(hash.value()))
      broken("a hash is written as it is read");
  }
  if (const auto keys = scram_keys::parse(line))
    if (keys.value().text() != line)
      broken("keys are written as they are read");
  if (unescape_name(escape_name(line)) != line)
    broken("an escaped name is the same again");
  static_cast<void>(hashed_with::parse(line));
}

void as_scram(std::string_view first, std::string_view last) {
  static const auto table =
    user_table::parse(
      "user:*::SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo"
      "7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
      .value();
  static const auto method =
    make_scram_sha256(std::make_shared<user_source>(table),
                      {"key", [] { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"; }});
  const auto talk = method->begin({});
  for (const auto x : {first, last, last}) {
    const auto answer =
      talk->next({reinterpret_cast<const std::uint8_t*>(x.data()), x.size()});
    if (answer.data.empty())
      broken("each message is answered");
    if (answer.what == exchange::step::outcome::success
        && answer.who.user_name != "user")
      broken("only who has the key gets in");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  as_users(text);
  as_import(text);
  std::string_view before;
  auto rest = text;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    as_line(line);
    as_scram(before, line);
    before = line;
  }
  return 0;
}
