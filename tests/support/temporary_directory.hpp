#pragma once
// A place for a test's files.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace troupe::test {

/// A new directory, removed with what is in it when the object goes.
class temporary_directory {
public:
  temporary_directory() {
    auto name =
      (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error{"no temporary directory " + name};
    path_ = name;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ / name; }
  std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  /// Makes or replaces a file of it. @returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{path_ / name, std::ios::binary} << text;
    return path_ / name;
  }

private:
  std::filesystem::path path_;
};

} // namespace troupe::test
