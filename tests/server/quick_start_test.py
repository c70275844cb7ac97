#!/usr/bin/env python3
"""The secure quick start of README.md, typed as it stands there."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from broker import PROGRAM, wait_until
from ports import free_port

README = pathlib.Path(os.environ["TROUPE_SOURCE_DIR"]) / "README.md"


def blocks():
    """What is to be typed into the three terminals."""
    text = README.read_text()
    begin = text.index("\n## Secure in ten lines\n")
    text = text[begin:text.index("\n## ", begin + 1)]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)


class QuickStartTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-quick-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.port = free_port()
        self.processes = 0

    def prepare(self, text):
        """Other ports: those of the document may be in use."""
        text = text.replace("0.0.0.0:8883", f"127.0.0.1:{self.port}")
        text = text.replace("-p 8883", f"-p {self.port}")
        return text.replace("troupe serve", "exec troupe serve --set "
                            "listeners.tcp.default.enable=false --set "
                            "http.enable=false")

    def type(self, text):
        """@returns the process and where its output is."""
        self.processes += 1
        output = self.directory / f"output-{self.processes}"
        with open(output, "wb") as to:
            process = subprocess.Popen(
                ["bash", "-euc", self.prepare(text)], cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=to, stderr=to,
                env={**os.environ, "PATH": str(pathlib.Path(PROGRAM).parent)
                     + ":" + os.environ["PATH"]}, start_new_session=True)

        def end():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
        self.addCleanup(end)
        return process, output

    def run_to_end(self, text):
        process, output = self.type(text)
        return process.wait(20), output.read_text()

    def test_a_new_user_can_type_it(self):
        serve, subscribe, publish = blocks()
        _, output = self.type(serve)
        wait_until(lambda: "ready\n" in output.read_text(),
                   "it does not start")
        _, heard = self.type(subscribe.replace("mosquitto_sub",
                                               "exec stdbuf -oL mosquitto_sub -d"))
        wait_until(lambda: "SUBACK" in heard.read_text(), heard.read_text())
        self.assertEqual((0, ""), self.run_to_end(publish))
        wait_until(lambda: "plant/machine-7/temperature 21.5"
                   in heard.read_text(), heard.read_text())
        # What the text below says: a wrong password, another's topic.
        code, said = self.run_to_end(publish.replace("7 secret", "7 guess"))
        self.assertNotEqual(0, code)
        self.assertIn("bad user name or password", said)
        code, said = self.run_to_end(
            publish.replace("mosquitto_pub", "mosquitto_pub -V 5 -q 1")
            .replace("plant/machine-7", "plant/machine-8"))
        self.assertIn("Not authorized", said)
        self.assertNotIn("machine-8", heard.read_text())
        # And without TLS's authority nobody is believed.
        code, said = self.run_to_end(publish.replace(
            "--cafile certs/ca.pem", "--capath /nonexistent"))
        self.assertNotEqual(0, code)

    def test_it_is_ten_lines(self):
        lines = [x for x in blocks()[0].splitlines() if x.strip()]
        self.assertLessEqual(len(lines), 12)


if __name__ == "__main__":
    unittest.main()
