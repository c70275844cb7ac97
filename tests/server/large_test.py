#!/usr/bin/env python3
"""The largest messages that the protocol has."""

import struct
import unittest

from broker import DISCONNECT, PUBACK, packet, string, wait_until
from limits_test import Limits, receive_answers, receive_messages, send_all

MEGABYTE = 1 << 20
PACKET_TOO_LARGE = 0x95


class LargeTest(Limits):
    """The largest packet that may be allowed."""

    LARGEST = 256 * MEGABYTE
    HEADER = 5

    def start_large(self):
        self.start("mqtt.max_packet_size=256MB",
                   "retainer.max_payload_size=256MB",
                   "storage.flush_interval=500ms")

    def body(self, topic, size):
        """Of a PUBLISH of QoS 1, whose packet has `size` bytes."""
        head = string(topic) + b"\0\1\0"
        pattern = bytes(range(251)) * 1024  # no page is like another
        left = size - self.HEADER - len(head)
        return head + (pattern * (left // len(pattern) + 1))[:left]

    def memory_is_below(self, size):
        wait_until(lambda: self.broker.resident() < size,
                   "memory is not given back")

    def test_the_largest_message_is_kept_and_comes_whole(self):
        """For a session that is away, and retained."""
        self.start_large()
        with self.client("reader") as reader:
            reader.subscribe("large", 1)
        body = self.body("large", self.LARGEST)
        with self.client("writer") as writer:
            send_all(writer, packet(0x33, body))
            receive_answers(writer, PUBACK, 1)
        self.restart()
        for client_id, retain in (("reader", False), ("fresh", True)):
            with self.client(client_id) as reader:
                if retain:
                    reader.subscribe("large", 1)
                got, = receive_messages(reader, 1)
                self.assertEqual(retain, got.retain)
                self.assertEqual(len(body) - 10, len(got.payload))
                self.assertTrue(body.endswith(got.payload))
                reader.send(0x40, struct.pack(">H", got.identifier))
                self.silent(reader)
        with self.client("writer") as writer:
            writer.publish_acked("large", b"", retain=True)
        # The log's memory may have it until more has come.
        self.memory_is_below(2 * self.LARGEST)

    def test_a_larger_packet_is_refused(self):
        self.start_large()
        before = self.broker.resident()
        with self.client("reader") as reader:
            reader.subscribe("large", 1)
        for size in (self.LARGEST + 1, self.LARGEST + self.HEADER - 1):
            writer = self.client("writer")
            # Its beginning says how large it would be.
            left = size - self.HEADER
            writer.socket.sendall(bytes([0x32] + [
                left >> 7 * i & 127 | (128 if i < 3 else 0)
                for i in range(4)]))
            kind, _, body = writer.receive()
            self.assertEqual((DISCONNECT, PACKET_TOO_LARGE), (kind, body[0]))
            self.assertIsNone(writer.receive())
        with self.back("reader") as reader:
            self.silent(reader)
        self.memory_is_below(before + self.LARGEST // 2)


if __name__ == "__main__":
    unittest.main()
