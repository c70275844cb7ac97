#!/usr/bin/env python3
"""What holds for the clients of one listener, and changes while they live."""

import signal
import socket
import stat
import time
import unittest

from broker import (DISCONNECT, SUBACK, Client, ConfiguredBroker, string,
                    troupe, wait_until)


def section(name, *lines, kind="tcp", bind="127.0.0.1:0"):
    return "\n".join((f"[listeners.{kind}.{name}]", f'bind = "{bind}"', *lines,
                      ""))


class Listeners(unittest.TestCase):
    def start(self, text, *settings, **more):
        self.broker = ConfiguredBroker(text, *settings, http=True, **more)
        self.addCleanup(self.broker.close)

    def raw(self, listener, version=5):
        port = self.broker.port_of(listener)
        self.assertIsNotNone(port, self.broker.out.read_text())
        made = Client(port, version)
        self.addCleanup(made.socket.close)
        return made

    def client(self, listener, client_id="any", version=5, **more):
        return self.raw(listener, version).connect(client_id, **more)

    def metric(self, name):
        return self.broker.metric("troupe_" + name)

    def ended(self, client, code=None):
        while (got := client.receive()) and got[0] != DISCONNECT:
            pass
        if code is not None:
            self.assertIsNotNone(got)
            self.assertEqual(code, got[2][0])


class LimitsTest(Listeners):
    def test_each_has_its_own(self):
        self.start(section("small", 'max_packet_size = "1KB"',
                           "max_qos_allowed = 1", "retain_available = false",
                           "wildcard_subscription = false",
                           "shared_subscription = false",
                           "max_subscriptions = 1", "receive_maximum = 7",
                           'versions = ["5.0"]'))
        small, other = self.client("tcp:small"), self.client("tcp:default",
                                                             "other")
        other.subscribe("#", 2, code=2)
        small.subscribe("a/+", code=0xA2)
        small.subscribe("$share/g/a", code=0x9E)
        small.subscribe("a", 2, code=1)
        small.subscribe("b", code=0x97)
        small.publish("a", b"x", retain=True)
        self.ended(small, 0x9A)
        small = self.client("tcp:small")
        small.send(0x34, string("a") + b"\0\1\0")
        self.ended(small, 0x9B)
        small = self.client("tcp:small")
        small.publish("a", b"x" * 1024)
        self.ended(small, 0x95)
        other.publish("a", b"x" * 2000, retain=True)
        self.assertEqual(("a", b"x" * 2000), other.take(1)[0])
        self.client("tcp:small", version=4, code=1)
        self.client("tcp:default", "old", version=4)

    def test_connections_are_counted_by_listener(self):
        self.start(section("two", "max_connections = 2"))
        kept = [self.client("tcp:two", f"c{i}") for i in range(2)]
        self.ended(self.raw("tcp:two"))
        self.client("tcp:default", "elsewhere").ping()
        self.assertEqual(1, self.metric("connections_refused_limit"))
        line, = [x for x in self.broker.log_objects()
                 if x["cause"] == "accept.refused"]
        self.assertEqual("tcp:two", line["listener"])
        self.assertRegex(line["peer"], r"127\.0\.0\.1:\d+")
        kept[0].socket.close()
        wait_until(lambda: len(self.broker.ask("clients", "list")) == 2,
                   "its place is not free")
        self.client("tcp:two", "next").ping()

    def test_connections_come_at_a_rate(self):
        self.start(section("slow", 'max_conn_rate = "5/h"'))
        served = 0
        for i in range(12):
            one = self.raw("tcp:slow")
            one.socket.settimeout(0.2)  # the others wait for their turn
            try:
                one.connect(f"c{i}")
                served += 1
            except (AssertionError, OSError):
                pass
        self.assertEqual(5, served)
        self.assertIn("accept.paced", self.broker.log())
        self.client("tcp:default").ping()

    def test_messages_come_at_a_rate(self):
        self.start(section("slow", 'messages_rate = "10/s"'))
        reader = self.client("tcp:default", "reader")
        reader.subscribe("t")
        writer = self.client("tcp:slow", "writer")
        began = time.monotonic()
        for i in range(30):
            writer.publish("t", b"%d" % i)
        self.assertEqual([("t", b"%d" % i) for i in range(30)],
                         reader.take(30))
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertGreater(self.metric("client_paced"), 0)
        # Who was paced is not ended for it, and others are not slower.
        writer.ping()
        # Faster at once when the setting says so.
        self.broker.reload(section("slow"))
        began = time.monotonic()
        for i in range(100):
            writer.publish("t", b"%d" % i)
        reader.take(100)
        self.assertLess(time.monotonic() - began, 5)

    def test_bytes_come_at_a_rate(self):
        self.start(section("slow", 'bytes_rate = "1MB/s"'))
        reader = self.client("tcp:default", "reader")
        reader.subscribe("t")
        writer = self.client("tcp:slow", "writer")
        began = time.monotonic()
        for _ in range(40):
            writer.publish("t", bytes(102_400))
        reader.take(40)
        self.assertGreater(time.monotonic() - began, 1.5)

    def test_versions_may_be_refused(self):
        self.start(section("old", 'versions = ["3.1.1"]'))
        self.client("tcp:old", version=4).ping()
        self.client("tcp:old", version=5, code=0x84)


