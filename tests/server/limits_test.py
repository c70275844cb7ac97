#!/usr/bin/env python3
"""The largest numbers that the protocol has, for sessions that last."""

import select
import signal
import struct
import unittest

from broker import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, Broker,
                    Client, packet, string)

DAY = 86_400
IDENTIFIERS = 65_535
NOBODY = 0x10
SETTINGS = ("mqtt.max_inflight=65535", "mqtt.max_awaiting_rel=infinity",
            "mqtt.max_mqueue_len=infinity", "mqtt.max_mqueue_bytes=infinity")


def send_all(client, data):
    """All of it, although the broker writes meanwhile.
    @returns what came, not looked at."""
    data, came = memoryview(data), []
    client.socket.setblocking(False)
    try:
        while data:
            readable, writable, _ = select.select([client.socket],
                                                  [client.socket], [], 10)
            assert readable or writable, "the broker takes nothing"
            if readable:
                came.append(client.socket.recv(1 << 20))
                assert came[-1], "the broker has closed"
            if writable:
                data = data[client.socket.send(data[:1 << 20]):]
    finally:
        client.socket.settimeout(30)
    client.input += b"".join(came)


def publication(topic, identifier, payload, qos, dup=False):
    return packet(0x30 | dup << 3 | qos << 1,
                  string(topic) + struct.pack(">HB", identifier, 0) + payload)


def short(kind, identifier):
    first = kind << 4 | (2 if kind == PUBREL else 0)
    return struct.pack(">BBH", first, 2, identifier)


def receive_packets(client, count):
    """Many, at once. @returns first byte and body of each."""
    data, at, found = client.input, 0, []
    while len(found) < count:
        size, shift, begin = 0, 0, at + 1
        while begin < len(data):
            digit = data[begin]
            size |= (digit & 127) << shift
            shift += 7
            begin += 1
            if digit < 128:
                break
        else:
            size = IDENTIFIERS  # not known yet
        if len(data) < begin + size:
            more = client.socket.recv(1 << 20)
            assert more, f"the end after {len(found)} of {count} packets"
            data += more
            continue
        found.append((data[at], bytes(memoryview(data)[begin:begin + size])))
        at = begin + size
    del data[:at]
    return found


class Received:
    """A PUBLISH of QoS 1 or 2."""

    def __init__(self, first, body):
        assert first >> 4 == PUBLISH, f"type {first >> 4} instead of PUBLISH"
        end = 2 + struct.unpack_from(">H", body)[0]
        self.topic = body[2:end].decode()
        self.qos, self.dup = first >> 1 & 3, bool(first & 8)
        self.retain = bool(first & 1)
        self.identifier = struct.unpack_from(">H", body, end)[0]
        self.payload = body[end + 3 + body[end + 2]:]


def receive_messages(client, count):
    return [Received(*x) for x in receive_packets(client, count)]


def receive_answers(client, kind, count):
    """@returns identifiers in their order, all of success."""
    found = []
    for first, body in receive_packets(client, count):
        assert first >> 4 == kind, f"type {first >> 4} instead of {kind}"
        assert len(body) == 2 or body[2] < 0x80, f"Reason Code {body[2]:#x}"
        found.append(body[0] << 8 | body[1])
    return found


def publish_all(client, topic, payloads, qos):
    """As many as there are Packet Identifiers, at most."""
    identifiers = list(range(1, len(payloads) + 1))
    send_all(client, b"".join(publication(topic, i, x, qos)
                              for i, x in zip(identifiers, payloads)))
    if qos == 1:
        receive_answers(client, PUBACK, len(payloads))
        return
    receive_answers(client, PUBREC, len(payloads))
    send_all(client, b"".join(short(PUBREL, x) for x in identifiers))
    receive_answers(client, PUBCOMP, len(payloads))


class Limits(unittest.TestCase):
    def start(self, *settings, **more):
        self.broker = Broker(*SETTINGS, *settings, **more)
        self.addCleanup(self.broker.close)
        self.settings = settings

    def restart(self):
        """After a kill."""
        self.broker.end(signal.SIGKILL)
        self.start(*self.settings, data_dir=self.broker.data_dir)

    def client(self, client_id, **more):
        made = Client(self.broker.port)
        self.addCleanup(made.socket.close)
        made.socket.settimeout(30)
        return made.connect(client_id, clean=False, expiry=DAY, **more)

    def back(self, client_id, **more):
        made = self.client(client_id, **more)
        self.assertTrue(made.session_present)
        return made

    def silent(self, client):
        """Nothing comes but the answer."""
        client.ping()


