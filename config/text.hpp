#pragma once

#include "config/values.hpp"

/// @file
/// How values are written. Readers take the whole text or answer
/// std::nullopt; printers write the shortest form that reads back as the same.
namespace troupe::config {

/// `15s`, `1h30m`, `500ms`; units are w, d, h, m, s and ms.
std::optional<milliseconds> read_duration(std::string_view text);
std::string print(milliseconds value);

/// `1MB`, `64KB`, `2GB`, `100B` or `100`, in capitals or not.
std::optional<byte_size> read_bytes(std::string_view text);
std::string print(byte_size value);

/// `1000/s`, `5/100ms`: at least one, in more than no time.
std::optional<rate> read_rate(std::string_view text);
std::string print(rate value);

/// `1MB/s`: at least one byte, in more than no time.
std::optional<byte_rate> read_byte_rate(std::string_view text);
std::string print(byte_rate value);

/// `a,b` or `[a, b]`; spaces around are not part of the texts, empty ones are
/// left out.
text_list read_text_list(std::string_view text);
std::string print(const text_list& value);

/// `127.0.0.1:1883`, `[::1]:1883`, `:1883` or `1883`; hosts are numeric.
std::optional<address> read_address(std::string_view text);
std::string print(const address& value);

/// Decimal; what does not fit comes out as the nearest that does.
std::optional<std::int64_t> read_integer(std::string_view text);
std::string print(std::int64_t value);

std::optional<double> read_number(std::string_view text);
std::string print(double value);

/// A TOML basic string, quotes included; control characters are escaped.
std::string quoted(std::string_view text);

/// Whether the bytes are well-formed UTF-8, as everything in TOML is.
bool is_utf8(std::string_view text);

/// A dotted key; parts that TOML does not take bare are quoted.
std::string dotted(const std::string* parts, std::size_t count);

} // namespace troupe::config