class MountpointTest(Listeners):
    def test_clients_live_below_it(self):
        self.start(section("tenant", 'mountpoint = "dev/${clientid}/"'))
        inside = self.client("tcp:tenant", "atm-7", will="gone")
        outside = self.client("tcp:default", "outside")
        outside.subscribe("dev/#")
        inside.subscribe("state")
        inside.publish("state", b"1")
        self.assertEqual([("state", b"1")], inside.take(1))
        self.assertEqual([("dev/atm-7/state", b"1")], outside.take(1))
        outside.publish("dev/atm-7/state", b"2")
        self.assertEqual([("state", b"2")], inside.take(1))
        self.assertEqual([("dev/atm-7/state", b"2")], outside.take(1))
        other = self.client("tcp:tenant", "atm-8")
        other.subscribe("#")
        inside.publish("state", b"3")
        inside.take(1)
        outside.take(1)
        other.ping()  # nothing came
        inside.socket.close()
        self.assertEqual([("dev/atm-7/gone", b"")], outside.take(1))

    def test_names_that_would_be_more_than_a_level_are_refused(self):
        self.start(section("tenant", 'mountpoint = "dev/${clientid}/"'))
        for name in "+", "#", "a/b", "a+", "a#b", "/":
            with self.subTest(name):
                self.client("tcp:tenant", name, code=0x85)
                self.client("tcp:tenant", name, version=4, code=2)
        self.client("tcp:default", "a/b").ping()

    def test_a_user_name_may_stand_in_it(self):
        self.start(section("tenant", 'mountpoint = "${username}/"'))
        self.client("tcp:tenant", code=0x85)
        outside = self.client("tcp:default", "outside")
        outside.subscribe("alice/x")
        self.client("tcp:tenant", user="alice").publish("x", b"1")
        self.assertEqual([("alice/x", b"1")], outside.take(1))


class AccessTest(Listeners):
    def test_users_and_rules_may_be_left_out(self):
        self.start("")
        directory = self.broker.directory
        users, rules = directory / "users", directory / "rules"
        (directory / "p").write_text("secret")
        answer = troupe("passwd", "add", users, "alice", "--password-file",
                        directory / "p", "--algorithm", "pbkdf2-sha256",
                        "--iterations", "1000")
        self.assertEqual(0, answer.returncode, answer.stderr)
        rules.write_text('no_match = "deny"\n')
        self.broker.reload(
            section("open", "enable_authn = false", "enable_authz = false")
            + section("half", "enable_authn = false")
            + f'[auth.users]\nfile = "{users}"\n'
            + f'[auth.acl]\nfile = "{rules}"\n')
        self.client("tcp:default", code=0x87)
        anybody = self.client("tcp:open")
        anybody.subscribe("#", code=0)
        self.assertEqual(0, anybody.publish_acked("x"))
        self.client("tcp:half", "2").subscribe("#", code=0x87)


