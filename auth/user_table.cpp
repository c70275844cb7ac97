#include "auth/user_table.hpp"

#include "protocol/hash.hpp"
#include "protocol/utf8.hpp"

#include <algorithm>
#include <limits>

namespace troupe::auth {

namespace {

constexpr std::uint64_t empty_slot = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t offset_mask = (std::uint64_t{1} << 40) - 1;
constexpr std::size_t name_max = 65'535; // a string of MQTT
constexpr std::size_t different_costs_max = 64;

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// Without what editors leave at the end.
std::string_view without_end(std::string_view line) noexcept {
  const auto end = line.find_last_not_of(" \t\r");
  return line.substr(0, end == line.npos ? 0 : end + 1);
}

bool says_nothing(std::string_view line) noexcept {
  return line.empty() || line.front() == '#';
}

/// A line's fields, none of them looked into.
struct fields {
  std::string_view name, hash, options, scram;
  bool has_hash = false;
};

fields fields_of(std::string_view line) noexcept {
  fields made;
  const auto take = [&line](std::string_view& into) {
    const auto end = line.find(':');
    into = line.substr(0, end);
    line.remove_prefix(end == line.npos ? line.size() : end + 1);
    return end != line.npos;
  };
  made.has_hash = take(made.name);
  take(made.hash);
  take(made.options);
  made.scram = line; // has colons of its own
  return made;
}

user_table::record record_of(std::string_view line, const fields& from) {
  user_table::record made;
  made.line = line;
  made.hash = from.hash;
  made.scram = from.scram;
  made.superuser = from.options == "superuser";
  made.version = std::max<std::uint64_t>(1, protocol::hash64(line));
  return made;
}

/// 24 bits that say which slot's line is worth reading.
std::uint64_t tag_of(std::uint64_t hash) noexcept {
  return (hash & 0xFF'FFFF) << 40;
}

bool is_named(std::string_view escaped, std::string_view name) {
  if (escaped == name && escaped.find('%') == escaped.npos)
    return true;
  if (escaped.find('%') == escaped.npos)
    return false;
  const auto meant = unescape_name(escaped);
  return meant == name;
}

} // namespace

/// Fills a table from a text, line by line.
class user_table_parser {
public:
  user_table_parser(std::string text, const user_limits& limits)
    : limits_(limits),
      table_(new user_table) {
    table_->text_ = std::move(text);
  }

  user_table::loaded run() {
    if (table_->text_.size() > std::min(limits_.file_bytes, offset_mask))
      problems_.add(0, "it has more than " + std::to_string(limits_.file_bytes)
                         + " bytes: split the users over several brokers, or "
                           "raise the limit");
    else if (const auto lines = count_users(); lines > limits_.users)
      problems_.add(0, "it has " + std::to_string(lines) + " users, at most "
                         + std::to_string(limits_.users)
                         + " are taken: remove some, or raise the limit");
    else
      read_lines(lines);
    if (problems_.count != 0)
      return std::move(problems_);
    table_->text_.shrink_to_fit();
    choose_decoy();
    return std::shared_ptr<const user_table>(std::move(table_));
  }

private:
  template <class F>
  void each_line(F visit) const {
    const std::string_view text = table_->text_;
    std::size_t at = 0;
    for (std::size_t number = 1; at < text.size(); ++number) {
      const auto end = std::min(text.find('\n', at), text.size());
      visit(number, at, without_end(text.substr(at, end - at)));
      at = end + 1;
    }
  }

  std::size_t count_users() const {
    std::size_t found = 0;
    each_line([&](std::size_t, std::size_t, std::string_view line) {
      found += says_nothing(line) ? 0 : 1;
    });
    return found;
  }

  void read_lines(std::size_t users) {
    table_->slots_.assign(users + users / 3 + 1, empty_slot);
    line_numbers_.resize(table_->slots_.size());
    each_line([&](std::size_t number, std::size_t at, std::string_view line) {
      if (!says_nothing(line))
        read(number, at, line);
    });
    line_numbers_ = {};
  }

  void read(std::size_t number, std::size_t at, std::string_view line) {
    const auto add = [&](std::string text) {
      problems_.add(number, std::move(text));
    };
    if (std::any_of(line.begin(), line.end(), is_control))
      return add("it has a control character: write it as %NN in a name, and "
                 "remove it elsewhere");
    const auto from = fields_of(line);
    if (!from.has_hash)
      return add("a user is name:hash, and there is no colon: write "
                 "`troupe passwd add` for one");
    const auto name = unescape_name(from.name);
    if (!name)
      return add("a % that is not followed by two hexadecimal digits: write "
                 "%25 for a % in a name");
    if (auto x = problem_of_name(*name); !x.empty())
      return add(std::move(x));
    if (from.name.front() == ' ' || from.name.back() == ' ')
      add("the name begins or ends with a space: remove it, or write it as "
          "%20");
    read_hash(from.hash, add);
    if (!from.options.empty() && from.options != "superuser")
      add("the only option is `superuser`: remove what is after the second "
          "colon");
    if (!from.scram.empty())
      read_scram(from.scram, add);
    keep(number, at, *name, add);
  }

  template <class F>
  void read_hash(std::string_view hash, F add) {
    if (hash == "*")
      return;
    if (hash.empty())
      return add("there is no hash: write `*` for a user without a password");
    auto read = password_hash::parse(hash);
    if (!read)
      return add(std::move(read).error());
    const auto same =
      std::find_if(costs_.begin(), costs_.end(), [&](const auto& x) {
        return x.hash.costs_as(read.value());
      });
    if (same != costs_.end())
      ++same->users;
    else if (costs_.size() < different_costs_max)
      costs_.push_back({std::move(read).value(), 1});
  }

