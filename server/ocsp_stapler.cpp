#include "server/ocsp_stapler.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <map>

namespace troupe::server {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint64_t largest_response = 64 * 1'024;
constexpr std::chrono::milliseconds again_after{30'000}; ///< a failure

} // namespace

std::optional<http_place> http_place::parse(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme))
    return std::nullopt;
  url.remove_prefix(scheme.size());
  const bool printable = std::all_of(
    url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F; });
  auto authority = url.substr(0, url.find_first_of("/?"));
  if (!printable || authority.find('@') != authority.npos)
    return std::nullopt;
  http_place made;
  made.target = std::string{url.substr(authority.size())};
  if (!made.target.starts_with('/'))
    made.target.insert(0, "/");
  made.port = "80";
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == authority.npos)
      return std::nullopt;
    made.host = std::string{authority.substr(1, end - 1)};
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority.front() != ':')
      return std::nullopt;
  } else {
    made.host = std::string{authority.substr(0, authority.find(':'))};
    authority.remove_prefix(made.host.size());
  }
  if (!authority.empty())
    made.port = std::string{authority.substr(1)};
  const bool number =
    !made.port.empty() && made.port.size() <= 5
    && std::all_of(made.port.begin(), made.port.end(),
                   [](char c) { return c >= '0' && c <= '9'; });
  if (made.host.empty() || !number)
    return std::nullopt;
  return made;
}

std::string http_place::host_field() const {
  const auto name = host.find(':') == host.npos ? host : '[' + host + ']';
  return port == "80" ? name : name + ':' + port;
}

struct ocsp_stapler::state {
  state(log_writer& to, std::function<void(bool)> f)
    : log(to),
      told(std::move(f)) {}

  log_writer& log;
  std::function<void(bool)> told;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{
    io.get_executor()};
  class fetcher;
  std::vector<std::shared_ptr<fetcher>> fetchers;
  /// What was stapled last, by listener.
  std::map<std::string, std::vector<std::uint8_t>> stapled;
};

/// One job; alive as long as something is under way.
class ocsp_stapler::state::fetcher
  : public std::enable_shared_from_this<fetcher> {
public:
  fetcher(state& of, job what)
    : of_(of),
      job_(std::move(what)),
      resolver_(of.io),
      stream_(of.io),
      next_(of.io),
      limit_(of.io) {}

  void begin() {
    if (const auto known = of_.stapled.find(job_.listener);
        known != of_.stapled.end())
      try {
        job_.tls->staple(known->second);
      } catch (const net::tls_error&) {
        of_.stapled.erase(known); // of another certificate, or too old
      }
    ask();
  }

  void end() {
    ended_ = true;
    next_.cancel();
    limit_.cancel();
    resolver_.cancel();
    stream_.close();
  }

private:
  using error_code = boost::system::error_code;

  void ask() {
    done_ = false;
    try {
      const auto question = job_.tls->ocsp_request();
      request_ = {http::verb::post, job_.from.target, 11};
      request_.set(http::field::host, job_.from.host_field());
      request_.set(http::field::content_type, "application/ocsp-request");
      request_.body() = {question.begin(), question.end()};
      request_.prepare_payload();
    } catch (const net::tls_error& e) {
      return failed(e.what());
    }
    limit_.expires_after(job_.patience);
    limit_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && !self->done_)
        self->failed("the responder does not answer in time");
    });
    resolver_.async_resolve(
      job_.from.host, job_.from.port,
      [self = shared_from_this()](const error_code& error, const auto& found) {
        if (self->goes_on(error))
          self->connect(found);
      });
  }

  void connect(const asio::ip::tcp::resolver::results_type& to) {
    stream_.async_connect(
      to, [self = shared_from_this()](const error_code& error, const auto&) {
        if (self->goes_on(error))
          self->send();
      });
  }

  void send() {
    http::async_write(
      stream_, request_,
      [self = shared_from_this()](const error_code& error, std::size_t) {
        if (self->goes_on(error))
          self->receive();
      });
  }

  void receive() {
    buffer_.clear();
    parser_.emplace();
    parser_->body_limit(largest_response);
    http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const error_code& error, std::size_t) {
        if (self->goes_on(error))
          self->take(self->parser_->get());
      });
  }

  void take(const http::response<http::string_body>& answer) {
    if (answer.result() != http::status::ok)
      return failed("the responder answers with HTTP "
                    + std::to_string(answer.result_int()));
    const auto& text = answer.body();
    std::vector<std::uint8_t> bytes{text.begin(), text.end()};
    try {
      job_.tls->staple(bytes);
    } catch (const net::tls_error& e) {
      return failed(e.what());
    }
    of_.stapled[job_.listener] = std::move(bytes);
    if (!good_)
      of_.log.info("ocsp", "the certificate of " + job_.listener
                             + " is stapled with what " + job_.from.host_field()
                             + " says");
    good_ = true;
    of_.told(true);
    wait(job_.refresh);
  }

  /// @returns whether nobody has given up on it.
  bool goes_on(const error_code& error) {
    if (done_ || ended_)
      return false;
    if (error)
      failed(error.message());
    return !error;
  }

  void failed(const std::string& why) {
    good_ = false;
    of_.told(false);
    of_.log.warning("ocsp", "no OCSP response for " + job_.listener + " from "
                              + job_.from.host_field() + ": " + why
                              + "; what was stapled before is shown until it "
                                "is out of date");
    wait(std::min(job_.refresh, again_after));
  }

  void wait(std::chrono::milliseconds time) {
    done_ = true;
    limit_.cancel();
    resolver_.cancel();
    stream_.close();
    next_.expires_after(time);
    next_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && !self->ended_)
        self->ask();
    });
  }

  state& of_;
  job job_;
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  asio::steady_timer next_;
  asio::steady_timer limit_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  bool done_ = true; ///< nothing is asked at the moment
  bool good_ = false;
  bool ended_ = false;
};

ocsp_stapler::ocsp_stapler(log_writer& log, std::function<void(bool)> told)
  : state_(std::make_unique<state>(log, std::move(told))) {}

ocsp_stapler::~ocsp_stapler() { stop(); }

void ocsp_stapler::set(std::vector<job> jobs) {
  if (!thread_.joinable()) {
    if (jobs.empty())
      return;
    thread_ = std::thread([its = state_.get()] { its->io.run(); });
  }
  asio::post(state_->io, [its = state_.get(), jobs = std::move(jobs)] {
    for (const auto& x : its->fetchers)
      x->end();
    its->fetchers.clear();
    for (const auto& x : jobs) {
      its->fetchers.push_back(std::make_shared<state::fetcher>(*its, x));
      its->fetchers.back()->begin();
    }
  });
}

void ocsp_stapler::stop() {
  state_->io.stop();
  if (thread_.joinable())
    thread_.join();
}

} // namespace troupe::server
