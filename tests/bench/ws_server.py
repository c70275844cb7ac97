"""The server's end of a WebSocket connection, as hard to read as the standard
allows: to see that the generator copes, or finds what is not allowed."""

import base64
import hashlib
import socket
import struct

BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload, final=True, masked=False):
    first = (0x80 if final else 0) | opcode
    length = len(payload)
    mask = 0x80 if masked else 0
    if length < 126:
        head = struct.pack(">BB", first, mask | length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", first, mask | 126, length)
    else:
        head = struct.pack(">BBQ", first, mask | 127, length)
    return head + (bytes(4) if masked else b"") + payload


def plain(payload):
    return [frame(BINARY, payload)]


def in_fragments(payload):
    """Each byte is a frame, with pings between them."""
    last = len(payload) - 1
    out = []
    for i in range(len(payload)):
        out.append(frame(BINARY if i == 0 else 0, payload[i:i + 1], i == last))
        out.append(frame(PING, b"%d" % i))
    return out


class WsSocket:
    """Looks like a socket, as far as FaultyBroker uses one. Does the upgrade
    when it is made; `frames` makes the frames of what is sent."""

    def __init__(self, client, frames=plain, accept=None, answer=None):
        self.client, self.frames = client, frames
        self.input = client.makefile("rb")
        self.rest, self.pongs = b"", []
        headers = {}
        self.request = self.input.readline().decode().split()
        while (line := self.input.readline().strip()):
            name, value = line.split(b":", 1)
            headers[name.strip().lower()] = value.strip()
        self.headers = headers
        key = base64.b64encode(hashlib.sha1(
            headers[b"sec-websocket-key"] + GUID).digest())
        client.sendall(answer or b"\r\n".join((
            b"HTTP/1.1 101 Switching Protocols", b"upgrade: WebSocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Accept: "
            + (accept or key), b"Sec-WebSocket-Protocol: mqtt", b"", b"")))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.client.close()

    def makefile(self, _):
        return self

    def sendall(self, payload):
        for each in self.frames(payload):
            self.client.sendall(each)

    def shutdown(self, _):
        self.client.sendall(frame(CLOSE, struct.pack(">H", 1000)))

    def exactly(self, count):
        found = self.input.read(count)
        if len(found) < count:
            raise OSError("it has gone")
        return found

    def read(self, count):
        while len(self.rest) < count:
            first, second = self.exactly(2)
            if first & 0xF0 != 0x80 or second < 0x80:
                raise OSError("not a final, masked frame")
            length = second & 0x7F
            if length == 126:
                length, = struct.unpack(">H", self.exactly(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.exactly(8))
            mask = self.exactly(4) * (length // 4 + 1)
            payload = bytes(a ^ b for a, b in zip(self.exactly(length), mask))
            if first & 0x0F == PONG:
                self.pongs.append(payload)
            elif first & 0x0F == CLOSE:
                self.client.shutdown(socket.SHUT_RDWR)
                return b""
            else:
                self.rest += payload
        out, self.rest = self.rest[:count], self.rest[count:]
        return out
