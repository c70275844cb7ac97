#!/usr/bin/env python3
"""A wall clock that jumps, and a disk that is slow."""

import mmap
import os
import pathlib
import re
import signal
import statistics
import struct
import tempfile
import threading
import time
import unittest

from broker import (PUBACK, Broker, Client, packet, string, wait_until)

LIBRARY = os.environ.get("TROUPE_TEST_FAULTS_LIBRARY", "")
HOUR, DAY, YEAR = 3_600, 86_400, 365 * 86_400
MEGABYTE = 1 << 20


def setUpModule():
    if not os.path.exists(LIBRARY):
        raise unittest.SkipTest("TROUPE_TEST_FAULTS_LIBRARY names no library")


class WithFaults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        file = self.folder / "faults"
        file.write_bytes(bytes(24))
        with open(file, "r+b") as opened:
            self.faults = mmap.mmap(opened.fileno(), 24)
        self.addCleanup(self.faults.close)
        self.env = {"LD_PRELOAD": LIBRARY, "TROUPE_TEST_FAULTS": str(file),
                    # The library may come before the sanitizer's.
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
                    + ":verify_asan_link_order=0"}

    def set_clock(self, ahead_s):
        struct.pack_into("q", self.faults, 0, ahead_s)

    def set_sync_delay(self, seconds):
        struct.pack_into("q", self.faults, 8, int(1000 * seconds))

    def slow_syncs(self):
        return struct.unpack_from("q", self.faults, 16)[0]

    def start(self, *settings):
        self.broker = Broker(*settings, data_dir=self.folder / "data",
                             http=True, env=self.env)
        self.addCleanup(self.broker.close)
        self.addCleanup(self.set_sync_delay, 0)
        self.settings = settings

    def restart(self, *settings, number=signal.SIGTERM):
        self.assertEqual(0 if number == signal.SIGTERM else -number,
                         self.broker.end(number))
        self.start(*(settings or self.settings))

    def client(self, client_id, version=5, **more):
        made = Client(self.broker.port, version)
        self.addCleanup(made.socket.close)
        return made.connect(client_id, clean=False, **more)

    def away(self, client_id, expiry):
        """A session with a subscription that is left alone."""
        with self.client(client_id, expiry=expiry) as client:
            client.subscribe("queue", 1)
            client.send(0xE0)
            self.assertIsNone(client.receive())

    def is_there(self, client_id):
        with self.client(client_id, expiry=YEAR) as client:
            return client.session_present


