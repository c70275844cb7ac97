#!/usr/bin/env python3
"""Runs troupe-bench over TLS and WebSocket: against Mosquitto, and against a
broker that makes these hard or breaks their rules.

usage: doors_test.py PATH/TO/troupe-bench PATH/TO/scripts [unittest arguments]
"""

import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

from faulty_broker import FaultyBroker
from mosquitto import MOSQUITTO, Mosquitto, free_port
from ws_server import BINARY, CLOSE, WsSocket, frame, in_fragments

BENCH = ""
SHORT = ["--duration", "0.4", "--warmup", "0.1"]
FAULTS, BAD_OPTIONS, FAILED = 1, 2, 3
LINKS = {"tls": ["--tls"], "ws": ["--ws"], "wss": ["--tls", "--ws"]}


def bench(*args):
    return subprocess.run([BENCH, *map(str, args)], capture_output=True,
                          text=True, timeout=120)


class WithCertificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        cls.certs = pathlib.Path(cls.folder.name)
        make_certificates(cls.certs, ["someone"])
        cls.other = cls.certs / "other"
        make_certificates(cls.other)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class MosquittoTest(WithCertificates):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ports = {name: free_port() for name in (*LINKS, "mutual")}
        tls = [f"certfile {cls.certs}/server.pem",
               f"keyfile {cls.certs}/server.key"]
        cls.broker = Mosquitto(
            "allow_anonymous true",
            f"listener {cls.ports['tls']} 127.0.0.1", *tls,
            f"listener {cls.ports['ws']} 127.0.0.1", "protocol websockets",
            f"listener {cls.ports['wss']} 127.0.0.1", "protocol websockets",
            *tls, f"listener {cls.ports['mutual']} 127.0.0.1", *tls,
            "require_certificate true", f"cafile {cls.certs}/ca.pem",
            ports=cls.ports.values())

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        super().tearDownClass()

    def run_clean(self, link, mode, *args, times=SHORT):
        done = bench(mode, "--port", self.ports[link], *LINKS[link], "--pid",
                     self.broker.process.pid, "--json", *times, *args)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        found = json.loads(done.stdout)
        self.assertTrue(found["ok"])
        if mode != "idle":
            self.assertGreater(found["deliveries"], 0)
        self.assertEqual(found["options"]["tls"], "--tls" in LINKS[link])
        self.assertEqual(found["options"]["websocket"], "--ws" in LINKS[link])
        return found

    def test_every_link_carries_every_qos(self):
        for link in LINKS:
            for qos in (0, 1, 2):
                with self.subTest(link=link, qos=qos):
                    self.run_clean(link, "pairs", "-n", 5, "--qos", qos)

    def test_large_messages(self):
        self.run_clean("tls", "pairs", "-n", 2, "--payload", 700_000,
                       "--outstanding", 4)
        # Mosquitto 2.0.11 keeps part of larger ones back over WebSocket.
        for link in ("ws", "wss"):
            with self.subTest(link=link):
                self.run_clean(link, "pairs", "-n", 2, "--payload", 1500,
                               "--outstanding", 4)

    def test_other_modes(self):
        for link in LINKS:
            with self.subTest(link=link):
                self.run_clean(link, "fan-out", "-n", 20, "--qos", 1)
                self.run_clean(link, "idle", "-n", 100, "--settle", 0.1,
                               times=[])

    def test_each_connection_is_a_full_handshake(self):
        found = self.run_clean("tls", "connect", "-n", 200, "--concurrency",
                               10, times=[])
        self.assertEqual(found["deliveries"], 200)
        self.assertEqual(found["tls"], {"handshakes": 200, "resumed": 0})

    def test_each_connection_resumes(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version=version):
                found = self.run_clean(
                    "tls", "connect", "-n", 200, "--concurrency", 10,
                    "--resume", "--tls-version", version, times=[])
                self.assertEqual(found["tls"],
                                 {"handshakes": 200, "resumed": 200})

    def test_a_storm(self):
        for link, more in (("tls", []), ("tls", ["--resume"]), ("ws", []),
                           ("tls", ["--at-once", 20])):
            with self.subTest(link=link, more=more):
                found = self.run_clean(link, "storm", "-n", 100, "--settle", 0,
                                       *more, times=[])
                self.assertEqual(found["deliveries"], 100)
                self.assertEqual(found["latency_us"]["count"], 100)
                if link == "tls":
                    self.assertEqual(found["tls"], {
                        "handshakes": 100,
                        "resumed": 100 if "--resume" in more else 0})

    def test_the_broker_is_verified_where_an_authority_is_named(self):
        self.run_clean("tls", "pairs", "-n", 2, "--ca", self.certs / "ca.pem")
        done = bench("pairs", "--tls", "--port", self.ports["tls"], "--ca",
                     self.other / "ca.pem", *SHORT)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("certificate verify failed", done.stderr)

    def test_a_certificate_of_the_client(self):
        port = ["--port", self.ports["mutual"], "--tls"]
        own = ["--cert", self.certs / "someone.pem", "--key",
               self.certs / "someone.key"]
        done = bench("pairs", "-n", 2, *port, *own, *SHORT)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = bench("pairs", "-n", 2, *port, *SHORT)
        self.assertEqual(done.returncode, FAILED)

    def test_a_window_that_lasts_until_it_is_told(self):
        with subprocess.Popen(
                [BENCH, "pairs", "-n", "2", "--rate", "100", "--warmup", "0",
                 "--duration", "60", "--json", "--until-input-ends", "--port",
                 str(self.broker.port)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True) as process:
            self.assertIn("measuring", process.stderr.readline())
            out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)
        found = json.loads(out)
        self.assertLess(found["elapsed_s"], 30)
        self.assertEqual(found["lost"], 0)

    def test_a_storm_that_begins_when_it_is_told(self):
        with subprocess.Popen(
                [BENCH, "storm", "-n", "10", "--settle", "0", "--on-input",
                 "--json", "--port", str(self.broker.port)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True) as process:
            self.assertIn("ready", process.stderr.readline())
            process.stdin.write("now\n")
            process.stdin.flush()
            self.assertIn("served", process.stderr.readline())
            out, _ = process.communicate(timeout=30)
        self.assertEqual(json.loads(out)["deliveries"], 10)


class TicketTest(WithCertificates):
    def broker(self, context):
        return FaultyBroker(
            lambda n, packet: [packet],
            wrap=lambda client: context().wrap_socket(client, server_side=True))

    def context(self, tickets):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certs / "server.pem",
                                self.certs / "server.key")
        context.num_tickets = tickets
        return context

    def connect(self, broker, *args):
        return bench("connect", "-n", 20, "--concurrency", 2, "--json",
                     "--port", broker.port, "--tls", *args)

    def test_a_broker_that_gives_none(self):
        context = self.context(0)
        with self.broker(lambda: context) as broker:
            done = self.connect(broker, "--resume")
            self.assertEqual(done.returncode, FAILED)
            self.assertIn("no session ticket", done.stderr)
            self.assertEqual(self.connect(broker).returncode, 0)

    def test_a_session_that_is_made_anew_is_a_fault(self):
        # Each connection has a key of its own for tickets.
        with self.broker(lambda: self.context(1)) as broker:
            done = self.connect(broker, "--resume")
        self.assertEqual(done.returncode, FAULTS, done.stderr)
        found = json.loads(done.stdout)
        self.assertFalse(found["ok"])
        self.assertEqual(found["tls"], {"handshakes": 20, "resumed": 0})