class OutboundTest(Limits):
    """All Packet Identifiers are in use, and more messages wait."""

    MORE = 10

    def reader(self):
        return self.client("reader", receive_maximum=IDENTIFIERS)

    def fill(self, qos):
        """@returns the reader and the messages it has not acknowledged."""
        self.start()
        reader = self.reader()
        reader.subscribe("queue", qos)
        writer = Client(self.broker.port).connect("writer")
        publish_all(writer, "queue", [b"%d" % i for i in
                                      range(1, IDENTIFIERS + 1)], qos)
        publish_all(writer, "queue", [b"%d" % (IDENTIFIERS + i) for i in
                                      range(1, self.MORE + 1)], qos)
        writer.socket.close()
        messages = receive_messages(reader, IDENTIFIERS)
        self.check(messages, 1, qos)
        self.silent(reader)
        return reader, messages

    def check(self, messages, first, qos):
        self.assertEqual([b"%d" % i for i in range(first, first
                                                   + len(messages))],
                         [x.payload for x in messages])
        self.assertEqual({qos}, {x.qos for x in messages})
        self.assertEqual(len(messages), len({x.identifier for x in messages}))

    def same_again(self, reader, messages):
        """With their identifiers, in order, marked as duplicates."""
        again = receive_messages(reader, len(messages))
        self.assertEqual([(x.identifier, x.payload, True) for x in messages],
                         [(x.identifier, x.payload, x.dup) for x in again])
        self.silent(reader)

    def come_back(self):
        reader = self.reader()
        self.assertTrue(reader.session_present)
        return reader

    def finish(self, reader, qos, messages):
        """Acknowledges all; the rest comes, and then nothing any more."""
        def answer(kind, of):
            send_all(reader, b"".join(short(kind, x.identifier) for x in of))
        for some in (messages, None):
            if some is None:
                some = receive_messages(reader, self.MORE)
                self.check(some, IDENTIFIERS + 1, qos)
            if qos == 1:
                answer(PUBACK, some)
                continue
            answer(PUBREC, some)
            self.assertEqual([x.identifier for x in some],
                             receive_answers(reader, PUBREL, len(some)))
            answer(PUBCOMP, some)
        self.silent(reader)
        reader.socket.close()
        self.silent(self.come_back())

    def test_qos_1_comes_again_after_a_lost_connection_and_a_kill(self):
        reader, messages = self.fill(1)
        reader.socket.close()
        reader = self.come_back()
        self.same_again(reader, messages)
        reader.socket.close()
        self.broker.wait_until_empty()
        self.restart()
        reader = self.come_back()
        self.same_again(reader, messages)
        self.finish(reader, 1, messages)

    def test_qos_1_to_a_client_that_was_connected_comes_again(self):
        _, messages = self.fill(1)
        self.restart()
        # The identifiers of what was on its way were in memory.
        reader = self.come_back()
        messages = receive_messages(reader, IDENTIFIERS)
        self.check(messages, 1, 1)
        self.silent(reader)
        self.finish(reader, 1, messages)

    def test_qos_2_comes_again_with_its_identifiers(self):
        """And is released again with them."""
        _, messages = self.fill(2)
        self.restart()
        reader = self.come_back()
        self.same_again(reader, messages)
        identifiers = [x.identifier for x in messages]
        send_all(reader, b"".join(short(PUBREC, x) for x in identifiers))
        self.assertEqual(identifiers,
                         receive_answers(reader, PUBREL, IDENTIFIERS))
        self.restart()
        reader = self.come_back()
        self.assertEqual(sorted(identifiers), sorted(
            receive_answers(reader, PUBREL, IDENTIFIERS)))
        send_all(reader, b"".join(short(PUBCOMP, x) for x in identifiers))
        self.finish(reader, 2, [])


