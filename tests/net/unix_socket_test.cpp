// Listening Unix sockets, and what becomes of their files.

#include "net/unix_socket.hpp"
#include "tests/support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace troupe;
using namespace troupe::net;

namespace {

/// Listens until it is closed, and leaves the file, as a broker does that is
/// killed.
struct listening {
  explicit listening(const std::string& path, unsigned mode = 0600)
    : error(listen_local(path, mode, 5, fd)) {}
  listening(const listening&) = delete;
  listening& operator=(const listening&) = delete;
  ~listening() { close(); }

  void close() {
    if (fd >= 0)
      ::close(std::exchange(fd, -1));
  }

  int fd = -1;
  std::error_code error;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_place_is_taken_when_nobody_listens_there) {
  const test::temporary_directory in;
  const auto path = (in.path() / "socket").string();
  listening first{path, 0640};
  BOOST_TEST(!first.error);
  struct stat what {};
  BOOST_REQUIRE(::stat(path.c_str(), &what) == 0);
  BOOST_TEST((what.st_mode & 0777U) == 0640U);
  BOOST_TEST((listening{path}.error == std::errc::address_in_use));
  first.close();
  BOOST_TEST(std::filesystem::exists(path));
  BOOST_TEST(!listening{path}.error);
}

BOOST_AUTO_TEST_CASE(what_is_no_socket_stays) {
  const test::temporary_directory in;
  const auto path = (in.path() / "notes").string();
  std::ofstream{path} << "mine";
  BOOST_TEST((listening{path}.error == std::errc::file_exists));
  BOOST_TEST(std::filesystem::file_size(path) == 4U);
  BOOST_TEST(
    (listening{std::string(108, 'x')}.error == std::errc::filename_too_long));
  BOOST_TEST((listening{(in.path() / "no" / "folder").string()}.error
              == std::errc::no_such_file_or_directory));
}

BOOST_AUTO_TEST_CASE(a_file_goes_away_unless_another_one_has_its_place) {
  const test::temporary_directory in;
  const auto path = (in.path() / "socket").string();
  listening first{path};
  {
    const socket_file file{path};
    BOOST_TEST(std::filesystem::exists(path));
  }
  BOOST_TEST(!std::filesystem::exists(path));

  listening second{path};
  socket_file old{path};
  socket_file moved = std::move(old);
  old = {};
  BOOST_TEST(std::filesystem::exists(path));
  // Another one listens there, while the first is open: the kernel cannot give
  // both files one number.
  std::filesystem::rename(path, path + ".before");
  listening third{path};
  BOOST_TEST(!third.error);
  moved.remove();
  BOOST_TEST(std::filesystem::exists(path));
  const socket_file of_nothing{(in.path() / "none").string()};
}
