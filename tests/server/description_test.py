#!/usr/bin/env python3
"""Manual pages and completions, compared with what the help says."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from broker import troupe
from help import commands

ALL = commands()


def run(*command, text=None):
    answer = subprocess.run(command, input=text, capture_output=True,
                            text=True, timeout=60)
    assert answer.returncode == 0, answer
    return answer


def plain(roff):
    """Text without fonts and escapes."""
    return re.sub(r"\\f[BIR]", "", roff).replace("\\-", "-") \
        .replace("\\e", "\\").replace("\\&", "")


class HelpTest(unittest.TestCase):
    def test_the_help_has_what_is_compared_here(self):
        paths = {x.path: x for x in ALL}
        self.assertIn("troupe ctl clients show", paths)
        self.assertEqual(["ID"], paths["troupe ctl clients show"].places)
        self.assertIn("--data-dir", paths["troupe serve"].options)
        self.assertGreater(len(ALL), 20)


class ManualTest(unittest.TestCase):
    def formatted(self, page):
        if not shutil.which("man"):
            self.skipTest("there is no man: install man-db")
        with tempfile.NamedTemporaryFile("w", suffix=".1") as file:
            file.write(page)
            file.flush()
            answer = run("man", "--warnings", "-l", file.name)
        self.assertEqual("", answer.stderr)
        return answer.stdout

    def test_troupe_1_has_every_command_option_and_place(self):
        page = troupe("man", "troupe").stdout
        sections = {}
        for part in plain(page).split("\n.SS ")[1:]:
            title, _, body = part.partition("\n")
            words = title.split(" [OPTIONS]")[0].split()
            path = " ".join(x for x in words if not re.match(r"\[?[A-Z]", x))
            sections[path] = title + "\n" + body
        self.assertEqual([x.path for x in ALL[1:]], list(sections))
        for command in ALL[1:]:
            for x in (*command.options, *command.places):
                if x not in ("-h", "--help"):
                    self.assertIn(x, sections[command.path], command.path)
        self.assertIn("--version", plain(page))

    def test_troupe_1_has_every_exit_code(self):
        header = pathlib.Path(os.environ["TROUPE_SOURCE_DIR"],
                              "server/exit_codes.hpp").read_text()
        codes = re.findall(r"^  exit_\w+ = (\d+),", header, re.M)
        part = troupe("man", "troupe").stdout.split('.SH "EXIT STATUS"')[1]
        told = re.findall(r"^\\fB(\d+)\\fR$", part.split("\n.SH")[0], re.M)
        self.assertEqual(codes, told)
        self.assertGreaterEqual(len(codes), 6)

    def test_troupe_toml_5_has_every_setting_with_default_and_help(self):
        page = plain(troupe("man", "troupe.toml").stdout)
        rows = re.findall(r"^\| `([^`]+)` \| `(.*)` \| (.*) \| (hot|cold) "
                          r"\| (.*) \|$",
                          troupe("config", "docs").stdout, re.M)
        self.assertGreater(len(rows), 60)
        for name, default, kind, reload, text in rows:
            text = text.replace("`", "").replace("\\|", "|")
            kind = kind.replace("`", "").replace("\\|", "|")
            default = default.replace("\\|", "|")
            self.assertIn(f".TP\n{name}\n{text}\n.br\n"
                          f"{kind}; default {default}; {reload}\n", page)
        for section in re.findall(r"^## `(.*)`$",
                                  troupe("config", "docs").stdout, re.M):
            self.assertIn(f'.SH "{section}"\n', page)

    def test_the_pages_are_formatted_without_a_warning(self):
        for name in ("troupe", "troupe.toml"):
            text = self.formatted(troupe("man", name).stdout)
            for sign in ("`", "\\f", "| "):
                self.assertNotIn(sign, text)


class Shell:
    """Completes in one shell: its words after `complete`."""

    def __init__(self, name):
        self.name = name
        self.directory = tempfile.mkdtemp(prefix="troupe-test-")
        self.script = pathlib.Path(self.directory, "script")
        self.script.write_text(troupe("completion", name).stdout)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def bash(self, words):
        # As the shell cuts a line into words.
        cut = [x for word in words
               for x in re.split(r"(=)", word) if x or not word]
        text = (f"source {self.script}; COMP_WORDS=(troupe \"$@\"); "
                f"COMP_CWORD=$#; $(complete -p troupe | "
                "sed 's/.*-F \\([^ ]*\\) .*/\\1/'); "
                "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return run("bash", "-c", text, "bash", *cut).stdout

    def zsh(self, words):
        text = ("compdef() { [[ $2 == troupe ]] && made=$1 }\n"
                "_describe() { for x in ${(P)2}; do "
                "[[ $x == $PREFIX* ]] && print -r -- ${x%%:*}; done; true }\n"
                "_files() { if [[ $1 == -/ ]]; then print -lr -- $PREFIX*(N/);"
                " else print -lr -- $PREFIX*(N); fi }\n"
                "_message() { true }\n"
                f"source {self.script}\n"
                "words=(troupe \"$@\"); CURRENT=$#words; PREFIX=$words[-1]\n"
                "$made")
        return run("zsh", "-f", "-c", text, "zsh", *words).stdout

    def fish(self, words):
        text = f"source {self.script}; complete -C \"$argv\""
        line = " ".join(["troupe", *words])
        answer = run("fish", "--no-config", "-c", text, line).stdout
        return "".join(x.split("\t")[0] + "\n" for x in answer.splitlines())

    def complete(self, *words):
        answer = getattr(self, self.name)(words)
        return {x for x in answer.splitlines() if x}


class CompletionTest:
    shell_name = ""

    def setUp(self):
        if not shutil.which(self.shell_name):
            self.skipTest(f"there is no {self.shell_name}: install "
                          f"{self.shell_name}")
        self.shell = Shell(self.shell_name)
        self.addCleanup(self.shell.close)
        os.makedirs(os.path.join(self.shell.directory, "a", "folder"))
        pathlib.Path(self.shell.directory, "a", "file").touch()
        self.at = os.path.join(self.shell.directory, "a", "f")

    def test_every_command_offers_what_is_below_it(self):
        for command in ALL:
            if command.below:
                self.assertEqual(set(command.below),
                                 self.shell.complete(*command.words, ""),
                                 command.path)

    def test_every_command_offers_its_options(self):
        for command in ALL:
            offered = self.shell.complete(*command.words, "--")
            self.assertLessEqual(
                {x for x in command.options if x.startswith("--")}, offered,
                command.path)

    def test_a_prefix_chooses(self):
        self.assertEqual({"clients"}, self.shell.complete("ctl", "cl"))
        self.assertEqual({"show"}, self.shell.complete("config", "s"))
        self.assertEqual(set(), self.shell.complete("ctl", "nonsense"))

    def test_options_of_ctl_are_offered_below_it_too(self):
        self.assertIn("--socket",
                      self.shell.complete("ctl", "clients", "list", "--so"))

    def test_an_option_and_its_value_do_not_lead_astray(self):
        for words in (("--socket", "serve"), ("--json",),
                      ("-d", "clients", "--json")):
            self.assertEqual({"list"},
                             self.shell.complete("ctl", *words, "clients",
                                                 "l"), words)

    def test_files_and_directories_are_offered_where_they_fit(self):
        file, folder = self.at + "ile", self.at + "older"

        def offered(*words):
            return {x.rstrip("/")
                    for x in self.shell.complete(*words, self.at)}

        self.assertEqual({file, folder}, offered("serve", "--config"))
        self.assertEqual({file, folder}, offered("serve", "-c"))
        self.assertIn(folder, offered("serve", "--data-dir"))
        self.assertIn(folder, offered("restore"))

    def test_nothing_is_offered_for_other_values(self):
        self.assertEqual(set(), self.shell.complete("serve", "--set", "--"))


class BashTest(CompletionTest, unittest.TestCase):
    shell_name = "bash"

    def test_an_option_may_have_its_value_behind_an_equals_sign(self):
        self.assertEqual({self.at + "ile", self.at + "older"},
                         self.shell.complete("serve", f"--config={self.at}"))
        self.assertEqual({"list"},
                         self.shell.complete("ctl", "--socket=serve",
                                             "clients", "l"))


class ZshTest(CompletionTest, unittest.TestCase):
    shell_name = "zsh"


class FishTest(CompletionTest, unittest.TestCase):
    shell_name = "fish"

    def test_nothing_is_offered_for_other_values(self):
        # fish offers no files either where a value is asked for.
        offered = self.shell.complete("serve", "--set", self.at)
        self.assertEqual(set(), offered)


if __name__ == "__main__":
    unittest.main()
