# SPDX-License-Identifier: Apache-2.0
"""Reads what valgrind --tool=callgrind writes (the format is described in
valgrind's manual, "Callgrind Format Specification"): own cost by function,
calls between functions, stacks for a flame graph."""
import collections
import re

_NAME = re.compile(r"^(fn|cfn|fl|fi|fe|ob|cob|cfi|cfl)=(?:\((\d+)\))?\s*(.*)$")


class Profile:
    """own[f]: instructions in f itself; calls[(a, b)]: [count, inclusive]; object[f]: its library."""

    def __init__(self):
        self.own = collections.Counter()
        self.calls = {}
        self.object = {}

    def total(self):
        return sum(self.own.values())


def _resolve(names, kind, number, text):
    if number is None:
        return text
    if text:
        names[(kind, number)] = text
    return names.get((kind, number), "?")


def parse(lines):
    """A Profile of the lines of a callgrind.out file."""
    p, names = Profile(), {}
    here = callee = obj = "?"
    pending = None
    for line in lines:
        line = line.rstrip("\n")
        m = _NAME.match(line)
        if m:
            key, number, text = m.groups()
            kind = "fn" if key in ("fn", "cfn") else "ob" if key in ("ob", "cob") else "fl"
            name = _resolve(names, kind, number, text)
            if key == "fn":
                here = name
                p.object.setdefault(here, obj)
            elif key == "cfn":
                callee = name
            elif key == "ob":
                obj = name
        elif line.startswith("calls="):
            pending = int(line[6:].split()[0])
        elif line and (line[0].isdigit() or line[0] in "+-*"):
            cost = int((line.split() + ["0", "0"])[1])
            if pending is None:
                p.own[here] += cost
            else:
                edge = p.calls.setdefault((here, callee), [0, 0])
                edge[0] += pending
                edge[1] += cost
                pending = None
    return p


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return parse(f)


def inclusive(p):
    """Own cost and that of everything called; recursion is counted once."""
    total = collections.Counter(p.own)
    for (a, b), (_, cost) in p.calls.items():
        if a != b:
            total[a] += cost
    return total


def fold(p, depth=40, least=0.0005):
    """Stacks "a;b;c" -> own cost: each function's cost shared out over its callers
    by what they caused, as gprof does it."""
    callees = collections.defaultdict(list)
    caused = collections.Counter()
    for (a, b), (_, cost) in p.calls.items():
        if a != b:
            callees[a].append((b, cost))
            caused[b] += cost
    whole, incl = p.total(), inclusive(p)
    out = collections.Counter()

    def walk(f, path, share):
        if f in path or len(path) >= depth:
            return
        path = path + (f,)
        own = p.own[f] * share
        if own >= 1:
            out[";".join(path)] += int(own)
        for b, cost in callees[f]:
            if cost * share >= least * whole and caused[b]:
                walk(b, path, share * cost / max(incl[b], caused[b]))

    for f in set(p.own) | set(callees):
        rest = incl[f] - caused[f]
        if rest > 0.001 * whole and incl[f] > 0:
            walk(f, (), rest / incl[f])
    return out
