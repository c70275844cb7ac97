#include "cluster/raft_records.hpp"

#include "cluster/flat_record.hpp"
#include "cluster/wire_records.hpp"

namespace troupe::cluster {

namespace {

constexpr std::uint16_t hard_state_format = 1;

} // namespace

std::string encode_hard_state(const hard_state& x) {
  flat_builder built{1 + words_of<wire::HardState>};
  auto root = built.initRoot<wire::HardState>();
  root.setTerm(x.term);
  root.setVote(x.vote);
  root.setCommit(x.commit);
  root.setFormat(hard_state_format);
  return built.take();
}

hard_state decode_hard_state(std::span<const std::uint8_t> in) {
  const time_base no_times{time_point{}, 0};
  return read_record<wire::HardState>(
    in, no_times, [](wire::HardState::Reader from, const source&) {
      if (from.getFormat() == 0 || from.getFormat() > hard_state_format)
        throw record_error{
          "the hard state has format " + std::to_string(from.getFormat())
          + ", this version knows " + std::to_string(hard_state_format)};
      return hard_state{from.getTerm(), from.getVote(), from.getCommit()};
    });
}

std::string encode_raft_entry(const raft_entry& x) {
  std::string made;
  made.reserve(sizeof(x.term) + x.bytes.size());
  put_number(made, x.term);
  put_bytes(made, x.bytes);
  return made;
}

raft_entry decode_raft_entry(std::span<const std::uint8_t> in) {
  if (in.size() < sizeof(raft_entry::term))
    throw record_error{"an entry is shorter than its term"};
  raft_entry x;
  x.term = take_number<std::uint64_t>(in);
  x.bytes = in;
  return x;
}

} // namespace troupe::cluster
