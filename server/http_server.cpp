#include "server/http_server.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <optional>
#include <stdexcept>

namespace troupe::server {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t max_connections = 64;
constexpr std::uint32_t max_header = 8'192;
constexpr std::uint64_t max_body = 4'096; ///< read and passed over
constexpr std::chrono::seconds patience{10};

const boost::system::error_category& http_category() {
  return http::make_error_code(http::error::end_of_stream).category();
}

/// The answer to a request that cannot be read.
page refusal(const boost::system::error_code& error) {
  page made;
  if (error == http::error::header_limit
      || error == http::error::buffer_overflow) {
    made.status = 431;
    made.body = "the header is too large\n";
  } else if (error == http::error::body_limit) {
    made.status = 413;
    made.body = "the body is too large: nothing here takes one\n";
  } else {
    made.status = 400;
    made.body = "this is no HTTP request: " + error.message() + '\n';
  }
  return made;
}

/// One connection, alive as long as something is under way on it.
class http_session : public std::enable_shared_from_this<http_session> {
public:
  http_session(tcp::socket socket, std::shared_ptr<void> place,
               const page_sources& sources)
    : place_(std::move(place)),
      sources_(sources),
      stream_(std::move(socket)),
      buffer_(max_header + max_body) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(max_header);
    parser_->body_limit(max_body);
    stream_.expires_after(patience);
    http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const boost::system::error_code& error,
                                  std::size_t) { self->on_read(error); });
  }

private:
  void on_read(const boost::system::error_code& error) {
    if (error == http::error::end_of_stream)
      return end();
    // A deadline or a broken socket: there is nobody to talk to.
    if (error
        && (error.category() != http_category()
            || error == http::error::partial_message))
      return;
    if (error)
      return write(refusal(error), 11, false, true);
    const auto& request = parser_->get();
    write(answer_page(request.method_string(), request.target(), sources_),
          request.version(), request.keep_alive(),
          request.method() != http::verb::head);
  }

  void write(page from, unsigned version, bool keep_alive, bool with_body) {
    response_ = {};
    response_.version(version);
    response_.result(from.status);
    response_.set(http::field::server, "troupe");
    response_.set(http::field::content_type, from.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (from.status == 405)
      response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(keep_alive);
    response_.content_length(from.body.size());
    if (with_body)
      response_.body() = std::move(from.body);
    stream_.expires_after(patience);
    http::async_write(
      stream_, response_,
      [self = shared_from_this()](const boost::system::error_code& error,
                                  std::size_t) { self->on_written(error); });
  }

  void on_written(const boost::system::error_code& error) {
    if (error)
      return;
    if (response_.keep_alive())
      return read();
    end();
  }

  /// Whoever still sends gets the answer all the same: what comes is read
  /// until the other side closes, for as long as the deadline lets it.
  void end() {
    boost::system::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    drain();
  }
  void drain() {
    buffer_.clear();
    stream_.async_read_some(
      buffer_.prepare(4'096),
      [self = shared_from_this()](const boost::system::error_code& error,
                                  std::size_t) {
        if (!error)
          self->drain();
      });
  }

  std::shared_ptr<void> place_;
  const page_sources& sources_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

std::string text_of(const tcp::endpoint& x) {
  const auto host = x.address().to_string();
  return (x.address().is_v6() ? '[' + host + ']' : host) + ':'
         + std::to_string(x.port());
}

} // namespace

http_server::http_server(asio::io_context& io, page_sources sources)
  : sources_(std::move(sources)),
    acceptor_(io, max_connections,
              [this](tcp::socket socket, std::shared_ptr<void> place) {
                std::make_shared<http_session>(std::move(socket),
                                               std::move(place), sources_)
                  ->read();
              }) {}

void http_server::open(const config::address& at) {
  const auto host =
    asio::ip::make_address(at.host.empty() ? "0.0.0.0" : at.host);
  const tcp::endpoint endpoint{host, at.port};
  auto& sockets = acceptor_.sockets();
  try {
    sockets.open(endpoint.protocol());
    sockets.set_option(asio::socket_base::reuse_address{true});
    sockets.bind(endpoint);
    sockets.listen();
    address_ = text_of(sockets.local_endpoint());
  } catch (const boost::system::system_error& e) {
    throw std::runtime_error(
      "the HTTP listener cannot listen on " + text_of(endpoint) + ": "
      + e.code().message()
      + "; choose another address with http.bind (port 0 is any free one), or "
        "do without it with http.enable=false");
  }
}

} // namespace troupe::server
