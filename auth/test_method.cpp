#include "auth/method.hpp"

#include <string>

namespace troupe::auth {

namespace {

class test_exchange final : public exchange {
public:
  step next(protocol::bytes_view data) override {
    const std::string_view said{reinterpret_cast<const char*>(data.data()),
                                data.size()};
    const auto expected =
      round_ == 0 ? std::string{"begin"} : "response-" + std::to_string(round_);
    if (said != expected)
      return {};
    step made;
    made.what = step::outcome::success;
    made.reason = protocol::reason_code::success;
    if (++round_ <= 2) {
      const auto text = "challenge-" + std::to_string(round_);
      made.what = step::outcome::challenge;
      made.data.assign(text.begin(), text.end());
      made.reason = protocol::reason_code::continue_authentication;
    }
    return made;
  }

private:
  int round_ = 0;
};

class test_method final : public method {
public:
  std::string_view name() const noexcept override { return "TROUPE-TEST"; }
  std::unique_ptr<exchange> begin(const identity&) const override {
    return std::make_unique<test_exchange>();
  }
};

} // namespace

std::shared_ptr<method> make_test_method() {
  return std::make_shared<test_method>();
}

} // namespace troupe::auth
