"""Everybody comes back at once, while others go on talking."""

import json
import pathlib
import select
import shlex
import subprocess
import time

from bench_brokers import REALTIME, RunFailed, broker, door_of
from bench_rows import Result, Row

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
    with broker(which, row, programs) as (ports, pid):
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
                storm.begin()
                storm.await_line("served")
                found = {"paced": paced.finish()}
            found = {**storm.finish(), **found}
    found["calm_cores"] = calm
    found["paced_realtime"] = programs["realtime"]
    found["ok"] = found["ok"] and found["paced"]["ok"]
    return found
