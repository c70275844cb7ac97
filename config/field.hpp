#pragma once

#include "config/values.hpp"

#include <string>
#include <tuple>
#include <type_traits>

namespace troupe::config {

/// What a value may be, both ends included.
template <class T>
struct range {
  T low;
  T high;
  std::string_view unit =
    {}; ///< of a bare number; sizes and times name their own
};

/// What ranges are stated in: the length for strings, nothing for types whose
/// every value is allowed.
template <class T>
struct bound {
  struct none {};
  using type = std::conditional_t<
    std::is_same_v<T, bool> || std::is_enum_v<T>, none,
    std::conditional_t<std::is_integral_v<T>, std::int64_t, none>>;
};
template <class T>
struct bound<std::optional<T>> : bound<T> {};
template <>
struct bound<std::string> {
  using type = std::int64_t;
};
template <>
struct bound<double> {
  using type = double;
};
template <>
struct bound<milliseconds> {
  using type = milliseconds;
};
template <>
struct bound<byte_size> {
  using type = byte_size;
};

template <class T>
using range_of = range<typename bound<T>::type>;

/// Everything there is to say about one setting; its default is the
/// initialiser of the member.
///
/// @tparam S  the section's struct
/// @tparam T  type of the member
template <class S, class T>
struct field {
  using value_type = T;

  /// For members with a range.
  /// @param none  how "no value" of a std::optional is written.
  constexpr field(T S::*of, std::string_view called, range_of<T> from_to,
                  reload then, std::string_view text,
                  std::string_view none = "infinity")
    : member{of},
      name{called},
      allowed{from_to},
      when{then},
      help{text},
      absent{none} {}

  /// For members whose type says what they may be.
  constexpr field(T S::*of, std::string_view called, reload then,
                  std::string_view text)
    : member{of},
      name{called},
      allowed{},
      when{then},
      help{text} {}

  /// For optional members whose type says what they may be.
  constexpr field(T S::*of, std::string_view called, reload then,
                  std::string_view text, std::string_view none)
    : field{of, called, then, text} {
    absent = none;
  }

  T S::*member;
  std::string_view name; ///< may have a dot: `tcp_options.nodelay`
  std::optional<range_of<T>> allowed;
  reload when;
  std::string_view help;
  std::string_view absent = "infinity";
  bool secret = false;
};

/// Its value is shown to nobody.
template <class S, class T>
constexpr field<S, T> secret(field<S, T> x) {
  x.secret = true;
  return x;
}

/// The fields of a section, in the order of its page; specialised in the
/// `fields_*.hpp`.
template <class S>
inline constexpr auto fields = std::tuple<>{};

/// A section's sentence in the reference page; specialised likewise.
template <class S>
inline constexpr std::string_view about;

} // namespace troupe::config
