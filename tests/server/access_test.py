#!/usr/bin/env python3
"""Users, passwords, rules and bans of a running broker, and their reload."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import pathlib
import shutil
import struct
import tempfile
import time
import unittest

from broker import (AUTH, CONNACK, DISCONNECT, Client, ConfiguredBroker,
                    string, troupe, wait_until)

NOT_AUTHORIZED, BANNED, BAD_LOGIN = 0x87, 0x8A, 0x86
USERS = """
[auth.users]
file = "{users}"
"""
RULES = """
[auth.acl]
file = "{rules}"
"""
QUICK = ("--algorithm", "pbkdf2-sha256", "--iterations", "1000",
         "--scram-iterations", "4096")
RULE_TEXT = """
[[rule]]
permission = "allow"
topics = ["own/${clientid}/#", "mail/${username}", "all/#"]
[[rule]]
permission = "deny"
action = "publish"
topics = ["none/#"]
"""


class Access(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.users = self.directory / "users"
        self.rules = self.directory / "acl.toml"
        self.passwords = self.directory / "password"
        self.rules.write_text(RULE_TEXT)
        self.add("alice", "in wonderland")
        self.add("bob", "builder")

    def start(self, more="", *settings, users="", rules="", **others):
        """@param users, rules  more lines of their sections"""
        self.text = (more + USERS.format(users=self.users) + users
                     + RULES.format(rules=self.rules) + rules)
        self.broker = ConfiguredBroker(self.text, *settings, http=True,
                                       **others)
        self.addCleanup(self.broker.close)

    def passwd(self, *words):
        answer = troupe("passwd", *words)
        self.assertEqual(0, answer.returncode, answer.stderr)

    def add(self, name, password, *words):
        self.passwords.write_text(password)
        self.passwd("add", self.users, name, "--password-file",
                    self.passwords, *(words or QUICK))

    def client(self, client_id="any", user="alice", password="in wonderland",
               version=5, **more):
        made = Client(self.broker.port, version)
        self.addCleanup(made.socket.close)
        return made.connect(client_id, user=user, password=password, **more)

    def ended(self, client, code):
        while (got := client.receive()) and got[0] != DISCONNECT:
            pass
        self.assertIsNotNone(got, "no DISCONNECT came")
        self.assertEqual(code, got[2][0])

    def metric(self, name):
        return self.broker.metric("troupe_" + name)


class UsersTest(Access):
    def test_who_knows_the_password_comes_in(self):
        self.start()
        self.add("strong", "argon2id it is", "--memory-kib", "1024")
        self.broker.reload()
        for version in 4, 5:
            self.client(version=version).ping()
        self.client(user="strong", password="argon2id it is").ping()
        row, = [x for x in self.broker.ask("clients", "list")
                if x["username"] == "strong"]
        self.assertEqual("any", row["clientid"])

    def test_others_do_not(self):
        self.start()
        self.client(password="in wonderlanc", code=BAD_LOGIN)
        self.client(user="nobody", code=BAD_LOGIN)
        self.client(password=None, code=BAD_LOGIN)
        self.client(user=None, password=None, code=NOT_AUTHORIZED)
        self.client(user=None, password=None, version=4, code=5)
        self.client(password="wrong", version=4, code=4)
        self.assertEqual(6, self.metric("authentication_failure"))
        self.client().ping()

    def test_a_changed_password_ends_who_had_the_old_one(self):
        self.start()
        alice, bob = self.client("1"), self.client("2", "bob", "builder")
        self.add("alice", "through the glass", "--replace", *QUICK)
        self.broker.reload()
        self.ended(alice, NOT_AUTHORIZED)
        bob.ping()
        self.client("1", code=BAD_LOGIN)
        self.client("1", password="through the glass").ping()
        self.passwd("delete", self.users, "bob")
        self.broker.reload()
        self.ended(bob, NOT_AUTHORIZED)
        self.client("2", "bob", "builder", code=BAD_LOGIN)
        self.assertEqual(2, self.metric("client_ended_account"))

    def test_a_file_with_mistakes_changes_nothing(self):
        self.start()
        alice = self.client()
        before = self.users.read_text()
        self.users.write_text(before + "nonsense\nalso:nonsense\n")
        self.rules.write_text("[[rule]]\npermission = \"perhaps\"\n")
        log = self.broker.reload(good=False)
        for where in ("users:3:", "users:4:", "acl.toml:2:"):
            self.assertIn(where, log)
        alice.ping()
        self.assertEqual(0, alice.publish_acked("own/any/x") & 0x80)
        self.users.unlink()
        self.assertIn("cannot be read", self.broker.reload(good=False))
        self.client("2").ping()

    def test_brute_force_is_locked_out_and_others_are_served(self):
        self.start("[auth.guard]\nmax_failures = 5\nlock = \"2s\"\n")
        for i in range(5):
            self.client(password=f"guess {i}", code=BAD_LOGIN)
        began = time.monotonic()
        for _ in range(20):
            self.client(code=BANNED)  # although it is right
        self.client("other", "bob", "builder").ping()
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(20, self.metric("client_refused_locked"))
        self.assertIn("too many wrong passwords", self.broker.log())
        deadline = time.monotonic() + 10
        while True:  # and it ends
            try:
                self.client().ping()
                break
            except AssertionError:
                self.assertLess(time.monotonic(), deadline)

    def test_nobody_learns_who_there_is(self):
        self.start()
        told = set()
        for name, password in (("alice", "wrong"), ("nobody", "wrong"),
                               ("alice", None), ("nobody", None)):
            with Client(self.broker.port) as it:
                flags = 0x82 | (0x40 if password else 0)
                it.send(0x10, string("MQTT") + bytes([5, flags, 0, 60, 0])
                        + string("c") + string(name)
                        + (string(password) if password else b""))
                told.add(it.expect(CONNACK))
        self.assertEqual(1, len(told), told)
        self.assertEqual(
            {"wrong password", "unknown user", "no password"},
            {x["text"] for x in self.broker.log_objects()
             if x["cause"] == "connect.refused"})

    def test_an_operator_lifts_a_lock(self):
        self.start("[auth.guard]\nmax_failures = 3\nlock = \"1h\"\n")
        for i in range(3):
            self.client(password=f"guess {i}", code=BAD_LOGIN)
        self.client(code=BANNED)
        line, = [x for x in self.broker.log_objects()
                 if x["cause"] == "login.locked"]
        address = line["peer"].rpartition(":")[0]
        words = ("ban", "unlock", address)
        for wrong, code in ((words, 1), ((*words, "--user", "bob"), 1),
                            (("ban", "unlock", "there"), 2)):
            self.assertEqual(code, self.broker.ctl(*wrong).returncode, wrong)
        self.assertEqual(
            {"address": address, "user": "alice", "unlocked": True},
            self.broker.ask(*words, "--user", line["user"]))
        self.client().ping()
        self.assertEqual(
            1, self.broker.ctl(*words, "--user", "alice").returncode)

    def test_a_lock_of_an_address_is_for_everybody_there(self):
        self.start("[auth.guard]\nmax_address_failures = 3\nlock = \"1h\"\n")
        for name in ("x", "alice", "z"):
            self.client(user=name, password="x", code=BAD_LOGIN)
        self.client(code=BANNED)
        self.assertIn("everybody is refused at this address",
                      self.broker.log())
        self.assertEqual(1, self.broker.ctl("ban", "unlock", "127.0.0.1",
                                            "--user", "z").returncode)
        self.broker.ask("ban", "unlock", "127.0.0.1")
        self.client().ping()

    def test_clients_of_unix_sockets_have_a_lock_of_their_own(self):
        self.start("[auth.guard]\nmax_failures = 2\nlock = \"1h\"\n"
                   "[listeners.unix.default]\n")
        path = self.broker.data_dir / "mqtt.sock"

        def connect(password, code=0):
            with Client(path) as it:
                it.connect("u", user="alice", password=password, code=code)
        for i in range(2):
            connect("guess", BAD_LOGIN)
        connect("in wonderland", BANNED)
        self.client().ping()
        self.broker.ask("ban", "unlock", "unix", "--user", "alice")
        connect("in wonderland")

    def test_a_flood_of_slow_passwords_is_bounded(self):
        """The threads that hash have a queue with an end."""
        self.start("[auth.guard]\nmax_failures = \"infinity\"\n"
                   "max_address_failures = \"infinity\"\n", "auth.users.hash_queue=4")
        self.add("slow", "right", "--memory-kib", "65536", "--passes", "4")
        self.broker.reload()
        flood = []
        for i in range(40):
            one = Client(self.broker.port)
            self.addCleanup(one.socket.close)
            one.send(0x10, string("MQTT") + b"\5\xC2\0\x3C\0"
                     + string(f"flood-{i}") + string("slow") + string("wrong"))
            flood.append(one)
        codes = [x.expect(CONNACK)[1] for x in flood]
        self.assertEqual({BAD_LOGIN, 0x89}, set(codes))
        self.client().ping()


class ScramTest(Access):
    def exchange(self, user, password, spoil=False, again=None):
        """@param again  a client that is connected: it re-authenticates
        @returns the last packet of the broker."""
        it = again or Client(self.broker.port)
        self.addCleanup(it.socket.close)
        first = f"n={user},r=fyko+d2lbbFgONRv9qkxdawL"

        def properties(data):
            text = (b"\x15" + string("SCRAM-SHA-256") + b"\x16"
                    + string(data))
            return bytes([len(text)]) + text
        if again:
            it.send(0xF0, b"\x19" + properties("n,," + first))
        else:
            it.send(0x10, string("MQTT") + b"\5\2\0\x3C"
                    + properties("n,," + first) + string("scram"))
        kind, _, body = it.receive()
        if kind != AUTH:
            return it, kind, body
        self.assertEqual((AUTH, 0x18), (kind, body[0]))
        challenge = self.data(body[1:]).decode()
        part = dict(x.split("=", 1) for x in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(),
                                     base64.b64decode(part["s"]),
                                     int(part["i"]))

        def sign(key, what):
            return hmac.new(key, what, "sha256").digest()
        key = sign(salted, b"Client Key")
        last = "c=biws,r=" + part["r"]
        whole = ",".join((first, challenge, last)).encode()
        proof = bytes(a ^ b for a, b in zip(
            key, sign(hashlib.sha256(key).digest(), whole)))
        if spoil:
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        it.send(0xF0, b"\x18" + properties(
            last + ",p=" + base64.b64encode(proof).decode()))
        kind, _, body = it.receive()
        if kind == CONNACK and body[1] == 0:
            self.assertIn(b"v=" + base64.b64encode(
                sign(sign(salted, b"Server Key"), whole)), body)
        return it, kind, body

    @staticmethod
    def data(properties):
        at = properties.index(b"\x16", 1 + 1 + 2 + len("SCRAM-SHA-256"))
        size, = struct.unpack_from(">H", properties, at + 1)
        return properties[at + 3:at + 3 + size]

    def test_both_sides_prove_that_they_know_it(self):
        self.start()
        it, kind, body = self.exchange("alice", "in wonderland")
        self.assertEqual((CONNACK, 0), (kind, body[1]))
        it.ping()
        row, = self.broker.ask("clients", "list")
        self.assertEqual("alice", row["username"])
        # And is the account: it ends with its password.
        self.add("alice", "other", "--replace", *QUICK)
        self.broker.reload()
        self.ended(it, NOT_AUTHORIZED)

    def test_wrong_ones_are_refused(self):
        self.start()
        for user, password, spoil in (("alice", "wrong", False),
                                      ("nobody", "in wonderland", False),
                                      ("alice", "in wonderland", True)):
            with self.subTest(user=user, spoil=spoil):
                _, kind, body = self.exchange(user, password, spoil)
                self.assertEqual(CONNACK, kind)
                self.assertIn(body[1], (BAD_LOGIN, NOT_AUTHORIZED))
        self.assertEqual(3, self.metric("authentication_failure"))

    def test_it_is_locked_out_like_passwords(self):
        self.start("[auth.guard]\nmax_failures = 3\n")
        for _ in range(3):
            self.exchange("alice", "wrong")
        _, kind, body = self.exchange("alice", "in wonderland")
        self.assertEqual((CONNACK, BANNED), (kind, body[1]))

    def test_half_ones_lock_out_who_they_name_and_nobody_else(self):
        self.start("[auth.guard]\nmax_failures = 3\nlock = \"1h\"\n")

        def spoilt(user=None):
            it = Client(self.broker.port)
            self.addCleanup(it.socket.close)
            text = (b"\x15" + string("SCRAM-SHA-256") + b"\x16"
                    + string("bad"))
            name = string(user) if user else b""
            it.send(0x10, string("MQTT") + bytes([5, 0x82 if user else 2])
                    + b"\0\x3C" + bytes([len(text)]) + text + string("half")
                    + name)
            return it.expect(CONNACK)[1]
        for _ in range(5):
            self.assertEqual(NOT_AUTHORIZED, spoilt())
        self.assertEqual(0, self.exchange("alice", "in wonderland")[2][1])
        self.assertEqual([NOT_AUTHORIZED] * 3 + [BANNED],
                         [spoilt("alice") for _ in range(4)])
        line, = [x for x in self.broker.log_objects()
                 if x["cause"] == "login.locked"]
        self.assertEqual("alice", line["user"])
        self.assertIn("SCRAM: ", self.broker.log())
        self.assertEqual(BANNED,
                         self.exchange("alice", "in wonderland")[2][1])
        self.assertEqual(0, self.exchange("bob", "builder")[2][1])

    def test_who_tries_to_become_another_locks_out_that_one(self):
        self.start("[auth.guard]\nmax_failures = 2\nlock = \"1h\"\n")
        for _ in range(2):
            it = self.exchange("alice", "in wonderland")[0]
            _, kind, body = self.exchange("bob", "guess", again=it)
            self.assertEqual((DISCONNECT, NOT_AUTHORIZED), (kind, body[0]))
        line, = [x for x in self.broker.log_objects()
                 if x["cause"] == "login.locked"]
        self.assertEqual("bob", line["user"])
        self.assertIn("reauthentication.refused", self.broker.log())
        self.assertEqual(BANNED, self.exchange("bob", "builder")[2][1])
        self.assertEqual(0, self.exchange("alice", "in wonderland")[2][1])

    def test_a_ban_holds_for_the_name_that_it_proves(self):
        self.start()
        self.broker.ask("ban", "add", "username", "alice")
        _, kind, body = self.exchange("alice", "in wonderland")
        self.assertEqual((CONNACK, BANNED), (kind, body[1]))
        self.assertEqual(1, self.metric("client_refused_banned"))
        self.broker.ask("ban", "delete", "username", "alice")
        _, kind, body = self.exchange("alice", "in wonderland")
        self.assertEqual((CONNACK, 0), (kind, body[1]))

    def test_it_can_be_turned_off(self):
        self.start(users="scram = false\n")
        _, kind, body = self.exchange("alice", "in wonderland")
        self.assertEqual((CONNACK, 0x8C), (kind, body[1]))


class RulesTest(Access):
    def test_what_is_allowed_and_what_is_not(self):
        self.start()
        it = self.client("c7")
        for topic, code in (("own/c7/x", 0), ("own/c8/x", NOT_AUTHORIZED),
                            ("mail/alice", 0), ("mail/bob", NOT_AUTHORIZED),
                            ("none/x", NOT_AUTHORIZED),
                            ("elsewhere", NOT_AUTHORIZED)):
            got = it.publish_acked(topic)
            self.assertEqual(code, got & 0x80 and got, topic)
        it.subscribe("own/c7/+", code=0)
        it.subscribe("own/+/x", code=NOT_AUTHORIZED)
        it.subscribe("#", code=NOT_AUTHORIZED)
        it.subscribe("$share/g/all/#", code=0)
        it.ping()
        old = self.client("c8", version=4)
        old.subscribe("own/c8/+", code=0)
        old.subscribe("own/c7/+", code=0x80)
        # MQTT 3.1.1 has no way to say it: it is acknowledged and dropped.
        self.assertEqual(0, old.publish_acked("own/c7/x"))
        it.ping()
        self.assertEqual(5, self.metric("authorization_deny_publish"))
        self.assertEqual(3, self.metric("authorization_deny_subscribe"))

    def test_a_will_that_is_not_allowed(self):
        self.start()
        self.client(will="none/x", code=NOT_AUTHORIZED)
        self.client(will="own/any/gone").ping()

    def test_a_setting_ends_who_publishes_it(self):
        self.start()
        it = self.client()
        it.send(0x30, string("none/x") + b"\0")
        it.ping()
        self.broker.reload(self.text + 'deny_action = "disconnect"\n')
        it.send(0x30, string("none/x") + b"\0")
        self.ended(it, NOT_AUTHORIZED)

    def test_denials_are_logged_at_a_limited_rate(self):
        self.start("", "log.rate_limit=5/m")
        it = self.client()
        for _ in range(100):
            it.send(0x30, string("none/x") + b"\0")
        it.ping()
        self.assertEqual(100, self.metric("authorization_deny_publish"))
        self.assertEqual(5, self.broker.log().count("publish.denied"))

    def test_superusers_are_not_asked(self):
        self.start()
        self.add("root", "all of it", "--superuser", *QUICK)
        self.broker.reload()
        it = self.client(user="root", password="all of it")
        it.subscribe("#", code=0)
        self.assertEqual(0, it.publish_acked("none/x"))

    def test_new_rules_hold_for_living_clients(self):
        self.start()
        away = self.client("away", clean=False, expiry=1000)
        away.subscribe("all/state", 1)
        away.socket.close()
        self.broker.wait_until_empty()
        writer, reader = self.client("writer"), self.client("reader")
        free = self.client("free")
        reader.subscribe("all/state")
        free.subscribe("own/free/x")
        self.assertEqual(0, writer.publish_acked("all/state"))
        self.assertEqual(0, writer.publish_acked("own/writer/x") & 0x80)
        self.rules.write_text(RULE_TEXT.replace(', "all/#"', ""))
        self.broker.reload()
        # At once, although it was allowed and kept in its cache before.
        self.assertEqual(NOT_AUTHORIZED, writer.publish_acked("all/state"))
        self.ended(reader, NOT_AUTHORIZED)
        free.ping()
        self.assertEqual(1, self.metric("client_ended_subscription"))
        # Who was away is told when it comes back.
        self.rules.write_text(RULE_TEXT.replace(', "all/#"', "")
                              + '[[rule]]\npermission = "allow"\naction = '
                              '"publish"\ntopics = ["all/#"]\n')
        self.broker.reload()
        back = self.client("away", clean=False, expiry=1000)
        self.ended(back, NOT_AUTHORIZED)
        self.assertNotIn("all/state", [
            x["filter"] for x in self.broker.ask("subscriptions")
            if x["clientid"] == "away"])

    def test_without_a_file_everything_is_allowed_again(self):
        self.start()
        it = self.client()
        self.assertEqual(NOT_AUTHORIZED, it.publish_acked("none/x"))
        self.broker.reload(USERS.format(users=self.users))
        self.assertNotEqual(NOT_AUTHORIZED, it.publish_acked("none/x"))


class BansTest(Access):
    def test_bans_of_the_file_hold_from_the_start(self):
        self.start()
        data = self.broker.data_dir
        self.broker.end()
        (data / "bans.jsonl").write_text(json.dumps(
            {"as": "clientid", "who": "stolen", "by": "alice",
             "reason": "stolen", "at": 0, "until": "infinity"}) + "\n")
        self.broker = ConfiguredBroker(self.text, data_dir=data, http=True)
        self.addCleanup(self.broker.close)
        self.client("stolen", code=BANNED)
        self.client("other").ping()
        self.assertEqual(1, self.metric("client_refused_banned"))

    def test_a_file_with_mistakes_is_named_by_line(self):
        self.start()
        data = self.broker.data_dir
        self.broker.end()
        (data / "bans.jsonl").write_text("{}\nno\n")
        with self.assertRaises(AssertionError) as told:
            ConfiguredBroker(self.text, data_dir=data)
        for line in "bans.jsonl:1", "bans.jsonl:2":
            self.assertIn(line, str(told.exception))
        self.assertEqual(5, self.serve(data).returncode)

    def serve(self, data):
        return troupe("serve", "--config", self.broker.configuration,
                      "--data-dir", data)

    def test_all_files_with_mistakes_are_named_at_the_start(self):
        self.start()
        data = self.broker.data_dir
        self.broker.end()
        self.users.write_text("a line\n")
        self.rules.write_text("[[rule]]\npermission = 1\n")
        done = self.serve(data)
        self.assertEqual(3, done.returncode, done.stderr)
        for place in f"{self.users}:1", f"{self.rules}:2":
            self.assertIn(place, done.stderr)

    def test_it_holds_for_many_while_others_are_banned(self):
        self.start("allow_anonymous = true\n")
        all_of_them = [self.client(f"c{i}", user=None, password=None)
                       for i in range(600)]
        kept = self.client("kept", user=None, password=None)
        port = self.broker.port

        def ban(kind, who):
            self.broker.ask("ban", "add", kind, who)
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            for x in [at_once.submit(ban, "clientid", f"x{i}")
                      for i in range(20)] + [
                          at_once.submit(ban, "clientid_re", "^c[0-9]+$")] + [
                              at_once.submit(ban, "clientid", f"y{i}")
                              for i in range(20)]:
                x.result()
        for x in all_of_them:
            self.ended(x, BANNED)
        kept.ping()
        self.assertEqual(41, len(self.broker.ask("ban", "list")))
        for name in "x0", "y19", "c1":
            with Client(port) as it:
                it.connect(name, code=BANNED)

    def test_who_comes_and_goes_is_banned_for_a_while(self):
        self.start("[flapping_detect]\nenable = true\nmax_count = 3\n"
                   'ban_time = "2s"\n')
        for _ in range(3):
            self.client("moth").socket.close()
            self.broker.wait_until_empty()
        self.client("moth", code=BANNED)
        self.client("calm").ping()
        self.assertEqual(1, self.metric("client_flapping"))
        data = (self.broker.data_dir / "bans.jsonl")
        wait_until(lambda: data.exists() and "moth" in data.read_text(),
                   "the ban is not written")


class AnonymousTest(unittest.TestCase):
    def check(self, *settings):
        words = [y for x in settings for y in ("--set", x)]
        return troupe("config", "check", *words)

    def test_other_machines_are_not_let_in_without_users(self):
        answer = self.check("listeners.tcp.default.bind=0.0.0.0:1883")
        self.assertEqual(3, answer.returncode)
        for part in ("listeners.tcp.default.bind", "allow_anonymous"):
            self.assertIn(part, answer.stderr)

    def test_a_balancer_counts_as_another_machine(self):
        answer = self.check("listeners.tcp.default.proxy_protocol=true")
        self.assertEqual(3, answer.returncode)
        self.assertIn("allow_anonymous", answer.stderr)

    def test_it_can_be_said_to_be_right(self):
        self.assertEqual(0, self.check(
            "listeners.tcp.default.bind=0.0.0.0:1883",
            "allow_anonymous=true").returncode)


if __name__ == "__main__":
    unittest.main()
