"""What clients saw of a broker that is killed again and again, and whether it
may have been so.

Times are those of one monotonic clock, in seconds since the beginning. Each
topic has one publisher, which numbers its messages 1, 2, 3, ... in the order
in which it sends them.
"""

import collections
import time
import zlib

# A QoS 2 message of a shared group is given to one member only, crash or not.
SHARED_QOS2_ONCE = True
# A will is published once; the watcher subscribes with QoS 2.
WILLS_ONCE = True

FOREVER = float("inf")
SHOWN = 12  # violations of one invariant that are shown


def payload_of(publisher, topic, number, size=0):
    text = f"{publisher} {topic} {number} ".encode() + b"." * size
    return b"%08x " % zlib.crc32(text) + text


def parse_payload(payload):
    """@returns publisher, topic and number. Raises ValueError."""
    checksum, text = payload[:8], bytes(payload[9:])
    if int(checksum, 16) != zlib.crc32(text):
        raise ValueError("the checksum is wrong")
    publisher, topic, number, _ = text.split(b" ", 3)
    return publisher.decode(), topic.decode(), int(number)


def matches(topic_filter, topic):
    filters, levels = topic_filter.split("/"), topic.split("/")
    for i, x in enumerate(filters):
        if x == "#":
            return True
        if i >= len(levels) or x not in ("+", levels[i]):
            return False
    return len(filters) == len(levels)


class Publication:
    __slots__ = ("number", "sent", "life", "accepted", "resent")

    def __init__(self, number, sent, life):
        self.number = number
        self.sent = sent
        self.life = life  # of the broker, when it was sent first
        self.accepted = FOREVER
        self.resent = 0

    def __str__(self):
        text = f"sent {self.sent:.3f} in life {self.life}"
        if self.resent:
            text += f", again {self.resent} times"
        if self.accepted != FOREVER:
            text += f", acknowledged {self.accepted:.3f}"
        return text


class Topic:
    def __init__(self, name, publisher, qos):
        self.name = name
        self.publisher = publisher
        self.qos = qos
        self.publications = []
        self.accepted = []  # (time, number) in the order of acknowledgement


class Subscription:
    """Of one session, from its SUBACK on."""

    def __init__(self, topic_filter, share, qos, granted):
        self.filter = topic_filter
        self.share = share
        self.qos = qos
        self.granted = granted
        self.ended = FOREVER


class Delivery:
    __slots__ = ("number", "qos", "dup", "connection", "time", "retain")

    def __init__(self, number, message, connection, at):
        self.number = number
        self.qos = message.qos
        self.dup = message.dup
        self.retain = message.retain
        self.connection = connection
        self.time = at


class Life:
    """A connection of a client."""

    def __init__(self, number, at):
        self.number = number
        self.began = at
        self.ended = FOREVER
        self.how = "still open"


class Member:
    """A Client Identifier."""

    def __init__(self, name, durable):
        self.name = name
        self.durable = durable
        self.session = False  # the server has one; None: nobody knows
        self.session_before = False  # likewise, before the last CONNECT
        self.clean_start = False  # of the last CONNECT
        self.subscriptions = []
        self.asked = []  # every filter ever asked for
        self.deliveries = collections.defaultdict(list)  # by topic
        self.lives = []


class WillSet:
    def __init__(self, client, number, delay, at):
        self.client = client
        self.number = number  # of the connection
        self.delay = delay
        self.began = at
        self.certain = False  # a CONNACK has come
        self.goodbye = FOREVER  # DISCONNECT 0x00 was sent
        self.ended = FOREVER
        self.back = FOREVER  # the next CONNECT of the same session was sent
        self.back_for_sure = FOREVER  # and answered
        self.came = []


