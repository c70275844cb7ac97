#!/usr/bin/env python3
"""`troupe ctl`: what it says to people and to programs, and its socket."""

import json
import os
import socket
import stat
import tempfile
import unittest

from broker import Broker, Client, troupe, wait_until


class CtlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker("node.name=here")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.broker.wait_until_empty()

    def text(self, *words):
        answer = self.broker.ctl(*words)
        self.assertEqual("", answer.stderr)
        self.assertEqual(0, answer.returncode)
        return answer.stdout

    def refused(self, code, *words):
        answer = self.broker.ctl(*words)
        self.assertEqual(code, answer.returncode)
        self.assertEqual("", answer.stdout)
        return answer.stderr

    def test_status_says_what_the_node_is_and_holds(self):
        with Client(self.broker.port).connect("c") as client:
            client.subscribe("a/#")
            x = self.broker.ask("status")
        self.assertEqual("here", x["node"])
        self.assertEqual("running", x["node_status"])
        self.assertEqual(self.broker.pid, x["pid"])
        self.assertEqual(1, x["connections"])
        self.assertEqual(1, x["subscriptions"])
        self.assertEqual([{"id": "tcp:default",
                           "address": f"127.0.0.1:{self.broker.port}"}],
                         x["listeners"])
        for name in ("sessions", "sessions_offline", "topics", "retained",
                     "delayed", "messages_stored", "messages_inflight",
                     "messages_queued", "uptime", "memory_resident"):
            self.assertIsInstance(x[name], int, name)
        text = self.text("status")
        self.assertIn("node here is running", text)
        self.assertIn(f"listening on tcp:default 127.0.0.1:{self.broker.port}",
                      text)

    def test_a_declared_group_collects_before_its_first_member_comes(self):
        self.assertEqual([], self.broker.ask("groups", "list"))
        self.assertIn("keeps its messages",
                      self.text("groups", "create", "billing", "cash/+/paid"))
        self.assertEqual([{"group": "$share/billing/cash/+/paid", "members": 0,
                           "declared": True, "leased": 0}],
                         self.broker.ask("groups", "list"))
        with Client(self.broker.port).connect("device") as device:
            device.publish_acked("cash/7/paid", b"12.50")
        with Client(self.broker.port).connect("member") as member:
            member.subscribe("$share/billing/cash/+/paid", 1)
            self.assertIn(b"12.50", member.receive()[2])
        self.assertIn("ends with its last member",
                      self.text("groups", "delete", "billing", "cash/+/paid"))
        self.assertEqual([], self.broker.ask("groups", "list"))
        self.assertIn("is no shared subscription",
                      self.refused(2, "groups", "create", "a/b", "t"))
        self.assertIn("is no shared subscription",
                      self.refused(2, "groups", "create", "a", "t/#/x"))

    def test_backlog_names_who_keeps_what(self):
        with Broker("storage.sweep_interval=1s",
                    "storage.flush_interval=100ms") as broker:
            with Client(broker.port, 4).connect("away", clean=False) as away:
                away.subscribe("t", 1)
            with Client(broker.port).connect("device") as device:
                device.publish_acked("t", b"x" * 99)
            wait_until(lambda: broker.ask("backlog"), "nothing is told")
            row, = broker.ask("backlog")
            self.assertEqual(("away", 1, 100),
                             (row["clientid"], row["messages"], row["bytes"]))
            self.assertIn("away", broker.ctl("backlog").stdout)

    def test_clients_list_has_a_row_for_each(self):
        with Client(self.broker.port, 4).connect("b"), \
                Client(self.broker.port).connect("a", keep_alive=7) as client:
            rows = self.broker.ask("clients", "list")
            text = self.text("clients", "list")
        self.assertEqual(["a", "b"], [x["clientid"] for x in rows])
        self.assertEqual([5, 4], [x["proto_ver"] for x in rows])
        self.assertEqual(7, rows[0]["keepalive"])
        self.assertEqual(client.name,
                         "%(ip_address)s:%(port)d" % rows[0])
        lines = text.splitlines()
        self.assertEqual(3, len(lines))
        # Columns are aligned: each begins below its heading.
        at = lines[0].index("peer")
        self.assertEqual([at, at], [x.index("127.0.0.1") for x in lines[1:]])

    def test_names_with_odd_characters_stay_in_their_cell(self):
        with Client(self.broker.port).connect("tür \"7\"\tö"):
            self.assertEqual(["tür \"7\"\tö"],
                             [x["clientid"] for x in
                              self.broker.ask("clients", "list")])
            self.assertIn("tür \"7\"\\x09ö", self.text("clients", "list"))
            self.assertIn("was disconnected",
                          self.text("clients", "kick", "tür \"7\"\tö"))

    def test_clients_show_has_its_subscriptions(self):
        with Client(self.broker.port).connect("c") as client:
            client.subscribe("$share/g/a/+", 1)
            client.subscribe("b", 0x2E, b"\x0b\x09")
            x = self.broker.ask("clients", "show", "c")
            self.assertIn("$share/g/a/+", self.text("clients", "show", "c"))
        self.assertEqual("c", x["clientid"])
        self.assertEqual(2, x["subscriptions_cnt"])
        found = {one["topic"]: one for one in x["subscriptions"]}
        self.assertEqual(
            {"clientid": "c", "topic": "b", "qos": 2, "nl": 1, "rap": 1,
             "rh": 2, "subscription_identifier": 9, "connected": True}, found["b"])
        self.assertEqual(1, found["$share/g/a/+"]["qos"])

    def test_clients_kick_disconnects(self):
        with Client(self.broker.port).connect("c") as client:
            self.assertTrue(self.broker.ask("clients", "kick", "c")["kicked"])
            kind, _, body = client.receive()
            self.assertEqual((14, 0x98), (kind, body[0]))
            self.assertIsNone(client.receive())
        self.assertIn("no client \"c\"",
                      self.refused(1, "clients", "kick", "c"))

    def test_an_unknown_client_is_a_failure(self):
        for words in (("clients", "show", "x"), ("clients", "kick", "x"),
                      ("clients", "disconnect", "x"),
                      ("clients", "disconnect", "x", "--discard"),
                      ("subscriptions", "--client", "x")):
            self.assertIn("no client \"x\" is connected",
                          self.refused(1, *words))

    def test_subscriptions_of_all_or_of_one(self):
        with Client(self.broker.port).connect("a") as one, \
                Client(self.broker.port).connect("b") as other:
            one.subscribe("x")
            other.subscribe("y/#", 2)
            both = self.broker.ask("subscriptions")
            its = self.broker.ask("subscriptions", "--client", "b")
        self.assertEqual([("a", "x", 0), ("b", "y/#", 2)],
                         [(x["clientid"], x["topic"], x["qos"]) for x in both])
        self.assertEqual([both[1]], its)

    def test_metrics_are_filtered_by_either_name(self):
        with Client(self.broker.port).connect("a") as client:
            client.publish("nobody/listens")
            client.ping()
        rows = self.broker.ask("metrics")
        self.assertGreater(len(rows), 100)
        self.assertEqual({"name", "type", "value", "help"}, set(rows[0]))
        for text in ("messages.dropped.no_subscribers",
                     "messages_dropped_no_subscribers"):
            rows = self.broker.ask("metrics", "--filter", text)
            self.assertEqual(["troupe_messages_dropped_no_subscribers"],
                             [x["name"] for x in rows])
            self.assertGreaterEqual(rows[0]["value"], 1)
            self.assertIsInstance(rows[0]["value"], int)
        self.assertIn('troupe_reactor_turns_total{reactor="0"}',
                      self.text("metrics", "--filter", "turns_total"))

    def test_bad_usage_is_exit_code_2(self):
        for words in ((), ("clients",), ("clients", "show"), ("nonsense",),
                      ("status", "--nonsense"), ("clients", "show", "a", "b")):
            self.assertTrue(self.refused(2, *words), words)

    def test_json_may_be_asked_for_before_and_after_the_command(self):
        before = json.loads(self.text("--json", "status"))
        self.assertEqual(before.keys(),
                         json.loads(self.text("status", "--json")).keys())

    def test_the_help_names_every_command(self):
        text = self.text("--help") + self.text("clients", "--help")
        for word in ("status", "clients", "list", "show", "kick",
                     "subscriptions", "metrics", "--json", "--socket"):
            self.assertIn(word, text)


class CtlSocketTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def ask(self, path, line):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(line)
            return client.makefile().readline()

    def test_no_broker_there_is_exit_code_4(self):
        answer = troupe("ctl", "--data-dir", self.folder, "status")
        self.assertEqual(4, answer.returncode)
        self.assertIn("no broker answers at " + self.folder, answer.stderr)
        self.assertIn("--data-dir", answer.stderr)

    def test_the_socket_is_for_the_user_of_the_broker_and_goes_with_it(self):
        with Broker() as broker:
            path = broker.data_dir / "troupe.sock"
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
            broker.end()
            self.assertFalse(path.exists())

    def test_the_socket_may_be_for_the_group_of_that_user_whatever_umask(self):
        with Broker("ctl.group_access=true",
                    before=lambda: os.umask(0o077)) as broker:
            path = broker.data_dir / "troupe.sock"
            self.assertEqual(0o660, stat.S_IMODE(os.stat(path).st_mode))
            self.assertEqual(broker.pid, broker.ask("status")["pid"])

    def test_the_socket_may_be_elsewhere(self):
        path = self.folder + "/other.sock"
        with Broker("ctl.socket=" + path) as broker:
            self.assertEqual(4, broker.ctl("status").returncode)
            answer = troupe("ctl", "--socket", path, "status")
            self.assertEqual(0, answer.returncode, answer.stderr)

    def test_the_socket_of_a_dead_broker_is_replaced(self):
        with Broker() as broker:
            broker.process.kill()
            broker.process.wait()
            self.assertTrue((broker.data_dir / "troupe.sock").exists())
            self.assertEqual(4, broker.ctl("status").returncode)
            again = Broker(directory=broker.directory)
            self.assertEqual(again.pid, again.ask("status")["pid"])
            again.close()

    def test_the_socket_of_a_living_broker_is_left_alone(self):
        path = self.folder + "/one.sock"
        with Broker("ctl.socket=" + path) as first:
            second = Broker("ctl.socket=" + path, wait=False)
            self.addCleanup(second.close)
            self.assertEqual(4, second.process.wait(10))
            self.assertIn("belongs to a running broker", second.log())
            answer = troupe("ctl", "--socket", path, "--json", "status")
            self.assertEqual(first.pid, json.loads(answer.stdout)["pid"])

    def test_a_file_of_that_name_is_left_alone(self):
        path = self.folder + "/file"
        with open(path, "w") as file:
            file.write("mine")
        broker = Broker("ctl.socket=" + path, wait=False)
        self.addCleanup(broker.close)
        self.assertEqual(4, broker.process.wait(10))
        with open(path) as file:
            self.assertEqual("mine", file.read())

    def test_a_path_that_is_too_long_is_named(self):
        broker = Broker(data_dir=self.folder + "/" + "x" * 100, wait=False)
        self.addCleanup(broker.close)
        self.assertEqual(3, broker.process.wait(10))
        self.assertIn("107", broker.log())
        self.assertIn("ctl.socket", broker.log())

    def test_requests_are_lines_and_so_are_answers(self):
        with Broker() as broker:
            path = broker.data_dir / "troupe.sock"
            got = json.loads(self.ask(path, b'{"command":"status"}\n'))
            self.assertEqual(broker.pid, got["answer"]["pid"])
            for bad in (b"\n", b"status\n", b"[]\n", b'{"command":7}\n',
                        b'{"command":"clients show"}\n',
                        b'{"command":"nonsense"}\n'):
                got = json.loads(self.ask(path, bad))
                self.assertEqual(2, got["error"]["code"], bad)
                self.assertTrue(got["error"]["text"])
            # A line without end does not take memory without end.
            try:
                got = self.ask(path, b"x" * (65 << 20))
                self.assertIn("longer than", json.loads(got)["error"]["text"])
            except OSError:
                pass  # it was not read to its end
            self.assertLess(broker.resident(), 600 << 20)
            self.assertEqual(broker.pid, broker.ask("status")["pid"])


if __name__ == "__main__":
    unittest.main()
