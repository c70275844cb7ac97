"""An MQTT 5 client on asyncio that keeps its session as the standard asks.

What it has sent and what it has received but not finished survives its
connections, and is taken up again when the server says Session Present. It is
strict: whatever a server must not send is reported to its observer.
"""

import asyncio
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
DISCONNECT = 14

PACKET_IDENTIFIER_NOT_FOUND = 0x92
NO_MORE = 65_535

# Properties of a CONNACK by the form of their value.
BYTES = {0x24, 0x25, 0x28, 0x29, 0x2A}
SHORTS = {0x13, 0x21, 0x22}
LONGS = {0x11, 0x27}
STRINGS = {0x12, 0x1A, 0x1C, 0x1F, 0x15, 0x16}
PAIR = 0x26
RECEIVE_MAXIMUM = 0x21


class Refused(Exception):
    """A CONNACK with a failure."""

    def __init__(self, reason):
        super().__init__(f"CONNACK {reason:#04x}")
        self.reason = reason


class Observer:
    """What a client tells; one for each client. All calls come in order."""

    def on_message(self, message):
        """A message for the application: once for QoS 2."""

    def on_accepted(self, context, reason):
        """PUBACK or PUBREC has come."""

    def on_connected(self, session_present):
        """CONNACK has come; without a session what was under way is lost."""

    def on_resent(self, context):
        """A PUBLISH goes out again."""

    def on_closed(self):
        """The connection is gone."""

    def on_violation(self, invariant, text):
        """The server did what it must not."""


class Message:
    __slots__ = ("topic", "payload", "qos", "dup", "retain")

    def __init__(self, topic, payload, qos, dup, retain):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.dup = dup
        self.retain = retain


class Outgoing:
    """A PUBLISH that has not run its course."""
    __slots__ = ("body", "first_byte", "qos", "context")

    def __init__(self, first_byte, body, qos, context):
        self.first_byte = first_byte
        self.body = body
        self.qos = qos
        self.context = context


def variable(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (128 if value else 0))
        if not value:
            return bytes(out)


def packet(first_byte, body):
    return bytes([first_byte]) + variable(len(body)) + body


