#pragma once
// `troupe data` and `troupe restore`: a data directory without a broker.

#include <filesystem>

namespace troupe::server {

/// Reads everything there is and says what is wrong. The databases' own
/// checksums, the entries of each log, each row, and what rows say of each
/// other. @returns an exit code.
int check_data(const std::filesystem::path& directory);

/// Prints what each shard has. @returns an exit code.
int show_data(const std::filesystem::path& directory, bool as_json);

/// Makes `directory` a copy of `backup` (of `troupe ctl backup`), if there is
/// no data yet, and checks it. @returns an exit code.
int restore_data(const std::filesystem::path& backup,
                 const std::filesystem::path& directory);

} // namespace troupe::server
