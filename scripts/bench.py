#!/usr/bin/env python3
"""Runs Troupe and Debian's Mosquitto side by side and writes what it measured.

Each row of the table is a load of troupe-bench. It runs several rounds; in a
round each broker gets a process of its own, one after the other, and the order
changes from round to round. What counts is the median of the rounds.

A full run writes docs/benchmarks.json (the numbers) and docs/benchmarks.md.
With --only the other rows are kept from the last full run. With --quick
nothing is written but the table on the terminal. `durable` runs the rows about
what Troupe keeps on disk instead, `doors` those about TLS, WebSocket and access
rules, and each writes its section of the document.
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
import subprocess
import sys
import tempfile
import typing

sys.dont_write_bytecode = True
from bench_brokers import (REALTIME, RunFailed, broker,  # noqa: E402
                           door_of, free_port)
from bench_doors_rows import door_rows  # noqa: E402
from bench_durable_rows import durable_rows  # noqa: E402
from bench_report import kept_rows, summary, write_document  # noqa: E402
from bench_rows import MOSQUITTO, TROUPE, Result, Row, rows  # noqa: E402
from bench_memory import measure_memory  # noqa: E402
from bench_start import measure_start  # noqa: E402
from bench_storm import measure_storm  # noqa: E402
from broker_metrics import MetricsHistory  # noqa: E402
from make_certs import CertificateError, make_certificates  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN_DEADLINE_S = 600
IDLE_LOAD = 0.5
BARE_S = 3
# RocksDB alone cannot be slower than the same writes in the broker: then the
# disk or the machine has changed between the two.
BARE_SLOWER_MAX = 1.25
BARE_TRIES = 3


# ---- runs -------------------------------------------------------------------

def run_load(load: str, row: Row, programs: dict[str, typing.Any],
             times: list[str], which: str, http: int | None = None) -> Result:
    with broker(which, row, programs, http) as (ports, pid):
        command = [str(programs["bench"]), *shlex.split(load), "--json",
                   "--port", str(ports[door_of(load)]), "--pid", str(pid)]
        if row.timed:
            command += times
        elif row.lasts:
            command += ["--duration", str(60 * programs["minutes"])]
        with MetricsHistory(http) if http else contextlib.nullcontext() as seen:
            done = subprocess.run(command, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  timeout=RUN_DEADLINE_S
                                  + 120 * programs["minutes"])
    # 1 says that messages were lost, which the result says too.
    if done.returncode not in (0, 1):
        raise RunFailed(f"{shlex.join(command)} ended with "
                        f"{done.returncode}:\n{done.stderr}")
    result = json.loads(done.stdout)
    if seen and "disk" in result:
        result["log"] = seen.difference(result["disk"]["from_s"],
                                        result["disk"]["quiet_s"])
    elif seen:
        result["log"] = seen.growth(result["from_s"],
                                    result["from_s"] + result["elapsed_s"])
    return result


def run_bare(result: Result, programs: dict[str, typing.Any]) -> Result:
    """RocksDB alone, with batches as large as those of the broker's log."""
    log = {name: result["log"].get(f"troupe_storage_log_{name}_total", 0)
           for name in ("groups", "entries", "bytes", "write_seconds")}
    if not all(log.values()):
        raise RunFailed("the broker wrote nothing to its log")
    command = [str(programs["commit"]), "--seconds", str(BARE_S),
               "--dir", str(programs["folder"]),
               "--entries", str(max(1, round(log["entries"] / log["groups"]))),
               "--bytes", str(max(1, round(log["bytes"] / log["entries"])))]
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          timeout=RUN_DEADLINE_S)
    if done.returncode != 0:
        raise RunFailed(f"{shlex.join(command)} ended with "
                        f"{done.returncode}:\n{done.stderr}")
    bare = json.loads(done.stdout)
    each = result["deliveries_per_s"] / log["groups"]
    own_us = 1e6 * log["write_seconds"] / log["groups"]
    return {**bare, "messages_per_write": each,
            "messages_per_s": bare["writes_per_s"] * each,
            "broker_write_us": own_us,
            "plausible": 1e6 / bare["writes_per_s"] < own_us * BARE_SLOWER_MAX}


