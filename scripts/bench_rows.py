"""The loads of `./dev bench`, and what their figures are to reach."""

import dataclasses
import pathlib
import typing

TROUPE, MOSQUITTO = "troupe", "mosquitto"

Result = dict[str, typing.Any]  # what troupe-bench prints


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number of the table. A ratio is Troupe's median over Mosquitto's; what
    is not a ratio is Troupe's median. `must` and `aim` as in the table."""
    title: str
    read: typing.Callable[[Result], float]
    must: float | None  # None: it is only shown
    aim: float | None
    ratio: bool = True
    multiple: bool = False  # not of Mosquitto's, but shown as a ratio is
    higher_is_better: bool = True
    unit: str = ""
    digits: int = 0  # behind the point, where it is neither of the two

    def measured(self, medians: dict[str, float]) -> float | None:
        if TROUPE not in medians:
            return None
        if not self.ratio:
            return medians[TROUPE]
        other = medians.get(MOSQUITTO)
        return medians[TROUPE] / other if other else None

    def verdict(self, value: float | None) -> str:
        if self.must is None:
            return "-"

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
        if not self.ratio and not self.multiple:
            return f"{value:,.{self.digits}f}"
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
    quick: str = ""  # the command with --quick, if it is another
    beside: str = ""  # a load to compare with, run just before
    quick_beside: str = ""  # likewise, with --quick
    lasts: bool = False  # as long as --minutes says; all it writes is counted
    fill: tuple[str, ...] = ()  # of the data that a broker is started with
    quick_fill: tuple[str, ...] = ()  # likewise, with --quick
    counts: tuple[int, int] = (0, 0)  # behind the command: few, then many
    quick_counts: tuple[int, int] = (0, 0)  # likewise, with --quick
    bare: bool = False  # RocksDB alone to compare with, just after
    doors: tuple[str, ...] = ()  # beside TCP: ssl, ws, wss
    # More settings of a broker, with files in its folder; not for `beside`.
    guard: typing.Callable[[str, pathlib.Path],
                           tuple[str, ...]] | None = None
    meanwhile: str = ""  # a storm is the command, this is paced beside it


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
    for thousands, threads, sources in ((100, 6, 20), (200, 12, 40)):
        out.append(Row(
            f"idle-{thousands}k",
            f"{thousands},000 idle connections, then 20,000 msg/s through them",
            f"idle --connections {thousands}000 --threads {threads} "
            f"--own-file-tables --source 127.0.0.2-127.0.0.{sources + 1} "
            "--rate 20000 --qos 0",
            (Figure("connections held without a loss",
                    lambda r: r["options"]["connections"] if r["ok"] else 0,
                    100_000, 200_000, ratio=False),
             Figure("resident bytes per connection", bytes_per("connection"),
                    4000, 3200, ratio=False, higher_is_better=False,
                    unit="B")),
            settings=("node.own_file_tables=true", f"node.reactors={threads}"),
            brokers=(TROUPE,), once=True))
    return out
