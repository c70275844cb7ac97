#!/usr/bin/env python3
"""Fails when a folder includes what lies above it.

A folder may include itself and the folders before it in ORDER. `config` is for
`server` alone: everything else receives a struct of options.
"""

import pathlib
import re
import sys

ORDER = ["protocol", "toml", "config", "storage", "net", "cluster", "auth", "actors", "server"]
ONLY_FOR = {"config": {"config", "server"}}
SUFFIXES = {".hpp", ".cpp", ".h", ".c"}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def problem_with(folder: str, included: str) -> str | None:
    """What is wrong with `#include "included"` in a file of `folder`."""
    target = included.split("/")[0]
    if "/" not in included or target in {".", ".."}:
        return "is not written from the root of the repository"
    if target not in ORDER:
        return f"reaches {target}/, which is none of {', '.join(ORDER)}"
    if folder not in ONLY_FOR.get(target, ORDER):
        return f"reaches {target}/, which is for server/ alone"
    if ORDER.index(target) > ORDER.index(folder):
        return f"reaches upwards, from {folder}/ to {target}/"
    return None


def problems(root: pathlib.Path) -> list[str]:
    found = []
    for folder in ORDER:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            lines = file.read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines, start=1):
                match = INCLUDE.match(line)
                wrong = match and problem_with(folder, match[1])
                if wrong:
                    found.append(f"{file.relative_to(root)}:{number}: "
                                 f'"{match[1]}" {wrong}')
    return found


if __name__ == "__main__":
    wrong = problems(pathlib.Path(sys.argv[1]))
    print("\n".join(wrong) or "every folder keeps to those below it")
    sys.exit(1 if wrong else 0)
