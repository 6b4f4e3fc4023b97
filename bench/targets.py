# SPDX-License-Identifier: Apache-2.0
"""targets.py --build DIR [--json FILE] [--seconds S] [--filter TEXT[,TEXT...]]

What the in-process engine is held to: how many times as long as natively a
program may take.  Native and traced runs in turn, native first and last in every
other pair, so that a machine that gets slower does it to both.  Two times of each
run: of the program itself (bench/lap between tracer and program) and of the
whole command, start-up and delivery included.  Every timed run is counted: a
call that the program made and the run's own output does not have fails the row.
Exit 1 where a target is not met or a count is wrong."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

OWN, WHOLE = "own", "whole"
REPS_MIN, REPS_MAX = 5, 25
FEW = 200


class Row:
    """A command, its target, and the call that tells whether all was recorded: as many of it as the ptrace
    engine sees.  -c copies no arguments; recorded: with them, and what they point to.  A loop is asked for FEW
    rounds there, and for its own number less FEW more here."""

    def __init__(self, name, command, judged, target, marker, spans=(), share=1.0, loop=False, recorded=False):
        self.name, self.command, self.judged, self.target = name, command, judged, target
        self.marker, self.spans, self.share, self.loop, self.recorded = marker, spans, share, loop, recorded


def sources(tmp, files):
    """A make file and small C files, in git."""
    folder = os.path.join(tmp, "src")
    os.makedirs(folder)
    for i in range(files):
        with open(os.path.join(folder, f"f{i}.c"), "w", encoding="utf-8") as f:
            f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
                    f"int f{i}(int x) {{ char b[64]; snprintf(b, sizeof(b), \"%d\", x); return (int)strlen(b); }}\n")
    with open(os.path.join(folder, "Makefile"), "w", encoding="utf-8") as f:
        f.write("all: " + " ".join(f"f{i}.o" for i in range(12)) + "\n%.o: %.c\n\tgcc -O2 -c -o $@ $<\n")
    git = ["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "files"]):
        subprocess.run(git + words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def again(n, command):
    """A command n times, by a shell: for those that are over too soon to be timed alone."""
    return ["sh", "-c", f"i=0; while [ $i -lt {n} ]; do {command}; i=$((i + 1)); done"]


def rows(build, tmp, port):
    """The list, in the order of the table."""
    load = os.path.join(build, "bench/load")
    src = sources(tmp, 300)
    find = ["find", "/usr", "-xdev"]
    otlp = ("--otlp-endpoint", f"http://127.0.0.1:{port}")
    return [
        Row("getppid", [load, "syscall_heavy", "2000000"], OWN, 1.40, "getppid", loop=True),
        Row("access, 30 bytes", [load, "path_heavy", "1000000"], OWN, 1.20, "access", loop=True),
        Row("open read close", [load, "file_heavy", "200000"], OWN, 1.12, "read", loop=True),
        Row("find", find, WHOLE, 1.20, "newfstatat", share=1.5),
        Row("tar", ["tar", "cf", "/dev/null", "/usr/include"], WHOLE, 1.35, "newfstatat"),
        Row("dd bs=1", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=200000"], WHOLE, 1.50, "write"),
        Row("python3 imports", ["/usr/bin/python3", "-c", "import json, subprocess, email.parser, http.client, unittest"],
            WHOLE, 1.15, "openat"),
        Row("10 gcc -c", again(10, f"gcc -O2 -c -o /dev/null {src}/f0.c"), WHOLE, 1.20, "openat"),
        Row("20 git status", again(20, f"git -C {src} status -s"), WHOLE, 1.30, "newfstatat"),
        Row("make -j2, 12 gcc", ["make", "-j2", "-B", "-s", "-C", src], WHOLE, 1.20, "execve", share=1.5),
        Row("200 fork+exec", [load, "fork_heavy", "200"], WHOLE, 1.60, "execve", share=1.5),
        Row("access, recorded", [load, "path_heavy", "1000000"], OWN, None, "access", loop=True, recorded=True, share=0.5),
        Row("find, recorded", find, WHOLE, None, "newfstatat", recorded=True, share=0.5),
        Row("compute", [load, "compute_heavy", "300"], OWN, 1.01, "getppid", loop=True),
        Row("find, each a span", find, OWN, 1.45, None, spans=otlp + ("--detail", "full"), share=1.5),
        Row("find, each a span", find, WHOLE, 1.80, None, spans=otlp + ("--detail", "full"), share=0),
        Row("find, default budget", find, WHOLE, 1.25, None, spans=otlp, share=1.5),
    ]


def calls_of(table, marker):
    """The calls column of a -c table."""
    with open(table, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if words and words[-1] == marker:
                return int(words[3])
    return 0


def not_sent(text):
    """What the messages of a run that sends spans say was dropped or not recorded; 1 where they say nothing."""
    numbers = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:dropped|calls were not recorded)", text)]
    return sum(numbers) if re.search(r"[\d,]+ spans sent", text) and numbers else 1


class Runner:
    """Runs commands and times them."""

    def __init__(self, build, tmp):
        self.tracer, self.lap = os.path.join(build, "tracer"), os.path.join(build, "bench/lap")
        self.out, self.time, self.err = (os.path.join(tmp, n) for n in ("table", "lap", "err"))

    def once(self, prefix, command):
        """(own, whole) seconds; fails where the command does."""
        with open(self.err, "wb") as err:
            begin = time.perf_counter()
            rc = subprocess.run(list(prefix) + [self.lap, self.time] + command, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=err, check=False).returncode
            whole = time.perf_counter() - begin
        if rc != 0:
            with open(self.err, encoding="utf-8", errors="replace") as f:
                common.fail(f"{' '.join(list(prefix) + command)}: exit {rc}: {f.read().strip()}")
        with open(self.time, encoding="utf-8") as f:
            return int(f.read()) / 1e9, whole

    def prefix(self, row):
        """How the row is traced."""
        if row.spans:
            return [self.tracer, "--engine", "inproc"] + list(row.spans) + ["--"]
        if row.recorded:
            return [self.tracer, "-q", "--engine", "inproc", "-C", "-o", os.devnull, "--format", "record", "--"]
        return [self.tracer, "-q", "--engine", "inproc", "-c", "-o", self.out, "--"]

    def by_stops(self, row):
        """What the ptrace engine counts."""
        command = row.command[:-1] + [str(FEW)] if row.loop else row.command
        self.once([self.tracer, "-q", "--engine", "ptrace", "-c", "-o", self.out, "--"], command)
        return calls_of(self.out, row.marker) + (int(row.command[-1]) - FEW if row.loop else 0)

    def lost(self, row, expect):
        """Calls that the run which has just ended did not record."""
        if not row.spans:
            return expect - calls_of(self.err if row.recorded else self.out, row.marker)
        with open(self.err, encoding="utf-8", errors="replace") as f:
            return not_sent(f.read())


def measure(run, row, seconds):
    """Ratios of medians, own and whole; what was lost in the worst run."""
    run.once((), row.command)  # git writes its index
    expect = 0 if row.spans else run.by_stops(row)
    times = {(kind, traced): [] for kind in (OWN, WHOLE) for traced in (False, True)}
    run.once(run.prefix(row), row.command)
    lost, begin, pairs = 0, time.monotonic(), 0
    while pairs < REPS_MAX and (pairs < REPS_MIN or time.monotonic() - begin < seconds):
        for traced in ((False, True) if pairs % 2 else (True, False)):
            own, whole = run.once(run.prefix(row) if traced else (), row.command)
            times[OWN, traced].append(own)
            times[WHOLE, traced].append(whole)
            if traced:
                short = run.lost(row, expect)
                lost = short if abs(short) > abs(lost) else lost
        pairs += 1

    def ratio(kind, of):
        return of(times[kind, True]) / of(times[kind, False])
    return {"name": row.name, "pairs": pairs, "lost": lost, "expected": expect,
            "native_ms": 1e3 * common.median(times[WHOLE, False]), "traced_ms": 1e3 * common.median(times[WHOLE, True]),
            OWN: ratio(OWN, common.median), WHOLE: ratio(WHOLE, common.median),
            "own_min": ratio(OWN, min), "whole_min": ratio(WHOLE, min)}


def judge(row, result):
    """One line of the table."""
    value = result[row.judged]
    met = (not row.target or value <= row.target) and not result["lost"]
    most, word = (f"{row.target:.2f}", "yes" if met else "NO ") if row.target else ("", "" if met else "NO ")
    note = f"  {result['lost']} calls not recorded as they should be" if result["lost"] else ""
    print(f"{row.name:<22} {row.judged:<6} {most:>5} {value:>9.3f} {result[row.judged + '_min']:>8.3f}  "
          f"{word:<4} {result['pairs']:>3} {result['native_ms']:>9.1f} {result['traced_ms']:>9.1f}{note}", flush=True)
    return dict(result, judged=row.judged, target=row.target, met=met)


def strace_factor(run, build, seconds):
    """How much more time strace, on one CPU with the program, adds to a call."""
    load = os.path.join(build, "bench/load")
    few, many = [load, "syscall_heavy", "5000"], [load, "syscall_heavy", "2000000"]
    best = {}
    begin = time.monotonic()
    while time.monotonic() - begin < seconds or len(best) < 4:
        for key, prefix, command in (("few", (), few), ("strace", ["taskset", "-c", "1", "strace", "-f", "-o", "/dev/null"], few),
                                     ("many", (), many), ("tracer", [run.tracer, "-q", "--engine", "inproc", "-c", "-o", run.out], many)):
            own, _ = run.once(prefix, command)
            best[key] = min(best.get(key, own), own)
    theirs = (best["strace"] - best["few"]) / 5000
    ours = (best["tracer"] - best["many"]) / 2000000
    return theirs * 1e9, ours * 1e9


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--json")
    ap.add_argument("--seconds", type=float, default=16, help="for a row")
    ap.add_argument("--filter", default="")
    o = ap.parse_args()
    build = os.path.abspath(o.build)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    results, last = [], None
    with tempfile.TemporaryDirectory(dir=base, prefix="bench.") as tmp:
        sink = subprocess.Popen([os.path.join(build, "bench/otlp-null-sink"), "0"], stdout=subprocess.PIPE, text=True)
        try:
            run = Runner(build, tmp)
            print(f"{'':<22} {'time':<6} {'at most':>5} {'median':>7} {'of mins':>8}  {'met':<4} {'n':>3} {'native ms':>9} {'traced ms':>9}")
            for row in rows(build, tmp, sink.stdout.readline().strip()):
                if o.filter and not any(f in row.name for f in o.filter.split(",")):
                    continue
                if row.share:
                    last = measure(run, row, o.seconds * row.share)
                results.append(judge(row, last))
            if not o.filter and shutil.which("strace") and shutil.which("taskset"):
                theirs, ours = strace_factor(run, build, o.seconds / 2)
                met = theirs >= 150 * ours
                print(f"added to a getppid: {ours:.1f} ns; strace on one CPU {theirs:.0f} ns: {theirs / ours:.0f} times "
                      f"(at least 150): {'yes' if met else 'NO'}")
                results.append({"name": "strace", "added_ns": ours, "strace_ns": theirs, "met": met})
        finally:
            sink.terminate()
            sink.wait()
    if o.json:
        common.save(o.json, {"schema": 1, "host": common.host(os.path.join(build, "bench/bench")), "rows": results})
    bad = [r["name"] for r in results if not r["met"]]
    judged = [r for r in results if r.get("target", True)]
    print(f"{sum(r['met'] for r in judged)} of {len(judged)} met" + (": not " + ", ".join(bad) if bad else ""))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
