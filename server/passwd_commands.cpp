#include "server/passwd_commands.hpp"

#include "auth/user_file.hpp"
#include "server/exit_codes.hpp"
#include "server/password_input.hpp"
#include "server/table.hpp"
#include "server/text.hpp"

#include <boost/json.hpp>

#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

namespace troupe::server {

namespace {

using table_pointer = std::shared_ptr<const auth::user_table>;

/// What ends a command: printed, with an exit code.
class command_error : public std::runtime_error {
public:
  command_error(int code, const std::string& text)
    : std::runtime_error(text),
      code_(code) {}
  int code() const noexcept { return code_; }

private:
  int code_;
};

std::string text_of(const std::filesystem::filesystem_error& why) {
  const auto what = std::string_view{why.what()};
  // "filesystem error: cannot be read: No such file [path]"
  const auto from = what.find(": ");
  const auto to = what.rfind(" [");
  return why.path1().string() + " "
         + std::string{what.substr(from + 2, to - from - 2)};
}

[[noreturn]] void fail(const std::string& file,
                       const auth::user_problems& problems,
                       std::string_view consequence) {
  for (const auto& x : problems.listed)
    std::fprintf(stderr, "%s\n", printable(x.in(file)).c_str());
  if (problems.count > problems.listed.size())
    std::fprintf(stderr, "%s: and %zu more\n", file.c_str(),
                 problems.count - problems.listed.size());
  throw command_error(exit_configuration,
                      std::to_string(problems.count) + " problem"
                        + (problems.count == 1 ? "" : "s") + " in " + file
                        + std::string{consequence});
}

constexpr std::string_view unchanged = "; nothing is changed";

table_pointer parse(const std::string& file, std::string text,
                    std::string_view consequence) {
  auto read = auth::user_table::parse(std::move(text));
  if (!read)
    fail(file, read.error(), consequence);
  return std::move(read).value();
}

table_pointer load(const std::string& file, std::string_view consequence) try {
  return parse(file,
               auth::read_whole_file(file, auth::user_limits{}.file_bytes),
               consequence);
} catch (const std::filesystem::filesystem_error& why) {
  throw command_error(exit_unavailable, text_of(why));
}

/// A file that is not there yet has no users.
table_pointer load_if_there(const std::string& file) {
  return std::filesystem::exists(file) ? load(file, unchanged)
                                       : parse(file, "", unchanged);
}

void write(const std::string& file, const auth::user_edit& edit) try {
  const auto text = edit.text();
  // What a broker would refuse, too many users for one, is not written.
  parse(file, text, unchanged);
  auth::replace_file(file, text);
} catch (const std::filesystem::filesystem_error& why) {
  throw command_error(exit_storage, text_of(why));
}

/// Makes hashes of many passwords on all cores: each takes long by design.
class hasher {
public:
  hasher(auth::hash_algorithm algorithm, const auth::hash_cost& cost,
         std::uint32_t scram_iterations)
    : algorithm_(algorithm),
      cost_(cost),
      scram_(scram_iterations) {}

  /// @param scram_iterations  0: without SCRAM keys.
  /// @returns what is wrong with the password.
  std::string run(auth::user& into, const std::string& password) {
    auto hash = auth::password_hash::make(algorithm_, cost_, password);
    if (!hash)
      return std::move(hash).error();
    into.hash = hash.value().text();
    into.scram.clear();
    if (scram_ == 0)
      return {};
    if (!auth::scram_prepared(password) || !auth::scram_prepared(into.name)) {
      ++without_scram_;
      return {};
    }
    auto keys = auth::scram_keys::make(password, scram_);
    if (!keys)
      return std::move(keys).error();
    into.scram = keys.value().text();
    return {};
  }

  void run_all(std::vector<auth::imported_user>& all,
               auth::user_problems& problems) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr failed;
    const auto work = [&] {
      try {
        for (auto i = next++; i < all.size(); i = next++) {
          if (!all[i].password)
            continue;
          auto problem = run(all[i].who, *all[i].password);
          const std::lock_guard guard(mutex);
          if (!problem.empty())
            problems.add(all[i].line, std::move(problem));
        }
      } catch (...) {
        const std::lock_guard guard(mutex);
        failed = std::current_exception();
        next = all.size();
      }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i)
      threads.emplace_back(work);
    work();
    for (auto& x : threads)
      x.join();
    if (failed)
      std::rethrow_exception(failed);
  }

  void tell() const {
    if (without_scram_ != 0)
      std::fprintf(stderr,
                   "troupe: %zu user%s without SCRAM keys, which take names "
                   "and passwords of printable ASCII; --no-scram says that "
                   "this is meant\n",
                   without_scram_.load(), without_scram_ == 1 ? "" : "s");
  }

private:
  auth::hash_algorithm algorithm_;
  auth::hash_cost cost_;
  std::uint32_t scram_;
  std::atomic<std::size_t> without_scram_{0};
};

} // namespace

