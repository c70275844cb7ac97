"""The unit of the service, read as systemd does."""

import os
import pathlib
import shlex

SOURCE = pathlib.Path(os.environ["TROUPE_SOURCE_DIR"])
UNIT = SOURCE / "packaging" / "troupe.service"
UNITS_OF_TIME = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}


class Unit:
    def __init__(self, path=UNIT):
        self.values = {}
        for line in pathlib.Path(path).read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                self.values.setdefault(key, []).append(value)

    def __getitem__(self, key):
        value, = self.values[key]
        return value

    def all(self, key):
        return self.values[key]

    def words(self, key):
        return self[key].split()

    def seconds(self, key):
        text = self[key]
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        return float(number) * UNITS_OF_TIME[text[len(number):]]

    def command(self):
        return shlex.split(self["ExecStart"])
