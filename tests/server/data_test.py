#!/usr/bin/env python3
"""The data directory: its copies, its damages, and what is said of them."""

import json
import os
import pathlib
import shutil
import signal
import struct
import tempfile
import threading
import time
import unittest

from broker import (CONNACK, PATIENCE, Broker, Client, string, troupe,
                    wait_until)

DAY = 86_400
# What changes is soon in the state database, and then leaves the log.
SETTINGS = ("shards.count=2", "storage.flush_interval=100ms")
EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_STORAGE = 2, 4, 5


def fill(broker, first, count):
    """Retained messages, and as many for the session "away"."""
    with Client(broker.port).connect("away", clean=False, expiry=DAY) as away:
        if not away.session_present:
            away.subscribe("queue/#", 1)
    with Client(broker.port).connect("filler") as client:
        for i in range(first, first + count):
            text = str(i).encode()
            assert client.publish_acked(f"kept/{i}", text, retain=True) == 16
            assert client.publish_acked(f"queue/{i % 5}", text) == 0


def wait_until_flushed(broker):
    """Until what was acknowledged has left the log but for its end."""
    name = "troupe_storage_state_syncs_total"
    with Client(broker.port).connect("flusher") as client:
        for _ in range(2):  # one may be for what was written before
            before = broker.metric(name)
            client.publish_acked("nothing", b"", retain=True)
            wait_until(lambda x=before: broker.metric(name) > x,
                       "the state is not synced")
        time.sleep(1.5)  # what is trimmed is gathered for a second
        client.publish_acked("nothing", b"", retain=True)


def flip(file, at):
    with open(file, "r+b") as data:
        data.seek(at)
        byte = data.read(1)[0]
        data.seek(at)
        data.write(bytes([byte ^ 0x55]))


def size_of(directory):
    return sum(x.stat().st_size for x in directory.rglob("*") if x.is_file())


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *settings, **more):
        broker = Broker(*SETTINGS, *settings, **more)
        self.addCleanup(broker.close)
        return broker

    def ended(self, answer, code, *texts):
        """@returns everything that was said."""
        said = answer.stdout + answer.stderr
        self.assertEqual(code, answer.returncode, said)
        for x in texts:
            self.assertIn(str(x), said)
        return said

    def serve_refuses(self, data_dir, *texts, settings=(), code=EXIT_STORAGE,
                      **more):
        broker = self.start(*settings, data_dir=data_dir, wait=False, **more)
        self.assertEqual(code, broker.process.wait(PATIENCE), broker.log())
        self.assertNotIn("ready", broker.out.read_text())
        for x in texts:
            self.assertIn(str(x), broker.log())

    def retained(self, broker, count):
        with Client(broker.port).connect("reader") as reader:
            reader.subscribe("kept/#")
            return dict(reader.take(count))