void passwd_commands::add_file(CLI::App& to) {
  to.add_option("FILE", file_, "The file of users")->required();
}

void passwd_commands::add_hashing(CLI::App& to) {
  to.add_option("--algorithm", algorithm_, "How passwords are hashed")
    ->check(CLI::IsMember(
      {"argon2id", "pbkdf2-sha512", "pbkdf2-sha256", "bcrypt", "sha512-crypt"}))
    ->capture_default_str();
  to.add_option("--memory-kib", cost_.memory_kib, "argon2id: memory in KiB")
    ->capture_default_str();
  to.add_option("--passes", cost_.passes, "argon2id: passes over the memory")
    ->capture_default_str();
  to.add_option("--iterations", cost_.iterations, "pbkdf2: iterations")
    ->capture_default_str();
  to.add_option("--bcrypt-cost", cost_.bcrypt_log, "bcrypt: log2 of rounds")
    ->capture_default_str();
  to.add_option("--crypt-rounds", cost_.crypt_rounds, "sha512-crypt: rounds")
    ->capture_default_str();
  to.add_flag("--no-scram", no_scram_,
              "Leave out the keys for SCRAM-SHA-256. With them, whoever "
              "steals the file can try passwords at their price, which is "
              "below that of argon2id: clients compute it");
  to.add_option("--scram-iterations", scram_iterations_,
                "What each client computes when it connects by SCRAM")
    ->capture_default_str();
  to.add_flag("--replace", replace_, "Also change users who are there already");
}

void passwd_commands::add_to(CLI::App& app) {
  passwd_ = app.add_subcommand("passwd", "Work on a file of users");
  passwd_->require_subcommand(1);

  add_ = passwd_->add_subcommand(
    "add", "Add a user; asks for the password on the terminal");
  add_file(*add_);
  add_->add_option("USER", user_, "The user's name")->required();
  auto* from =
    add_
      ->add_option("--password-file", password_file_,
                   "Take the password from a file, - is standard input")
      ->type_name("FILE");
  auto* generate =
    add_->add_flag("--generate", generate_, "Print a random password");
  auto* none = add_->add_flag("--no-password", no_password_,
                              "For who is recognised by a certificate");
  from->excludes(generate)->excludes(none);
  generate->excludes(none);
  auto* super =
    add_->add_flag("--superuser", superuser_, "May do whatever ACLs forbid");
  add_
    ->add_flag("--no-superuser", no_superuser_,
               "With --replace: is no superuser any more")
    ->excludes(super);
  add_hashing(*add_);

  delete_ = passwd_->add_subcommand("delete", "Delete a user");
  add_file(*delete_);
  delete_->add_option("USER", user_, "The user's name")->required();

  import_ = passwd_->add_subcommand(
    "import", "Add the users of a password file of Mosquitto, or of a CSV of "
              "EMQX (user_id,password_hash,salt,is_superuser)");
  add_file(*import_);
  import_->add_option("FROM", from_, "The file to import")->required();
  import_->add_flag("--plain", plain_,
                    "Its lines are user:password, not user:hash");
  import_
    ->add_option("--hashed-with", hashed_with_,
                 "How the hashes of a CSV were made: sha256-suffix, "
                 "sha256-prefix, sha512-..., pbkdf2-sha256:ITERATIONS, ...")
    ->type_name("HOW");
  add_hashing(*import_);

  check_ = passwd_->add_subcommand("check", "Report every problem of a file");
  add_file(*check_);
  auto* list = passwd_->add_subcommand("list", "Print the users of a file");
  add_file(*list);
  list->add_flag("--json", json_, "For programs");
}

int passwd_commands::run() const try {
  if (add_->parsed())
    return add();
  if (delete_->parsed())
    return remove();
  if (import_->parsed())
    return import();
  if (check_->parsed())
    return check();
  return list();
} catch (const command_error& why) {
  std::fprintf(stderr, "troupe: %s\n", printable(why.what()).c_str());
  return why.code();
} catch (const no_password& why) {
  std::fprintf(stderr, "troupe: %s\n", printable(why.what()).c_str());
  return exit_unavailable;
} catch (const std::filesystem::filesystem_error& why) {
  std::fprintf(stderr, "troupe: %s\n", printable(text_of(why)).c_str());
  return exit_unavailable;
} catch (const std::exception& why) {
  std::fprintf(stderr, "troupe: %s\n", why.what());
  return exit_failure;
}

auth::hash_algorithm passwd_commands::algorithm() const {
  using auth::hash_algorithm;
  for (const auto x :
       {hash_algorithm::pbkdf2_sha512, hash_algorithm::pbkdf2_sha256,
        hash_algorithm::bcrypt, hash_algorithm::sha512_crypt})
    if (algorithm_ == to_string(x))
      return x;
  return hash_algorithm::argon2id;
}