class ClockTest(WithFaults):
    INFINITE = "durability.max_clock_jump=infinity"

    def jump_of(self):
        return self.broker.metric("troupe_storage_clock_jump_seconds")

    def years_in_log(self):
        """Of the two times that the warning names, as far as there is one."""
        found = re.search(r"the clock shows (\d+)-\S+ \S+ UTC, the last time "
                          r"that is stored is (\d+)-", self.broker.log())
        return found and (int(found[1]), int(found[2]))

    def publish(self, topic, payload, expiry=0, retain=False):
        """With QoS 1 and, unless 0, a Message Expiry Interval."""
        properties = b"\x02" + struct.pack(">I", expiry) if expiry else b""
        with self.client("writer") as writer:
            writer.send(0x32 | retain, string(topic) + b"\0\1"
                        + writer.properties(properties) + payload)
            writer.expect(PUBACK)

    def sessions_become(self, count):
        wait_until(lambda: self.broker.ask("status")["sessions"] == count,
                   f"there are not {count} sessions")

    def retained(self):
        with self.client("fresh") as client:
            client.subscribe("kept", 1)
            self.publish("kept", b"end")
            return [x for _, x in client.take(1)]

    def test_a_clock_a_year_ahead_at_the_start_lets_nothing_expire(self):
        self.start()
        self.assertEqual(0, self.jump_of())
        self.away("reader", 3 * DAY)
        self.publish("queue", b"1")
        self.publish("queue", b"2", expiry=2 * DAY)
        self.set_clock(YEAR)
        self.restart()
        now = time.gmtime().tm_year
        later = time.gmtime(time.time() + YEAR).tm_year
        self.assertEqual((later, now), self.years_in_log())
        self.assertIn(f"--set {self.INFINITE}", self.broker.log())
        self.assertAlmostEqual(YEAR - DAY, self.jump_of(), delta=60)
        with self.client("reader", expiry=3 * DAY) as reader:
            self.assertTrue(reader.session_present)
            self.assertEqual([b"1", b"2"], [x for _, x in reader.take(2)])
        # The clock is set; time goes on, and nothing is wrong any more.
        self.set_clock(0)
        self.restart()
        self.assertTrue(self.is_there("reader"))
        self.assertEqual(0, self.jump_of())

    def test_what_expired_does_where_the_jump_was_real(self):
        self.start()
        self.away("reader", 3 * DAY)
        self.set_clock(YEAR)
        self.restart()
        self.restart(self.INFINITE)
        self.assertEqual(0, self.jump_of())
        self.assertIsNone(self.years_in_log())
        self.sessions_become(0)
        self.assertFalse(self.is_there("reader"))

    def test_a_time_down_that_is_plausible_counts(self):
        self.start()
        self.away("short", HOUR)
        self.away("long", 3 * HOUR)
        self.set_clock(2 * HOUR)
        self.restart()
        self.assertIsNone(self.years_in_log())
        self.assertEqual(0, self.jump_of())
        self.sessions_become(1)
        self.assertFalse(self.is_there("short"))
        self.assertTrue(self.is_there("long"))

    def test_it_is_known_what_was_stored_last_after_a_kill(self):
        """Nothing of it has left the log yet."""
        self.start("storage.flush_interval=10m")
        self.publish("kept", b"1", expiry=2 * DAY, retain=True)
        self.set_clock(YEAR)
        self.restart(number=signal.SIGKILL)
        self.assertIsNotNone(self.years_in_log())
        self.assertEqual([b"1"], self.retained())
        self.restart(self.INFINITE, number=signal.SIGKILL)
        self.assertEqual([b"end"], self.retained())

    def test_a_clock_a_year_behind_at_the_start(self):
        self.start()
        self.away("reader", HOUR)
        self.publish("queue", b"1", expiry=HOUR)
        self.set_clock(-YEAR)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.restart(number=number)
            behind, stored = self.years_in_log()
            self.assertEqual(1, stored - behind)
            self.assertIn("set it", self.broker.log())
        with self.client("reader", expiry=HOUR) as reader:
            self.assertTrue(reader.session_present)
            self.assertEqual([b"1"], [x for _, x in reader.take(1)])
        # Time goes on all the same.
        self.away("brief", 1)
        time.sleep(2.5)
        self.assertFalse(self.is_there("brief"))
        self.assertTrue(self.is_there("reader"))

    def test_a_jump_while_it_runs_changes_nothing(self):
        self.start()
        self.away("reader", 30)
        self.publish("queue", b"1", expiry=30)
        for ahead in (YEAR, -YEAR):
            self.set_clock(ahead)
            self.away("brief", 1)
            time.sleep(2.5)
            self.assertFalse(self.is_there("brief"))
        with self.client("reader", expiry=30) as reader:
            self.assertTrue(reader.session_present)
            self.assertEqual([b"1"], [x for _, x in reader.take(1)])
        self.set_clock(0)
        self.restart()
        self.assertIsNone(self.years_in_log())


