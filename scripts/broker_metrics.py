"""What a broker counts, as its monitoring page says it."""

import contextlib
import threading
import time
import urllib.request


def read_metrics(port: int) -> dict[str, float]:
    """By name; the series of a name are added up."""
    text = urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    sums = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, value = line.rsplit(" ", 1)
        name = name.split("{")[0]
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


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
        return {name: last[name] - first.get(name, 0.0) for name in last}

    def growth(self, begin: float, end: float) -> dict[str, float]:
        """What came about between two times of the monotonic clock, per
        second; empty if there are no two readings between them."""
        inside = [each for each in self.samples if begin <= each[0] <= end]
        if len(inside) < 2:
            return {}
        (first_at, first), (last_at, last) = inside[0], inside[-1]
        return {name: (last[name] - first.get(name, 0.0)) / (last_at - first_at)
                for name in last}