class KindsTest(Listeners):
    def test_a_unix_socket_has_its_mode(self):
        self.start(section("local", bind="mqtt.sock", kind="unix")
                   + '[listeners.unix.local.unix_options]\nmode = "0600"\n')
        path = self.broker.data_dir / "mqtt.sock"
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        with Client(path) as it:
            it.connect("local").ping()
            self.broker.reload(
                section("local", bind="mqtt.sock", kind="unix")
                + '[listeners.unix.local.unix_options]\nmode = "0660"\n')
            self.assertEqual(0o660, stat.S_IMODE(path.stat().st_mode))
            it.ping()
        # What a broker that was killed left there is no obstacle.
        self.broker.end(signal.SIGKILL)
        self.assertTrue(path.exists())
        again = ConfiguredBroker(self.broker.configuration.read_text(),
                                 data_dir=self.broker.data_dir)
        self.addCleanup(again.close)
        with Client(path) as it:
            it.connect("local").ping()
        again.end(signal.SIGTERM)
        self.assertFalse(path.exists())

    def test_an_address_may_be_widened_and_a_file_may_change_names(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.start(section("a", bind=f"127.0.0.1:{port}")
                   + section("x", bind="one.sock", kind="unix")
                   + section("y", bind="two.sock", kind="unix"))
        kept = self.client("tcp:a", "kept")
        gone = Client(self.broker.data_dir / "one.sock")
        self.addCleanup(gone.socket.close)
        gone.connect("gone")
        self.broker.reload("allow_anonymous = true\n"
                           + section("a", bind=f"0.0.0.0:{port}")
                           + section("z", bind="one.sock", kind="unix")
                           + section("y", bind="one.other", kind="unix")
                           + section("x", bind="two.sock", kind="unix"))
        kept.ping()
        self.client("tcp:a", "new").ping()
        gone.ping()  # of a listener that there still is, elsewhere
        for name in "one.sock", "one.other", "two.sock":
            with Client(self.broker.data_dir / name) as it:
                it.connect(name).ping()
        self.broker.reload(section("a", bind=f"127.0.0.1:{port}")
                           + section("z", bind="two.sock", kind="unix"))
        kept.ping()
        self.ended(gone)
        for name in "one.sock", "one.other":
            self.assertFalse((self.broker.data_dir / name).exists(), name)
        with Client(self.broker.data_dir / "two.sock") as it:
            it.connect("again").ping()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            at = "127.0.0.1:%d" % taken.getsockname()[1]
            log = self.broker.reload(
                section("w", bind="two.sock", kind="unix")
                + section("b", bind=at), good=False)
            self.assertIn("listener tcp:b cannot listen on " + at, log)
        with Client(self.broker.data_dir / "two.sock") as it:
            it.connect("as before").ping()
        kept.ping()

    def test_it_listens_on_ipv6(self):
        self.start(section("six", bind="[::1]:0"))
        with Client(self.broker.port_of("tcp:six"), host="::1") as it:
            it.connect("six").ping()

    def test_they_come_and_go(self):
        self.start(section("a"))
        kept = self.client("tcp:default", "kept")
        gone = self.client("tcp:a", "gone")
        self.broker.reload(section("b"))
        self.ended(gone)
        kept.ping()
        self.client("tcp:b", "new").ping()
        with self.assertRaises(ConnectionError):
            Client(self.broker.port_of("tcp:a"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            at = "127.0.0.1:%d" % taken.getsockname()[1]
            log = self.broker.reload(section("b") + section("c", bind=at),
                                     good=False)
            self.assertIn("listener tcp:c cannot listen on " + at, log)
        kept.ping()
        self.broker.reload(section("b", "enable = false"))
        with self.assertRaises(ConnectionError):
            Client(self.broker.port_of("tcp:b"))


class HotTest(Listeners):
    """One setting of each section, by SIGHUP."""

    def test_what_is_hot_holds_for_living_clients(self):
        self.start("")
        old = self.client("tcp:default", "old")
        old.subscribe("x", 2, code=2)
        self.broker.configuration.write_text("""
[mqtt]
max_qos_allowed = 1
[retainer]
max_payload_size = "10"
[delayed]
enable = false
[sys_topics]
sys_heartbeat_interval = "1s"
[auth.guard]
max_failures = 1
[flapping_detect]
enable = true
max_count = 1
[log]
level = "warning"
""")
        before = self.broker.log()
        self.broker.process.send_signal(signal.SIGHUP)  # it says nothing now

        def granted():
            old.send(0x82, b"\0\1\0" + string("x") + b"\2")
            return old.expect(SUBACK)[-1]
        wait_until(lambda: granted() == 1, "it is not reloaded")
        # Too large to be kept; a topic as any other.
        old.publish_acked("kept", b"more than ten bytes", retain=True)
        self.assertGreaterEqual(old.publish_acked("$delayed/1/x"), 0x80)
        old.subscribe("kept")
        old.ping()
        watcher = self.client("tcp:default", "watcher")
        watcher.subscribe("$SYS/#")
        watcher.take(2)  # within the patience of the test
        gone = self.client("tcp:default", "moth")
        gone.socket.close()
        wait_until(lambda: self.metric("client_flapping") == 1, "no ban")
        self.client("tcp:default", "moth", code=0x8A)
        self.assertNotIn('"level":"info"', self.broker.log()[len(before):])

    def test_what_is_cold_is_named_and_waits(self):
        self.start("")
        old = self.client("tcp:default", "old")
        log = self.broker.reload("[node]\nreactors = 3\n[shards]\ncount = 8\n"
                                 "[mqtt]\nmax_qos_allowed = 1\n")
        for key in "node.reactors", "shards.count":
            self.assertIn(key + " waits for a restart", log)
        self.assertNotIn("mqtt.max_qos_allowed waits", log)
        old.subscribe("x", 2, code=1)

    def test_mistakes_change_nothing_and_are_all_named(self):
        self.start("")
        old = self.client("tcp:default", "old")
        log = self.broker.reload("[mqtt]\nmax_qos_allowed = 0\n"
                                 "max_inflite = 3\nreceive_maximum = 0\n",
                                 good=False)
        for what in "max_inflite", "receive_maximum", "troupe.toml:3":
            self.assertIn(what, log)
        old.subscribe("x", 2, code=2)


if __name__ == "__main__":
    unittest.main()
