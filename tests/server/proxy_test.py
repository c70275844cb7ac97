#!/usr/bin/env python3
"""The PROXY protocol: whom a balancer speaks for, and strangers."""

import ipaddress
import pathlib
import socket
import struct
import tempfile
import time
import unittest

from broker import PATIENCE, Broker, Client, troupe, wait_until
from tls_files import TlsFiles
from websocket import WebSocket

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
SSL, CN, VERSION = 0x20, 0x22, 0x21


def version_1(source, port=56324, kind=None):
    kind = kind or ("TCP6" if ":" in source else "TCP4")
    target = "2001:db8::1" if kind == "TCP6" else "198.51.100.2"
    return f"PROXY {kind} {source} {target} {port} 1883\r\n".encode()


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def version_2(source=None, port=56324, tlvs=b"", command=1):
    family, body = 0, b""
    if source:
        packed = ipaddress.ip_address(source).packed
        family = 0x11 if len(packed) == 4 else 0x21
        body = packed + bytes(len(packed)) + struct.pack(">HH", port, 1883)
    body += tlvs
    return (SIGNATURE + bytes([0x20 | command, family])
            + struct.pack(">H", len(body)) + body)


def certificate_of(name, verified=0, flags=7):
    """@param flags  1: over TLS, 2 and 4: with a certificate."""
    return tlv(SSL, bytes([flags]) + struct.pack(">I", verified)
               + tlv(VERSION, b"TLSv1.3") + tlv(CN, name))


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="troupe-test-")
        cls.files = TlsFiles(cls.scratch.name)
        rules = pathlib.Path(cls.scratch.name) / "acl.toml"
        rules.write_text(
            '[[rule]]\npermission = "allow"\naddress = "192.0.2.0/24"\n'
            'topics = ["office/#"]\n'
            '[[rule]]\npermission = "allow"\n'
            'topics = ["of/${cert_common_name}/#"]\n')
        settings = ["allow_anonymous=true", f"auth.acl.file={rules}",
                    "auth.certificate.enable=true"]
        for kind in ("tcp", "ssl", "ws", "wss", "unix"):
            settings.append(f"listeners.{kind}.p.proxy_protocol=true")
            if kind in ("tcp", "ws"):
                settings.append(f"listeners.{kind}.p.bind=127.0.0.1:0")
            elif kind != "unix":
                settings += cls.files.settings(f"{kind}.p")
        settings += ["listeners.unix.p.bind=balancer.sock",
                     "listeners.ssl.p.ssl_options."
                     "peer_cert_as_username=cn",
                     "listeners.ssl.p.ssl_options.verify=verify_peer",
                     "listeners.ssl.p.ssl_options."
                     f"cacertfile={cls.files.ca}",
                     "listeners.tcp.six.bind=[::1]:0",
                     "listeners.tcp.six.proxy_protocol=true"]
        cls.broker = Broker(*settings, http=True)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        cls.scratch.cleanup()

    def counted(self, name):
        return self.broker.metric("troupe_connections_" + name)

    def link(self, header, listener="tcp:p", host="127.0.0.1"):
        raw = socket.create_connection(
            (host, self.broker.port_of(listener)), PATIENCE)
        self.addCleanup(raw.close)
        raw.sendall(header)
        return raw

    def client(self, raw):
        made = Client.__new__(Client)
        made.version, made.socket, made.input = 5, raw, bytearray()
        return made.connect(self.id())

    def shown(self):
        mine = [x for x in self.broker.ask("clients", "list")
                if x["clientid"] == self.id()]
        self.assertEqual(len(mine), 1)
        return mine[0]

    def assert_comes_from(self, address, port=56324):
        mine = self.shown()
        self.assertEqual((mine["ip_address"], mine["port"]), (address, port))

    # ---- headers that are good ---------------------------------------------

    def test_version_1_tells_the_client(self):
        self.client(self.link(version_1("192.0.2.7")))
        self.assert_comes_from("192.0.2.7")

    def test_version_1_tells_a_client_with_ipv6(self):
        self.client(self.link(version_1("2001:db8::7"), "tcp:six", "::1"))
        self.assert_comes_from("2001:db8::7")

    def test_version_2_tells_the_client(self):
        self.client(self.link(version_2("192.0.2.7")))
        self.assert_comes_from("192.0.2.7")

    def test_version_2_tells_a_client_with_ipv6(self):
        self.client(self.link(version_2("2001:db8::7")))
        self.assert_comes_from("2001:db8::7")

    def test_a_balancer_that_speaks_for_itself_keeps_its_address(self):
        for header in (version_2(command=0), b"PROXY UNKNOWN\r\n"):
            raw = self.link(header)
            self.client(raw)
            self.assert_comes_from(*raw.getsockname())
            raw.close()

    def test_a_header_may_come_byte_by_byte(self):
        for header in (version_1("192.0.2.7"), version_2("192.0.2.7")):
            raw = self.link(b"")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for x in header:
                raw.sendall(bytes([x]))
            self.client(raw)
            self.assert_comes_from("192.0.2.7")
            raw.close()

    def test_tls_may_follow(self):
        port = self.broker.port_of("ssl:p")
        for header in (version_1("192.0.2.8"), version_2("192.0.2.8")):
            raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
            raw.sendall(header)
            secure = self.files.wrap(raw)
            self.client(secure)
            self.assert_comes_from("192.0.2.8")
            secure.close()

    def test_websocket_may_follow(self):
        raw = self.link(version_2("192.0.2.9"), "ws:p")
        WebSocket(0, on=raw).open().connect(self.id()).ping()
        self.assert_comes_from("192.0.2.9")

    def test_tls_and_websocket_may_follow(self):
        port = self.broker.port_of("wss:p")
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
        raw.sendall(version_2("192.0.2.10"))
        web = WebSocket(0, on=self.files.wrap(raw)).open()
        self.addCleanup(web.socket.close)
        web.connect(self.id()).ping()
        self.assert_comes_from("192.0.2.10")

    def test_a_unix_socket_has_it_too(self):
        raw = socket.socket(socket.AF_UNIX)
        self.addCleanup(raw.close)
        raw.settimeout(PATIENCE)
        raw.connect(str(self.broker.data_dir / "balancer.sock"))
        raw.sendall(version_2("192.0.2.11"))
        self.client(raw)
        self.assert_comes_from("192.0.2.11")

    # ---- who the client is -------------------------------------------------

    def test_rules_see_the_address_of_the_client(self):
        near = self.client(self.link(version_2("192.0.2.7")))
        near.subscribe("office/door", 0, code=0)
        near.socket.close()
        self.broker.wait_until_empty()
        far = self.client(self.link(version_2("203.0.113.7")))
        far.subscribe("office/door", 0, code=0x87)

    def test_a_good_certificate_names_the_client(self):
        raw = self.link(version_2("192.0.2.7", tlvs=certificate_of(b"atm-7")))
        mine = self.client(raw)
        self.assertEqual(self.shown()["username"], "atm-7")
        mine.subscribe("of/atm-7/#", 0, code=0)
        mine.subscribe("of/atm-8/#", 0, code=0x87)

    def test_a_certificate_that_is_not_good_names_nobody(self):
        for tlvs in (certificate_of(b"atm-7", verified=18),
                     certificate_of(b"atm-7", flags=1),
                     certificate_of(b"atm-7", flags=6)):
            raw = self.link(version_2("192.0.2.7", tlvs=tlvs))
            mine = self.client(raw)
            self.assertIsNone(self.shown()["username"])
            mine.subscribe("of/atm-7/#", 0, code=0x87)
            raw.close()
            self.broker.wait_until_empty()

    def test_a_certificate_of_the_header_is_a_user_name_over_tls(self):
        port = self.broker.port_of("ssl:p")
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
        raw.sendall(version_2("192.0.2.8", tlvs=certificate_of(b"atm-9")))
        secure = self.files.wrap(raw)
        self.addCleanup(secure.close)
        self.client(secure)
        self.assertEqual(self.shown()["username"], "atm-9")

    # ---- strangers ---------------------------------------------------------

    def refused(self, data, listener="tcp:p"):
        before = self.counted("handshake_failed")
        raw = self.link(data, listener)
        try:
            raw.shutdown(socket.SHUT_WR)
            self.assertEqual(raw.recv(100), b"")
        except OSError:
            pass  # it was faster, and did not read all
        wait_until(lambda: self.counted("handshake_failed") == before + 1,
                   f"{data!r} is not counted")
        self.assertIn("proxy.refused", self.broker.log())

    def test_who_sends_no_header_is_refused(self):
        self.refused(b"\x10\x0f\0\4MQTT\5\2\0\0\0\0\2me")
        self.refused(b"GET / HTTP/1.1\r\n\r\n", "ws:p")
        self.refused(b"\x16\x03\x01\x02\0\1\0\1", "ssl:p")

    def test_who_sends_garbage_is_refused(self):
        self.refused(bytes(range(255, 0, -1)))
        self.refused(b"PROXY TCP4 nobody 1.2.3.4 1 2\r\n")
        self.refused(b"PROXY TCP4 " + b"1" * 200)
        self.refused(SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 100)
        self.refused(SIGNATURE + b"\x31\x11\0\x0c" + b"x" * 12)
        self.refused(version_2("192.0.2.7")[:-1])
        self.refused(b"PRO")

    def test_who_only_looks_is_not_a_failure(self):
        before = self.counted("handshake_failed")
        for _ in range(3):
            self.link(b"").close()
        self.client(self.link(version_1("192.0.2.7"))).ping()
        self.assertEqual(self.counted("handshake_failed"), before)


