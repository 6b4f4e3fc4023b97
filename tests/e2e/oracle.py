#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what strace -f and tracer --format json saw of two runs of a program.

usage: oracle.py STRACE_FILE JSON_FILE

For every task, found by its place in the tree of births, the sequence of
(call, result) must be the same.  Results that differ from run to run by
nature are masked: addresses become "addr", ids of tasks their place in the
tree, a clock's value "n".  Prints the first differences; exit status 1.
"""
import difflib
import json
import re
import sys

ADDRESS = {"mmap", "mmap2", "brk", "mremap", "shmat"}
CLOCK = {"times", "time"}
# What it returns is the register it restores, which strace shows and a record does not have.
SILENT = {"rt_sigreturn", "sigreturn"}
BIRTH = {"fork", "vfork", "clone", "clone3"}
TASK_ID = BIRTH | {"getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "setsid", "set_tid_address",
                   "wait4", "waitpid"}


def from_strace(path):
    """[(tid, name, result)] in the order of returns; result is an int, an errno's name, or None."""
    calls, begun = [], {}
    for line in open(path, errors="replace"):
        m = re.match(r"(\d+) +(.*)", line)
        if not m or m.group(2).startswith(("+++", "---", "[ Process", "strace:")):
            continue
        tid, text = int(m.group(1)), re.sub(r"^\[ Process PID=\d+ runs in .*? mode\. \] *", "", m.group(2))
        if text.startswith("<... "):
            name = re.match(r"<\.\.\. (\w+) resumed>", text).group(1)
            begun.pop(tid, None)
        else:
            name = re.match(r"\w+", text).group(0)
        if text.endswith("<unfinished ...>"):
            if begun.pop(tid, None) is not None:
                sys.exit(f"{path}: two unfinished calls of {tid}")
            begun[tid] = name
            continue
        calls.append((tid, name, strace_result(text)))
    for tid, name in begun.items():     # never resumed: the task died in it
        calls.append((tid, name, None))
    return calls


def strace_result(text):
    m = re.search(r"\) += (\S+)(?: (E[A-Z0-9_]+))?(?: .*)?$", text)
    if not m:
        sys.exit(f"not understood: {text}")
    if m.group(2) and m.group(1) in ("-1", "?"):
        return m.group(2)
    if m.group(1) == "?":
        return None
    return int(m.group(1), 8 if re.fullmatch("0[0-7]+", m.group(1)) else 0)


def from_tracer(path):
    calls = []
    for line in open(path):
        call = json.loads(line)
        if call["type"] == "call":
            calls.append((call["tid"], call["name"], call["error"] if "error" in call else call["ret"]))
    return calls


def births(calls):
    """{tid: place in the tree}; the first task is the root."""
    of = {}
    for tid, name, result in calls:
        of.setdefault(tid, [])
        if name in BIRTH and isinstance(result, int) and result > 0:
            of[tid].append(result)
    place, todo = {}, [(calls[0][0], "0")]
    while todo:
        tid, where = todo.pop()
        place[tid] = where
        todo += [(child, f"{where}.{i}") for i, child in enumerate(of.get(tid, []))]
    return place


def masked(name, result, place):
    if name in SILENT:
        return "?"
    if not isinstance(result, int):
        return "?" if result is None else result
    if name in ADDRESS:
        return "addr"
    if name in CLOCK:
        return "n"
    if name in TASK_ID and result > 0:
        return "task " + place.get(result, "outside")
    return str(result)


def sequences(calls):
    place, tasks = births(calls), {}
    for tid, name, result in calls:
        tasks.setdefault(place.get(tid, "unknown"), []).append(f"{name} = {masked(name, result, place)}")
    return tasks


def main():
    strace, tracer = sequences(from_strace(sys.argv[1])), sequences(from_tracer(sys.argv[2]))
    wrong = 0
    for place in sorted(set(strace) | set(tracer)):
        diff = list(difflib.unified_diff(strace.get(place, []), tracer.get(place, []), "strace", "tracer",
                                         lineterm="", n=2))
        if diff:
            wrong += 1
            print(f"task {place}:", *diff[:24], sep="\n    ")
    print(f"{len(strace)} tasks, {sum(map(len, strace.values()))} calls, {wrong} tasks differ")
    sys.exit(wrong > 0)


main()
