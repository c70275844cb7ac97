#include "server/ctl_server.hpp"

#include "server/ctl_commands.hpp"

#include <boost/asio/buffer.hpp>

#include <cerrno>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace troupe::server {

namespace {

namespace asio = boost::asio;
using local = asio::local::stream_protocol;

constexpr std::size_t max_connections = 16;
/// For the next part of a request, or until the next part of an answer is
/// taken.
constexpr std::chrono::seconds patience{10};
constexpr std::size_t part_size = 65'536;

/// Who connected. Names would have to be asked for, which may take long.
std::string other_end(local::socket& of) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(of.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size)
      != 0)
    return "an unknown user";
  return "uid " + std::to_string(who.uid);
}

class ctl_session : public std::enable_shared_from_this<ctl_session> {
public:
  ctl_session(local::socket socket, std::shared_ptr<void> place,
              const ctl_server::answerer& answer)
    : place_(std::move(place)),
      answer_(answer),
      socket_(std::move(socket)),
      by_(other_end(socket_)),
      deadline_(socket_.get_executor()) {}

  void read() {
    expect();
    const auto had = input_.size();
    input_.resize(had + part_size);
    socket_.async_read_some(
      asio::buffer(input_.data() + had, part_size),
      [self = shared_from_this(), had](const boost::system::error_code& error,
                                       std::size_t size) {
        if (error)
          return self->end();
        self->input_.resize(had + size);
        self->take(had);
      });
  }

private:
  /// @param from  what is before it has no line feed.
  void take(std::size_t from) {
    const auto line = input_.find('\n', from);
    if (line == std::string::npos) {
      if (input_.size() <= ctl_server::max_request)
        return read();
      last_ = true;
      input_.clear();
      return write(ctl_reply(ctl_failure{
        exit_usage, "the request is longer than "
                      + std::to_string(ctl_server::max_request) + " bytes"}));
    }
    deadline_.cancel(); // ours is to answer now
    const auto request =
      std::exchange(input_, input_.substr(line + 1)).substr(0, line);
    answer_(request, by_, [self = shared_from_this()](std::string text) {
      self->write(std::move(text));
    });
  }

  void write(std::string&& text) {
    output_ = std::move(text) + '\n';
    written_ = 0;
    write_on();
  }

  void write_on() {
    expect();
    socket_.async_write_some(
      asio::buffer(output_.data() + written_, output_.size() - written_),
      [self = shared_from_this()](const boost::system::error_code& error,
                                  std::size_t size) {
        if (error)
          return self->end();
        self->written_ += size;
        if (self->written_ < self->output_.size())
          return self->write_on();
        self->output_ = {};
        if (self->last_)
          return self->end();
        self->take(0);
      });
  }

  /// Whoever does not go on in time is dropped.
  void expect() {
    deadline_.expires_after(patience);
    deadline_.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& cancelled) {
        if (const auto self = weak.lock(); self && !cancelled)
          self->end();
      });
  }

  void end() {
    deadline_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  std::shared_ptr<void> place_;
  const ctl_server::answerer& answer_;
  local::socket socket_;
  const std::string by_;
  asio::steady_timer deadline_;
  std::string input_;
  std::string output_;
  std::size_t written_ = 0; ///< of it
  bool last_ = false;       ///< nothing is read behind this answer
};

/// Whether somebody listens at `path`.
bool answers(asio::io_context& io, const std::filesystem::path& path) {
  local::socket probe(io);
  boost::system::error_code error;
  probe.connect(local::endpoint{path.string()}, error);
  return !error;
}

} // namespace

std::filesystem::path ctl_socket_path(const std::string& data_dir,
                                      const std::string& socket) {
  return std::filesystem::path{data_dir} / socket;
}

std::filesystem::path
ctl_socket_or_service(const std::filesystem::path& elsewhere) {
  const std::filesystem::path service = "/run/troupe/troupe.sock";
  std::error_code error;
  if (std::filesystem::exists(elsewhere, error))
    return elsewhere;
  // Who may not look there is told so when it connects.
  const bool there = std::filesystem::exists(service, error);
  return there || error ? service : elsewhere;
}

ctl_server::ctl_server(asio::io_context& io, bool group_access, answerer f)
  : answer_(std::move(f)),
    group_access_(group_access),
    acceptor_(io, max_connections,
              [this](local::socket socket, std::shared_ptr<void> place) {
                std::make_shared<ctl_session>(std::move(socket),
                                              std::move(place), answer_)
                  ->read();
              }) {}

ctl_server::~ctl_server() {
  acceptor_.close();
  std::error_code ignored;
  if (!path_.empty())
    std::filesystem::remove(path_, ignored);
}

void ctl_server::open(const std::filesystem::path& at) {
  const auto name = "the socket of troupe ctl, " + at.string() + ',';
  if (at.string().size() >= sizeof sockaddr_un{}.sun_path)
    throw std::runtime_error(
      name
      + " has a path of more than 107 bytes: choose a shorter one with "
        "ctl.socket, which may be an absolute path");
  auto& sockets = acceptor_.sockets();
  auto& io = static_cast<asio::io_context&>(sockets.get_executor().context());
  std::error_code error;
  const auto kind = std::filesystem::symlink_status(at, error).type();
  if (kind == std::filesystem::file_type::socket) {
    if (answers(io, at))
      throw std::runtime_error(name
                               + " belongs to a running broker: choose another "
                                 "with ctl.socket or node.data_dir");
    std::filesystem::remove(at, error);
  } else if (kind != std::filesystem::file_type::not_found) {
    throw std::runtime_error(name
                             + " cannot be made: there is a file of that name");
  }
  try {
    sockets.open();
    // Before bind: there is no moment in which others could connect.
    ::fchmod(sockets.native_handle(), 0600);
    sockets.bind(local::endpoint{at.string()});
    path_ = at;
    // After bind, which takes away what the umask forbids.
    if (group_access_ && ::chmod(at.c_str(), 0660) != 0)
      throw boost::system::system_error(errno,
                                        boost::system::system_category());
    sockets.listen();
  } catch (const boost::system::system_error& e) {
    throw std::runtime_error(name + " cannot be made: " + e.code().message());
  }
}

} // namespace troupe::server
