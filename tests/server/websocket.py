"""A WebSocket client of few words, for tests in Python."""

import base64
import hashlib
import os
import socket
import struct

from broker import PATIENCE, Client, packet

CONTINUATION, TEXT, BINARY = 0, 1, 2
CLOSE, PING, PONG = 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def mask(data, key):
    whole = key * (len(data) // 4 + 1)
    return bytes(a ^ b for a, b in zip(data, whole))


def frame(opcode, payload=b"", final=True, key=b"\x37\xfa\x21\x3d"):
    """As a client sends it. @param key  of the mask; None: not masked."""
    head = bytes([opcode | (0x80 if final else 0)])
    masked = 0 if key is None else 0x80
    if len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += bytes([masked | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", len(payload))
    return head + (payload if key is None else key + mask(payload, key))


def close_body(code, reason=b""):
    return struct.pack(">H", code) + reason


def request(path="/mqtt", method="GET", version="13", protocols="mqtt",
            **headers):
    """@param headers  more of them, or in place of those that are there;
                       None: left out."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = {"Host": "broker", "Upgrade": "websocket",
             "Connection": "Upgrade", "Sec-WebSocket-Key": key,
             "Sec-WebSocket-Version": version,
             "Sec-WebSocket-Protocol": protocols, **headers}
    text = f"{method} {path} HTTP/1.1\r\n"
    for name, value in lines.items():
        if value is not None:
            text += f"{name}: {value}\r\n"
    return text.encode() + b"\r\n", key


class WebSocket(Client):
    """MQTT in frames: the same as a Client, once it is open."""

    def __init__(self, port, version=5, on=None, host="127.0.0.1"):
        """@param on  a socket that is connected (TLS); None: a new one."""
        self.version = version
        self.socket = on or socket.create_connection((host, port), PATIENCE)
        self.input = bytearray()  # of MQTT
        self.raw = bytearray()
        self.closed = None  # code of the server's close frame; 1005: none
        self.pongs = []
        self.sizes = []  # of the frames that came

    # ---- HTTP ---------------------------------------------------------------

    def ask(self, text=None, **parts):
        """@returns the status and the head of the answer."""
        key = None
        if text is None:
            text, key = request(**parts)
        self.socket.sendall(text)
        return self.answer(key)

    def answer(self, key=None):
        while b"\r\n\r\n" not in self.raw:
            more = self.socket.recv(65536)
            assert more, f"the server left, after {bytes(self.raw)!r}"
            self.raw += more
        head, _, rest = bytes(self.raw).partition(b"\r\n\r\n")
        self.raw = bytearray(rest)
        head = head.decode()
        status = int(head.split()[1])
        if status == 101 and key is not None:
            digest = hashlib.sha1(key.encode() + GUID).digest()
            assert base64.b64encode(digest).decode() in head, head
        return status, head

    def open(self, **parts):
        status, head = self.ask(**parts)
        assert status == 101, head
        return self

    # ---- frames -------------------------------------------------------------

    def send(self, first_byte, body=b""):
        self.send_data(packet(first_byte, body))

    def send_data(self, data):
        self.socket.sendall(frame(BINARY, data))

    def send_frame(self, *what, **how):
        self.socket.sendall(frame(*what, **how))

    def next_frame(self):
        """@returns opcode and payload; None at the end."""
        while True:
            have = len(self.raw)
            if have >= 2:
                size, at = self.raw[1], 2
                assert size < 128, "a frame of the server has a mask"
                if size >= 126:
                    wide = 2 if size == 126 else 8
                    size = int.from_bytes(self.raw[2:2 + wide], "big")
                    at += wide
                if have >= at and have >= at + size:
                    opcode = self.raw[0] & 15
                    payload = bytes(self.raw[at:at + size])
                    del self.raw[:at + size]
                    return opcode, payload
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.raw += more

    def receive(self):
        while True:
            whole = self.whole_packet()
            if whole:
                return whole
            got = self.next_frame()
            if got is None:
                return None
            opcode, payload = got
            if opcode == BINARY:
                self.sizes.append(len(payload))
                self.input += payload
            elif opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                self.closed = (struct.unpack(">H", payload[:2])[0]
                               if payload else 1005)
                self.reason = payload[2:].decode()
            else:
                raise AssertionError(f"a frame with opcode {opcode}")

    def whole_packet(self):
        size, shift, at = 0, 0, 1
        while at < len(self.input):
            size |= (self.input[at] & 127) << shift
            shift += 7
            at += 1
            if self.input[at - 1] < 128:
                if len(self.input) < at + size:
                    return None
                first = self.input[0]
                body = bytes(memoryview(self.input)[at:at + size])
                del self.input[:at + size]
                return first >> 4, first, body
        return None

    def expect_close(self, code):
        """The server ends the connection, and says why."""
        got = self.receive()
        assert got is None, f"a packet: {got}"
        assert self.closed == code, f"close code {self.closed}, not {code}"
