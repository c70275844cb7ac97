#pragma once
// SCRAM-SHA-256 (RFC 5802, RFC 7677) over the file of users.

#include "auth/method.hpp"
#include "auth/user_table.hpp"

#include <functional>
#include <memory>
#include <string>

namespace troupe::auth {

struct scram_options {
  /// Salts of users who are not there are made with it, the same at each try.
  /// Empty: random, so that they differ after a restart, by which a patient
  /// stranger could tell them.
  std::string decoy_key;
  /// What makes the server's nonce: printable, without a comma. Empty: 18
  /// random bytes. Tests set it.
  std::function<std::string()> nonce;
};

/// "SCRAM-SHA-256". In MQTT's terms: CONNECT carries client-first-message, AUTH
/// server-first, AUTH client-final, and the CONNACK (or AUTH) of success has
/// server-final, by which the client recognises the broker.
///
/// - Names are printable ASCII (`scram_prepared`); others are refused.
/// - There is no channel binding: `n,` and `y,` are taken, `p=` is refused.
/// - A user name in CONNECT must be the same; so must an authorization
///   identity.
/// - Who is not there, or has no SCRAM keys, is challenged as all others, and
///   refused at the end as for a wrong password.
///
/// A failure's data is `e=` and a word of RFC 5802.
std::shared_ptr<method> make_scram_sha256(std::shared_ptr<user_source> users,
                                          scram_options options = {});

} // namespace troupe::auth