def measure(which: str, row: Row, programs: dict[str, typing.Any],
            times: list[str]) -> Result:
    if row.fill:
        return measure_start(row, programs)
    if row.counts != (0, 0):
        return measure_memory(row, programs)

    def load(command: str, row: Row = row) -> Result:
        return run_load(command, row, programs, times, which,
                        free_port() if row.bare or row.lasts else None)
    quick = programs["quick"] and row.quick
    beside = load((quick and row.quick_beside) or row.beside,
                  dataclasses.replace(row, guard=None)) if row.beside else None
    if row.meanwhile:
        return {**measure_storm(which, row, programs), "beside": beside,
                "which": which}
    for _ in range(BARE_TRIES):
        result = load(row.quick if quick else row.command)
        if not row.bare:
            break
        result["bare"] = run_bare(result, programs)
        if result["bare"]["plausible"]:
            break
    for each in filter(None, (result, beside)):
        each["log"] = {name: value
                       for name, value in each.pop("log", {}).items()
                       if name.startswith("troupe_storage_")}
    if beside:
        result["beside"] = beside
        result["which"] = which
        result["ok"] = result["ok"] and beside["ok"]
    return result


def run_row(row: Row, programs, times: list[str], rounds: int) -> dict:
    """All rounds of a row; results by broker, and when."""
    brokers = [each for each in row.brokers if programs.get(each)]
    found = {each: [] for each in brokers}
    for turn in range(1 if row.once else rounds):
        for which in brokers if turn % 2 == 0 else reversed(brokers):
            result = measure(which, row, programs, times)
            found[which].append(result)
            figures = ", ".join(
                f"{figure.title} {figure.read(result):,.4g}"
                if figure.multiple else
                f"{figure.title} {figure.read(result):,.1f}"
                for figure in row.figures)
            bad = "" if result["ok"] else "  NOT CLEAN"
            if not result.get("bare", {}).get("plausible", True):
                bad += "  DOUBTFUL: RocksDB alone was slower"
            print(f"  {row.name} {turn + 1} {which}: {figures}{bad}",
                  flush=True)
    # What --storm-... have made of the row, for the document.
    asked = {"as": {"command": row.command, "beside": row.beside,
                    "meanwhile": row.meanwhile}} if row.meanwhile else {}
    return {"when": datetime.date.today().isoformat(), **asked,
            "rounds": found}


# ---- the machine ------------------------------------------------------------

def first_line(command: list[str], word: str) -> str:
    with contextlib.suppress(OSError):
        out = subprocess.run(command, capture_output=True, text=True).stdout
        for line in out.splitlines():
            if word in line:
                return line.strip()
    return "not here"


def file_system(folder: pathlib.Path) -> str:
    return subprocess.run(["stat", "--file-system", "--format=%T", folder],
                          capture_output=True, text=True).stdout.strip()


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
            **({"file system": file_system(programs["folder"])}
               if programs["folder"] else {}),
            "date": datetime.date.today().isoformat(),
            "Troupe": commit if programs.get(TROUPE) else "not here",
            "Mosquitto": first_line([programs[MOSQUITTO] or "false", "-h"],
                                    "mosquitto version"),
            "load before": f"{os.getloadavg()[0]:.2f}",
            "real-time class": "yes" if programs["realtime"] else "not allowed"}


# ---- the command line -------------------------------------------------------

def find_programs(folder: pathlib.Path, without: list[str],
                  durable: bool) -> dict:
    programs = {"bench": folder / "troupe-bench", TROUPE: folder / "troupe",
                "commit": folder / "commit_bench" if durable else None,
                # For data: durable figures are those of the build's disk.
                "folder": folder if durable else None,
                MOSQUITTO: shutil.which("mosquitto", path=os.environ["PATH"]
                                        + os.pathsep + "/usr/sbin")}
    for name in without:
        programs[name] = None
    for name in ("bench", TROUPE, "commit"):
        if programs[name] and not programs[name].exists():
            raise SystemExit(f"{programs[name]} is missing; run ./dev build")
    if not programs[MOSQUITTO] and MOSQUITTO not in without:
        raise SystemExit("mosquitto is not installed; "
                         "use --without mosquitto, or apt-get install it")
    programs["realtime"] = shutil.which("chrt") is not None and subprocess.run(
        [*REALTIME, "true"], capture_output=True).returncode == 0
    return programs


