"""How soon a broker is there again that has very much to keep."""

import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import time

from bench_brokers import RunFailed, free_port, troupe_command, wait_for_port
from bench_rows import TROUPE, Result, Row

FILL_DEADLINE_S = 3600
START_DEADLINE_S = 300
STOP_DEADLINE_S = 120
# Something that has not left the log yet when the broker is killed.
LATE = "durable --publishers 50 --no-check --warmup 0 --duration 2 --payload 64"


class Troupe:
    """A broker on a directory; gone when the context is left."""

    def __init__(self, row: Row, programs, folder: pathlib.Path,
                 settings: tuple[str, ...] = ()):
        self.port, self.log = free_port(), folder / "log"
        command = troupe_command(programs[TROUPE], self.port, folder, None,
                                 ("node.shutdown_timeout=2m", *row.settings,
                                  *settings))
        self.began = time.monotonic()
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def end(self, number: int) -> float:
        """@returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        if self.process.wait(STOP_DEADLINE_S) not in (0, -number):
            raise RunFailed("the broker did not end in order:\n"
                            + self.log.read_text(errors="replace")[-2000:])
        return time.monotonic() - began

    def resident(self) -> int:
        text = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGESIZE")

    def run(self, programs, load: str) -> Result:
        command = [str(programs["bench"]), *shlex.split(load), "--json",
                   "--port", str(self.port), "--pid", str(self.process.pid)]
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=FILL_DEADLINE_S)
        if done.returncode != 0:
            raise RunFailed(f"{shlex.join(command)} ended with "
                            f"{done.returncode}:\n{done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def first_connack(self, client_id: str) -> dict[str, float]:
        """Since the program was started, for a session that was kept."""
        name = client_id.encode()
        rest = b"\0\4MQTT\4\0\0\0" + struct.pack(">H", len(name)) + name
        connect = bytes([0x10, len(rest)]) + rest
        while True:
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", self.port), START_DEADLINE_S) as client:
                client.sendall(connect)
                answer = client.recv(4, socket.MSG_WAITALL)
                passed = time.monotonic() - self.began
                if answer != b"\x20\2\1\0":
                    raise RunFailed(f"the answer to {client_id}, which was "
                                    f"kept, is {answer!r}")
                # A message of it proves more than the CONNACK.
                message = client.recv(1)
                if message[0] & 0xF6 != 0x32:
                    raise RunFailed(f"{client_id} got {message!r}")
                return {"connack_ms": 1000 * passed,
                        "message_ms": 1000 * (time.monotonic() - self.began),
                        "resident_mib": self.resident() / (1 << 20)}
            if (self.process.poll() is not None
                    or time.monotonic() - self.began > START_DEADLINE_S):
                raise RunFailed("the broker does not start:\n" + self.log
                                .read_text(errors="replace")[-2000:])
            time.sleep(0.005)


def measure_start(row: Row, programs) -> Result:
    """Fills a directory through the broker, ends that in order and starts it
    again; kills it under load and starts it once more."""
    loads = row.quick_fill if programs["quick"] else row.fill
    with tempfile.TemporaryDirectory(prefix="troupe-bench-",
                                     dir=programs["folder"]) as name:
        folder = pathlib.Path(name)
        with Troupe(row, programs, folder) as first:
            wait_for_port(first.port, first.process, first.log)
            results = [first.run(programs, f"{load} --client-prefix kept{i}")
                       for i, load in enumerate(loads)]
            filled = first.resident()
            stopped = first.end(signal.SIGTERM)
        size = sum(x.stat().st_size for x in folder.rglob("*") if x.is_file())
        # Its clients: the publishers, then the sessions.
        session = results[0]["options"]["publishers"]
        with Troupe(row, programs, folder) as second:
            ordered = second.first_connack(f"kept0-0-{session}")
            second.run(programs, LATE)
            second.end(signal.SIGKILL)
        with Troupe(row, programs, folder) as third:
            killed = third.first_connack(f"kept0-0-{session + 1}")
    return {**results[0], "fill": results[1:],
            "start": {"ordered": ordered, "killed": killed, "stop_s": stopped,
                      "filled_mib": filled / (1 << 20),
                      "data_mib": size / (1 << 20)}}
