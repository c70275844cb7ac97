#!/usr/bin/env python3
"""What scripts/bench.py and bench_report.py make of results.

usage: report_test.py PATH/TO/scripts [unittest arguments]
"""

import json
import math
import pathlib
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, sys.argv.pop(1))
import bench  # noqa: E402
import bench_brokers  # noqa: E402
import bench_doors_rows  # noqa: E402
import bench_report  # noqa: E402
import bench_rows  # noqa: E402
from broker_metrics import quantile  # noqa: E402


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
        return bench_report.summary([row(name)], {name: results})[2 + figure]

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


class DurableTest(unittest.TestCase):
    def line(self, name, result, figure=0):
        rows = [each for each in bench.durable_rows() if each.name == name]
        return bench_report.summary(rows, {name: found(troupe=[result])})[2 + figure]

    def test_a_part_of_bare_rocksdb(self):
        some = {**result(5), "bare": {"messages_per_s": 1500,
                                      "messages_per_write": 7}}
        line = self.line("durable-acks", some, 1)
        self.assertTrue(line.endswith("| 0.50x | 0.70x | 0.67x | must |"), line)
        line = self.line("durable-acks", some, 2)
        self.assertTrue(line.endswith("| - | - | 7 | - |"), line)

    def test_a_part_of_the_transient_figure(self):
        line = self.line("durable-pairs", {**result(5), "beside": result(10)})
        self.assertTrue(line.endswith("| 0.50x | aim |"), line)

    def test_latency_over_that_of_one_write(self):
        line = self.line("durable-latency", {**result(5, p99=280),
                                             "bare": {"p50_us": 100}})
        self.assertTrue(line.endswith("| 1.40x | must |"), line)

    def test_what_cannot_be_is_doubtful(self):
        line = self.line("durable-latency", {
            **result(5, p99=28), "bare": {"p50_us": 100, "plausible": False}})
        self.assertTrue(line.endswith("| 0.14x | doubtful |"), line)

    def test_growth_is_of_the_readings_within(self):
        seen = bench.MetricsHistory(0)
        seen.samples = [(float(i), {"x": 10.0 * i if i < 5 else 1000.0})
                        for i in range(7)]
        self.assertEqual(seen.growth(1.5, 4.5), {"x": 10.0})
        self.assertEqual(seen.growth(1.5, 2.5), {})


