#!/usr/bin/env python3
"""Runs a program against a broker of its own.

usage: with_broker.py [--set KEY=VALUE ...] PROGRAM [ARGUMENT ...]

{port} in an argument is the broker's port, {ws} and {wss} those of WebSocket,
{ca} a file with the authority behind the certificate of {wss}. The exit code is the program's; 77
stands for a test that was left out, since what it needs is not installed.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "server"))
from broker import Broker  # noqa: E402
from tls_files import TlsFiles  # noqa: E402


def main(words):
    settings = []
    while words[0] == "--set":
        settings.append(words[1])
        words = words[2:]
    with tempfile.TemporaryDirectory(prefix="troupe-test-") as scratch:
        files = None
        if any("{wss}" in x for x in words):
            files = TlsFiles(scratch)
            settings += files.settings("wss.default")
        if any("{ws}" in x for x in words):
            settings.append("listeners.ws.default.bind=127.0.0.1:0")
        return run(words, settings, files)


def run(words, settings, files):
    with Broker(*settings) as broker:
        known = {"{port}": broker.port,
                 "{ws}": broker.port_of("ws:default"),
                 "{wss}": broker.port_of("wss:default"),
                 "{ca}": files and files.ca}
        command = words
        for name, value in known.items():
            command = [x.replace(name, str(value)) for x in command]
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
