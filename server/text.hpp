#pragma once
// Texts that strangers chose, for lines, tables and terminals.

#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::server {

/// Control characters, those of ASCII and U+0080 to U+009F, which terminals
/// obey as well, as `\xNN`.
std::string printable(std::string_view text);

/// `text` as a JSON string, quotes included; control characters as `\u00NN`.
std::string json_string(std::string_view text);

/// `text` for a line of words: in quotes if it could be taken for several.
std::string one_word(std::string_view text);

/// `text`, or its beginning and three dots if it has more bytes.
std::string shortened(std::string_view text, std::size_t longest);

} // namespace troupe::server
