#!/usr/bin/env python3
"""The table of MQTT's statements: statement, test, result.

report.py --check         every row that binds a server has a test, every test
                          names a row, docs/conformance.md says so
report.py --write         brings docs/conformance.md up to date, results kept
report.py --run BINDIR    runs the test programs in BINDIR and writes the
                          results to docs/conformance.md
"""

import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STATEMENTS = os.path.join(HERE, "statements.tsv")
PAGE = os.path.join(ROOT, "docs", "conformance.md")
VERSIONS = {"mqtt5": "MQTT 5.0", "mqtt311": "MQTT 3.1.1", "mqtt31": "MQTT 3.1"}
NOT_RUN = "not run"

Row = collections.namedtuple("Row", "version number binds text reason")


def read_rows():
    with open(STATEMENTS, encoding="utf-8") as lines:
        next(lines)
        return [Row(*line.rstrip("\n").split("\t")) for line in lines]


def prefix_of(row):
    """What the names of a row's tests begin with."""
    number = re.sub(r"[^a-z0-9]+", "_", row.number.lower()).strip("_")
    return f"{row.version}_{number}_"


def read_tests():
    """Names of the test cases by program, in the order of the source."""
    tests = {}
    for name in sorted(os.listdir(HERE)):
        if name.endswith("_test.cpp"):
            with open(os.path.join(HERE, name), encoding="utf-8") as source:
                tests["conformance_" + name[:-4]] = re.findall(
                    r"BOOST_AUTO_TEST_CASE\(\s*(\w+)\s*\)", source.read())
    return tests


def assign(rows, tests):
    """The tests of each row, and tests that name no row."""
    prefixes = {prefix_of(row): row for row in rows}
    by_row = {row: [] for row in rows}
    strays = []
    for names in tests.values():
        for name in names:
            fitting = [p for p in prefixes if name.startswith(p)]
            if fitting:
                by_row[prefixes[max(fitting, key=len)]].append(name)
            else:
                strays.append(name)
    return by_row, strays


def problems(rows, by_row, strays):
    for name in strays:
        yield f"{name} names no statement"
    for row in rows:
        where = f"{VERSIONS[row.version]} {row.number}"
        if not by_row[row] and not row.reason:
            yield f"{where} has no test: {row.text}"
        if by_row[row] and row.reason:
            yield f"{where} has a test and a reason to have none"


def run(program, quiet=False):
    """Results by test of one program; what failed is printed."""
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.xml")
        done = subprocess.run(
            [program, "--report_format=XML", "--report_level=detailed",
             f"--report_sink={report}", "--color_output=no"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        try:
            tree = ElementTree.parse(report)
        except (OSError, ElementTree.ParseError):
            sys.exit(f"{program} makes no report:\n"
                     + done.stdout.decode(errors="replace"))
    if done.returncode != 0 and not quiet:
        sys.stdout.write(done.stdout.decode(errors="replace"))
    return {case.get("name"):
            "pass" if case.get("result") == "passed" else "FAIL"
            for case in tree.iter("TestCase")}


def run_all(binaries, tests, jobs, quiet=False):
    programs = [os.path.join(binaries, name) for name in tests]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for one in pool.map(lambda program: run(program, quiet), programs):
            results.update(one)
    return results


def committed_results():
    """The results that the page has now."""
    try:
        with open(PAGE, encoding="utf-8") as page:
            text = page.read()
    except OSError:
        return {}
    results = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) == 5:
            names = re.findall(r"`(\w+)`", cells[3])
            results.update(zip(names, cells[4].rstrip(" |").split("<br>")))
    return results


def summary(rows, by_row, results):
    yield "| version | statements | with a test | of these pass | no test |"
    yield "|---|---|---|---|---|"
    for version, title in VERSIONS.items():
        mine = [row for row in rows if row.version == version]
        tested = [row for row in mine if by_row[row]]
        passing = [row for row in tested
                   if all(results.get(t) == "pass" for t in by_row[row])]
        yield (f"| {title} | {len(mine)} | {len(tested)} | {len(passing)} "
               f"| {len(mine) - len(tested)} |")


def page(rows, by_row, results):
    yield "# Conformance"
    yield ""
    yield ("Every numbered statement of the MQTT standards that binds a server,"
           " the test")
    yield ("that is named after it, and its result. Generated by"
           " `tests/conformance/report.py`")
    yield ("from `tests/conformance/statements.tsv` and the sources of the"
           " tests.")
    yield ""
    yield ("The texts are short paraphrases, the standards themselves are"
           " authoritative.")
    yield ("*Binds*: S the server, C the client (its test shows what the server"
           " does about")
    yield "a breach), B both. The rows of MQTT 3.1 have no numbers there."
    yield ""
    yield from summary(rows, by_row, results)
    for version, title in VERSIONS.items():
        yield ""
        yield f"## {title}"
        yield ""
        yield "| statement | binds | what it says | test | result |"
        yield "|---|---|---|---|---|"
        for row in rows:
            if row.version != version:
                continue
            names = by_row[row]
            number = row.number
            if version != "mqtt31":
                number = f"MQTT-{number}"
            shown = "<br>".join(f"`{name}`" for name in names) or row.reason
            outcome = "<br>".join(results.get(name, NOT_RUN) for name in names)
            text = row.text.replace("|", "\\|")
            yield (f"| {number} | {row.binds} | {text} | {shown} "
                   f"| {outcome or 'n/a'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--write", action="store_true")
    what.add_argument("--run", metavar="BINDIR")
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()

    rows = read_rows()
    tests = read_tests()
    by_row, strays = assign(rows, tests)
    found = list(problems(rows, by_row, strays))
    results = committed_results()
    if options.run:
        results = run_all(options.run, tests, options.jobs)
    text = "\n".join(page(rows, by_row, results)) + "\n"
    if options.check:
        try:
            with open(PAGE, encoding="utf-8") as committed:
                same = committed.read() == text
        except OSError:
            same = False
        if not same:
            found.append("docs/conformance.md is out of date: report.py --run")
    else:
        with open(PAGE, "w", encoding="utf-8") as out:
            out.write(text)
    for one in found:
        print(one)
    failed = [name for name, result in results.items() if result == "FAIL"]
    if options.run:
        for name in failed:
            print(f"{name} fails")
    return 1 if found or (options.run and failed) else 0


if __name__ == "__main__":
    sys.exit(main())
