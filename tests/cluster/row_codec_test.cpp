// Rows of the state database as bytes.

#include "tests/cluster/codec_support.hpp"
#include "tests/support/seed.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;
using troupe::storage::row;

namespace {

/// What is wrong with a row; empty: nothing.
std::string problem_of(const row& x, std::uint16_t shard = 3) {
  try {
    row_recorder into;
    load_row(static_cast<row_family>(x.family), x.key, *x.value, shard,
             record_times, into);
    BOOST_TEST(into.lines.size() == 1U);
    return {};
  } catch (const record_error& e) {
    return e.what();
  }
}

row row_of(row_family family, std::string key, std::string value) {
  return {static_cast<std::uint8_t>(family), std::move(key), std::move(value)};
}

/// A good row of `family`, changed by `change`; what is wrong with it.
template <class F>
std::string changed(row_family family, F&& change) {
  record_source random{5};
  row_recorder lines;
  for (auto& x : random_rows(random, 3, lines))
    if (x.family == static_cast<std::uint8_t>(family)) {
      BOOST_TEST(problem_of(x).empty());
      change(x);
      return problem_of(x);
    }
  return "there is none";
}

/// Messages of "21.5" with these topics; empty: one of the family `message`.
std::string encoded_page(std::initializer_list<const char*> topics) {
  page_row page;
  for (const std::string_view topic : topics) {
    troupe::protocol::message_options made;
    made.topic = topic;
    made.payload = as_bytes("21.5");
    made.received_at = record_times.rounded(record_start);
    page.entries.push_back(
      {page.entries.size() + 1,
       topic.empty() ? message_ptr{} : troupe::protocol::message::make(made)});
  }
  return encode_row(page, record_times);
}

void cut(row& x) { x.key.pop_back(); }
void longer(row& x) { x.key += 'x'; }
void no_value(row& x) { x.value = ""; }
void last_changed(row& x) { x.key.back() ^= 1; }

} // namespace

