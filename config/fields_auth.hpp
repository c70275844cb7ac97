#pragma once

#include "config/field.hpp"
#include "config/sections.hpp"

/// @file
/// The settings of who may connect and who may do what.
namespace troupe::config {

template <>
inline constexpr std::string_view about<auth> =
  "Who may connect. Each of what is set below is asked in turn: certificates, "
  "then the file of users; the first that knows a client decides. See "
  "docs/security.md.";

template <>
inline constexpr auto fields<auth> = std::tuple{
  field{&auth::test_method, "test_method", reload::hot,
        "Offers the Authentication Method TROUPE-TEST, which has no secret: "
        "for tests of clients' enhanced authentication only."},
  field{&auth::timeout,
        "timeout",
        {100ms, 10min},
        reload::hot,
        "How long it may take to find out who a client is; then it is "
        "refused."}};

template <>
inline constexpr std::string_view about<auth_users> =
  "Users with passwords. `troupe passwd` writes the file.";

template <>
inline constexpr auto fields<auth_users> = std::tuple{
  field{&auth_users::file,
        "file",
        {0, 4'096, "bytes"},
        reload::hot,
        "The file of users. Empty: there are none."},
  field{&auth_users::unknown, "unknown", reload::cold,
        "What a name that is not in the file means: the next authenticator is "
        "asked, or the client is refused at once."},
  field{&auth_users::scram, "scram", reload::hot,
        "Whether clients may log in by SCRAM-SHA-256, which never shows the "
        "password (MQTT 5.0 enhanced authentication)."},
  field{&auth_users::hash_threads,
        "hash_threads",
        {1, 64, "threads"},
        reload::cold,
        "Threads that compare passwords, with low priority: as many cores can "
        "be kept busy by wrong ones."},
  field{&auth_users::hash_queue,
        "hash_queue",
        {1, 1'000'000, "clients"},
        reload::cold,
        "Clients whose passwords wait to be compared; further ones are "
        "refused with 0x89 (Server busy)."},
  field{&auth_users::cache_entries,
        "cache_entries",
        {0, 100'000'000, "passwords"},
        reload::cold,
        "Passwords that are known to have been right, so that a client that "
        "comes back costs a microsecond; 17 bytes each, no password among "
        "them."}};

template <>
inline constexpr std::string_view about<auth_certificate> =
  "Users by the certificates of TLS clients. The listener asks for them with "
  "ssl_options.verify.";

template <>
inline constexpr auto fields<auth_certificate> = std::tuple{
  field{&auth_certificate::enable, "enable", reload::hot,
        "Whether a verified certificate says who a client is; it needs no "
        "password then."},
  field{&auth_certificate::user_name, "user_name", reload::hot,
        "What of it is the user name: the common name, the whole subject, or "
        "the SHA-256 of the certificate."},
  field{&auth_certificate::user_must_exist, "user_must_exist", reload::hot,
        "Whether only names that are in auth.users.file are taken."}};

template <>
inline constexpr std::string_view about<auth_guard> =
  "Against the trying of passwords.";

template <>
inline constexpr auto fields<auth_guard> = std::tuple{
  field{&auth_guard::max_failures,
        "max_failures",
        {1, 1'000'000, "logins"},
        reload::hot,
        "Wrong logins of one address for one user in the window, after which "
        "both together are refused."},
  field{&auth_guard::max_address_failures,
        "max_address_failures",
        {1, 1'000'000'000, "logins"},
        reload::hot,
        "Wrong logins of one address for any users, after which the address "
        "is refused."},
  field{&auth_guard::window,
        "window",
        {1s, 24h},
        reload::hot,
        "The time in which they are counted."},
  field{&auth_guard::lock,
        "lock",
        {1s, 24h},
        reload::hot,
        "How long is refused, with 0x8A (Banned)."}};

template <>
inline constexpr std::string_view about<auth_acl> =
  "Who may publish and subscribe to what. docs/security.md describes the "
  "file. Without one everything is allowed.";

template <>
inline constexpr auto fields<auth_acl> = std::tuple{
  field{&auth_acl::file,
        "file",
        {0, 4'096, "bytes"},
        reload::hot,
        "The file of rules. Empty: there are none."},
  field{&auth_acl::deny, "deny_action", reload::hot,
        "What becomes of a client whose publication is not allowed: it is "
        "told (0x87 in MQTT 5.0), or disconnected with that reason."},
  field{&auth_acl::cache_entries,
        "cache_entries",
        {0, 65'536, "decisions"},
        reload::hot,
        "Decisions that are kept for each client until the rules change."},
  field{&auth_acl::cache_ttl,
        "cache_ttl",
        {0ms, 24h},
        reload::hot,
        "How long decisions are kept that come of elsewhere than the file."}};

template <>
inline constexpr std::string_view about<flapping_detect> =
  "Clients that connect and go, over and over.";

template <>
inline constexpr auto fields<flapping_detect> =
  std::tuple{field{&flapping_detect::enable, "enable", reload::hot,
                   "Whether such clients are banned for a time."},
             field{&flapping_detect::max_count,
                   "max_count",
                   {1, 1'000'000, "disconnections"},
                   reload::hot,
                   "How often a client may go in the time."},
             field{&flapping_detect::window_time,
                   "window_time",
                   {1s, 24h},
                   reload::hot,
                   "The time in which that is counted."},
             field{&flapping_detect::ban_time,
                   "ban_time",
                   {1s, 8'760h},
                   reload::hot,
                   "How long such a client is banned."}};

} // namespace troupe::config