class BackupTest(InFolder):
    def test_a_backup_of_a_busy_broker_has_what_was_acknowledged_before(self):
        broker = self.start()
        fill(broker, 0, 20)
        acknowledged = []
        stop = threading.Event()

        def publish():
            with Client(broker.port).connect("busy") as client:
                while not stop.is_set() and len(acknowledged) < 900:
                    payload = str(len(acknowledged)).encode()
                    assert client.publish_acked("queue/busy", payload) == 0
                    acknowledged.append(payload)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            wait_until(lambda: len(acknowledged) >= 50, "no acknowledgements")
            before = len(acknowledged)
            copy = self.folder / "copy"
            answer = broker.ctl("backup", copy)
            after = len(acknowledged)
            wait_until(lambda: len(acknowledged) >= min(after + 20, 900),
                       "no acknowledgements after the backup")
        finally:
            stop.set()
            thread.join()
        self.ended(answer, 0, copy, "troupe restore")
        broker.end(signal.SIGKILL)

        self.ended(troupe("restore", copy, "--data-dir", self.folder / "new"),
                   0, "sound")
        again = self.start(data_dir=self.folder / "new")
        self.assertEqual({f"kept/{i}": str(i).encode() for i in range(20)},
                         self.retained(again, 20))
        with Client(again.port).connect("away", clean=False,
                                        expiry=DAY) as away:
            self.assertTrue(away.session_present)
            with Client(again.port).connect("last") as last:
                last.publish_acked("queue/busy", b"last")
            got = [away.take(1)[0]]
            while got[-1][1] != b"last":
                got += away.take(1)
        busy = [x for topic, x in got if topic == "queue/busy"][:-1]
        self.assertGreaterEqual(len(busy), before)
        # One more may have been on its way.
        self.assertEqual((acknowledged + [b"%d" % len(acknowledged)])
                         [:len(busy)], busy)
        self.assertEqual(20, len(got) - len(busy) - 1)

    def test_copies_do_not_change_each_other(self):
        broker = self.start()
        fill(broker, 0, 5)
        copies = [self.folder / x for x in ("one", "two")]
        for x in copies:
            self.ended(broker.ctl("backup", x), 0)
            fill(broker, 5, 5)
        for i, x in enumerate(copies):
            new = self.folder / f"new{i}"
            self.ended(troupe("restore", x, "--data-dir", new), 0)
            again = self.start(data_dir=new)
            self.retained(again, 5 + 5 * i)
            fill(again, 50, 5)
            again.end(signal.SIGKILL)
        self.assertEqual(0, broker.end())
        for i, x in enumerate(copies):
            new = self.folder / f"newer{i}"
            self.ended(troupe("restore", x, "--data-dir", new), 0)
            again = self.start(data_dir=new)
            self.assertEqual(5 + 5 * i, again.ask("status")["retained"])
            self.retained(again, 5 + 5 * i)

    def test_a_backup_goes_to_a_new_directory_only(self):
        broker = self.start()
        there = self.folder / "there"
        there.mkdir()
        (there / "precious").write_text("x")
        self.ended(broker.ctl("backup", there), EXIT_UNAVAILABLE, there,
                   "exists already")
        self.assertEqual(["precious"], os.listdir(there))
        self.ended(broker.ctl("backup", there / "precious"), EXIT_UNAVAILABLE,
                   there / "precious")
        self.ended(broker.ctl("backup", self.folder / "no/where"),
                   EXIT_UNAVAILABLE, self.folder / "no/where")
        self.assertEqual(["there"], os.listdir(self.folder))
        self.ended(broker.ctl("backup", "relative"), EXIT_USAGE, "absolute")
        # The broker goes on, and its backups do.
        self.ended(broker.ctl("backup", self.folder / "good"), 0)

    def test_two_backups_at_a_time_are_one_too_many_or_both_right(self):
        broker = self.start()
        fill(broker, 0, 5)
        answers = {}

        def backup(name):
            answers[name] = broker.ctl("backup", self.folder / name)
        threads = [threading.Thread(target=backup, args=(str(i),))
                   for i in range(3)]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        made = [x for x, y in answers.items() if y.returncode == 0]
        self.assertTrue(made)
        self.assertEqual(sorted(made), sorted(os.listdir(self.folder)))
        for x in made:
            self.ended(troupe("data", "check", "--data-dir", self.folder / x),
                       0, "sound")

    def test_what_is_in_memory_only_cannot_be_copied(self):
        broker = self.start("storage.enable=false")
        self.ended(broker.ctl("backup", self.folder / "copy"), 1,
                   "storage.enable")
        self.assertEqual([], os.listdir(self.folder))


