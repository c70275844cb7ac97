#!/usr/bin/env python3
"""Runs troupe-bench as users do: against Mosquitto, against a broker with
faults, and with mistakes on the command line.

usage: program_test.py PATH/TO/troupe-bench [unittest arguments]
"""

import json
import os
import socket
import subprocess
import sys
import unittest

from faulty_broker import FaultyBroker
from mosquitto import MOSQUITTO, Mosquitto, free_port

BENCH = ""
SHORT = ["--duration", "0.4", "--warmup", "0.1"]
LOST, BAD_OPTIONS, FAILED = 1, 2, 3


def bench(*args):
    return subprocess.run([BENCH, *map(str, args)], capture_output=True,
                          text=True, timeout=120)


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class EveryModeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Mosquitto("allow_anonymous true")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def run_clean(self, mode, *args, times=SHORT):
        done = bench(mode, "--port", self.broker.port, "--pid",
                     self.broker.process.pid, "--json", *times, *args)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        found = json.loads(done.stdout)
        for fault in ("lost", "duplicates", "out_of_order", "foreign",
                      "refused", "disconnects", "stalls"):
            self.assertEqual(found[fault], 0, fault)
        self.assertTrue(found["ok"])
        self.assertEqual(found["mode"], mode)
        return found

    def check_load(self, found):
        self.assertGreater(found["deliveries"], 0)
        self.assertGreater(found["broker"]["cpu_s"], 0)
        self.assertGreater(found["broker"]["resident_bytes"]["before"], 0)
        self.assertGreater(found["generator"]["cpu_ns_per_delivery"], 0)
        self.assertAlmostEqual(
            found["broker"]["deliveries_per_cpu_s"],
            found["deliveries"] / found["broker"]["cpu_s"],
            delta=found["broker"]["deliveries_per_cpu_s"] * 0.01)
        whole = found["whole_run"]
        self.assertEqual(whole["expected"], whole["delivered"])
        latency = found["latency_us"]
        self.assertLessEqual(latency["p50"], latency["p99"])
        self.assertLessEqual(latency["p99"], latency["max"])

    def test_pairs(self):
        for qos in (0, 1, 2):
            for version in ("3.1.1", "5"):
                with self.subTest(qos=qos, version=version):
                    self.check_load(self.run_clean(
                        "pairs", "-n", 5, "--qos", qos, "--version", version))

    def test_pairs_in_threads(self):
        tables = ([] if "TROUPE_BENCH_ONE_FILE_TABLE" in os.environ
                  else ["--own-file-tables"])
        self.check_load(self.run_clean("pairs", "-n", 5, "--threads", 2,
                                       "--qos", 1, *tables))

    def test_pairs_with_large_payloads(self):
        self.check_load(self.run_clean("pairs", "-n", 2, "--payload", 700_000,
                                       "--outstanding", 4))

    def test_paced_pairs(self):
        found = self.run_clean("pairs", "-n", 5, "--rate", 1000, "--qos", 1)
        self.check_load(found)
        self.assertAlmostEqual(found["whole_run"]["published"], 500, delta=1)
        self.assertEqual(found["latency_us"]["count"], 400)
        self.assertEqual(found["schedule_lag_us"]["count"], 400)

    def test_fan_in(self):
        self.check_load(self.run_clean("fan-in", "-n", 50))

    def test_fan_out(self):
        for qos in (0, 1, 2):
            with self.subTest(qos=qos):
                found = self.run_clean("fan-out", "-n", 20, "--publishers", 2,
                                       "--qos", qos)
                self.check_load(found)
                whole = found["whole_run"]
                self.assertEqual(whole["delivered"], 20 * whole["published"])

    def test_shared(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                found = self.run_clean("shared", "--publishers", 5,
                                       "--members", 5, "--version", version)
                self.check_load(found)
                whole = found["whole_run"]
                self.assertEqual(whole["delivered"], whole["published"])

    def test_connect(self):
        found = self.run_clean("connect", "-n", 300, "--threads", 2, times=[])
        self.assertEqual(found["deliveries"], 300)
        self.assertEqual(found["latency_us"]["count"], 300)

    def test_idle(self):
        type(self).broker.close()
        type(self).broker = Mosquitto("allow_anonymous true")  # a fresh heap
        found = self.run_clean("idle", "-n", 2000, "--settle", 0.1, "--source",
                               "127.0.0.2-127.0.0.4", times=[])
        self.assertGreater(found["broker"]["bytes_per_connection"], 0)
        self.assertEqual(found["whole_run"]["published"], 0)

    def test_messages_through_idle_connections(self):
        found = self.run_clean("idle", "-n", 100, "--settle", 0, "--rate", 1000,
                               "--qos", 1, "--keep-alive", 10)
        self.check_load(found)
        self.assertAlmostEqual(found["whole_run"]["published"], 500, delta=1)

    def test_filters(self):
        found = self.run_clean("filters", "-n", 5000, "--clients", 20,
                               "--settle", 0)
        self.check_load(found)
        self.assertIn("bytes_per_filter", found["broker"])

    def test_the_table_names_what_was_measured(self):
        done = bench("pairs", "-n", 2, "--port", self.broker.port, "--pid",
                     self.broker.process.pid, *SHORT)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("deliveries per CPU-second", "p99.9", "lost",
                     "generator CPU"):
            self.assertIn(text, done.stdout)


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class RefusalTest(unittest.TestCase):
    def test_a_refused_client_is_told_why(self):
        broker = Mosquitto("allow_anonymous false")
        try:
            for version in ("3.1.1", "5"):
                done = bench("pairs", "--port", broker.port, "--version",
                             version, *SHORT)
                self.assertEqual(done.returncode, FAILED)
                self.assertIn("not authorized", done.stderr)
        finally:
            broker.close()


class FaultTest(unittest.TestCase):
    """One pair, so that the number of a message is known."""

    def run_with(self, fault, *args):
        with FaultyBroker(fault) as broker:
            return bench("pairs", "-n", 1, "--port", broker.port, "--json",
                         "--rate", 500, "--drain", 0.3, *SHORT, *args)

    def test_a_broker_without_faults(self):
        done = self.run_with(lambda n, packet: [packet])
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_lost_messages(self):
        done = self.run_with(lambda n, packet: [] if n in (3, 50) else [packet])
        self.assertEqual(done.returncode, LOST)
        self.assertEqual(json.loads(done.stdout)["lost"], 2)

    def test_loss_that_is_allowed(self):
        done = self.run_with(lambda n, packet: [] if n == 3 else [packet],
                             "--allow-loss")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["lost"], 1)

    def test_the_last_message_is_lost(self):
        done = self.run_with(lambda n, packet: [packet] if n < 249 else [])
        self.assertEqual(done.returncode, LOST)
        self.assertEqual(json.loads(done.stdout)["lost"], 1)

    def test_duplicates(self):
        done = self.run_with(
            lambda n, packet: [packet] * (3 if n == 20 else 1))
        self.assertEqual(done.returncode, LOST)
        self.assertEqual(json.loads(done.stdout)["duplicates"], 2)

    def test_swapped_messages(self):
        kept = []

        def swap(n, packet):
            if n == 30:
                kept.append(packet)
                return []
            return [packet, *kept] if n == 31 else [packet]
        done = self.run_with(swap)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, LOST)
        self.assertEqual((found["lost"], found["duplicates"],
                          found["out_of_order"]), (0, 0, 1))

    def test_a_closed_loop_survives_a_loss_at_its_end(self):
        # Everything outstanding is lost once; two seconds later it goes on.
        with FaultyBroker(lambda n, packet: [] if 100 <= n < 110
                          else [packet]) as broker:
            done = bench("pairs", "-n", 1, "--port", broker.port, "--json",
                         "--outstanding", 10, "--drain", 0.3, "--warmup", 0,
                         "--duration", 3)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, LOST)
        self.assertEqual((found["lost"], found["stalls"]), (10, 1))
        self.assertGreater(found["deliveries"], 200)

    def test_a_broker_that_closes(self):
        def close(n, packet):
            raise OSError if n == 20 else IndexError if n > 20 else None
        with FaultyBroker(lambda n, packet: [packet] if n < 20
                          else close(n, packet)) as broker:
            done = bench("pairs", "-n", 1, "--port", broker.port, "--json",
                         "--rate", 500, "--drain", 0.3, *SHORT)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode, LOST)
        self.assertEqual(found["disconnects"], 1)