class StormTest(unittest.TestCase):
    def test_who_is_refused_comes_again(self):
        answers = [b"\x20\x02\x00\x00"] * 5 + [b"\x20\x02\x00\x03"] * 3

        class Refusing(FaultyBroker):
            def handle(self, client, first, body):
                if first >> 4 != 1:
                    return super().handle(client, first, body)
                with self.lock:
                    answer = answers.pop(0) if answers else self.connack
                client.sendall(answer)
                if answer[3]:
                    client.shutdown(socket.SHUT_RDWR)
        with Refusing(lambda n, packet: [packet]) as broker:
            done = bench("storm", "-n", 5, "--settle", 0, "--retry", 0.01,
                         "--json", "--port", broker.port)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        found = json.loads(done.stdout)
        self.assertEqual((found["deliveries"], found["retries"]), (5, 3))


class WebSocketTest(unittest.TestCase):
    """One pair, over a server that is not Mosquitto's."""

    def run_with(self, *args, rate=200, **options):
        made = []

        def wrap(client):
            made.append(WsSocket(client, **options))
            return made[-1]
        with FaultyBroker(lambda n, packet: [packet], wrap=wrap) as broker:
            done = bench("pairs", "-n", 1, "--port", broker.port, "--ws",
                         "--json", "--rate", rate, "--drain", 0.3,
                         "--timeout", 5, *SHORT, *args)
        return done, made

    def test_frames_of_one_byte_with_pings_between_them(self):
        done, made = self.run_with(frames=in_fragments)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(json.loads(done.stdout)["lost"], 0)
        for each in made:
            self.assertEqual(each.request, ["GET", "/mqtt", "HTTP/1.1"])
            self.assertEqual(each.headers[b"sec-websocket-protocol"], b"mqtt")
            self.assertEqual(each.pongs[:2], [b"0", b"1"])

    def test_large_messages(self):
        done, _ = self.run_with("--payload", 200_000, rate=10)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(json.loads(done.stdout)["whole_run"]["delivered"], 5)

    def test_what_is_not_allowed(self):
        for text, options in (
                ("wrong Sec-WebSocket-Accept", {"accept": b"bm8="}),
                ("HTTP/1.1 404", {"answer": b"HTTP/1.1 404 No\r\n\r\n"}),
                ("does not end", {"answer": b"HTTP/1.1 101 x" * 1000}),
                ("masked a frame", {"frames": lambda x: [
                    frame(BINARY, x, masked=True)]}),
                ("not binary", {"frames": lambda x: [frame(1, x)]}),
                ("mixed up", {"frames": lambda x: [frame(0, x)]}),
                ("reserved bit", {"frames": lambda x: [frame(0x42, x)]}),
                ("WebSocket code 1011", {"frames": lambda x: [
                    frame(CLOSE, b"\x03\xf3")]})):
            with self.subTest(text=text):
                done, _ = self.run_with(**options)
                self.assertEqual(done.returncode, FAILED, done.stdout)
                self.assertIn(text, done.stderr)


