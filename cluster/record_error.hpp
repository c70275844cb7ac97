#pragma once
// What can be wrong with stored bytes.

#include <stdexcept>

namespace troupe::cluster {

/// A record is damaged, or was written by a newer program. The text says what
/// is wrong with it.
class record_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace troupe::cluster
