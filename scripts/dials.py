#!/usr/bin/env python3
"""Shows what the dials of the actors do, by the broker's own counters.

For each dial the same load runs against two values of it; printed are the
generator's figures and the counters that the dial moves, each per delivery or
per turn. Writes docs/dials.md.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from broker_metrics import read_metrics  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent

# dial, values, further settings, load, what its effect is seen by
DIALS = [
    ("actors.flush", ["turn", "message"], [],
     ["pairs", "--qos", "0"], ["writes", "cpu"],
     "Output once per turn, or with every message: system calls."),
    ("actors.match_cache_entries", ["4096", "0"], [],
     ["fan-in", "--qos", "0", "-n", "200", "--outstanding", "50"],
     ["misses", "cpu"],
     "Topics whose matches are remembered: each miss is a search."),
    ("actors.credit", ["65536", "32"], ["node.reactors=2"],
     ["fan-out", "--qos", "0"], ["stalls", "batch", "rate"],
     "Items under way between reactors: with little credit sockets stay "
     "unread until a batch has come back."),
    ("node.reactors", ["1", "2"], [],
     ["pairs", "--qos", "1"], ["batch", "wake", "cpu", "rate"],
     "Threads: more cores, and batches between them."),
    ("actors.sockets_per_turn", ["256", "2"], [],
     ["pairs", "--qos", "1"], ["turn", "events", "cpu"],
     "Sockets looked at before output is written: length of a turn."),
]

LABELS = {
    "writes": "writes per delivery",
    "misses": "index searches per message",
    "stalls": "stalls per second",
    "batch": "items per batch",
    "wake": "wake-ups per 1,000 deliveries",
    "turn": "microseconds per turn",
    "events": "socket events per turn",
    "cpu": "broker CPU per delivery, us",
    "rate": "deliveries per second",
}


@contextlib.contextmanager
def broker(program, settings):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "serve", "--data-dir", folder + "/data"]
        for x in ["listeners.tcp.default.bind=127.0.0.1:0",
                  "http.bind=127.0.0.1:0", *settings]:
            command += ["--set", x]
        process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        ports = {}
        try:
            for line in process.stdout:
                if found := re.match(r"listening on (\S+) .*:(\d+)", line):
                    ports[found[1].split(":")[0]] = int(found[2])
                if line.strip() == "ready":
                    break
            else:
                raise RuntimeError("the broker did not start")
            yield process.pid, ports["tcp"], ports["http"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def measure(bin_dir, settings, load, seconds):
    with broker(str(bin_dir / "troupe"), settings) as (pid, mqtt, http):
        before = read_metrics(http)
        run = subprocess.run(
            [str(bin_dir / "troupe-bench"), *load, "--port", str(mqtt),
             "--pid", str(pid), "--duration", str(seconds), "--warmup", "1",
             "--json", "--allow-loss"],
            capture_output=True, text=True, timeout=300)
        if not run.stdout.strip():
            raise RuntimeError(run.stderr.strip())
        bench = json.loads(run.stdout.strip().splitlines()[-1])
        after = read_metrics(http)
    d = {k: after[k] - before.get(k, 0.0) for k in after}

    def ratio(a, b):
        return d.get(a, 0.0) / d[b] if d.get(b) else 0.0

    delivered = "troupe_messages_delivered"
    return {
        "writes": ratio("troupe_reactor_writes", delivered),
        "misses": ratio("troupe_index_cache_misses",
                        "troupe_messages_received"),
        "stalls": d.get("troupe_reactor_credit_stalls", 0.0) / (seconds + 1),
        "batch": ratio("troupe_reactor_batches_items",
                       "troupe_reactor_batches_sent"),
        "wake": 1000 * ratio("troupe_reactor_wake_ups_total", delivered),
        "turn": 1e6 * ratio("troupe_reactor_turn_seconds_total",
                            "troupe_reactor_turns_total"),
        "events": ratio("troupe_reactor_socket_events_total",
                        "troupe_reactor_turns_total"),
        "cpu": bench["broker"]["cpu_us_per_delivery"],
        "rate": bench["deliveries_per_s"],
    }


def text_of(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", type=pathlib.Path,
                        default=ROOT / "build/release/bin")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    lines = ["# What the dials do", "",
             "Written by `./dev bench dials` on "
             f"{datetime.date.today()}, {platform.machine()}, Linux "
             f"{platform.release()}. Each dial at two values under one load "
             "of `troupe-bench`; the figures beside the generator's come from "
             "`/metrics`.", ""]
    for dial, values, extra, load, shown, why in DIALS:
        if not dial.startswith(arguments.only):
            continue
        lines += [f"## `{dial}`", "", why, "",
                  f"Load: `troupe-bench {' '.join(load)}`", "",
                  "| value | " + " | ".join(LABELS[x] for x in shown) + " |",
                  "|---|" + "---|" * len(shown)]
        for value in values:
            got = measure(arguments.bin, [f"{dial}={value}", *extra], load,
                          arguments.seconds)
            row = f"| {value} | " + " | ".join(
                text_of(got[x]) for x in shown) + " |"
            lines.append(row)
            print(dial, row, flush=True)
        lines.append("")
    if not arguments.only:
        (ROOT / "docs/dials.md").write_text("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
