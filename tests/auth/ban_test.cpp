// Who may not connect, for how long, and what survives a restart.

#include "auth/ban_file.hpp"
#include "auth/ban_list.hpp"
#include "auth/flapping.hpp"
#include "tests/auth/acl_support.hpp"
#include "tests/support/seed.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <unistd.h>

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using auth::ban;
using auth::ban_kind;
using auth::ban_table;

namespace {

ban make(ban_kind as, std::string who, std::int64_t until = ban::never) {
  ban made;
  made.as = as;
  made.who = std::move(who);
  made.by = "op";
  made.reason = "why";
  made.at_ms = 5;
  made.until_ms = until;
  return made;
}

/// The name of the ban that a client falls under, or "".
std::string found(const auth::ban_list& in, const auth::client_facts& who,
                  std::int64_t now = 10) {
  const auto* const b = in.find(who.view(), now);
  return b ? b->who : "";
}

std::string add(ban_table& to, ban_kind as, std::string who) {
  return to.add(make(as, std::move(who)));
}

} // namespace

BOOST_AUTO_TEST_CASE(each_kind_of_ban_finds_whom_it_means) {
  ban_table table{{}};
  BOOST_TEST(add(table, ban_kind::clientid, "evil") == "");
  BOOST_TEST(add(table, ban_kind::username, "mallory") == "");
  BOOST_TEST(add(table, ban_kind::peerhost, "::ffff:192.168.0.9") == "");
  BOOST_TEST(add(table, ban_kind::peerhost_net, "172.16.0.0/12") == "");
  BOOST_TEST(add(table, ban_kind::peerhost_net, "fd00::/8") == "");
  BOOST_TEST(add(table, ban_kind::clientid_re, "^bot-[0-9]+$") == "");
  BOOST_TEST(add(table, ban_kind::username_re, "gu.st") == "");
  const auto list = table.snapshot();
  BOOST_TEST(found(*list, client("evil")) == "evil");
  BOOST_TEST(found(*list, client("c", "mallory")) == "mallory");
  BOOST_TEST(found(*list, client("mallory", "evil")) == "");
  BOOST_TEST(found(*list, client("c", "u", "192.168.0.9:1")) == "192.168.0.9");
  BOOST_TEST(found(*list, client("c", "u", "[::ffff:192.168.0.9]:1"))
             == "192.168.0.9");
  BOOST_TEST(found(*list, client("c", "u", "172.31.255.255:1"))
             == "172.16.0.0/12");
  BOOST_TEST(found(*list, client("c", "u", "172.32.0.0:1")) == "");
  BOOST_TEST(found(*list, client("c", "u", "[fd12::1]:1")) == "fd00::/8");
  BOOST_TEST(found(*list, client("bot-12")) == "^bot-[0-9]+$");
  BOOST_TEST(found(*list, client("bot-x")) == "");
  BOOST_TEST(found(*list, client("c", "a guest")) == "gu.st");
  BOOST_TEST(found(*list, client("guest")) == "");
  BOOST_TEST(list->size() == 7U);
}

BOOST_AUTO_TEST_CASE(a_ban_ends_with_its_time) {
  ban_table table{{}};
  BOOST_TEST(table.add(make(ban_kind::clientid, "c", 100)) == "");
  BOOST_TEST(table.add(make(ban_kind::clientid_re, "^c", 200)) == "");
  BOOST_TEST(table.add(make(ban_kind::username, "u")) == "");
  const auto list = table.snapshot();
  BOOST_TEST(found(*list, client("c"), 99) == "c");
  BOOST_TEST(found(*list, client("c"), 100) == "^c");
  BOOST_TEST(found(*list, client("c"), 200) == "");
  BOOST_TEST(table.expire(99).size() == 0U);
  BOOST_TEST(table.expire(100).size() == 1U);
  BOOST_TEST(table.expire(1'000'000).size() == 1U);
  BOOST_TEST(table.size() == 1U);
  BOOST_TEST(found(*table.snapshot(), client("c", "u"), 1'000'000) == "u");
}

