#include "actors/authentication.hpp"

#include <string>

namespace troupe::actors {

namespace {

class test_exchange final : public authentication_exchange {
public:
  step next(protocol::bytes_view data) override {
    const std::string_view said{reinterpret_cast<const char*>(data.data()),
                                data.size()};
    const auto expected =
      round_ == 0 ? std::string{"begin"} : "response-" + std::to_string(round_);
    if (said != expected)
      return {};
    if (++round_ > 2)
      return {step::outcome::success, {}, protocol::reason_code::success};
    const auto text = "challenge-" + std::to_string(round_);
    return {step::outcome::challenge,
            {text.begin(), text.end()},
            protocol::reason_code::continue_authentication};
  }

private:
  int round_ = 0;
};

class test_method final : public authentication_method {
public:
  std::string_view name() const noexcept override { return "TROUPE-TEST"; }
  std::unique_ptr<authentication_exchange> begin() const override {
    return std::make_unique<test_exchange>();
  }
};

} // namespace

std::shared_ptr<authentication_method> make_test_method() {
  return std::make_shared<test_method>();
}

} // namespace troupe::actors
