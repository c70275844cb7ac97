#include "server/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

namespace troupe::server {

namespace {

// What a shell offers as the value of an option or in a place.
enum class offer { nothing, files, directories };

offer offer_of(const command_option& x) {
  if (x.value == "DIR" || x.value == "BACKUP")
    return offer::directories;
  if (x.value == "FILE" || x.value == "PATH")
    return offer::files;
  return offer::nothing;
}

/// In single quotes, for any of the shells.
std::string quoted(std::string_view text, std::string_view apostrophe) {
  std::string made = "'";
  for (const char c : text)
    if (c == '\'')
      made += apostrophe;
    else
      made += c;
  return made + '\'';
}
std::string sh(std::string_view text) { return quoted(text, "'\\''"); }
std::string fish(std::string_view text) {
  std::string made;
  for (const char c : text)
    made.append(c == '\\' ? 2 : 1, c);
  return quoted(made, "\\'");
}

/// `'troupe serve' | 'troupe ctl'`, or something that no word matches.
std::string alternatives(const std::vector<std::string>& all) {
  std::string made;
  for (const auto& x : all)
    made += (made.empty() ? "" : " | ") + sh(x);
  return made.empty() ? "''" : made;
}

/// The paths of all commands but the topmost.
std::vector<std::string> commands_below(const command_node& of) {
  std::vector<std::string> all;
  for_each_command(of, [&](const command_node& x) {
    if (&x != &of)
      all.push_back(x.path);
  });
  return all;
}

/// `PATH OPTION` of all options that take a value and offer what is asked.
std::vector<std::string> valued(const command_node& of,
                                const std::function<bool(offer)>& which) {
  std::vector<std::string> all;
  for_each_command(of, [&](const command_node& x) {
    for (const auto& option : x.options)
      if (!option.value.empty() && which(offer_of(option)))
        for (const auto& name : option.names)
          all.push_back(x.path + ' ' + name);
  });
  return all;
}
std::vector<std::string> valued(const command_node& of, offer which) {
  return valued(of, [which](offer x) { return x == which; });
}
std::vector<std::string> all_valued(const command_node& of) {
  return valued(of, [](offer) { return true; });
}

offer offer_of_places(const command_node& x) {
  return x.places.empty() ? offer::nothing : offer_of(x.places.front());
}

} // namespace

std::string bash_completion(const command_node& of) {
  std::string cases;
  for_each_command(of, [&](const command_node& x) {
    std::string words;
    for (const auto& one : x.below)
      words += (words.empty() ? "" : " ") + one.name;
    std::string options;
    for (const auto& one : x.options)
      for (const auto& name : one.names)
        options += (options.empty() ? "" : " ") + name;
    const auto place = offer_of_places(x);
    cases += fmt::format("    {})\n      words={} options={} offer={} ;;\n",
                         sh(x.path), sh(words), sh(options),
                         place == offer::directories ? "-d"
                         : place == offer::files     ? "-f"
                                                     : "''");
  });
  return fmt::format(
    R"(# Completion of {0} for bash, printed by `{0} completion bash`.
_{0}() {{
  local at={0} current=${{COMP_WORDS[COMP_CWORD]}} i=1 words= options= offer=
  local before=${{COMP_WORDS[COMP_CWORD-1]}}
  # bash takes the = of --config=FILE for a word.
  if [[ $current == = ]]; then
    current=
  elif [[ $before == = ]]; then
    before=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  while ((i < COMP_CWORD)); do
    case "$at ${{COMP_WORDS[i]}}" in
      {1})
        at="$at ${{COMP_WORDS[i]}}" ;;
      {2})
        [[ ${{COMP_WORDS[i+1]}} != = ]] || ((++i))
        ((++i)) ;;
    esac
    ((++i))
  done
  COMPREPLY=()
  case "$at $before" in
    {3})
      offer=-f ;;
    {4})
      offer=-d ;;
    {5})
      return ;;
  esac
  if [[ -n $offer ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen $offer -- "$current")
    return
  fi
  case $at in
{6}  esac
  if [[ $current == -* || ( -z $words && -z $offer ) ]]; then
    words=$options offer=
  fi
  if [[ -n $offer ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen $offer -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}}
complete -F _{0} {0}
)",
    of.name, alternatives(commands_below(of)), alternatives(all_valued(of)),
    alternatives(valued(of, offer::files)),
    alternatives(valued(of, offer::directories)),
    alternatives(valued(of, offer::nothing)), cases);
}

