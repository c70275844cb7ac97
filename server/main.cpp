// The program: commands and their options.

#include "config/load.hpp"
#include "net/record_buffers.hpp"
#include "server/certs_commands.hpp"
#include "server/config_commands.hpp"
#include "server/ctl_client.hpp"
#include "server/ctl_server.hpp"
#include "server/data_commands.hpp"
#include "server/exit_codes.hpp"
#include "server/metrics.hpp"
#include "server/passwd_commands.hpp"
#include "server/self_description.hpp"
#include "server/serve.hpp"
#include "server/text.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

namespace {

using namespace troupe;

struct configuration_options {
  std::string file;
  std::string data_dir;
  std::vector<std::string> overrides;

  void add_files_to(CLI::App& app) {
    app.add_option("-c,--config", file, "Configuration file (TOML)")
      ->type_name("FILE");
    app.add_option("-d,--data-dir", data_dir, "Directory for data")
      ->type_name("DIR");
  }

  void add_to(CLI::App& app) {
    add_files_to(app);
    app
      .add_option("-s,--set", overrides,
                  "A setting, e.g. --set mqtt.max_inflight=64")
      ->type_name("KEY=VALUE")
      ->take_all();
  }

  bool says_nothing() const {
    return file.empty() && data_dir.empty() && overrides.empty();
  }

  config::sources sources() const {
    config::sources from;
    from.file = file;
    from.environment = config::process_environment();
    from.overrides = overrides;
    if (!data_dir.empty())
      from.overrides.push_back("node.data_dir=" + data_dir);
    return from;
  }

  config::load_result load() const { return config::load(sources()); }
};

} // namespace

int main(int argc, char** argv) {
  net::keep_record_buffers();
  CLI::App app{"Troupe, an MQTT platform for fleets of devices", "troupe"};
  app.set_version_flag("--version", "troupe " TROUPE_VERSION);
  app.require_subcommand(1);

  configuration_options from;
  auto* serve = app.add_subcommand("serve", "Run a broker");
  from.add_to(*serve);
  auto* config = app.add_subcommand("config", "Look at the configuration");
  config->require_subcommand(1);
  auto* check = config->add_subcommand(
    "check", "Report every problem, also of the files that are named");
  from.add_to(*check);
  auto* show = config->add_subcommand("show", "Print what is in effect");
  from.add_to(*show);
  auto* docs =
    config->add_subcommand("docs", "Print the reference of all settings");
  auto* diff = config->add_subcommand(
    "diff", "What FILE would change in the running broker, or in another file");
  std::string diff_to;
  std::string diff_from;
  bool diff_json = false;
  diff->add_option("FILE", diff_to, "Configuration file (TOML)")->required();
  from.add_files_to(*diff);
  diff
    ->add_option("--from", diff_from,
                 "Compare with this file, not with the running broker")
    ->type_name("FILE");
  diff->add_flag("--json", diff_json, "For programs");
  auto* metrics = app.add_subcommand("metrics", "What a broker counts");
  metrics->require_subcommand(1);
  metrics->add_subcommand("docs", "Print the reference of all metrics");
  auto* data = app.add_subcommand(
    "data", "Look at the data of a broker that does not run");
  data->require_subcommand(1);
  auto* data_check = data->add_subcommand(
    "check", "Read all of it, compare checksums and what it says of itself");
  from.add_files_to(*data_check);
  auto* data_show =
    data->add_subcommand("show", "Print what each shard has, by kind of row");
  from.add_files_to(*data_show);
  bool data_json = false;
  data_show->add_flag("--json", data_json, "For programs");
  auto* restore = app.add_subcommand(
    "restore", "Make an empty data directory a copy of a backup");
  std::string backup;
  restore->add_option("BACKUP", backup, "What troupe ctl backup made")
    ->required();
  from.add_files_to(*restore);
  auto* ctl = app.add_subcommand("ctl", "Speak to a running broker");
  from.add_files_to(*ctl);
  std::string socket;
  ctl
    ->add_option("--socket", socket,
                 "The broker's socket, if not in its data directory")
    ->type_name("PATH");
  diff
    ->add_option("--socket", socket,
                 "The broker's socket, if not in its data directory")
    ->type_name("PATH");
  server::ctl_client client;
  client.add_to(*ctl);
  server::passwd_commands passwd;
  passwd.add_to(app);
  server::certs_commands certs;
  certs.add_to(app);
  const server::self_description self(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& e) {
    // CLI11 misses a command before it looks at what is there.
    const auto rest = app.remaining(true);
    if (rest.empty() || rest.front().starts_with('-'))
      app.exit(e);
    else
      std::fprintf(stderr, "troupe: \"%s\" is no command here: see --help\n",
                   server::printable(rest.front()).c_str());
    return server::exit_usage;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? server::exit_success : server::exit_usage;
  }
  if (self.chosen()) {
    std::fputs(self.text().c_str(), stdout);
    return server::exit_success;
  }
  if (docs->parsed()) {
    std::fputs(config::describe_markdown().c_str(), stdout);
    return server::exit_success;
  }
  if (metrics->parsed()) {
    std::fputs(server::metrics_markdown().c_str(), stdout);
    return server::exit_success;
  }
  if (passwd.chosen())
    return passwd.run();
  if (certs.chosen())
    return certs.run();
  if (diff->parsed() && !diff_from.empty())
    return server::diff_config(from.sources(), diff_from, diff_to, diff_json);
  const auto ask = [&](const std::filesystem::path& at) {
    return diff->parsed() ? server::ctl_client::run(
             at, "config diff", {{"file", diff_to}}, diff_json)
                          : client.run(at);
  };
  if (!socket.empty())
    return ask(socket);
  auto answer = from.load();
  if (check->parsed())
    return server::check_config(answer, from.file);
  if (const auto* problems = std::get_if<std::vector<config::problem>>(&answer))
    return server::print_problems(*problems);
  const auto& loaded = std::get<config::loaded>(answer);
  if (show->parsed()) {
    std::fputs(config::show(loaded.values).c_str(), stdout);
    return server::exit_success;
  }
  const auto& directory = loaded.values.node.data_dir;
  if (data_check->parsed())
    return server::check_data(directory);
  if (data_show->parsed())
    return server::show_data(directory, data_json);
  if (restore->parsed())
    return server::restore_data(backup, directory);
  if (ctl->parsed() || diff->parsed()) {
    const auto at = server::ctl_socket_path(loaded.values.node.data_dir,
                                            loaded.values.ctl.socket);
    return ask(from.says_nothing() ? server::ctl_socket_or_service(at) : at);
  }
  return server::serve(from.sources(), loaded);
}
