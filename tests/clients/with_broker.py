#!/usr/bin/env python3
"""Runs a program against a broker of its own.

usage: with_broker.py [--set KEY=VALUE ...] PROGRAM [ARGUMENT ...]

{port} in an argument is the broker's port. The exit code is the program's; 77
stands for a test that was left out, since what it needs is not installed.
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "server"))
from broker import Broker  # noqa: E402


def main(words):
    settings = []
    while words[0] == "--set":
        settings.append(words[1])
        words = words[2:]
    with Broker(*settings) as broker:
        command = [x.replace("{port}", str(broker.port)) for x in words]
        code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
        if code not in (0, 77):
            print("--- the broker's log ends with:")
            print(broker.log()[-4000:])
        if broker.end() != 0:
            print(f"the broker's exit code is {broker.process.returncode}")
            return 1
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
