#!/usr/bin/env python3
"""The log: lines for people and for programs, and not too many."""

import os
import tempfile
import time
import unittest

from broker import Broker, Client


def refused(broker, times=1):
    """Connections that the broker refuses and writes a line about each."""
    for _ in range(times):
        with Client(broker.port, 4) as client:
            # Without Clean Session there has to be a Client Identifier.
            client.connect("", clean=False, code=2)
            client.receive()


def wait_for(broker, cause):
    until = time.monotonic() + 10
    while cause not in broker.log():
        assert time.monotonic() < until, broker.log()
        time.sleep(0.01)


class LogTest(unittest.TestCase):
    def lines(self, broker, cause):
        return [x for x in broker.log_objects() if x["cause"] == cause]

    def test_json_lines_hold_client_and_peer(self):
        odd = "dev \"7\" \\ ü\u2028"
        with Broker("log.format=json", "log.level=debug") as broker:
            with Client(broker.port).connect(odd) as client:
                name = client.name
            wait_for(broker, "connection.closed")
            broker.end()
            for x in broker.log_objects():
                self.assertLessEqual({"time", "level", "cause", "text"},
                                     set(x))
            line, = self.lines(broker, "connection.closed")
            self.assertEqual((odd, name), (line["client"], line["peer"]))
            self.assertEqual("debug", line["level"])

    def test_lines_for_people_hold_client_and_peer(self):
        with Broker("log.level=debug") as broker:
            with Client(broker.port).connect("dev 7") as client:
                name = client.name
            wait_for(broker, "connection.closed")
            broker.end()
            self.assertRegex(
                broker.log(),
                rf"\[debug\] connection.closed: .* client=\"dev 7\" peer={name}")

    def test_a_refused_client_is_named_by_its_peer(self):
        with Broker("log.format=json") as broker:
            refused(broker)
            broker.end()
            line, = self.lines(broker, "connect.refused")
            self.assertRegex(line["peer"], r"127\.0\.0\.1:\d+")

    def test_a_line_about_a_client_says_all_that_is_known_of_it(self):
        with Broker("log.format=json", "log.level=debug") as broker:
            name = "n" * 300
            with Client(broker.port).connect("dev", user=name):
                pass
            wait_for(broker, "connection.closed")
            broker.end()
            line, = self.lines(broker, "connection.closed")
            self.assertEqual(("dev", "n" * 256 + "...", "tcp:default"),
                             (line["client"], line["user"], line["listener"]))

    def test_nobody_forges_what_a_line_for_people_says(self):
        with Broker("log.level=debug") as broker:
            with Client(broker.port).connect('x user=root "', user="u"):
                pass
            wait_for(broker, "connection.closed")
            self.assertIn(r'client="x user=root \"" user=u ', broker.log())

    def test_nobody_writes_to_the_terminal_of_who_reads_it(self):
        odd = "\x1b[2J\x7f\u009b2J"
        for format in ("text", "json"):
            with Broker("log.level=debug", f"log.format={format}") as broker:
                with Client(broker.port).connect(odd):
                    pass
                wait_for(broker, "connection.closed")
                broker.end()
                for x in "\x1b\x7f\u009b":
                    self.assertNotIn(x, broker.log())
                if format == "json":
                    line, = self.lines(broker, "connection.closed")
                    self.assertEqual(odd, line["client"])

    def test_a_topic_that_is_denied_is_a_field(self):
        with tempfile.NamedTemporaryFile("w") as rules:
            rules.write('no_match = "deny"\n')
            rules.flush()
            with Broker(f"auth.acl.file={rules.name}") as broker:
                with Client(broker.port).connect("honest") as client:
                    client.publish_acked('x" client=admin ' + "y" * 300)
                self.assertRegex(
                    broker.log(), r"publish.denied: [^=]* client=honest "
                    r'peer=\S+ listener=tcp:default '
                    r'topic="x\\" client=admin y+\.\.\."\n')

    def test_long_texts_are_cut(self):
        with Broker("log.format=json") as broker:
            broker.ctl("ban", "add", "peerhost", "x" * 5_000, "--reason", "y")
            broker.end()
            line, = self.lines(broker, "ctl")
            self.assertRegex(line["text"], r"x{256}\.\.\. --reason y; it failed")
            self.assertLess(len(line["text"]), 700)

    def test_what_is_no_client_is_told(self):
        with Broker("log.format=json", "mqtt.idle_timeout=100ms") as broker:
            with Client(broker.port) as client:
                client.publish("a")
                while client.receive():
                    pass
            with Client(broker.port) as client:
                while client.receive():
                    pass
            for wrong in (b"\0\4MQTT\5\3\0\0\0\0\0", b"\0\4MQTT\7\2\0\0\0"):
                with Client(broker.port) as client:
                    client.send(0x10, wrong)
                    while client.receive():
                        pass
            broker.end()
            self.assertEqual(
                ["the first packet is not a CONNECT", "no CONNECT in time",
                 "malformed CONNECT", "no version of MQTT that is known here"],
                [x["text"] for x in self.lines(broker, "connect.refused")])

    def test_what_an_operator_changes_is_told_and_what_is_asked_is_not(self):
        with Broker("log.format=json", "log.rate_limit=1/1h",
                    "log.level=error") as broker:
            for words in (("publish", "a/b", "--payload", "mystery"),
                          ("status",), ("log", "level"), ("clients", "list"),
                          ("log", "level", "off"),
                          ("clients", "kick", "nobody"),
                          ("ban", "add", "clientid", "c", "--reason", "lost it"),
                          ("backup", broker.directory / "copy")):
                broker.ctl(*words)
            broker.end()
            who = f"uid {os.getuid()}: "
            self.assertEqual(
                [who + "publish a/b", who + "log level off",
                 who + "clients kick nobody; it failed",
                 who + "ban add clientid c --reason \"lost it\"",
                 who + f"backup {broker.directory}/copy"],
                [x["text"].partition(": no client")[0]
                 for x in self.lines(broker, "ctl")])
            self.assertNotIn("mystery", broker.log())

    def test_the_level_leaves_lines_out(self):
        with Broker("log.level=warning") as broker:
            refused(broker)
            broker.end()
            self.assertEqual("", broker.log())

    def test_a_cause_that_speaks_too_often_is_silenced_and_counted(self):
        with Broker("log.format=json", "log.rate_limit=3/500ms") as broker:
            refused(broker, 10)
            time.sleep(0.6)
            refused(broker)
            broker.end()
            lines = self.lines(broker, "connect.refused")
            told = sum(x.get("silenced", 0) for x in lines)
            self.assertGreater(told, 0)
            self.assertEqual(11, len(lines) + told)
            # Others are not silenced with it.
            self.assertEqual(1, len(self.lines(broker, "stopped")))

    def test_without_a_limit_every_line_is_written(self):
        with Broker("log.format=json", "log.rate_limit=infinity") as broker:
            refused(broker, 30)
            broker.end()
            self.assertEqual(30, len(self.lines(broker, "connect.refused")))

    def test_the_log_may_be_a_file_that_is_appended_to(self):
        with Broker("log.file=/dev/null") as broker:
            self.assertEqual("", broker.log())
            file = broker.directory / "log"
            broker.end()
            for times in (1, 2):
                Broker(f"log.file={file}", directory=broker.directory).end()
                self.assertEqual(times,
                                 file.read_text().count("[info] stopped"))

    def test_a_file_that_cannot_be_opened_is_a_clear_failure(self):
        with Broker("log.file=/dev/null/x", wait=False) as broker:
            self.assertEqual(4, broker.process.wait(10))
            self.assertIn("/dev/null/x", broker.log())


if __name__ == "__main__":
    unittest.main()
