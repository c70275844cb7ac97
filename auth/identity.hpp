#pragma once
// Who a client is, as far as rules about it may ask.

#include "net/tcp.hpp"
#include "net/transport.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace troupe::auth {

/// What a TLS client's certificate says, kept while its connection lives.
using certificate = net::peer_certificate;

/// Borrowed from a connection for the length of one call. What is not known is
/// empty; `peer` and `tls` are never null where a client is meant.
struct identity {
  std::string_view client_id;
  std::optional<std::string_view> user_name;
  const net::endpoint* peer = nullptr; ///< behind a balancer: the client
  std::string_view listener;           ///< `ssl:default`
  const certificate* tls = nullptr;    ///< null: no certificate
};

/// The same, to be kept.
struct client_facts {
  std::string client_id;
  std::optional<std::string> user_name;
  net::endpoint peer;
  std::string listener;
  std::optional<certificate> tls;

  /// A copy of what `who` borrowed.
  static client_facts of(const identity& who) {
    client_facts x;
    x.client_id = who.client_id;
    if (who.user_name)
      x.user_name.emplace(*who.user_name);
    if (who.peer)
      x.peer = *who.peer;
    x.listener = who.listener;
    if (who.tls)
      x.tls = *who.tls;
    return x;
  }

  /// Borrows from this.
  identity view() const noexcept {
    identity x;
    x.client_id = client_id;
    if (user_name)
      x.user_name = *user_name;
    x.peer = &peer;
    x.listener = listener;
    x.tls = tls ? &*tls : nullptr;
    return x;
  }
};

} // namespace troupe::auth