def string(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def read_variable(data, at):
    value = shift = 0
    while True:
        digit = data[at]
        at += 1
        value |= (digit & 127) << shift
        if digit < 128:
            return value, at
        shift += 7


def numbers_of(data, at):
    """The numeric properties that begin with their length at `at`."""
    length, at = read_variable(data, at)
    end, found = at + length, {}
    while at < end:
        name = data[at]
        at += 1
        if name in BYTES:
            found[name], at = data[at], at + 1
        elif name in SHORTS:
            found[name], at = struct.unpack_from(">H", data, at)[0], at + 2
        elif name in LONGS:
            found[name], at = struct.unpack_from(">I", data, at)[0], at + 4
        elif name in STRINGS or name == PAIR:
            for _ in range(2 if name == PAIR else 1):
                at += 2 + struct.unpack_from(">H", data, at)[0]
        else:
            raise ValueError(f"property {name:#04x}")
    return found


class Will:
    def __init__(self, topic, payload, qos=0, delay=0):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.delay = delay


class Connection(asyncio.Protocol):
    """One TCP connection; the client that it belongs to has the state."""

    def __init__(self, client):
        self.client = client
        self.transport = None
        self.input = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.client.link is self:
            self.input = self.client.read(self.input + data)

    def connection_lost(self, _):
        if self.client.link is self:
            self.client.lost()


class Client:
    """A Client Identifier with its session; connected or not.

    @param expiry           Session Expiry Interval in seconds.
    @param receive_maximum  how many PUBLISH the server may have open.
    @param ack_delay        seconds that acknowledgements wait, in order.
    """

    def __init__(self, client_id, observer, expiry=0, receive_maximum=NO_MORE,
                 ack_delay=0.0):
        self.client_id = client_id
        self.observer = observer
        self.expiry = expiry
        self.receive_maximum = receive_maximum
        self.ack_delay = ack_delay
        self.link = None
        self.connected = False
        self.connections = 0
        self.reason_of_end = None  # of the server's DISCONNECT
        self.answers = {}  # by packet type and identifier: futures
        self.next_identifier = 0
        self.ended = None  # a future while there is a connection
        self.forget()

    def forget(self):
        """Ends the session on this side."""
        self.unacknowledged = {}  # PUBLISH by identifier, in the order sent
        self.unreleased = {}  # PUBREL sent, no PUBCOMP yet; likewise
        self.received = {}  # QoS 2, no PUBREL yet: payload by identifier
        self.recorded = set()  # identifiers with a PUBREC in this session
        self.open = {}  # of this connection: PUBLISH that are not answered

    @property
    def under_way(self):
        return len(self.unacknowledged) + len(self.unreleased)

    # ---- connecting ---------------------------------------------------------

    async def connect(self, port, clean_start=False, will=None, timeout=30):
        """@returns Session Present. Raises OSError, Refused, TimeoutError."""
        assert self.link is None
        if clean_start:
            self.forget()
        loop = asyncio.get_running_loop()
        link = Connection(self)
        await loop.create_connection(lambda: link, "127.0.0.1", port)
        if link.transport.is_closing():
            raise ConnectionResetError
        self.link = link
        self.connections += 1
        self.open = {}
        self.output = []
        self.delayed = []
        self.reason_of_end = None
        self.ended = loop.create_future()
        answer = self.expect(CONNACK, 0)
        flags = 2 * clean_start
        properties = struct.pack(">BIBH", 0x11, self.expiry, RECEIVE_MAXIMUM,
                                 self.receive_maximum)
        rest = string(self.client_id)
        if will:
            flags |= 4 | will.qos << 3
            rest += (variable(5) + struct.pack(">BI", 0x18, will.delay)
                     + string(will.topic) + string(will.payload))
        self.write(packet(CONNECT << 4, string("MQTT")
                          + bytes([5, flags]) + struct.pack(">H", 0)
                          + variable(len(properties)) + properties + rest))
        try:
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            self.violated("live", f"no CONNACK within {timeout} s")
            self.abort()
            raise
        except Refused:
            self.abort()
            raise

    def on_connack(self, body):
        present, reason = body[0] & 1, body[1]
        answer = self.answers.pop((CONNACK, 0), None)
        if answer is None:
            self.violated("protocol", "a second CONNACK")
            return
        if reason != 0:
            answer.set_exception(Refused(reason))
            return
        most = numbers_of(body, 2).get(RECEIVE_MAXIMUM, NO_MORE)
        self.send_quota = most
        self.connected = True
        self.observer.on_connected(bool(present))
        if present:
            self.resume()
        else:
            self.forget()
        answer.set_result(bool(present))

    def resume(self):
        """[MQTT-4.4.0-1]: with the original identifiers, in order."""
        for identifier in self.unreleased:
            self.output.append(struct.pack(">BBH", PUBREL << 4 | 2, 2,
                                           identifier))
        for x in self.unacknowledged.values():
            self.observer.on_resent(x.context)
            self.output.append(packet(x.first_byte | 8, x.body))

    async def disconnect(self, reason=0, timeout=10):
        """Says goodbye and waits until the server has closed."""
        if self.link is None:
            return
        self.flush_delayed()
        ended = self.ended
        self.write(packet(DISCONNECT << 4, bytes([reason]) if reason else b""))
        try:
            await asyncio.wait_for(asyncio.shield(ended), timeout)
        except asyncio.TimeoutError:
            self.violated("live", f"not closed {timeout} s after DISCONNECT")
            self.abort()

    def abort(self):
        """The connection dies without a word."""
        if self.link is not None:
            self.link.transport.abort()
            self.lost()

    def lost(self):
        self.link, self.connected = None, False
        for x in self.answers.values():
            if not x.done():
                x.set_exception(ConnectionResetError())
                x.exception()  # nobody may be waiting
        self.answers.clear()
        if not self.ended.done():
            self.ended.set_result(None)
        self.observer.on_closed()

    # ---- requests -----------------------------------------------------------

    def expect(self, kind, identifier):
        answer = asyncio.get_running_loop().create_future()
        self.answers[kind, identifier] = answer
        return answer

    def free_identifier(self):
        while True:
            self.next_identifier = self.next_identifier % 65_535 + 1
            x = self.next_identifier
            if (x not in self.unacknowledged and x not in self.unreleased
                    and (SUBACK, x) not in self.answers
                    and (UNSUBACK, x) not in self.answers):
                return x

    async def request(self, kind, answer, rest, timeout):
        if self.link is None:
            raise ConnectionResetError
        identifier = self.free_identifier()
        waiting = self.expect(answer, identifier)
        self.write(packet(kind << 4 | 2,
                          struct.pack(">HB", identifier, 0) + rest))
        try:
            return await asyncio.wait_for(waiting, timeout)
        except asyncio.TimeoutError:
            name = "SUBACK" if answer == SUBACK else "UNSUBACK"
            self.violated("live", f"no {name} within {timeout} s")
            self.abort()
            raise

    async def subscribe(self, filters, retain_handling=2, timeout=30):
        """@param filters  pairs of filter and QoS. @returns Reason Codes."""
        rest = b"".join(string(x) + bytes([qos | retain_handling << 4])
                        for x, qos in filters)
        return await self.request(SUBSCRIBE, SUBACK, rest, timeout)

    async def unsubscribe(self, filters, timeout=30):
        return await self.request(UNSUBSCRIBE, UNSUBACK,
                                  b"".join(map(string, filters)), timeout)

    def publish(self, topic, payload, qos, context=None, retain=False):
        """@param context  what the observer is told later."""
        first_byte = PUBLISH << 4 | qos << 1 | retain
        if qos == 0:
            self.write(packet(first_byte, string(topic) + b"\0" + payload))
            return
        identifier = self.free_identifier()
        body = (string(topic) + struct.pack(">HB", identifier, 0) + payload)
        self.unacknowledged[identifier] = Outgoing(first_byte, body, qos,
                                                   context)
        self.write(packet(first_byte, body))

    # ---- what comes ---------------------------------------------------------

    def write(self, data):
        if self.link is not None:
            self.link.transport.write(data)

    def violated(self, invariant, text):
        self.observer.on_violation(
            invariant, f"{text} (connection {self.connections})")

    def read(self, data):
        """@returns the bytes of a packet that is not whole yet."""
        at, size = 0, len(data)
        while size - at >= 2 and self.link is not None:
            length, shift, body = 0, 0, at + 1
            while body < size:
                digit = data[body]
                body += 1
                length |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    break
            else:
                break
            if size - body < length:
                break
            first_byte = data[at]
            at = body + length
            self.take(first_byte, data[body:at])
        if self.output:
            self.write(b"".join(self.output))
            self.output.clear()
        return data[at:]

    def take(self, first_byte, body):
        kind = first_byte >> 4
        if kind == PUBLISH:
            self.on_publish(first_byte, body)
        elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            identifier = body[0] << 8 | body[1]
            reason = body[2] if len(body) > 2 else 0
            (self.on_puback, self.on_pubrec, self.on_pubrel,
             self.on_pubcomp)[kind - PUBACK](identifier, reason)
        elif kind == CONNACK:
            self.on_connack(body)
        elif kind in (SUBACK, UNSUBACK):
            answer = self.answers.pop((kind, body[0] << 8 | body[1]), None)
            if answer is None:
                self.violated("protocol", "SUBACK or UNSUBACK for nothing")
            elif not answer.done():
                length, at = read_variable(body, 2)
                answer.set_result(list(body[at + length:]))
        elif kind == DISCONNECT:
            self.reason_of_end = body[0] if body else 0
        else:
            self.violated("protocol", f"packet {first_byte:#04x}")

    def on_publish(self, first_byte, body):
        qos, dup = first_byte >> 1 & 3, bool(first_byte & 8)
        at = 2 + (body[0] << 8 | body[1])
        topic = body[2:at].decode()
        identifier = 0
        if qos:
            identifier = body[at] << 8 | body[at + 1]
            at += 2
        length, at = read_variable(body, at)
        payload = body[at + length:]
        message = Message(topic, payload, qos, dup, bool(first_byte & 1))
        if qos == 0:
            self.observer.on_message(message)
            return
        what = f"PUBLISH {identifier} {payload[:40]!r} of QoS {qos}"
        if identifier == 0:
            self.violated("protocol", f"{what}: Packet Identifier 0")
        if identifier in self.open:
            self.violated("I4", f"{what}: the identifier is in use in this "
                                f"connection for {self.open[identifier]!r}")
        self.open[identifier] = payload[:40]
        if len(self.open) > self.receive_maximum:
            self.violated("protocol", f"{what}: {len(self.open)} are open, "
                          f"Receive Maximum is {self.receive_maximum}")
        if qos == 1:
            if identifier in self.received:
                self.violated("I4", f"{what}: the identifier waits for PUBREL "
                              f"of {self.received[identifier][:40]!r}")
            self.observer.on_message(message)
            self.answer(PUBACK, identifier)
            return
        known = self.received.get(identifier)
        if known is None:
            self.received[identifier] = payload
            self.recorded.add(identifier)
            self.observer.on_message(message)
        elif known != payload:
            self.violated("I4", f"{what}: the identifier waits for PUBREL of "
                          f"{known[:40]!r}")
        elif not dup:
            self.violated("I4", f"{what}: sent again without DUP")
        self.answer(PUBREC, identifier)

    def answer(self, kind, identifier):
        """PUBACK and PUBREC, at once or later, in order [MQTT-4.6.0-2, -3]."""
        if not self.ack_delay:
            self.answer_now(kind, identifier)
            return
        if not self.delayed:
            asyncio.get_running_loop().call_later(
                self.ack_delay, self.flush_delayed, self.link)
        self.delayed.append((kind, identifier))

    def flush_delayed(self, link=None):
        if self.link is None or (link is not None and link is not self.link):
            return  # of a connection that has ended
        for kind, identifier in self.delayed:
            self.answer_now(kind, identifier)
        self.delayed = []
        self.write(b"".join(self.output))
        self.output.clear()

    def answer_now(self, kind, identifier):
        if kind == PUBACK:
            self.open.pop(identifier, None)
        self.output.append(struct.pack(">BBH", kind << 4, 2, identifier))

    def on_pubrel(self, identifier, _):
        known = self.received.pop(identifier, None) is not None
        self.open.pop(identifier, None)
        if identifier not in self.recorded:
            self.violated("I4", f"PUBREL {identifier} without a PUBREC")
        if known:
            self.output.append(struct.pack(">BBH", PUBCOMP << 4, 2, identifier))
        else:
            self.output.append(struct.pack(">BBHB", PUBCOMP << 4, 3, identifier,
                                           PACKET_IDENTIFIER_NOT_FOUND))

    def on_puback(self, identifier, reason):
        x = self.unacknowledged.get(identifier)
        if x is None or x.qos != 1:
            self.violated("protocol", f"PUBACK {identifier} for nothing")
            return
        del self.unacknowledged[identifier]
        self.observer.on_accepted(x.context, reason)

    def on_pubrec(self, identifier, reason):
        x = self.unacknowledged.get(identifier)
        if x is None or x.qos != 2:
            known = identifier in self.unreleased
            if not known:
                self.violated("protocol", f"PUBREC {identifier} for nothing")
            if reason < 0x80:
                self.output.append(struct.pack(
                    ">BBHB", PUBREL << 4 | 2, 3, identifier,
                    0 if known else PACKET_IDENTIFIER_NOT_FOUND))
            return
        del self.unacknowledged[identifier]
        if reason < 0x80:
            self.unreleased[identifier] = x
            self.output.append(struct.pack(">BBH", PUBREL << 4 | 2, 2,
                                           identifier))
        self.observer.on_accepted(x.context, reason)

    def on_pubcomp(self, identifier, _):
        if self.unreleased.pop(identifier, None) is None:
            self.violated("protocol", f"PUBCOMP {identifier} for nothing")
