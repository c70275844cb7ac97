#!/usr/bin/env python3
"""`troupe serve` as a process: its start, its neighbours, its end."""

import os
import pathlib
import signal
import socket
import tempfile
import time
import unittest

from broker import DISCONNECT, Broker, Client, troupe


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "troupe.toml"

    def test_every_problem_is_reported_at_once_with_its_place(self):
        self.file.write_text("[mqtt]\n"
                             "max_inflght = 3\n"
                             "max_qos_allowed = 7\n"
                             "retain_available = \"yes\"\n"
                             "\n"
                             "[listeners.tcp.default]\n"
                             "bind = \"somewhere\"\n")
        for words in (("serve",), ("config", "check")):
            answer = troupe(*words, "--config", self.file, "--data-dir",
                            self.folder / "data", "--set", "http.enabel=no",
                            env={"TROUPE_MQTT__MAX_MQUEUE_LEN": "many"})
            self.assertEqual(3, answer.returncode)
            for line in (2, 3, 4, 7):
                self.assertIn(f"{self.file}:{line}", answer.stderr)
            self.assertIn("max_inflight", answer.stderr)
            self.assertIn("http.enable", answer.stderr)
            self.assertIn("TROUPE_MQTT__MAX_MQUEUE_LEN", answer.stderr)
            self.assertIn("6 problems", answer.stderr)
            self.assertFalse((self.folder / "data").exists())

    def test_a_file_that_is_no_toml_is_reported(self):
        self.file.write_text("[mqtt\n")
        answer = troupe("serve", "--config", self.file)
        self.assertEqual(3, answer.returncode)
        self.assertIn(f"{self.file}:1", answer.stderr)

    def test_bad_words_are_exit_code_2(self):
        for words in ((), ("srve",), ("serve", "--nonsense"), ("config",),
                      ("metrics",), ("serve", "--set")):
            self.assertEqual(2, troupe(*words).returncode, words)
        for words in (("frob",), ("ctl", "frob"), ("config", "frob", "-v")):
            answer = troupe(*words)
            self.assertEqual(2, answer.returncode)
            self.assertIn('"frob" is no command here', answer.stderr)

    def test_what_is_shown_can_be_read_again(self):
        shown = troupe("config", "show", "--set", "mqtt.max_inflight=9")
        self.file.write_text(shown.stdout)
        again = troupe("config", "show", "--config", self.file)
        self.assertEqual(shown.stdout, again.stdout)
        self.assertIn("max_inflight = 9", again.stdout)

    def test_a_file_that_cannot_be_read_is_named_with_the_reason(self):
        for file, why in ((self.folder, "Is a directory"),
                          (self.folder / "none", "No such file")):
            answer = troupe("config", "check", "--config", file)
            self.assertEqual(3, answer.returncode)
            self.assertIn(f"{file}: cannot be read: {why}", answer.stderr)

    def test_what_it_makes_is_not_for_others(self):
        with Broker(before=lambda: os.umask(0)) as broker:
            made = [broker.data_dir, *broker.data_dir.rglob("*")]
            self.assertGreater(len(made), 10)
            for path in made:
                mode = path.lstat().st_mode
                self.assertEqual(0, mode & 0o027, f"{path}: {mode:o}")

    def test_a_data_directory_that_cannot_be_made_is_named(self):
        self.file.write_text("")
        answer = troupe("serve", "--data-dir", self.file / "x")
        self.assertEqual(4, answer.returncode)
        self.assertIn(str(self.file / "x"), answer.stderr)


class NeighboursTest(unittest.TestCase):
    def start(self, *settings, **more):
        broker = Broker(*settings, **more)
        self.addCleanup(broker.close)
        return broker

    def ends(self, broker, code, *texts):
        self.assertEqual(code, broker.process.wait(10))
        for x in texts:
            self.assertIn(x, broker.log())

    def test_brokers_run_side_by_side_on_free_ports(self):
        one = self.start(http=True)
        other = self.start(http=True)
        self.assertEqual(4, len({one.port, other.port, one.http_port,
                                 other.http_port} - {0, None}))
        with Client(one.port).connect("c") as a, \
                Client(other.port).connect("c") as b:
            a.subscribe("t")
            b.publish("t", b"x")
            b.ping()
            a.ping()  # and nothing of the other's before

    def test_a_second_listener_has_a_port_of_its_own(self):
        broker = self.start("listeners.tcp.more.bind=127.0.0.1:0")
        more = broker.port_of("tcp:more")
        self.assertNotEqual(broker.port, more)
        with Client(more).connect("c") as client:
            client.ping()
        self.assertEqual(["tcp:default", "tcp:more"],
                         [x["id"] for x in broker.ask("status")["listeners"]])

    def test_an_address_belongs_to_one_broker(self):
        first = self.start()
        bind = f"listeners.tcp.default.bind=127.0.0.1:{first.port}"
        self.ends(self.start(bind, wait=False), 4, str(first.port),
                  "listeners.tcp.default.bind")

    def test_a_port_of_another_program_is_refused(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            bind = f"listeners.tcp.default.bind=127.0.0.1:{port}"
            self.ends(self.start(bind, wait=False), 4, str(port))

    def test_the_http_address_that_is_taken_is_named_with_the_way_out(self):
        first = self.start(http=True)
        bind = f"http.bind=127.0.0.1:{first.http_port}"
        self.ends(self.start(bind, "http.enable=true", wait=False), 4,
                  str(first.http_port), "http.bind", "http.enable")

    def test_a_data_directory_belongs_to_one_process(self):
        first = self.start()
        second = self.start(data_dir=first.data_dir, wait=False)
        self.ends(second, 4, f"is used by process {first.pid}", "--data-dir")
        self.assertEqual(first.pid, first.ask("status")["pid"])

    def test_the_data_directory_of_a_killed_broker_is_free(self):
        first = self.start()
        first.process.kill()
        first.process.wait()
        self.start(data_dir=first.data_dir)


class EndTest(unittest.TestCase):
    def test_clients_are_told_and_the_process_ends(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Broker(http=True) as broker, \
                    Client(broker.port).connect("five") as five, \
                    Client(broker.port, 4).connect("four") as four, \
                    Client(broker.port) as silent:
                five.subscribe("t")
                self.assertEqual(0, broker.end(number))
                kind, _, body = five.receive()
                self.assertEqual((DISCONNECT, 0x8B), (kind, body[0]))
                self.assertIsNone(five.receive())
                self.assertIsNone(four.receive())
                self.assertIsNone(silent.receive())
                self.assertIn("stopped", broker.log())

    def test_it_ends_soon_with_many_clients(self):
        with Broker() as broker:
            clients = [Client(broker.port).connect(str(i)) for i in range(300)]
            began = time.monotonic()
            self.assertEqual(0, broker.end())
            self.assertLess(time.monotonic() - began, 5)
            for x in clients:
                self.assertEqual(DISCONNECT, x.receive()[0])
                x.socket.close()

    def test_an_end_that_takes_too_long_is_cut_short(self):
        with Broker("node.shutdown_timeout=0s") as broker:
            self.assertEqual(1, broker.end())
            self.assertIn("node.shutdown_timeout", broker.log())

    def test_a_second_signal_ends_at_once(self):
        with Broker("node.shutdown_timeout=1h") as broker:
            os.kill(broker.pid, signal.SIGTERM)
            os.kill(broker.pid, signal.SIGINT)
            self.assertIn(broker.process.wait(10),
                          (-signal.SIGTERM, -signal.SIGINT))


if __name__ == "__main__":
    unittest.main()
