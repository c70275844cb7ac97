#!/usr/bin/env python3
"""Eclipse Paho for Python against the broker.

usage: paho_python_test.py PORT VERSION   (3.1.1 or 5)
"""

import os
import queue
import sys
import unittest

try:
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ImportError:
    # Debian's package is for Debian's Python, which may not be the first here.
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and "PAHO_TRIED" not in os.environ:
        os.environ["PAHO_TRIED"] = "yes"
        os.execv(debian, [debian, *sys.argv])
    print("left out: python3-paho-mqtt is not installed")
    sys.exit(77)

PORT = 0
VERSION = paho.MQTTv5
PATIENCE = 20


class Client:
    """A connected client; messages and answers come in queues."""

    def __init__(self, client_id, clean=True, will=None):
        self.messages = queue.Queue()
        self.answers = queue.Queue()
        how = {} if VERSION == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(client_id, protocol=VERSION, **how)
        self.client.max_inflight_messages_set(10)
        self.client.on_message = lambda c, u, message: self.messages.put(
            (message.topic, message.qos, message.retain,
             message.payload.decode()))
        self.client.on_connect = lambda c, u, flags, *more: self.answers.put(
            flags["session present"])
        self.client.on_subscribe = lambda c, u, mid, *more: self.answers.put(
            mid)
        if will:
            self.client.will_set(*will)
        if VERSION == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 300
            self.client.connect("127.0.0.1", PORT, clean_start=clean,
                                properties=properties)
        else:
            self.client.connect("127.0.0.1", PORT)
        self.client.loop_start()
        self.session_present = self.answers.get(timeout=PATIENCE)

    def subscribe(self, topic, qos):
        _, mid = self.client.subscribe(topic, qos)
        assert self.answers.get(timeout=PATIENCE) == mid

    def publish(self, topic, texts, qos, retain=False):
        for x in [self.client.publish(topic, text, qos, retain)
                  for text in texts]:
            x.wait_for_publish(PATIENCE)
            assert x.is_published()

    def take(self, count):
        return [self.messages.get(timeout=PATIENCE) for _ in range(count)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        self.client.socket().shutdown(2)
        self.client.loop_stop()


class PahoPythonTest(unittest.TestCase):
    def client(self, *words, **more):
        made = Client(*words, **more)
        self.addCleanup(made.close)
        return made

    def test_round_trip(self):
        client = self.client("trip")
        for qos in (0, 1, 2):
            client.subscribe(f"trip/{qos}", qos)
            texts = [str(i) for i in range(50)]
            client.publish(f"trip/{qos}", texts, qos)
            self.assertEqual([(f"trip/{qos}", qos, False, x) for x in texts],
                             client.take(50))

    def test_retained(self):
        self.client("writer").publish("kept", ["state"], 1, True)
        reader = self.client("reader")
        reader.subscribe("kept", 2)
        self.assertEqual([("kept", 1, True, "state")], reader.take(1))
        reader.publish("kept", [""], 1, True)
        self.assertEqual([("kept", 1, False, "")], reader.take(1))
        late = self.client("late")
        late.subscribe("kept", 2)
        late.publish("kept", ["live"], 0)
        self.assertEqual([("kept", 0, False, "live")], late.take(1))

    def test_will(self):
        watcher = self.client("watcher")
        watcher.subscribe("gone/+", 2)
        Client("dying", will=("gone/dying", "lost", 2, False)).drop()
        self.assertEqual([("gone/dying", 2, False, "lost")], watcher.take(1))

    def test_shared_subscription(self):
        members = [self.client(f"member{i}") for i in range(2)]
        for x in members:
            x.subscribe("$share/group/work", 2)
        self.client("boss").publish("work", [str(i) for i in range(20)], 2)
        got = members[0].take(10) + members[1].take(10)
        self.assertEqual({str(i) for i in range(20)}, {x[3] for x in got})

    def test_session_resumes(self):
        first = Client("sleeper", clean=False)
        self.assertFalse(first.session_present)
        for qos in (1, 2):
            first.subscribe(f"away/{qos}", qos)
        first.close()
        texts = [str(i) for i in range(50)]
        for qos in (1, 2):
            self.client(f"writer{qos}").publish(f"away/{qos}", texts, qos)
        again = self.client("sleeper", clean=False)
        self.assertTrue(again.session_present)
        got = again.take(100)
        for qos in (1, 2):
            self.assertEqual([(f"away/{qos}", qos, False, x) for x in texts],
                             [x for x in got if x[1] == qos])


if __name__ == "__main__":
    PORT = int(sys.argv.pop(1))
    if sys.argv.pop(1) == "3.1.1":
        VERSION = paho.MQTTv311
    unittest.main()