BOOST_AUTO_TEST_CASE(a_second_ban_of_the_same_takes_the_place_of_the_first) {
  ban_table table{{}};
  BOOST_TEST(table.add(make(ban_kind::clientid, "c", 100)) == "");
  BOOST_TEST(table.add(make(ban_kind::clientid, "c", 300)) == "");
  BOOST_TEST(table.size() == 1U);
  BOOST_TEST(table.expire(200).empty());
  BOOST_TEST(found(*table.snapshot(), client("c"), 200) == "c");
  BOOST_TEST(table.remove(ban_kind::clientid, "c"));
  BOOST_TEST(!table.remove(ban_kind::clientid, "c"));
  BOOST_TEST(table.expire(1'000).empty());
  BOOST_TEST(add(table, ban_kind::peerhost_net, "fd00:0::/16") == "");
  BOOST_REQUIRE(table.get(ban_kind::peerhost_net, "fd00::/16") != nullptr);
  BOOST_TEST(table.remove(ban_kind::peerhost_net, "fd00:0:0::/16"));
  BOOST_TEST(table.size() == 0U);
  BOOST_TEST(table.snapshot()->size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_list_stays_as_it_was_taken) {
  ban_table table{{}};
  BOOST_TEST(add(table, ban_kind::clientid, "a") == "");
  const auto before = table.snapshot();
  BOOST_TEST(add(table, ban_kind::clientid, "b") == "");
  table.remove(ban_kind::clientid, "a");
  const auto after = table.snapshot();
  BOOST_TEST(found(*before, client("a")) == "a");
  BOOST_TEST(found(*before, client("b")) == "");
  BOOST_TEST(found(*after, client("a")) == "");
  BOOST_TEST(found(*after, client("b")) == "b");
}

BOOST_AUTO_TEST_CASE(random_changes_leave_what_a_plain_map_has) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE(say_seed(seed));
  std::mt19937 random{seed};
  ban_table table{{}};
  std::map<std::string, std::int64_t> model;
  std::vector<std::pair<std::shared_ptr<const auth::ban_list>,
                        std::map<std::string, std::int64_t>>>
    taken;
  std::int64_t now = 0;
  for (int i = 0; i != 20'000; ++i) {
    const auto who = std::to_string(random() % 3'000);
    switch (random() % 4) {
    case 0:
    case 1: {
      const auto until =
        random() % 4 == 0 ? ban::never
                          : now + 1 + static_cast<std::int64_t>(random() % 900);
      BOOST_REQUIRE(table.add(make(ban_kind::clientid, who, until)) == "");
      model[who] = until;
      break;
    }
    case 2:
      BOOST_REQUIRE(table.remove(ban_kind::clientid, who)
                    == (model.erase(who) == 1));
      break;
    default:
      ++now;
      table.expire(now);
      for (auto at = model.begin(); at != model.end();)
        at = at->second <= now ? model.erase(at) : std::next(at);
    }
    BOOST_REQUIRE(table.size() == model.size());
    if (random() % 2'000 == 0)
      taken.emplace_back(table.snapshot(), model);
  }
  taken.emplace_back(table.snapshot(), model);
  for (const auto& [list, then] : taken)
    for (int i = 0; i != 3'000; ++i) {
      const auto who = std::to_string(i);
      BOOST_REQUIRE_MESSAGE((found(*list, client(who), 0) == who)
                              == (then.count(who) == 1),
                            who << ' ' << say_seed(seed));
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_ban_is_refused_with_a_reason) {
  ban_table table{{.bans_max = 3, .patterns_max = 1}};
  const auto refused = [&](ban_kind as, std::string who, std::string_view why) {
    const auto said = add(table, as, std::move(who));
    BOOST_TEST(said.find(why) != std::string::npos, said);
  };
  refused(ban_kind::clientid, "", "clientid is empty");
  refused(ban_kind::username, "\xFF", "not UTF-8");
  refused(ban_kind::peerhost, "10.0.0.0/8", "a network is a peerhost_net");
  refused(ban_kind::peerhost_net, "10.0.0.1/8", "write \"10.0.0.0/8\"");
  refused(ban_kind::clientid_re, "a(", "missing )");
  refused(ban_kind::clientid_re, "(?=a)", "no regular expression");
  refused(ban_kind::clientid_re, "((a{100}){100}){100}", "no regular expr");
  refused(ban_kind::clientid_re, std::string(1'025, 'a'), "1024 bytes");
  BOOST_TEST(table.size() == 0U);
  BOOST_TEST(add(table, ban_kind::clientid_re, "a") == "");
  refused(ban_kind::username_re, "b", "there are 1 bans by regular expression");
  BOOST_TEST(add(table, ban_kind::clientid_re, "a") == ""); // the same again
  BOOST_TEST(add(table, ban_kind::clientid, "b") == "");
  BOOST_TEST(add(table, ban_kind::clientid, "c") == "");
  refused(ban_kind::clientid, "d", "there are 3 bans, which is the limit");
  BOOST_TEST(add(table, ban_kind::clientid, "c") == "");
}

BOOST_AUTO_TEST_CASE(a_thousand_hard_patterns_answer_at_once) {
  ban_table table{{}};
  for (int i = 0; i != 1'000; ++i)
    BOOST_REQUIRE(
      add(table, ban_kind::clientid_re, "(x+x+)+y" + std::to_string(i) + "$")
      == "");
  const auto list = table.snapshot();
  const std::string text(5'000, 'x');
  BOOST_TEST(found(*list, client(text)) == "");
  BOOST_TEST(found(*list, client(text + "y999")) == "(x+x+)+y999$");
}

BOOST_AUTO_TEST_CASE(bans_are_written_and_read_again) {
  ban_table table{{}};
  for (const auto as : {ban_kind::clientid, ban_kind::username})
    BOOST_TEST(table.add(make(as, "\"odd\"\n\\ ä", 5'000)) == "");
  BOOST_TEST(add(table, ban_kind::peerhost, "::1") == "");
  BOOST_TEST(add(table, ban_kind::peerhost_net, "10.0.0.0/8") == "");
  BOOST_TEST(add(table, ban_kind::username_re, "a|b") == "");
  BOOST_TEST(add(table, ban_kind::clientid_re, "\\d") == "");
  BOOST_TEST(table.add(make(ban_kind::clientid, "over", 1'000)) == "");
  const auto text = to_text(*table.snapshot());
  BOOST_TEST(text.find(R"({"as":"peerhost","who":"::1","by":"op",)"
                       R"("reason":"why","at":5,"until":"infinity"})"
                       "\n")
             != std::string::npos);
  ban_table again{{}};
  BOOST_TEST(read_bans(text, "bans.jsonl", 1'000, again).empty());
  table.expire(1'000);
  BOOST_TEST(again.size() == 6U);
  BOOST_TEST(to_text(*again.snapshot()) == to_text(*table.snapshot()));
}

BOOST_AUTO_TEST_CASE(mistakes_in_a_file_are_named_by_line) {
  ban_table table{{}};
  const auto problems = read_bans(R"({"as":"clientid","who":"a"}

{"as":"clientid","who":"a"}
{"as":"client","who":"a"}
{"who":"a"}
[]
{"as":"username","who":1}
{"as":"username","who":"b","until":-1}
{"as":"username","who":"b","until":"tomorrow"}
{"as":"username","who":"b","untill":5}
{"as":"peerhost","who":"b"}
{"as":
{"as":"username","who":"good"})",
                                  "bans.jsonl", 0, table);
  std::string all;
  for (const auto& p : problems)
    all += p.where + ": " + p.text.substr(0, 40) + "\n";
  BOOST_TEST(all == R"(bans.jsonl:3:1: bans what a line before it bans: remove 
bans.jsonl:4:1: "as" is one of clientid, username, peerh
bans.jsonl:5:1: does not say whom it bans: "as" and "who
bans.jsonl:6:1: is no object: expected {"as":"clientid",
bans.jsonl:7:1: "who" is a text
bans.jsonl:8:1: "until" is a time in milliseconds since 
bans.jsonl:9:1: "until" is a time in milliseconds since 
bans.jsonl:10:1: has an unknown field "untill": there are
bans.jsonl:11:1: peerhost "b" is no address: expected one
bans.jsonl:12:1: is no JSON: incomplete JSON; a ban is on
)");
  BOOST_TEST(table.size() == 2U);
}

BOOST_AUTO_TEST_CASE(
  a_client_that_goes_too_often_in_the_window_is_to_be_banned) {
  auth::flapping_detector detector{
    {.enable = true, .max_count = 3, .window = 60s}};
  auth::flapping_detector::clock::time_point now{1h};
  BOOST_TEST(!detector.disconnected("c", now));
  BOOST_TEST(!detector.disconnected("c", now + 30s));
  BOOST_TEST(!detector.disconnected("d", now + 30s));
  BOOST_TEST(!detector.disconnected("c", now + 60s)); // the first has passed
  BOOST_TEST(detector.disconnected("c", now + 89s));
  BOOST_TEST(!detector.disconnected("c", now + 89s)); // begins anew
  const auto made = detector.ban_of("c", 1'000);
  BOOST_TEST(made.who == "c");
  BOOST_TEST((made.as == ban_kind::clientid));
  BOOST_TEST(made.at_ms == 1'000);
  BOOST_TEST(made.until_ms == 301'000);
}

BOOST_AUTO_TEST_CASE(the_table_of_flapping_clients_is_bounded) {
  auth::flapping_detector detector{
    {.enable = true, .max_count = 3, .window = 60s, .clients_max = 10}};
  const auth::flapping_detector::clock::time_point now{1h};
  detector.disconnected("early", now);
  for (int i = 0; i != 1'000; ++i) {
    if (i % 500 == 0)
      detector.disconnected("late", now);
    BOOST_TEST(!detector.disconnected(std::to_string(i), now));
    BOOST_REQUIRE(detector.size() <= 10U);
  }
  BOOST_TEST(!detector.disconnected("1", now + 60s));
  BOOST_TEST(detector.size() == 1U); // those whose window is over have gone
  detector.set_options({});
  BOOST_TEST(detector.size() == 0U);
  for (int i = 0; i != 100; ++i)
    BOOST_TEST(!detector.disconnected("c", now + 60s));
}
