#include "server/pages.hpp"

#include <boost/json.hpp>

namespace troupe::server {

namespace {

/// Whether `query` has the parameter `name=value`.
bool has_parameter(std::string_view query, std::string_view wanted) {
  while (!query.empty()) {
    const auto end = query.find('&');
    if (query.substr(0, end) == wanted)
      return true;
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  return false;
}

page status_page(std::string_view query, const page_sources& from) {
  const bool stopping = from.stopping();
  page made;
  made.status = stopping ? 503 : 200;
  if (has_parameter(query, "format=json")) {
    made.content_type = "application/json";
    made.body = boost::json::serialize(
      boost::json::object{{"node_name", from.node_name},
                          {"broker_status", stopping ? "stopping" : "started"},
                          {"app_status", stopping ? "not_running" : "running"},
                          {"rel_vsn", TROUPE_VERSION}});
  } else {
    made.body = "Node " + from.node_name
                + (stopping ? " is stopping\ntroupe is not running"
                            : " is started\ntroupe is running");
  }
  made.body += '\n';
  return made;
}

page metrics_page(std::string_view, const page_sources& from) {
  page made;
  if (from.stopping()) {
    made.status = 503;
    made.body = "the node is stopping\n";
    return made;
  }
  made.content_type = "text/plain; version=0.0.4; charset=utf-8";
  made.body = prometheus_text(from.observe());
  return made;
}

struct route {
  std::string_view path;
  page (*answer)(std::string_view query, const page_sources& from);
};
constexpr route routes[] = {{"/status", status_page},
                            {"/metrics", metrics_page}};

} // namespace

page answer_page(std::string_view method, std::string_view target,
                 const page_sources& from) {
  const auto mark = target.find('?');
  const auto path = target.substr(0, mark);
  const auto query = mark == std::string_view::npos ? std::string_view{}
                                                    : target.substr(mark + 1);
  for (const auto& x : routes) {
    if (x.path != path)
      continue;
    if (method != "GET" && method != "HEAD")
      return {405, page{}.content_type, "only GET and HEAD are served here\n"};
    return x.answer(query, from);
  }
  return {404, page{}.content_type,
          "no such page; there are /status and /metrics\n"};
}

} // namespace troupe::server
