#!/usr/bin/env python3
"""`troupe serve` under a service manager, which is the test."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

from broker import PATIENCE, PROGRAM, Broker, Client, wait_until
from notify import Manager
from threads import StoppedThread, threads_of

ALIVE = {"WATCHDOG": "1"}


class NotifyTest(unittest.TestCase):
    def test_it_is_ready_when_clients_can_connect_and_says_when_it_ends(self):
        for abstract in (False, True):
            with Manager(abstract) as manager, \
                    Broker(wait=False, env=manager.environment()) as broker:
                ready = manager.expect("READY")
                self.assertEqual("1", ready["READY"])
                self.assertIn("clients", ready["STATUS"])
                broker.wait_until_ready()
                with Client(broker.port).connect("c") as client:
                    client.ping()
                self.assertEqual(0, broker.end())
                self.assertEqual("1", manager.expect("STOPPING")["STOPPING"])
                self.assertIsNone(manager.hear(0.01))

    def test_the_service_manager_waits_as_long_as_an_end_may_take(self):
        with Manager() as manager, \
                Broker("node.shutdown_timeout=20m",
                       env=manager.environment()) as broker:
            manager.expect("READY")
            broker.end()
            told = int(manager.expect("STOPPING")["EXTEND_TIMEOUT_USEC"])
            self.assertGreater(told, 20 * 60 * 1_000_000)
            self.assertLess(told, 21 * 60 * 1_000_000)

    def test_a_broker_that_does_not_start_is_never_ready(self):
        with Manager() as manager, \
                Broker("mqtt.max_inflight=0", wait=False,
                       env=manager.environment()) as broker:
            self.assertEqual(3, broker.process.wait(PATIENCE))
            self.assertIsNone(manager.hear(0.01))

    def test_a_service_manager_that_is_gone_is_a_warning(self):
        with Broker(env={"NOTIFY_SOCKET": "/nonexistent/notify",
                         "WATCHDOG_USEC": "10 s"}) as broker:
            with Client(broker.port).connect("c") as client:
                client.ping()
            self.assertEqual(0, broker.end())
            self.assertIn("READY=1: No such file", broker.log())
            self.assertIn("WATCHDOG_USEC=10 s", broker.log())


class WatchdogTest(unittest.TestCase):
    def start(self, watchdog=0.4, **more):
        self.manager = Manager()
        self.addCleanup(self.manager.close)
        broker = Broker("node.reactors=3",
                        env=self.manager.environment(watchdog, **more))
        self.addCleanup(broker.close)
        self.manager.expect("READY")
        return broker

    def hears_nothing_but_once(self, seconds):
        """A sign may have been under way."""
        until = time.monotonic() + seconds
        signs = 0
        while (left := until - time.monotonic()) > 0:
            signs += self.manager.hear(left) is not None
        self.assertLessEqual(signs, 1)

    def test_signs_of_life_come_at_half_of_the_time(self):
        self.start(watchdog=1.0)
        began = time.monotonic()
        for _ in range(6):
            self.assertEqual(ALIVE, self.manager.hear())
        took = time.monotonic() - began
        self.assertGreater(took, 2.4)
        self.assertLess(took, 10)

    def test_there_are_none_for_another_process(self):
        broker = self.start(watchdog=0.02, WATCHDOG_PID="1")
        # As many turns as ten signs take.
        for _ in range(10):
            broker.ask("status")
        self.assertIsNone(self.manager.hear(0.1))

    def test_a_stopped_process_gives_none_until_it_goes_on(self):
        broker = self.start()
        self.assertEqual(ALIVE, self.manager.hear())
        broker.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{broker.pid}/stat")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0]
                   == "T", "it does not stop")
        self.manager.drain()
        self.assertIsNone(self.manager.hear(1.2))
        broker.process.send_signal(signal.SIGCONT)
        self.assertEqual(ALIVE, self.manager.hear())

    def test_any_one_reactor_that_hangs_silences_the_process(self):
        broker = self.start()
        threads = threads_of(broker.pid)
        for reactor in range(3):
            with StoppedThread(threads[f"reactor-{reactor}"]):
                self.hears_nothing_but_once(1.2)
                wait_until(lambda r=reactor: f"by reactor {r}:"
                           in broker.log(), "the log does not say who hangs")
            self.manager.drain()
            self.assertEqual(ALIVE, self.manager.hear())
        wait_until(lambda: "all reactors take turns again" in broker.log(),
                   "the log does not say that it is over")

    def test_a_control_thread_that_hangs_silences_the_process(self):
        broker = self.start()
        with StoppedThread(broker.pid):
            self.hears_nothing_but_once(1.2)
        self.manager.drain()
        self.assertEqual(ALIVE, self.manager.hear())


class EndTest(unittest.TestCase):
    """Of a broker whose reactor hangs, so that it cannot end in order."""

    def start(self, timeout):
        self.manager = Manager()
        self.addCleanup(self.manager.close)
        broker = Broker(f"node.shutdown_timeout={timeout}", "node.reactors=2",
                        env=self.manager.environment())
        self.addCleanup(broker.close)
        self.manager.expect("READY")
        return broker, StoppedThread(threads_of(broker.pid)["reactor-1"])

    def test_a_second_sigterm_ends_it_at_once(self):
        broker, hanging = self.start("1h")
        with hanging:
            broker.process.send_signal(signal.SIGTERM)
            self.manager.expect("STOPPING")
            # It waits for the reactor.
            self.assertIsNone(broker.process.poll())
            began = time.monotonic()
            broker.process.send_signal(signal.SIGTERM)
            self.assertEqual(-signal.SIGTERM,
                             hanging.wait(broker.process, PATIENCE))
            self.assertLess(time.monotonic() - began, 5)

    def test_one_sigterm_ends_it_within_the_time(self):
        broker, hanging = self.start("500ms")
        with hanging:
            began = time.monotonic()
            broker.process.send_signal(signal.SIGTERM)
            self.manager.expect("STOPPING")
            self.assertEqual(1, hanging.wait(broker.process, PATIENCE))
            took = time.monotonic() - began
            self.assertGreater(took, 0.45)
            self.assertLess(took, 5)
            self.assertIn("node.shutdown_timeout", broker.log())


class EnvironmentTest(unittest.TestCase):
    def test_a_real_service_manager_is_not_told_of_other_commands(self):
        with Manager() as manager:
            for words in (("--version",), ("config", "show")):
                subprocess.run([PROGRAM, *words], check=True,
                               capture_output=True,
                               env={**os.environ, **manager.environment(9)})
            self.assertIsNone(manager.hear(0.01))


if __name__ == "__main__":
    unittest.main()
