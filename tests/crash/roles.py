"""What the clients of the crash test do, each in a task of its own."""

import asyncio

from history import payload_of
from mqtt_client import Client, Observer, Refused, Will

EXPIRY = 3600


class World:
    """What all share: where the broker is, and how far the test has come."""

    def __init__(self, history, random):
        self.history = history
        self.random = random
        self.draining = False
        self.finished = False
        self.port = None
        self.up = asyncio.Event()

    def broker_is_up(self, port):
        self.port = port
        self.up.set()

    def broker_is_gone(self):
        self.port = None
        self.up.clear()

    def between(self, least, most):
        return self.random.uniform(least, most)

    async def pause(self, least, most):
        """A pause that the end of the load cuts short."""
        until = asyncio.get_running_loop().time() + self.between(least, most)
        while not self.draining:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, 0.2))


class Role(Observer):
    def __init__(self, world, name, durable, **more):
        self.world = world
        self.history = world.history
        self.name = name
        self.durable = durable
        self.client = Client(name, self, EXPIRY if durable else 0, **more)
        self.filters = []  # (filter, QoS, share name) it wants to have
        self.granted = set()
        self.will_delay = None
        self.will = None  # of the last CONNECT
        self.earlier_wills = []
        self.leaving = None  # how it ends its connection, if it does
        self.retain_handling = 2
        self.history.member(name, durable)

    # ---- from the client ----------------------------------------------------

    def on_connected(self, session_present):
        self.history.connected(self.name, session_present)
        if not session_present:
            self.granted.clear()
        if self.will:
            self.will.certain = True
        for x in self.earlier_wills:
            x.back_for_sure = min(x.back_for_sure, self.history.now())

    def on_message(self, message):
        self.history.received(self.name, message)

    def on_accepted(self, context, reason):
        if reason < 0x80:
            self.history.accepted(*context)
        else:
            self.history.violated("refused", f"{self.name}: {context[0]} "
                                  f"number {context[1]}: {reason:#04x}")

    def on_resent(self, context):
        self.history.resent(*context)

    def on_closed(self):
        reason = self.client.reason_of_end
        if reason is not None and not self.world.finished:
            self.history.violated("protocol", f"{self.name}: DISCONNECT "
                                              f"{reason:#04x} of the server")
        how = self.leaving or ("killed" if self.world.port is None else "lost")
        if how == "lost" and self.client.connections:
            self.history.counts["connections lost"] += 1
        self.history.closed(self.name, how)
        if self.will:
            self.will.ended = self.history.now()

    def on_violation(self, invariant, text):
        self.history.violated(invariant, f"{self.name}: {text}")

    # ---- what roles are made of ---------------------------------------------

    async def come(self, clean_start=False):
        """@returns whether it is connected, and has what it subscribes to."""
        world, history = self.world, self.history
        await world.up.wait()
        clean_start |= not self.durable
        history.connecting(self.name, clean_start)
        if clean_start:
            self.granted.clear()
        will = None
        if self.will_delay is not None:
            will = self.next_will()
        self.leaving = None
        try:
            await self.client.connect(world.port or 1, clean_start, will)
        except Refused as e:
            history.violated("refused", f"{self.name}: CONNACK {e.reason:#04x}")
            return False
        except (OSError, asyncio.TimeoutError):
            return False
        return await self.subscribe()

    def next_will(self):
        """What the next CONNECT brings; the wills before it are told."""
        number = self.client.connections + 1
        if self.will:
            self.will.back = self.history.now()
            self.earlier_wills.append(self.will)
        # It waits for its delay, or for the end of the session before that.
        delay = self.will_delay if self.durable else 0
        self.will = self.history.will_set(self.name, number, delay)
        return Will(f"will/{self.name}", f"{self.name} {number}", 2,
                    self.will_delay)

    async def subscribe(self):
        wanted = [x for x in self.filters if x not in self.granted]
        if not wanted:
            return self.client.connected
        for topic_filter, _, _ in wanted:
            self.history.asks(self.name, topic_filter)
        try:
            codes = await self.client.subscribe(
                [(f"$share/{share}/{x}" if share else x, qos)
                 for x, qos, share in wanted], self.retain_handling)
        except (OSError, asyncio.TimeoutError):
            return False
        for (topic_filter, qos, share), code in zip(wanted, codes):
            if code != qos:
                self.history.violated("refused", f"{self.name}: SUBACK "
                                      f"{code:#04x} for {topic_filter}")
                continue
            self.granted.add((topic_filter, qos, share))
            self.history.granted(self.name, topic_filter, qos, share)
        return self.client.connected

    async def unsubscribe(self, which):
        topic_filter, _, share = which
        self.granted.discard(which)
        self.history.withdraws(self.name, topic_filter, share)
        try:
            await self.client.unsubscribe(
                [f"$share/{share}/{topic_filter}" if share else topic_filter])
        except (OSError, asyncio.TimeoutError):
            return

    async def leave(self, politely, reason=0):
        if not self.client.connected:
            return
        self.leaving = "disconnected" if politely else "died"
        if politely:
            if self.will and reason == 0:
                self.will.goodbye = self.history.now()
            await self.client.disconnect(reason)
        else:
            self.client.abort()

    async def stay(self, least, most):
        """Online for a while, or until the connection ends."""
        until = self.client.ended
        if self.client.connected:
            await asyncio.wait(
                [until, asyncio.ensure_future(self.world.pause(least, most))],
                return_when=asyncio.FIRST_COMPLETED)

    async def run(self):
        while not self.world.draining:
            await self.life()
        await self.drain()

    async def life(self):
        raise NotImplementedError

    async def drain(self):
        """Online until the end: what is missing comes now."""
        if not self.durable:
            await self.leave(politely=True)
            return
        while not self.world.finished:
            if not self.client.connected and not await self.come():
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(0.1)


