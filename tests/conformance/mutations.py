#!/usr/bin/env python3
"""Does each test fail when the broker breaks its statement, and no other?

Rows of the statements are drawn by a seed; for each of them mutation_list.py
says how to break the broker so that it breaks that statement. One mutation at
a time is made in a scratch copy of the tree, the broker is built and all
programs of the conformance tests are run. Exactly the row's own tests should
fail, or with them those of rows that state the same duty, which are listed.

mutations.py --draw                  the rows drawn, and which have a mutation
mutations.py --run SCRATCH [ROW…]    all of them, or those of some rows; what
                                     fails goes to mutations.md
"""

import argparse
import collections
import os
import random
import subprocess
import sys

import report
from mutation_list import MUTATIONS, UNBREAKABLE

SEED = 20250
DRAWN = 64
PAGE = os.path.join(report.HERE, "mutations.md")

Outcome = collections.namedtuple("Outcome", "mutation own listed others note")


def name_of(row):
    return f"{row.version} {row.number}"


def draw(rows, by_row):
    """The rows to break: the same for every run with the same statements."""
    tested = [row for row in rows if by_row[row]]
    return random.Random(SEED).sample(tested, DRAWN)


def copy_tree(scratch):
    """The last commit. Files that did not change keep their times."""
    names = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", "-z", "HEAD"],
        cwd=report.ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in names.decode().split("\0"):
        if not name:
            continue
        content = subprocess.run(["git", "show", f"HEAD:{name}"],
                                 cwd=report.ROOT, check=True,
                                 stdout=subprocess.PIPE).stdout
        target = os.path.join(scratch, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or read(target) != content:
            with open(target, "wb") as out:
                out.write(content)


def read(path):
    with open(path, "rb") as source:
        return source.read()


def build(scratch, targets):
    done = subprocess.run(
        ["ninja", "-C", os.path.join(scratch, "build"), *targets],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout.decode(errors="replace")


def failing(scratch, tests, jobs):
    """Names of the tests that fail."""
    results = report.run_all(os.path.join(scratch, "build", "bin"), tests,
                             jobs, quiet=True)
    return {name for name, result in results.items() if result != "pass"}


def change(scratch, edits):
    """Makes the edits; what stood in the files before comes back."""
    before = {}
    for name, search, replacement in edits:
        path = os.path.join(scratch, name)
        text = read(path).decode()
        before.setdefault(path, text)
        if text.count(search) != 1:
            restore(before)
            raise ValueError(f"{name}: {text.count(search)} times: {search}")
        with open(path, "w", encoding="utf-8") as source:
            source.write(text.replace(search, replacement))
    return before


def restore(before):
    for path, text in before.items():
        with open(path, "w", encoding="utf-8") as source:
            source.write(text)


def try_one(mutation, scratch, tests, by_name, by_row, jobs, known):
    try:
        before = change(scratch, mutation.edits)
    except ValueError as e:
        return Outcome(mutation, set(), set(), set(), str(e))
    try:
        # One program has encoders of the broker in it.
        built, text = build(scratch,
                            ["troupe", "conformance_mqtt5_limits_test"])
        if not built:
            return Outcome(mutation, set(), set(), set(),
                           "does not build:\n" + text[-2000:])
        failed = failing(scratch, tests, jobs) - known
        own = set(by_row[by_name[mutation.row]])
        listed = {name for also in mutation.also
                  for name in by_row[by_name[also]]}
        note = "" if failed & own else "not seen"
        return Outcome(mutation, failed & own, (failed & listed) - own,
                       failed - own - listed, note)
    finally:
        restore(before)


def committed_lines():
    """The lines of the page by row."""
    if not os.path.exists(PAGE):
        return {}
    lines = read(PAGE).decode().splitlines()
    return {line.split(" | ")[0][2:]: line for line in lines
            if line.startswith("| mqtt")}


def page(outcomes, drawn):
    lines = committed_lines()
    tried = {one.mutation.row: one for one in outcomes}
    yield "# Mutations"
    yield ""
    yield (f"Of the statements {DRAWN} were drawn (seed {SEED}). Each change"
           " below breaks one of")
    yield ("them in a copy of the broker, and these tests of all then fail."
           " Made by")
    alone = sum(1 for mutation in MUTATIONS if not mutation.also)
    yield ("`tests/conformance/mutations.py --run`. With"
           f" {alone} of the {len(MUTATIONS)} changes it is that")
    yield "statement's test alone, with the others those of the same duty, too."
    yield ""
    yield "| statement | what is broken | in | tests that fail |"
    yield "|---|---|---|---|"
    for mutation in MUTATIONS:
        one = tried.get(mutation.row)
        if one is None:
            yield lines.get(mutation.row, f"| {mutation.row} | | | not tried |")
            continue
        names = sorted(one.own) + sorted(one.listed) + sorted(one.others)
        shown = "<br>".join(f"`{name}`" for name in names) or one.note
        files = ", ".join(sorted({f"`{name}`" for name, _, _
                                  in mutation.edits}))
        yield f"| {mutation.row} | {mutation.what} | {files} | {shown} |"
    yield ""
    yield "Drawn, and not broken by a change of a line:"
    yield ""
    for row in drawn:
        if name_of(row) in UNBREAKABLE:
            yield f"- {name_of(row)}: {UNBREAKABLE[name_of(row)]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--draw", action="store_true")
    what.add_argument("--run", metavar="SCRATCH")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("rows", nargs="*")
    options = parser.parse_args()

    rows = report.read_rows()
    tests = report.read_tests()
    by_row, _ = report.assign(rows, tests)
    by_name = {name_of(row): row for row in rows}
    drawn = draw(rows, by_row)
    have = {mutation.row for mutation in MUTATIONS}
    missing = [row for row in drawn
               if name_of(row) not in have and name_of(row) not in UNBREAKABLE]
    if options.draw:
        for row in drawn:
            mark = ("-" if name_of(row) in UNBREAKABLE
                    else "x" if name_of(row) in have else " ")
            print(f"[{mark}] {name_of(row)}: {row.text}")
        return 1 if missing else 0

    copy_tree(options.run)
    subprocess.run(["cmake", "--preset", "dev", "-B", "build",
                    "-DTROUPE_WERROR=OFF"],
                   cwd=options.run, check=True, stdout=subprocess.DEVNULL)
    built, text = build(options.run, ["troupe", *(f"{name}_test"
                                                  for name in programs(tests))])
    if not built:
        sys.exit(text)
    known = failing(options.run, tests, options.jobs)
    if known:
        print("without a mutation these fail: " + " ".join(sorted(known)))
    wanted = [mutation for mutation in MUTATIONS
              if not options.rows or mutation.row in options.rows]
    outcomes = []
    for mutation in wanted:
        one = try_one(mutation, options.run, tests, by_name, by_row,
                      options.jobs, known)
        outcomes.append(one)
        verdict = one.note or ("exact" if not one.others else "more")
        print(f"{mutation.row}: {verdict} {' '.join(sorted(one.others))}",
              flush=True)
    text = "\n".join(page(outcomes, drawn)) + "\n"
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(text)
    return 1 if any(one.note or one.others for one in outcomes) else 0


def programs(tests):
    """Targets of the build, without their common ending."""
    return [name[:-len("_test")] for name in tests]


if __name__ == "__main__":
    sys.exit(main())
