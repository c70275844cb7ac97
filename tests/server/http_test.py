#!/usr/bin/env python3
"""The HTTP listener: its pages, and requests that are none."""

import http.client
import json
import re
import socket
import time
import unittest

from broker import Broker, Client

LINE = re.compile(r'[a-z_][a-z0-9_]*(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? '
                  r'-?[0-9.]+(e[+-]?[0-9]+)?')


class HttpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker("node.name=here", http=True)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def connection(self):
        made = http.client.HTTPConnection("127.0.0.1", self.broker.http_port,
                                          timeout=10)
        self.addCleanup(made.close)
        return made

    def request(self, target, method="GET", **more):
        connection = self.connection()
        connection.request(method, target, **more)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def raw(self, text, end=False):
        """What comes back until the broker closes."""
        with socket.create_connection(("127.0.0.1", self.broker.http_port),
                                      10) as client:
            client.sendall(text)
            if end:
                client.shutdown(socket.SHUT_WR)
            got = b""
            while more := client.recv(65536):
                got += more
        return got.decode()

    def test_status_is_text_that_load_balancers_know(self):
        answer, text = self.request("/status")
        self.assertEqual(200, answer.status)
        self.assertEqual("Node here is started\ntroupe is running\n", text)
        self.assertIn("text/plain", answer.headers["Content-Type"])

    def test_status_as_json(self):
        answer, text = self.request("/status?x=1&format=json")
        self.assertEqual("application/json", answer.headers["Content-Type"])
        self.assertEqual({"node_name": "here", "broker_status": "started",
                          "app_status": "running", "rel_vsn": "0.1.0"},
                         json.loads(text))

    def test_metrics_are_in_the_format_of_prometheus(self):
        self.broker.wait_until_empty()
        with Client(self.broker.port).connect("a") as client:
            client.subscribe("t")
            client.publish("t", b"x")
            client.receive()
            answer, text = self.request("/metrics")
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8",
                         answer.headers["Content-Type"])
        self.assertTrue(text.endswith("\n"))
        described, values = {}, {}
        for line in text.splitlines():
            if line.startswith("# "):
                _, what, name, rest = line.split(" ", 3)
                described.setdefault(name, {})[what] = rest
                continue
            self.assertTrue(LINE.fullmatch(line), line)
            name, value = line.rsplit(" ", 1)
            self.assertNotIn(name, values)
            values[name] = float(value)
            base = name.split("{")[0]
            kind = "counter", "gauge"
            if base not in described:
                base = re.sub("_(bucket|sum|count)$", "", base)
                kind = "histogram",
            self.assertIn(described[base]["TYPE"], kind, line)
        for each in described.values():
            self.assertEqual({"HELP", "TYPE"}, set(each))
        self.assertEqual(1, values["troupe_connections_count"])
        self.assertEqual(1, values["troupe_subscriptions_count"])
        self.assertGreaterEqual(values["troupe_packets_connect_received"], 1)
        self.assertGreaterEqual(values["troupe_messages_received"], 1)
        self.assertGreater(sum(value for name, value in values.items()
                               if name.startswith("troupe_reactor_turns")), 0)
        self.assertGreater(values["process_resident_memory_bytes"], 1e6)
        self.assertEqual(1, values['troupe_build_info{version="0.1.0"}'])

    def test_other_pages_and_methods_are_refused(self):
        self.assertEqual(404, self.request("/")[0].status)
        self.assertEqual(404, self.request("/status/")[0].status)
        for method in ("POST", "DELETE", "OPTIONS"):
            answer, text = self.request("/status", method)
            self.assertEqual(405, answer.status)
            self.assertEqual("GET, HEAD", answer.headers["Allow"])
            self.assertTrue(text)

    def test_head_has_no_body(self):
        answer, text = self.request("/status", "HEAD")
        self.assertEqual(200, answer.status)
        self.assertEqual("39", answer.headers["Content-Length"])
        self.assertEqual("", text)

    def test_a_connection_serves_many_requests(self):
        connection = self.connection()
        for _ in range(20):
            connection.request("GET", "/status")
            self.assertEqual(200, connection.getresponse().read() and 200)
            port = connection.sock.getsockname()
        self.assertEqual(port, connection.sock.getsockname())

    def test_http_1_0_is_answered_and_closed(self):
        text = self.raw(b"GET /status HTTP/1.0\r\n\r\n")
        self.assertTrue(text.startswith("HTTP/1.0 200 OK\r\n"), text)

    def test_pipelined_requests_are_answered_in_order(self):
        text = self.raw(b"GET /status HTTP/1.1\r\n\r\n"
                        b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n")
        self.assertEqual(["200", "404"],
                         re.findall(r"HTTP/1\.1 (\d+)", text))

    def test_what_is_no_request_gets_400(self):
        for bad in (b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\r\n\r\n",
                    b"nonsense\r\n\r\n", b"GET /status\r\n\r\n",
                    b"GET /status HTTP/9.9\r\n\r\n",
                    b"GET /status HTTP/1.1\r\nno header\r\n\r\n",
                    b"GET /status HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            text = self.raw(bad)
            self.assertTrue(text.startswith("HTTP/1.1 400 "), (bad, text))

    def test_large_headers_and_bodies_are_refused(self):
        text = self.raw(b"GET /status HTTP/1.1\r\nX: " + b"x" * 20_000
                        + b"\r\n\r\n")
        self.assertTrue(text.startswith("HTTP/1.1 431 "), text)
        text = self.raw(b"POST /status HTTP/1.1\r\nContent-Length: 100000"
                        b"\r\n\r\n" + b"x" * 100_000)
        self.assertTrue(text.startswith("HTTP/1.1 413 "), text)

    def test_half_a_request_is_dropped(self):
        self.assertEqual("", self.raw(b"GET /sta", end=True))

    def test_silent_connections_do_not_keep_others_out(self):
        address = ("127.0.0.1", self.broker.http_port)
        began = time.monotonic()
        silent = [socket.create_connection(address, 10) for _ in range(80)]
        for x in silent:
            self.addCleanup(x.close)
        connection = http.client.HTTPConnection(*address, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", "/status")
        self.assertEqual(200, connection.getresponse().status)
        self.assertLess(time.monotonic() - began, 18)
        self.assertGreater(time.monotonic() - began, 8)

    def test_metrics_do_not_disturb_clients(self):
        with Client(self.broker.port).connect("a") as client:
            for _ in range(50):
                self.broker.get("/metrics")
                client.ping()


if __name__ == "__main__":
    unittest.main()
