#include "server/broker.hpp"

#include "server/ctl_commands.hpp"
#include "server/exit_codes.hpp"
#include "server/listeners.hpp"
#include "server/options.hpp"

#include <boost/algorithm/string/join.hpp>

#include <cstdio>
#include <optional>
#include <stdexcept>

namespace troupe::server {

namespace {

namespace asio = boost::asio;

/// For programs that started this one: on standard output, one line each.
void announce(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// Listeners of reactors share their address, so the system would let two
/// brokers of one user share it too: clients would then reach either.
void refuse_taken_addresses(
  const std::vector<actors::listener_options>& listeners,
  const std::vector<actors::listener_options>& ours) {
  for (const auto& x : listeners) {
    if (x.kind == actors::listener_kind::local)
      continue;
    const auto at = net::endpoint::parse(x.bind);
    if (!at || at->port() == 0)
      continue; // the listener says what is wrong
    const bool mine = std::any_of(ours.begin(), ours.end(), [&](const auto& y) {
      const auto its = y.kind == actors::listener_kind::local
                         ? std::nullopt
                         : net::endpoint::parse(y.bind);
      return its && its->overlaps(*at);
    });
    if (mine)
      continue;
    if (const auto error = net::probe(*at))
      throw std::runtime_error(
        "listener " + x.id() + " cannot listen on " + at->to_string() + ": "
        + error.message() + "; choose another address with listeners."
        + std::string{x.kind_name()} + '.' + x.name + ".bind");
  }
}

/// Keeps what `f` throws for the report of all that is wrong.
template <class F>
void attempt(std::vector<std::string>& problems, F&& f) {
  try {
    f();
  } catch (const std::runtime_error& e) {
    problems.emplace_back(e.what());
  }
}

/// What `from` says, if that is without mistakes; `report` gets the mistakes,
/// and how the settings differ from those in force.
std::optional<config::settings> read_settings(const config::sources& from,
                                              const config::settings& in_force,
                                              reload_report& report) {
  auto read = config::load(from);
  if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
    for (const auto& x : *problems)
      report.problems.push_back(config::to_string(x));
    return std::nullopt;
  }
  auto& loaded = std::get<config::loaded>(read);
  report.warnings = std::move(loaded.warnings);
  for (auto& x : config::diff(in_force, loaded.values))
    (x.when == config::reload::hot ? report.changes : report.waiting)
      .push_back(std::move(x));
  return std::move(loaded.values);
}

} // namespace

broker::broker(const config::sources& sources, const config::settings& settings,
               log_writer& log, service_manager& manager,
               asio::io_context& control)
  : sources_(sources),
    settings_(settings),
    log_(log),
    manager_(manager),
    control_(control),
    access_(settings),
    bans_(std::filesystem::path{settings.node.data_dir} / "bans.jsonl", log,
          control),
    ocsp_(log,
          [this](bool good) {
            auto& on = *node_->shared().homes.front();
            on.post([&on, good] {
              auto& numbers = on.numbers();
              actors::count(good ? numbers.ocsp_good : numbers.ocsp_failed);
            });
          }),
    http_(control_, {settings.node.name, [this] { return stopping_; },
                     [this] { return observe(*node_); }}),
    workers_(control),
    ctl_(control_, settings.ctl.group_access,
         [this](std::string_view request, const std::string& by,
                const ctl_server::reply& done) { answer(request, by, done); }) {
}

broker::~broker() {
  if (stopper_.joinable())
    stopper_.join();
}

void broker::start() {
  const auto socket =
    ctl_socket_path(settings_.node.data_dir, settings_.ctl.socket);
  ctl_.open(socket);
  if (settings_.http.enable)
    http_.open(settings_.http.bind);
  access::prepared may;
  std::vector<std::string> problems;
  attempt(problems, [&] { may = access::read(settings_); });
  for (const auto& x : may.warnings)
    log_.warning("config", config::to_string(x));
  attempt(problems, [&] { listeners_ = listeners_of(settings_, {}); });
  if (!problems.empty())
    throw start_error(exit_configuration,
                      boost::algorithm::join(problems, "\n"));
  refuse_taken_addresses(listeners_, {});
  auto options = node_options_of(settings_, listeners_);
  options.admission = admission_of(settings_);
  options.access = access_.put_in_force(std::move(may));
  if (options.storage)
    options.storage->on_failure = [this](std::string_view what) {
      // Whoever goes on would acknowledge what is not there.
      log_.error("storage", std::string{what}
                              + "; the broker ends at once, with exit code "
                              + std::to_string(exit_storage)
                              + ". Mend the disk, or make room, and start it "
                                "again: nothing that was acknowledged is "
                                "lost, unless its data is damaged");
      log_.flush();
      std::_Exit(exit_storage);
    };
  // Not before: a node that was made has to be started to end.
  node_.emplace(std::move(options),
                [this](const actors::log_line& line) { log_.write(line); });
  try {
    bans_.load(node_->admission());
  } catch (const std::runtime_error& e) {
    throw start_error(exit_storage, e.what());
  }
  node_->start();
  node_->on_bans_changed([this] { bans_.changed(); });
  bans_.watch();
  health_.emplace(control_, *node_, log_, settings_);
  health_->start();
  for (const auto& x : node_->listeners())
    tell_address(x.id, x.address);
  if (settings_.http.enable) {
    tell_address("http", http_.address());
    http_.start();
  }
  ocsp_.set(ocsp_jobs_of(settings_, listeners_));
  say_who_may_come();
  ctl_.start();
  announce("ready");
  manager_.ready(
    "Serving clients on " + std::to_string(node_->listeners().size())
    + (node_->listeners().size() == 1 ? " listener" : " listeners"));
  watch();
}

void broker::say_who_may_come() const {
  const bool knows =
    !settings_.auth_users.file.empty() || settings_.auth_certificate.enable;
  if (!knows && !settings_.root_keys.allow_anonymous)
    log_.info("access",
              "there are no users (auth.users.file): whoever is on this "
              "machine may connect to listeners on loopback addresses and "
              "Unix sockets, nobody to others");
  if (settings_.auth_acl.file.empty())
    log_.info("access", "there are no access rules (auth.acl.file): clients "
                        "may publish and subscribe to everything");
}

void broker::run() {
  const auto work = asio::make_work_guard(control_);
  control_.run();
  if (stopper_.joinable())
    stopper_.join();
}

void broker::stop() {
  if (stopping_)
    return;
  stopping_ = true;
  if (watchdog_)
    watchdog_->stop();
  if (health_)
    health_->stop();
  bans_.stop();
  ocsp_.stop();
  manager_.stopping("Telling clients and writing what is under way",
                    settings_.node.shutdown_timeout);
  node_->shared().no_more_questions = true;
  stopper_ = std::thread([this] {
    workers_.join();
    access_.stop();
    node_->stop();
    control_.stop();
  });
}

void broker::watch() {
  if (manager_.watchdog().count() == 0)
    return;
  watchdog_.emplace(
    control_, node_->options().actors.reactors, manager_.watchdog(),
    watchdog::handlers{
      [this](const std::function<void(std::size_t)>& answered) {
        node_->on_each_reactor(answered);
      },
      [this] { manager_.alive(); },
      [this](const std::string& what) { log_.warning("watchdog", what); }});
  watchdog_->start();
}

void broker::tell_address(const std::string& of, const std::string& address) {
  announce("listening on " + of + ' ' + address);
  log_.info("listening", of + ' ' + address);
}

// ---- reading the configuration again ---------------------------------------

namespace {

/// A line: the first settings by name.
std::string changes_of(const reload_report& report) {
  constexpr std::size_t named = 20;
  const auto& all = report.changes;
  if (all.empty())
    return "no setting has changed";
  auto text =
    std::to_string(all.size())
    + (all.size() == 1 ? " setting has changed: " : " settings have changed: ");
  for (std::size_t i = 0; i < std::min(named, all.size()); ++i)
    text += (i == 0 ? "" : ", ") + all[i].key;
  return all.size() <= named ? text : text + " and others";
}

} // namespace

reload_report broker::reload() {
  if (stopping_)
    return {{}, {}, {}, {"the broker is stopping"}};
  manager_.reloading();
  auto report = try_to_reload();
  manager_.ready("Serving clients on "
                 + std::to_string(node_->listeners().size()) + " listeners");
  for (const auto& x : report.problems)
    log_.error("reload", x);
  if (!report.problems.empty()) {
    log_.error("reload", "nothing was changed: mend what is above and reload "
                         "again");
    return report;
  }
  for (const auto& x : report.warnings)
    log_.warning("config", config::to_string(x));
  for (const auto& x : report.waiting)
    log_.warning("reload", x.key + " waits for a restart of the broker");
  log_.info("reload", "users, rules and certificates were read again; "
                        + changes_of(report));
  return report;
}

reload_report broker::try_to_reload() {
  reload_report report;
  const auto read = read_settings(sources_, settings_, report);
  if (!read)
    return report;
  const auto now = config::with_cold_of(settings_, *read);
  access::prepared may;
  std::vector<actors::listener_options> listeners;
  attempt(report.problems, [&] { may = access::read(now); });
  report.warnings.insert(report.warnings.end(), may.warnings.begin(),
                         may.warnings.end());
  attempt(report.problems, [&] {
    listeners = listeners_of(now, listeners_);
    refuse_taken_addresses(listeners, listeners_);
  });
  if (!report.problems.empty())
    return report;
  const auto before = node_->listeners();
  attempt(report.problems, [&] {
    const auto options = node_options_of(now, listeners);
    node_->change({options.mqtt, listeners, options.sys_message_interval,
                   options.sys_heartbeat_interval, admission_of(now)});
  });
  if (!report.problems.empty())
    return report;
  node_->set_access(access_.put_in_force(std::move(may)));
  node_->set_observation(observation_of(now));
  health_->change(now, listeners);
  log_.set_limits(now.log);
  settings_ = now;
  listeners_ = std::move(listeners);
  ocsp_.set(ocsp_jobs_of(settings_, listeners_));
  for (const auto& x : node_->listeners()) {
    const bool there =
      std::any_of(before.begin(), before.end(), [&](const auto& y) {
        return y.id == x.id && y.address == x.address;
      });
    if (!there)
      tell_address(x.id, x.address);
  }
  return report;
}

reload_report broker::compare(const std::string& name,
                              const std::string& text) const {
  reload_report report;
  auto from = sources_;
  from.file = name;
  from.text = text;
  read_settings(from, settings_, report);
  return report;
}

// ---- ctl -------------------------------------------------------------------

void broker::answer(std::string_view request, const std::string& by,
                    const ctl_server::reply& done) {
  if (stopping_)
    return done(
      ctl_reply(ctl_failure{exit_unavailable, "the broker is stopping"}));
  auto read = read_ctl(request, by);
  if (auto* why = std::get_if<ctl_failure>(&read))
    return done(ctl_reply(std::move(*why)));
  auto& asked = std::get<ctl_request>(read);
  const auto tell = [this](const ctl_request& what, ctl_answer answer) {
    if (const auto text = account_of(what, answer); !text.empty())
      log_.audit(text);
    return ctl_reply(std::move(answer));
  };
  if (const auto* action = std::get_if<ctl_action>(&asked.command->answer))
    return done(tell(asked, (*action)(*this, asked.with)));
  const auto question = std::get<ctl_question>(asked.command->answer);
  try {
    workers_.run(
      [this, question, tell, asked = std::move(asked)] {
        try {
          return tell(asked, question(*node_, asked.with));
        } catch (const std::exception& e) { // of the disk
          return tell(asked, ctl_failure{exit_storage, e.what()});
        }
      },
      done);
  } catch (const std::system_error& e) {
    done(ctl_reply(
      ctl_failure{exit_unavailable,
                  std::string{"there is no thread for it: "} + e.what()}));
  }
}

} // namespace troupe::server
