#pragma once
// What the HTTP listener answers, without sockets.

#include "server/metrics.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace troupe::server {

/// What pages are made of.
struct page_sources {
  std::string node_name;
  /// Whether the node is ending: nothing else is asked then.
  std::function<bool()> stopping;
  std::function<observation()> observe;
};

struct page {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// @param method  as in the request line; GET and HEAD are served.
/// @param target  path and query, as in the request line.
page answer_page(std::string_view method, std::string_view target,
                 const page_sources& from);

} // namespace troupe::server