class DoorsTest(unittest.TestCase):
    def line(self, name, figure=0, **results):
        rows = [each for each in bench.door_rows() if each.name == name]
        rounds = {which: [{**one, "which": which}]
                  for which, one in results.items()}
        return bench_report.summary(rows, {name: found(**rounds)})[2 + figure]

    def test_a_resumed_handshake_is_compared_with_three(self):
        results = {"troupe": {**result(10_000), "beside": result(4_000)},
                   "mosquitto": {**result(5_000), "beside": result(2_500)}}
        for figure, end in ((0, "| 0.40x | 0.30x | 0.25x | aim |"),
                            (1, "| - | - | 0.50x | - |"),
                            (2, "| - | - | 0.40x | - |")):
            line = self.line("tls-resumed", figure, **results)
            self.assertTrue(line.endswith(end), line)

    def test_a_storm_is_measured_by_its_handshakes(self):
        # 15,000 handshakes of 200 us on 0.4 of a core take 7.5 seconds.
        storm = {**result(5_000, connections=15_000), "elapsed_s": 9,
                 "calm_cores": 0.1,
                 "beside": result(5_000),
                 "paced": {"latency_us": {"p99": 20_500}, "hop_p99_s": 0.0304}}
        for figure, end in ((0, "| 1.20x | 1.10x | 1.20x | must |"),
                            (1, "| 50.0 | 20.0 | 20.5 | must |"),
                            (2, "| 50.0 | 20.0 | 30.4 | must |"),
                            (3, "| - | - | 9.0 | - |")):
            line = self.line("tls-storm", figure, troupe=storm)
            self.assertTrue(line.endswith(end), line)

    def test_a_quantile_is_spread_evenly_in_its_bucket(self):
        page = {f'hop_bucket{{hop="whole",le="{end}"}}': count for end, count
                in (("0.001", 80), ("0.01", 90), ("0.05", 110), ("+Inf", 110))}
        page['hop_bucket{hop="turn",le="0.001"}'] = 7
        for part, expected in ((0.5, 0.0006875), (0.9, 0.028), (1, 0.05)):
            self.assertAlmostEqual(
                quantile(page, "hop_bucket", 'hop="whole"', part), expected)
        self.assertTrue(math.isnan(
            quantile({}, "hop_bucket", 'hop="whole"', 0.5)))
        page['hop_bucket{hop="whole",le="+Inf"}'] = 1000  # longer than any
        self.assertEqual(quantile(page, "hop_bucket", 'hop="whole"', 0.5),
                         0.05)

    def test_options_change_the_storm(self):
        storm = next(row for row in bench.door_rows("tls", True)
                     if row.name == "tls-storm")
        for each in (storm.command, storm.beside, storm.quick_beside):
            self.assertIn("--resume", each)
        self.assertIn("--tls", storm.meanwhile)
        stored = {"machine": {}, "times": "", "rows": {"tls-storm": {
            **found(), "as": {"command": storm.command}}}}
        self.assertIn(f"`troupe-bench {storm.command}`",
                      "\n".join(bench_report.render_doors(stored)))

    def test_the_door_is_that_of_the_load(self):
        for load, door in (("pairs --qos 1", "tcp"), ("idle --tls", "ssl"),
                           ("pairs --ws", "ws"), ("pairs --ws --tls", "wss")):
            self.assertEqual(bench_brokers.door_of(load), door)

    def test_the_rules_are_as_many_as_the_row_says(self):
        rules = bench_doors_rows.troupe_acl()
        self.assertEqual(rules.count("[[rule]]"), bench_doors_rows.ACL_RULES)
        self.assertEqual(tomllib.loads(rules)["rule"],
                         bench_doors_rows.acl_rules())
        with tempfile.TemporaryDirectory() as name:
            settings = bench_doors_rows.acl_guard("troupe", pathlib.Path(name))
            self.assertEqual(settings, (f"auth.acl.file={name}/acl",))
            self.assertEqual((pathlib.Path(name) / "acl").read_text(), rules)


class DocumentTest(unittest.TestCase):
    def test_each_set_keeps_the_rows_of_the_other(self):
        section = {"machine": {}, "times": "--duration 8", "rows": {}}
        main = {**section, "rows": {"shared": found(troupe=[result(1)])}}
        durable = {**section, "rows": {"durable-sessions": found(troupe=[{
            **result(), "at_rest": {"own_bytes_each": 3},
            "set_up": {"sessions_per_s": 9}}])}}
        doors = {**section, "rows": {"tls-idle": found(troupe=[result()])}}
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for stored, section in ((durable, "durable"), (doors, "doors"),
                                    (main, None), (durable, "durable")):
                bench_report.write_document(folder, stored, section)
                whole = json.loads((folder / "benchmarks.json").read_text())
                text = (folder / "benchmarks.md").read_text()
                self.assertIn("| durable-sessions | troupe |", text)
            self.assertIn("| shared | troupe |", text)
            self.assertIn("| tls-idle | troupe |", text)
            for stored, section in ((durable, "durable"), (doors, "doors"),
                                    (main, None)):
                self.assertEqual(bench_report.kept_rows(folder, section),
                                 stored["rows"])
            self.assertEqual((whole["durable"], whole["doors"]),
                             (durable, doors))

    def test_it_names_each_row_and_its_command(self):
        names = [each.name for each in bench.rows()]
        self.assertEqual(len(set(names)), len(names))
        text = bench_report.render(
            {"machine": {"CPU": "x"}, "times": "--duration 8",
             "rows": {"fan-in": found(troupe=[result(5)],
                                      mosquitto=[result(3)])}})
        for each in bench_rows.rows():
            self.assertIn(f"- {each.name}: `troupe-bench {each.command}`", text)
        self.assertIn("| fan-in | mosquitto |", text)
        self.assertIn("1.67x", text)


if __name__ == "__main__":
    unittest.main()