class History:
    def __init__(self, seed=0, clock=None):
        self.seed = seed
        began = time.monotonic()
        self.now = clock or (lambda: time.monotonic() - began)
        self.life = 0  # of the broker
        self.topics = {}
        self.members = {}
        self.starts = []  # of the broker, when it was ready
        self.kills = []
        self.wills = {}  # by client and connection
        self.retained_reads = []
        self.violations = collections.defaultdict(list)
        self.counts = collections.Counter()

    def violated(self, invariant, text):
        self.violations[invariant].append(f"{self.now():8.3f} life {self.life}"
                                          f": {text}")

    # ---- what happens -------------------------------------------------------

    def started(self):
        self.starts.append(self.now())

    def killed(self):
        self.kills.append(self.now())
        self.life += 1

    def topic(self, name, publisher, qos):
        return self.topics.setdefault(name, Topic(name, publisher, qos))

    def sent(self, name):
        """@returns the number that the message is to carry."""
        topic = self.topics[name]
        x = Publication(len(topic.publications) + 1, self.now(), self.life)
        topic.publications.append(x)
        self.counts["sent"] += 1
        return x.number

    def resent(self, name, number):
        self.topics[name].publications[number - 1].resent += 1
        self.counts["sent again"] += 1

    def accepted(self, name, number):
        topic = self.topics[name]
        x = topic.publications[number - 1]
        x.accepted = self.now()
        topic.accepted.append((x.accepted, number))
        self.counts["acknowledged"] += 1

    def member(self, name, durable):
        return self.members.setdefault(name, Member(name, durable))

    def connecting(self, name, clean_start):
        """CONNECT is about to be sent."""
        x = self.members[name]
        x.clean_start, x.session_before = clean_start, x.session
        if clean_start:
            self.end_session(x)
        if x.session is not True or clean_start:
            x.session = None

    def connected(self, name, session_present):
        """CONNACK has come."""
        x = self.members[name]
        if x.clean_start and session_present:
            self.violated("session", f"{name}: Session Present is 1 after "
                                     "Clean Start" + self.describe_lives(x))
        elif not x.clean_start and x.session_before is True \
                and not session_present:
            self.violated("session", f"{name}: Session Present is 0, but a "
                          "durable session was acknowledged to it before"
                          + self.describe_lives(x))
        elif not x.clean_start and x.session_before is False \
                and session_present:
            self.violated("session", f"{name}: Session Present is 1, but it "
                          "never had a session" + self.describe_lives(x))
        if not session_present:
            self.end_session(x)
        x.session = True if x.durable else None
        x.lives.append(Life(len(x.lives) + 1, self.now()))
        self.counts["connections"] += 1

    def closed(self, name, how):
        x = self.members[name]
        if x.lives and x.lives[-1].ended == FOREVER:
            x.lives[-1].ended = self.now()
            x.lives[-1].how = how
        if not x.durable:
            self.end_session(x)

    def end_session(self, member):
        for x in member.subscriptions:
            x.ended = min(x.ended, self.now())

    def asks(self, name, topic_filter):
        """SUBSCRIBE is about to be sent."""
        self.members[name].asked.append(topic_filter)

    def granted(self, name, topic_filter, qos, share=""):
        """SUBACK has come."""
        x = self.members[name]
        for old in x.subscriptions:
            if (old.filter, old.share) == (topic_filter, share) \
                    and old.ended == FOREVER:
                return  # it was in force all the time
        x.subscriptions.append(Subscription(topic_filter, share, qos,
                                            self.now()))

    def withdraws(self, name, topic_filter, share=""):
        """UNSUBSCRIBE is about to be sent."""
        for x in self.members[name].subscriptions:
            if (x.filter, x.share) == (topic_filter, share):
                x.ended = min(x.ended, self.now())

    def received(self, name, message):
        x = self.members[name]
        self.counts["received"] += 1
        try:
            publisher, topic, number = parse_payload(message.payload)
        except (ValueError, UnicodeDecodeError) as e:
            self.violated("payload", f"{name}: {message.topic}: {e}: "
                                     f"{message.payload[:60]!r}")
            return
        known = self.topics.get(topic)
        if topic != message.topic or known is None \
                or publisher != known.publisher \
                or number > len(known.publications):
            self.violated("payload", f"{name}: {message.topic} brought number "
                                     f"{number} of {publisher} to {topic}, "
                                     "which was never sent")
            return
        if not any(matches(f, topic) for f in x.asked):
            self.violated("I6", f"{name}: {topic} number {number}, which it "
                                "never subscribed to")
        x.deliveries[topic].append(
            Delivery(number, message, len(x.lives), self.now()))

    def retained_read(self, reader, topic, asked, numbers, whole):
        """@param numbers  replayed to a new subscription asked for at `asked`.
        @param whole  the reader waited for what was to come.
        """
        self.retained_reads.append((reader, topic, asked, numbers, whole))

    def will_set(self, client, number, delay):
        """CONNECT with a will is about to be sent. @returns its record."""
        x = WillSet(client, number, delay, self.now())
        self.wills[client, number] = x
        return x

    def will_came(self, client, number):
        x = self.wills.get((client, number))
        if x is None:
            self.violated("I7", f"the will of {client}, connection {number}, "
                                "was never set")
        else:
            x.came.append(self.now())

    # ---- the checks ---------------------------------------------------------

    def describe_lives(self, member):
        parts = []
        for x in member.lives[-6:]:
            ended = "" if x.ended == FOREVER else f"{x.ended:.3f}"
            parts.append(f"{x.number}: {x.began:.3f} to {ended} ({x.how})")
        return (f"\n      its connections: {'; '.join(parts)}"
                f"\n      kills: {', '.join(f'{t:.3f}' for t in self.kills)}")

    def missing(self):
        """Yields (member, topic, publication, deliveries) of what durable
        sessions are still to get."""
        for member in self.members.values():
            if not member.durable:
                continue
            for x in member.subscriptions:
                if x.ended != FOREVER or x.share:
                    continue
                for topic in self.topics.values():
                    if not matches(x.filter, topic.name):
                        continue
                    got = {d.number for d in member.deliveries[topic.name]}
                    for p in topic.publications:
                        if p.accepted != FOREVER and p.sent > x.granted \
                                and p.number not in got:
                            yield member, topic, p, x

    def group_counts(self):
        """Yields (share name, filter, topic, deliveries by number, since)."""
        groups = collections.defaultdict(list)
        for member in self.members.values():
            for x in member.subscriptions:
                if x.share:
                    groups[x.share, x.filter].append((member, x))
        for (share, topic_filter), all_of in groups.items():
            # In force for sure while a durable member holds it.
            since = min((x.granted for m, x in all_of
                         if m.durable and x.ended == FOREVER), default=FOREVER)
            for topic in self.topics.values():
                if not matches(topic_filter, topic.name):
                    continue
                got = collections.defaultdict(list)
                for name in {m.name for m, _ in all_of}:
                    for d in self.members[name].deliveries[topic.name]:
                        got[d.number].append((name, d))
                yield share, topic_filter, topic, got, since

    def missing_of_groups(self):
        for share, _, topic, got, since in self.group_counts():
            for p in topic.publications:
                if p.accepted != FOREVER and p.sent > since \
                        and p.number not in got:
                    yield share, topic, p

    def check(self):
        """@returns the violations, by invariant."""
        self.check_lost()
        self.check_live()
        for member in self.members.values():
            for name, all_of in member.deliveries.items():
                if any(x.share and matches(x.filter, name)
                       for x in member.subscriptions):
                    continue
                self.check_repeats(member, self.topics[name], all_of)
                self.check_order(member, self.topics[name], all_of)
        self.check_groups()
        self.check_retained()
        self.check_wills()
        return self.violations

    def check_lost(self):
        for member, topic, p, x in self.missing():
            self.violated("I1", f"{member.name}: {topic.name} number "
                          f"{p.number} of {topic.publisher}, QoS {topic.qos}, "
                          f"never came: {p}; {x.filter} of QoS {x.qos} granted "
                          f"{x.granted:.3f}; it got "
                          + self.neighbours(member, topic, p.number)
                          + self.describe_lives(member))

    def neighbours(self, member, topic, number):
        near = [f"{d.number} at {d.time:.3f} in connection {d.connection}"
                for d in member.deliveries[topic.name]
                if abs(d.number - number) <= 2]
        return ", ".join(near) or "none of the numbers beside it"

    def check_live(self):
        """[I6] for sessions that end with their connection: what is
        acknowledged well before that has come."""
        for member in self.members.values():
            if member.durable:
                continue
            for x in member.subscriptions:
                if x.share:
                    continue
                until = min([x.ended, self.now()]
                            + [t for t in self.kills if t > x.granted]) - 3
                for topic in self.topics.values():
                    if not matches(x.filter, topic.name):
                        continue
                    got = {d.number for d in member.deliveries[topic.name]}
                    for p in topic.publications:
                        if p.sent > x.granted and p.accepted < until \
                                and p.number not in got:
                            self.violated(
                                "I6", f"{member.name}: {topic.name} number "
                                f"{p.number} never came: {p}; {x.filter} "
                                f"granted {x.granted:.3f}"
                                + self.describe_lives(member))

    def check_repeats(self, member, topic, all_of):
        """[I2] and the repeats that QoS 1 allows."""
        seen = {}
        for d in all_of:
            if d.retain or d.qos == 0:
                continue
            before = seen.setdefault(d.number, [])
            if before:
                p = topic.publications[d.number - 1]
                first = before[0]
                text = (f"{member.name}: {topic.name} number {d.number} of "
                        f"{topic.publisher} came again with QoS {d.qos} at "
                        f"{d.time:.3f} in connection {d.connection}, first at "
                        f"{first.time:.3f} in connection {first.connection}; "
                        f"{p}")
                if d.qos == 2 or first.qos == 2:
                    self.violated("I2", text + self.describe_lives(member))
                elif first.connection == d.connection \
                        and not any(x.dup for x in [*before, d]) \
                        and (topic.qos == 2 or len(before) > p.resent):
                    self.violated("I2", text + ": no reconnect, no DUP"
                                  + self.describe_lives(member))
                else:
                    self.counts["received again with QoS 1"] += 1
            before.append(d)

    def check_order(self, member, topic, all_of):
        seen, last = set(), None
        for d in all_of:
            if d.retain or d.number in seen:
                continue
            if last is not None and d.number < last.number:
                p = topic.publications[d.number - 1]
                self.violated(
                    "I3", f"{member.name}: {topic.name} number {d.number} of "
                    f"{topic.publisher}, QoS {d.qos}, came first at "
                    f"{d.time:.3f} in connection {d.connection}, behind "
                    f"{last.number} at {last.time:.3f} in connection "
                    f"{last.connection}; {p}" + self.describe_lives(member))
            seen.add(d.number)
            if last is None or d.number > last.number:
                last = d

    def check_groups(self):
        for share, topic, p in self.missing_of_groups():
            self.violated("I9", f"group {share}: {topic.name} number "
                          f"{p.number} of {topic.publisher}, QoS {topic.qos}, "
                          f"reached no member: {p}; kills: "
                          + ", ".join(f"{t:.3f}" for t in self.kills))
        if not SHARED_QOS2_ONCE:
            return
        for share, _, topic, got, _ in self.group_counts():
            for number, all_of in got.items():
                if len(all_of) > 1 and any(d.qos == 2 for _, d in all_of):
                    who = ", ".join(
                        f"{name} at {d.time:.3f} in connection {d.connection}"
                        for name, d in all_of)
                    p = topic.publications[number - 1]
                    self.violated(
                        "I9", f"group {share}: {topic.name} number {number} "
                        f"with QoS 2 came more than once: {who}; {p}; kills: "
                        + ", ".join(f"{t:.3f}" for t in self.kills)
                        + "".join(f"\n      {name}:"
                                  + self.describe_lives(self.members[name])
                                  for name in {n for n, _ in all_of}))

    def check_retained(self):
        for reader, name, asked, numbers, whole in self.retained_reads:
            topic = self.topics[name]
            # What was acknowledged last has the greatest number: the server
            # acknowledges messages of one topic in their order.
            least = max((n for t, n in topic.accepted if t < asked), default=0)
            old = [n for n in numbers if n < least]
            if old or (whole and not numbers and least):
                self.violated(
                    "I8", f"{reader}: {name} of {topic.publisher}: retained is "
                    f"{numbers or 'nothing'}, but {least} was acknowledged "
                    f"before SUBSCRIBE at {asked:.3f}: "
                    f"{topic.publications[least - 1]}; kills: "
                    + ", ".join(f"{t:.3f}" for t in self.kills))

    def check_wills(self, margin=3.0):
        end = self.now()
        for x in self.wills.values():
            how = (f"the will of {x.client}, connection {x.number} from "
                   f"{x.began:.3f} to {x.ended:.3f}, delay {x.delay} s, next "
                   f"CONNECT {x.back:.3f}; it came at "
                   f"{', '.join(f'{t:.3f}' for t in x.came) or 'no time'}; "
                   f"kills: {', '.join(f'{t:.3f}' for t in self.kills)}")
            if WILLS_ONCE and len(x.came) > 1:
                self.violated("I7", f"{how}: published more than once")
            if not x.certain:
                continue
            if x.goodbye != FOREVER:
                # A broker that is killed at once may not have noted it.
                if x.came and not any(x.goodbye < t < x.ended + 1
                                      for t in self.kills):
                    self.violated("I7", f"{how}: after DISCONNECT 0x00")
                continue
            if x.ended == FOREVER:
                if x.came:
                    self.violated("I7", f"{how}: the client is connected")
                continue
            due = x.ended + x.delay
            if x.delay and x.back_for_sure < due - 0.5:
                if x.came:
                    self.violated("I7", f"{how}: the client was back in time")
                continue
            # A broker that was down may count the delay from its start on.
            by = max([due] + [t + x.delay for t in self.starts if t > x.ended])
            if not x.came and by + margin < end \
                    and (x.delay == 0 or x.back > by + margin):
                self.violated("I7", f"{how}: never published")

    def report(self):
        """@returns all violations as text; empty if there is none."""
        parts = []
        for invariant, texts in sorted(self.violations.items()):
            parts.append(f"{invariant}: violated {len(texts)} times "
                         f"(TROUPE_TEST_SEED={self.seed})")
            parts += [f"    {x}" for x in texts[:SHOWN]]
            if len(texts) > SHOWN:
                parts.append(f"    ... and {len(texts) - SHOWN} more")
        return "\n".join(parts)