class SlowDiskTest(WithFaults):
    DELAY = 0.3

    def setUp(self):
        super().setUp()
        self.start("storage.flush_interval=500ms")
        self.away("reader", DAY)

    def read_all(self, count):
        with self.client("reader", expiry=DAY) as reader:
            return [x for _, x in reader.take(count)]

    def passing(self, qos, seconds):
        """Sends to a client that is here, whose session ends with it.
        @returns how long each message took, in seconds."""
        took = []
        with self.client(f"in{qos}") as to, self.client(f"out{qos}") as of:
            to.subscribe("passing", qos)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                began = time.monotonic()
                of.send(0x30 | qos << 1, string("passing")
                        + b"\0\1" * bool(qos) + b"\0x")
                to.take(1)
                if qos:
                    of.expect(PUBACK)
                took.append(time.monotonic() - began)
                time.sleep(0.01)
        return took

    def test_what_passes_does_not_wait_and_acknowledgements_are_true(self):
        self.set_sync_delay(self.DELAY)
        acknowledged, took, stop = [], [], threading.Event()

        def publish():
            with self.client("writer") as writer:
                while not stop.is_set():
                    payload = b"%d" % len(acknowledged)
                    began = time.monotonic()
                    assert writer.publish_acked("queue", payload) == 0
                    took.append(time.monotonic() - began)
                    acknowledged.append(payload)
        thread = threading.Thread(target=publish)
        thread.start()
        try:
            for qos in (0, 1):
                passing = self.passing(qos, 2)
                self.assertLess(statistics.median(passing), self.DELAY / 10)
                self.assertLess(statistics.quantiles(passing, n=20)[-1],
                                self.DELAY / 2)
        finally:
            stop.set()
            thread.join()
        self.assertGreaterEqual(min(took), self.DELAY)
        self.assertLess(statistics.median(took), 5 * self.DELAY)
        self.assertGreaterEqual(self.slow_syncs(), len(took))
        self.broker.end(signal.SIGKILL)
        self.set_sync_delay(0)
        self.start()
        self.assertEqual(acknowledged, self.read_all(len(acknowledged)))

    def test_an_ordered_end_waits_for_the_disk(self):
        self.set_sync_delay(self.DELAY)
        with self.client("writer") as writer:
            writer.socket.sendall(b"".join(
                packet(0x32, string("queue") + struct.pack(">H", 1 + i)
                       + b"\0%d" % i) for i in range(100)))
            for _ in range(100):
                writer.expect(PUBACK)
            self.assertEqual(0, self.broker.end())
        self.set_sync_delay(0)
        self.start()
        self.assertEqual([b"%d" % i for i in range(100)], self.read_all(100))

    def test_a_disk_that_stands_still_costs_no_connection(self):
        with self.client("here", expiry=DAY, keep_alive=1) as here, \
                self.client("passing", keep_alive=1) as passing, \
                self.client("writer", keep_alive=1) as writer:
            here.subscribe("queue", 1)
            before = self.slow_syncs()
            self.set_sync_delay(4)
            writer.send(0x32, string("queue") + b"\0\1\0late")
            began = time.monotonic()
            while time.monotonic() < began + 3.5:
                for x in (here, passing, writer):
                    asked = time.monotonic()
                    x.ping()
                    self.assertLess(time.monotonic() - asked, 1)
                time.sleep(0.4)
            self.assertEqual(before, self.slow_syncs())
            self.set_sync_delay(0)
            writer.expect(PUBACK)
            self.assertGreater(time.monotonic() - began, 3.9)
            self.assertEqual([("queue", b"late")], here.take(1))
        self.assertEqual([b"late"], self.read_all(1))

    def test_what_is_taken_meanwhile_is_bounded(self):
        """By mqtt.receive_maximum for each publisher."""
        most, size = 1_000, 10 << 10
        self.restart("storage.flush_interval=500ms",
                     f"mqtt.receive_maximum={most}")
        before = self.broker.resident()
        self.set_sync_delay(4)
        with Client(self.broker.port, 4).connect("writer") as writer:
            with self.assertRaises(OSError):  # it is told so in MQTT 5 only
                for i in range(10 * most):
                    writer.send(0x32, string("queue")
                                + struct.pack(">H", i + 1) + bytes(size))
        self.assertLess(self.broker.resident() - before, 4 * most * size)
        self.set_sync_delay(0)
        # What was on its way is not acknowledged, and not lost either.
        taken = self.read_all(most)
        self.assertEqual({bytes(size)}, set(taken))


if __name__ == "__main__":
    unittest.main()
