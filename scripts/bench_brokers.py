"""Starts brokers for `./dev bench`."""

import contextlib
import getpass
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
SECURE = ("ssl", "wss")


class RunFailed(Exception):
    """A broker or the generator did not do its work; the text says which."""


Ports = dict[str, int]  # by door: tcp, ssl, ws, wss


def door_of(load: str) -> str:
    """By which door the clients of a load come in."""
    options = shlex.split(load)
    return {(False, False): "tcp", (True, False): "ssl",
            (False, True): "ws", (True, True): "wss"}[
                "--tls" in options, "--ws" in options]


def troupe_doors(ports: Ports, certs: pathlib.Path | None) -> tuple[str, ...]:
    out = []
    for door, port in ports.items():
        if door == "tcp":
            continue
        out.append(f"listeners.{door}.default.bind=127.0.0.1:{port}")
        if door in SECURE:
            options = f"listeners.{door}.default.ssl_options"
            out += [f"{options}.certfile={certs}/server.pem",
                    f"{options}.keyfile={certs}/server.key",
                    f"{options}.cacertfile={certs}/ca.pem"]
    return tuple(out)


def mosquitto_doors(ports: Ports, certs: pathlib.Path | None) -> list[str]:
    out = []
    for door, port in ports.items():
        if door == "tcp":
            continue
        out.append(f"listener {port} 127.0.0.1")
        if door != "ssl":
            out.append("protocol websockets")
        if door in SECURE:
            out += [f"certfile {certs}/server.pem",
                    f"keyfile {certs}/server.key"]
    return out


def troupe_command(program: pathlib.Path, port: int, folder: pathlib.Path,
                   http: int | None, settings: tuple[str, ...]) -> list[str]:
    command = [str(program), "serve", "--data-dir", str(folder / "data")]
    for setting in (f"listeners.tcp.default.bind=127.0.0.1:{port}",
                    f"http.bind=127.0.0.1:{http}" if http
                    else "http.enable=false", *settings):
        command += ["--set", setting]
    return command


def mosquitto_command(program: str, port: int, folder: pathlib.Path,
                      settings: typing.Iterable[str] = ()) -> list[str]:
    """Its defaults, but a queue that drops nothing and no log to write.
    Started by root it would become a user who may not read certificates."""
    config = folder / "mosquitto.conf"
    config.write_text("\n".join((
        f"user {getpass.getuser()}", "allow_anonymous true",
        "max_queued_messages 0", "log_dest none",
        f"listener {port} 127.0.0.1", *settings, "")))
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
    """A fresh broker; yields its ports and process id."""
    with tempfile.TemporaryDirectory(prefix="troupe-bench-",
                                     dir=programs["folder"]) as name:
        folder = pathlib.Path(name)
        ports = {door: free_port() for door in ("tcp", *row.doors)}
        guard = row.guard(which, folder) if row.guard else ()
        if which == TROUPE:
            command = troupe_command(
                programs[TROUPE], ports["tcp"], folder, http,
                (*row.settings, *troupe_doors(ports, programs["certs"]),
                 *guard))
        else:
            command = mosquitto_command(
                programs[MOSQUITTO], ports["tcp"], folder,
                [*guard, *mosquitto_doors(ports, programs["certs"])])
        if row.realtime and programs["realtime"]:
            command = REALTIME + command
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, cwd=folder)
        try:
            for port in ports.values():
                wait_for_port(port, process, log)
            yield ports, process.pid
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