class Settings(unittest.TestCase):
    def test_a_header_that_does_not_come_is_waited_for_in_vain(self):
        with Broker("allow_anonymous=true", "listeners.tcp.p.bind=127.0.0.1:0",
                    "listeners.tcp.p.proxy_protocol=true",
                    "listeners.tcp.p.proxy_protocol_timeout=300ms",
                    http=True) as broker:
            port = broker.port_of("tcp:p")
            began = time.monotonic()
            for start in (b"", b"PROXY TCP4 ", SIGNATURE):
                with socket.create_connection(("127.0.0.1", port),
                                              PATIENCE) as link:
                    link.sendall(start)
                    self.assertEqual(link.recv(100), b"")
            self.assertLess(time.monotonic() - began, 8)
            self.assertEqual(
                broker.metric("troupe_connections_handshake_timeout"), 3)
            self.assertIn("no PROXY header in time", broker.log())

    def test_clients_behind_a_balancer_are_not_of_this_machine(self):
        answer = troupe("config", "check", "--set",
                        "listeners.tcp.p.proxy_protocol=true", "--set",
                        "listeners.tcp.p.bind=127.0.0.1:1884")
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("proxy_protocol", answer.stdout + answer.stderr)

    def test_a_banned_address_is_that_of_the_header(self):
        with tempfile.TemporaryDirectory(prefix="troupe-test-") as data:
            pathlib.Path(data, "bans.jsonl").write_text(
                '{"as":"peerhost","who":"192.0.2.66","by":"test",'
                '"reason":"scan","at":0,"until":"infinity"}\n')
            with Broker("allow_anonymous=true", data_dir=data,
                        words=("--set", "listeners.tcp.p.bind=127.0.0.1:0",
                               "--set",
                               "listeners.tcp.p.proxy_protocol=true")
                        ) as broker:
                port = broker.port_of("tcp:p")
                for source, code in (("192.0.2.66", 0x8A), ("192.0.2.67", 0)):
                    with Client(port) as client:
                        client.socket.sendall(version_2(source))
                        client.connect("b", code=code)


if __name__ == "__main__":
    unittest.main()
