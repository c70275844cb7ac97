#!/usr/bin/env python3
"""Runs the modes of troupe-bench that are about what a broker keeps, against
Troupe. What is published has to balance with what is acknowledged and read.

usage: durable_test.py PATH/TO/troupe-bench [unittest arguments]
The environment variable TROUPE_PROGRAM names the broker.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from faulty_broker import FaultyBroker
from program_test import MOSQUITTO, Mosquitto

BENCH = ""
SHORT = ["--duration", "0.4", "--warmup", "0.1"]
LOST, BAD_OPTIONS = 1, 2
FAULTS = ("lost", "duplicates", "out_of_order", "foreign", "refused",
          "disconnects", "stalls", "sessions_absent")


class Troupe:
    def __init__(self, *settings):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        command = [os.environ["TROUPE_PROGRAM"], "serve", "--data-dir",
                   str(pathlib.Path(self.folder.name) / "data")]
        for each in ("listeners.tcp.default.bind=127.0.0.1:0",
                     "http.enable=false", *settings):
            command += ["--set", each]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on tcp\S* .*:(\d+)", line):
                self.port = int(found[1])
            if line.strip() == "ready":
                return
        self.close()
        raise AssertionError("troupe did not start")

    def file_system(self):
        return subprocess.run(
            ["stat", "--file-system", "--format=%T", self.folder.name],
            capture_output=True, text=True).stdout.strip()

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        self.folder.cleanup()


def bench(broker, *args):
    return subprocess.run(
        [BENCH, *map(str, args), "--port", str(broker.port), "--pid",
         str(broker.process.pid), "--json"],
        capture_output=True, text=True, timeout=120)


class DurableTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Troupe("mqtt.max_mqueue_len=infinity")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def run_clean(self, *args):
        done = bench(self.broker, *args)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        found = json.loads(done.stdout)
        for fault in FAULTS:
            self.assertEqual(found[fault], 0, fault)
        self.assertTrue(found["ok"])
        self.assertEqual(found["mode"], args[0])
        whole = found["whole_run"]
        self.assertEqual(whole["expected"], whole["delivered"])
        self.assertGreater(found["broker"]["resident_bytes"]["before"], 0)
        return found

    def check_rate(self, found):
        self.assertGreater(found["deliveries"], 0)
        self.assertGreater(found["broker"]["cpu_s"], 0)
        self.assertAlmostEqual(
            found["deliveries_per_s"], found["deliveries"] / found["elapsed_s"],
            delta=found["deliveries_per_s"] * 0.01)

    def test_durable(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                found = self.run_clean("durable", "-n", 10, "--version",
                                       version, *SHORT)
                self.check_rate(found)
                self.assertEqual(found["set_up"]["sessions"], 10)
                self.assertEqual(found["deliveries"], found["acknowledged"])
                whole = found["whole_run"]
                self.assertEqual(whole["published"], whole["delivered"])

    def test_durable_with_one_in_flight(self):
        found = self.run_clean("durable", "-n", 1, "--inflight", 1, *SHORT)
        # Of those in the window, one each is sent before and after it.
        self.assertAlmostEqual(found["latency_us"]["count"],
                               found["acknowledged"], delta=1)
        self.assertGreater(found["latency_us"]["p50"], 0)

    def test_durable_without_the_return(self):
        found = self.run_clean("durable", "-n", 2, "--no-check", *SHORT)
        self.check_rate(found)

    def test_durable_pairs(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                found = self.run_clean("pairs", "-n", 5, "--durable", "--qos",
                                       1, "--version", version, *SHORT)
                self.check_rate(found)
                self.assertTrue(found["options"]["durable"])

    def test_subscribe(self):
        found = self.run_clean("subscribe", "-n", 101, "--threads", 2)
        self.check_rate(found)
        self.assertEqual(found["deliveries"], 101)
        self.assertEqual(found["latency_us"]["count"], 101)

    def test_resume(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                found = self.run_clean("resume", "-n", 50, "--messages", 30,
                                       "--publishers", 7, "--version", version)
                self.check_rate(found)
                self.assertEqual(found["deliveries"], 1500)
                self.assertEqual(found["set_up"]["acknowledged"], 1500)

    def test_more_publishers_than_sessions(self):
        found = self.run_clean("resume", "-n", 3, "--messages", 2,
                               "--publishers", 7)
        self.assertEqual(found["deliveries"], 6)

    def test_retained(self):
        for qos in (0, 1):
            with self.subTest(qos=qos):
                found = self.run_clean(
                    "retained", "-n", 2500, "--publishers", 7, "--readers", 2,
                    "--settle", 0, "--qos", qos, "--topic-prefix", f"q{qos}/")
                self.check_rate(found)
                self.assertEqual(found["deliveries"], 5000)
                self.assertEqual(found["set_up"]["acknowledged"], 2500)
                self.assertIn("bytes_per_message", found["broker"])

    def test_resume_without_the_return(self):
        found = self.run_clean("resume", "-n", 20, "--messages", 5,
                               "--publishers", 2, "--no-check")
        self.assertEqual(found["deliveries"], 0)
        self.assertEqual(found["set_up"]["acknowledged"], 100)

    def test_broadcast(self):
        for version, rate in (("3.1.1", 0), ("5", 500)):
            with self.subTest(version=version, rate=rate):
                found = self.run_clean(
                    "broadcast", "-n", 200, "--publishers", 3, "--readers", 7,
                    "--rate", rate, "--version", version, "--quiet", 0.5,
                    "--duration", 1, "--topic-prefix", f"b{version}/")
                self.check_rate(found)
                self.assertEqual(found["set_up"]["sessions"], 200)
                whole = found["whole_run"]
                self.assertEqual(whole["expected"], 7 * whole["published"])
                if rate:
                    self.assertAlmostEqual(whole["published"], rate, delta=50)
                disk = found["disk"]
                self.assertGreater(disk["quiet_s"],
                                   found["from_s"] + 1 + 0.5 - 0.01)
                # What is acknowledged is on the disk, if it is one.
                if self.broker.file_system() != "tmpfs":
                    self.assertGreater(disk["written_bytes"],
                                       whole["published"] * 1024)
                self.assertAlmostEqual(
                    disk["written_bytes_per_message"],
                    disk["written_bytes"] / whole["published"], places=3)

    def test_sessions(self):
        found = self.run_clean("sessions", "-n", 300, "--settle", 0)
        self.assertEqual(found["set_up"]["sessions"], 300)
        self.assertIn("bytes_per_session", found["broker"])


class LossTest(unittest.TestCase):
    @unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
    def test_messages_beyond_the_queue_are_lost(self):
        broker = Mosquitto("allow_anonymous true", "max_inflight_messages 10",
                           limit=20)
        try:
            done = bench(broker, "resume", "-n", 5, "--messages", 60,
                         "--drain", 0.3)
        finally:
            broker.close()
        self.assertEqual(done.returncode, LOST, done.stderr)
        found = json.loads(done.stdout)
        self.assertGreaterEqual(found["lost"], 5 * 30)
        self.assertEqual(found["out_of_order"], 0)
        self.assertEqual(found["lost"] + found["deliveries"], 5 * 60)

    def test_sessions_that_are_forgotten(self):
        # The broker with faults knows no sessions.
        def take(n, packet):
            return []
        with FaultyBroker(take, suback_qos=1) as broker:
            done = subprocess.run(
                [BENCH, "durable", "-n", "1", "--port", str(broker.port),
                 "--drain", "0.3", "--json", "--warmup", "0", "--duration",
                 "0.2"], capture_output=True, text=True, timeout=60)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, LOST)
        self.assertEqual(found["sessions_absent"], 1)
        self.assertEqual(found["lost"], found["whole_run"]["published"])

    def test_bad_options(self):
        for args in (["resume", "--messages", "0"],
                     ["durable", "--duration", "0"],
                     ["retained", "--qos", "2"],
                     ["subscribe", "--own-file-tables"]):
            with self.subTest(args=args):
                done = subprocess.run([BENCH, *args], capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, BAD_OPTIONS)


if __name__ == "__main__":
    BENCH = sys.argv.pop(1)
    unittest.main()
