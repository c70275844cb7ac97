#!/usr/bin/env python3
"""Kills a broker at random moments under load, again and again, and compares
what its clients saw with what it acknowledged to them.

usage: crash_test.py [--kills N] [--seed S] [--broker PATH] [--seconds S]
                     [--set KEY=VALUE ...] [--keep] [--chaos]

The exit code is 1 if the broker broke a promise. The seed, which the variable
TROUPE_TEST_SEED can give as well, decides what clients do and when the broker
dies; the moments themselves differ from run to run.
"""

import argparse
import asyncio
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "server"))
import broker as server  # noqa: E402
from history import History  # noqa: E402
from roles import (Browser, Publisher, Reader, Subscriber,  # noqa: E402
                   Watcher, Wills, World)

START_PATIENCE = 60.0
QUIET = 1.5  # seconds without a message at the end
STUCK = 10.0  # seconds without a message while some are missing

DROPS = ("queue_full", "qos0_msg", "expired", "too_large", "no_local",
         "session_ended", "refused", "share_member_gone")


class BrokerFailed(Exception):
    pass


class Lives:
    """The lives of one broker on one data directory."""

    def __init__(self, world, directory, settings):
        self.world = world
        self.history = world.history
        self.directory = directory
        self.settings = settings
        self.current = None
        self.alive = False

    def start(self):
        folder = self.directory / f"life-{self.history.life}"
        folder.mkdir()
        self.current = server.Broker(
            "http.enable=false", *self.settings, directory=folder,
            data_dir=self.directory / "data", wait=False)
        self.alive = True

    async def ready(self):
        until = time.monotonic() + START_PATIENCE
        while "ready\n" not in self.current.out.read_text():
            self.check()
            if time.monotonic() > until:
                raise BrokerFailed(f"not ready after {START_PATIENCE} s\n"
                                   + self.last_words())
            await asyncio.sleep(0.01)
        self.history.started()
        self.world.broker_is_up(self.current.port_of("tcp:default"))

    def check(self):
        """It ends when it is killed and not before."""
        code = self.current.process.poll()
        if self.alive and code is not None:
            raise BrokerFailed(f"it ended by itself, exit code {code}\n"
                               + self.last_words())

    def last_words(self):
        text = self.current.out.read_text() + self.current.err.read_text()
        return text[-6000:]

    def kill(self):
        self.check()
        self.alive = False
        self.world.broker_is_gone()
        self.history.killed()
        self.current.end(signal.SIGKILL)

    async def sleep(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            await asyncio.sleep(min(left, 0.1))


def make_clients(world):
    """Everybody; @returns the watcher first, then the others."""
    pick, clients = world.random, []
    plain = []  # (topic, QoS)
    retained = []
    for p in range(20):
        area, durable, name = p % 5, p % 4 != 3, f"publisher{p}"
        topics = [(f"crash/{area}/{p}/{k}", 1 + (p // 5 + k) % 2, False)
                  for k in range(2)]
        plain += [(x[0], x[1]) for x in topics]
        # A group has all its messages from durable publishers, and others'.
        topics.append((f"jobs/{p % 4}/{p}", 1 + p % 2, False))
        if p % 4 == 0:
            topics += [(f"state/{p}/{k}", 1 + k % 2, True) for k in range(3)]
            retained += [x[0] for x in topics[-3:]]
        topics.append((f"live/{p}", 1 + p % 2, False))
        clients.append(Publisher(world, name, durable, topics,
                                 window=pick.choice((4, 10, 30)),
                                 interval=0.3))
    for s in range(200):
        kind, qos = s % 10, 1 + s % 2
        if kind < 6:
            filters = [(x, qos, "") for x, _ in pick.sample(plain, 2)]
        elif kind < 9:
            filters = [(f"crash/{pick.randrange(5)}/+/{s % 2}", qos, ""),
                       (f"state/+/{s % 3}", qos, "")]
        else:
            filters = [(f"crash/{pick.randrange(5)}/#", qos, "")]
        more = {}
        if s % 7 == 0:
            more = {"ack_delay": pick.choice((0.02, 0.3))}
        if s % 5 == 0:
            more["receive_maximum"] = pick.choice((3, 10))
        clients.append(Subscriber(world, f"subscriber{s}", filters,
                                  fickle=s % 11 == 0, **more))
    for b in range(10):
        clients.append(Browser(world, f"browser{b}", [
            (f"state/+/{b % 3}", 2, ""), (pick.choice(plain)[0], 2, "")],
            ack_delay=pick.choice((0, 0.05, 0.2))))
    for t in range(15):
        filters = [(f"live/{pick.randrange(20)}", 1 + t % 2, ""),
                   (f"crash/{t % 5}/+/{t % 2}", 1 + t % 2, "")]
        clients.append(Subscriber(world, f"transient{t}", filters,
                                  durable=False, away=(0, 0.3)))
    for g in range(4):  # QoS 1: 0 and 2, QoS 2: 1 and 3
        for m in range(6):
            durable = g % 2 == 1 or m < 3
            clients.append(Subscriber(
                world, f"member{g}-{m}", [(f"jobs/{g}/+", 1 + g % 2, "crew")],
                durable=durable, away=(0, 2),
                ack_delay=pick.choice((0, 0, 0.1))))
    for w in range(12):
        clients.append(Wills(world, f"will{w}", w % 3 != 2, w % 2))
    for r in range(2):
        clients.append(Reader(world, f"reader{r}", "state/#", retained))
    return [Watcher(world), *clients]


async def salvo(everybody, pick):
    """Has much under way in every state when the broker dies."""
    for x in everybody:
        if isinstance(x, Publisher) and x.client.connected:
            for _ in range(pick.randint(0, 4)):
                x.publish()
    await asyncio.sleep(pick.choice((0, 0.002, 0.005, 0.01, 0.02, 0.04)))


async def kill_and_start(lives, everybody, kills, seconds, pick):
    """The last life is left running."""
    history = lives.history
    lives.start()
    while history.life < kills:
        await lives.ready()
        await lives.sleep(pick.uniform(min(0.3, seconds), seconds))
        if pick.random() < 0.7:
            await salvo(everybody, pick)
        lives.kill()
        lives.start()
        if history.life < kills and pick.random() < 0.2:
            await lives.sleep(pick.uniform(0, 0.3))
            lives.kill()
            lives.start()
            history.counts["killed while starting"] += 1
    await lives.ready()
    await lives.sleep(pick.uniform(min(0.3, seconds), seconds))


async def drain(world, lives, everybody):
    """Until all that is owed has come, or nothing comes any more."""
    history = world.history
    world.draining = True
    began = last_change = history.now()
    last_received = -1
    while True:
        await lives.sleep(0.25)
        now = history.now()
        if history.counts["received"] != last_received:
            last_received = history.counts["received"]
            last_change = now
        publishing = any(isinstance(x, Publisher) and x.client.under_way
                         and x.durable for x in everybody)
        away = any(x.durable and not x.client.connected for x in everybody
                   if isinstance(x, (Subscriber, Watcher)))
        # What was a will's to come has come by then.
        if now < began + 5 or now < last_change + QUIET:
            continue
        waits = (publishing or away or next(history.missing(), None)
                 or next(history.missing_of_groups(), None))
        if not waits or now > last_change + STUCK:
            break
    for x in everybody:
        if isinstance(x, Publisher) and x.durable and x.client.under_way:
            history.violated("live", f"{x.name}: {x.client.under_way} of its "
                             "publications are not answered at the end")
    for r in range(2):
        topics = next(x.topics for x in everybody if isinstance(x, Reader))
        if not await Reader(world, f"last-reader{r}", "state/#", topics).read():
            history.violated("I8", "a reader lost its connection at the end")


def ledger(broker):
    """[I11] @returns what does not balance, as text."""
    numbers = {x["name"]: x["value"] for x in broker.ask("metrics")
               if not x.get("labels")}

    def n(*names):
        return sum(int(numbers["troupe_" + x]) for x in names)

    began = n("delivery_routed", "delivery_resumed")
    ended = (n("messages_acked", "messages_qos0_sent", "delivery_handed_over",
               "delivery_suspended", "messages_inflight_count",
               "messages_queued_count")
             + n(*("delivery_dropped_" + x for x in DROPS)))
    taken = n("messages_received")
    told = n("messages_qos2_duplicates", "messages_publish_routed",
             "messages_dropped_no_subscribers", "messages_publish_refused")
    parts = []
    if began != ended:
        parts.append(f"{began} deliveries were begun, {ended} accounted for")
    if taken != told:
        parts.append(f"{taken} messages were taken, {told} accounted for")
    if parts:
        parts.append(", ".join(f"{k[7:]} {v}" for k, v in numbers.items()
                               if k.startswith(("troupe_messages",
                                                "troupe_delivery"))))
    return "; ".join(parts)


async def run(args, directory):
    pick = random.Random(args.seed)
    history = History(args.seed)
    world = World(history, random.Random(pick.random()))
    lives = Lives(world, directory, args.settings)
    everybody = make_clients(world)
    tasks = []

    async def begin():
        await world.up.wait()
        for i, x in enumerate(everybody):
            if i == 1:  # from now on no will goes unseen
                while not everybody[0].granted:
                    await asyncio.sleep(0.01)
            tasks.append(asyncio.ensure_future(guarded(x)))

    async def guarded(role):
        try:
            await role.run()
        except asyncio.CancelledError:
            raise
        except Exception as e:  # a bug of the test itself
            history.violated("test", f"{role.name}: {e!r}")
            raise

    beginning = asyncio.ensure_future(begin())
    try:
        await kill_and_start(lives, everybody, args.kills, args.seconds, pick)
        await beginning
        await drain(world, lives, everybody)
        for _ in range(20):
            if not (unbalanced := ledger(lives.current)):
                break
            await lives.sleep(0.25)
        if unbalanced:
            history.violated("I11", unbalanced)
        world.finished = True
        lives.alive = False
        code = lives.current.end()
        if code != 0:
            history.violated("broker", f"exit code {code} in the end\n"
                             + lives.last_words())
    except BrokerFailed as e:
        history.violated("broker", str(e))
    finally:
        world.finished = True
        beginning.cancel()
        for x in tasks:
            x.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if lives.current and lives.current.process.poll() is None:
            lives.current.end(signal.SIGKILL)
    history.check()
    return history


def play(args):
    """One broker with its lives. @returns whether it kept its promises."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-crash-"))
    print(f"TROUPE_TEST_SEED={args.seed}", flush=True)
    try:
        history = asyncio.run(run(args, directory))
    finally:
        if args.keep:
            print(f"the data directory is in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    counts = history.counts
    counts["kills"] = len(history.kills)
    counts["wills"] = sum(len(x.came) for x in history.wills.values())
    print(", ".join(f"{v} {k}" for k, v in sorted(counts.items())),
          f"in {history.now():.1f} s")
    report = history.report()
    print(report or "all promises were kept", flush=True)
    return not report


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("TROUPE_TEST_SEED") or random.SystemRandom()
        .getrandbits(32)))
    parser.add_argument("--broker", default=server.PROGRAM)
    parser.add_argument("--seconds", type=float, default=2.0,
                        help="longest life under load")
    parser.add_argument("--set", dest="settings", action="append", default=[],
                        metavar="KEY=VALUE", help="settings of the broker")
    parser.add_argument("--keep", action="store_true",
                        help="leave the data directory and the logs")
    parser.add_argument("--chaos", action="store_true",
                        help="again, with another seed and directory, until "
                        "TROUPE_CHAOS_SECONDS have passed")
    args = parser.parse_args(words)
    server.PROGRAM = args.broker
    seconds = float(os.environ.get("TROUPE_CHAOS_SECONDS") or 0)
    until = time.monotonic() + seconds if args.chaos else 0
    while play(args):
        if time.monotonic() >= until:
            return 0
        args.seed += 1
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
