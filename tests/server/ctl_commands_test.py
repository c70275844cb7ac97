#!/usr/bin/env python3
"""`troupe ctl`: clients, messages, bans and listeners of a running broker."""

import base64
import calendar
import subprocess
import time
import unittest

from broker import PROGRAM, PUBLISH, Broker, Client, wait_until


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker("storage.flush_interval=100ms")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.broker.wait_until_empty()

    def client(self, name, **how):
        client = Client(self.broker.port).connect(name, **how)
        self.addCleanup(client.socket.close)
        return client

    def text(self, *words):
        answer = self.broker.ctl(*words)
        self.assertEqual("", answer.stderr)
        self.assertEqual(0, answer.returncode)
        return answer.stdout

    def refused(self, code, *words):
        answer = self.broker.ctl(*words)
        self.assertEqual("", answer.stdout)
        self.assertEqual(code, answer.returncode, answer.stderr)
        return answer.stderr

    def leave_offline(self, name, *topics, expiry=3600):
        with Client(self.broker.port).connect(name, expiry=expiry) as client:
            for topic in topics:
                client.subscribe(topic, 1)
        self.broker.wait_until_empty()
        self.addCleanup(self.broker.ctl, "clients", "disconnect", name,
                        "--discard")


class ClientsTest(Commands):
    def test_lists_are_cut_to_a_limit_and_say_what_is_left_out(self):
        for i in range(5):
            self.client(f"c{i}")
        got = self.broker.ask_whole("clients", "list", "--limit", 2)
        self.assertEqual(["c0", "c1"], [x["clientid"] for x in got["data"]])
        self.assertEqual({"count": 5, "limit": 2, "hasnext": True},
                         got["meta"])
        self.assertIn("… and 3 more", self.text("clients", "list",
                                                "--limit", "2"))
        self.assertNotIn("more", self.text("clients", "list"))
        for bad in ("0", "-1", "x", "1x", "1000001", "99999999999999999999"):
            self.assertIn("--limit " + bad,
                          self.refused(2, "clients", "list", "--limit=" + bad))

    def test_clients_are_found_by_part_of_the_name_and_by_listener(self):
        self.client("atm-1")
        self.client("pos-1")
        def names(*words):
            return [x["clientid"]
                    for x in self.broker.ask("clients", "list", *words)]
        self.assertEqual(["atm-1"], names("--like", "tm-"))
        self.assertEqual(["atm-1", "pos-1"],
                         names("--listener", "tcp:default"))
        self.assertEqual([], names("--listener", "ssl:default"))
        self.assertEqual([], names("--user", "somebody"))

    def test_many_clients_are_all_counted(self):
        # More than are looked at in one turn of a reactor.
        all_of_them = [self.client(f"n{i:04}") for i in range(700)]
        got = self.broker.ask_whole("clients", "list", "--limit", 1000)
        self.assertEqual([f"n{i:04}" for i in range(len(all_of_them))],
                         [x["clientid"] for x in got["data"]])

    def test_a_client_is_shown_with_what_it_sent_and_got(self):
        client = self.client("c")
        client.subscribe("t", 1)
        client.publish_acked("other", b"x" * 50)
        x = self.broker.ask("clients", "show", "c")
        self.assertEqual((1, 0), (x["recv_msg"], x["send_msg"]))
        self.assertGreater(x["recv_oct"], 50)
        self.assertGreater(x["send_oct"], 4)
        self.assertEqual((False, False, None),
                         (x["is_superuser"], x["paced"], x["tls_version"]))

    def test_a_session_that_is_away_is_shown_with_what_waits_for_it(self):
        self.leave_offline("away", "t/+", "exact")
        publisher = self.client("publisher")
        for topic in ("t/1", "t/2", "exact", "none"):
            publisher.publish_acked(topic, b"x")
        x = self.broker.ask("clients", "show", "away")
        self.assertFalse(x["connected"])
        self.assertEqual(3, x["mqueue_len"])
        self.assertEqual(3600, x["expiry_interval"])
        self.assertTrue(3500 < x["expires_in"] <= 3600, x["expires_in"])
        self.assertEqual(["exact", "t/+"],
                         [one["topic"] for one in x["subscriptions"]])
        self.assertIn("expires_in", self.text("clients", "show", "away"))

    def test_sessions_that_are_away_have_rows_of_subscriptions_and_topics(self):
        self.leave_offline("away", "a/+")
        self.client("here").subscribe("a/+")
        rows = self.broker.ask("subscriptions")
        self.assertEqual([("away", False), ("here", True)],
                         [(x["clientid"], x["connected"]) for x in rows])
        self.assertEqual(rows[:1], self.broker.ask("subscriptions", "--client",
                                                   "away"))
        self.assertEqual(2, len(self.broker.ask("subscriptions", "--match",
                                                "a/7")))
        self.assertEqual([], self.broker.ask("subscriptions", "--match", "a"))
        self.assertEqual(2, len(self.broker.ask("subscriptions", "--topic",
                                                "a/+")))
        self.assertIn("no topic filter",
                      self.refused(2, "subscriptions", "--topic", "a/#/b"))
        self.assertIn("no topic",
                      self.refused(2, "subscriptions", "--match", "a/#"))
        topic, = self.broker.ask("topics", "--like", "a/")
        self.assertEqual(("a/+", 1, 1), (topic["topic"], topic["subscribers"],
                                         topic["subscribers_offline"]))
        self.assertIn("a/+", self.text("topics"))
        self.assertEqual([], self.broker.ask("topics", "--like", "b"))

    def test_kick_leaves_the_session_and_disconnect_may_end_it(self):
        for words, stays in ((("clients", "kick", "c"), True),
                             (("clients", "disconnect", "c"), True),
                             (("clients", "disconnect", "c", "--discard"),
                              False)):
            client = self.client("c", expiry=3600)
            client.subscribe("t", 1)
            self.text(*words)
            kind, _, body = client.receive()
            self.assertEqual((14, 0x98), (kind, body[0]))
            self.broker.wait_until_empty()
            if stays:
                self.assertFalse(
                    self.broker.ask("clients", "show", "c")["connected"])
            else:
                self.assertIn("no session of it is kept",
                              self.refused(1, "clients", "show", "c"))

    def test_a_session_that_is_away_can_be_ended(self):
        self.leave_offline("away", "t")
        self.assertIn("is away, its session is kept: --discard ends it",
                      self.refused(1, "clients", "disconnect", "away"))
        self.assertIn("the session of client \"away\" was ended",
                      self.text("clients", "disconnect", "away", "--discard"))
        self.refused(1, "clients", "show", "away")
        client = self.client("away", clean=False, expiry=3600)
        self.assertFalse(client.session_present)


