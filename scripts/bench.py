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
import dataclasses
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_DEADLINE_S = 20
STOP_DEADLINE_S = 20
RUN_DEADLINE_S = 600
REALTIME = ["chrt", "-f", "10"]
TROUPE, MOSQUITTO = "troupe", "mosquitto"

Result = dict[str, typing.Any]  # what troupe-bench prints


# ---- what is measured -------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Figure:
    """A number of the table. A ratio is Troupe's median over Mosquitto's; what
    is not a ratio is Troupe's median. `must` and `aim` as in the table."""
    title: str
    read: typing.Callable[[Result], float]
    must: float
    aim: float
    ratio: bool = True
    higher_is_better: bool = True
    unit: str = ""

    def measured(self, medians: dict[str, float]) -> float | None:
        if TROUPE not in medians:
            return None
        if not self.ratio:
            return medians[TROUPE]
        other = medians.get(MOSQUITTO)
        return medians[TROUPE] / other if other else None

    def verdict(self, value: float | None) -> str:
        def reached(limit: float) -> bool:
            return value >= limit if self.higher_is_better else value <= limit
        if value is None:
            return "not measured"
        if reached(self.aim):
            return "aim"
        return "must" if reached(self.must) else "**below**"

    def show(self, value: float | None) -> str:
        if value is None:
            return "-"
        if not self.ratio:
            return f"{value:,.0f}"
        return f"{value:.1f}x" if value >= 10 else f"{value:.2f}x"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # for --only
    title: str
    command: str  # of troupe-bench
    figures: tuple[Figure, ...]
    realtime: bool = False
    timed: bool = True  # takes --duration and --warmup
    settings: tuple[str, ...] = ()  # of Troupe
    brokers: tuple[str, ...] = (TROUPE, MOSQUITTO)
    once: bool = False  # one round says enough


def per_cpu(result: Result) -> float:
    return result["broker"]["deliveries_per_cpu_s"]


def cpu_each(result: Result) -> float:
    return result["broker"]["cpu_us_per_delivery"]


def p99(result: Result) -> float:
    return result["latency_us"]["p99"]


def bytes_per(what: str) -> typing.Callable[[Result], float]:
    return lambda result: result["broker"][f"bytes_per_{what}"]


def throughput(must: float, aim: float) -> tuple[Figure, ...]:
    return (Figure("deliveries per broker-CPU-second", per_cpu, must, aim),)