class MistakeTest(unittest.TestCase):
    def check(self, args, status, text):
        done = bench(*args)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)

    def test_options(self):
        for args, text in (
                ([], "subcommand is required"),
                (["paris"], "subcommand is required"),
                (["pairs", "--qos", "3"], "--qos"),
                (["pairs", "--payload", "15"], "--payload"),
                (["pairs", "--version", "4"], "--version"),
                (["pairs", "--port", "99999"], "--port"),
                (["pairs", "--no-such-option"], "--no-such-option"),
                (["pairs", "--duration", "0"], "--duration"),
                (["pairs", "--rate", "-1"], "--rate"),
                (["pairs", "--own-file-tables"], "--threads 2"),
                (["pairs", "-n", "2", "--threads", "3"], "more threads"),
                (["fan-in", "--threads", "2"], "--threads"),
                (["filters", "--clients", "3"], "--clients")):
            with self.subTest(args=args):
                self.check(args, BAD_OPTIONS, text)

    def test_help_is_no_mistake(self):
        for args in (["--help"], ["pairs", "--help"], ["--help-all"]):
            done = bench(*args)
            self.assertEqual(done.returncode, 0)
            self.assertIn("troupe-bench", done.stdout)

    def test_nobody_listens(self):
        self.check(["pairs", "--port", free_port()], FAILED,
                   "Connection refused")

    def test_no_such_process(self):
        self.check(["pairs", "--pid", 1_000_000_000], FAILED, "--pid")

    def test_a_source_that_is_no_address(self):
        self.check(["idle", "--source", "localhost"], FAILED, "--source")

    def test_a_broker_that_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.check(["pairs", "--port", silent.getsockname()[1],
                        "--timeout", 0.3], FAILED, "stopped to answer")


if __name__ == "__main__":
    BENCH = sys.argv.pop(1)
    unittest.main()