class MessagesTest(Commands):
    def test_publish_waits_and_says_who_has_it(self):
        client = self.client("c")
        client.subscribe("t", 2)
        for qos in "012":
            x = self.broker.ask("publish", "t", "--payload", "hi",
                                "--qos", qos)
            self.assertTrue(x["matched"])
            self.assertEqual(1, x["matching_filters"])
            kind, first, body = client.receive()
            self.assertEqual((PUBLISH, int(qos)), (kind, first >> 1 & 3))
            self.assertTrue(body.endswith(b"hi"))
        self.assertFalse(self.broker.ask("publish", "nobody")["matched"])
        self.assertIn("nobody has subscribed", self.text("publish", "nobody"))

    def test_a_payload_may_be_any_bytes_of_a_file_or_of_standard_input(self):
        payload = bytes(range(256)) * 2_000
        file = self.broker.directory / "payload"
        file.write_bytes(payload)
        self.addCleanup(self.broker.ctl, "retained", "delete", "file")
        self.text("publish", "file", "--retain", "--payload-file", file)
        x = self.broker.ask("retained", "show", "file")
        self.assertEqual(payload, base64.b64decode(x["payload"]))
        done = subprocess.run(
            [PROGRAM, "ctl", "--data-dir", self.broker.data_dir, "publish",
             "file", "--retain", "--payload-file", "-"], input=b"\0in",
            capture_output=True, timeout=30)
        self.assertEqual(0, done.returncode, done.stderr)
        x = self.broker.ask("retained", "show", "file")
        self.assertEqual(b"\0in", base64.b64decode(x["payload"]))
        self.assertIn("base64", self.text("retained", "show", "file"))

    def test_what_is_no_message_is_refused(self):
        large = self.broker.directory / "large"
        large.write_bytes(b"x" * (2 << 20))
        for code, part, words in (
                (2, "is no topic", ("a/+",)), (2, "--qos 3", ("a", "--qos=3")),
                (2, "$SYS/", ("$SYS/a",)), (2, "TOPIC is missing", ("",)),
                (2, "$delayed", ("$delayed/x/a",)),
                (4, "cannot be opened", ("a", "--payload-file", "/no/such")),
                (4, "cannot be read", ("a", "--payload-file", "/")),
                (2, "exclude", ("a", "--payload=b", "--payload-file=/dev/null")),
                (2, "max_packet_size", ("a", "--payload-file", large))):
            self.assertIn(part, self.refused(code, "publish", *words))

    def test_a_durable_subscriber_finds_what_was_published_meanwhile(self):
        self.leave_offline("away", "t")
        x = self.broker.ask("publish", "t", "--qos", "1", "--payload", "kept")
        self.assertTrue(x["committed"])
        client = self.client("away", clean=False, expiry=3600)
        self.assertEqual([("t", b"kept")], client.take(1))

    def test_retained_messages_are_listed_shown_and_deleted(self):
        for topic in ("r/1", "r/2", "s/1"):
            self.text("publish", topic, "--retain", "--payload", "of " + topic)
            self.addCleanup(self.broker.ctl, "retained", "delete", topic)
        def topics(*words):
            return [x["topic"]
                    for x in self.broker.ask("retained", "list", *words)]
        self.assertEqual(["r/1", "r/2", "s/1"], sorted(topics()))
        self.assertEqual(["r/1", "r/2"], sorted(topics("r/#")))
        self.assertEqual(1, len(topics("r/+", "--limit", "1")))
        self.assertIn("and more", self.text("retained", "list", "--limit", "1"))
        self.assertIn("of r/1", self.text("retained", "show", "r/1"))
        self.assertIn("is no topic filter",
                      self.refused(2, "retained", "list", "r/#/x"))
        self.assertIn("is no topic", self.refused(2, "retained", "show", "#"))
        self.text("retained", "delete", "r/1")
        self.assertEqual(["r/2"], topics("r/#"))
        for word in ("show", "delete"):
            self.assertIn("\"r/1\" has no retained message",
                          self.refused(1, "retained", word, "r/1"))

    def test_more_retained_messages_than_a_page_has(self):
        client = self.client("c")
        for i in range(450):
            client.publish(f"many/{i}", b"x", retain=True)
        client.ping()
        self.assertEqual(450, len(self.broker.ask("retained", "list", "many/#",
                                                  "--limit", "1000")))
        for i in range(450):
            client.publish(f"many/{i}", b"", retain=True)
        client.ping()
        wait_until(lambda: not self.broker.ask("retained", "list", "many/#"),
                   "they stay")


