#!/usr/bin/env python3
"""The unit of the service, without a systemd that runs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import sandbox
from broker import PROGRAM, Broker, Client, troupe
from unit_file import SOURCE, UNIT, Unit


def analyze(*words):
    if not shutil.which("systemd-analyze"):
        raise unittest.SkipTest("there is no systemd-analyze: install systemd")
    return subprocess.run(["systemd-analyze", *map(str, words)],
                          capture_output=True, text=True, timeout=60)


class UnitTest(unittest.TestCase):
    def setUp(self):
        self.unit = Unit()

    def test_systemd_finds_no_mistake(self):
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as folder:
            copy = pathlib.Path(folder, UNIT.name)
            text = UNIT.read_text()
            # Where the program is before it is installed.
            copy.write_text(text.replace("/usr/bin/troupe", PROGRAM))
            answer = analyze("verify", "--man=no", copy)
            self.assertEqual((0, ""), (answer.returncode, answer.stderr))
            copy.write_text(copy.read_text() + "Restrat=always\n")
            self.assertIn("Restrat", analyze("verify", "--man=no",
                                             copy).stderr)

    def test_its_exposure_is_at_most_what_is_stated(self):
        page = (SOURCE / "docs" / "operations.md").read_text()
        stated = re.search(r"exposure level of at most (\d+\.\d)", page)[1]
        answer = analyze("security", "--offline=yes",
                         f"--threshold={round(float(stated) * 10)}", UNIT)
        self.assertEqual(0, answer.returncode, answer.stdout[-200:])
        found = re.search(r"Overall exposure level.*: (\d+\.\d)",
                          answer.stdout)[1]
        self.assertLessEqual(float(found), float(stated))

    def test_its_log_goes_to_the_journal(self):
        """Without a word of its own standard error follows the output."""
        self.assertEqual("null", self.unit["StandardOutput"])
        self.assertEqual("journal", self.unit["StandardError"])

    def test_its_times_fit_the_broker(self):
        shown = troupe("config", "show").stdout
        timeout = re.search(r'^shutdown_timeout = "(\d+)s"$', shown, re.M)[1]
        self.assertGreater(self.unit.seconds("TimeoutStopSec"),
                           int(timeout) + 5)
        self.assertEqual("notify", self.unit["Type"])
        self.assertGreaterEqual(self.unit.seconds("WatchdogSec"), 10)

    def test_what_does_not_mend_itself_is_not_tried_again(self):
        header = (SOURCE / "server" / "exit_codes.hpp").read_text()
        codes = dict(re.findall(r"^  exit_(\w+) = (\d+),", header, re.M))
        self.assertEqual("on-failure", self.unit["Restart"])
        self.assertEqual(
            [codes[x] for x in ("usage", "configuration", "storage")],
            self.unit.words("RestartPreventExitStatus"))

    def test_operators_are_told_every_exit_code(self):
        header = (SOURCE / "server" / "exit_codes.hpp").read_text()
        page = (SOURCE / "docs" / "operations.md").read_text()
        self.assertEqual(re.findall(r"^  exit_\w+ = (\d+),", header, re.M),
                         re.findall(r"^\| (\d) \|", page, re.M))

    def test_its_command_is_one_of_the_program(self):
        self.assertEqual(
            ["/usr/bin/troupe", "serve", "--config",
             "/etc/troupe/troupe.toml"], self.unit.command())


class SandboxTest(unittest.TestCase):
    """The broker with the system calls that the unit leaves to it."""

    def setUp(self):
        analyze("--version")
        self.enter = sandbox.of(Unit())

    def test_forbidden_system_calls_fail_and_file_tables_are_none(self):
        text = ("import ctypes, errno, json, mmap, socket\n"
                "c = ctypes.CDLL(None, use_errno=True)\n"
                "def of(f, *x):\n"
                "    ctypes.set_errno(0)\n"
                "    f(*x)\n"
                "    return errno.errorcode.get(ctypes.get_errno(), '')\n"
                "def rwx():\n"
                "    try: mmap.mmap(-1, 4096, prot=7)\n"
                "    except OSError as e: ctypes.set_errno(e.errno)\n"
                "def packets():\n"
                "    try: socket.socket(socket.AF_NETLINK, 3)\n"
                "    except OSError as e: ctypes.set_errno(e.errno)\n"
                "print(json.dumps({\n"
                "    'files': of(c.unshare, 0x400),\n"
                "    'users': of(c.unshare, 0x10000000),\n"
                "    'mounts': of(c.unshare, 0x20000),\n"
                "    'swap': of(c.swapoff, b'/x'),\n"
                "    'root': of(c.chroot, b'/'),\n"
                "    'rwx': of(rwx), 'netlink': of(packets)}))\n")
        answer = subprocess.run([sys.executable, "-c", text],
                                preexec_fn=self.enter, check=True,
                                capture_output=True, text=True)
        self.assertEqual({"files": "", "users": "EPERM", "mounts": "EPERM",
                          "swap": "EPERM", "root": "EPERM", "rwx": "EPERM",
                          "netlink": "EAFNOSUPPORT"},
                         json.loads(answer.stdout))

    def serves(self, *settings):
        with Broker(*settings, http=True, before=self.enter) as broker:
            with Client(broker.port).connect("away", clean=False,
                                             expiry=600) as away:
                away.subscribe("t/#", 1)
            with Client(broker.port).connect("p") as client:
                for i in range(20):
                    self.assertEqual(
                        0, client.publish_acked(f"t/{i}", b"x" * 10_000,
                                                retain=True))
            with Client(broker.port).connect("away", clean=False,
                                             expiry=600) as away:
                self.assertEqual(20, len(away.take(20)))
            self.assertEqual(20, broker.ask("status")["retained"])
            self.assertEqual(20, broker.metric("troupe_retained_count"))
            copy = broker.directory / "copy"
            self.assertEqual(0, broker.ctl("backup", copy).returncode)
            self.assertTrue(any(copy.iterdir()))
            self.assertEqual(0, broker.end())
            self.assertNotIn("not permitted", broker.log())

    def test_a_broker_serves_stores_backs_up_and_ends(self):
        self.serves()

    def test_so_does_one_whose_reactors_have_file_tables_of_their_own(self):
        self.serves("node.own_file_tables=true", "node.pinning=true",
                    "node.reactors=2")


if __name__ == "__main__":
    os.environ["SYSTEMD_COLORS"] = "0"
    unittest.main()