class RestoreTest(InFolder):
    def setUp(self):
        super().setUp()
        self.broker = self.start()
        fill(self.broker, 0, 3)
        self.copy = self.folder / "copy"
        self.ended(self.broker.ctl("backup", self.copy), 0)

    def restore(self, code, *texts, copy=None, to="new"):
        return self.ended(troupe("restore", copy or self.copy, "--data-dir",
                                 self.folder / to), code, *texts)

    def test_data_that_is_there_stays(self):
        self.restore(0, to="new")
        shown = troupe("data", "show", "--data-dir", self.folder / "new")
        self.restore(EXIT_UNAVAILABLE, self.folder / "new", "has data already",
                     "--data-dir")
        self.assertEqual(shown.stdout,
                         troupe("data", "show", "--data-dir",
                                self.folder / "new").stdout)
        for name in ("format", "log.db", "state.db"):
            folder = self.folder / f"with-{name}"
            (folder / name).mkdir(parents=True)
            self.restore(EXIT_UNAVAILABLE, folder, name, to=folder)

    def test_a_running_broker_keeps_its_directory(self):
        self.restore(EXIT_UNAVAILABLE, f"is used by process {self.broker.pid}",
                     to=self.broker.data_dir)

    def test_what_is_no_whole_backup_is_refused(self):
        for name in ("format", "log.db", "state.db"):
            part = self.folder / f"without-{name}"
            shutil.copytree(self.copy, part)
            (shutil.rmtree if (part / name).is_dir() else os.remove)(
                part / name)
            self.restore(EXIT_STORAGE, part, name, copy=part)
        self.restore(EXIT_UNAVAILABLE, self.folder / "none", "No such file",
                     copy=self.folder / "none")
        self.assertFalse((self.folder / "new").exists())

    def test_a_damaged_backup_is_noticed(self):
        for file in self.copy.glob("*/CURRENT"):
            file.write_text("x")
        self.restore(EXIT_STORAGE, "damaged", "restore")

    def test_a_restore_that_was_killed_is_not_served(self):
        shutil.copytree(self.copy / "log.db", self.folder / "new/log.db")
        self.serve_refuses(self.folder / "new", self.folder / "new", "restore")
        self.assertFalse((self.folder / "new/format").exists())


class ShowTest(InFolder):
    def test_rows_are_counted(self):
        broker = self.start(http=True)
        fill(broker, 0, 7)
        wait_until_flushed(broker)
        broker.end(signal.SIGKILL)
        answer = troupe("data", "show", "--json", "--data-dir",
                        broker.data_dir)
        self.ended(answer, 0)
        shown = json.loads(answer.stdout)
        self.assertEqual(1, shown["format"])
        self.assertEqual([0, 1], [x["shard"] for x in shown["shards"]])
        # The filter has a wildcard: both shards have it, and who holds it.
        for name, count in (("retained", 7), ("session", 1), ("applied", 2),
                            ("filter", 2), ("holder", 2), ("timer", 1),
                            ("owned", 0), ("message", 0), ("group", 0)):
            self.assertEqual(count, sum(x[name] for x in shown["shards"]),
                             name)
        pages = sum(x["backlog"] for x in shown["shards"])
        self.assertTrue(1 <= pages <= 7, pages)
        for x in shown["shards"]:
            # The last entry stays.
            self.assertLessEqual(1, x["first_entry"])
            self.assertLessEqual(x["first_entry"], x["last_entry"])
        for name in ("log_bytes", "state_bytes"):
            self.assertGreater(shown[name], 0)

        text = self.ended(troupe("data", "show", "--data-dir",
                                 broker.data_dir), 0, "format 1")
        heading = next(x for x in text.splitlines() if "retained" in x)
        self.assertEqual("shard", heading.split()[0])
        rows = text.splitlines()[text.splitlines().index(heading) + 1:]
        self.assertEqual(["0", "1"], [x.split()[0] for x in rows])
        self.assertEqual(0, broker.directory.joinpath("err").read_text()
                         .count("damaged"))
        self.start(data_dir=broker.data_dir)  # nothing was changed by it

    def test_what_is_not_there_is_not_made(self):
        none = self.folder / "none"
        for word in ("check", "show"):
            self.ended(troupe("data", word, "--data-dir", none),
                       EXIT_UNAVAILABLE, none, "No such file")
        self.assertFalse(none.exists())

    def test_a_running_broker_is_not_disturbed(self):
        broker = self.start()
        for word in ("check", "show"):
            self.ended(troupe("data", word, "--data-dir", broker.data_dir),
                       EXIT_UNAVAILABLE, f"is used by process {broker.pid}")
        self.assertEqual(broker.pid, broker.ask("status")["pid"])