class KilledTest(unittest.TestCase):
    def test_what_was_answered_is_there_after_kill_9(self):
        first = Broker()
        try:
            for topic in ("goes", "stays"):
                first.ask("publish", topic, "--retain", "--payload", "x")
            with Client(first.port).connect("away", expiry=3600) as client:
                client.subscribe("t", 1)
            with Client(first.port).connect("kept", expiry=3600) as client:
                client.subscribe("u/#", 1)
                client.subscribe("v", 1)
            first.wait_until_empty()
            self.assertTrue(first.ask("publish", "v", "--qos=1")["committed"])
            first.ask("retained", "delete", "goes")
            first.ask("clients", "disconnect", "away", "--discard")
            first.ask("ban", "add", "clientid", "bad", "--reason", "why")
            first.ask("ban", "add", "clientid", "was bad")
            first.ask("ban", "delete", "clientid", "was bad")
            first.process.kill()
            first.process.wait()
            with Broker(directory=first.directory) as again:
                self.assertEqual(["stays"],
                                 [x["topic"] for x in
                                  again.ask("retained", "list")])
                self.assertEqual(1, again.ctl("clients", "show",
                                              "away").returncode)
                # Nobody has asked for its row yet: the disk has it.
                self.assertEqual([("kept", "u/#"), ("kept", "v")],
                                 [(x["clientid"], x["topic"]) for x in
                                  again.ask("subscriptions")])
                self.assertEqual(1, again.ask("clients", "show",
                                              "kept")["mqueue_len"])
                self.assertEqual([("clientid", "bad", "why")],
                                 [(x["as"], x["who"], x["reason"])
                                  for x in again.ask("ban", "list")])
        finally:
            first.close()


