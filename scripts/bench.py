#!/usr/bin/env python3
"""Runs Troupe and Debian's Mosquitto side by side and writes what it measured.

Each row of the table is a load of troupe-bench. It runs several rounds; in a
round each broker gets a process of its own, one after the other, and the order
changes from round to round. What counts is the median of the rounds.

A full run writes docs/benchmarks.json (the numbers) and docs/benchmarks.md.
With --only the other rows are kept from the last full run. With --quick
nothing is written but the table on the terminal.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing

sys.dont_write_bytecode = True
from bench_rows import (MOSQUITTO, TROUPE, Figure, Result, Row,  # noqa: E402
                        rows)

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_DEADLINE_S = 20
STOP_DEADLINE_S = 20
RUN_DEADLINE_S = 600
REALTIME = ["chrt", "-f", "10"]
IDLE_LOAD = 0.5


class RunFailed(Exception):
    """A broker or the generator did not do its work; the text says which."""


# ---- brokers ----------------------------------------------------------------

def troupe_command(program: pathlib.Path, port: int, folder: pathlib.Path,
                   settings: tuple[str, ...]) -> list[str]:
    command = [str(program), "serve", "--data-dir", str(folder / "data")]
    for setting in (f"listeners.tcp.default.bind=127.0.0.1:{port}",
                    "http.enable=false", *settings):
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
def broker(which: str, row: Row, programs: dict[str, typing.Any]):
    """A fresh broker; yields its port and process id."""
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        if which == TROUPE:
            command = troupe_command(programs[TROUPE], port, folder,
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


def measure(which: str, row: Row, programs: dict[str, typing.Any],
            times: list[str]) -> Result:
    with broker(which, row, programs) as (port, pid):
        command = [str(programs["bench"]), *shlex.split(row.command), "--json",
                   "--port", str(port), "--pid", str(pid)]
        if row.timed:
            command += times
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              timeout=RUN_DEADLINE_S)
    # 1 says that messages were lost, which the result says too.
    if done.returncode not in (0, 1):
        raise RunFailed(f"{shlex.join(command)} ended with "
                        f"{done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def run_row(row: Row, programs, times: list[str], rounds: int) -> dict:
    """All rounds of a row; results by broker, and when."""
    brokers = [each for each in row.brokers if programs.get(each)]
    found = {each: [] for each in brokers}
    for turn in range(1 if row.once else rounds):
        for which in brokers if turn % 2 == 0 else reversed(brokers):
            result = measure(which, row, programs, times)
            found[which].append(result)
            figures = ", ".join(
                f"{figure.title} {figure.read(result):,.1f}"
                for figure in row.figures)
            bad = "" if result["ok"] else "  NOT CLEAN"
            print(f"  {row.name} {turn + 1} {which}: {figures}{bad}",
                  flush=True)
    return {"when": datetime.date.today().isoformat(), "rounds": found}


# ---- the report -------------------------------------------------------------

def medians(figure: Figure, found: dict) -> dict[str, float]:
    return {which: statistics.median(map(figure.read, results))
            for which, results in found["rounds"].items() if results}


def summary(chosen: list[Row], results: dict[str, dict]) -> list[str]:
    lines = ["| load | figure | must | aim | measured | reached |",
             "|---|---|---|---|---|---|"]
    for row in chosen:
        for figure in row.figures:
            value = (figure.measured(medians(figure, results[row.name]))
                     if row.name in results else None)
            lines.append(
                f"| {row.title} | {figure.title} | {figure.show(figure.must)} "
                f"| {figure.show(figure.aim)} | {figure.show(value)} "
                f"| {figure.verdict(value)} |")
    return lines


def number(x: float) -> str:
    return f"{x:,.0f}" if x >= 1000 else f"{x:,.4g}"


def raw_lines(row: Row, found: dict) -> list[str]:
    lines = []
    for which, results in found["rounds"].items():
        def middle(read: typing.Callable[[Result], float]) -> float:
            return statistics.median(map(read, results))
        cells = []
        for figure in row.figures:
            values = sorted(map(figure.read, results))
            unit = f" {figure.unit}" if figure.unit else ""
            cells.append(f"{figure.title}: {number(statistics.median(values))}"
                         f"{unit} ({number(values[0])} to "
                         f"{number(values[-1])})")
        cells = [row.name, which, "<br>".join(cells),
                 f"{middle(lambda r: r['deliveries_per_s']):,.0f}",
                 f"{middle(lambda r: r['broker']['cores']):.2f}",
                 f"{middle(lambda r: r['latency_us']['p50']):,.0f}",
                 f"{middle(lambda r: r['latency_us']['p99']):,.0f}",
                 f"{middle(lambda r: r['generator']['cpu_ns_per_delivery']):,.0f}",
                 str(sum(r["lost"] + r["out_of_order"] for r in results)),
                 str(len(results)), found["when"]]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def render(stored: dict) -> str:
    machine, results = stored["machine"], stored["rows"]
    text = ["# Benchmarks", "",
            "Written by `./dev bench`; not edited by hand. Troupe and Debian's",
            "Mosquitto run the same loads on the same machine in turn. A ratio",
            "is Troupe's median over Mosquitto's: above 1 is more deliveries",
            "for the same CPU; for latency, CPU and memory less is better.",
            "`bench/README.md` says how the generator measures.", "",
            "| machine | |", "|---|---|"]
    text += [f"| {key} | {value} |" for key, value in machine.items()]
    text += ["", *summary(rows(), results), "", "## Commands", "",
             "Each runs with `--json --port PORT --pid PID` and, where there is",
             f"a measuring window, `{stored['times']}`. Mosquitto has its",
             "defaults, but `max_queued_messages 0` (nothing is dropped) and",
             "`log_dest none`. Paced rows run both brokers under "
             f"`{shlex.join(REALTIME)}`;",
             "there, a broker whose thread the kernel wakes on another core",
             "than the generator's pays for an interrupt between processors",
             "with each message, three times what the message itself costs:",
             "the spread of the rounds below shows which was when.", ""]
    for row in rows():
        settings = " ".join(f"--set {each}" for each in row.settings)
        if settings:
            settings = f", Troupe with `{settings}`"
        text.append(f"- {row.name}: `troupe-bench {row.command}`{settings}")
    text += ["", "## Medians", "",
             "In brackets the least and the most of the rounds. Latency is in",
             "microseconds; in a closed loop it shows the queue that the loop",
             "itself makes, only the paced rows say how fast a broker answers.",
             "", "| row | broker | figures | per second | broker cores | p50 "
             "| p99 | generator ns | lost | rounds | date |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows():
        if row.name in results:
            text += raw_lines(row, results[row.name])
    return "\n".join(text) + "\n"


def first_line(command: list[str], word: str) -> str:
    with contextlib.suppress(OSError):
        out = subprocess.run(command, capture_output=True, text=True).stdout
        for line in out.splitlines():
            if word in line:
                return line.strip()
    return "not here"


def describe_machine(programs) -> dict[str, str]:
    model = platform.processor()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    commit = first_line(["git", "-C", str(ROOT), "describe", "--always",
                         "--dirty"], "")
    return {"CPU": model, "cores": str(os.cpu_count()),
            "kernel": platform.release(),
            "date": datetime.date.today().isoformat(),
            "Troupe": commit if programs.get(TROUPE) else "not here",
            "Mosquitto": first_line([programs[MOSQUITTO] or "false", "-h"],
                                    "mosquitto version"),
            "load before": f"{os.getloadavg()[0]:.2f}",
            "real-time class": "yes" if programs["realtime"] else "not allowed"}


# ---- the command line -------------------------------------------------------

def find_programs(folder: pathlib.Path, without: list[str]) -> dict:
    programs = {"bench": folder / "troupe-bench", TROUPE: folder / "troupe",
                MOSQUITTO: shutil.which("mosquitto", path=os.environ["PATH"]
                                        + os.pathsep + "/usr/sbin")}
    for name in without:
        programs[name] = None
    for name in ("bench", TROUPE):
        if programs[name] and not programs[name].exists():
            raise SystemExit(f"{programs[name]} is missing; run ./dev build")
    if not programs[MOSQUITTO] and MOSQUITTO not in without:
        raise SystemExit("mosquitto is not installed; "
                         "use --without mosquitto, or apt-get install it")
    programs["realtime"] = shutil.which("chrt") is not None and subprocess.run(
        [*REALTIME, "true"], capture_output=True).returncode == 0
    return programs


def main() -> int:
    names = [row.name for row in rows()]
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__.split("\n\n")[0],
        epilog="rows: " + " ".join(names))
    parser.add_argument("--quick", action="store_true",
                        help="two short rounds; writes nothing")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        help="a row, or the beginning of several")
    parser.add_argument("--rounds", type=int, help="5, with --quick 2")
    parser.add_argument("--without", action="append", default=[],
                        choices=[TROUPE, MOSQUITTO], help="leave a broker out")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR",
                        default=ROOT / "build/release/bin",
                        help="where troupe and troupe-bench are")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR",
                        help="for benchmarks.md and .json instead of docs/")
    args = parser.parse_args()
    chosen = [row for row in rows()
              if not args.only or any(map(row.name.startswith, args.only))]
    if not chosen:
        parser.error(f"no row is called {args.only[0]}; there are "
                     + ", ".join(names))

    programs = find_programs(args.bin.resolve(), args.without)
    times = ["--warmup", "1" if args.quick else "2",
             "--duration", "3" if args.quick else "8"]
    stored = {"machine": describe_machine(programs),
              "times": shlex.join(times), "rows": {}}
    target = args.output or (None if args.quick else ROOT / "docs")
    if target and args.only and (target / "benchmarks.json").exists():
        old = json.loads((target / "benchmarks.json").read_text())
        stored["rows"] = old["rows"]
    if os.getloadavg()[0] > IDLE_LOAD:
        print(f"bench: the machine is busy (load {os.getloadavg()[0]:.1f}); "
              "the numbers will say so", file=sys.stderr)
    rounds = args.rounds or (2 if args.quick else 5)
    failed = False
    for row in chosen:
        if not any(programs.get(each) for each in row.brokers):
            continue
        try:
            stored["rows"][row.name] = run_row(row, programs, times, rounds)
        except (RunFailed, subprocess.TimeoutExpired) as error:
            failed = True
            stored["rows"].pop(row.name, None)
            print(f"bench: {row.name} failed: {error}", file=sys.stderr)
    print("\n".join(summary(chosen, stored["rows"])))
    if target:
        (target / "benchmarks.json").write_text(
            json.dumps(stored, indent=1) + "\n")
        (target / "benchmarks.md").write_text(render(stored))
    clean = all(result["ok"] for found in stored["rows"].values()
                for results in found["rounds"].values() for result in results)
    return 0 if clean and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
