#include "auth/scram.hpp"

#include <algorithm>

namespace troupe::auth {

namespace {

using step = exchange::step;

constexpr std::size_t nonce_max = 1'024;

bool is_nonce(std::string_view text) noexcept {
  return !text.empty() && text.size() <= nonce_max
         && std::all_of(text.begin(), text.end(),
                        [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

/// Cuts the front of `text` up to a comma, which goes too.
std::string_view next_part(std::string_view& text) noexcept {
  const auto end = text.find(',');
  const auto part = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return part;
}

/// RFC 5802, saslname: `=2C` is a comma and `=3D` an equals sign.
std::optional<std::string> sasl_name(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    if (text.starts_with("=2C") || text.starts_with("=3D")) {
      made += text[1] == '2' ? ',' : '=';
      text.remove_prefix(3);
    } else if (text.front() == '=') {
      return std::nullopt;
    } else {
      made += text.front();
      text.remove_prefix(1);
    }
  }
  if (!scram_prepared(made))
    return std::nullopt;
  return made;
}

/// What all exchanges of a method share.
struct shared {
  std::shared_ptr<user_source> users;
  scram_options options;
  scram_keys nobody; ///< keys that no password has; salt and cost vary

  struct found_keys {
    scram_keys keys;
    bool real = false;
    account who;
  };

  /// The same work whether there is such a user or not.
  found_keys keys_of(const std::string& name) const {
    const auto table = users->now();
    const auto found = table->find(name);
    found_keys made;
    made.keys = nobody;
    made.keys.salt = view(hmac_sha256(options.decoy_key, name)).substr(0, 16);
    if (table->scram_iterations() != 0)
      made.keys.iterations = table->scram_iterations();
    made.who.user_name = name;
    const auto read = scram_keys::parse(found && !found->scram.empty()
                                          ? std::string{found->scram}
                                          : made.keys.text());
    if (found && !found->scram.empty() && read) {
      made.keys = read.value();
      made.real = true;
      made.who.superuser = found->superuser;
      made.who.version = found->version;
    }
    return made;
  }
};

class scram_exchange final : public exchange {
public:
  scram_exchange(std::shared_ptr<const shared> with,
                 std::optional<std::string> name_in_connect)
    : with_(std::move(with)),
      name_in_connect_(std::move(name_in_connect)) {}

  step next(protocol::bytes_view data) override {
    const std::string_view text{reinterpret_cast<const char*>(data.data()),
                                data.size()};
    switch (std::exchange(state_, state::ended)) {
    case state::first:
      return first(text);
    case state::final:
      return last(text);
    case state::ended:
      break;
    }
    return failure("other-error", "SCRAM: data after the end");
  }

private:
  enum class state : std::uint8_t { first, final, ended };

  step failure(std::string_view word, std::string_view cause) const {
    step made;
    made.cause = cause;
    made.who.user_name = user_.who.user_name;
    const auto text = "e=" + std::string{word};
    made.data.assign(text.begin(), text.end());
    return made;
  }

  /// `n,[a=name],n=name,r=nonce`
  step first(std::string_view text) {
    auto rest = text;
    const auto binding = next_part(rest);
    if (binding.starts_with("p="))
      return failure("channel-binding-not-supported",
                     "SCRAM: channel binding is not supported");
    if (binding != "n" && binding != "y")
      return failure("invalid-encoding", "SCRAM: no GS2 header");
    const auto authorization = next_part(rest);
    gs2_ = text.substr(0, text.size() - rest.size());
    client_first_ = rest;
    if (rest.starts_with("m="))
      return failure("extensions-not-supported",
                     "SCRAM: a mandatory extension is unknown");
    const auto name_part = next_part(rest);
    const auto nonce_part = next_part(rest);
    if (!name_part.starts_with("n=") || !nonce_part.starts_with("r=")
        || !gs2_.ends_with(',') || !is_nonce(nonce_part.substr(2)))
      return failure("invalid-encoding", "SCRAM: malformed first message");
    const auto name = sasl_name(name_part.substr(2));
    if (!name)
      return failure("invalid-username-encoding",
                     "SCRAM: the name is not printable ASCII");
    user_.who.user_name = *name;
    if (name_in_connect_ && *name_in_connect_ != *name)
      return failure("other-error", "SCRAM: CONNECT has another user name");
    if (!authorization.empty()
        && (!authorization.starts_with("a=")
            || sasl_name(authorization.substr(2)) != *name))
      return failure("other-error", "SCRAM: acting for others is not allowed");
    user_ = with_->keys_of(*name);
    nonce_ =
      std::string{nonce_part.substr(2)}
      + (with_->options.nonce ? with_->options.nonce()
                              : to_base64(random_bytes(18), base64::padded));
    server_first_ = "r=" + nonce_
                    + ",s=" + to_base64(user_.keys.salt, base64::padded)
                    + ",i=" + std::to_string(user_.keys.iterations);
    state_ = state::final;
    step made;
    made.what = step::outcome::challenge;
    made.reason = protocol::reason_code::continue_authentication;
    made.data.assign(server_first_.begin(), server_first_.end());
    return made;
  }

  /// `c=header,r=nonce,p=proof`
  step last(std::string_view text) {
    const auto at = text.rfind(",p=");
    if (at == text.npos)
      return failure("invalid-encoding", "SCRAM: malformed last message");
    const auto without_proof = text.substr(0, at);
    const auto proof = from_base64(text.substr(at + 3), base64::padded);
    auto rest = without_proof;
    const auto header = next_part(rest);
    const auto nonce = next_part(rest);
    if (!header.starts_with("c=") || !nonce.starts_with("r=") || !proof
        || proof->size() != digest{}.size())
      return failure("invalid-encoding", "SCRAM: malformed last message");
    if (header.substr(2) != to_base64(gs2_, base64::padded))
      return failure("channel-bindings-dont-match",
                     "SCRAM: the GS2 header has changed");
    if (!equal_in_constant_time(nonce.substr(2), nonce_))
      return failure("other-error", "SCRAM: the nonce has changed");
    const auto message =
      client_first_ + "," + server_first_ + "," + std::string{without_proof};
    const auto& keys = user_.keys;
    const auto signature = hmac_sha256(view(keys.stored_key), message);
    std::string client_key = *proof;
    for (std::size_t i = 0; i < client_key.size(); ++i)
      client_key[i] = static_cast<char>(client_key[i] ^ signature[i]);
    const bool right =
      equal_in_constant_time(view(sha256(client_key)), view(keys.stored_key));
    wipe(client_key);
    // The file may have been read again since the first message.
    const auto now = with_->users->version_of(user_.who.user_name);
    if (!right || !user_.real || now != user_.who.version)
      return failure("invalid-proof",
                     user_.real ? "SCRAM: wrong password"
                                : "SCRAM: no such user, or one without keys");
    const auto answer =
      "v="
      + to_base64(view(hmac_sha256(view(keys.server_key), message)),
                  base64::padded);
    step made;
    made.what = step::outcome::success;
    made.reason = protocol::reason_code::success;
    made.cause = "SCRAM";
    made.who = user_.who;
    made.data.assign(answer.begin(), answer.end());
    return made;
  }

  std::shared_ptr<const shared> with_;
  std::optional<std::string> name_in_connect_;
  state state_ = state::first;
  shared::found_keys user_;
  std::string gs2_;
  std::string client_first_; ///< without the GS2 header
  std::string server_first_;
  std::string nonce_; ///< the client's and then ours
};

class scram_method final : public method {
public:
  scram_method(std::shared_ptr<user_source> users, scram_options options) {
    shared made{std::move(users), std::move(options), {}};
    if (made.options.decoy_key.empty())
      made.options.decoy_key = random_bytes(32);
    made.nobody.iterations = scram_keys::iterations_default;
    const auto random = random_bytes(64);
    std::copy_n(random.begin(), 32, made.nobody.stored_key.begin());
    std::copy_n(random.begin() + 32, 32, made.nobody.server_key.begin());
    with_ = std::make_shared<const shared>(std::move(made));
  }

  std::string_view name() const noexcept override { return "SCRAM-SHA-256"; }
  std::unique_ptr<exchange> begin(const identity& from) const override {
    std::optional<std::string> name;
    if (from.user_name)
      name = *from.user_name;
    return std::make_unique<scram_exchange>(with_, std::move(name));
  }

private:
  std::shared_ptr<const shared> with_;
};

} // namespace

std::shared_ptr<method> make_scram_sha256(std::shared_ptr<user_source> users,
                                          scram_options options) {
  return std::make_shared<scram_method>(std::move(users), std::move(options));
}

} // namespace troupe::auth
