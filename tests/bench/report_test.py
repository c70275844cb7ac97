#!/usr/bin/env python3
"""What scripts/bench.py makes of results.

usage: report_test.py PATH/TO/scripts [unittest arguments]
"""

import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import bench  # noqa: E402
import bench_rows  # noqa: E402


def result(per_cpu=0.0, p99=0.0, connections=0, ok=True):
    return {"broker": {"deliveries_per_cpu_s": per_cpu, "cores": 0.5,
                       "cpu_us_per_delivery": 1e6 / per_cpu if per_cpu else 0,
                       "bytes_per_connection": 2000},
            "latency_us": {"p50": p99 / 2, "p99": p99},
            "generator": {"cpu_ns_per_delivery": 50}, "deliveries_per_s": 1000,
            "options": {"connections": connections}, "lost": 0,
            "out_of_order": 0, "ok": ok}


def found(**rounds):
    return {"when": "2000-01-01", "rounds": rounds}


def row(name):
    return next(each for each in bench.rows() if each.name == name)


class SummaryTest(unittest.TestCase):
    def line(self, name, results, figure=0):
        return bench.summary([row(name)], {name: results})[2 + figure]

    def check(self, name, troupe, mosquitto, measured, verdict, figure=0):
        line = self.line(name, found(troupe=troupe, mosquitto=mosquitto),
                         figure)
        self.assertTrue(line.endswith(f"| {measured} | {verdict} |"), line)

    def test_a_ratio_is_of_medians(self):
        troupe = [result(x) for x in (2600, 9000, 100)]
        mosquitto = [result(x) for x in (100, 1, 900)]
        self.check("pairs-64-q0", troupe, mosquitto, "26.0x", "must")

    def test_more_deliveries_are_better(self):
        one = [result(100)]
        self.check("pairs-64-q0", [result(3100)], one, "31.0x", "aim")
        self.check("pairs-64-q0", [result(2499)], one, "25.0x", "**below**")

    def test_less_latency_is_better(self):
        one = [result(100, p99=100)]
        for p99, text, verdict in ((80, "0.80x", "aim"), (99, "0.99x", "must"),
                                   (101, "1.01x", "**below**")):
            self.check("paced-q0", [result(100, p99=p99)], one, text, verdict)

    def test_memory_is_absolute(self):
        self.check("idle", [result()], [result()], "2,000", "aim")

    def test_connections_with_a_loss_are_not_held(self):
        bad = found(troupe=[result(connections=100_000, ok=False)])
        self.assertTrue(self.line("idle-100k", bad).endswith("| **below** |"))
        good = found(troupe=[result(connections=100_000)])
        self.assertTrue(self.line("idle-100k", good).endswith("| must |"))

    def test_without_a_broker_there_is_no_ratio(self):
        for rounds in ({"troupe": [result(1)]}, {"mosquitto": [result(1)]}):
            line = self.line("shared", found(**rounds))
            self.assertTrue(line.endswith("| - | not measured |"), line)


class DocumentTest(unittest.TestCase):
    def test_it_names_each_row_and_its_command(self):
        names = [each.name for each in bench.rows()]
        self.assertEqual(len(set(names)), len(names))
        text = bench.render(
            {"machine": {"CPU": "x"}, "times": "--duration 8",
             "rows": {"fan-in": found(troupe=[result(5)],
                                      mosquitto=[result(3)])}})
        for each in bench_rows.rows():
            self.assertIn(f"- {each.name}: `troupe-bench {each.command}`", text)
        self.assertIn("| fan-in | mosquitto |", text)
        self.assertIn("1.67x", text)


if __name__ == "__main__":
    unittest.main()