std::uint32_t passwd_commands::scram_iterations() const {
  if (auto problem = problem_of(cost_); !problem.empty())
    throw command_error(exit_usage, problem);
  if (scram_iterations_ < auth::scram_keys::iterations_min
      || scram_iterations_ > auth::scram_keys::iterations_max)
    throw command_error(
      exit_usage, "--scram-iterations must be from "
                    + std::to_string(auth::scram_keys::iterations_min) + " to "
                    + std::to_string(auth::scram_keys::iterations_max));
  return no_scram_ ? 0 : scram_iterations_;
}

int passwd_commands::add() const {
  if (auto problem = auth::problem_of_name(user_); !problem.empty())
    throw command_error(exit_usage, problem);
  hasher with{algorithm(), cost_, scram_iterations()};
  const auto refuse_existing = [this](const table_pointer& table) {
    if (!replace_ && table->find(user_))
      throw command_error(exit_failure, user_ + " is in " + file_
                                          + " already: --replace changes it");
  };
  refuse_existing(load_if_there(file_)); // before somebody types in vain
  auth::user made;
  made.name = user_;
  made.hash = "*";
  std::string password;
  if (!no_password_) {
    password = generate_                 ? random_password()
               : !password_file_.empty() ? read_password(password_file_)
                                         : ask_password(user_);
    if (const auto problem = with.run(made, password); !problem.empty())
      throw command_error(exit_usage, problem);
    with.tell();
  }
  const auth::edit_lock lock{file_};
  const auto table = load_if_there(file_);
  refuse_existing(table);
  const auto before = table->find(user_);
  made.superuser =
    superuser_ || (before && before->superuser && !no_superuser_);
  auth::user_edit edit{table};
  edit.put(made);
  write(file_, edit);
  if (generate_)
    std::printf("%s\n", password.c_str());
  auth::wipe(password);
  return exit_success;
}

int passwd_commands::remove() const {
  const auth::edit_lock lock{file_};
  auth::user_edit edit{load(file_, unchanged)};
  if (!edit.remove(user_))
    throw command_error(exit_failure,
                        "there is no user " + user_ + " in " + file_);
  write(file_, edit);
  return exit_success;
}

int passwd_commands::import() const {
  auth::import_options options;
  options.plain = plain_;
  if (!hashed_with_.empty()) {
    auto how = auth::hashed_with::parse(hashed_with_);
    if (!how)
      throw command_error(exit_usage, how.error());
    options.hashes = how.value();
  }
  hasher with{algorithm(), cost_, scram_iterations()};
  auto found = auth::import_users(
    auth::read_whole_file(from_, options.limits.file_bytes), options);
  const auto refuse = [&](const table_pointer& table) {
    if (!replace_)
      for (const auto& x : found.users)
        if (table->find(x.who.name))
          found.problems.add(x.line, "the user is in " + file_
                                       + " already: --replace changes it");
    if (found.problems.count != 0)
      fail(from_, found.problems, unchanged);
  };
  refuse(load_if_there(file_)); // before much is computed in vain
  with.run_all(found.users, found.problems);
  const auth::edit_lock lock{file_};
  const auto table = load_if_there(file_);
  refuse(table);
  auth::user_edit edit{table};
  for (auto& x : found.users)
    edit.put(x.who);
  write(file_, edit);
  with.tell();
  std::printf("%zu user%s imported\n", found.users.size(),
              found.users.size() == 1 ? "" : "s");
  return exit_success;
}

int passwd_commands::check() const {
  const auto table = load(file_, ": mend the lines named");
  const auto rights = std::filesystem::status(file_).permissions();
  if ((rights & std::filesystem::perms::others_read)
      != std::filesystem::perms::none)
    std::printf("%s: everybody may read it; chmod o-r takes that away\n",
                file_.c_str());
  std::printf("%zu user%s, the file is sound\n", table->size(),
              table->size() == 1 ? "" : "s");
  return exit_success;
}

int passwd_commands::list() const {
  const auto users = load(file_, ": mend the lines named");
  server::table rows({"user", "hash", "cost", "superuser", "scram"});
  boost::json::array all;
  users->each([&](const std::string& name, const auto& x) {
    std::string algorithm = "none";
    std::string cost;
    if (const auto hash = auth::password_hash::parse(x.hash)) {
      algorithm = to_string(hash.value().algorithm());
      cost = hash.value().cost_text();
    }
    if (json_)
      all.push_back(boost::json::object{{"user", name},
                                        {"hash", algorithm},
                                        {"cost", cost},
                                        {"superuser", x.superuser},
                                        {"scram", !x.scram.empty()}});
    else
      rows.add({name, algorithm, cost, x.superuser ? "yes" : "no",
                x.scram.empty() ? "no" : "yes"});
  });
  std::printf("%s", json_ ? (boost::json::serialize(all) + "\n").c_str()
                          : rows.text().c_str());
  return exit_success;
}

} // namespace troupe::server
