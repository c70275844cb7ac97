#include "auth/user_import.hpp"

#include <algorithm>
#include <unordered_map>

namespace troupe::auth {

namespace {

std::string_view next_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  auto line = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

/// One line of RFC 4180; a field with a line's end in it is not taken.
std::optional<std::vector<std::string>> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (;;) {
    std::string cell;
    if (line.starts_with('"')) {
      line.remove_prefix(1);
      for (;;) {
        const auto quote = line.find('"');
        if (quote == line.npos)
          return std::nullopt;
        cell += line.substr(0, quote);
        line.remove_prefix(quote + 1);
        if (!line.starts_with('"'))
          break;
        cell += '"';
        line.remove_prefix(1);
      }
      if (!line.empty() && line.front() != ',')
        return std::nullopt;
    } else {
      const auto end = std::min(line.find(','), line.size());
      cell = line.substr(0, end);
      line.remove_prefix(end);
    }
    cells.push_back(std::move(cell));
    if (line.empty())
      return cells;
    line.remove_prefix(1);
  }
}

class importer {
public:
  explicit importer(const import_options& options) : options_(options) {}

  imported_users run(std::string_view text) {
    auto rest = text;
    if (rest.starts_with("\xEF\xBB\xBF")) // which spreadsheets write
      rest.remove_prefix(3);
    const auto first = rest.substr(0, rest.find('\n'));
    csv_ = (first.starts_with("user_id") || first.starts_with("\"user_id\""))
           && first.find(',') != first.npos;
    for (line_ = 1; !rest.empty(); ++line_) {
      const auto line = next_line(rest);
      if (csv_ && line_ == 1) {
        if (!read_heading(line))
          return std::move(made_);
        continue;
      }
      if (line.empty() || (!csv_ && line.front() == '#'))
        continue;
      if (made_.users.size() >= options_.limits.users) {
        add("more than " + std::to_string(options_.limits.users)
            + " users are not taken: import a part of them");
        break;
      }
      if (csv_)
        read_cells(line);
      else
        read_pair(line);
    }
    return std::move(made_);
  }

private:
  void add(std::string text) { made_.problems.add(line_, std::move(text)); }

  bool read_heading(std::string_view line) {
    const auto cells = cells_of(line);
    if (!cells) {
      add("a quote that does not end: mend the first line");
      return false;
    }
    columns_ = *cells;
    const auto has = [&](std::string_view x) {
      return std::count(columns_.begin(), columns_.end(), x);
    };
    for (const auto& x : columns_)
      if (x != "user_id" && x != "password" && x != "password_hash"
          && x != "salt" && x != "is_superuser")
        add("the column '" + x
            + "' is unknown (user_id, password or password_hash, salt, "
              "is_superuser): remove it");
      else if (has(x) > 1)
        add("the column '" + x + "' is there twice: remove one");
    if (has("password") + has("password_hash") != 1)
      add("there must be a column password or a column password_hash");
    return made_.problems.count == 0;
  }

  void read_cells(std::string_view line) {
    const auto cells = cells_of(line);
    if (!cells)
      return add("a quote that does not end, or does not end a field: write "
                 "\"\" for a quote in a field");
    if (cells->size() != columns_.size())
      return add("it has " + std::to_string(cells->size())
                 + " fields, the first line has "
                 + std::to_string(columns_.size())
                 + ": put fields with commas in quotes");
    imported_user made;
    made.line = line_;
    std::string hash;
    std::string salt;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto& cell = (*cells)[i];
      if (columns_[i] == "user_id")
        made.who.name = cell;
      else if (columns_[i] == "password")
        made.password = cell;
      else if (columns_[i] == "password_hash")
        hash = cell;
      else if (columns_[i] == "salt")
        salt = cell;
      else if (cell == "true" || cell == "1")
        made.who.superuser = true;
      else if (cell != "false" && cell != "0" && !cell.empty())
        return add("is_superuser must be true or false");
    }
    if (!made.password) {
      auto text = hash_of(hash, salt);
      if (!text)
        return add(std::move(text).error());
      made.who.hash = text.value().text();
    }
    keep(std::move(made));
  }

