#!/usr/bin/env python3
"""WebSocket listeners: handshakes, frames, and clients that do it wrong."""

import socket
import struct
import tempfile
import time
import unittest
import zlib

from broker import (CONNACK, PATIENCE, PINGRESP, Broker, Client, packet,
                    string, wait_until)
from tls_files import TlsFiles
from websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT,
                       WebSocket, close_body, frame, request)


def connect_packet(name):
    return packet(0x10, string("MQTT") + b"\5\2\0\0\0" + string(name))


class WebSockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="troupe-test-")
        cls.files = TlsFiles(cls.scratch.name)
        cls.broker = Broker(
            "listeners.ws.default.bind=127.0.0.1:0",
            "listeners.ws.six.bind=[::1]:0",
            "listeners.ws.strict.bind=127.0.0.1:0",
            "listeners.ws.strict.websocket.mqtt_path=/door",
            "listeners.ws.strict.websocket.check_origins="
            "https://desk.example",
            "listeners.ws.strict.websocket.allow_origin_absence=false",
            "listeners.ws.lax.bind=127.0.0.1:0",
            "listeners.ws.lax.websocket.fail_if_no_subprotocol=false",
            "listeners.ws.single.bind=127.0.0.1:0",
            "listeners.ws.single.websocket.mqtt_piggyback=single",
            "listeners.ws.small.bind=127.0.0.1:0",
            "listeners.ws.small.websocket.compress=true",
            *cls.files.settings("wss.default"), http=True)
        cls.port = cls.broker.port_of("ws:default")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        cls.scratch.cleanup()

    def connected(self, name=None, port=None):
        link = WebSocket(port or self.port).open()
        self.addCleanup(link.socket.close)
        return link.connect(name or self.id())

    def secure(self):
        port = self.broker.port_of("wss:default")
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
        link = WebSocket(port, on=self.files.wrap(raw))
        self.addCleanup(link.socket.close)
        return link

    def counted(self, name):
        return self.broker.metric("troupe_connections_" + name)

    # ---- clients that do it right ------------------------------------------

    def test_messages_go_both_ways_and_to_other_listeners(self):
        web = self.connected()
        with Client(self.broker.port) as plain:
            plain.connect("plain")
            plain.subscribe("from/web", 1)
            web.subscribe("from/plain", 1)
            for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
                web.publish("from/web", b"w" * size)
                plain.publish("from/plain", b"p" * size)
                self.assertEqual(plain.take(1), [("from/web", b"w" * size)])
                self.assertEqual(web.take(1), [("from/plain", b"p" * size)])

    def test_ctl_shows_the_listener_and_the_address(self):
        web = self.connected("shown")
        mine = [x for x in self.broker.ask("clients", "list")
                if x["clientid"] == "shown"]
        self.assertEqual(mine[0]["listener"], "ws:default")
        self.assertEqual((mine[0]["ip_address"], mine[0]["port"]),
                         web.socket.getsockname())

    def test_over_tls_it_is_the_same(self):
        web = self.secure().open().connect("secure")
        web.subscribe("secure/#", 1)
        web.publish("secure/1", b"s" * 200_000)
        self.assertEqual(web.take(1), [("secure/1", b"s" * 200_000)])
        web.send_frame(PING, b"tls")
        web.ping()
        self.assertEqual(web.pongs, [b"tls"])
        web.send_frame(CLOSE, close_body(1000))
        web.expect_close(1000)

    def test_over_ipv6_it_is_the_same(self):
        port = self.broker.port_of("ws:six")
        web = WebSocket(port, host="::1").open().connect("six")
        self.addCleanup(web.socket.close)
        web.ping()

    def test_the_subprotocol_is_chosen_by_the_clients_order(self):
        web = WebSocket(self.port)
        self.addCleanup(web.socket.close)
        status, head = web.ask(protocols="chat, mqttv3.1, mqtt")
        self.assertEqual(status, 101)
        self.assertIn("Sec-WebSocket-Protocol: mqttv3.1\r\n", head + "\r\n")

    def test_packets_may_be_cut_into_frames_anywhere(self):
        data = connect_packet("cut") + packet(0xC0, b"")
        web = WebSocket(self.port).open()
        self.addCleanup(web.socket.close)
        for i in range(len(data)):
            web.send_data(data[i:i + 1])
        web.expect(CONNACK)
        web.expect(PINGRESP)

    def test_a_message_may_come_in_fragments_with_pings_between(self):
        data = connect_packet("fragments") + packet(0xC0, b"")
        web = WebSocket(self.port).open()
        self.addCleanup(web.socket.close)
        web.send_frame(BINARY, data[:5], final=False)
        web.send_frame(PING, b"1")
        web.send_frame(CONTINUATION, data[5:9], final=False)
        web.send_frame(PONG, b"nobody asked")
        web.send_frame(CONTINUATION, data[9:])
        web.expect(CONNACK)
        web.expect(PINGRESP)
        self.assertEqual(web.pongs, [b"1"])

    def test_bytes_may_come_one_by_one(self):
        text, key = request()
        web = WebSocket(self.port)
        self.addCleanup(web.socket.close)
        web.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for x in text:
            web.socket.sendall(bytes([x]))
        self.assertEqual(web.answer(key)[0], 101)
        for x in frame(BINARY, connect_packet("slow")):
            web.socket.sendall(bytes([x]))
        web.expect(CONNACK)

    def test_a_kicked_client_is_told_in_mqtt_and_in_http(self):
        first = self.connected("twice")
        self.connected("twice")
        self.assertEqual(first.expect(14)[0], 0x8E)  # Session taken over
        first.expect_close(1000)

    def test_a_large_backlog_waits_for_a_slow_reader(self):
        web = self.connected()
        web.subscribe("slow", 1)
        with Client(self.broker.port) as plain:
            plain.connect("feeder")
            for i in range(200):
                code = plain.publish_acked("slow", b"%03d" % i + b"x" * 20_000)
                self.assertEqual(code, 0)
        got = web.take(200)
        self.assertEqual([x[1][:3] for x in got],
                         [b"%03d" % i for i in range(200)])

    def test_compression_is_agreed_to_where_it_is_set(self):
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        web = WebSocket(self.port)
        self.addCleanup(web.socket.close)
        self.assertNotIn("deflate", web.ask(**offer)[1])
        web = WebSocket(self.broker.port_of("ws:small"))
        self.addCleanup(web.socket.close)
        self.assertIn("permessage-deflate", web.ask(**offer)[1])
        web.send_data(connect_packet("small"))
        opcode, payload = web.next_frame()
        self.assertEqual(opcode, BINARY)
        plain = zlib.decompressobj(-15).decompress(
            payload + b"\0\0\xff\xff")
        self.assertEqual(plain[0] >> 4, CONNACK)

    def test_each_packet_has_a_frame_of_its_own_where_it_is_set(self):
        web = self.connected(port=self.broker.port_of("ws:single"))
        web.subscribe("single", 0)
        web.sizes.clear()
        topic = string("single") + b"\0"
        sizes = [2, 130, 70_000] * 20
        web.send_data(b"".join(packet(0x30, topic + b"x" * size)
                               for size in sizes))
        self.assertEqual([len(x[1]) for x in web.take(60)], sizes)
        self.assertEqual(len(web.sizes), 60)

    # ---- handshakes that are refused ---------------------------------------

    def refused(self, status, port=None, text=None, **parts):
        before = self.counted("handshake_failed")
        web = WebSocket(port or self.port)
        self.addCleanup(web.socket.close)
        got, head = web.ask(text, **parts)
        self.assertEqual(got, status, head)
        while web.socket.recv(4096):
            pass  # the body, then the end
        wait_until(lambda: self.counted("handshake_failed") == before + 1,
                   "the refusal is not counted")

    def test_another_path_is_refused(self):
        self.refused(404, path="/elsewhere")
        self.assertIn("handshake.failed", self.broker.log())

    def test_another_subprotocol_or_none_is_refused(self):
        self.refused(400, protocols="chat")
        self.refused(400, **{"Sec-WebSocket-Protocol": None})
        web = WebSocket(self.broker.port_of("ws:lax"))
        self.addCleanup(web.socket.close)
        web.open(**{"Sec-WebSocket-Protocol": None}).connect("lax")

    def test_another_version_is_refused_with_ours(self):
        web = WebSocket(self.port)
        self.addCleanup(web.socket.close)
        status, head = web.ask(version="8")
        self.assertEqual(status, 426)
        self.assertIn("Sec-WebSocket-Version: 13", head)

    def test_another_method_is_refused(self):
        self.refused(405, method="POST")

    def test_a_plain_request_is_refused(self):
        self.refused(426, text=b"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_pages_of_others_are_refused(self):
        port = self.broker.port_of("ws:strict")
        self.refused(403, port, path="/door", Origin="https://evil.example")
        self.refused(403, port, path="/door")
        web = WebSocket(port)
        self.addCleanup(web.socket.close)
        web.open(path="/door", Origin="https://desk.example").connect("desk")

    def test_headers_without_end_are_refused(self):
        self.refused(431, text=b"GET /mqtt HTTP/1.1\r\nX: " + b"x" * 9_000)

    def test_what_is_no_http_is_refused(self):
        for text in (connect_packet("lost"), b"\x16\x03\x01\x02\x00\x01\x00",
                     b"\0" * 100):
            self.refused(400, text=text)

    def test_who_leaves_in_the_middle_is_counted(self):
        before = self.counted("handshake_failed")
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            link.sendall(b"GET /mqtt HTTP/1.1\r\nHost:")
        wait_until(lambda: self.counted("handshake_failed") > before,
                   "nobody noticed")

    def test_who_looks_whether_the_port_is_open_is_not(self):
        before = self.counted("handshake_failed")
        reset = struct.pack("ii", 1, 0)
        for linger in (None, reset):
            link = socket.create_connection(("127.0.0.1", self.port))
            if linger:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            link.close()
        link = socket.create_connection(("127.0.0.1", self.port))
        link.sendall(b"GET")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        link.close()
        wait_until(lambda: self.counted("handshake_failed") == before + 1,
                   "the half one is not counted")
        wait_until(lambda: not self.broker.ask("status")["connections"], "they do not go")
        self.assertEqual(before + 1, self.counted("handshake_failed"))

    # ---- frames that are wrong ---------------------------------------------

    def closed_with(self, code, data):
        web = self.connected()
        before = self.counted("transport_failed")
        web.socket.sendall(data)
        web.expect_close(code)
        wait_until(lambda: self.counted("transport_failed") == before + 1,
                   "the mistake is not counted")
        self.assertTrue(web.reason)

    def test_a_text_frame_is_refused(self):
        self.closed_with(1003, frame(TEXT, b"hello"))

    def test_a_frame_without_a_mask_is_refused(self):
        self.closed_with(1002, frame(BINARY, b"\xc0\0", key=None))

    def test_a_reserved_opcode_or_bit_is_refused(self):
        self.closed_with(1002, frame(3))
        self.closed_with(1002, frame(BINARY | 0x40, b"\xc0\0"))

    def test_fragments_out_of_order_are_refused(self):
        self.closed_with(1002, frame(CONTINUATION, b"\xc0\0"))
        self.closed_with(1002, frame(BINARY, b"\xc0", final=False)
                         + frame(BINARY, b"\0"))

    def test_a_control_frame_in_fragments_or_too_large_is_refused(self):
        self.closed_with(1002, frame(PING, b"x", final=False))
        self.closed_with(1002, frame(PING, b"x" * 126))

    def test_a_close_frame_that_is_wrong_is_refused(self):
        self.closed_with(1002, frame(CLOSE, b"\3"))
        self.closed_with(1002, frame(CLOSE, close_body(1005)))
        self.closed_with(1007, frame(CLOSE, close_body(1000, b"\xff")))

    def test_a_flood_of_pings_ends_the_connection(self):
        self.closed_with(1008, frame(PING, b"x") * 1_100)

    def test_a_flood_of_empty_frames_ends_the_connection(self):
        self.closed_with(1008, frame(BINARY) * 1_100)

    def test_others_are_served_meanwhile(self):
        good = self.connected("good")
        for data in (frame(TEXT, b"x"), frame(PING) * 1_100, b"\xff" * 4_096):
            web = self.connected("bad")
            web.socket.sendall(data)
            while web.receive():
                pass
            good.ping()

    def test_a_clients_close_is_answered_with_its_code(self):
        for body, code in ((close_body(1000), 1000), (close_body(4711), 4711),
                           (b"", 1005)):
            web = self.connected()
            web.send_frame(CLOSE, body)
            web.expect_close(code)

    def test_a_malformed_packet_ends_the_connection(self):
        web = self.connected()
        web.send(0xF7)
        got = web.expect(14)
        self.assertGreaterEqual(got[0], 0x80)
        web.expect_close(1000)


class Patience(unittest.TestCase):
    def test_half_a_handshake_is_ended_in_time(self):
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as scratch:
            files = TlsFiles(scratch)
            with Broker(*files.settings("wss.default"),
                        "listeners.wss.default.ssl_options."
                        "handshake_timeout=300ms", http=True) as broker:
                port = broker.port_of("wss:default")
                links = [socket.create_connection(("127.0.0.1", port),
                                                  PATIENCE)
                         for _ in range(3)]
                links[1].sendall(b"\x16\x03\x01")  # half of a TLS hello
                links[2] = files.wrap(links[2])
                links[2].sendall(b"GET /mqtt HTTP/1.1\r\n")
                began = time.monotonic()
                for x in links:
                    self.assertEqual(x.recv(1000), b"")
                    x.close()
                self.assertLess(time.monotonic() - began, 5)
                self.assertEqual(
                    broker.metric("troupe_connections_handshake_timeout"), 3)


if __name__ == "__main__":
    unittest.main()
