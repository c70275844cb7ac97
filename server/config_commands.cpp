#include "server/config_commands.hpp"

#include "server/access.hpp"
#include "server/ctl_settings.hpp"
#include "server/exit_codes.hpp"
#include "server/listeners.hpp"
#include "server/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>

namespace troupe::server {

namespace {

int count_problems(std::size_t count) {
  std::fprintf(stderr, "troupe: %zu problem%s in the configuration\n", count,
               count == 1 ? "" : "s");
  return exit_configuration;
}

} // namespace

int print_problems(const std::vector<config::problem>& problems) {
  for (const auto& x : problems)
    std::fprintf(stderr, "%s\n", config::to_string(x).c_str());
  return count_problems(problems.size());
}

namespace {

/// Certificates that clients refuse.
void warn_of(const std::vector<actors::listener_options>& listeners) {
  std::set<std::string> told;
  const auto now = std::chrono::system_clock::now();
  for (const auto& x : listeners)
    if (x.tls)
      for (const auto& one : x.tls->certificates())
        if (one.not_after <= now && told.insert(one.file).second)
          std::printf("%s: the certificate of %s has expired: renew it\n",
                      one.file.c_str(), printable(one.subject).c_str());
}

} // namespace

int check_config(const config::load_result& read, const std::string& file) {
  if (file.empty())
    std::printf("no file was named with --config: this looks at defaults, "
                "environment and --set alone\n");
  if (const auto* problems = std::get_if<std::vector<config::problem>>(&read))
    return print_problems(*problems);
  const auto& loaded = std::get<config::loaded>(read);
  for (const auto& x : loaded.warnings)
    std::printf("%s\n", config::to_string(x).c_str());
  std::string wrong; // a line for each mistake
  const auto attempt = [&](const auto& f) {
    try {
      f();
    } catch (const std::runtime_error& e) {
      wrong += std::string{e.what()} + '\n';
    }
  };
  attempt([&] {
    for (const auto& x : access::read(loaded.values).warnings)
      std::printf("%s\n", config::to_string(x).c_str());
  });
  attempt([&] { warn_of(listeners_of(loaded.values, {})); });
  if (!wrong.empty()) {
    std::fputs(wrong.c_str(), stderr);
    return count_problems(
      static_cast<std::size_t>(std::count(wrong.begin(), wrong.end(), '\n')));
  }
  std::printf("the configuration is sound\n");
  return exit_success;
}

int diff_config(const config::sources& from, const std::string& a,
                const std::string& b, bool as_json) {
  std::vector<config::loaded> both;
  std::vector<config::problem> problems;
  for (const auto& file : {a, b}) {
    auto one = from;
    one.file = file;
    auto read = config::load(one);
    if (const auto* its = std::get_if<std::vector<config::problem>>(&read))
      problems.insert(problems.end(), its->begin(), its->end());
    else
      both.push_back(std::move(std::get<config::loaded>(read)));
  }
  if (!problems.empty())
    return print_problems(problems);
  const auto answer = diff_answer(config::diff(both[0].values, both[1].values));
  const auto text =
    as_json ? boost::json::serialize(answer) + '\n' : print_diff(answer);
  std::fputs(text.c_str(), stdout);
  return exit_success;
}

} // namespace troupe::server