@contextlib.contextmanager
def certificates(chosen: list[Row]):
    """A folder of them while the rows run; None if no row has a use."""
    if not any(row.doors for row in chosen):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="troupe-bench-") as name:
        try:
            make_certificates(pathlib.Path(name))
        except (CertificateError, OSError) as error:
            raise SystemExit(f"bench: no certificates: {error}") from None
        yield pathlib.Path(name)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__.split("\n\n")[0],
        epilog="rows: " + " ".join(row.name for row in rows())
        + "; durable: " + " ".join(row.name for row in durable_rows())
        + "; doors: " + " ".join(row.name for row in door_rows()))
    parser.add_argument("what", nargs="?", choices=["durable", "doors"],
                        help="the rows about what is kept on disk, or about "
                        "TLS, WebSocket and access rules")
    parser.add_argument("--quick", action="store_true",
                        help="two short rounds; writes nothing")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        help="a row, or the beginning of several")
    parser.add_argument("--minutes", type=float, metavar="N",
                        help="of durable-broadcast: 1, with --quick 0.1; its "
                        "whole figure is that of 10")
    parser.add_argument("--storm-paced", choices=["tcp", "tls"],
                        default="tcp", help="of tls-storm: how those come in "
                        "who are there meanwhile")
    parser.add_argument("--storm-resumed", action="store_true",
                        help="of tls-storm: the clients resume their sessions")
    parser.add_argument("--rounds", type=int, help="5, with --quick 2")
    parser.add_argument("--without", action="append", default=[],
                        choices=[TROUPE, MOSQUITTO], help="leave a broker out")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR",
                        default=ROOT / "build/release/bin",
                        help="where troupe and troupe-bench are")
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR",
                        help="for benchmarks.md and .json instead of docs/")
    args = parser.parse_args()
    durable = args.what == "durable"
    known = (durable_rows() if durable else rows() if not args.what
             else door_rows(args.storm_paced, args.storm_resumed))
    chosen = [row for row in known
              if not args.only or any(map(row.name.startswith, args.only))]
    if not chosen:
        parser.error(f"no row is called {args.only[0]}; there are "
                     + ", ".join(row.name for row in known))
    without = args.without + ([MOSQUITTO] if durable else [])

    programs = find_programs(args.bin.resolve(), without, durable)
    programs["quick"] = args.quick
    programs["minutes"] = args.minutes or (0.1 if args.quick else 1)
    times = ["--warmup", "1" if args.quick else "2",
             "--duration", "3" if args.quick else "8"]
    stored = {"machine": describe_machine(programs),
              "times": shlex.join(times), "rows": {}}
    target = args.output or (None if args.quick else ROOT / "docs")
    if target and args.only:
        stored["rows"] = kept_rows(target, args.what)
    if os.getloadavg()[0] > IDLE_LOAD:
        print(f"bench: the machine is busy (load {os.getloadavg()[0]:.1f}); "
              "the numbers will say so", file=sys.stderr)
    rounds = args.rounds or (2 if args.quick else 5)
    failed = False
    with certificates(chosen) as programs["certs"]:
        for row in chosen:
            if not any(programs.get(each) for each in row.brokers):
                continue
            try:
                stored["rows"][row.name] = run_row(row, programs, times,
                                                   rounds)
            except (RunFailed, subprocess.TimeoutExpired) as error:
                failed = True
                stored["rows"].pop(row.name, None)
                print(f"bench: {row.name} failed: {error}", file=sys.stderr)
    print("\n".join(summary(chosen, stored["rows"])))
    if target:
        write_document(target, stored, args.what)
    clean = all(result["ok"] for found in stored["rows"].values()
                for results in found["rounds"].values() for result in results)
    return 0 if clean and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
