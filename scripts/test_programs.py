#!/usr/bin/env python3
"""Prints the programs of the tests whose label matches a regular expression,
relative to the build folder: what ninja calls its targets. The test files that
CMake wrote are read themselves, since ctest names only programs that exist."""

import pathlib
import re
import sys

NAME = r'(?:\[=*\[(?P<bracket>.*?)\]=*\]|"(?P<quoted>[^"]*)"|(?P<bare>[^\s")]+))'
ADD_TEST = re.compile(r"^add_test\(" + NAME + r'\s+"(?P<program>[^"]*)"', re.M)
LABELS = re.compile(
    r"^set_tests_properties\(" + NAME
    + r'\s+PROPERTIES\s.*?\bLABELS "(?P<labels>[^"]*)"', re.M)


def name_of(match: re.Match) -> str:
    return match["bracket"] or match["quoted"] or match["bare"]


def programs(build: pathlib.Path, label: str) -> list[str]:
    found = set()
    for file in build.rglob("CTestTestfile.cmake"):
        text = file.read_text()
        wanted = {name_of(m) for m in LABELS.finditer(text)
                  if any(re.search(label, x) for x in m["labels"].split(";"))}
        for match in ADD_TEST.finditer(text):
            program = pathlib.Path(match["program"])
            if name_of(match) in wanted and program.is_relative_to(build / "bin"):
                found.add(str(program.relative_to(build)))
    return sorted(found)


if __name__ == "__main__":
    for name in programs(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]):
        print(name)