def rows() -> list[Row]:
    out = []
    for qos, must, aim in ((0, 25, 31), (1, 15, 21), (2, 15, 24)):
        out.append(Row(f"pairs-64-q{qos}", f"50 pairs, 64 B, QoS {qos}",
                       f"pairs --pairs 50 --payload 64 --qos {qos} "
                       "--outstanding 100 --inflight 20",
                       throughput(must, aim)))
    for qos, must, aim in ((0, 18, 24), (1, 14, 20)):
        out.append(Row(f"pairs-1k-q{qos}", f"50 pairs, 1 KiB, QoS {qos}",
                       f"pairs --pairs 50 --payload 1024 --qos {qos} "
                       "--outstanding 100 --inflight 20",
                       throughput(must, aim)))
    out.append(Row("fan-in", "fan-in, 1000 publishers to 1, QoS 1",
                   "fan-in --publishers 1000 --qos 1 --outstanding 1",
                   throughput(1.7, 2)))
    for qos, must, aim in ((0, 18, 24), (1, 12, 14)):
        out.append(Row(f"fan-out-q{qos}", f"fan-out, 1 to 1000, QoS {qos}",
                       f"fan-out --subscribers 1000 --qos {qos}",
                       throughput(must, aim)))
    out.append(Row("shared", "shared subscription, 50 to 50, QoS 1",
                   "shared --publishers 50 --members 50 --qos 1",
                   throughput(13, 18)))
    for qos in (0, 1):
        out.append(Row(f"paced-q{qos}",
                       f"5,000 msg/s over 50 pairs, QoS {qos}",
                       f"pairs --pairs 50 --payload 64 --qos {qos} --rate 5000",
                       (Figure("p99 latency", p99, 1.0, 0.8,
                               higher_is_better=False, unit="us"),
                        Figure("broker CPU per delivery", cpu_each, 0.7, 0.6,
                               higher_is_better=False, unit="us")),
                       realtime=True))
    out.append(Row("connect", "connect and disconnect",
                   "connect --connections 50000 --concurrency 50",
                   (Figure("broker CPU per connection", cpu_each, 1.2, 0.95,
                           higher_is_better=False, unit="us"),), timed=False))
    out.append(Row("idle", "10,000 idle connections, one subscription each",
                   "idle --connections 10000",
                   (Figure("resident bytes per connection",
                           bytes_per("connection"), 4000, 3200, ratio=False,
                           higher_is_better=False, unit="B"),), timed=False))
    out.append(Row("filters", "1,000,000 filters of 1,000 clients",
                   "filters --filters 1000000 --clients 1000",
                   (Figure("resident bytes per filter", bytes_per("filter"),
                           200, 150, ratio=False, higher_is_better=False,
                           unit="B"),
                    Figure("deliveries per broker-CPU-second", per_cpu, 2, 3))))
    out.append(Row("idle-100k",
                   "100,000 idle connections, then 20,000 msg/s through them",
                   "idle --connections 100000 --threads 6 --own-file-tables "
                   "--source 127.0.0.2-127.0.0.9 --rate 20000 --qos 0",
                   (Figure("connections held without a loss",
                           lambda r: r["options"]["connections"]
                           if r["ok"] else 0,
                           100_000, 200_000, ratio=False),
                    Figure("resident bytes per connection",
                           bytes_per("connection"), 4000, 3200, ratio=False,
                           higher_is_better=False, unit="B")),
                   settings=("node.own_file_tables=true", "node.reactors=6"),
                   brokers=(TROUPE,), once=True))
    return out


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
    raise SystemExit(f"{shlex.join(process.args)} did not start:\n"
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
                raise SystemExit(f"{which} ended during {row.name}:\n"
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
        raise SystemExit(f"{shlex.join(command)} ended with "
                         f"{done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def run_row(row: Row, programs, times: list[str], rounds: int) -> dict:
    """All rounds of a row; results by broker, and when."""
    brokers = [each for each in row.brokers if programs.get(each)]
    found = {each: [] for each in brokers}
    for number in range(1 if row.once else rounds):
        for which in brokers if number % 2 == 0 else reversed(brokers):
            result = measure(which, row, programs, times)
            found[which].append(result)
            figures = ", ".join(
                f"{figure.title} {figure.read(result):,.1f}"
                for figure in row.figures)
            bad = "" if result["ok"] else "  NOT CLEAN"
            print(f"  {row.name} {number + 1} {which}: {figures}{bad}",
                  flush=True)
    return {"when": datetime.date.today().isoformat(), "rounds": found}


# ---- the report -------------------------------------------------------------

def medians(figure: Figure, found: dict) -> dict[str, float]:
    return {which: statistics.median(map(figure.read, results))
            for which, results in found["rounds"].items() if results}


def summary(results: dict[str, dict]) -> list[str]:
    lines = ["| load | figure | must | aim | measured | reached |",
             "|---|---|---|---|---|---|"]
    for row in rows():
        for figure in row.figures:
            value = (figure.measured(medians(figure, results[row.name]))
                     if row.name in results else None)
            lines.append(
                f"| {row.title} | {figure.title} | {figure.show(figure.must)} "
                f"| {figure.show(figure.aim)} | {figure.show(value)} "
                f"| {figure.verdict(value)} |")
    return lines


def raw_lines(row: Row, found: dict) -> list[str]:
    lines = []
    for which, results in found["rounds"].items():
        def middle(read: typing.Callable[[Result], float]) -> float:
            return statistics.median(map(read, results))
        cells = [row.name, which]
        for figure in row.figures:
            values = sorted(map(figure.read, results))
            cells.append(f"{figure.title}: {statistics.median(values):,.4g}"
                         f"{' ' + figure.unit if figure.unit else ''} "
                         f"({values[0]:,.4g} to {values[-1]:,.4g})"
                         if statistics.median(values) < 1000 else
                         f"{figure.title}: {statistics.median(values):,.0f}"
                         f"{' ' + figure.unit if figure.unit else ''} "
                         f"({values[0]:,.0f} to {values[-1]:,.0f})")
        cells = [row.name, which, "<br>".join(cells[2:]),
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
    text += ["", *summary(results), "", "## Commands", "",
             "Each runs with `--json --port PORT --pid PID` and, where there is",
             f"a measuring window, `{stored['times']}`. Mosquitto has its",
             "defaults, but `max_queued_messages 0` (nothing is dropped) and",
             "`log_dest none`. Paced rows run both brokers under "
             f"`{shlex.join(REALTIME)}`.", ""]
    for row in rows():
        settings = "".join(f" (Troupe with `{each}`)" for each in row.settings)
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

    programs = find_programs(args.bin, args.without)
    times = ["--warmup", "1" if args.quick else "2",
             "--duration", "3" if args.quick else "8"]
    stored = {"machine": describe_machine(programs),
              "times": shlex.join(times), "rows": {}}
    target = args.output or (None if args.quick else ROOT / "docs")
    if target and args.only and (target / "benchmarks.json").exists():
        old = json.loads((target / "benchmarks.json").read_text())
        stored["rows"] = old["rows"]
    rounds = args.rounds or (2 if args.quick else 5)
    for row in chosen:
        if any(programs.get(each) for each in row.brokers):
            stored["rows"][row.name] = run_row(row, programs, times, rounds)
    print("\n".join(summary(stored["rows"])))
    if target:
        (target / "benchmarks.json").write_text(
            json.dumps(stored, indent=1) + "\n")
        (target / "benchmarks.md").write_text(render(stored))
    clean = all(result["ok"] for found in stored["rows"].values()
                for results in found["rounds"].values() for result in results)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
