#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a build folder, and only over those that
changed since they passed.

A source is checked again when its compile command, .clang-tidy, the version of
clang-tidy, the source itself or one of this repository's headers that it
includes has changed. Which headers those are is what the last build recorded,
so build first.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The commands are GCC's; clang knows neither all of its warnings nor these.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--quiet"]
ONLY_GCC = ("-mmemset-strategy=", "-mmemcpy-strategy=", "-fno-ipa-", "--param=")


def for_clang(command: str) -> list[str]:
    """Without what only GCC knows, its precompiled headers among it."""
    words = [word for word in shlex.split(command)
             if not word.startswith(ONLY_GCC)]
    while "-include" in words:
        at = words.index("-include")
        del words[at:at + 2]
    return words


def is_ours(path: pathlib.Path) -> bool:
    return (path.is_relative_to(ROOT)
            and not path.is_relative_to(ROOT / "build"))


def recorded_dependencies(build: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Object file to those of our files that it was built from."""
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    found, current = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            path = pathlib.Path(os.path.normpath(build / line.strip()))
            if current is not None and is_ours(path):
                current.append(path)
        elif ": #deps" in line:
            current = found.setdefault(line.split(": #deps")[0], [])
    return found


def digest(seed: bytes, entry: dict, files: list[pathlib.Path]) -> str:
    sum_ = hashlib.sha256(seed)
    sum_.update(entry["command"].encode())
    for file in sorted(set(files)):
        sum_.update(str(file.relative_to(ROOT)).encode() + b"\0")
        sum_.update(file.read_bytes() if file.exists() else b"gone")
    return sum_.hexdigest()


def check(commands: pathlib.Path, file: pathlib.Path) -> tuple[bool, str]:
    done = subprocess.run(["clang-tidy", "-p", str(commands), *EXTRA, str(file)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode == 0:
        return True, ""
    return False, done.stdout or done.stderr


def unseen(report: str, seen: set[str]) -> str:
    """The report without what another source has said of the same header."""
    parts = re.split(r"(?m)^(?=\S+:\d+:\d+: (?:error|warning):)", report)
    fresh = [p for p in parts if p.strip() and p not in seen]
    seen.update(fresh)
    return "".join(fresh)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", type=pathlib.Path, required=True)
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("files", nargs="*", type=pathlib.Path,
                         help="only what is, or includes, one of these")
    args = options.parse_args()
    build = args.build.resolve()
    wanted = {f.resolve() for f in args.files}

    version = subprocess.run(["clang-tidy", "--version"], check=True,
                             stdout=subprocess.PIPE).stdout
    seed = version + (ROOT / ".clang-tidy").read_bytes() + repr(EXTRA).encode()
    passed = ROOT / "build" / "lint" / "passed"
    passed.mkdir(parents=True, exist_ok=True)

    entries = json.loads((build / "compile_commands.json").read_text())
    for entry in entries:
        entry["command"] = shlex.join(for_clang(entry["command"]))
    (passed.parent / "compile_commands.json").write_text(json.dumps(entries))

    dependencies = recorded_dependencies(build)
    work, unchanged = {}, 0
    for entry in entries:
        file = pathlib.Path(entry["file"])
        if not is_ours(file):
            continue
        words = shlex.split(entry["command"])
        compiled = words[words.index("-o") + 1]
        files = [file, *dependencies.get(compiled, [])]
        if wanted and not wanted.intersection(files):
            continue
        stamp = passed / digest(seed, entry, files)
        if stamp.exists():
            stamp.touch()
            unchanged += 1
        else:
            work[file] = stamp
    print(f"lint: {len(work)} to check, {unchanged} unchanged", flush=True)

    failed, seen = 0, set()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = {pool.submit(check, passed.parent, f): f for f in sorted(work)}
        for number, one in enumerate(
                concurrent.futures.as_completed(running), start=1):
            file = running[one]
            good, report = one.result()
            if good:
                work[file].touch()
            else:
                failed += 1
            print(f"[{number}/{len(work)}] {'ok    ' if good else 'FAILED'} "
                  f"{file.relative_to(ROOT)}", flush=True)
            print(unseen(report, seen), end="", flush=True)

    month_ago = time.time() - 30 * 24 * 3600
    for stamp in passed.iterdir():
        if stamp.stat().st_mtime < month_ago:
            stamp.unlink()
    if failed:
        print(f"lint: {failed} of {len(work)} sources have findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
