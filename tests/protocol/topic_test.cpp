#include "protocol/topic.hpp"
#include "tests/protocol/wire.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::protocol;
using troupe::test::reason_of;

BOOST_AUTO_TEST_CASE(mqtt5_1_5_4_1_and_2_what_is_utf_8) {
  using namespace std::string_view_literals;
  for (const auto good : {
         ""sv,
         "a"sv,
         "\x01\x1F\x7F"sv,                     // control characters are allowed
         "\xC2\x80\xDF\xBF"sv,                 // two bytes: first and last
         "\xE0\xA0\x80\xEF\xBF\xBF"sv,         // three bytes: first and last
         "\xED\x9F\xBF\xEE\x80\x80"sv,         // around the surrogates
         "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"sv, // four bytes: first and last
         "\xEF\xBB\xBF"sv,                     // U+FEFF stays [MQTT-1.5.4-3]
         "only ASCII and longer than eight bytes"sv,
         "seven by\xC3\xA4 and more"sv,
       })
    BOOST_TEST(is_valid_utf8(good), "refused: " << good);
  for (const auto bad : {
         "\0"sv,
         "12345678\0"sv,
         "\0"
         "12345678"sv,
         "1234\0"
         "67890123456789"sv,
         "\x80"sv,             // begins in the middle
         "\xC3"sv,             // ends too soon
         "\xE2\x82"sv,         //
         "\xF0\x9F\x98"sv,     //
         "\xC3("sv,            // not continued
         "\xC0\x80"sv,         // overlong
         "\xC1\xBF"sv,         //
         "\xE0\x9F\xBF"sv,     //
         "\xF0\x8F\xBF\xBF"sv, //
         "\xED\xA0\x80"sv,     // surrogates
         "\xED\xBF\xBF"sv,     //
         "\xF4\x90\x80\x80"sv, // above U+10FFFF
         "\xF5\x80\x80\x80"sv, //
         "\xFE"sv,
         "\xFF"sv,
         "abcdefgh\xFF"sv,
       })
    BOOST_TEST(!is_valid_utf8(bad), "accepted: " << bad);
}

