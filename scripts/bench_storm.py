"""Everybody comes back at once, while others go on talking."""

import json
import pathlib
import select
import shlex
import subprocess
import time

from bench_brokers import REALTIME, RunFailed, broker, door_of, free_port
from bench_rows import TROUPE, Result, Row
from broker_metrics import difference, quantile, read_series

DEADLINE_S = 300
CALM_S = 2
IN_THE_BACKGROUND = ["nice", "-n", "19"]
# Longer than a storm: the window ends when this is told.
PACED_TIMES = ["--warmup", "1", "--duration", "600"]


def cores_used(pid: int, seconds: float) -> float:
    """By a process, all its threads, in the time to come."""
    clock = ~pid << 3 | 2  # what clock_getcpuclockid(3) makes of it
    began, used = time.monotonic(), time.clock_gettime(clock)
    time.sleep(seconds)
    return ((time.clock_gettime(clock) - used)
            / (time.monotonic() - began))


class Generator:
    """One that is told when to begin or end; gone when the context is left."""

    def __init__(self, command: list[str]):
        self.command = command
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def failed(self, why: str) -> RunFailed:
        return RunFailed(f"{shlex.join(self.command)} {why}:\n"
                         + self.said.decode(errors="replace"))

    def await_line(self, word: str):
        """Until it says the word; raises if it ends instead."""
        deadline = time.monotonic() + DEADLINE_S
        while f"troupe-bench: {word}\n".encode() not in self.said:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stderr], [], [],
                                        max(0, left))
            if not ready:
                raise self.failed(f"did not say {word}")
            part = self.process.stderr.read1()
            if not part:
                raise self.failed("ended early")
            self.said += part

    def begin(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self) -> Result:
        """Ends its input and waits for what it has found."""
        out, rest = self.process.communicate(timeout=DEADLINE_S)
        self.said += rest
        # 1 says that something was lost, which the result says too.
        if self.process.returncode not in (0, 1):
            raise self.failed(f"ended with {self.process.returncode}")
        return json.loads(out)


def measure_storm(which: str, row: Row, programs) -> Result:
    load = (programs["quick"] and row.quick) or row.command
    realtime = REALTIME if programs["realtime"] else []
    http = free_port() if which == TROUPE else None

    def page() -> dict[str, float]:
        return read_series(http) if http else {}

    with broker(which, row, programs, http) as (ports, pid):
        def command(of: str) -> list[str]:
            return [str(pathlib.Path(programs["bench"])), *shlex.split(of),
                    "--json", "--port", str(ports[door_of(of)]),
                    "--pid", str(pid)]
        with Generator([*IN_THE_BACKGROUND, *command(load),
                        "--on-input"]) as storm:
            storm.await_line("ready")
            with Generator([*realtime, *command(row.meanwhile), *PACED_TIMES,
                            "--until-input-ends"]) as paced:
                paced.await_line("measuring")
                calm = cores_used(pid, CALM_S)
                before = page()
                storm.begin()
                storm.await_line("served")
                while_it_lasted = difference(before, page())
                found = {"paced": paced.finish()}
            found = {**storm.finish(), **found}
    found["calm_cores"] = calm
    if http:  # by the broker's clock, of the same messages: only they move
        found["paced"]["hop_p99_s"] = quantile(
            while_it_lasted, "troupe_hop_seconds_bucket", 'hop="whole"', 0.99)
    found["paced_realtime"] = programs["realtime"]
    found["ok"] = found["ok"] and found["paced"]["ok"]
    return found
