#!/usr/bin/env python3
"""Traces: what a client does and what becomes of one message."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from broker import (DISCONNECT, PROGRAM, PUBACK, Broker, Client, string, troupe,
                    wait_until)

RULES = """
[[rule]]
permission = "deny"
action = "publish"
topics = ["secret/#"]

[[rule]]
permission = "allow"
topics = ["#"]
"""


class Trace(unittest.TestCase):
    def start(self, *settings):
        self.broker = Broker(*settings, http=True)
        self.addCleanup(self.broker.close)

    def connect(self, name, version=5, **more):
        made = Client(self.broker.port, version)
        self.addCleanup(made.socket.close)
        return made.connect(name, **more)

    def trace(self, name, *what):
        return self.broker.ask("trace", "start", name, *what)

    def lines(self, name, *events):
        """Of the trace, once there is one of each of these events."""
        found = []

        def there():
            shown = self.broker.ctl("trace", "show", name)
            self.assertEqual(0, shown.returncode, shown.stderr)
            found[:] = map(json.loads, shown.stdout.splitlines())
            return set(events) <= {x["event"] for x in found}
        wait_until(there, f"no lines about all of {events}")
        return found

    def journey(self, lines, publisher):
        """The steps of the message that this client published."""
        journey, = {x["journey"] for x in lines
                    if x["event"] == "received" and x["client"] == publisher}
        return [x for x in lines if x.get("journey") == journey]

    def test_a_client_is_followed_from_its_connect_to_its_end(self):
        self.start()
        self.trace("one", "--client", "followed")
        self.connect("other").publish("other/topic")
        client = self.connect("followed", keep_alive=77)
        client.subscribe("a/#", 1)
        client.ping()
        client.send(0xE0)
        self.assertIsNone(client.receive())
        lines = self.lines("one", "disconnected")
        self.assertEqual(
            ["connect", "authenticated", "connected", "in", "out", "in", "out",
             "in", "disconnected"], [x["event"] for x in lines])
        self.assertEqual({"followed"}, {x["client"] for x in lines})
        connect, known, _, subscribe, suback, *_, end = lines
        self.assertEqual((77, "5.0", "tcp:default"),
                         (connect["keep_alive"], connect["version"],
                          connect["listener"]))
        self.assertTrue(connect["peer"].startswith("127.0.0.1:"))
        self.assertEqual("anonymous", known["by"])
        self.assertEqual(("SUBSCRIBE", "a/#@1", 1),
                         (subscribe["packet"], subscribe["filters"],
                          subscribe["packet_identifier"]))
        self.assertEqual(("SUBACK", 1), (suback["packet"], suback["reason"]))
        self.assertEqual("disconnected by the client", end["cause"])

    def test_a_message_is_followed_to_subscribers_that_are_not(self):
        self.start()
        subscriber = self.connect("subscriber")
        subscriber.subscribe("t/+", 1)
        self.connect("stranger").subscribe("u")
        self.trace("one", "--client", "publisher")
        publisher = self.connect("publisher")
        self.assertEqual(0, publisher.publish_acked("t/1", b"hello"))
        subscriber.take(1)
        steps = self.journey(self.lines("one", "acknowledged"), "publisher")
        self.assertEqual(
            [("received", "publisher"), ("matched", "publisher"),
             ("sent", "subscriber"), ("acknowledged", "subscriber")],
            [(x["event"], x["client"]) for x in steps])
        self.assertEqual(("hello", 1, "t/1"),
                         (steps[0]["payload"], steps[0]["qos"],
                          steps[0]["topic"]))
        self.assertEqual((1, "straight to its receivers"),
                         (steps[1]["filters"], steps[1]["way"]))
        self.assertLess(steps[2]["after_us"], 5_000_000)

    def test_a_message_is_followed_through_its_shard_and_off_the_disk(self):
        self.start()
        away = self.connect("away", clean=False, expiry=3600)
        away.subscribe("t/#", 1)
        away.send(0xE0)
        self.assertIsNone(away.receive())
        self.trace("one", "--topic", "t/+")
        publisher = self.connect("publisher")
        self.assertEqual(0, publisher.publish_acked("t/1", b"\xff\x00"))
        self.assertEqual(0x10, publisher.publish_acked("u", b""))
        before = self.journey(self.lines("one", "routed"), "publisher")
        self.assertEqual(["received", "matched", "committed", "routed"],
                         [x["event"] for x in before])
        self.assertEqual("ff00", before[0]["payload_hex"])
        self.assertEqual("through the log of its shard", before[1]["way"])
        away = self.connect("away", clean=False, expiry=3600)
        self.assertTrue(away.session_present)
        away.take(1)
        steps = self.journey(self.lines("one", "acknowledged"), "publisher")
        self.assertEqual(
            ["received", "matched", "committed", "routed", "read of its shard",
             "sent", "acknowledged"], [x["event"] for x in steps])
        self.assertEqual(before[3]["sequence"], steps[4]["sequence"])
        self.assertEqual({"t/1"}, {x["topic"] for x in steps})

    def test_drops_have_their_reasons(self):
        self.start("mqtt.max_inflight=1", "mqtt.max_mqueue_len=1")
        slow = self.connect("slow")
        slow.subscribe("t", 1)
        self.trace("one", "--topic", "t")
        publisher = self.connect("publisher")
        for payload in (b"1", b"2", b"3"):
            self.assertEqual(0, publisher.publish_acked("t", payload))
        lines = self.lines("one", "dropped")
        payload_of = {x["journey"]: x["payload"] for x in lines
                      if x["event"] == "received"}
        self.assertEqual([("2", "slow", "queue_full")],
                         [(payload_of[x["journey"]], x["client"], x["cause"])
                          for x in lines if x["event"] == "dropped"])
        self.assertEqual({"2", "3"}, {payload_of[x["journey"]] for x in lines
                                      if x["event"] == "queued"})

    def test_a_denial_names_the_rule(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        file = pathlib.Path(folder.name) / "acl.toml"
        file.write_text(RULES)
        self.start(f"auth.acl.file={file}")
        self.trace("one", "--client", "curious")
        client = self.connect("curious")
        self.assertEqual(0x87, client.publish_acked("secret/x"))
        self.assertEqual(0x10, client.publish_acked("open/x"))
        lines = self.lines("one", "denied", "authorized", "publication refused")
        denied, = (x for x in lines if x["event"] == "denied")
        self.assertEqual(("publish", "secret/x", "file"),
                         (denied["action"], denied["topic"], denied["by"]))
        self.assertRegex(denied["rule"], r"acl\.toml:2\b")
        allowed, = (x for x in lines if x["event"] == "authorized")
        self.assertRegex(allowed["rule"], r"acl\.toml:7\b")

    def test_refusals_and_takeovers_have_their_causes(self):
        self.start("mqtt.max_clientid_len=23")
        self.trace("one", "--address", "127.0.0.0/8")
        first = self.connect("same")
        self.connect("same")
        self.assertEqual(DISCONNECT, first.receive()[0])
        lines = self.lines("one", "session taken over", "disconnected")
        self.assertEqual(
            "by a connection with Clean Start",
            *(x["cause"] for x in lines if x["event"] == "session taken over"))
        self.connect("far too long a name for it", code=0x85)
        lines = self.lines("one", "refused")
        refused, = (x for x in lines if x["event"] == "refused")
        self.assertEqual((0x85, "far too long a name for it"),
                         (refused["reason"], refused["client"]))
        self.assertIn("mqtt.max_clientid_len", refused["cause"])

    def test_users_are_followed_on_every_reactor(self):
        self.start("node.reactors=2", "auth.test_method=true")
        subscribers = [self.connect(f"s{i}") for i in range(8)]
        for x in subscribers:
            x.subscribe("t")
        self.trace("one", "--user", "alice")
        made = Client(self.broker.port)
        self.addCleanup(made.socket.close)
        made.send(0x10, string("MQTT") + b"\5\x82\0\x3c\0" + string("of alice")
                  + string("alice"))
        self.assertEqual(0, made.expect(2)[1])
        made.publish("t", b"x")
        for x in subscribers:
            x.take(1)
        wait_until(lambda: sum(x["event"] == "sent"
                               for x in self.lines("one")) == 8,
                   "not all subscribers have a line")
        steps = self.journey(self.lines("one", "sent"), "of alice")
        self.assertEqual({f"s{i}" for i in range(8)},
                         {x["client"] for x in steps if x["event"] == "sent"})

    def test_traces_are_listed_followed_stopped_and_deleted(self):
        self.start()
        started = self.trace("one", "--topic", "#", "--payload", "none")
        file = pathlib.Path(started["file"])
        self.assertEqual(self.broker.data_dir / "trace" / "one.log", file)
        self.assertEqual([("one", "running", "topic", "#")],
                         [(x["name"], x["status"], x["type"], x["follows"])
                          for x in self.broker.ask("trace", "list")])
        follower = subprocess.Popen(
            [PROGRAM, "ctl", "--data-dir", self.broker.data_dir, "trace",
             "show", "one", "--follow"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.stdout.close)
        self.connect("publisher").publish("t", b"secret")
        line = json.loads(follower.stdout.readline())
        self.assertEqual(("received", "t"), (line["event"], line["topic"]))
        self.assertNotIn("payload", line)
        self.broker.ask("trace", "stop", "one")
        rest = follower.communicate(timeout=20)[0].splitlines()
        self.assertEqual("stopped", json.loads(rest[-1])["cause"])
        self.assertEqual(0, follower.returncode)
        self.assertEqual("stopped",
                         self.broker.ask("trace", "list")[0]["ended"])
        self.broker.ask("trace", "delete", "one")
        self.assertFalse(file.exists())
        self.assertEqual([], self.broker.ask("trace", "list"))

    def test_a_trace_ends_by_itself(self):
        self.start()
        self.trace("brief", "--topic", "#", "--for", "100ms")
        self.trace("small", "--topic", "#", "--size", "4KB")
        publisher = self.connect("publisher")
        wait_until(lambda: "its time is over" in
                   [x["ended"] for x in self.broker.ask("trace", "list")],
                   "the time of a trace is not over")

        def full():
            publisher.publish("t", b"x" * 500)
            return "the file has reached its size" in [
                x["ended"] for x in self.broker.ask("trace", "list")]
        wait_until(full, "the file of a trace grows")
        self.assertLess(
            (self.broker.data_dir / "trace" / "small.log").stat().st_size,
            5_000)

    def test_what_cannot_be_traced_is_refused_with_a_reason(self):
        self.start()
        for words, code, text in (
                ((), 2, "one of --client"),
                (("--client", "a", "--user", "b"), 2, "one of --client"),
                (("--topic", "a/#/b"), 2, "no topic filter"),
                (("--address", "nowhere"), 2, "nowhere"),
                (("--topic", "#", "--for", "soon"), 2, "--for"),
                (("--topic", "#", "--for", "8d"), 2, "--for"),
                (("--topic", "#", "--size", "1KB"), 2, "--size"),
                (("--topic", "#", "--payload", "xml"), 2, "--payload"),
                (("--topic", "#", "--payload-limit", "2MB"), 2,
                 "--payload-limit")):
            said = self.broker.ctl("trace", "start", "one", *words)
            self.assertEqual(code, said.returncode, (words, said.stderr))
            self.assertIn(text, said.stderr)
        said = self.broker.ctl("trace", "start", "../one", "--topic", "#")
        self.assertEqual(2, said.returncode)
        for words in (("stop",), ("show",), ("delete",)):
            self.assertEqual(
                1, self.broker.ctl("trace", *words, "none").returncode)
        self.trace("one", "--topic", "#")
        said = self.broker.ctl("trace", "start", "one", "--topic", "#")
        self.assertIn("there is a trace", said.stderr)
        for i in range(29):
            self.trace(f"more{i}", "--topic", "#")
        said = self.broker.ctl("trace", "start", "last", "--topic", "#")
        self.assertIn("30 traces already", said.stderr)


if __name__ == "__main__":
    unittest.main()