class AgreementTest(InFolder):
    """Rows of all kinds, and whether `data check` finds that they agree."""

    def sound(self, broker):
        """Ends the broker with its state as it is on the disk.
        @returns the rows of each family."""
        wait_until_flushed(broker)
        broker.end(signal.SIGKILL)
        self.ended(troupe("data", "check", "--data-dir", broker.data_dir), 0,
                   "sound")
        answer = troupe("data", "show", "--json", "--data-dir",
                        broker.data_dir)
        self.ended(answer, 0)
        shards = json.loads(answer.stdout)["shards"]
        return {x: sum(y[x] for y in shards) for x in shards[0]}

    def session(self, broker, name, *filters, will=None):
        """One that lasts; `will` is the topic of its Will, after an hour."""
        client = Client(broker.port)
        self.addCleanup(client.socket.close)
        if will is None:
            return self.subscribed(client.connect(name, False, expiry=DAY),
                                   filters)
        client.send(0x10, string("MQTT") + bytes([5, 0x04]) + b"\0\x3c"
                    + b"\x05\x11" + struct.pack(">I", DAY) + string(name)
                    + b"\x05\x18" + struct.pack(">I", 3600) + string(will)
                    + string("gone"))
        client.expect(CONNACK)
        return self.subscribed(client, filters)

    def subscribed(self, client, filters):
        for x in filters:
            client.subscribe(x, 1)
        return client

    def test_rows_of_all_kinds_agree_at_any_time(self):
        settings = "mqtt.exclusive_subscription=true"
        broker = self.start(settings, http=True)
        overlapping = ("queue/#", "queue/+", "queue/1", "$exclusive/door",
                       "$share/pumps/queue/#")
        self.session(broker, "away", *overlapping).socket.close()
        wait_until(lambda: not broker.ask("clients", "list"),
                   "the client does not go")
        self.session(broker, "dead", "queue/2", will="queue/3").socket.close()
        self.session(broker, "there", "queue/+", "nothing/#")
        with Client(broker.port).connect("filler") as client:
            for i in range(100):
                text = str(i).encode()
                client.publish_acked(f"queue/{i % 5}", text)
                client.publish_acked(f"$delayed/{DAY}/queue/{i}", text)
                expiring = b"\x05\x02" + struct.pack(">I", DAY)
                client.send(0x31, string(f"kept/{i % 20}") + expiring + text)
            client.ping()
        rows = self.sound(broker)
        for name, least in (("session", 3), ("owned", 1), ("filter", 5),
                            ("holder", 7), ("group", 1), ("backlog", 4),
                            ("message", 100), ("exclusive", 1)):
            self.assertGreaterEqual(rows[name], least, name)
        # The last one for each topic, what is delayed, two sessions, a Will.
        self.assertEqual((20, 20 + 100 + 3), (rows["retained"], rows["timer"]))

        # The owner is gone with the broker; then it is given back.
        again = self.start(settings, data_dir=broker.data_dir, http=True)
        rows = self.sound(again)
        self.assertEqual((3, 0), (rows["session"], rows["owned"]))
        again = self.start(settings, data_dir=broker.data_dir, http=True)
        away = self.session(again, "away")
        away.take(100)
        with Client(again.port).connect("filler") as client:
            for i in range(20):
                client.publish_acked(f"kept/{i}", b"", retain=True)
        rows = self.sound(again)
        self.assertEqual((3, 1, 0), (rows["session"], rows["owned"],
                                     rows["retained"]))

        again = self.start(settings, data_dir=broker.data_dir, http=True)
        for name in ("away", "dead", "there"):
            with Client(again.port).connect(name) as client:
                client.send(0xE0)
        rows = self.sound(again)
        for name in ("session", "owned", "filter", "holder", "group",
                     "exclusive"):
            self.assertEqual(0, rows[name], name)
        self.assertEqual(100, rows["timer"])  # of what is delayed


