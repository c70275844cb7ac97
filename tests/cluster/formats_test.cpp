// The examples of docs/formats/ are what is written.

#include "cluster/raft_records.hpp"
#include "tests/cluster/codec_support.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <set>

using namespace troupe::cluster;
using namespace troupe::test;
using namespace std::chrono_literals;
using troupe::protocol::qos;

namespace {

message_ptr example_message() {
  static constexpr std::string_view properties{"\x01\x01", 2};
  troupe::protocol::message_options made;
  made.topic = "plant/7";
  made.payload = as_bytes("21.5");
  made.properties[0] = as_bytes(properties);
  made.qos = qos::at_least_once;
  made.retain = true;
  made.message_expiry_interval = 3'600;
  made.received_at = record_start;
  made.publisher = 0x1122'3344'5566'7788;
  return troupe::protocol::message::make(made);
}

/// Eight bytes a line, as the documents have them.
std::string lines_of(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    for (std::size_t i = at; i < std::min(at + 8, bytes.size()); ++i)
      out += (i == at ? "" : " ") + as_hex(bytes.substr(i, 1));
    out += '\n';
  }
  return out;
}

/// The hexadecimal digits of a block of a document that begins with `title`;
/// what is behind `#` is for readers.
std::string example_in(const std::string& name, const std::string& title) {
  std::ifstream in{std::string{TROUPE_SOURCE_DIR "/docs/formats/"} + name};
  BOOST_REQUIRE_MESSAGE(in, "docs/formats/" << name);
  std::string line;
  while (std::getline(in, line) && line != "```hex " + title)
    ;
  BOOST_CHECK_MESSAGE(in, "there is no example \"" << title << '"');
  std::string out;
  while (std::getline(in, line) && line != "```") {
    line = line.substr(0, line.find('#'));
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

void check_example(const std::string& document, const std::string& title,
                   std::string_view bytes) {
  const auto expected = lines_of(bytes);
  BOOST_TEST(example_in(document, title) == expected, document << ", " << title
                                                               << ", is:\n"
                                                               << expected);
}

/// The examples of shard 3; a family has one or two.
class examples {
public:
  /// What was written since the call before is the example of this title.
  void check(const std::string& title) {
    for (const auto& x : out.take()) {
      check_example("state.md", title + " key", x.key);
      if (!x.value->empty())
        check_example("state.md", title + " value", *x.value);
      shown_.insert(x.family);
    }
  }
  bool whole() const { return shown_.size() == row_family_names.size(); }

  row_collector out{3, record_times};

private:
  std::set<std::uint8_t> shown_;
};

session_row example_session() {
  session_row x;
  x.incarnation = 6;
  x.epoch = 7;
  x.expiry_interval = 3'600;
  x.expires = record_start + 1h;
  x.record = std::make_shared<session_record>();
  x.record->subscriptions.push_back(
    {"", "plant/+", {qos::at_least_once}, 0, false});
  x.record->next_packet_identifier = 18;
  x.record->cursors = {{3, 40}};
  return x;
}

applied_row example_applied() {
  applied_row x;
  x.index = 1'000;
  x.now = record_start;
  x.sequence = 42;
  x.last_epoch = 9;
  x.next_filter = 4;
  x.next_delayed = 3;
  x.forwarded = {{5, 9}};
  x.sessions = 2;
  x.offline = 1;
  x.retained = 1;
  x.delayed = 1;
  x.backlog = 3;
  return x;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_examples_of_the_log_are_what_is_written) {
  publish_command publish;
  publish.message = example_message();
  log_entry x;
  x.at = record_start;
  x.commands.emplace_back(std::move(publish));
  x.commands.emplace_back(advance_command{"meter-12", 41});
  check_example("log.md", "entry", encode_entry(x, record_times));
  x.commands.clear();
  x.commands.emplace_back(
    group_cursor_command{"pumps", "plant/+", 42, {39, 41}});
  x.commands.emplace_back(restart_command{"meter-12"});
  check_example("log.md", "second entry", encode_entry(x, record_times));
  check_example("log.md", "hard", encode_hard_state({7, 2, 41}));
}

BOOST_AUTO_TEST_CASE(the_examples_of_the_state_are_what_is_written) {
  examples all;
  auto& out = all.out;
  out.applied(example_applied());
  all.check("applied");
  const auto session = example_session();
  out.session("meter-12", &session);
  all.check("session");
  out.owned("panel-1", true);
  all.check("owned");
  const filter_row definition{1, 1};
  out.filter({"", "plant/+"}, &definition);
  all.check("filter");
  const filter_row shared{2, 1};
  out.filter({"pumps", "plant/+"}, &shared);
  all.check("filter shared");
  const filter_row exact{3, 1};
  out.filter({"", "plant/7"}, &exact);
  all.check("filter by topic");
  const holder_row holder{37, {qos::at_least_once}, 0};
  out.holder("meter-12", 1, &holder);
  all.check("holder");
  const std::uint64_t cursor = 40;
  out.holder_cursor("meter-12", &cursor);
  all.check("holder cursor");
  const group_row group{40, {38}, {42}};
  out.group(2, &group);
  all.check("group");
  const page_row page{{{41, example_message()}, {42, {}}}};
  out.page(1, 42, &page);
  all.check("backlog");
  const message_row message{example_message(), {1, 2}};
  out.message(42, &message);
  all.check("message");
  const retained_row retained{example_message(), 42};
  out.retained(retained_key("plant/7"), &retained);
  all.check("retained");
  out.timer({record_start + 15s, timer_kind::delayed,
             troupe::storage::key_of(std::uint64_t{2})},
            true, example_message());
  all.check("timer delayed");
  out.timer({record_start + 1h, timer_kind::session, "meter-12"}, true, {});
  all.check("timer session");
  out.exclusive("panel-1", "plant/door", true);
  all.check("exclusive");
  const forward_command forward{3, 9,
                                std::make_shared<boxed_command>(boxed_command{
                                  inbound_forget_command{"meter-12", 5}})};
  out.outbox(5, 9, &forward);
  all.check("outbox");
  const std::uint64_t incarnation = 6;
  out.inbound("meter-12", 17, &incarnation);
  all.check("inbound");
  BOOST_TEST(all.whole());
}