BOOST_AUTO_TEST_CASE(a_special_byte_is_found_wherever_it_stands) {
  for (std::size_t size = 1; size != 40; ++size)
    for (std::size_t at = 0; at != size; ++at) {
      std::string topic(size, 'x');
      BOOST_TEST(is_valid_topic_name(topic));
      for (const auto special : {'\0', '+', '#', '\x80', '\xFF'}) {
        topic[at] = special;
        BOOST_TEST(!is_valid_topic_name(topic));
        BOOST_TEST(is_valid_utf8(topic) == (special == '+' || special == '#'));
      }
      for (const auto ordinary : {'\x01', '"', '$', '*', ',', '\x7F'}) {
        topic[at] = ordinary;
        BOOST_TEST(is_valid_topic_name(topic));
      }
    }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_3_topic_names_have_1_to_65535_bytes) {
  BOOST_TEST(!is_valid_topic_name(""));
  BOOST_TEST(is_valid_topic_name(std::string(65'535, 'x')));
  BOOST_TEST(!is_valid_topic_name(std::string(65'536, 'x')));
  BOOST_TEST(!is_valid_topic_filter(""));
  BOOST_TEST(is_valid_topic_filter(std::string(65'535, 'x')));
  BOOST_TEST(!is_valid_topic_filter(std::string(65'536, 'x')));
  for (const auto* good :
       {"/", "//", " ", "$SYS/x", "a b", "\xC3\xA4/\xC3\xB6"})
    BOOST_TEST(is_valid_topic_name(good), "refused: " << good);
}

BOOST_AUTO_TEST_CASE(mqtt5_4_7_1_where_wildcards_may_stand) {
  for (const auto* good :
       {"#", "+", "/", "a", "a/#", "a/b/#", "+/#", "/#", "/+", "+/", "+/+",
        "+/a/+", "a/+/b", "a//#", "sport/tennis/+", "+/tennis/#"})
    BOOST_TEST(is_valid_topic_filter(good), "refused: " << good);
  for (const auto* bad : {"a#", "#a", "#/", "#/a", "a/#/b", "##", "a/b#", "a+",
                          "+a", "a/b+", "a/+b/c", "++", "+#", "#+", "a/+#",
                          "sport+", "sport/tennis#", "\xFF/+", "+/\xC3"})
    BOOST_TEST(!is_valid_topic_filter(bad), "accepted: " << bad);
}

BOOST_AUTO_TEST_CASE(which_filters_match_which_topics) {
  struct row {
    std::string_view filter;
    std::string_view topic;
    bool expected;
  };
  const row rows[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "A", false}, // [MQTT-4.7.3-4]
    {"a", "aa", false},
    {"aa", "a", false},
    {"a/b", "a/b", true},
    {"a/b", "a", false},
    {"a", "a/b", false},
    {"a/", "a", false}, // a level may be empty
    {"a/", "a/", true},
    {"a", "a/", false},
    {"/a", "a", false},
    {"/a", "/a", true},
    {"/", "/", true},
    {"//", "/", false},
    {"+", "a", true},
    {"+", "a/b", false},
    {"+", "/a", false},
    {"/+", "/a", true},
    {"+/+", "/a", true},
    {"+/+", "a/b", true},
    {"+/+", "a", false},
    {"a/+", "a", false},
    {"a/+", "a/", true},
    {"a/+", "a/b", true},
    {"a/+", "a/b/c", false},
    {"a/+/c", "a/b/c", true},
    {"a/+/c", "a//c", true},
    {"a/+/c", "a/b/d", false},
    {"#", "a", true},
    {"#", "a/b/c", true},
    {"#", "/", true},
    {"a/#", "a", true}, // the parent too
    {"a/#", "a/", true},
    {"a/#", "a/b", true},
    {"a/#", "a/b/c", true},
    {"a/#", "ab", false},
    {"a/#", "b", false},
    {"a/+/#", "a", false},
    {"a/+/#", "a/b", true},
    {"+/b/#", "a/b/c", true},
    {"+/+/#", "a", false},
    {"#", "$SYS/x", false}, // [MQTT-4.7.2-1]
    {"+/x", "$SYS/x", false},
    {"+", "$SYS", false},
    {"$SYS/#", "$SYS/x", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/+", "$SYS/x", true},
    {"$SYS/x", "$SYS/x", true},
    {"a/+", "a/$b", true}, // `$` counts at the front alone
    {"a/#", "a/$b/c", true},
    {"\xEF\xBB\xBF"
     "a",
     "a", false}, // [MQTT-1.5.4-3]
  };
  for (const auto& row : rows)
    BOOST_TEST(matches(row.filter, row.topic) == row.expected,
               row.filter << " and " << row.topic);
}

BOOST_AUTO_TEST_CASE(levels_are_separators_plus_one) {
  BOOST_TEST(level_count("a") == 1U);
  BOOST_TEST(level_count("a/b/c") == 3U);
  BOOST_TEST(level_count("/") == 2U);
  BOOST_TEST(level_count("//#") == 3U);
}

BOOST_AUTO_TEST_CASE(wildcards_are_found) {
  BOOST_TEST(!has_wildcard("a/b"));
  BOOST_TEST(has_wildcard("a/+"));
  BOOST_TEST(has_wildcard("#"));
}

BOOST_AUTO_TEST_CASE(subscription_filters_are_taken_apart) {
  using kind = subscription_filter::kind;
  struct row {
    std::string_view text;
    kind what;
    std::string_view share_name;
    std::string_view filter;
  };
  const row rows[] = {
    {"a/+", kind::plain, "", "a/+"},
    {"$share", kind::plain, "", "$share"},
    {"$shares/g/t", kind::plain, "", "$shares/g/t"},
    {"$SYS/#", kind::plain, "", "$SYS/#"},
    {"$share/g/t", kind::shared, "g", "t"},
    {"$share/g/a/#", kind::shared, "g", "a/#"},
    {"$share/g//", kind::shared, "g", "/"},
    {"$share/$g/+", kind::shared, "$g", "+"},
    {"$queue/a/b", kind::shared, "$queue", "a/b"},
    {"$exclusive/a/b", kind::exclusive, "", "a/b"},
    {"x/$share/g/t", kind::plain, "", "x/$share/g/t"},
  };
  for (const auto& row : rows) {
    const auto parsed = parse_subscription_filter(row.text);
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST_REQUIRE(parsed.has_value());
      BOOST_TEST((parsed.value().what == row.what));
      BOOST_TEST(parsed.value().share_name == row.share_name);
      BOOST_TEST(parsed.value().filter == row.filter);
    }
  }
}

BOOST_AUTO_TEST_CASE(mqtt5_4_8_2_1_and_2_shared_filters_that_are_none) {
  for (const auto* bad :
       {"", "$share/", "$share/g", "$share/g/", "$share//t", "$share/+/t",
        "$share/g+/t", "$share/#/t", "$share/g/a#", "$share/\xFF/t", "$queue/",
        "$queue/a#", "$exclusive/", "$exclusive/+a", "a/#/b"})
    BOOST_TEST(reason_of(parse_subscription_filter(bad))
                 == reason_code::topic_filter_invalid,
               "accepted: " << bad);
  BOOST_TEST(
    !parse_subscription_filter("$share/g/" + std::string(65'527, 'x')));
  BOOST_TEST(parse_subscription_filter("$share/g/" + std::string(65'526, 'x'))
               .has_value());
}

BOOST_AUTO_TEST_CASE(delayed_topics_are_taken_apart) {
  BOOST_TEST(!parse_delayed_topic("a/b").value());
  BOOST_TEST(!parse_delayed_topic("$delayed").value());
  BOOST_TEST(!parse_delayed_topic("$delayedx/1/a").value());
  const auto parsed = parse_delayed_topic("$delayed/15/a/b").value().value();
  BOOST_TEST(parsed.delay_seconds == 15U);
  BOOST_TEST(parsed.topic == "a/b");
  const auto longest =
    parse_delayed_topic("$delayed/4294967//a").value().value();
  BOOST_TEST(longest.delay_seconds == 4'294'967U);
  BOOST_TEST(longest.topic == "/a");
  BOOST_TEST(parse_delayed_topic("$delayed/0/a").value()->delay_seconds == 0U);
}

BOOST_AUTO_TEST_CASE(delayed_topics_that_are_none) {
  for (const auto* bad :
       {"$delayed/", "$delayed/15", "$delayed/15/", "$delayed//a",
        "$delayed/x/a", "$delayed/-1/a", "$delayed/1.5/a", "$delayed/ 1/a",
        "$delayed/4294968/a", "$delayed/99999999999999999999/a"})
    BOOST_TEST(reason_of(parse_delayed_topic(bad))
                 == reason_code::topic_name_invalid,
               "accepted: " << bad);
}
