"""A running broker, and a client of few words, for tests in Python."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import urllib.request

PROGRAM = os.environ.get("TROUPE_PROGRAM", "troupe")
PATIENCE = 10.0

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK = 8, 9
PINGREQ, PINGRESP, DISCONNECT, AUTH = 12, 13, 14, 15


def troupe(*words, env=None, timeout=30):
    """Runs the program to its end."""
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True,
                          text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def wait_until(condition, otherwise):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _obey_permissions():
    """Even if this is root's: without CAP_DAC_OVERRIDE, _DAC_READ_SEARCH."""
    _die_with_parent()
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP


class Broker:
    """`troupe serve` on free ports, in a directory of its own."""

    def __init__(self, *settings, directory=None, data_dir=None, http=False,
                 words=(), wait=True, env=None, obedient=False,
                 before=None):
        """@param before  called in the new process, before the program"""
        self.directory = pathlib.Path(
            directory or tempfile.mkdtemp(prefix="troupe-test-"))
        self.data_dir = pathlib.Path(data_dir or self.directory / "data")
        self.out = self.directory / "out"
        self.err = self.directory / "err"
        chosen = ["listeners.tcp.default.bind=127.0.0.1:0",
                  "http.bind=127.0.0.1:0" if http else "http.enable=false",
                  *settings]
        command = [PROGRAM, "serve", "--data-dir", str(self.data_dir)]
        for x in chosen:
            command += ["--set", x]

        def prepare():
            _obey_permissions() if obedient else _die_with_parent()
            if before:
                before()

        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [*command, *words], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, preexec_fn=prepare,
                env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.port = self.http_port = None
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self):
        until = time.monotonic() + PATIENCE
        while "ready\n" not in self.out.read_text():
            if self.process.poll() is not None or time.monotonic() > until:
                text = self.out.read_text() + self.err.read_text()
                self.close()
                raise AssertionError("the broker does not start:\n" + text)
            time.sleep(0.01)
        self.port = self.port_of("tcp:default")
        self.http_port = self.port_of("http")

    def port_of(self, listener):
        found = re.search(rf"^listening on {listener} .*:(\d+)$",
                          self.out.read_text(), re.M)
        return int(found[1]) if found else None

    def ctl(self, *words):
        return troupe("ctl", "--data-dir", self.data_dir, *words)

    def ask_whole(self, *words):
        """The answer as a program gets it."""
        answer = self.ctl("--json", *words)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def ask(self, *words):
        """Likewise; of a list the rows alone."""
        got = self.ask_whole(*words)
        is_list = isinstance(got, dict) and {"data", "meta"} == set(got)
        return got["data"] if is_list else got

    def wait_until_empty(self):
        """Until it knows that all clients are gone."""
        wait_until(lambda: not self.ask("clients", "list"),
                   "clients do not go")

    def get(self, target):
        url = f"http://127.0.0.1:{self.http_port}{target}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def resident(self):
        """Bytes of memory."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def metric(self, name):
        found = re.search(rf"^{name} (\S+)$", self.get("/metrics"), re.M)
        assert found, f"no metric {name}"
        return float(found[1])

    def log(self):
        return self.err.read_text()

    def log_objects(self):
        return [json.loads(x) for x in self.log().split("\n") if x]

    def end(self, number=signal.SIGTERM):
        """@returns the exit code; minus the signal if one ended it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def close(self):
        try:
            self.end()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


def packet(first_byte, body):
    size, length = b"", len(body)
    while True:
        length, digit = divmod(length, 128)
        size += bytes([digit | (128 if length else 0)])
        if not length:
            return bytes([first_byte]) + size + body


