#!/usr/bin/env python3
"""Alarms, slow subscribers, and how long messages take."""

import json
import os
import resource
import signal
import time
import unittest

from broker import Broker, Client, packet, string, wait_until
from faults_test import LIBRARY, WithFaults


class Alarms(WithFaults):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(LIBRARY):
            raise unittest.SkipTest(
                "TROUPE_TEST_FAULTS_LIBRARY names no library")

    def connect(self, name, **more):
        made = Client(self.broker.port)
        self.addCleanup(made.socket.close)
        return made.connect(name, **more)

    def names(self, *words):
        return [x["name"] for x in self.broker.ask("alarms", *words)]

    def test_a_broker_that_is_well_has_none(self):
        self.start()
        said = self.broker.ctl("alarms")
        self.assertEqual("no alarms\n", said.stdout)

    def test_a_clock_that_jumps_is_said_everywhere_once(self):
        self.start()
        watcher = self.connect("watcher")
        watcher.subscribe("$SYS/brokers/+/alarms/#")
        self.set_clock(3_600)
        (topic, payload), = watcher.take(1)
        self.assertEqual("$SYS/brokers/troupe/alarms/activate", topic)
        said = json.loads(payload)
        self.assertEqual("clock_jump", said["name"])
        self.assertEqual("troupe", said["node"])
        self.assertAlmostEqual(3_600, float(said["details"]["seconds"]),
                               delta=1)
        self.assertAlmostEqual(time.time() + 3_600,
                               said["activate_at"] / 1e6, delta=30)
        self.assertEqual(["clock_jump"], self.names())
        self.assertEqual(
            1, self.broker.metric('troupe_alarm_active{name="clock_jump"}'))
        wait_until(lambda: "alarm: clock_jump" in self.broker.log(),
                   "it is not in the log")
        self.set_clock(10_800)  # another one is not another alarm
        wait_until(lambda: self.broker.ask("alarms")[0]["details"]["seconds"]
                   != said["details"]["seconds"], "it is not the last jump")
        self.assertEqual(1, self.broker.log().count("alarm: clock_jump"))

    def test_a_machine_without_files_is_an_alarm_that_goes(self):
        few = 400

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
        self.broker = Broker("alarms.files_high=0.5", http=True, before=limit,
                             data_dir=self.folder / "data")
        self.addCleanup(self.broker.close)
        clients = [self.connect(f"c{i}") for i in range(few // 2)]
        wait_for = 30
        until = time.monotonic() + wait_for
        while "files" not in self.names():
            self.assertLess(time.monotonic(), until, "no alarm")
            time.sleep(0.1)
        for x in clients:
            x.socket.close()
        until = time.monotonic() + wait_for
        while "files" not in self.names("--history"):
            self.assertLess(time.monotonic(), until, "it does not go")
            time.sleep(0.1)
        self.assertEqual([], self.names())

    def test_limits_change_with_a_reload(self):
        file = self.folder / "troupe.toml"
        file.write_text("[alarms]\nmemory_high = 1.0\n")
        self.broker = Broker(words=("--config", file),
                             data_dir=self.folder / "data")
        self.addCleanup(self.broker.close)
        self.assertEqual([], self.names())
        file.write_text("[overload]\nenable = false\nmemory_limit = '64MB'\n"
                        "[alarms]\nmemory_high = 0.1\n")
        self.broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.names() == ["memory"], "no alarm")
        file.write_text("")
        self.broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.names() == [], "it does not go")
        self.assertEqual(["memory"], self.names("--history"))

    def test_who_takes_long_is_known(self):
        self.start("slow_subs.enable=true", "slow_subs.threshold=200ms")
        slow, quick = self.connect("slow"), self.connect("quick")
        for x in (slow, quick):
            x.subscribe("t", 1)
        self.assertEqual([], self.broker.ask("slow"))
        publisher = self.connect("publisher")
        self.assertEqual(0, publisher.publish_acked("t", b"x"))
        quick.take(1)
        began = time.monotonic()
        while time.monotonic() < began + 0.4:  # it thinks about it
            publisher.ping()
        slow.take(1)
        wait_until(lambda: self.broker.ask("slow"), "nobody is slow")
        found, = self.broker.ask("slow")
        self.assertEqual(("slow", "t"), (found["clientid"], found["topic"]))
        self.assertGreaterEqual(found["timespan"], 400)
        self.assertEqual(1, self.broker.metric("troupe_slow_subs_deliveries"))

    def test_slow_subscribers_are_looked_after_only_if_wanted(self):
        self.start()
        said = self.broker.ctl("slow")
        self.assertEqual(1, said.returncode)
        self.assertIn("slow_subs.enable", said.stderr)

    def hops(self):
        return {x["hop"]: x for x in self.broker.ask("hops")}

    def test_hops_are_measured(self):
        self.start()
        subscriber = self.connect("subscriber")
        subscriber.subscribe("t/#", 1)
        publisher = self.connect("publisher")
        for i in range(100):
            self.assertEqual(0, publisher.publish_acked(f"t/{i % 5}", b"x"))
            subscriber.take(1)
        now = self.hops()
        for hop in ("routed", "written", "whole"):
            self.assertEqual(100, now[hop]["count"], hop)
            self.assertGreater(now[hop]["p50_us"], 0)
            self.assertLessEqual(now[hop]["p50_us"], now[hop]["p99_us"])
            self.assertLess(now[hop]["p50_us"], 1_000_000)
        self.assertLessEqual(now["routed"]["p50_us"], now["whole"]["p50_us"])
        self.assertEqual(0, now["committed"]["count"])
        self.assertEqual(100, self.broker.metric(
            'troupe_hop_seconds_bucket{hop="whole",le="\\+Inf"}'
            .replace("{", r"\{").replace("}", r"\}")))

    def test_a_slow_disk_is_seen_in_the_hop_to_the_log(self):
        self.start()
        self.away("away", 3_600)
        publisher = self.connect("publisher")
        self.set_sync_delay(0.1)
        for _ in range(5):
            self.assertEqual(0, publisher.publish_acked("queue", b"x"))
        committed = self.hops()["committed"]
        self.assertEqual(5, committed["count"])
        self.assertGreaterEqual(committed["p50_us"], 100_000)

    def test_what_waited_for_its_time_is_no_slow_hop(self):
        self.start()
        subscriber = self.connect("subscriber")
        subscriber.subscribe("t", 1)
        publisher = self.connect("publisher")
        self.assertEqual(0, publisher.publish_acked("$delayed/1/t", b"x"))
        subscriber.take(1)
        publisher.publish("t", b"x", retain=True)
        subscriber.take(1)
        late = self.connect("late")
        late.subscribe("t", 1)
        late.take(1)
        self.assertLess(self.hops()["whole"]["max_us"], 900_000)


if __name__ == "__main__":
    unittest.main()
