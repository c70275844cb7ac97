#pragma once

#include "config/raw.hpp"
#include "config/text.hpp"

#include <concepts>
#include <type_traits>

/// @file
/// One type of settings each: its name, an example, reading and writing.
namespace troupe::config {

/// The text of a value that may be one: a TOML string or an untyped value.
inline const std::string* text_of(const raw& value) {
  if (const auto* const from_toml = std::get_if<std::string>(&value))
    return from_toml;
  const auto* const other = std::get_if<untyped>(&value);
  return other ? &other->text : nullptr;
}

/// @tparam T  type of the member, without std::optional.
///
/// `type` names it, `example` is in TOML notation. `read` answers std::nullopt
/// for a wrong type; integers come out wider than T, for the range check.
template <class T>
struct codec;

template <>
struct codec<bool> {
  static std::string type() { return "boolean"; }
  static constexpr std::string_view example = "true";
  static std::optional<bool> read(const raw& value) {
    if (const auto* const given = std::get_if<bool>(&value))
      return *given;
    const auto* const text = std::get_if<untyped>(&value);
    if (text && (text->text == "true" || text->text == "false"))
      return text->text == "true";
    return std::nullopt;
  }
  static std::string toml(bool value) { return value ? "true" : "false"; }
};

template <std::integral T>
struct codec<T> {
  static std::string type() { return "integer"; }
  static constexpr std::string_view example = "10";
  static std::optional<std::int64_t> read(const raw& value) {
    if (const auto* const given = std::get_if<std::int64_t>(&value))
      return *given;
    const auto* const text = std::get_if<untyped>(&value);
    return text ? read_integer(text->text) : std::nullopt;
  }
  static std::string toml(T value) {
    return print(static_cast<std::int64_t>(value));
  }
};

template <>
struct codec<double> {
  static std::string type() { return "number"; }
  static constexpr std::string_view example = "1.5";
  static std::optional<double> read(const raw& value) {
    if (const auto* const given = std::get_if<double>(&value))
      return *given;
    if (const auto* const whole = std::get_if<std::int64_t>(&value))
      return static_cast<double>(*whole);
    const auto* const text = std::get_if<untyped>(&value);
    return text ? read_number(text->text) : std::nullopt;
  }
  static std::string toml(double value) { return print(value); }
};

template <>
struct codec<std::string> {
  static std::string type() { return "string"; }
  static constexpr std::string_view example = R"("text")";
  static std::optional<std::string> read(const raw& value) {
    const auto* const text = text_of(value);
    return text ? std::optional{*text} : std::nullopt;
  }
  static std::string toml(const std::string& value) { return quoted(value); }
};

template <>
struct codec<milliseconds> {
  static std::string type() { return "duration"; }
  static constexpr std::string_view example = R"("15s")";
  static std::optional<milliseconds> read(const raw& value) {
    const auto* const text = text_of(value);
    return text ? read_duration(*text) : std::nullopt;
  }
  static std::string toml(milliseconds value) { return quoted(print(value)); }
};

template <>
struct codec<byte_size> {
  static std::string type() { return "size"; }
  static constexpr std::string_view example = R"("1MB")";
  /// A TOML integer is bytes.
  static std::optional<byte_size> read(const raw& value) {
    const auto* const bytes = std::get_if<std::int64_t>(&value);
    if (bytes && *bytes >= 0)
      return byte_size{static_cast<std::uint64_t>(*bytes)};
    const auto* const text = text_of(value);
    return text ? read_bytes(*text) : std::nullopt;
  }
  static std::string toml(byte_size value) { return quoted(print(value)); }
};

template <>
struct codec<rate> {
  static std::string type() { return "rate"; }
  static constexpr std::string_view example = R"("1000/s")";
  static std::optional<rate> read(const raw& value) {
    const auto* const text = text_of(value);
    return text ? read_rate(*text) : std::nullopt;
  }
  static std::string toml(rate value) { return quoted(print(value)); }
};

template <>
struct codec<byte_rate> {
  static std::string type() { return "rate of bytes"; }
  static constexpr std::string_view example = R"("1MB/s")";
  static std::optional<byte_rate> read(const raw& value) {
    const auto* const text = text_of(value);
    return text ? read_byte_rate(*text) : std::nullopt;
  }
  static std::string toml(byte_rate value) { return quoted(print(value)); }
};

template <>
struct codec<text_list> {
  static std::string type() { return "list of texts"; }
  static constexpr std::string_view example = R"(["a", "b"])";
  static std::optional<text_list> read(const raw& value) {
    if (const auto* const given = std::get_if<text_list>(&value))
      return *given;
    const auto* const text = text_of(value);
    return text ? std::optional{read_text_list(*text)} : std::nullopt;
  }
  static std::string toml(const text_list& value) { return print(value); }
};

template <>
struct codec<address> {
  static std::string type() { return "address"; }
  static constexpr std::string_view example = R"("127.0.0.1:1883")";
  /// A TOML integer is a port on all addresses, as EMQX has it.
  static std::optional<address> read(const raw& value) {
    if (const auto* const port = std::get_if<std::int64_t>(&value))
      return read_address(print(*port));
    const auto* const text = text_of(value);
    return text ? read_address(*text) : std::nullopt;
  }
  static std::string toml(const address& value) { return quoted(print(value)); }
};

template <class T>
requires std::is_enum_v<T>
struct codec<T> {
  static std::string type() {
    std::string all = "one of";
    for (std::size_t i = 0; i < choices<T>.size(); ++i)
      all.append(i > 0 ? ", " : " ").append(choices<T>.at(i));
    return all;
  }
  static constexpr std::string_view example = ""; // the type has them
  static std::optional<T> read(const raw& value) {
    const auto* const text = text_of(value);
    for (std::size_t i = 0; text && i < choices<T>.size(); ++i)
      if (*text == choices<T>.at(i))
        return static_cast<T>(i);
    return std::nullopt;
  }
  static std::string toml(T value) {
    return quoted(choices<T>.at(static_cast<std::size_t>(value)));
  }
};

} // namespace troupe::config
