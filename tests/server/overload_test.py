#!/usr/bin/env python3
"""What a broker does when more waits in it than it can carry: one step after
the other, and all taken back."""

import os
import signal
import socket
import struct
import time
import unittest

from broker import PUBACK, Broker, Client, packet, string, wait_until
from faults_test import LIBRARY, WithFaults

KB, MB = 1 << 10, 1 << 20


def setUpModule():
    if not os.path.exists(LIBRARY):
        raise unittest.SkipTest("TROUPE_TEST_FAULTS_LIBRARY names no library")


def sending(client, seconds):
    """Does not wait longer than that for the broker to read."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                             struct.pack("ll", seconds, 0))


def publish(topic, number, size, qos=1):
    body = string(topic)
    if qos:
        body += struct.pack(">H", number)
    return packet(0x30 | qos << 1,
                  body + b"\0" + struct.pack(">I", number).ljust(size, b"."))


class Overload(WithFaults):
    def connect(self, name, **more):
        made = Client(self.broker.port)
        self.addCleanup(made.socket.close)
        return made.connect(name, **more)

    def slow_reader(self, topic, qos=0, **more):
        """A client that reads nothing after its SUBACK."""
        made = Client.__new__(Client)
        made.version, made.input = 5, bytearray()
        made.socket = socket.socket()
        made.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KB)
        made.socket.settimeout(20)
        made.socket.connect(("127.0.0.1", self.broker.port))
        self.addCleanup(made.socket.close)
        made.connect("slow reader", **more)
        made.subscribe(topic, qos)
        return made

    def waiting(self):
        return sum(self.broker.metric(f"troupe_waiting_{x}_bytes")
                   for x in ("commit", "queue", "socket"))

    def level(self):
        return self.broker.metric("troupe_overload_level")

    def wait_for_level(self, level):
        wait_until(lambda: self.level() == level,
                   f"the overload level is not {level}")

    def test_first_qos_0_to_slow_readers_is_dropped(self):
        self.start("overload.node_bytes=8MB", "overload.shed_part=0.25",
                   "mqtt.max_mqueue_len=infinity",
                   "mqtt.max_mqueue_bytes=infinity")
        self.slow_reader("t")
        quick = self.connect("quick reader")
        quick.subscribe("t")
        publisher = self.connect("publisher")
        size, count = 16 * KB, 1_500
        for i in range(0, count, 50):
            publisher.socket.sendall(b"".join(
                publish("t", n, size, 0) for n in range(i, i + 50)))
            self.assertEqual([n for n in range(i, i + 50)],
                             [struct.unpack(">I", x[:4])[0]
                              for _, x in quick.take(50)],
                             "a quick reader misses nothing")
        self.assertGreater(self.broker.metric("troupe_overload_shed"), 0)
        self.assertEqual(
            self.broker.metric("troupe_overload_shed"),
            self.broker.metric("troupe_delivery_dropped_qos0_msg"),
            "each that was dropped has its counter and reason")
        self.assertEqual(0, self.broker.metric("troupe_overload_slowed"))
        self.assertLess(self.waiting(), 4 * MB)
        self.assertIn("step shedding", self.broker.log())
        self.assertEqual(1, self.level())

    def test_then_laggards_read_of_their_shard(self):
        self.start("mqtt.max_mqueue_len=20", "mqtt.max_inflight=10")
        laggard = self.connect("laggard", clean=False, expiry=3600)
        laggard.subscribe("t", 1)
        publisher = self.connect("publisher")
        count = 300
        for n in range(1, count + 1):
            publisher.socket.sendall(publish("t", n, KB))
            self.assertEqual(PUBACK, publisher.receive()[0])
        self.assertGreater(
            self.broker.metric("troupe_delivery_catch_up_skipped"), 0)
        self.assertEqual(
            list(range(1, count + 1)),
            [struct.unpack(">I", x[:4])[0] for _, x in laggard.take(count)],
            "all of it comes, in order")
        self.assertEqual(
            0, self.broker.metric("troupe_delivery_dropped_queue_full"))

    def test_then_publishers_are_slowed_down(self):
        self.start("overload.node_bytes=4MB", "mqtt.max_inflight=1",
                   "mqtt.max_mqueue_len=infinity",
                   "mqtt.max_mqueue_bytes=infinity")
        slow = self.slow_reader("t", 1)
        publisher = self.connect("publisher")
        other = self.connect("other")
        # 64 KB each: 256 are 16 MB, of which 6 MB may be read at most.
        size, count = 64 * KB, 256
        publisher.socket.settimeout(None)
        sending(publisher, 1)
        sent = b"".join(publish("t", n, size) for n in range(1, count + 1))
        at = 0
        try:
            while at < len(sent):
                at += publisher.socket.send(sent[at:at + MB])
        except BlockingIOError:
            pass
        self.wait_for_level(2)
        self.assertGreaterEqual(self.broker.metric("troupe_overload_slowed"),
                                1)
        self.assertIn("step slowing", self.broker.log())
        self.assertLess(self.waiting(), 6 * MB)
        other.ping()  # who does not publish is served
        publisher.socket.settimeout(20)
        # The reader reads: all goes on and nothing is lost.
        slow.socket.settimeout(30)
        taken = []
        while len(taken) < count:
            taken += [struct.unpack(">I", x[:4])[0] for _, x in slow.take(1)]
            if at < len(sent):
                publisher.socket.setblocking(False)
                try:
                    at += publisher.socket.send(sent[at:])
                except BlockingIOError:
                    pass
        self.assertEqual(list(range(1, count + 1)), taken)
        self.wait_for_level(0)
        wait_until(lambda: self.waiting() == 0, "something is still counted")

    def test_one_publisher_on_a_stalled_disk_is_bounded_in_bytes(self):
        bound = 256 * KB
        self.start(f"overload.connection_bytes={bound}")
        self.away("subscriber", 3600)
        publisher = self.connect("publisher")
        other = self.connect("other")
        self.set_sync_delay(3)
        size, count = 16 * KB, 400  # 6.4 MB
        sending(publisher, 1)
        publisher.socket.settimeout(None)
        sent = b"".join(publish("queue", n, size) for n in range(1, count + 1))
        at = 0
        most = 0
        until = time.monotonic() + 4
        publisher.socket.setblocking(False)
        while time.monotonic() < until:
            try:
                at += publisher.socket.send(sent[at:at + 256 * KB])
            except BlockingIOError:
                pass
            most = max(most, self.broker.metric("troupe_waiting_commit_bytes"))
            other.ping()
        self.assertGreater(self.slow_syncs(), 0, "the disk was not slow")
        self.assertGreater(most, bound / 2)
        self.assertLess(most, bound + 2 * size)
        self.assertGreaterEqual(self.broker.metric("troupe_overload_slowed"),
                                1)
        self.set_sync_delay(0)
        publisher.socket.settimeout(20)
        publisher.socket.sendall(sent[at:])
        acked = [publisher.receive()[2][:2] for _ in range(count)]
        self.assertEqual([struct.pack(">H", n) for n in range(1, count + 1)],
                         acked, "each is acknowledged when it is on the disk")
        wait_until(lambda: self.waiting() == 0, "something is still counted")
        with self.client("subscriber", expiry=3600) as subscriber:
            self.assertEqual(count, len(subscriber.take(count)))

    def test_the_node_is_bounded_on_a_stalled_disk_however_many_publish(self):
        self.start("overload.node_bytes=2MB")
        self.away("subscriber", 3600)
        self.set_sync_delay(3)
        publishers = [self.connect(f"publisher {i}") for i in range(20)]
        size = 16 * KB
        sent = b"".join(publish("queue", n, size) for n in range(1, 41))
        at = [0] * len(publishers)
        most = 0
        until = time.monotonic() + 4
        for x in publishers:
            x.socket.setblocking(False)
        while time.monotonic() < until:
            for i, x in enumerate(publishers):
                try:
                    at[i] += x.socket.send(sent[at[i]:at[i] + 64 * KB])
                except BlockingIOError:
                    pass
            most = max(most, self.broker.metric("troupe_waiting_commit_bytes"))
        self.assertGreater(self.slow_syncs(), 0, "the disk was not slow")
        # Beyond the bound: what came within a millisecond, and one message
        # of each.
        self.assertLess(most, 8 * MB)
        self.assertGreater(most, 1 * MB)
        self.assertGreaterEqual(self.broker.metric("troupe_overload_slowed"),
                                1)
        self.set_sync_delay(0)
        for i, x in enumerate(publishers):
            x.socket.settimeout(20)
            x.socket.sendall(sent[at[i]:])
            for _ in range(40):
                self.assertEqual(PUBACK, x.receive()[0])

    def test_last_connections_are_refused_while_too_much_waits(self):
        self.start("overload.node_bytes=1MB", "mqtt.max_inflight=1",
                   "mqtt.max_mqueue_bytes=infinity")
        slow = self.slow_reader("t", 1)
        publisher = self.connect("publisher")
        count = 8
        publisher.socket.sendall(b"".join(
            publish("t", n, 900 * KB) for n in range(1, count + 1)))
        self.wait_for_level(3)
        self.connect("late", code=0x89)
        late = Client(self.broker.port, version=4)
        self.addCleanup(late.socket.close)
        late.connect("late", code=3)
        self.assertEqual(2, self.broker.metric("troupe_overload_refused"))
        self.assertIn("step refusing", self.broker.log())
        wait_until(lambda: "overload" in [
            x["name"] for x in self.broker.ask("alarms")], "no alarm")
        self.assertEqual(count, len(slow.take(count)))
        self.wait_for_level(0)
        self.connect("late")
        wait_until(lambda: "overload" in [
            x["name"] for x in self.broker.ask("alarms", "--history")],
            "the alarm is not over")

    def test_connections_are_refused_while_memory_is_short(self):
        file = self.folder / "troupe.toml"
        file.write_text("[overload]\nmemory_limit = '64MB'\n"
                        "memory_high = 0.1\n")
        self.broker = Broker(words=("--config", file), http=True,
                             data_dir=self.folder / "data", env=self.env)
        self.addCleanup(self.broker.close)
        wait_until(lambda: self.level() == 3, "it has all the memory it needs")
        self.connect("client", code=0x97)
        file.write_text("[overload]\nmemory_limit = '64GB'\n")
        self.broker.process.send_signal(signal.SIGHUP)
        self.wait_for_level(0)
        self.connect("client")


if __name__ == "__main__":
    unittest.main()
