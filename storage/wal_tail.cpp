#include "storage/wal_tail.hpp"

#include "storage/error.hpp"

#include <boost/crc.hpp>
#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe::storage {

namespace {

constexpr std::size_t block_size = std::size_t{32} << 10;
constexpr std::size_t header_size = 7;
constexpr std::uint8_t last_type = 4; ///< whole, first, middle, last

struct record {
  std::size_t end;
  bool known_type;
};

std::uint32_t little_endian(std::string_view in, std::size_t bytes) {
  std::uint32_t x = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    x |= std::uint32_t{static_cast<std::uint8_t>(in[i])} << (8 * i);
  return x;
}

/// What the header at `at` says.
record record_at(std::string_view block, std::size_t at) {
  const auto type = static_cast<std::uint8_t>(block[at + 6]);
  return {at + header_size + little_endian(block.substr(at + 4), 2),
          type >= 1 && type <= last_type};
}

bool is_whole(std::string_view block, std::size_t at) {
  const auto [end, known_type] = record_at(block, at);
  if (!known_type || end > block.size())
    return false;
  // From the type to the end, rotated and moved so that a log in a log is none.
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_block(block.data() + at + 6, block.data() + end);
  const auto sum = crc.checksum();
  return little_endian(block.substr(at), 4)
         == ((sum >> 15) | (sum << 17)) + 0xa282ead8U;
}

} // namespace

std::optional<std::size_t> wrong_length_in(std::string_view block) {
  std::size_t at = 0;
  while (at + header_size <= block.size()) {
    const auto end = record_at(block, at).end;
    if (end > block.size())
      break;
    at = end;
  }
  for (auto i = at + 1; i + header_size <= block.size(); ++i)
    if (is_whole(block, i))
      return at;
  return std::nullopt;
}

void check_wal_tails(const std::filesystem::path& directory,
                     rocksdb::Env* env) {
  if (env == nullptr)
    env = rocksdb::Env::Default();
  std::vector<std::string> names;
  if (!env->GetChildren(directory.string(), &names).ok())
    return; // there is no database yet
  const auto must = [&](const rocksdb::Status& status,
                        const std::string& file) {
    if (!status.ok())
      throw storage_error{file + " cannot be read (" + status.ToString() + ")"};
  };
  for (const auto& name : names) {
    if (!name.ends_with(".log"))
      continue;
    const auto file = (directory / name).string();
    std::uint64_t size = 0;
    must(env->GetFileSize(file, &size), file);
    const auto begin = size / block_size * block_size;
    std::string bytes(size - begin, '\0');
    if (bytes.empty())
      continue;
    std::unique_ptr<rocksdb::RandomAccessFile> data;
    must(env->NewRandomAccessFile(file, &data, {}), file);
    rocksdb::Slice block;
    must(data->Read(begin, bytes.size(), &block, bytes.data()), file);
    if (const auto at = wrong_length_in({block.data(), block.size()}))
      throw storage_error{
        file + " is damaged: the record at byte " + std::to_string(begin + *at)
        + " says to end behind the file, but others follow it; restore the "
          "data directory from a backup"};
  }
}

} // namespace troupe::storage