  parsed<password_hash> hash_of(const std::string& hash,
                                const std::string& salt) const {
    if (hash.starts_with('$')) // it has its salt in it
      return password_hash::parse(hash);
    const auto bytes = from_hex(hash);
    if (!bytes || bytes->empty())
      return std::string{"the hash is neither hexadecimal nor one that begins "
                         "with $: give this user a new password"};
    if (bytes->size() < 32)
      return std::string{"the hash is too short to be safe (MD5, SHA-1): give "
                         "this user a new password"};
    if (!options_.hashes)
      return std::string{
        "the file does not say how this hash was made: name it with "
        "--hashed-with, e.g. sha256-suffix, which is EMQX's default"};
    const auto& how = *options_.hashes;
    const auto salt_text = to_base64(salt, base64::padded);
    const auto hash_text = to_base64(*bytes, base64::padded);
    const std::string place = how.salt_first ? "prefix" : "suffix";
    if (salt.empty())
      return std::string{"the hash has no salt: give this user a new password"};
    switch (how.algorithm) {
    case hash_algorithm::salted_sha256:
      return password_hash::parse("$sha256$" + place + "$" + salt_text + "$"
                                  + hash_text);
    case hash_algorithm::salted_sha512:
      return password_hash::parse("$sha512$" + place + "$" + salt_text + "$"
                                  + hash_text);
    default:
      return password_hash::parse("$" + std::string{to_string(how.algorithm)}
                                  + "$" + std::to_string(how.iterations) + "$"
                                  + to_base64(salt, base64::adapted) + "$"
                                  + to_base64(*bytes, base64::adapted));
    }
  }

  void read_pair(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == line.npos)
      return add(options_.plain
                   ? "a user is name:password, and there is no colon"
                   : "a user is name:hash, and there is no colon");
    imported_user made;
    made.line = line_;
    made.who.name = line.substr(0, colon);
    const auto value = line.substr(colon + 1);
    if (options_.plain) {
      made.password = value;
    } else {
      auto hash = password_hash::parse(value);
      if (!hash && !value.starts_with('$'))
        return add("this is no hash: if it is the password itself, say "
                   "--plain");
      if (!hash)
        return add(std::move(hash).error());
      made.who.hash = hash.value().text();
    }
    keep(std::move(made));
  }

  void keep(imported_user x) {
    if (auto problem = problem_of_name(x.who.name); !problem.empty())
      return add(std::move(problem));
    if (x.password && x.password->empty())
      return add("the password is empty: write one");
    const auto [at, is_new] = lines_.emplace(x.who.name, line_);
    if (!is_new)
      return add("the user is in line " + std::to_string(at->second)
                 + " already: remove one of the two");
    made_.users.push_back(std::move(x));
  }

  const import_options& options_;
  imported_users made_;
  std::unordered_map<std::string, std::size_t> lines_; ///< of each name
  std::vector<std::string> columns_;
  std::size_t line_ = 0;
  bool csv_ = false;
};

} // namespace

parsed<hashed_with> hashed_with::parse(std::string_view text) {
  hashed_with made;
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  const bool sha512 = name.find("sha512") != name.npos;
  if (name == "sha256-suffix" || name == "sha256-prefix"
      || name == "sha512-suffix" || name == "sha512-prefix") {
    made.algorithm =
      sha512 ? hash_algorithm::salted_sha512 : hash_algorithm::salted_sha256;
    made.salt_first = name.ends_with("prefix");
    if (colon == text.npos)
      return made;
  } else if (name == "pbkdf2-sha256" || name == "pbkdf2-sha512") {
    made.algorithm =
      sha512 ? hash_algorithm::pbkdf2_sha512 : hash_algorithm::pbkdf2_sha256;
    const auto n =
      colon == text.npos ? std::nullopt : to_number(text.substr(colon + 1));
    made.iterations = n.value_or(0);
    if (made.iterations >= 1 && made.iterations <= hash_cost::iterations_max)
      return made;
  }
  return std::string{"hashes are made with sha256-suffix, sha256-prefix, "
                     "sha512-suffix, sha512-prefix, pbkdf2-sha256:N or "
                     "pbkdf2-sha512:N, N iterations up to "}
         + std::to_string(hash_cost::iterations_max);
}

imported_users import_users(std::string_view text,
                            const import_options& options) {
  return importer{options}.run(text);
}

} // namespace troupe::auth
