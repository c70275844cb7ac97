#!/usr/bin/env python3
"""The checks of the crash test find what they are there to find."""

import struct
import unittest

from history import History, matches, payload_of
from mqtt_client import (PUBACK, PUBLISH, PUBREC, PUBREL, Client, Message,
                         Observer, packet, string)


class Recorded(History):
    """A history on a clock of its own: each event takes a millisecond."""

    def __init__(self):
        self.time = 0.0
        super().__init__(seed=1, clock=self.tick)
        self.topic("t/1", "p", 1)
        self.topic("t/2", "p", 2)

    def tick(self):
        self.time += 0.001
        return self.time

    def connect(self, name, present=False, clean_start=False, durable=True):
        self.member(name, durable)
        self.connecting(name, clean_start)
        self.connected(name, present)

    def subscriber(self, name, topic_filter, qos, share="", durable=True):
        self.connect(name, durable=durable)
        self.asks(name, topic_filter)
        self.granted(name, topic_filter, qos, share)

    def publish(self, topic, count=1, accepted=True):
        for _ in range(count):
            number = self.sent(topic)
            if accepted:
                self.accepted(topic, number)

    def deliver(self, name, topic, *numbers, qos=1, dup=False, retain=False):
        for x in numbers:
            self.received(name, Message(topic, payload_of("p", topic, x), qos,
                                        dup, retain))

    def crash(self, *names):
        self.killed()
        for x in names:
            self.closed(x, "killed")
        self.started()


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.history = Recorded()

    def found(self):
        return {k: len(v) for k, v in self.history.check().items()}

    def test_nothing_is_found_where_nothing_is_wrong(self):
        h = self.history
        h.subscriber("s", "t/#", 2)
        h.publish("t/1", 3)
        h.publish("t/2", 2)
        h.deliver("s", "t/1", 1, 2)
        h.deliver("s", "t/2", 1, qos=2)
        h.crash("s")
        h.connect("s", present=True)
        h.deliver("s", "t/1", 1, 2, 3, dup=True)  # QoS 1 may come again
        h.deliver("s", "t/2", 2, qos=2)
        self.assertEqual({}, self.found())
        self.assertEqual("", h.report())

    def test_a_lost_message_is_found(self):
        h = self.history
        h.subscriber("s", "t/+", 1)
        h.publish("t/1", 3)
        h.deliver("s", "t/1", 1, 3)
        self.assertEqual({"I1": 1}, self.found())
        self.assertIn("s: t/1 number 2 of p", h.report())
        self.assertIn("TROUPE_TEST_SEED=1", h.report())

    def test_what_was_not_acknowledged_may_be_lost(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/1", accepted=False)
        self.assertEqual({}, self.found())

    def test_what_was_sent_before_the_suback_may_be_missed(self):
        h = self.history
        h.publish("t/1")
        h.subscriber("s", "t/1", 1)
        self.assertEqual({}, self.found())

    def test_what_an_unsubscription_follows_may_be_missed(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/1")
        h.withdraws("s", "t/1")
        self.assertEqual({}, self.found())

    def test_a_duplicate_of_qos_2_is_found_also_after_a_reconnect(self):
        h = self.history
        h.subscriber("s", "t/2", 2)
        h.publish("t/2")
        h.deliver("s", "t/2", 1, qos=2)
        h.crash("s")
        h.connect("s", present=True)
        h.deliver("s", "t/2", 1, qos=2)
        self.assertEqual({"I2": 1}, self.found())

    def test_a_duplicate_of_qos_1_without_a_reason_is_found(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/1")
        h.deliver("s", "t/1", 1, 1)
        self.assertEqual({"I2": 1}, self.found())

    def test_a_publication_that_was_sent_again_may_come_again(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/1")
        h.resent("t/1", 1)
        h.deliver("s", "t/1", 1, 1)
        self.assertEqual({}, self.found())

    def test_a_wrong_order_is_found(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/1", 3)
        h.deliver("s", "t/1", 1, 3, 2)
        self.assertEqual({"I3": 1}, self.found())

    def test_a_wrong_session_present_is_found(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.crash("s")
        h.connect("s", present=False)
        self.assertEqual({"session": 1}, self.found())
        h.connect("s", present=True, clean_start=True)
        self.assertEqual({"session": 2}, self.found())

    def test_what_was_never_sent_or_asked_for_is_found(self):
        h = self.history
        h.subscriber("s", "t/1", 1)
        h.publish("t/2")
        h.deliver("s", "t/1", 7)
        h.deliver("s", "t/2", 1)
        h.received("s", Message("t/1", b"00000000 p t/1 1 ", 1, False, False))
        self.assertEqual({"payload": 2, "I6": 1}, self.found())

    def test_a_message_that_no_member_of_a_group_got_is_found(self):
        h = self.history
        h.subscriber("a", "t/1", 1, share="g")
        h.subscriber("b", "t/1", 1, share="g")
        h.publish("t/1", 3)
        h.deliver("a", "t/1", 1, 2)
        h.deliver("b", "t/1", 2)  # QoS 1: allowed
        self.assertEqual({"I9": 1}, self.found())

    def test_a_qos_2_message_for_two_members_is_found(self):
        h = self.history
        h.subscriber("a", "t/2", 2, share="g")
        h.subscriber("b", "t/2", 2, share="g")
        h.publish("t/2")
        h.deliver("a", "t/2", 1, qos=2)
        h.deliver("b", "t/2", 1, qos=2)
        self.assertEqual({"I9": 1}, self.found())

    def test_an_old_retained_message_is_found(self):
        h = self.history
        h.publish("t/1", 3)
        h.retained_read("r", "t/1", h.now(), [3], True)
        h.retained_read("r", "t/1", h.now(), [], False)  # it was cut off
        self.assertEqual({}, self.found())
        h.retained_read("r", "t/1", h.now(), [2], True)
        h.retained_read("r", "t/1", h.now(), [], True)
        self.assertEqual({"I8": 2}, self.found())

    def will(self, delay=0, goodbye=False, back=None):
        h = self.history
        x = h.will_set("w", 1, delay)
        x.certain = True
        h.time += 5
        if goodbye:
            x.goodbye = h.now()
        x.ended = h.now()
        if back is not None:
            x.back = x.back_for_sure = h.now() + back
        return h

    def test_a_will_that_did_not_come_is_found(self):
        self.will().time += 10
        self.assertEqual({"I7": 1}, self.found())

    def test_a_will_that_came_is_well(self):
        self.will(delay=1).will_came("w", 1)
        self.history.time += 10
        self.assertEqual({}, self.found())

    def test_a_will_that_came_twice_is_found(self):
        self.will().will_came("w", 1)
        self.history.will_came("w", 1)
        self.assertEqual({"I7": 1}, self.found())

    def test_a_will_after_a_goodbye_is_found(self):
        self.will(goodbye=True).will_came("w", 1)
        self.assertEqual({"I7": 1}, self.found())

    def test_a_will_of_a_client_that_was_back_is_found(self):
        self.will(delay=2, back=0.1).will_came("w", 1)
        self.assertEqual({"I7": 1}, self.found())

    def test_a_live_client_that_misses_a_message_is_found(self):
        h = self.history
        h.subscriber("s", "t/1", 1, durable=False)
        h.publish("t/1")
        h.time += 10
        self.assertEqual({"I6": 1}, self.found())

    def test_filters_match_topics(self):
        for topic_filter, topic, wanted in (
                ("a/b", "a/b", True), ("a/+", "a/b", True), ("a/#", "a", True),
                ("#", "a/b", True), ("+/b", "a/b", True), ("a/+", "a", False),
                ("a", "a/b", False), ("a/+/c", "a/b/d", False)):
            self.assertEqual(wanted, matches(topic_filter, topic))


class Wire:
    """A connection that goes nowhere."""

    def __init__(self):
        self.transport = self
        self.written = b""

    def write(self, data):
        self.written += data

    def take(self):
        written, self.written = self.written, b""
        return written


class Notes(Observer):
    def __init__(self):
        self.messages, self.violations = [], []

    def on_message(self, message):
        self.messages.append(message.payload)

    def on_violation(self, invariant, text):
        self.violations.append(invariant)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.notes = Notes()
        self.client = Client("c", self.notes, expiry=60)
        self.connect()

    def connect(self):
        """As `Client.connect` does, with Session Present."""
        self.client.connections += 1
        self.client.link = Wire()
        self.client.connected = True
        self.client.output, self.client.delayed = [], []
        self.client.open = {}
        self.client.resume()
        self.client.read(b"")
        return self.client.link

    def publish(self, identifier, payload=b"x", qos=2, dup=False):
        self.client.read(packet(
            PUBLISH << 4 | qos << 1 | dup << 3, string("t")
            + struct.pack(">HB", identifier, 0) + payload))

    def ack(self, kind, identifier):
        self.client.read(struct.pack(">BBH", kind << 4, 2, identifier))

    def test_qos_2_comes_once_over_connections(self):
        self.publish(1)
        self.connect()
        self.publish(1, dup=True)
        self.client.read(b"\x62\2\0\1")
        self.publish(1)
        self.assertEqual([b"x", b"x"], self.notes.messages)
        self.assertEqual([], self.notes.violations)

    def test_an_identifier_in_use_is_reported(self):
        self.publish(1)
        self.connect()
        self.publish(1, b"y")
        self.publish(1, b"y", qos=1)
        self.assertIn("I4", self.notes.violations)
        self.assertEqual([b"x", b"y"], self.notes.messages)

    def test_a_message_that_comes_again_without_dup_is_reported(self):
        self.publish(1)
        self.connect()
        self.publish(1)
        self.assertEqual(["I4"], self.notes.violations)

    def test_pubrel_without_pubrec_is_reported(self):
        self.client.read(b"\x62\2\0\7")
        self.assertEqual(["I4"], self.notes.violations)

    def test_more_than_receive_maximum_is_reported(self):
        self.client.receive_maximum = 2
        for i in (1, 2, 3):
            self.publish(i)
        self.assertEqual(["protocol"], self.notes.violations)

    def test_acknowledgements_of_nothing_are_reported(self):
        self.client.publish("t", b"x", 2)
        self.ack(PUBACK, 1)
        self.ack(PUBREC, 2)
        self.assertEqual(["protocol"] * 2, self.notes.violations)

    def test_what_is_unfinished_is_sent_again_in_its_order(self):
        for qos in (1, 2, 1, 2):
            self.client.publish("t", b"x", qos)
        self.ack(PUBREC, 2)
        first = self.client.link.take()
        again = self.connect().take()
        self.assertEqual(b"\x62\2\0\2", first[-4:])  # PUBREL
        size = (len(first) - 4) // 4
        wanted = b"\x62\2\0\2"
        for i in (0, 2, 3):
            sent = first[i * size:(i + 1) * size]
            wanted += bytes([sent[0] | 8]) + sent[1:]
        self.assertEqual(wanted, again)
        self.assertEqual(PUBREL, again[0] >> 4)


if __name__ == "__main__":
    unittest.main()
