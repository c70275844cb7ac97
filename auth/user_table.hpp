#pragma once
// The users of one file, as they were when it was read.

#include "auth/password_hash.hpp"
#include "auth/scram_keys.hpp"

#include <boost/outcome/basic_result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::auth {

/// One line of the file: `name:hash[:options[:keys]]`.
struct user {
  std::string name; ///< UTF-8; in the file `%`, `:`, ... are percent-escaped
  std::string hash; ///< of `password_hash`; `*`: no password is right
  bool superuser = false; ///< `options`
  std::string scram;      ///< of `scram_keys`; empty: none

  /// Without the line's end.
  std::string line() const;
};

/// A line that is wrong, and how to mend it.
struct user_problem {
  std::size_t line = 0; ///< from 1; 0: of the whole file
  std::string text;

  /// "users:7: ..."
  std::string in(std::string_view file) const;
};

/// All that is wrong with a file; of a very wrong one only the first thousand
/// are kept.
struct user_problems {
  static constexpr std::size_t listed_max = 1'000;
  std::vector<user_problem> listed;
  std::size_t count = 0;

  void add(std::size_t line, std::string text);
  bool full() const noexcept { return count >= listed_max; }
};

struct user_limits {
  std::uint64_t file_bytes = std::uint64_t{4} << 30;
  std::size_t users = 10'000'000;
};

/// Immutable, so shared by all threads. Keeps the text of the file and 11
/// bytes for each user.
class user_table {
public:
  using loaded =
    boost::outcome_v2::basic_result<std::shared_ptr<const user_table>,
                                    user_problems,
                                    boost::outcome_v2::policy::terminate>;

  /// What is known of one user, borrowed from the table.
  struct record {
    std::string_view line;
    std::string_view hash;
    std::string_view scram;
    bool superuser = false;
    /// A hash of the line: changes when anything about the user does. Not 0.
    std::uint64_t version = 0;
  };

  /// @error  every line that is wrong, and names that are there twice.
  static loaded parse(std::string text, const user_limits& limits = {});

  std::optional<record> find(std::string_view name) const;
  std::size_t size() const noexcept { return users_; }
  /// In the order of the file. @param visit  gets the name as it is meant.
  void each(const std::function<void(const std::string& name, const record&)>&
              visit) const;
  /// What to compare the password of an unknown user with: costs what most
  /// hashes of the file do. None if no user has a hash.
  const std::optional<password_hash>& decoy() const noexcept { return decoy_; }
  /// The iterations of most SCRAM keys of the file; 0: there are none.
  std::uint32_t scram_iterations() const noexcept { return scram_iterations_; }

  std::string_view text() const noexcept { return text_; }
  std::uint64_t memory() const noexcept;

private:
  friend class user_table_parser;
  user_table() = default;
  /// The slot of a name, or the empty one where it belongs.
  std::size_t slot_of(std::string_view name) const;
  std::string_view line_at(std::uint64_t offset) const;

  std::string text_;
  /// Open addressing; an offset into the text with 24 bits of the name's hash
  /// above it, so that other users' lines are hardly ever looked at.
  std::vector<std::uint64_t> slots_;
  std::size_t users_ = 0;
  std::optional<password_hash> decoy_;
  std::uint32_t scram_iterations_ = 0;
};

/// The table in use; replaced when the file is read again. Thread-safe.
class user_source {
public:
  explicit user_source(std::shared_ptr<const user_table> first)
    : table_(std::move(first)) {}
  std::shared_ptr<const user_table> now() const {
    const std::lock_guard guard(mutex_);
    return table_;
  }
  void replace(std::shared_ptr<const user_table> with) {
    const std::lock_guard guard(mutex_);
    table_.swap(with); // the old one is freed after the lock
  }
  std::optional<std::uint64_t> version_of(std::string_view name) const {
    const auto table = now();
    const auto found = table->find(name);
    return found ? std::optional{found->version} : std::nullopt;
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const user_table> table_;
};

/// `:`, `%`, control characters, and a `#` or a space where it would mean
/// something else, as `%NN`.
std::string escape_name(std::string_view name);
/// @returns none if a `%` is not followed by two hexadecimal digits.
std::optional<std::string> unescape_name(std::string_view text);
/// What a user may not be called, as a sentence; empty: `name` does.
std::string problem_of_name(std::string_view name);

} // namespace troupe::auth
