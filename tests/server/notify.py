"""The service manager's end of sd_notify(3)."""

import pathlib
import shutil
import socket
import tempfile
import time


class Manager:
    """Hears what a process tells its service manager."""

    def __init__(self, abstract=False):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-test-"))
        path = str(self.directory / "notify")
        self.address = "@" + path if abstract else path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + path if abstract else path)

    def environment(self, watchdog=None, **more):
        """@param watchdog  seconds"""
        made = {"NOTIFY_SOCKET": self.address, **more}
        if watchdog:
            made["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return made

    def hear(self, patience=10.0):
        """The next message as a dictionary; None if none comes in time."""
        self.socket.settimeout(patience)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(x.split("=", 1) for x in text.split("\n"))

    def expect(self, key, patience=10.0):
        """The next message that is no sign of life; it has this key."""
        until = time.monotonic() + patience
        while True:
            got = self.hear(max(0.001, until - time.monotonic()))
            assert got is not None, f"no {key} in time"
            if got != {"WATCHDOG": "1"}:
                assert key in got, f"{got}, not {key}"
                return got

    def drain(self):
        """Forgets what came so far."""
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass

    def close(self):
        self.socket.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
