"""The command line as its own help tells it."""

import re

from broker import troupe


def section(text, title):
    """The indented lines below `title:`; those of wrapped text left out."""
    found = re.search(rf"^{title}:\n((?:  .*\n|\n)*)", text, re.M)
    lines = found[1].splitlines() if found else []
    return [x for x in lines if re.match(r"  \S", x)]


class Command:
    def __init__(self, words):
        text = troupe(*words, "--help").stdout
        self.words = words
        self.path = " ".join(["troupe", *words])
        self.below = [x.split()[0] for x in section(text, "Subcommands")]
        self.options = []
        for line in section(text, "Options"):
            names = line.split()[0].split(",")
            self.options += [x for x in names if x.startswith("-")]
        self.places = [x.split()[0] for x in section(text, "Positionals")]


def commands(words=()):
    """This command and all below it."""
    this = Command(words)
    found = [this]
    for word in this.below:
        found += commands((*words, word))
    return found
