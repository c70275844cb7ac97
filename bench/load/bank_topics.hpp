#pragma once
// Topics and filters such as a bank with many branches has.

#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::bench {

/// Numbers topics `bank/{branch}/{outlet}/{kind}/{device}/{leaf}` and the
/// filters over them, so that nobody needs a list: 10 outlets per branch, 5
/// kinds of 9 devices per outlet, 4 leaves per device. Of the filters 90 % are
/// exact, one for each leaf; 9 % are `bank/b/o/kind/+/leaf`, 1 % are
/// `bank/b/o/kind/#`, each evenly spread and each different.
///
/// The clients share the filters: neighbouring exact ones belong to the same
/// client, and the wildcards over them to clients that are half and a quarter
/// of the way round. So a message goes to a client at most once, whatever a
/// broker does with overlapping subscriptions. Immutable.
class bank_topics {
public:
  /// @param clients  at least 8.
  bank_topics(std::string prefix, std::uint32_t filters, std::uint32_t clients);

  /// Exact filters, and so topics that are published to.
  std::uint32_t leaves() const { return exact_; }

  /// Writes the topic of a leaf. @returns its length.
  /// @param to  room for `topic_max()` bytes.
  std::size_t write_topic(std::uint32_t leaf, char* to) const;
  std::size_t topic_max() const { return prefix_.size() + 64; }

  /// How many filters a client has.
  std::uint32_t filters_of(std::uint32_t client) const;
  /// One of them, counted from 0.
  std::string filter(std::uint32_t client, std::uint32_t which) const;

  /// The client with the exact filter of a leaf.
  std::uint32_t owner(std::uint32_t leaf) const {
    return client_of(leaf, exact_);
  }
  /// How many clients a message to a leaf goes to.
  std::uint32_t audience(std::uint32_t leaf) const;

private:
  /// Filters of a sort that belong to one client.
  struct range {
    std::uint32_t first;
    std::uint32_t count;
  };
  std::uint32_t client_of(std::uint32_t number, std::uint32_t total) const;
  range range_of(std::uint32_t place, std::uint32_t total) const;
  std::uint32_t place_of(std::uint32_t client, std::uint32_t shift) const {
    return (client + clients_ - shift) % clients_;
  }
  std::string kind_prefix(std::uint32_t kind_number) const;

  std::string prefix_;
  std::uint32_t clients_;
  std::uint32_t exact_, plus_, hash_; ///< how many filters of each sort
  std::uint32_t kinds_; ///< branch, outlet and kind: what a `#` covers
};

} // namespace troupe::bench