class BansTest(Commands):
    def ban(self, *words):
        self.addCleanup(self.broker.ctl, "ban", "delete", *words[:2])
        return self.broker.ask("ban", "add", *words)

    def test_a_ban_ends_the_connection_and_lets_nobody_in_until_it_is_over(self):
        client = self.client("c")
        x = self.ban("clientid", "c", "--for", "1h", "--reason", "stolen")
        self.assertEqual(("clientid", "c", "stolen"),
                         (x["as"], x["who"], x["reason"]))
        self.assertEqual(14, client.receive()[0])
        with Client(self.broker.port) as refused:
            refused.connect("c", code=0x8A)
        self.assertIn("stolen", self.text("ban", "list"))
        self.assertIn("may connect again",
                      self.text("ban", "delete", "clientid", "c"))
        self.client("c")
        self.assertIn("is not banned",
                      self.refused(1, "ban", "delete", "clientid", "c"))

    def test_ends_are_durations_or_times(self):
        now = time.time()
        for words, seconds in ((("--for", "90s"), 90), (("--for", "2d"), 172_800)):
            x = self.ban("username", "u", *words)
            end = time.strptime(x["until"], "%Y-%m-%dT%H:%M:%SZ")
            self.assertAlmostEqual(now + seconds, calendar.timegm(end),
                                   delta=20)
        for until in ("2099-07-01T12:00:00Z", "2099-07-01T14:00:00+02:00",
                      "2099-07-01t07:30:00.25-04:30"):
            self.assertEqual("2099-07-01T12:00:00Z",
                             self.ban("username", "u", "--until",
                                      until)["until"])
        self.assertEqual("infinity", self.ban("peerhost", "192.0.2.1")["until"])
        self.ban("peerhost_net", "198.51.100.0/24")
        self.assertEqual(
            ["username", "peerhost", "peerhost_net"],
            [x["as"] for x in self.broker.ask("ban", "list")])
        self.assertIn("… and 2 more", self.text("ban", "list", "--limit", "1"))

    def test_what_is_no_ban_is_refused(self):
        for part, words in (
                ("KIND is one of", ("client", "x")),
                ("--for soon", ("clientid", "x", "--for", "soon")),
                ("--for 0s", ("clientid", "x", "--for", "0s")),
                ("after the year 9999", ("clientid", "x", "--for",
                                         "4000000d")),
                ("--until tomorrow", ("clientid", "x", "--until", "tomorrow")),
                ("2026-02-30", ("clientid", "x", "--until",
                                "2026-02-30T00:00:00Z")),
                ("over already", ("clientid", "x", "--until",
                                  "2001-01-01T00:00:00Z")),
                ("exclude", ("clientid", "x", "--for", "1h", "--until",
                             "2099-01-01T00:00:00Z")),
                ("x/y", ("peerhost", "x/y")),
                ("300.0.0.0/8", ("peerhost_net", "300.0.0.0/8")),
                ("(", ("clientid_re", "("))):
            self.assertIn(part, self.refused(2, "ban", "add", *words))
        self.assertEqual([], self.broker.ask("ban", "list"))


class ListenersTest(Commands):
    def test_a_listener_is_stopped_and_started(self):
        client = self.client("c")
        x, = self.broker.ask("listeners", "list")
        self.assertEqual(("tcp:default", "tcp", True, 1, "infinity"),
                         (x["id"], x["type"], x["running"],
                          x["current_connections"], x["max_connections"]))
        self.assertIn("is stopped", self.text("listeners", "stop",
                                              "tcp:default"))
        self.assertEqual(14, client.receive()[0])
        with self.assertRaises(OSError):
            Client(self.broker.port)
        x, = self.broker.ask("listeners", "list")
        self.assertEqual((False, None, 0), (x["running"], x["address"],
                                            x["current_connections"]))
        self.assertIn("no", self.text("listeners", "list"))
        x = self.broker.ask("listeners", "start", "tcp:default")
        type(self).broker.port = int(x["address"].rsplit(":", 1)[1])
        self.client("c")
        for word in ("start", "stop"):
            self.assertIn("no listener \"tcp:x\"",
                          self.refused(1, "listeners", word, "tcp:x"))


del Commands

if __name__ == "__main__":
    unittest.main()