BOOST_AUTO_TEST_CASE(rows_come_back_as_they_were) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  for (auto i = 0; i < 500; ++i) {
    const auto shard = random.shard();
    row_recorder written;
    row_recorder read;
    for (const auto& x : random_rows(random, shard, written)) {
      // Built in place: its size was not estimated too low.
      BOOST_REQUIRE(
        (x.value->empty() || (word_at(*x.value, 0) & 0xFFFF'FFFF) == 0U));
      BOOST_REQUIRE(x.key.substr(0, 2) == applied_key(shard));
      load_row(static_cast<row_family>(x.family), x.key, *x.value, shard,
               record_times, read);
    }
    BOOST_REQUIRE(read.lines == written.lines);
  }
}

BOOST_AUTO_TEST_CASE(each_kind_of_timer_comes_back_as_it_was) {
  record_source random{test_seed()};
  for (auto i = 0; i < 200; ++i) {
    const auto x = random.timer();
    row_collector out{3, record_times};
    out.timer(x.first, true, x.second);
    row_recorder read;
    const auto rows = out.take();
    load_row(row_family::timer, rows.at(0).key, *rows.at(0).value, 3,
             record_times, read);
    row_recorder written;
    written.load_timer(timer_row{x});
    BOOST_REQUIRE(read.lines == written.lines);
  }
}

BOOST_AUTO_TEST_CASE(a_row_that_is_gone_is_deleted) {
  row_collector out{7, record_times};
  const timer_key timer{record_start, timer_kind::will, "c"};
  out.session("c", nullptr);
  out.owned("c", false);
  out.filter({"g", "f"}, nullptr);
  out.holder("c", 1, nullptr);
  out.holder_cursor("c", nullptr);
  out.group(1, nullptr);
  out.page(1, 2, nullptr);
  out.message(2, nullptr);
  out.retained(retained_key("a/b"), nullptr);
  out.timer(timer, false, {});
  out.exclusive("c", "f", false);
  out.outbox(4, 5, nullptr);
  out.inbound("c", 6, nullptr);
  const auto rows = out.take();
  BOOST_TEST(out.take().empty());
  using family = row_family;
  const std::vector<std::pair<family, std::string>> keys{
    {family::session, session_key(7, "c")},
    {family::owned, owned_key(7, "c")},
    {family::filter, filter_key(7, {"g", "f"})},
    {family::holder, holder_key(7, "c", 1)},
    {family::holder, holder_key(7, "c", 0)},
    {family::group, group_key(7, 1)},
    {family::backlog, page_key(7, 1, 2)},
    {family::message, message_key(7, 2)},
    {family::retained, retained_row_key(7, retained_key("a/b"))},
    {family::timer, timer_row_key(7, timer, record_times)},
    {family::exclusive, exclusive_key(7, "c", "f")},
    {family::outbox, outbox_key(7, 4, 5)},
    {family::inbound, inbound_key(7, "c", 6)}};
  BOOST_REQUIRE(rows.size() == keys.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST(rows[i].family == static_cast<std::uint8_t>(keys[i].first));
    BOOST_TEST(rows[i].key == keys[i].second);
    BOOST_TEST(!rows[i].value);
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_row_is_said_with_its_key) {
  BOOST_TEST(problem_of(row_of(row_family::applied, applied_key(3), ""), 4)
             == "family applied, key 0003: the row belongs to shard 3");
  BOOST_TEST(changed(row_family::applied, cut)
             == "family applied, key 00: the key is cut off");
  BOOST_TEST(changed(row_family::applied, longer)
             == "family applied, key 000378: the key is too long");
  BOOST_TEST(changed(row_family::applied, no_value)
             == "family applied, key 0003: empty");
  for (const auto family :
       {row_family::group, row_family::backlog, row_family::message,
        row_family::outbox, row_family::inbound}) {
    const auto name = std::string{"family "}
                      + row_family_names.at(static_cast<std::size_t>(family))
                      + ", key 0003";
    for (const auto& found : {changed(family, cut), changed(family, longer),
                              changed(family, no_value)})
      BOOST_TEST(contains(found, name), found);
  }
  // The ends of these keys may be any text.
  for (const auto family : {row_family::session, row_family::filter,
                            row_family::retained, row_family::timer})
    BOOST_TEST(contains(changed(family, no_value), ": empty"));
  BOOST_TEST(
    contains(changed(row_family::session, [](row& x) { x.value->resize(64); }),
             "cut off"));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_not_of_its_value_is_refused) {
  for (const auto family :
       {row_family::backlog, row_family::retained, row_family::outbox})
    BOOST_TEST(contains(changed(family, last_changed), "the key is not that"));
}

BOOST_AUTO_TEST_CASE(a_filter_is_under_the_class_that_it_is_of) {
  const auto value = encode_row(filter_row{1, 2});
  const auto found = [&](const std::string& key) {
    return problem_of(row_of(row_family::filter, key, value));
  };
  const auto definition = filter_prefix(3, false);
  const auto by_topic = filter_prefix(3, true);
  using namespace std::string_literals;
  BOOST_TEST(found(definition + "a/+\0"s).empty());
  BOOST_TEST(found(definition + "a\0g"s).empty());
  BOOST_TEST(found(by_topic + "a").empty());
  const auto wrong = "the key is not that of its filter";
  BOOST_TEST(contains(found(by_topic + "a/+"), wrong));
  BOOST_TEST(contains(found(definition + "a\0"s), wrong));
  BOOST_TEST(contains(found(by_topic), wrong));
  BOOST_TEST(contains(found(definition + "\0g"s), wrong));
  BOOST_TEST(contains(found(definition + "a/+"), "has no Share Name"));
  auto unknown = by_topic + "a";
  unknown[2] = 2;
  BOOST_TEST(contains(found(unknown), wrong));
  BOOST_TEST(contains(problem_of(row_of(row_family::filter, by_topic + "a",
                                        encode_row(filter_row{0, 2}))),
                      "a filter has number 0"));
}

BOOST_AUTO_TEST_CASE(a_holder_has_a_client_identifier_and_a_number) {
  const auto value = encode_row(holder_row{});
  const auto found = [&](const std::string& behind) {
    return problem_of(
      row_of(row_family::holder, applied_key(3) + behind, value));
  };
  using namespace std::string_literals;
  BOOST_TEST(found("c\0\0\0\0\1"s).empty());
  BOOST_TEST(found("\0\0\0\0\1"s).empty());
  for (const auto& x : {""s, "c"s, "\0\0\0\1"s, "cc\0\0\0\1"s, "c\0\0\0\1"s})
    BOOST_TEST(contains(found(x), "has no Client Identifier"), as_hex(x));
}

BOOST_AUTO_TEST_CASE(a_page_has_messages_in_their_order) {
  page_row page;
  const auto found = [&](std::uint64_t last) {
    return problem_of(row_of(row_family::backlog, page_key(3, 1, last),
                             encode_row(page, record_times)));
  };
  BOOST_TEST(contains(found(0), "a page is empty"));
  page.entries = {{1, {}}, {2, {}}};
  BOOST_TEST(found(2).empty());
  BOOST_TEST(contains(found(3), "not that of the page's last message"));
  page.entries = {{2, {}}, {2, {}}};
  BOOST_TEST(contains(found(2), "do not ascend"));
  const auto group = [&](const group_row& x) {
    return problem_of(
      row_of(row_family::group, group_key(3, 1), encode_row(x)));
  };
  BOOST_TEST(group({9, {1, 2}, {10}}).empty());
  BOOST_TEST(contains(group({9, {2, 1}, {}}), "do not ascend"));
  BOOST_TEST(contains(group({9, {}, {12, 12}}), "do not ascend"));
}

BOOST_AUTO_TEST_CASE(a_page_has_a_topic_once_for_messages_in_a_row) {
  struct target final : row_target {
    std::vector<std::string> topics;
    void load_page(std::uint32_t, std::uint64_t, page_row&& x) override {
      for (const auto& y : x.entries)
        topics.emplace_back(y.message ? y.message->topic() : "");
    }
  };
  const auto topics = {"plant/7", "plant/7", "", "plant/7", "plant", "plant/7"};
  target found;
  load_row(row_family::backlog, page_key(3, 1, 6), encoded_page(topics), 3,
           record_times, found);
  BOOST_TEST(found.topics
               == std::vector<std::string>(topics.begin(), topics.end()),
             boost::test_tools::per_element{});
  BOOST_TEST(encoded_page({"a/topic/of/16/by", "a/topic/of/16/by"}).size() + 16
             == encoded_page({"a/topic/of/16/by", "another/of/16/by"}).size());
}

BOOST_AUTO_TEST_CASE(sizes_in_a_page_add_up) {
  const auto value = encoded_page({"plant/7"});
  // Behind segment table, root, two pointers and what leads the list.
  constexpr std::size_t entry = 40;
  const auto found = [&](std::size_t at, int by) {
    auto changed = value;
    changed[entry + at] = static_cast<char>(changed[entry + at] + by);
    return problem_of(row_of(row_family::backlog, page_key(3, 1, 1), changed));
  };
  constexpr std::size_t payload_size = 28;
  constexpr std::size_t topic_size = 36;
  BOOST_TEST(found(payload_size, 0).empty());
  BOOST_TEST(contains(found(payload_size, 1), "ends within a message"));
  BOOST_TEST(contains(found(payload_size + 3, 1), "ends within a message"));
  BOOST_TEST(contains(found(payload_size, -1), "bytes of no message"));
  BOOST_TEST(
    contains(found(topic_size, -value.at(entry + topic_size)), "has no topic"));
}

BOOST_AUTO_TEST_CASE(only_a_delayed_timer_has_a_message) {
  record_source random{1};
  const auto message = random.message();
  const auto found = [&](timer_kind kind, const message_ptr& with) {
    return problem_of(
      row_of(row_family::timer,
             timer_row_key(3, {record_start, kind, "12345678"}, record_times),
             encode_timer(with, record_times)));
  };
  for (const auto kind : {timer_kind::delayed, timer_kind::will,
                          timer_kind::session, timer_kind::retained}) {
    const bool delayed = kind == timer_kind::delayed;
    BOOST_TEST(found(kind, delayed ? message : message_ptr{}).empty());
    BOOST_TEST(contains(found(kind, delayed ? message_ptr{} : message),
                        "only a delayed message"));
  }
  BOOST_TEST(contains(found(static_cast<timer_kind>(4), {}),
                      "of kind 4, which this version does not know"));
  BOOST_TEST(
    contains(changed(row_family::timer, [](row& x) { x.key[2] = '\xff'; }),
             "never comes"));
}

BOOST_AUTO_TEST_CASE(a_shard_of_a_newer_format_is_refused) {
  auto newer = encode_row(applied_row{}, record_times);
  // Behind segment table and root pointer: five words, nextFilter, format.
  const std::size_t at = 16 + 5 * 8 + 4;
  BOOST_REQUIRE(newer[at] == 1);
  newer[at] = 2;
  BOOST_TEST(
    contains(problem_of(row_of(row_family::applied, applied_key(3), newer)),
             "the shard has format 2, this version knows 1 to 1"));
}

BOOST_AUTO_TEST_CASE(the_time_of_a_shard_is_read_without_knowing_the_clock) {
  applied_row x;
  x.now = record_start + 5s;
  BOOST_TEST(stored_time(encode_row(x, record_times))
             == record_start_stored + 5'000);
}

BOOST_AUTO_TEST_CASE(a_damaged_row_is_refused_or_is_another_row) {
  const auto seed = test_seed();
  BOOST_TEST_MESSAGE("TROUPE_TEST_SEED=" << seed);
  record_source random{seed};
  row_recorder lines;
  std::size_t refused = 0;
  for (const auto& x : random_rows(random, 3, lines)) {
    const auto family = static_cast<row_family>(x.family);
    const auto load = [&](std::string_view key, std::string_view value) {
      row_recorder into;
      try {
        load_row(family, key, value, 3, record_times, into);
        BOOST_REQUIRE(into.lines.size() == 1U);
      } catch (const record_error& e) {
        ++refused;
        BOOST_REQUIRE(contains(e.what(), "family "));
      }
    };
    for_each_damage(x.key, [&](std::string_view key) { load(key, *x.value); });
    if (x.value->size() <= 700)
      for_each_damage(*x.value,
                      [&](std::string_view value) { load(x.key, value); });
  }
  BOOST_TEST(refused != 0U);
}
