"""The loads of `./dev bench doors`: TLS, WebSocket and access rules."""

import math
import pathlib

from bench_durable_rows import absolute, multiple, of_beside
from bench_rows import (TROUPE, Figure, Result, Row, bytes_per, cpu_each,
                        per_cpu)

ACL_RULES = 10_000
STORM_CLIENTS = 15_000


def acl_rules() -> list[dict]:
    """10,000 rules, of which the last two hold for the clients of the load: a
    third of the others is for other users, a third for other clients, and a
    third for everybody, with placeholders, in other topics."""
    def rule(action, topics, **who):
        return {"permission": "allow", "action": action, **who,
                "topics": topics}
    others = (lambda i: rule("publish", [f"bench/{i}/${{clientid}}/#"],
                             user=f"bench-{i}"),
              lambda i: rule("all", [f"bench/{i}/${{username}}/+"],
                             client=f"bench-{i}"),
              lambda i: rule("subscribe", [f"fleet/{i}/${{clientid}}/#",
                                           f"fleet/+/{i}/state"]))
    return [*(others[i % 3](i) for i in range(ACL_RULES - 2)),
            rule("publish", ["bench/${clientid}/#"]),
            rule("subscribe", ["bench/+/#"])]


def troupe_acl() -> str:
    """These rules as Troupe reads them."""
    def text(value) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return f'"{value}"'
    return "\n".join("[[rule]]\n" + "".join(
        f"{key} = {text(value)}\n" for key, value in each.items())
        for each in acl_rules())


def mosquitto_acl() -> str:
    """As near as Mosquitto's file comes to it: it has no rules by client."""
    actions = {"publish": "write", "subscribe": "read", "all": "readwrite"}
    everybody, by_user = [], []
    for each in acl_rules():
        for topic in each["topics"]:
            topic = topic.replace("${clientid}", "%c") \
                         .replace("${username}", "%u")
            if "user" in each:
                by_user += [f"user {each['user']}", f"topic "
                            f"{actions[each['action']]} {topic}"]
            else:
                everybody.append(f"pattern {actions[each['action']]} {topic}")
    return "\n".join((*everybody, *by_user, ""))


def acl_guard(which: str, folder: pathlib.Path) -> tuple[str, ...]:
    file = folder / "acl"
    if which == TROUPE:
        file.write_text(troupe_acl())
        return (f"auth.acl.file={file}",)
    file.write_text(mosquitto_acl())
    file.chmod(0o600)
    return (f"acl_file {file}",)


def of_own_full(result: Result) -> float:
    return cpu_each(result) / cpu_each(result["beside"])


def or_full_of_mosquitto(result: Result) -> float:
    """Of Troupe the resumed one, of Mosquitto the full one."""
    return cpu_each(result if result["which"] == TROUPE else result["beside"])


def storm_ratio(result: Result) -> float:
    """How long it took, of what the handshakes take on the cores that the
    broker had for them: without what the paced messages take when it is calm.
    """
    cpu_s = result["options"]["connections"] * 1e-6 * cpu_each(result["beside"])
    cores = result["broker"]["cores"] - result["calm_cores"]
    return result["elapsed_s"] * cores / cpu_s


def door_rows(paced: str = "tcp", resumed: bool = False) -> list[Row]:
    """
    @param paced    how the clients come in that are there during the storm.
    @param resumed  whether those of the storm resume their sessions.
    """
    def cpu(title, must=None, aim=None, read=cpu_each) -> Figure:
        return Figure(title, read, must, aim, higher_is_better=False,
                      unit="us")
    connect = "connect --connections {} --concurrency 50 --tls"
    full, few = connect.format(8000), connect.format(1000)
    pairs = "pairs --pairs 50 --payload 64 --qos {} --outstanding 100 " \
            "--inflight 20"
    pairs_q1 = pairs.format(1)
    acl_pairs = f"{pairs.format(0)} --topic-prefix bench/ --topic-per-client"
    storm = "storm --clients {} --subscriptions 2 --tls " \
            "--source 127.0.0.2-127.0.0.5 --timeout 120"
    again = " --resume" if resumed else ""
    of_plain = "deliveries per broker-CPU-second, of plain TCP"
    return [
        Row("tls-handshake", "TLS 1.3, ECDSA P-256: full handshake, CONNECT",
            full, (cpu("broker CPU per connection", 0.92, 0.8),),
            timed=False, doors=("ssl",), quick=few),
        Row("tls-resumed", "TLS 1.3: resumed handshake, CONNECT",
            f"{full} --resume",
            (cpu("broker CPU, of Mosquitto's full handshake", 0.4, 0.3,
                 or_full_of_mosquitto),
             cpu("broker CPU, of Mosquitto's resumed one"),
             multiple("broker CPU, of its own full handshake", of_own_full,
                      None, None, higher_is_better=False)),
            timed=False, doors=("ssl",), beside=full,
            quick=f"{few} --resume", quick_beside=few),
        Row("tls-idle",
            "10,000 idle TLS connections, one subscription each",
            "idle --connections 10000 --tls",
            (absolute("resident bytes per connection",
                      bytes_per("connection"), 18_000, 17_000,
                      higher_is_better=False, unit="B"),),
            timed=False, doors=("ssl",)),
        Row("tls-pairs", "50 pairs, 64 B, QoS 1, over TLS",
            f"{pairs_q1} --tls",
            (multiple(of_plain, of_beside(per_cpu), 0.75, 0.85),),
            doors=("ssl",), beside=pairs_q1),
        Row("ws-pairs", "50 pairs, 64 B, QoS 1, over WebSocket",
            f"{pairs_q1} --ws",
            (multiple(of_plain, of_beside(per_cpu), 0.85, 0.95),),
            doors=("ws",), beside=pairs_q1),
        Row("tls-storm",
            f"{STORM_CLIENTS:,} TLS clients come back at once, 2 "
            "subscriptions each", storm.format(STORM_CLIENTS) + again,
            (multiple("time, of CPU per connection / cores the broker got",
                      storm_ratio, 1.2, 1.1, higher_is_better=False),
             absolute("ms p99 of 200 paced clients meanwhile",
                      lambda r: r["paced"]["latency_us"]["p99"] / 1000, 50, 20,
                      higher_is_better=False, unit="ms", digits=1),
             absolute("ms p99 of the same, by the broker's hop histogram",
                      lambda r: 1000 * r["paced"].get("hop_p99_s", math.nan),
                      50, 20, higher_is_better=False, unit="ms", digits=1),
             absolute("seconds until all are served",
                      lambda r: r["elapsed_s"], unit="s", digits=1),
             absolute("cores that the broker got",
                      lambda r: r["broker"]["cores"], digits=2),
             absolute("broker CPU per client, us", cpu_each, unit="us")),
            timed=False, doors=("ssl",), beside=full + again,
            quick=storm.format(2000) + again, quick_beside=few + again,
            meanwhile="pairs --pairs 100 --payload 64 --qos 1 --rate 1000"
            + (" --tls" if paced == "tls" else "")),
        Row("acl-pairs",
            f"50 pairs, 64 B, QoS 0, {ACL_RULES:,} access rules",
            acl_pairs,
            (multiple("deliveries per broker-CPU-second, of those without",
                      of_beside(per_cpu), 0.95, 0.98),),
            beside=acl_pairs, guard=acl_guard),
    ]
