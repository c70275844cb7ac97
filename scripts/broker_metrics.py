"""What a broker counts, as its monitoring page says it."""

import contextlib
import math
import threading
import time
import urllib.request


def read_series(port: int) -> dict[str, float]:
    """By name and labels, as the page has them."""
    text = urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines()
             if not line.startswith("#"))}


def read_metrics(port: int) -> dict[str, float]:
    """By name; the series of a name are added up."""
    sums = {}
    for series, value in read_series(port).items():
        name = series.split("{")[0]
        sums[name] = sums.get(name, 0.0) + value
    return sums


def difference(first: dict[str, float],
               last: dict[str, float]) -> dict[str, float]:
    return {name: last[name] - first.get(name, 0.0) for name in last}


def quantile(page: dict[str, float], name: str, labels: str,
             part: float) -> float:
    """Of a histogram, as Prometheus reckons it: evenly spread in the bucket.

    @param name    with `_bucket`.
    @param labels  before `le`, as the page has them.
    @returns nan if nothing was counted.
    """
    begin = f'{name}{{{labels},le="'
    buckets = sorted((float(key[len(begin):-2]), count)
                     for key, count in page.items() if key.startswith(begin))
    wanted = part * buckets[-1][1] if buckets else 0
    below, counted = 0.0, 0.0
    for end, count in buckets:
        if wanted and count >= wanted:
            if math.isinf(end):
                return below
            return below + (end - below) * (wanted - counted) / (count - counted)
        below, counted = end, count
    return math.nan


class MetricsHistory:
    """Reads the page again and again while it is entered."""

    def __init__(self, port: int, interval_s: float = 0.25):
        self.port, self.interval_s = port, interval_s
        self.samples: list[tuple[float, dict[str, float]]] = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def run(self):
        while not self.done.wait(self.interval_s):
            with contextlib.suppress(OSError):  # the broker may be busy
                self.samples.append((time.monotonic(), read_metrics(self.port)))

    def difference(self, begin: float, end: float) -> dict[str, float]:
        """What came about from `begin` to `end`, or soon after it."""
        first = [x for at, x in self.samples if at <= begin][-1]
        last = next((x for at, x in self.samples if at >= end),
                    self.samples[-1][1])
        return difference(first, last)

    def growth(self, begin: float, end: float) -> dict[str, float]:
        """What came about between two times of the monotonic clock, per
        second; empty if there are no two readings between them."""
        inside = [each for each in self.samples if begin <= each[0] <= end]
        if len(inside) < 2:
            return {}
        (first_at, first), (last_at, last) = inside[0], inside[-1]
        return {name: (last[name] - first.get(name, 0.0)) / (last_at - first_at)
                for name in last}
