"""A broker with faults on purpose, to see that the generator finds them.

It speaks as much MQTT 3.1.1 at QoS 0 as one pair of clients needs.
"""

import socket
import threading


class FaultyBroker:
    """Forwards the n-th PUBLISH as `fault(n, packet)` says: a list of the
    packets to send in its place. Serves until it is closed. `wrap` puts
    something between a client's socket and its packets."""

    def __init__(self, fault, connack=b"\x20\x02\x00\x00", suback_qos=0,
                 wrap=lambda client: client):
        self.fault, self.connack = fault, connack
        self.suback_qos, self.wrap = suback_qos, wrap
        self.count, self.lock = 0, threading.Lock()
        self.subscriber = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            client = self.wrap(client)
        except (OSError, EOFError):
            client.close()
            return
        with client, client.makefile("rb") as stream:
            try:
                while first := stream.read(1):
                    length, shift = 0, 0
                    while True:
                        byte = stream.read(1)[0]
                        length |= (byte & 0x7F) << shift
                        shift += 7
                        if byte < 0x80:
                            break
                    self.handle(client, first[0], stream.read(length))
            except (OSError, IndexError):
                pass  # it has gone

    def handle(self, client, first, body):
        if first >> 4 == 1:  # CONNECT
            client.sendall(self.connack)
        elif first >> 4 == 8:  # SUBSCRIBE with one filter
            self.subscriber = client
            client.sendall(b"\x90\x03" + body[:2] + bytes([self.suback_qos]))
        elif first >> 4 == 14:  # DISCONNECT
            client.shutdown(socket.SHUT_RDWR)
        elif first >> 4 == 3:  # PUBLISH
            with self.lock:
                packets = self.fault(self.count, encode(first, body))
                self.count += 1
                self.subscriber.sendall(b"".join(packets))


def encode(first, body):
    length, left = b"", len(body)
    while left >= 128:
        length += bytes([left & 0x7F | 0x80])
        left >>= 7
    return bytes([first]) + length + bytes([left]) + body
