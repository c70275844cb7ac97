"""The loads of `./dev bench durable`: what is kept on disk. Troupe alone runs
them; what they are compared with is measured beside each."""

from bench_rows import TROUPE, Figure, Result, Row, per_cpu

NO_QUEUE_LIMIT = ("mqtt.max_mqueue_len=infinity",
                  "mqtt.max_mqueue_bytes=infinity")


BROADCAST_PAYLOAD = 1024


def absolute(title: str, read, must=None, aim=None, **more) -> Figure:
    return Figure(title, read, must, aim, ratio=False, **more)


def multiple(title: str, read, must: float, aim: float, **more) -> Figure:
    return Figure(title, read, must, aim, ratio=False, multiple=True, **more)


def per_second(result: Result) -> float:
    return result["deliveries_per_s"]


def of_bare(result: Result) -> float:
    """Of what RocksDB alone writes in batches as large as the broker's."""
    return per_second(result) / result["bare"]["messages_per_s"]


def of_one_write(result: Result) -> float:
    return result["latency_us"]["p50"] / result["bare"]["p50_us"]


def of_transient(result: Result) -> float:
    return per_cpu(result) / per_cpu(result["beside"])


def each_message(name: str):
    """What the broker counted for each message of the load."""
    return lambda result: (result["log"][f"troupe_storage_{name}_total"]
                           / result["whole_run"]["published"])


def at_rest(result: Result) -> float:
    # What is noise of the allocator may be below nothing.
    return max(0.0, result["at_rest"]["own_bytes_each"])


def written(result: Result) -> float:
    return result["disk"]["written_bytes_per_message"]


def of_beside(read):
    return lambda result: read(result) / read(result["beside"])


def started(how: str, what: str):
    return lambda result: result["start"][how][what]


def broadcast(sessions: int) -> str:
    return (f"broadcast --sessions {sessions} --publishers 50 --rate 10000 "
            f"--payload {BROADCAST_PAYLOAD} --readers 2")


def stored(sessions: int, retained: int, each: int) -> tuple[str, ...]:
    return (f"resume --sessions {sessions} --messages {each} --no-check "
            "--source 127.0.0.2-127.0.0.41",
            f"retained --messages {retained} --payload 64 --settle 0")


def durable_rows() -> list[Row]:
    def row(name, title, command, figures, **more) -> Row:
        return Row(name, title, command, figures, brokers=(TROUPE,), **more)
    pairs = "pairs --pairs 50 --payload 64 --qos 1 --outstanding 100 " \
            "--inflight 20"
    return [
        row("durable-acks", "100 publishers, 20 in flight, subscribers away",
            "durable --publishers 100 --inflight 20 --payload 64",
            (absolute("PUBACKs per second", per_second, 60_000, 100_000),
             multiple("of bare RocksDB in the same batches", of_bare, 0.5, 0.7),
             absolute("messages per synced write",
                      lambda r: r["bare"]["messages_per_write"])),
            settings=NO_QUEUE_LIMIT, bare=True),
        row("durable-latency", "1 publisher, 1 in flight, subscriber away",
            "durable --publishers 1 --inflight 1 --payload 64",
            (multiple("p50 of PUBACK over p50 of a synced RocksDB write",
                      of_one_write, 1.5, 1.2, higher_is_better=False),
             absolute("p50 of PUBACK", lambda r: r["latency_us"]["p50"],
                      unit="us")),
            settings=NO_QUEUE_LIMIT, bare=True),
        row("durable-pairs", "50 pairs, 64 B, QoS 1, durable sessions online",
            f"{pairs} --durable",
            (multiple("deliveries per broker-CPU-second, of the transient ones",
                      of_transient, 0.2, 0.45),), beside=pairs),
        row("durable-subscribe", "20,000 durable clients subscribe to x/{id}/#",
            "subscribe --clients 20000 --threads 2 --own-file-tables "
            "--source 127.0.0.2-127.0.0.5",
            (absolute("SUBACKs per second", per_second, 5_000, 20_000),),
            timed=False, quick="subscribe --clients 2000",
            settings=("node.own_file_tables=true", "node.reactors=2")),
        row("durable-resume",
            "10,000 sessions with 100 messages each return at once",
            "resume --sessions 10000 --messages 100",
            (absolute("messages per second", per_second, 200_000, 400_000),),
            timed=False, quick="resume --sessions 1000 --messages 100"),
        row("durable-retained", "1,000,000 retained messages of 64 B, one reader",
            "retained --messages 1000000 --payload 64",
            (absolute("written per second",
                      lambda r: r["set_up"]["acknowledged_per_s"],
                      100_000, 200_000),
             absolute("read per second", per_second, 500_000, 900_000)),
            timed=False, quick="retained --messages 100000 --payload 64"),
        row("durable-retained-memory",
            "3,000,000 retained messages of 64 B more, at rest",
            "retained --payload 64 --messages",
            # None: less than one is noise.
            (absolute("bytes each, beyond caches", at_rest, 1, 1,
                      higher_is_better=False, unit="B"),),
            timed=False, once=True, counts=(1_000_000, 4_000_000),
            quick_counts=(10_000, 100_000)),
        row("durable-sessions",
            "400,000 sessions more, away, an exact filter each",
            "sessions --sessions",
            (absolute("bytes each, beyond caches", at_rest, 4, 2,
                      higher_is_better=False, unit="B"),
             absolute("sessions made per second",
                      lambda r: r["set_up"]["sessions_per_s"])),
            timed=False, once=True, counts=(100_000, 500_000),
            quick_counts=(10_000, 50_000)),
        row("durable-broadcast",
            "1 KiB to 100,000 sessions away, one filter",
            broadcast(100_000),
            (absolute("synced bytes per message", each_message("log_bytes"),
                      BROADCAST_PAYLOAD + 300, BROADCAST_PAYLOAD + 300,
                      higher_is_better=False, unit="B"),
             absolute("all bytes written per message", written,
                      2.5 * BROADCAST_PAYLOAD + 800,
                      2.5 * BROADCAST_PAYLOAD + 800,
                      higher_is_better=False, unit="B"),
             multiple("all bytes written, of those for 1,000 sessions",
                      of_beside(written), 1.1, 1.1, higher_is_better=False),
             absolute("rows per message", each_message("state_rows")),
             multiple("rows, of those for 1,000 sessions",
                      of_beside(each_message("state_rows")), 1.1, 1.1,
                      higher_is_better=False)),
            timed=False, lasts=True, settings=NO_QUEUE_LIMIT, once=True,
            beside=broadcast(1_000),
            quick=broadcast(10_000), quick_beside=broadcast(1_000)),
        row("durable-start",
            "1,000,000 sessions away, as many retained messages, 10,000,000 "
            "stored ones", "",
            (absolute("ms to the first CONNACK after an ordered end",
                      started("ordered", "connack_ms"), 5_000, 5_000,
                      higher_is_better=False, unit="ms"),
             absolute("ms to the first CONNACK after kill -9",
                      started("killed", "connack_ms"), 5_000, 5_000,
                      higher_is_better=False, unit="ms"),
             absolute("resident MiB then", started("killed", "resident_mib"),
                      unit="MiB")),
            timed=False, settings=NO_QUEUE_LIMIT, once=True,
            fill=stored(1_000_000, 1_000_000, 10),
            quick_fill=stored(20_000, 20_000, 10)),
    ]
