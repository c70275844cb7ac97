"""Starts brokers for `./dev bench`."""

import contextlib
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import typing

from bench_rows import MOSQUITTO, TROUPE, Row

REALTIME = ["chrt", "-f", "10"]
START_DEADLINE_S = 20
STOP_DEADLINE_S = 20


class RunFailed(Exception):
    """A broker or the generator did not do its work; the text says which."""


def troupe_command(program: pathlib.Path, port: int, folder: pathlib.Path,
                   http: int | None, settings: tuple[str, ...]) -> list[str]:
    command = [str(program), "serve", "--data-dir", str(folder / "data")]
    for setting in (f"listeners.tcp.default.bind=127.0.0.1:{port}",
                    f"http.bind=127.0.0.1:{http}" if http
                    else "http.enable=false", *settings):
        command += ["--set", setting]
    return command


def mosquitto_command(program: str, port: int,
                      folder: pathlib.Path) -> list[str]:
    """Its defaults, but a queue that drops nothing and no log to write."""
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\n"
                      "allow_anonymous true\n"
                      "max_queued_messages 0\n"
                      "log_dest none\n")
    return [program, "-c", str(config)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, log: pathlib.Path):
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RunFailed(f"{shlex.join(process.args)} did not start:\n"
                    + log.read_text(errors="replace")[-2000:])


@contextlib.contextmanager
def broker(which: str, row: Row, programs: dict[str, typing.Any],
           http: int | None = None):
    """A fresh broker; yields its port and process id."""
    with tempfile.TemporaryDirectory(prefix="troupe-bench-",
                                     dir=programs["folder"]) as name:
        folder = pathlib.Path(name)
        port = free_port()
        if which == TROUPE:
            command = troupe_command(programs[TROUPE], port, folder, http,
                                     row.settings)
        else:
            command = mosquitto_command(programs[MOSQUITTO], port, folder)
        if row.realtime and programs["realtime"]:
            command = REALTIME + command
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, cwd=folder)
        try:
            wait_for_port(port, process, log)
            yield port, process.pid
            if process.poll() is not None:
                raise RunFailed(f"{which} ended during {row.name}:\n"
                                + log.read_text(errors="replace")[-2000:])
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
