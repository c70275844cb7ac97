#!/usr/bin/env python3
"""`troupe passwd`: files of users, as an operator types."""

import json
import os
import pathlib
import pty
import select
import subprocess
import tempfile
import threading
import time
import unittest

from broker import PATIENCE, PROGRAM

EXIT_FAILURE, EXIT_USAGE, EXIT_CONFIGURATION = 1, 2, 3
EXIT_UNAVAILABLE, EXIT_STORAGE = 4, 5
CHEAP = ("--memory-kib=64", "--passes=1", "--scram-iterations=4096")
MOSQUITTO = (
    "alice:$7$101$S3JPmVYfRX1kITtB$KcbStaHOhXHGxaEneNkUSpVK8AJQ3KrpZqhkddm/+/"
    "dKZa4jGA2EnKQ5EYZ8SSayA2JleasYZq8GrKNzufFPIA==\n"
    "bob:$6$YNDTtnQYSwUu6NPZ$Qu4uE0FsuBm5Abip7KA8u4MnsGdKDvNejZiK8pfkR50z81LOI"
    "aPOAds4levxtWFhNTE+hzEeyrt5TR7fzltetQ==\n")


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.users = self.folder / "users"

    def run_passwd(self, *words, code=0, says=(), stdin=None):
        answer = subprocess.run(
            [PROGRAM, "passwd", *map(str, words)], input=stdin or "",
            capture_output=True, text=True, timeout=60)
        said = answer.stdout + answer.stderr
        self.assertEqual(code, answer.returncode, said)
        for x in says:
            self.assertIn(str(x), said)
        return answer.stdout

    def add(self, name, *words, password="secret", **more):
        return self.run_passwd("add", self.users, name, "--password-file=-",
                               *CHEAP, *words, stdin=password + "\n", **more)

    def listed(self):
        all_ = json.loads(self.run_passwd("list", self.users, "--json"))
        return {x["user"]: x for x in all_}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def refuses_to_change(self, *words, **more):
        """Neither the file nor its folder is another one afterwards."""
        def seen():
            return {x.name: x.read_bytes() for x in self.folder.iterdir()}
        before = seen()
        self.run_passwd(*words, **more)
        self.assertEqual(before, seen())