class MistakeTest(unittest.TestCase):
    def test_options(self):
        for args in (["--ca", "x"], ["--tls", "--cert", "x"],
                     ["--tls", "--key", "x"], ["--ws-path", "/"],
                     ["--tls", "--tls-version", "1.1"],
                     ["--resume"]):
            with self.subTest(args=args):
                done = bench("connect", *args)
                self.assertEqual(done.returncode, BAD_OPTIONS, done.stderr)
                self.assertIn(args[-2] if len(args) > 1 else args[0],
                              done.stderr)

    def test_files(self):
        for args in (["--ca", "/no/such/file"],
                     ["--cert", "/no/such/file", "--key", "/no/such/file"]):
            with self.subTest(args=args):
                done = bench("connect", "--tls", *args)
                self.assertEqual(done.returncode, FAILED)
                self.assertIn(args[0] + " /no/such/file: No such file",
                              done.stderr)

    def test_a_broker_that_does_not_speak_it(self):
        with FaultyBroker(lambda n, packet: [packet]) as broker:
            for args in (["--tls"], ["--ws"]):
                done = bench("pairs", "--port", broker.port, *args,
                             "--timeout", 0.5, *SHORT)
                self.assertEqual(done.returncode, FAILED)


if __name__ == "__main__":
    BENCH = sys.argv.pop(1)
    sys.path.insert(0, sys.argv.pop(1))
    from make_certs import make_certificates
    unittest.main()
