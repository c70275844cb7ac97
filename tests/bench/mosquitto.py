"""Debian's Mosquitto, for tests of the generator."""

import contextlib
import getpass
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mosquitto:
    """Listens at `port`, and where the settings add listeners at `ports`."""

    def __init__(self, *settings, limit=0, ports=()):
        self.folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.port = free_port()
        config = pathlib.Path(self.folder.name) / "mosquitto.conf"
        # Started by root it would become a user who may not read certificates.
        config.write_text("\n".join((f"user {getpass.getuser()}",
                                     f"listener {self.port} 127.0.0.1",
                                     f"max_queued_messages {limit}",
                                     "log_dest none", *settings)) + "\n")
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(config)])
        deadline = time.monotonic() + 10
        for port in (self.port, *ports):
            while not self.listens(port):
                if time.monotonic() > deadline:
                    self.close()
                    raise AssertionError("mosquitto did not start")
                time.sleep(0.02)

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.folder.cleanup()