class DamageTest(InFolder):
    """Each test damages a copy of one directory."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.origin = pathlib.Path(folder.name) / "data"
        with Broker(*SETTINGS, http=True, data_dir=cls.origin) as broker:
            fill(broker, 0, 40)
            wait_until_flushed(broker)
            broker.end(signal.SIGKILL)
        # A start moves what write-ahead logs have to sorted files.
        with Broker(*SETTINGS, http=True, data_dir=cls.origin) as broker:
            fill(broker, 40, 20)
            wait_until_flushed(broker)
            fill(broker, 60, 20)
            broker.end(signal.SIGKILL)
        os.remove(cls.origin / "troupe.sock")  # cannot be copied

    def setUp(self):
        super().setUp()
        self.data = self.folder / "data"
        self.renew()

    def renew(self):
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.origin, self.data)

    def check(self, code, *texts):
        return self.ended(troupe("data", "check", "--data-dir", self.data),
                          code, *texts)

    def files(self, database, kind):
        """The largest first."""
        found = sorted((self.data / database).glob("*" + kind),
                       key=lambda x: -x.stat().st_size)
        self.assertTrue(found, f"{database} has no {kind}")
        return found

    def test_a_sound_directory_is_sound(self):
        self.check(0, "the data of 2 shards is sound")
        self.check(0, "the data of 2 shards is sound")
        broker = self.start(data_dir=self.data)
        self.assertEqual(80, len(self.retained(broker, 80)))

    def refused_by_all(self, *texts):
        """First by the broker, which says more than to look first."""
        changed = self.folder / "changed"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(self.data, changed)
        self.serve_refuses(changed, changed, *texts)
        self.check(EXIT_STORAGE, "restore", "backup")

    def use(self, broker):
        """Needs rows of all kinds; the broker may end over it."""
        try:
            with Client(broker.port).connect("away", clean=False,
                                             expiry=DAY) as away:
                assert away.session_present
                away.take(80)
            return len(self.retained(broker, 80)) == 80
        except (AssertionError, OSError):
            return False

    def test_a_changed_byte_in_a_sorted_file_of_the_state(self):
        ended = 0
        names = [x.name for x in self.files("state.db", ".sst")]
        for name in names:
            with self.subTest(name):
                self.renew()
                flip(self.data / "state.db" / name, 10)  # of its first row
                self.check(EXIT_STORAGE, "restore", "backup")
                # Rows are read when they are needed; what has newer ones in
                # other files is not.
                broker = self.start(data_dir=self.data, wait=False)
                wait_until(lambda x=broker: "ready" in x.out.read_text()
                           or x.process.poll() is not None, "no start")
                broker.port = broker.port_of("tcp:default")
                served = broker.port and self.use(broker)
                if served:
                    broker.end(signal.SIGKILL)
                    continue
                ended += 1
                self.assertEqual(EXIT_STORAGE, broker.process.wait(PATIENCE))
                for x in (self.data, "state.db", "damaged", "restore"):
                    self.assertIn(str(x), broker.log())
        self.assertGreater(ended, len(names) // 2)

    def test_a_changed_byte_anywhere_in_a_sorted_file_is_no_crash(self):
        name = self.files("state.db", ".sst")[0].name
        size = (self.data / "state.db" / name).stat().st_size
        for at in (size // 3, size // 2, size - 100, size - 40, size - 4):
            with self.subTest(at):
                self.renew()
                flip(self.data / "state.db" / name, at)
                answer = troupe("data", "check", "--data-dir", self.data)
                # What is not used, as padding is, may be anything.
                self.assertIn(answer.returncode, (0, EXIT_STORAGE),
                              answer.stdout + answer.stderr)
                if answer.returncode != 0:
                    self.ended(answer, EXIT_STORAGE, "restore")

    def test_a_changed_byte_in_the_middle_of_the_write_ahead_log(self):
        file = self.files("log.db", ".log")[0]
        with open(file, "rb") as data:
            used = len(data.read().rstrip(b"\0"))
        self.assertGreater(used, 1000)
        flip(file, used // 2)
        self.refused_by_all("log.db", "damaged", "restore")

    def test_a_changed_byte_in_the_write_ahead_log_of_the_state(self):
        # What follows is as if it had not been written; the log is beyond.
        file = self.files("state.db", ".log")[0]
        self.assertGreater(file.stat().st_size, 1000)
        flip(file, 500)
        self.refused_by_all("log", "restore")

    def test_a_changed_byte_in_a_manifest(self):
        for database in ("log.db", "state.db"):
            with self.subTest(database):
                self.renew()
                file = next((self.data / database).glob("MANIFEST-*"))
                flip(file, 30)
                self.refused_by_all(database, "restore")

    def test_databases_that_are_gone(self):
        shutil.rmtree(self.data / "log.db")
        self.refused_by_all("log.db", "restore")
        self.renew()
        shutil.rmtree(self.data / "state.db")
        self.refused_by_all("log", "restore")
        self.renew()
        os.remove(self.data / "format")
        self.refused_by_all("format", "restore")

    def test_a_state_of_another_time_than_the_log(self):
        broker = self.start(http=True)
        backups = [self.folder / x for x in ("early", "late")]
        for i, x in enumerate(backups):
            fill(broker, 20 * i, 20)
            wait_until_flushed(broker)
            self.ended(broker.ctl("backup", x), 0)
        broker.end()
        for state, log in (backups, backups[::-1]):
            with self.subTest(state=state.name, log=log.name):
                shutil.rmtree(self.data)
                self.data.mkdir()
                shutil.copytree(state / "state.db", self.data / "state.db")
                shutil.copytree(log / "log.db", self.data / "log.db")
                shutil.copy(log / "format", self.data / "format")
                self.refused_by_all("not of the same node and time", "restore")

    def test_a_newer_format_is_left_alone(self):
        (self.data / "format").write_text("troupe-data 2\nshards 2\n")
        before = size_of(self.data)
        self.serve_refuses(self.data, self.data, "format 2", "newer")
        for word in ("check", "show"):
            self.ended(troupe("data", word, "--data-dir", self.data),
                       EXIT_STORAGE, self.data, "format 2", "newer")
        # But for the lock's file, with the process in it.
        (self.data / "troupe.lock").write_text("")
        lock = (self.origin / "troupe.lock").stat().st_size
        self.assertEqual(before - lock, size_of(self.data))

    def test_another_number_of_shards_is_refused(self):
        self.serve_refuses(self.data, self.data, "shards.count = 2",
                           settings=["shards.count=3"])
        self.start(data_dir=self.data)

    def test_a_file_instead_of_a_directory(self):
        file = self.folder / "file"
        file.write_text("x")
        self.serve_refuses(file, file, "--data-dir", code=EXIT_UNAVAILABLE)
        for word in ("check", "show"):
            self.ended(troupe("data", word, "--data-dir", file),
                       EXIT_UNAVAILABLE, file, "Not a directory")
        self.assertEqual("x", file.read_text())
        for name in ("log.db", "state.db"):
            self.renew()
            shutil.rmtree(self.data / name)
            (self.data / name).write_text("x")
            self.refused_by_all(name)

    def test_a_directory_without_rights(self):
        denied = "Permission denied"
        for name, code, text in (("troupe.lock", EXIT_UNAVAILABLE, denied),
                                 ("format", EXIT_UNAVAILABLE, denied),
                                 ("log.db", EXIT_STORAGE, denied),
                                 ("state.db", EXIT_STORAGE, denied),
                                 (".", EXIT_UNAVAILABLE, denied)):
            with self.subTest(name):
                x = self.data / name
                mode = x.stat().st_mode
                x.chmod(0)
                try:
                    self.serve_refuses(self.data, x, text, code=code,
                                       obedient=True)
                finally:
                    x.chmod(mode)
        self.assertEqual(80, len(self.retained(
            self.start(data_dir=self.data, obedient=True), 80)))

    def test_truncated_files(self):
        for database, kind in (("log.db", ".log"), ("state.db", ".sst"),
                               ("log.db", "MANIFEST-*"),
                               ("state.db", "MANIFEST-*")):
            with self.subTest(database=database, kind=kind):
                self.renew()
                file = max((self.data / database).glob(
                    kind if "*" in kind else "*" + kind),
                    key=lambda x: x.stat().st_size)
                # A write-ahead log may end anywhere, but for what the state has.
                os.truncate(file, file.stat().st_size // 2
                            if kind != ".log" else 0)
                self.refused_by_all("log" if kind == ".log" else database,
                                    "restore")

    def test_databases_of_something_else(self):
        for name, other in (("log.db", "state.db"), ("state.db", "log.db")):
            with self.subTest(name):
                self.renew()
                shutil.rmtree(self.data / name)
                shutil.copytree(self.origin / other, self.data / name)
                self.serve_refuses(self.data, self.data / name,
                                   "is of another kind")
                self.check(EXIT_STORAGE, name, "is of another kind")

    def test_two_brokers_do_not_share_it(self):
        first = self.start(data_dir=self.data)
        self.serve_refuses(self.data, f"is used by process {first.pid}",
                           "--data-dir", code=EXIT_UNAVAILABLE)
        self.assertEqual(80, len(self.retained(first, 80)))


class MetricsTest(InFolder):
    def test_storage_is_counted(self):
        began = time.monotonic()
        broker = self.start("storage.reserve=0", http=True)

        def read():
            return {x: broker.metric("troupe_storage_" + x) for x in (
                "log_groups_total", "log_entries_total", "log_bytes_total",
                "log_write_seconds_total", "log_longest_write_seconds",
                "log_largest_group", "log_disk_bytes", "state_writes_total",
                "state_rows_total", "state_bytes_total", "state_syncs_total",
                "state_sync_seconds_total", "state_writes_queued",
                "state_disk_bytes", "disk_free_bytes", "disk_level")}
        before = read()
        payload = 100 * b"x"
        with Client(broker.port).connect("c") as client:
            for i in range(50):
                client.publish_acked(f"kept/{i}", payload, retain=True)
        wait_until(lambda: read()["state_syncs_total"]
                   > before["state_syncs_total"], "no sync is counted")
        wait_until_flushed(broker)
        x = read()
        passed = time.monotonic() - began

        def grew(name):
            return x[name] - before[name]
        # One after the other, so each has been a group of its own.
        self.assertGreaterEqual(grew("log_groups_total"), 50)
        self.assertGreaterEqual(grew("log_entries_total"),
                                grew("log_groups_total"))
        self.assertGreaterEqual(grew("log_bytes_total"), 50 * 100)
        self.assertLess(grew("log_bytes_total"), 50 * 1000)
        self.assertGreater(grew("log_write_seconds_total"), 50e-6)
        self.assertLess(x["log_write_seconds_total"], passed)
        self.assertGreater(x["log_longest_write_seconds"],
                           x["log_write_seconds_total"]
                           / x["log_groups_total"] * 0.99)
        self.assertLessEqual(x["log_longest_write_seconds"],
                             x["log_write_seconds_total"])
        self.assertGreaterEqual(x["log_largest_group"], 1)
        self.assertLessEqual(x["log_largest_group"], x["log_entries_total"])
        self.assertGreaterEqual(grew("state_rows_total"), 50)
        self.assertGreaterEqual(grew("state_rows_total"),
                                grew("state_writes_total"))
        self.assertGreaterEqual(grew("state_bytes_total"), 50 * 100)
        # A sync takes a system call at least.
        self.assertGreater(x["state_sync_seconds_total"],
                           x["state_syncs_total"] * 100e-9)
        self.assertLess(x["state_sync_seconds_total"], passed)
        self.assertEqual(0, x["state_writes_queued"])
        for name in ("log", "state"):
            files = size_of(broker.data_dir / f"{name}.db")
            self.assertGreater(x[name + "_disk_bytes"], 0)
            self.assertLessEqual(x[name + "_disk_bytes"], files)
        disk = os.statvfs(broker.data_dir)
        self.assertLess(0, x["disk_free_bytes"])
        self.assertLess(x["disk_free_bytes"], disk.f_blocks * disk.f_frsize)
        self.assertIn(x["disk_level"], (0, 1, 2))

    def test_without_storage_there_is_nothing_to_count(self):
        broker = self.start("storage.enable=false", http=True)
        with Client(broker.port).connect("c") as client:
            client.publish_acked("kept/1", b"x", retain=True)
        for name in ("log_entries_total", "log_disk_bytes", "disk_free_bytes",
                     "state_writes_total"):
            self.assertEqual(0, broker.metric("troupe_storage_" + name), name)


if __name__ == "__main__":
    unittest.main()
