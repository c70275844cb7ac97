"""Ports for programs that are told where to listen."""

import socket


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
