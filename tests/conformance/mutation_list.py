"""How to break the broker so that it breaks one statement; see mutations.py."""

import collections

# row: "mqtt5 3.1.2-3"; what: for people; also: rows that state the same duty.
Mutation = collections.namedtuple(
    "Mutation", "row file search replacement what also", defaults=((),))

MUTATIONS = []

# Rows that no change of a line breaks alone, and why.
UNBREAKABLE = {}
