#pragma once
// What can go wrong with a database.

#include <stdexcept>
#include <string_view>

namespace troupe::storage {

/// A database cannot be opened or read. The text says what is wrong, where, and
/// what can be done about it.
class storage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Files cannot be had, by this user or at all; it says nothing of what is in
/// them.
class unavailable_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Prints `what` to standard error and aborts. After a failed write nobody can
/// say what is on the disk, so that going on would break promises.
[[noreturn]] void abort_with(std::string_view what);

} // namespace troupe::storage
