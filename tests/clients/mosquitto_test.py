#!/usr/bin/env python3
"""mosquitto_pub and mosquitto_sub against the broker.

usage: mosquitto_test.py VERSION   (3.1.1 or 5)
"""

import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "server"))
from broker import Broker  # noqa: E402

VERSION = {"3.1.1": "mqttv311", "5": "mqttv5"}
PATIENCE = 20


class MosquittoTest(unittest.TestCase):
    version = "5"

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def words(self, program, *more):
        return [f"mosquitto_{program}", "-V", VERSION[self.version], "-h",
                "127.0.0.1", "-p", str(self.broker.port), *map(str, more)]

    def pub(self, *more, text=None):
        subprocess.run(self.words("pub", *more), input=text, check=True,
                       timeout=PATIENCE, text=True)

    def sub(self, client_id, *more):
        """A subscriber that the broker knows by now."""
        made = subprocess.Popen(
            self.words("sub", "-i", client_id, "-W", PATIENCE, "-F",
                       "%t %q %r %p", *more),
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(made.stdout.close)
        self.addCleanup(made.wait)
        self.addCleanup(made.kill)
        until = time.monotonic() + PATIENCE
        while not any(x["clientid"] == client_id
                      for x in self.broker.ask("subscriptions")):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        return made

    def lines(self, subscriber):
        out, _ = subscriber.communicate(timeout=PATIENCE)
        self.assertEqual(0, subscriber.returncode)
        return out.splitlines()

    def test_round_trip(self):
        for qos in (0, 1, 2):
            subscriber = self.sub(f"trip{qos}", "-t", "trip/+", "-q", qos,
                                  "-C", 20)
            self.pub("-t", f"trip/{qos}", "-q", qos, "-l",
                     text="".join(f"{i}\n" for i in range(20)))
            self.assertEqual([f"trip/{qos} {qos} 0 {i}" for i in range(20)],
                             self.lines(subscriber))

    def test_retained(self):
        self.pub("-t", "kept", "-m", "state", "-r", "-q", 1)
        for client_id in ("one", "two"):
            self.assertEqual(
                ["kept 1 1 state"],
                self.lines(subprocess.Popen(
                    self.words("sub", "-i", client_id, "-t", "kept", "-q", 1,
                               "-C", 1, "-W", PATIENCE, "-F", "%t %q %r %p"),
                    stdout=subprocess.PIPE, text=True)))
        self.pub("-t", "kept", "-n", "-r", "-q", 1)
        subscriber = self.sub("three", "-t", "kept", "-q", 1, "-C", 1)
        self.pub("-t", "kept", "-m", "live", "-q", 1)
        self.assertEqual(["kept 1 0 live"], self.lines(subscriber))

    def test_will(self):
        watcher = self.sub("watcher", "-t", "gone/+", "-q", 2, "-C", 1)
        dying = self.sub("dying", "-t", "x", "--will-topic", "gone/dying",
                         "--will-payload", "lost", "--will-qos", 1)
        dying.kill()
        self.assertEqual(["gone/dying 1 0 lost"], self.lines(watcher))

    def test_shared_subscription(self):
        members = [self.sub(f"member{i}", "-t", "$share/group/work", "-q", 1,
                            "-C", 10) for i in range(2)]
        self.pub("-t", "work", "-q", 1, "-l",
                 text="".join(f"{i}\n" for i in range(20)))
        got = [self.lines(x) for x in members]
        for each in got:
            self.assertEqual(10, len(each))
        self.assertEqual({f"work 1 0 {i}" for i in range(20)},
                         set(got[0] + got[1]))

    def test_session_resumes(self):
        for qos in (1, 2):
            words = ["-i", f"resume{qos}", "-c", "-q", qos, "-t",
                     f"away/{qos}", "-F", "%t %q %r %p"]
            if self.version == "5":
                words += ["-x", 300]
            # -E: until it is subscribed.
            subprocess.run(self.words("sub", *words, "-E"), check=True,
                           timeout=PATIENCE)
            self.pub("-t", f"away/{qos}", "-q", qos, "-l",
                     text="".join(f"{i}\n" for i in range(20)))
            again = subprocess.run(
                self.words("sub", *words, "-C", 20, "-W", PATIENCE),
                check=True, timeout=PATIENCE + 5, text=True,
                stdout=subprocess.PIPE)
            self.assertEqual([f"away/{qos} {qos} 0 {i}" for i in range(20)],
                             again.stdout.splitlines())


if __name__ == "__main__":
    if not shutil.which("mosquitto_sub"):
        print("left out: mosquitto-clients is not installed")
        sys.exit(77)
    MosquittoTest.version = sys.argv.pop(1)
    unittest.main()