  template <class F>
  void read_scram(std::string_view text, F add) {
    const auto keys = scram_keys::parse(text);
    if (!keys)
      return add(keys.error());
    const auto n = keys.value().iterations;
    const auto same = std::find_if(iterations_.begin(), iterations_.end(),
                                   [n](const auto& x) { return x.first == n; });
    if (same != iterations_.end())
      ++same->second;
    else if (iterations_.size() < different_costs_max)
      iterations_.emplace_back(n, 1);
  }

  template <class F>
  void keep(std::size_t number, std::size_t at, const std::string& name,
            F add) {
    const auto slot = table_->slot_of(name);
    if (table_->slots_[slot] != empty_slot)
      return add("the user is in line " + std::to_string(line_numbers_[slot])
                 + " already: remove one of the two");
    table_->slots_[slot] = at | tag_of(protocol::hash64(name));
    line_numbers_[slot] = static_cast<std::uint32_t>(
      std::min<std::size_t>(number, std::numeric_limits<std::uint32_t>::max()));
    ++table_->users_;
  }

  void choose_decoy() {
    const auto most = std::max_element(
      costs_.begin(), costs_.end(),
      [](const auto& a, const auto& b) { return a.users < b.users; });
    if (most != costs_.end())
      table_->decoy_ = most->hash.decoy();
    const auto usual = std::max_element(
      iterations_.begin(), iterations_.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
    if (usual != iterations_.end())
      table_->scram_iterations_ = usual->first;
  }

  struct cost_count {
    password_hash hash;
    std::size_t users = 0;
  };

  user_limits limits_;
  std::unique_ptr<user_table> table_;
  user_problems problems_;
  std::vector<std::uint32_t> line_numbers_; ///< by slot
  std::vector<cost_count> costs_;
  std::vector<std::pair<std::uint32_t, std::size_t>> iterations_;
};

user_table::loaded user_table::parse(std::string text,
                                     const user_limits& limits) {
  return user_table_parser{std::move(text), limits}.run();
}

std::string_view user_table::line_at(std::uint64_t offset) const {
  const std::string_view text = text_;
  return without_end(text.substr(offset, text.find('\n', offset) - offset));
}

std::size_t user_table::slot_of(std::string_view name) const {
  const auto hash = protocol::hash64(name);
  // The upper half chooses the slot, the lower one is the tag.
  auto slot = static_cast<std::size_t>((hash >> 32) * slots_.size() >> 32);
  while (slots_[slot] != empty_slot) {
    if ((slots_[slot] & ~offset_mask) == tag_of(hash)
        && is_named(fields_of(line_at(slots_[slot] & offset_mask)).name, name))
      break;
    slot = slot + 1 == slots_.size() ? 0 : slot + 1;
  }
  return slot;
}

std::optional<user_table::record>
user_table::find(std::string_view name) const {
  const auto at = slots_[slot_of(name)];
  if (at == empty_slot)
    return std::nullopt;
  const auto line = line_at(at & offset_mask);
  return record_of(line, fields_of(line));
}

void user_table::each(
  const std::function<void(const std::string&, const record&)>& visit) const {
  for (std::size_t at = 0; at < text_.size();) {
    const auto line = line_at(at);
    if (!says_nothing(line)) {
      const auto from = fields_of(line);
      if (const auto name = unescape_name(from.name))
        visit(*name, record_of(line, from));
    }
    at = std::min(text_.find('\n', at), text_.size()) + 1;
  }
}

std::uint64_t user_table::memory() const noexcept {
  return sizeof *this + text_.capacity()
         + slots_.capacity() * sizeof(std::uint64_t);
}

std::string user::line() const {
  auto made = escape_name(name) + ":" + hash;
  if (superuser || !scram.empty())
    made += superuser ? ":superuser" : ":";
  if (!scram.empty())
    made += ":" + scram;
  return made;
}

std::string user_problem::in(std::string_view file) const {
  return std::string{file} + ":" + (line == 0 ? "" : std::to_string(line) + ":")
         + " " + text;
}

void user_problems::add(std::size_t line, std::string text) {
  if (!full())
    listed.push_back({line, std::move(text)});
  ++count;
}

std::string escape_name(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string made;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool outer = i == 0 || i + 1 == name.size();
    if (is_control(c) || c == ':' || c == '%' || (outer && c == ' ')
        || (i == 0 && c == '#')) {
      const auto byte = static_cast<unsigned char>(c);
      made += '%';
      made += digits[byte >> 4];
      made += digits[byte & 15];
    } else {
      made += c;
    }
  }
  return made;
}

std::optional<std::string> unescape_name(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      made += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1)
      return std::nullopt;
    made += *byte;
    i += 2;
  }
  return made;
}

std::string problem_of_name(std::string_view name) {
  if (name.empty())
    return "a user without a name: write one before the first colon";
  if (name.size() > name_max)
    return "a name of more than 65535 bytes, which MQTT cannot carry: "
           "shorten it";
  if (protocol::detail::scan_topic(name)
      == protocol::detail::text_kind::ill_formed)
    return "a name that is not UTF-8, or has U+0000: save the file as UTF-8";
  return {};
}

} // namespace troupe::auth