class Passwd(InFolder):
    def test_a_user_is_added_with_a_hash_and_scram_keys(self):
        self.add("alice")
        self.assertEqual(0o600, self.users.stat().st_mode & 0o7777)
        line = self.users.read_text()
        self.assertRegex(line, r"\Aalice:\$argon2id\$v=19\$m=64,t=1,p=1\$"
                               r"[^:$]+\$[^:$]+::SCRAM-SHA-256\$4096:")
        self.assertNotIn("secret", line)
        self.add("root", "--superuser", "--no-scram")
        self.assertTrue(self.users.read_text().endswith(":superuser\n"))
        listed = self.listed()
        self.assertEqual({"user": "alice", "hash": "argon2id",
                          "cost": "m=64,t=1,p=1", "superuser": False,
                          "scram": True}, listed["alice"])
        self.assertTrue(listed["root"]["superuser"])
        self.assertFalse(listed["root"]["scram"])
        self.run_passwd("check", self.users, says=["2 users", "sound"])

    def test_owasps_parameters_are_the_default(self):
        self.run_passwd("add", self.users, "alice", "--password-file=-",
                        stdin="secret")
        self.assertEqual("m=19456,t=2,p=1", self.listed()["alice"]["cost"])

    def test_every_algorithm_can_be_chosen(self):
        for word in ("argon2id", "pbkdf2-sha512", "pbkdf2-sha256", "bcrypt",
                     "sha512-crypt"):
            self.add(word, "--algorithm", word, "--bcrypt-cost=4",
                     "--iterations=1000", "--crypt-rounds=1000")
            self.assertEqual(word, self.listed()[word]["hash"])
        self.refuses_to_change("add", self.users, "x", "--generate",
                               "--algorithm=md5", code=EXIT_USAGE)
        for option, says in (("--memory-kib=99999999", "argon2id's m"),
                             ("--passes=0", "argon2id's t"),
                             ("--bcrypt-cost=31", "bcrypt's cost"),
                             ("--iterations=1", "PBKDF2's iterations"),
                             ("--scram-iterations=1", "--scram-iterations"),
                             ("--crypt-rounds=9", "SHA-512-crypt's rounds")):
            self.refuses_to_change("add", self.users, "x", "--generate",
                                   option, code=EXIT_USAGE, says=[says])

    def test_openssl_computes_the_same_sha512_crypt(self):
        self.add("alice", "--algorithm=sha512-crypt", "--crypt-rounds=1000",
                 "--no-scram", password="a secret")
        text = self.users.read_text().strip().partition(":")[2]
        salt = text[3:-87]
        again = subprocess.run(["openssl", "passwd", "-6", "-salt", salt,
                                "a secret"], capture_output=True, text=True,
                               check=True)
        self.assertEqual(text, again.stdout.strip())

    def test_a_random_password_is_printed_once(self):
        one = self.run_passwd("add", self.users, "a", "--generate", *CHEAP)
        two = self.run_passwd("add", self.users, "b", "--generate", *CHEAP)
        self.assertRegex(one, r"\A[A-Za-z0-9_-]{22}\n\Z")
        self.assertNotEqual(one, two)

    def test_who_is_there_is_changed_only_when_that_is_said(self):
        self.add("alice", "--superuser")
        before = self.users.read_text()
        self.refuses_to_change("add", self.users, "alice", "--generate",
                               code=EXIT_FAILURE, says=["--replace"])
        self.add("alice", "--replace")
        self.assertNotEqual(before, self.users.read_text())
        self.assertTrue(self.listed()["alice"]["superuser"])
        self.add("alice", "--replace", "--no-superuser")
        self.assertFalse(self.listed()["alice"]["superuser"])

    def test_a_user_without_a_password_is_for_certificates(self):
        self.run_passwd("add", self.users, "alice", "--no-password")
        self.assertEqual("alice:*\n", self.users.read_text())

    def test_strange_names_are_kept(self):
        for name in ("a:b", "100%", "#1", " x ", "ä€", "a\nb"):
            self.add(name, "--no-scram")
            self.assertIn(name, self.listed())
        self.run_passwd("check", self.users, says=["6 users"])
        self.run_passwd("delete", self.users, "a:b")
        self.assertNotIn("a:b", self.listed())
        self.refuses_to_change("add", self.users, "", "--generate",
                               code=EXIT_USAGE, says=["without a name"])

    def test_scram_keys_are_left_out_beyond_ascii_and_that_is_said(self):
        self.add("alice", password="pässword", says=["without SCRAM keys"])
        self.assertFalse(self.listed()["alice"]["scram"])

    def test_passwords_that_do_not_do_are_refused(self):
        for password, words in (("", ()), ("x" * 70_000, ()),
                                ("x" * 73, ("--algorithm=bcrypt",))):
            self.add("alice", *words, password=password,
                     code=EXIT_USAGE if words else EXIT_UNAVAILABLE,
                     says=["has"])
            self.assertFalse(self.users.exists())
        self.run_passwd("add", self.users, "alice", "--password-file",
                        self.folder / "none", code=EXIT_UNAVAILABLE,
                        says=["none cannot be read"])
        # No place for one on the command line, where everybody sees it.
        self.run_passwd("add", self.users, "alice", "secret", code=EXIT_USAGE)

    def test_deleting_keeps_comments_order_and_rights(self):
        self.users.write_text("# staff\nalice:*\nbob:*\n# end\ncarol:*\n")
        self.users.chmod(0o640)
        self.run_passwd("delete", self.users, "bob")
        self.assertEqual("# staff\nalice:*\n# end\ncarol:*\n",
                         self.users.read_text())
        self.assertEqual(0o640, self.users.stat().st_mode & 0o7777)
        self.refuses_to_change("delete", self.users, "bob", code=EXIT_FAILURE,
                               says=["no user bob"])
        self.assertEqual(["users"], os.listdir(self.folder))

    def test_all_problems_of_a_file_are_told_and_it_is_not_touched(self):
        self.users.write_text("alice\nbob:secret\n\nalice:*\nalice:*:root\n")
        says = ["users:1: ", "users:2: ", "users:5: ", "4 problems in"]
        for words in (("check", self.users), ("list", self.users),
                      ("delete", self.users, "alice"),
                      ("add", self.users, "x", "--generate")):
            self.refuses_to_change(*words, code=EXIT_CONFIGURATION, says=says)

    def test_a_file_that_everybody_may_read_is_remarked(self):
        self.users.write_text("alice:*\n")
        self.users.chmod(0o644)
        self.run_passwd("check", self.users, says=["everybody may read it"])
        self.users.chmod(0o640)
        self.assertNotIn("everybody", self.run_passwd("check", self.users))

    def test_files_that_cannot_be_had_are_named(self):
        none = self.folder / "none"
        os.mkfifo(self.folder / "pipe")
        for path in (none, self.folder, self.folder / "pipe"):
            for words in (("check", path), ("list", path),
                          ("delete", path, "alice")):
                self.run_passwd(*words, code=EXIT_UNAVAILABLE, says=[path])
        self.run_passwd("add", none / "users", "a", "--generate",
                        code=EXIT_UNAVAILABLE, says=[none])

    def test_a_file_of_mosquitto_is_imported(self):
        self.users.write_text("# ours\nroot:*:superuser\n")
        self.run_passwd("import", self.users, self.write("from", MOSQUITTO),
                        says=["2 users imported"])
        listed = self.listed()
        self.assertEqual("mosquitto-pbkdf2", listed["alice"]["hash"])
        self.assertEqual("mosquitto-sha512", listed["bob"]["hash"])
        self.assertTrue(self.users.read_text().startswith("# ours\nroot:*"))

    def test_what_mosquitto_passwd_writes_is_imported(self):
        theirs = self.write("theirs", "")
        for name, kind in (("alice", "sha512"), ("bob", "sha512-pbkdf2")):
            subprocess.run(["mosquitto_passwd", "-b", "-H", kind, theirs, name,
                            "secret"], check=True, capture_output=True)
        self.run_passwd("import", self.users, theirs)
        self.assertEqual({"alice", "bob"}, set(self.listed()))

    def test_plain_passwords_are_hashed(self):
        text = "".join(f"user{i}:secret{i}\n" for i in range(50))
        self.run_passwd("import", self.users, self.write("from", text),
                        "--plain", *CHEAP, says=["50 users imported"])
        listed = self.listed()
        self.assertEqual(50, len(listed))
        self.assertTrue(all(x["hash"] == "argon2id" and x["scram"]
                            for x in listed.values()))
        self.assertNotIn("secret", self.users.read_text())

    def test_a_csv_of_emqx_is_imported(self):
        csv = self.write("csv", "user_id,password_hash,salt,is_superuser\n"
                                f"alice,{'ab' * 32},de10,true\n")
        self.run_passwd("import", self.users, csv, code=EXIT_CONFIGURATION,
                        says=["csv:2: ", "--hashed-with"])
        self.assertFalse(self.users.exists())
        self.run_passwd("import", self.users, csv, "--hashed-with=sha256-sufix",
                        code=EXIT_USAGE, says=["sha256-suffix"])
        self.run_passwd("import", self.users, csv, "--hashed-with",
                        "sha256-suffix")
        self.assertTrue(self.listed()["alice"]["superuser"])
        self.assertEqual("salted-sha256", self.listed()["alice"]["hash"])

    def test_an_import_with_problems_writes_nothing(self):
        self.add("alice")
        text = self.write("from", MOSQUITTO + "carol:secret\ndave\n")
        self.refuses_to_change(
            "import", self.users, text, code=EXIT_CONFIGURATION,
            says=["from:1: the user is in", "from:3: ", "--plain",
                  "from:4: ", "3 problems", "nothing is changed"])
        self.refuses_to_change("import", self.users, self.folder / "none",
                               code=EXIT_UNAVAILABLE, says=["none"])
        self.run_passwd("import", self.users, self.write("from", MOSQUITTO),
                        "--replace")
        self.assertEqual("mosquitto-pbkdf2", self.listed()["alice"]["hash"])

    def test_changes_at_the_same_time_are_all_there(self):
        names = [f"user{i}" for i in range(12)]
        threads = [threading.Thread(target=self.add, args=(x,)) for x in names]
        for x in threads:
            x.start()
        for x in threads:
            x.join()
        self.assertEqual(set(names), set(self.listed()))

    def test_a_full_disk_leaves_the_old_file(self):
        self.users.write_text("alice:*\n")
        answer = subprocess.run(
            ["bash", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "bash",
             PROGRAM, "passwd", "add", self.users, "bob", "--no-password"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(EXIT_STORAGE, answer.returncode, answer.stderr)
        self.assertIn("users cannot be written", answer.stderr)
        self.assertEqual("alice:*\n", self.users.read_text())
        self.assertEqual(["users"], os.listdir(self.folder))


class Terminal(InFolder):
    """What is asked on a terminal."""

    def ask(self, *typed):
        """@returns the exit code, and what the terminal showed."""
        process, terminal = pty.fork()
        if process == 0:
            os.execv(PROGRAM, [PROGRAM, "passwd", "add", str(self.users),
                               "alice", *CHEAP])
        shown = b""
        until = time.monotonic() + 3 * PATIENCE
        typed = list(typed)
        try:
            while time.monotonic() < until:
                if not select.select([terminal], [], [], 0.1)[0]:
                    continue
                try:
                    part = os.read(terminal, 1024)
                except OSError:  # the other side is gone
                    break
                if not part:
                    break
                shown += part
                if shown.endswith(b": ") and typed:
                    os.write(terminal, typed.pop(0))
        finally:
            os.close(terminal)
            _, status = os.waitpid(process, 0)
        return os.waitstatus_to_exitcode(status), shown.decode()

    def test_a_password_is_asked_twice_and_not_shown(self):
        code, shown = self.ask(b"secret\r", b"secret\r")
        self.assertEqual(0, code, shown)
        self.assertEqual("Password of alice: \r\nAgain: \r\n", shown)
        self.assertIn("alice", self.listed())

    def test_letters_can_be_taken_back(self):
        code, shown = self.ask("sex\x15secräx\x7f\x7fet\r".encode(),
                               b"secret\r")
        self.assertEqual(0, code, shown)

    def test_two_passwords_that_differ_change_nothing(self):
        code, shown = self.ask(b"secret\r", b"Secret\r")
        self.assertEqual(EXIT_UNAVAILABLE, code)
        self.assertIn("differ", shown)
        self.assertFalse(self.users.exists())

    def test_ctrl_c_changes_nothing(self):
        code, shown = self.ask(b"sec\x03")
        self.assertEqual(EXIT_UNAVAILABLE, code)
        self.assertIn("nothing is changed", shown)
        self.assertFalse(self.users.exists())

    def test_without_a_terminal_it_says_what_to_do(self):
        answer = subprocess.run(
            [PROGRAM, "passwd", "add", self.users, "alice"],
            capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.assertEqual(EXIT_UNAVAILABLE, answer.returncode)
        self.assertIn("--password-file", answer.stderr)

if __name__ == "__main__":
    unittest.main()
