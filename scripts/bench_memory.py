"""How much memory each of very many things takes that are away or at rest."""

import json
import pathlib
import subprocess
import tempfile
import time

from bench_brokers import RunFailed, wait_for_port
from bench_rows import TROUPE, Result, Row
from bench_start import Troupe

QUIET_DEADLINE_S = 180
# Rows leave memory soon after they are written, and freed memory is given
# back: at the ends of these.
SOON = ("storage.flush_interval=1s", "storage.sweep_interval=5s")


def metrics_of(programs, folder: pathlib.Path) -> dict[str, float]:
    done = subprocess.run(
        [str(programs[TROUPE]), "ctl", "--data-dir", str(folder / "data"),
         "--json", "metrics"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RunFailed(f"troupe ctl metrics: {done.stderr}")
    return {x["name"]: x["value"] for x in json.loads(done.stdout)}


def memory_at_rest(programs, folder: pathlib.Path, broker: Troupe) -> Result:
    """When the least is in memory that there will be."""
    until = time.monotonic() + QUIET_DEADLINE_S
    before = -1.0
    while True:
        now = metrics_of(programs, folder)
        rows = now["troupe_storage_resident_rows"]
        if rows == before and now["troupe_storage_state_writes_queued"] == 0:
            break
        if time.monotonic() > until:
            raise RunFailed(f"{rows} rows are still in memory")
        before = rows
        time.sleep(4)
    time.sleep(8)  # the next sweep gives freed memory back
    now = metrics_of(programs, folder)
    caches = now["troupe_storage_cache_bytes"]
    return {"heap": now["process_heap_bytes"], "caches": caches,
            "own": now["process_heap_bytes"] - caches, "rows": rows,
            "exact_filters": now["troupe_storage_exact_filter_bytes"],
            "resident": broker.resident()}


def measure_memory(row: Row, programs) -> Result:
    """Memory with few of them, when all caches are warm, then with many: what
    is allocated beyond the databases' caches, for each one more."""
    few, many = row.quick_counts if programs["quick"] else row.counts
    with tempfile.TemporaryDirectory(prefix="troupe-bench-",
                                     dir=programs["folder"]) as name:
        folder = pathlib.Path(name)
        with Troupe(row, programs, folder, SOON) as broker:
            wait_for_port(broker.port, broker.process, broker.log)
            results, memory = [], []
            for count in (few, many):
                results.append(
                    broker.run(programs, f"{row.command} {count}"))
                memory.append(memory_at_rest(programs, folder, broker))

    def each(of: str) -> float:
        return (memory[1][of] - memory[0][of]) / (many - few)

    return {**results[1],
            "at_rest": {"few": {"count": few, **memory[0]},
                        "many": {"count": many, **memory[1]},
                        "own_bytes_each": each("own"),
                        "resident_bytes_each": each("resident")}}
