#!/usr/bin/env python3
"""The configuration that the package brings."""

import os
import pathlib
import re
import tempfile
import unittest

from broker import troupe
from unit_file import Unit

FILE = pathlib.Path(os.environ["TROUPE_SOURCE_DIR"], "packaging",
                    "troupe.toml")


class ConfigurationTest(unittest.TestCase):
    def shown(self, path):
        answer = troupe("config", "show", "--config", path)
        self.assertEqual("", answer.stderr)
        return answer.stdout

    def all_keys(self):
        """The file with every key that it only mentions."""
        return re.sub(r"^#(\w+ = )", r"\1", FILE.read_text(), flags=re.M)

    def test_it_is_sound_without_a_warning(self):
        answer = troupe("config", "check", "--config", FILE)
        self.assertEqual("the configuration is sound\n", answer.stdout)

    def test_only_this_machine_can_connect(self):
        addresses = re.findall(r'^bind = "(.*)"$', self.shown(FILE), re.M)
        self.assertEqual(2, len(addresses))
        for x in addresses:
            self.assertTrue(x.startswith("127.0.0.1:"), x)

    def test_its_files_are_where_the_unit_has_directories(self):
        unit, shown = Unit(), self.shown(FILE)
        state, run = unit["StateDirectory"], unit["RuntimeDirectory"]
        self.assertIn(f'data_dir = "/var/lib/{state}"\n', shown)
        self.assertIn(f'socket = "/run/{run}/troupe.sock"\n', shown)
        self.assertIn(f'file = "/var/log/{unit["LogsDirectory"]}/',
                      self.all_keys())
        self.assertEqual(str(pathlib.Path("/etc", unit[
            "ConfigurationDirectory"], FILE.name)), unit.command()[-1])

    def test_what_it_only_mentions_is_right_too(self):
        text = self.all_keys()
        self.assertNotEqual(text, FILE.read_text())
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            self.shown(file.name)

    def test_keys_that_are_mentioned_have_their_default(self):
        """A limit and the log's file and format, which have none, apart."""
        defaults = troupe("config", "show").stdout
        for line in re.findall(r"^#(\w+ = .*)$", FILE.read_text(), re.M):
            if line.split()[0] not in ("max_connections", "max_conn_rate",
                                       "format", "file"):
                self.assertIn("\n" + line + "\n", "\n" + defaults)


if __name__ == "__main__":
    unittest.main()