class Publisher(Role):
    """@param topics  (name, QoS, RETAIN) of what it publishes."""

    def __init__(self, world, name, durable, topics, window, interval):
        super().__init__(world, name, durable)
        self.topics = topics
        self.window = window
        self.interval = interval
        for topic, qos, _ in topics:
            self.history.topic(topic, name, qos)

    def publish(self):
        topic, qos, retain = self.world.random.choice(self.topics)
        number = self.history.sent(topic)
        size = self.world.random.choice((0, 20, 100, 300))
        self.client.publish(topic, payload_of(self.name, topic, number, size),
                            qos, (topic, number), retain)

    async def life(self):
        world = self.world
        if not await self.come():
            await asyncio.sleep(0.05)
            return
        until = self.history.now() + world.between(2, 12)
        while self.client.connected and not world.draining \
                and self.history.now() < until:
            for _ in range(world.random.randint(1, 4)):
                if self.client.under_way < self.window:
                    self.publish()
            await asyncio.sleep(world.between(0.2, 1.8) * self.interval)
        if self.client.connected and not world.draining:
            await self.leave(politely=world.random.random() < 0.5)
            await world.pause(0, 0.3)

    async def drain(self):
        while self.client.under_way:
            if not self.client.connected:
                if not self.durable:
                    break  # what was under way is lost with its session
                await self.come()
            await asyncio.sleep(0.05)
        await self.leave(politely=True)


class Subscriber(Role):
    """Comes and goes; half the time it is away.

    @param fickle  it unsubscribes, and begins anew, now and then.
    """

    def __init__(self, world, name, filters, durable=True, fickle=False,
                 away=(0.2, 4), **more):
        super().__init__(world, name, durable, **more)
        self.filters = filters
        self.fickle = fickle
        self.away = away

    async def life(self):
        chance = self.world.random.random
        if not await self.come(clean_start=self.fickle and chance() < 0.3):
            await self.leave(politely=False)
            await asyncio.sleep(0.05)
            return
        await self.stay(0.2, 4)
        if self.world.draining:
            return
        if self.client.connected and self.fickle and chance() < 0.3:
            await self.unsubscribe(self.world.random.choice(self.filters))
            await self.subscribe()
        if self.client.connected:
            await self.leave(politely=chance() < 0.5)
            await self.world.pause(*self.away)


class Browser(Subscriber):
    """Has what is retained sent to its durable session again and again."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.retain_handling = 0

    async def stay(self, least, most):
        until = self.history.now() + self.world.between(least, most)
        while self.client.connected and not self.world.draining \
                and self.history.now() < until:
            self.granted.discard(self.filters[0])
            await self.subscribe()
            await self.world.pause(0.05, 0.4)


class Wills(Role):
    """Has a will, and ends in every way there is."""

    def __init__(self, world, name, durable, delay):
        super().__init__(world, name, durable)
        self.will_delay = delay

    async def life(self):
        world = self.world
        if not await self.come():
            await asyncio.sleep(0.05)
            return
        await self.stay(0.3, 4)
        if world.draining:
            return
        how = world.random.random()
        await self.leave(politely=how < 0.5, reason=0 if how < 0.4 else 4)
        await world.pause(0.1, 4)

    async def drain(self):
        await self.leave(politely=False)


class Watcher(Role):
    """Gets all wills."""

    def __init__(self, world):
        super().__init__(world, "watcher", True)
        self.filters = [("will/#", 2, "")]

    def on_message(self, message):
        client, number = message.payload.decode().split(" ")
        if message.topic != f"will/{client}":
            self.history.violated("payload", f"{message.topic}: will of "
                                             f"{client}")
        self.history.will_came(client, int(number))

    async def life(self):
        if not await self.come():
            await asyncio.sleep(0.05)
            return
        await self.stay(600, 600)


class Reader(Role):
    """Asks for what is retained, as one who never was here."""

    def __init__(self, world, name, topic_filter, topics):
        super().__init__(world, name, False)
        self.filters = [(topic_filter, 1, "")]
        self.retain_handling = 0
        self.topics = topics

    def on_message(self, message):
        super().on_message(message)
        number = int(message.payload.split(b" ")[3])
        self.seen.setdefault(message.topic, []).append(
            (number, message.retain))

    async def read(self, patience=8.0):
        history = self.history
        self.seen = {}
        asked = history.now()
        expected = [x for x in self.topics
                    if any(t < asked for t, _ in
                           history.topics[x].accepted[:1])]
        if not await self.come():
            await asyncio.sleep(0.05)
            return False
        while self.client.connected and history.now() < asked + patience \
                and not all(x in self.seen for x in expected):
            await asyncio.sleep(0.05)
        whole = self.client.connected
        await self.leave(politely=True)
        for x in expected:
            numbers = [n for n, retain in self.seen.get(x, []) if retain]
            live = len(self.seen.get(x, [])) > len(numbers)
            history.retained_read(self.name, x, asked, numbers,
                                  whole and not live)
        history.counts["retained reads"] += len(expected)
        return whole

    async def life(self):
        await self.read()
        await self.world.pause(0.1, 1)