class InboundTest(Limits):
    def test_all_identifiers_wait_for_their_release(self):
        self.start()
        with self.client("reader") as reader:
            reader.subscribe("queue", 2)
        writer = self.client("writer")
        identifiers = list(range(1, IDENTIFIERS + 1))

        def publish(dup):
            send_all(writer, b"".join(
                publication("queue", i, b"%d" % i, 2, dup)
                for i in identifiers))
            self.assertEqual(identifiers, sorted(
                receive_answers(writer, PUBREC, IDENTIFIERS)))
        publish(dup=False)
        for _ in range(2):  # what is sent again is not published again
            self.restart()
            writer = self.back("writer")
            publish(dup=True)
        send_all(writer, b"".join(short(PUBREL, x) for x in identifiers))
        self.assertEqual(identifiers, sorted(
            receive_answers(writer, PUBCOMP, IDENTIFIERS)))
        self.restart()
        reader = self.back("reader", receive_maximum=IDENTIFIERS)
        self.assertEqual([b"%d" % x for x in identifiers],
                         [x.payload for x in
                          receive_messages(reader, IDENTIFIERS)])
        self.silent(reader)
        # The identifiers are free: this is another message.
        with Client(self.broker.port).connect("passing") as passing:
            passing.subscribe("queue", 0)
            writer = self.back("writer")
            writer.send(0x34, string("queue") + b"\0\1\0new")
            receive_answers(writer, PUBREC, 1)
            self.assertEqual([("queue", b"new")], passing.take(1))


class SubscriptionsTest(Limits):
    COUNT = 10_000
    AT_ONCE = 500

    @staticmethod
    def filter_and_topic(i):
        return ((f"exact/{i}", f"exact/{i}"),
                (f"one/+/{i}", f"one/x/{i}"),
                (f"all/{i}/#", f"all/{i}/x/y"),
                (f"plus/{i}/+", f"plus/{i}/x"))[i % 4]

    def deliver(self, reader, numbers):
        """One message for each of the subscriptions."""
        self.round += 1
        wanted = {i: (self.filter_and_topic(i)[1], b"%d %d" % (self.round, i))
                  for i in numbers}
        with self.client("writer") as writer:
            send_all(writer, b"".join(
                publication(topic, 1 + i, payload, 1)
                for i, (topic, payload) in wanted.items()))
            receive_answers(writer, PUBACK, len(wanted))
        got = []
        while len(got) < len(wanted):
            x, = receive_messages(reader, 1)
            reader.socket.sendall(short(PUBACK, x.identifier))
            # What was acknowledged just before a kill may come again.
            if x.payload.startswith(b"%d " % self.round):
                got.append((x.topic, x.payload))
        self.assertEqual(sorted(wanted.values()), sorted(got))

    def request(self, client, first_byte, answer, items):
        client.send(first_byte, b"\0\1\0" + b"".join(items))
        codes = client.expect(answer)[3:]
        self.assertEqual(bytes([codes[0]]) * len(items), codes)
        self.assertIn(codes[0], (0, 1))

    def test_a_session_keeps_10_000(self):
        self.start()
        self.round = 0
        reader = self.client("reader")
        for begin in range(0, self.COUNT, self.AT_ONCE):
            self.request(reader, 0x82, SUBACK,
                         [string(self.filter_and_topic(i)[0]) + b"\1"
                          for i in range(begin, begin + self.AT_ONCE)])
        self.deliver(reader, range(self.COUNT))
        self.restart()
        reader = self.back("reader")
        self.deliver(reader, range(self.COUNT))
        # And lets go of every other one.
        for begin in range(0, self.COUNT, 2 * self.AT_ONCE):
            self.request(reader, 0xA2, 11,
                         [string(self.filter_and_topic(i)[0])
                          for i in range(begin, begin + 2 * self.AT_ONCE)
                          if i // 4 % 2])
        reader.socket.close()
        self.restart()
        reader = self.back("reader")
        self.deliver(reader, (i for i in range(self.COUNT) if i // 4 % 2 == 0))
        with self.client("writer") as writer:
            for i in range(4, 8):
                self.assertEqual(NOBODY, writer.publish_acked(
                    self.filter_and_topic(i)[1]))


if __name__ == "__main__":
    unittest.main()
