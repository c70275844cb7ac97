"""Makes the document out of what `./dev bench` has measured."""

import dataclasses
import json
import math
import pathlib
import shlex
import statistics
import typing

from bench_brokers import REALTIME
from bench_doors_rows import ACL_RULES, door_rows
from bench_durable_rows import durable_rows
from bench_rows import Figure, Result, Row, rows


def medians(figure: Figure, found: dict) -> dict[str, float]:
    return {which: statistics.median(map(figure.read, results))
            for which, results in found["rounds"].items() if results}


def doubtful(found: dict | None) -> bool:
    """Whether the disk was another one, so to speak, for what a round is
    compared with."""
    return any(not result.get("bare", {}).get("plausible", True)
               for results in (found or {"rounds": {}})["rounds"].values()
               for result in results)


def summary(chosen: list[Row], results: dict[str, dict]) -> list[str]:
    lines = ["| load | figure | must | aim | measured | reached |",
             "|---|---|---|---|---|---|"]
    for row in chosen:
        for figure in row.figures:
            value = (figure.measured(medians(figure, results[row.name]))
                     if row.name in results else None)
            verdict = figure.verdict(value)
            if figure.multiple and doubtful(results.get(row.name)):
                verdict = "doubtful"
            lines.append(
                f"| {row.title} | {figure.title} | {figure.show(figure.must)} "
                f"| {figure.show(figure.aim)} | {figure.show(value)} "
                f"| {verdict} |")
    return lines


def number(x: float) -> str:
    if math.isnan(x):
        return "-"
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


def machine_lines(machine: dict[str, str]) -> list[str]:
    return ["| machine | |", "|---|---|",
            *(f"| {key} | {value} |" for key, value in machine.items())]


def command_line(row: Row, command: str) -> str:
    settings = " ".join(f"--set {each}" for each in row.settings)
    if settings:
        settings = f", Troupe with `{settings}`"
    beside = f"; before it `troupe-bench {row.beside}`" if row.beside else ""
    if row.meanwhile:
        beside += f"; meanwhile `troupe-bench {row.meanwhile}`"
    return f"- {row.name}: `troupe-bench {command}`{settings}{beside}"


def median_lines(chosen: list[Row], results: dict[str, dict]) -> list[str]:
    lines = ["| row | broker | figures | per second | broker cores | p50 "
             "| p99 | generator ns | lost | rounds | date |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in chosen:
        if row.name in results:
            lines += raw_lines(row, results[row.name])
    return lines


def render_durable(stored: dict) -> list[str]:
    return ["", "## Durable", "",
            "Written by `./dev bench durable`: what Troupe keeps on disk, with",
            "fsync. Mosquitto has nothing to compare: it acknowledges what a",
            "power failure takes away. `bare RocksDB` is `commit_bench`, run",
            "right after the broker on the same disk: one synced write after",
            "the other, with as many entries and bytes in each as a write of",
            "the broker's log had. Where that is slower than the broker's own",
            "writes three times in a row, the machine was not quiet, and the",
            "ratio is doubtful. Each round has a fresh data directory; after",
            "a load the subscribers that were away return and read everything,",
            "so that what was acknowledged is seen to be there.", "",
            *machine_lines(stored["machine"]), "",
            *summary(durable_rows(), stored["rows"]), "",
            "### Commands of the durable rows", "",
            "As above; where there is a measuring window, with "
            f"`{stored['times']}`.", "",
            *(command_line(row, row.command or "` and `troupe-bench ".join(
                row.fill)) for row in durable_rows()), "",
            "### Medians of the durable rows", "",
            *median_lines(durable_rows(), stored["rows"])]


def render_doors(stored: dict) -> list[str]:
    shown = [dataclasses.replace(row, **stored["rows"].get(
        row.name, {}).get("as", {})) for row in door_rows()]
    return ["", "## Doors", "",
            "Written by `./dev bench doors`: what TLS, WebSocket and access",
            "rules cost. Certificates are ECDSA P-256, TLS is 1.3. Where a row",
            "has a load before it, the figure is a part of that one, measured",
            "just before on another fresh broker. Each resumed handshake was",
            "seen to be one. In `tls-storm` all clients are cut off and come",
            "back at once, the generator under `nice 19`, while another one",
            f"under `{shlex.join(REALTIME)}` paces messages; the time is that",
            "until all are served, divided by clients x broker CPU per",
            "connection in the load before / cores that the broker got for",
            "them, which is what it used in that time without what it used for",
            "the paced messages just before. The hop histogram's p99 is that",
            "of the same messages from when the broker has read them until",
            "the socket has taken them, while the storm lasts: without what",
            "waits in sockets. `acl-pairs` has",
            f"{ACL_RULES:,} rules (`scripts/bench_doors_rows.py`).", "",
            *machine_lines(stored["machine"]), "",
            *summary(shown, stored["rows"]), "",
            "### Commands of the doors' rows", "",
            "As above; where there is a measuring window, with "
            f"`{stored['times']}`.", "",
            *(command_line(row, row.command) for row in shown), "",
            "### Medians of the doors' rows", "",
            *median_lines(shown, stored["rows"])]


SECTIONS = {"durable": render_durable, "doors": render_doors}


def render(stored: dict) -> str:
    machine, results = stored["machine"], stored["rows"]
    text = ["# Benchmarks", "",
            "Written by `./dev bench`; not edited by hand. Troupe and Debian's",
            "Mosquitto run the same loads on the same machine in turn. A ratio",
            "is Troupe's median over Mosquitto's: above 1 is more deliveries",
            "for the same CPU; for latency, CPU and memory less is better.",
            "`bench/README.md` says how the generator measures.", "",
            *machine_lines(machine)]
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
    text += [command_line(row, row.command) for row in rows()]
    text += ["", "## Medians", "",
             "In brackets the least and the most of the rounds. Latency is in",
             "microseconds; in a closed loop it shows the queue that the loop",
             "itself makes, only the paced rows say how fast a broker answers.",
             "", *median_lines(rows(), results)]
    for name, render_section in SECTIONS.items():
        if name in stored:
            text += render_section(stored[name])
    return "\n".join(text) + "\n"


def write_document(target: pathlib.Path, stored: dict, section: str | None):
    """Puts the results beside those of the other rows."""
    file = target / "benchmarks.json"
    old = json.loads(file.read_text()) if file.exists() else {}
    if section:
        whole = {**{"machine": stored["machine"], "times": stored["times"],
                    "rows": {}}, **old, section: stored}
    else:
        whole = {**stored, **{name: old[name] for name in SECTIONS
                              if name in old}}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(whole, indent=1) + "\n")
    (target / "benchmarks.md").write_text(render(whole))


def kept_rows(target: pathlib.Path, section: str | None) -> dict[str, dict]:
    """The rows of the last run."""
    file = target / "benchmarks.json"
    old = json.loads(file.read_text()) if file.exists() else {}
    return (old.get(section, {}) if section else old).get("rows", {})
