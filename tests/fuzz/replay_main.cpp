// Runs a fuzz target without libFuzzer: over each file of the folders given,
// then over some thousands of changed copies of them, the same in every run.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

namespace {

using bytes = std::vector<std::uint8_t>;

constexpr int mutations = 20'000;
constexpr unsigned seed = 1;

bytes read(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Runs the target on a copy of the exact size, so that the address sanitizer
/// sees each step beyond it.
void run(const bytes& input) {
  const auto copy = std::make_unique<std::uint8_t[]>(input.size());
  std::copy(input.begin(), input.end(), copy.get());
  LLVMFuzzerTestOneInput(copy.get(), input.size());
}

/// `input` with one to eight bytes changed, put in or taken out, or with its
/// end replaced by that of `other`.
bytes mutate(bytes input, const bytes& other, std::mt19937& random) {
  for (auto left = 1 + random() % 8; left != 0; --left) {
    const auto at = static_cast<std::ptrdiff_t>(random() % (input.size() + 1));
    const auto byte = static_cast<std::uint8_t>(random());
    const auto where = input.begin() + at;
    switch (random() % 5) {
    case 0:
      input.insert(where, byte);
      break;
    case 1:
      if (where != input.end())
        input.erase(where);
      break;
    case 2:
      if (where != input.end())
        *where = byte;
      break;
    case 3:
      if (where != input.end())
        *where ^= static_cast<std::uint8_t>(1U << byte % 8);
      break;
    default:
      if (left == 1 && at < static_cast<std::ptrdiff_t>(other.size())) {
        input.erase(where, input.end());
        input.insert(input.end(), other.begin() + at, other.end());
      }
    }
  }
  return input;
}

} // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (auto i = 1; i < argc; ++i) {
    const std::filesystem::path folder = argv[i];
    if (!std::filesystem::is_directory(folder)) {
      std::fprintf(stderr, "%s is no folder\n", folder.c_str());
      return 1;
    }
    for (const auto& entry : std::filesystem::directory_iterator{folder})
      files.push_back(entry.path());
  }
  if (files.empty()) {
    std::fputs("no file to run: name a folder of seeds\n", stderr);
    return 1;
  }
  std::sort(files.begin(), files.end()); // the order of a folder is not fixed
  std::vector<bytes> inputs;
  for (const auto& file : files) {
    inputs.push_back(read(file));
    run(inputs.back());
  }
  std::mt19937 random{seed};
  const auto any = [&]() -> const bytes& {
    return inputs[random() % inputs.size()];
  };
  for (auto i = 0; i != mutations; ++i) {
    const auto& from = any();
    run(mutate(from, any(), random));
  }
  std::printf("%zu seeds and %d changed copies\n", inputs.size(), mutations);
  return 0;
}
