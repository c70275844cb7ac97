#!/usr/bin/env python3
"""A disk that fills up, for a broker whose disk is a file system in memory."""

import ctypes
import errno
import os
import pathlib
import signal
import struct
import tempfile
import time
import unittest

from broker import (PATIENCE, PUBREC, Broker, Client, string,
                    wait_until)

DAY = 86_400
EXIT_STORAGE = 5
QUOTA_EXCEEDED = 0x97
MEGABYTE = 1 << 20
LIMITS = ("mqtt.max_mqueue_len=infinity", "mqtt.max_mqueue_bytes=infinity")
# More than a new write-ahead log, which takes 18 MB ahead, and what comes until
# the broker looks again.
WATERMARKS = ("storage.low_space=50MB", "storage.full_space=40MB",
              "storage.reserve=4MB")
PACE = 20 * MEGABYTE  # a second
NO_WATERMARKS = ("storage.low_space=0MB", "storage.full_space=0MB",
                 "storage.reserve=0MB")

CLONE_NEWNS = 0x20000
MS_REMOUNT, MS_REC, MS_PRIVATE = 32, 0x4000, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def setUpModule():
    # Mounts of this process and its children: they go with it, however it ends.
    try:
        call(libc.unshare, CLONE_NEWNS)
        call(libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    except OSError as why:
        raise unittest.SkipTest(
            f"a file system of the test's own cannot be mounted: {why}")


class Disk:
    """A small one, for this process and its children."""

    def __init__(self, megabytes):
        self.at = tempfile.mkdtemp(prefix="troupe-test-disk-")
        try:
            self.mount(megabytes, 0)
        except OSError:
            os.rmdir(self.at)
            raise

    def mount(self, megabytes, flags):
        call(libc.mount, b"none", self.at.encode(), b"tmpfs", flags,
             b"size=%dm" % megabytes)

    def resize(self, megabytes):
        self.mount(megabytes, MS_REMOUNT)

    def free(self):
        x = os.statvfs(self.at)
        return x.f_bavail * x.f_frsize

    def close(self):
        try:
            call(libc.umount2, self.at.encode(), 2)  # MNT_DETACH
        finally:
            os.rmdir(self.at)


class OnSmallDisk(unittest.TestCase):
    def setUp(self):
        self.numbers = iter(range(1_000_000))
        self.acknowledged = []

    def insert(self, megabytes):
        self.disk = Disk(megabytes)
        self.addCleanup(self.disk.close)
        self.data = pathlib.Path(self.disk.at) / "data"

    def start(self, *settings, **more):
        broker = Broker(*LIMITS, *settings, data_dir=self.data, http=True,
                        **more)
        self.addCleanup(broker.close)
        return broker

    def subscribe_away(self, broker):
        with Client(broker.port).connect("away", clean=False,
                                         expiry=DAY) as away:
            away.subscribe("queue/#", 1)

    def publish(self, client, size):
        """@returns the Reason Code, or None."""
        head = b"%d " % next(self.numbers)
        code = client.publish_acked("queue/1", head.ljust(size, b"."))
        if code == 0:
            self.acknowledged.append(head)
        return code

    def publish_until_refused(self, broker, size, most=64 * MEGABYTE):
        with Client(broker.port).connect("filler") as client:
            for _ in range(most // size):
                time.sleep(size / PACE)
                code = self.publish(client, size)
                if code != 0:
                    return code
        self.fail("nothing was refused")

    def check_all_is_there(self, broker):
        """And nothing twice, or out of order."""
        with Client(broker.port).connect("away", clean=False,
                                         expiry=DAY) as away:
            self.assertTrue(away.session_present)
            with Client(broker.port).connect("last") as last:
                self.assertEqual(0, last.publish_acked("queue/1", b"last "))
            got = [x.split(b" ")[0] for _, x in away.take(1)]
            while got[-1] != b"last":
                got += [x.split(b" ")[0] for _, x in away.take(1)]
        got.pop()
        wanted = [x.strip() for x in self.acknowledged]
        # What was never answered may be there as well.
        self.assertEqual(wanted, [x for x in got if x in set(wanted)])
        self.assertEqual(sorted(got, key=int), got)
        self.assertEqual(len(set(got)), len(got))
        self.assertLessEqual(len(got) - len(wanted), 1)


class WatermarkTest(OnSmallDisk):
    """Who asks for something durable is refused before the disk is full."""

    def setUp(self):
        super().setUp()
        self.insert(96)
        self.broker = self.start(*WATERMARKS)
        self.subscribe_away(self.broker)

    def fill(self, size=64 << 10):
        code = self.publish_until_refused(self.broker, size)
        self.assertEqual(QUOTA_EXCEEDED, code)
        self.assertGreater(len(self.acknowledged), 10)

    def level(self):
        return self.broker.metric("troupe_storage_disk_level")

    def test_what_needs_the_disk_is_refused_and_the_rest_goes_on(self):
        port = self.broker.port
        with Client(port).connect("here", clean=False, expiry=DAY) as durable, \
                Client(port).connect("passing") as passing, \
                Client(port, 4).connect("old") as old:
            passing.subscribe("passing/#", 1)
            self.assertEqual(0, self.level())
            self.fill()
            self.assertEqual(2, self.level())
            self.assertIn("the disk is full", self.broker.log())
            self.assertFalse((self.data / "reserve").exists())

            # MQTT 5: told so, QoS 1 and 2.
            with Client(port).connect("five") as five:
                self.assertEqual(QUOTA_EXCEEDED, self.publish(five, 10))
                five.send(0x34, string("queue/1") + b"\0\2\0" + b"x")
                self.assertEqual(struct.pack(">HB", 2, QUOTA_EXCEEDED),
                                 five.expect(PUBREC)[:3])
                self.assertEqual(QUOTA_EXCEEDED,
                                 five.publish_acked("kept", b"x", retain=True))
                five.publish("kept", b"x", retain=True)  # goes, with QoS 0
                five.ping()
            # MQTT 3.1.1 has no way to say it: no PUBACK, and the end.
            self.assertIsNone(self.publish(old, 10))

            with Client(port) as five:
                five.connect("fresh", clean=False, expiry=DAY,
                             code=QUOTA_EXCEEDED)
                self.assertIsNone(five.receive())
            with Client(port, 4) as four:
                four.connect("fresh", clean=False, code=3)
                self.assertIsNone(four.receive())
            durable.subscribe("other/#", 1, code=QUOTA_EXCEEDED)
            durable.ping()

            # What ends with its connection needs no disk.
            with Client(port).connect("six") as six, \
                    Client(port, 4).connect("seven") as seven:
                six.subscribe("passing/#", 1)
                self.assertEqual(0, seven.publish_acked("passing/1", b"x"))
                seven.publish("passing/0", b"y")
                seven.ping()
                for x in (six, passing):
                    self.assertEqual([("passing/1", b"x"), ("passing/0", b"y")],
                                     x.take(2))
        self.assertEqual(0, self.broker.end())

    def test_a_session_that_was_there_comes_back_for_its_messages(self):
        self.fill()
        for version in (5, 4):
            with Client(self.broker.port, version) as away:
                away.connect("away", clean=False, expiry=DAY)
                self.assertTrue(away.session_present)
                if version == 5:
                    got = [x for _, x in away.take(len(self.acknowledged))]
                away.ping()
        self.assertEqual(self.acknowledged,
                         [x.split(b" ")[0] + b" " for x in got])
        # And what it acknowledged does not come again.
        self.broker.end(signal.SIGKILL)
        self.disk.resize(192)
        self.broker = self.start(*WATERMARKS)
        self.acknowledged.clear()
        self.check_all_is_there(self.broker)

    def test_it_goes_on_by_itself_once_there_is_room(self):
        self.fill()
        self.disk.resize(192)
        wait_until(lambda: self.level() == 0, "the level stays")
        self.assertIn("there is room on the disk again", self.broker.log())
        self.assertEqual(4 * MEGABYTE, (self.data / "reserve").stat().st_size)
        with Client(self.broker.port).connect("more") as more:
            self.assertEqual(0, self.publish(more, 100))
        with Client(self.broker.port) as fresh:
            fresh.connect("fresh", clean=False, expiry=DAY)
            fresh.subscribe("other/#", 1)
        self.check_all_is_there(self.broker)

    def test_a_kill_loses_nothing_and_it_starts_on_the_full_disk(self):
        self.fill()
        for _ in range(2):
            self.broker.end(signal.SIGKILL)
            self.broker = self.start(*WATERMARKS)
            with Client(self.broker.port).connect("passing") as client:
                client.subscribe("passing")
                client.publish("passing", b"x")
                self.assertEqual([("passing", b"x")], client.take(1))
        self.disk.resize(192)
        wait_until(lambda: self.level() == 0, "the level stays")
        self.check_all_is_there(self.broker)

    def test_an_ordered_end_on_the_full_disk_loses_nothing(self):
        self.fill(4 << 10)
        self.assertEqual(0, self.broker.end())
        self.disk.resize(192)
        self.check_all_is_there(self.start(*WATERMARKS))

    def test_a_backup_that_does_not_fit_leaves_nothing(self):
        self.fill()
        # A copy on the disk shares its files; one of another disk does not.
        other = Disk(4)
        try:
            copy = pathlib.Path(other.at) / "copy"
            answer = self.broker.ctl("backup", copy)
            self.assertEqual(4, answer.returncode, answer.stderr)
            self.assertIn(str(copy), answer.stderr)
            self.assertEqual([], os.listdir(other.at))
        finally:
            other.close()
        self.disk.resize(192)
        wait_until(lambda: self.level() == 0, "the level stays")
        self.check_all_is_there(self.broker)


class NoSpaceTest(OnSmallDisk):
    """Without watermarks: writes fail, and then the process ends."""

    def broken(self, broker):
        """It ended as documented, by itself."""
        self.assertEqual(EXIT_STORAGE, broker.process.wait(PATIENCE),
                         broker.log())
        log = broker.log()
        self.assertIn("No space left", log)
        self.assertIn(f"exit code {EXIT_STORAGE}", log)
        self.assertIn("nothing that was acknowledged is lost", log)
        self.assertIn("make room", log)
        self.assertIn(str(self.data), log)

    def start_on_full_disk(self):
        """May work, or say what is missing. Never a signal."""
        broker = self.start(*NO_WATERMARKS, wait=False)
        try:
            broker.wait_until_ready()
        except AssertionError:
            pass
        if broker.process.poll() is None:
            broker.end(signal.SIGKILL)
            return
        self.assertIn(broker.process.returncode, (4, 5))

    def run_out_of_space(self, size, megabytes, settings=()):
        self.insert(megabytes)
        broker = self.start(*NO_WATERMARKS, *settings)
        self.subscribe_away(broker)
        self.assertIsNone(self.publish_until_refused(broker, size))
        self.broken(broker)
        self.start_on_full_disk()
        self.disk.resize(4 * megabytes)
        self.check_all_is_there(self.start(*NO_WATERMARKS))

    def test_large_messages(self):
        self.run_out_of_space(200 << 10, 48)

    def test_messages_that_are_written_to_the_state_soon(self):
        self.run_out_of_space(20 << 10, 48, ["storage.flush_interval=100ms"])

    def test_messages_that_stay_in_the_log(self):
        self.run_out_of_space(20 << 10, 64, ["storage.flush_interval=10m",
                                             "storage.flush_size=64MB"])

    def fill(self, file):
        """The broker may take some of what is free meanwhile."""
        while room := self.disk.free() // 4096 * 4096:
            try:
                return os.posix_fallocate(file.fileno(), 0, room)
            except OSError as e:
                self.assertEqual(errno.ENOSPC, e.errno)

    def test_a_disk_that_another_program_fills(self):
        self.insert(64)
        broker = self.start(*NO_WATERMARKS, "storage.flush_interval=100ms")
        self.subscribe_away(broker)
        with Client(broker.port).connect("filler") as client:
            for _ in range(100):
                self.assertEqual(0, self.publish(client, 10 << 10))
            with open(pathlib.Path(self.disk.at) / "other", "wb") as other:
                self.fill(other)
            while self.publish(client, 10 << 10) == 0:
                self.assertLess(len(self.acknowledged), 6_000)
        self.broken(broker)
        self.start_on_full_disk()
        os.remove(pathlib.Path(self.disk.at) / "other")
        self.check_all_is_there(self.start(*NO_WATERMARKS))

    def test_a_new_directory_on_a_full_disk(self):
        self.insert(1)
        with open(pathlib.Path(self.disk.at) / "other", "wb") as other:
            os.posix_fallocate(other.fileno(), 0, self.disk.free())
        broker = self.start(*NO_WATERMARKS, wait=False)
        self.assertIn(broker.process.wait(PATIENCE), (4, 5), broker.log())
        self.assertIn("No space left", broker.log())
        self.assertIn(str(self.data), broker.log())


if __name__ == "__main__":
    unittest.main()