class Client:
    """One connection to a broker; blocking, with a deadline."""

    def __init__(self, port, version=5, host="127.0.0.1"):
        """@param port  a number, or the path of a Unix socket"""
        self.version = version
        if isinstance(port, int):
            self.socket = socket.create_connection((host, port), PATIENCE)
            self.name = "%s:%s" % self.socket.getsockname()[:2]
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(str(port))
            self.name = ""
        self.input = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def properties(self, text=b""):
        return bytes([len(text)]) + text if self.version == 5 else b""

    def send(self, first_byte, body=b""):
        self.socket.sendall(packet(first_byte, body))

    def receive(self):
        """@returns (type, first byte, body); None at the end."""
        while True:
            size, shift, at = 0, 0, 1
            while at < len(self.input):
                size |= (self.input[at] & 127) << shift
                shift += 7
                at += 1
                if self.input[at - 1] < 128:
                    if len(self.input) >= at + size:
                        first = self.input[0]
                        body = bytes(memoryview(self.input)[at:at + size])
                        del self.input[:at + size]
                        return first >> 4, first, body
                    break
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.input += more

    def expect(self, kind):
        got = self.receive()
        assert got and got[0] == kind, f"expected type {kind}, got {got}"
        return got[2]

    def connect(self, client_id, clean=True, keep_alive=60, code=0, expiry=0,
                receive_maximum=0, user=None, password=None, will=None):
        """@param expiry           of the session, in seconds; of MQTT 5 only.
        @param receive_maximum  likewise; 0: not said.
        @param will             topic of one with an empty payload."""
        lasting = b"\x11" + struct.pack(">I", expiry) if expiry else b""
        if receive_maximum:
            lasting += b"\x21" + struct.pack(">H", receive_maximum)
        flags = (2 * clean | 0x80 * (user is not None)
                 | 0x40 * (password is not None) | 4 * (will is not None))
        body = (string("MQTT") + bytes([self.version, flags])
                + struct.pack(">H", keep_alive) + self.properties(lasting)
                + string(client_id))
        if will is not None:
            body += self.properties() + string(will) + string("")
        for one in (user, password):
            body += b"" if one is None else string(one)
        self.send(0x10, body)
        answer = self.expect(CONNACK)
        assert answer[1] == code, f"CONNACK {answer[1]:#x}"
        self.session_present = bool(answer[0])
        return self

    def subscribe(self, topic, options=0, properties=b"", code=None):
        """@param code  that is right; None: any that is no refusal."""
        self.send(0x82, b"\0\1" + self.properties(properties) + string(topic)
                  + bytes([options]))
        got = self.expect(SUBACK)[-1]
        assert got < 0x80 if code is None else got == code, f"SUBACK {got:#x}"

    def publish(self, topic, payload=b"", retain=False):
        self.send(0x30 | retain, string(topic) + self.properties() + payload)

    def publish_acked(self, topic, payload=b"", retain=False):
        """With QoS 1. @returns the Reason Code; None if none came."""
        try:
            self.send(0x32 | retain, string(topic) + b"\0\1"
                      + self.properties() + payload)
        except OSError:
            return None
        answer = self.receive()
        while answer and answer[0] != PUBACK:
            answer = self.receive()
        return answer and (answer[2][2] if len(answer[2]) > 2 else 0)

    def take(self, count):
        """The next messages, acknowledged: topic and payload of each."""
        taken = []
        while len(taken) < count:
            kind, first, body = self.receive() or (None, 0, b"")
            assert kind in (PUBLISH, PUBACK, PINGRESP), \
                f"type {kind} after {len(taken)} of {count} messages"
            if kind != PUBLISH:
                continue
            end = 2 + struct.unpack(">H", body[:2])[0]
            topic, rest = body[2:end].decode(), body[end:]
            if first & 6:
                self.send(0x40, rest[:2])
                rest = rest[2:]
            if self.version == 5:
                rest = rest[1 + rest[0]:]
            taken.append((topic, rest))
        return taken

    def ping(self):
        self.send(0xC0)
        self.expect(PINGRESP)


class TlsClient(Client):
    """A client through TLS; `ca` is what it trusts."""

    def __init__(self, port, ca, identity=None, version=5, host="127.0.0.1",
                 name="localhost", context=None):
        """@param identity  files of its certificate and of the key"""
        super().__init__(port, version, host)
        self.context = context or tls_context(ca, identity)
        try:
            self.socket = self.context.wrap_socket(self.socket,
                                                   server_hostname=name)
        except (OSError, ssl.SSLError):
            self.socket.close()
            raise


def tls_context(ca, identity=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(ca)
    if identity:
        made.load_cert_chain(*identity)
    return made


class ConfiguredBroker(Broker):
    """One with a configuration file that changes while it runs."""

    def __init__(self, text, *settings, **more):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-test-"))
        self.configuration = self.directory / "troupe.toml"
        self.configuration.write_text(text)
        if not any("log.rate_limit" in x for x in settings):
            settings += ("log.rate_limit=infinity",)
        super().__init__("log.format=json", *settings, directory=self.directory,
                         words=("--config", str(self.configuration)), **more)

    def reload(self, text=None, good=True):
        """By SIGHUP. @returns what it logged about it."""
        if text is not None:
            self.configuration.write_text(text)
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        end = "were read again" if good else "nothing was changed"
        other = "nothing was changed" if good else "were read again"

        def done():
            log = self.log()[before:]
            assert other not in log, log
            return end in log and log.endswith("\n")
        wait_until(done, "it is not reloaded: " + self.log()[before:])
        return self.log()[before:]
