#!/usr/bin/env python3
"""`troupe ctl reload|log|top`, `troupe config`, and who may use the socket."""

import os
import pathlib
import pty
import pwd
import select
import subprocess
import tempfile
import threading
import time
import unittest

import authority
from broker import PATIENCE, PROGRAM, Broker, Client, troupe, wait_until


class DialsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="troupe-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "troupe.toml"
        self.write("")

    def write(self, text, name="troupe.toml"):
        (self.folder / name).write_text(text)
        return self.folder / name

    def start(self, **how):
        broker = Broker(words=("--config", str(self.file)), **how)
        self.addCleanup(broker.close)
        return broker

    def refused(self, answer, code):
        self.assertEqual("", answer.stdout)
        self.assertEqual(code, answer.returncode, answer.stderr)
        return answer.stderr

    # ---- reload

    def test_reload_tells_old_and_new_values_and_what_waits(self):
        broker = self.start()
        self.write("[mqtt]\nmax_inflight = 7\n[node]\nname = \"other\"\n")
        x = broker.ask("reload")
        self.assertEqual([{"key": "mqtt.max_inflight", "before": "32",
                           "after": "7", "takes_effect": "at reload"}],
                         x["changed"])
        self.assertEqual([{"key": "node.name", "before": '"troupe"',
                           "after": '"other"', "takes_effect": "at restart"}],
                         x["waiting"])
        text = broker.ctl("reload").stdout
        self.assertIn("waiting for a restart", text)
        self.assertIn("no setting has changed", text)

    def test_a_reload_with_a_mistake_changes_nothing_and_says_where(self):
        broker = self.start()
        self.write("[mqtt]\nmax_inflight = 7\nnonsense = 1\n")
        text = self.refused(broker.ctl("reload"), 3)
        self.assertIn(f"{self.file}:3", text)
        self.assertIn("nothing was changed", text)
        self.write("[mqtt]\nmax_inflight = 7\n[auth.acl]\nfile = \"/none\"\n")
        self.assertIn("/none", self.refused(broker.ctl("reload"), 3))
        self.write("[mqtt]\nmax_inflight = 7\n")
        self.assertEqual(1, len(broker.ask("reload")["changed"]))

    # ---- config

    def test_diff_against_the_running_broker_is_what_a_reload_would_do(self):
        broker = self.start()
        new = self.write("[mqtt]\nmax_inflight = 7\n[node]\nreactors = 3\n",
                         "new.toml")
        words = ("--data-dir", broker.data_dir)
        text = troupe("config", "diff", new, *words).stdout
        self.assertRegex(text, r"mqtt.max_inflight +32 +7 +at reload")
        self.assertRegex(text, r"node.reactors +0 +3 +at restart")
        # What the broker was told on its command line holds for both.
        self.assertNotIn("listeners", text)
        self.assertEqual(text, broker.ctl("config", "diff", str(new)).stdout)
        self.assertIn("nothing differs",
                      troupe("config", "diff", self.file, *words).stdout)
        bad = self.write("[mqtt]\nx = 1\n", "bad.toml")
        self.assertIn(f"{bad}:2", self.refused(
            troupe("config", "diff", bad, *words), 3))
        self.assertIn("/none", self.refused(
            troupe("config", "diff", "/none", *words), 3))

    def test_diff_of_two_files_needs_no_broker(self):
        a = self.write("[mqtt]\nmax_inflight = 7\n", "a.toml")
        b = self.write("[listeners.tcp.more]\nbind = \"127.0.0.1:2\"\n",
                       "b.toml")
        answer = troupe("config", "diff", b, "--from", a)
        self.assertEqual(0, answer.returncode, answer.stderr)
        self.assertRegex(answer.stdout, r"mqtt.max_inflight +7 +32")
        self.assertRegex(answer.stdout, r"listeners.tcp.more.*\(none\)")
        self.assertIn("nothing differs",
                      troupe("config", "diff", a, "--from", a).stdout)
        bad = self.write("x", "bad.toml")
        self.assertIn("bad.toml:1", self.refused(
            troupe("config", "diff", a, "--from", bad), 3))

    def test_check_reads_the_files_that_are_named(self):
        users = self.write("not a user\n", "users")
        rules = self.write('[[rule]]\npermission = "x"\n'
                           '[[rule]]\nnonsense = 1\n', "rules")
        self.write(f'[auth.users]\nfile = "{users}"\n'
                   f'[auth.acl]\nfile = "{rules}"\n'
                   '[listeners.ssl.a.ssl_options]\n'
                   'certfile = "/none/a"\nkeyfile = "/none/a"\n'
                   '[listeners.ssl.a]\nbind = "127.0.0.1:1"\n'
                   '[listeners.ssl.b.ssl_options]\n'
                   'certfile = "/none/b"\nkeyfile = "/none/b"\n'
                   '[listeners.ssl.b]\nbind = "127.0.0.1:2"\n')
        text = self.refused(troupe("config", "check", "-c", self.file), 3)
        for part in (f"{users}:1", f"{rules}:2", f"{rules}:4", "/none/a",
                     "/none/b", " problems"):
            self.assertIn(part, text)
        self.write("[mqtt]\nmax_inflight = 7\n")
        text = troupe("config", "check", "-c", self.file).stdout
        self.assertIn("is sound", text)
        self.assertNotIn("no file", text)
        self.assertIn("no file was named", troupe("config", "check").stdout)

    def test_check_warns_of_what_is_right_and_does_not_help(self):
        by = authority.Authority(self.folder / "authority")
        certificate, key = by.sign("old", "/CN=gate", "server",
                                   start="20200101000000Z",
                                   end="20210101000000Z")
        rules = self.write('[[rule]]\npermission = "allow"\n'
                           'listener = ["tcp:default", "ssl:none"]\n'
                           'topics = ["a"]\n', "rules")
        self.write(f'[auth.acl]\nfile = "{rules}"\n'
                   '[listeners.ssl.a]\nbind = "127.0.0.1:0"\n'
                   '[listeners.ssl.a.ssl_options]\n'
                   f'certfile = "{certificate}"\nkeyfile = "{key}"\n')
        answer = troupe("config", "check", "-c", self.file)
        self.assertEqual(0, answer.returncode, answer.stderr)
        self.assertRegex(answer.stdout, "the certificate of .*gate has expired")
        self.assertIn(f'{rules}:1', answer.stdout)
        self.assertIn('there is no listener "ssl:none"', answer.stdout)
        self.assertNotIn('"tcp:default"', answer.stdout)
        broker = self.start()
        self.assertIn('there is no listener "ssl:none"', broker.log())
        self.assertIn('there is no listener "ssl:none"',
                      broker.ctl("reload").stdout)
        rules.write_text(rules.read_text().replace("ssl:none", "default"))
        self.assertIn('"default" has no kind',
                      self.refused(broker.ctl("reload"), 3))

    def test_a_directory_in_place_of_a_file_is_named(self):
        self.write('[listeners.ssl.a]\nbind = "127.0.0.1:1"\n'
                   '[listeners.ssl.a.ssl_options]\n'
                   f'certfile = "{self.folder}"\nkeyfile = "/none"\n'
                   f'[auth.users]\nfile = "{self.folder}"\n'
                   f'[auth.acl]\nfile = "{self.folder}"\n')
        text = self.refused(troupe("config", "check", "-c", self.file), 3)
        self.assertEqual(3, text.count(str(self.folder)), text)
        self.assertEqual(3, text.count("Is a directory"), text)

    def test_the_password_of_a_key_is_shown_nowhere(self):
        made = authority.make(self.folder / "certs")
        key = self.folder / "key"
        authority.openssl("pkey", "-in", made / "server.key", "-aes256",
                          "-passout", "pass:open sesame", "-out", key)

        def options(more):
            return (f'[listeners.ssl.a]\nbind = "127.0.0.1:0"\n'
                    '[listeners.ssl.a.ssl_options]\n'
                    f'certfile = "{made / "server.pem"}"\n{more}')
        locked = options(f'keyfile = "{key}"\npassword = "open sesame"\n')
        self.write(options(f'keyfile = "{made / "server.key"}"\n'))
        broker = self.start()
        new = self.write(locked, "new.toml")
        diff = troupe("config", "diff", new, "--data-dir", broker.data_dir)
        self.write(locked)
        reload = broker.ctl("reload")
        shown = troupe("config", "show", "-c", self.file)
        for answer in (diff, reload, shown):
            self.assertEqual(0, answer.returncode, answer.stderr)
            self.assertIn("***", answer.stdout)
            self.assertNotIn("sesame", answer.stdout)
        self.assertIn("ssl_options.password", broker.log())
        self.assertNotIn("sesame", broker.log())

    def test_of_a_new_listener_what_is_unlike_the_default_is_shown(self):
        broker = self.start()
        self.write('[listeners.tcp.more]\nbind = "127.0.0.1:0"\n'
                   'max_connections = 5\n')
        self.assertEqual(
            {"listeners.tcp.more.bind", "listeners.tcp.more.max_connections"},
            {x["key"] for x in broker.ask("reload")["changed"]})
        self.assertRegex(broker.log(), "2 settings have changed: listeners.*, ")

    # ---- log

    def test_the_level_of_the_log_is_set_until_the_next_reload(self):
        broker = self.start()
        self.assertEqual({"level": "info", "configured": "info"},
                         broker.ask("log", "level"))
        self.assertIn("until the next reload",
                      broker.ctl("log", "level", "debug").stdout)
        with Client(broker.port).connect("seen"):
            pass
        wait_until(lambda: "client=seen" in broker.log(), "it is not told")
        broker.ask("reload")
        self.assertEqual("info", broker.ask("log", "level")["level"])
        self.assertIn("it is one of trace, debug",
                      self.refused(broker.ctl("log", "level", "loud"), 2))

    # ---- top

    def test_top_shows_who_is_busy(self):
        broker = self.start()
        stop = threading.Event()
        with Client(broker.port).connect("busy") as busy, \
                Client(broker.port).connect("idle"):
            def publish():
                while not stop.wait(0.002):
                    busy.publish("hot/topic", b"x" * 100)
            sender = threading.Thread(target=publish)
            sender.start()
            try:
                x = broker.ask("top", "--once")
                text = broker.ctl("top", "--once").stdout
            finally:
                stop.set()
                sender.join()
        first, = x["clients_by_messages"]
        self.assertEqual("busy", first["clientid"])
        self.assertGreater(first["messages_per_second"], 10)
        self.assertGreater(first["bytes_per_second"], 1_000)
        self.assertEqual(["hot/topic"], [t["topic"] for t in x["topics"]])
        self.assertAlmostEqual(1_000, x["interval_ms"], delta=900)
        self.assertIn("hot/topic", text)
        self.assertRegex(text, r"busy +\d+")
        self.assertIn("--limit 0", self.refused(
            broker.ctl("top", "--once", "--limit", "0"), 2))

    def test_top_shows_who_does_not_read(self):
        broker = self.start()
        with Client(broker.port).connect("slow") as slow, \
                Client(broker.port).connect("source") as source:
            slow.subscribe("t", 1)
            for _ in range(40):
                source.publish_acked("t", b"x" * 500_000)
            def seen():
                x = broker.ask("top", "--once")
                return (["slow"] == [c["clientid"]
                                     for c in x["slowest_subscribers"]]
                        and x["longest_queues"]
                        and x["slowest_subscribers"][0]["blocked_ms"] > 0)
            wait_until(seen, "nobody is slow")

    def test_top_refreshes_until_q_and_leaves_the_terminal_as_it_was(self):
        import termios
        broker = self.start()
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        before = termios.tcgetattr(its)
        top = subprocess.Popen([PROGRAM, "ctl", "--data-dir",
                                str(broker.data_dir), "top"],
                               stdin=its, stdout=its, stderr=its)
        seen = b""
        until = time.monotonic() + PATIENCE
        while seen.count(b"\x1b[2J") < 2 and time.monotonic() < until:
            if select.select([ours], [], [], 0.1)[0]:
                seen += os.read(ours, 65_536)
        self.assertEqual(2, seen.count(b"\x1b[2J"), seen)
        os.write(ours, b"q")
        self.assertEqual(0, top.wait(PATIENCE))
        self.assertEqual(before[3], termios.tcgetattr(its)[3])
        os.close(its)

    # ---- who may

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_user_without_rights_is_told_so(self):
        broker = self.start()
        nobody = pwd.getpwnam("nobody")
        path = self.folder / "reachable.sock"
        self.folder.chmod(0o755)
        with Broker(f"ctl.socket={path}") as other:
            def drop():
                os.setgroups([])
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            program = pathlib.Path(PROGRAM)
            copy = self.folder / "troupe"
            copy.write_bytes(program.read_bytes())
            copy.chmod(0o755)
            def ask(*words):
                return subprocess.run([str(copy), "ctl", *words],
                                      capture_output=True, text=True,
                                      timeout=30, preexec_fn=drop, cwd="/")
            text = self.refused(ask("--socket", str(path), "status"), 4)
            self.assertIn("is not for you", text)
            self.assertIn("ctl.group_access", text)
            self.assertEqual(other.pid, other_pid(path))
            # Nor may it look into the data directory.
            text = self.refused(ask("--data-dir", str(broker.data_dir),
                                    "status"), 4)
            self.assertIn("is not for you", text)


def other_pid(path):
    import json
    return json.loads(troupe("ctl", "--socket", path, "--json",
                             "status").stdout)["pid"]


class BackupTest(unittest.TestCase):
    def test_others_are_answered_while_a_backup_is_under_way(self):
        with Broker() as broker:
            with Client(broker.port).connect("c") as client:
                for i in range(50):
                    client.publish_acked(f"r/{i}", b"x" * 10_000, retain=True)
            copies = [subprocess.Popen(
                [PROGRAM, "ctl", "--data-dir", str(broker.data_dir), "backup",
                 str(broker.directory / f"copy{i}")],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for i in range(4)]
            self.assertEqual(broker.pid, broker.ask("status")["pid"])
            codes = []
            for one in copies:
                _, said = one.communicate(timeout=30)
                codes.append(one.returncode)
                if one.returncode:
                    self.assertIn("another backup is under way", said)
            # One at a time, and the first one comes through.
            self.assertIn(0, codes)
            self.assertLessEqual(set(codes), {0, 4})
            self.assertEqual(2, broker.ctl("backup", "relative").returncode)


if __name__ == "__main__":
    unittest.main()