std::string zsh_completion(const command_node& of) {
  std::string cases;
  for_each_command(of, [&](const command_node& x) {
    cases += "    " + sh(x.path) + ")\n      commands=(";
    for (const auto& one : x.below)
      cases += sh(one.name + ':' + one.help) + ' ';
    cases += ")\n      options=(";
    for (const auto& one : x.options)
      for (const auto& name : one.names)
        cases += sh(name + ':' + one.help) + ' ';
    const auto place = offer_of_places(x);
    cases +=
      fmt::format(")\n      place={} ;;\n", place == offer::directories ? "dir"
                                            : place == offer::files     ? "file"
                                                                        : "''");
  });
  return fmt::format(
    R"(#compdef {0}
# Completion of {0} for zsh, printed by `{0} completion zsh`.
_{0}() {{
  local at={0} place=
  local -i i=2
  local -a commands options
  while (( i < CURRENT )); do
    case "$at ${{words[i]}}" in
      {1})
        at="$at ${{words[i]}}" ;;
      {2})
        (( ++i )) ;;
    esac
    (( ++i ))
  done
  case "$at ${{words[CURRENT-1]}}" in
    {3})
      _files; return ;;
    {4})
      _files -/; return ;;
    {5})
      _message value; return ;;
  esac
  case $at in
{6}  esac
  if [[ $PREFIX == -* || ( $#commands -eq 0 && -z $place ) ]]; then
    _describe option options
  elif [[ $place == dir ]]; then
    _files -/
  elif [[ $place == file ]]; then
    _files
  else
    _describe command commands
  fi
}}
if [[ ${{funcstack[1]}} == _{0} ]]; then
  _{0} "$@"
else
  compdef _{0} {0}
fi
)",
    of.name, alternatives(commands_below(of)), alternatives(all_valued(of)),
    alternatives(valued(of, offer::files)),
    alternatives(valued(of, offer::directories)),
    alternatives(valued(of, offer::nothing)), cases);
}

std::string fish_completion(const command_node& of) {
  const auto listed = [](const std::vector<std::string>& all) {
    std::string made;
    for (const auto& x : all)
      made += ' ' + fish(x);
    return made;
  };
  auto text = fmt::format(
    R"(# Completion of {0} for fish, printed by `{0} completion fish`.
function __{0}_at
    set -l at {0}
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch "$at $word"
            case{1}
                set at "$at $word"
            case{2}
                set value yes
        end
    end
    test "$at" = "$argv[1]"
end
complete -c {0} -f
)",
    of.name, listed(commands_below(of)), listed(all_valued(of)));
  for_each_command(of, [&](const command_node& x) {
    const auto begin =
      fmt::format("complete -c {} -n {}", of.name,
                  fish(fmt::format("__{}_at {}", of.name, fish(x.path))));
    for (const auto& one : x.below)
      text +=
        fmt::format("{} -a {} -d {}\n", begin, fish(one.name), fish(one.help));
    for (const auto& one : x.options) {
      text += begin;
      for (const auto& name : one.names)
        text += name.starts_with("--") ? " -l " + name.substr(2)
                                       : " -s " + name.substr(1);
      if (!one.value.empty())
        text += offer_of(one) == offer::nothing ? " -x" : " -r -F";
      text += " -d " + fish(one.help) + '\n';
    }
    if (offer_of_places(x) != offer::nothing)
      text += begin + " -F\n";
  });
  return text;
}

} // namespace troupe::server
