# SPDX-License-Identifier: Apache-2.0
"""suite.py --build DIR --json FILE [--quick] [--budget S] [--peers] [--scales] [--filter TEXT[,TEXT...]]

Whole processes: fixtures and real commands, natively, under tracer with its
outputs and settings, and under other tracers, in turn within a repetition
(bench/ratio).  Each timed run is counted afterwards: who lost how many events.
A peer that cannot run here is named.  --scales: 1 K to 10 M calls, with the growth
of cost and memory fitted; an exponent over 1.1 is a finding."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

SUPERLINEAR = 1.1
# Seconds after which a run of a few seconds at the most is given up; longer ones: at 20 000 calls a second.
HUNG = 60

# name, N quick, N, marker call, markers a round
FIXTURES = [
    ("syscall_heavy", 5000, 40000, "getppid", 1),
    ("compute_heavy", 100, 600, "getppid", 1),
    ("io_heavy", 150, 1500, "pwrite64", 4),
    ("fork_heavy", 25, 100, "wait4", 1),
    ("multi_thread", 2000, 8000, "getppid", 1),
    ("net_heavy", 500, 4000, "sendto", 2),
]


def commands(folder):
    """Real programs on inputs of a known size: (name, command, quick too)."""
    os.makedirs(os.path.join(folder, "src"), exist_ok=True)
    for i in range(4):
        with open(os.path.join(folder, f"src/f{i}.c"), "w", encoding="utf-8") as f:
            f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
                    f"int f{i}(int x) {{ char b[64]; snprintf(b, sizeof(b), \"%d\", x); return (int)strlen(b); }}\n")
    objects = " ".join(f"f{i}.o" for i in range(4))
    with open(os.path.join(folder, "src/Makefile"), "w", encoding="utf-8") as f:
        f.write(f"all: {objects}\n%.o: %.c\n\tgcc -O2 -c -o $@ $<\n")
    source = os.path.join(folder, "src")
    run = ["git", "-C", source, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run(["git", "init", "-q", source], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(run + ["add", "."], check=False)
    subprocess.run(run + ["commit", "-qm", "files"], check=False)
    return [
        ("true", ["true"], True),
        ("find", ["find", "/usr/include", "-type", "f"], True),
        ("tar", ["tar", "cf", "/dev/shm/bench.tar", "-C", "/usr/include", "linux"], False),
        ("git", ["git", "-C", source, "log", "--stat"], False),
        ("gcc", ["gcc", "-O2", "-c", "-o", "/dev/null", os.path.join(source, "f0.c")], True),
        ("python3", ["/usr/bin/python3", "-c", "import json, subprocess, email.parser"], False),
        ("make", ["make", "-j2", "-B", "-s", "-C", source], False),
    ]


def lines_with(marker, path, pattern="{0}("):
    return f"grep -c -F '{pattern.format(marker)}' {path} || true"


def of_summary(marker, path):
    """The calls column of a -c table: the line that names the call."""
    return f"awk '$NF == \"{marker}\" {{n = $4}} END {{print n + 0}}' {path}"


def of_exit_line(marker_count, path):
    """From the exit line: markers, less what was dropped; nothing where calls are fewer than markers."""
    return (f"sed 's/,//g' {path} | awk '/ after .*calls/ {{for (i = 2; i <= NF; i++) {{if ($i ~ /^calls/ && $(i-1) ~ /^[0-9]+$/ && !c) c = $(i-1); "
            f"if ($i ~ /^dropped/) d = $(i-1)}}}} END {{m = {marker_count}; print (c < m ? c : m) - d}}'")


class Variant:
    """A way to run a command: prefix, and how its events are counted."""

    def __init__(self, name, prefix, count=None, err=None, quick=True, fixtures=False):
        self.name, self.prefix, self.count, self.err, self.quick = name, prefix, count, err, quick
        self.fixtures = fixtures  # it can only be asked for those


def ours(tracer, port, tmp, marker, n):
    """tracer itself: outputs, detail, presets, engines."""
    otlp = [tracer, "--otlp-endpoint", f"http://127.0.0.1:{port}"]
    err = os.path.join(tmp, "err")

    def spans(name, *options, quick=False):
        return Variant(name, otlp + list(options) + ["--"], of_exit_line(n, err), err, quick)
    text, table = os.path.join(tmp, "ours.txt"), os.path.join(tmp, "ours.c")
    out = [
        Variant("text", [tracer, "-qq", "--engine", "ptrace", "-o", text, "--"], lines_with(marker, text) if marker else None),
        Variant("text_null", [tracer, "-qq", "--engine", "ptrace", "--format", "text", "-o", "/dev/null", "--"], quick=False),
        Variant("summary", [tracer, "-q", "--engine", "ptrace", "-c", "-o", table, "--"], of_summary(marker, table) if marker else None),
        spans("otlp_full", "--engine", "ptrace", "--detail", "full", quick=True),
        spans("otlp_auto", "--engine", "ptrace", "--detail", "auto", quick=True),
        spans("otlp_full_compute", "--engine", "ptrace", "--detail", "full", "--compute"),
        spans("otlp_full_plain", "--engine", "ptrace", "--detail", "full", "--otlp-compression", "none"),
        spans("otlp_low_latency", "--engine", "ptrace", "--detail", "full", "--perf-mode", "low-latency"),
        spans("otlp_aggressive", "--engine", "ptrace", "--detail", "full", "--perf-mode", "aggressive"),
        spans("otlp_no_pool", "--engine", "ptrace", "--detail", "full", "--span-pool-disable"),
        Variant("selected_out", [tracer, "-qq", "--engine", "ptrace", "-e", "trace=reboot", "-o", "/dev/null", "--format", "text", "--"]),
        Variant("inproc_summary", [tracer, "-q", "--engine", "inproc", "-c", "-o", table, "--"],
                of_summary(marker, table) if marker else None),
        Variant("inproc_text", [tracer, "-qq", "--engine", "inproc", "-o", text, "--"], lines_with(marker, text) if marker else None),
        spans("inproc_otlp_full", "--engine", "inproc", "--detail", "full", quick=True),
        spans("inproc_otlp_auto", "--engine", "inproc", "--detail", "auto"),
    ]
    for v in out:
        if not marker and v.name not in ("text", "text_null", "summary"):
            v.count = None
    return out


def peers(tmp, marker):
    """Other tracers, each writing where it can be counted."""
    f = {n: os.path.join(tmp, n) for n in ("strace", "pinned", "bpf", "perf", "ltrace", "bt", "data", "renacer")}

    def lines(name, pattern="{0}("):
        return lines_with(marker, f[name], pattern) if marker else None
    out = [
        Variant("strace", ["strace", "-f", "-qq", "-o", f["strace"]], lines("strace")),
        Variant("strace_pinned", ["taskset", "-c", "1", "strace", "-f", "-qq", "-o", f["pinned"]], lines("pinned")),
        Variant("strace_bpf_selected_out", ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=reboot", "-o", "/dev/null"]),
        Variant("perf_trace", ["perf", "trace", "-o", f["perf"]], lines("perf", " {0}(")),
        Variant("perf_record", ["perf", "record", "-q", "-e", "raw_syscalls:*", "-o", f["data"]]),
        # ltrace leaves out the 64 of pwrite64.
        Variant("ltrace_S", ["ltrace", "-f", "-S", "-L", "-o", f["ltrace"]],
                lines_with(marker.replace("pwrite64", "pwrite"), f["ltrace"], "SYS_{0}(") if marker else None),
        Variant("uftrace", ["uftrace", "record", "--force", "-d", os.path.join(tmp, "uftrace")]),
    ]
    out.append(bpftrace(tmp, marker))
    renacer = os.environ.get("RENACER") or shutil.which("renacer") or "renacer"
    out.append(Variant("renacer", [renacer, "-f", "--"]))
    return out


NUMBERS = {"getppid": 110, "pwrite64": 18, "wait4": 61, "sendto": 44}


def bpftrace(tmp, marker):
    """One line a call of the fixtures; bpftrace takes a command as one argument, and sees the whole machine."""
    script, out = os.path.join(tmp, "bpftrace.sh"), os.path.join(tmp, "bt")
    with open(script, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nexec bpftrace -q -o " + out + """ -e 'tracepoint:raw_syscalls:sys_exit /comm == "load"/ """
                """{ printf("%d %ld %ld\\n", tid, args->id, args->ret); }' -c "$*"\n""")
    os.chmod(script, 0o755)
    return Variant("bpftrace", [script], lines_with(marker, out, f" {NUMBERS[marker]} ") if marker else None, fixtures=True)


REASONS = {
    "uftrace": "records functions of instrumented programs, no system calls",
}


def probe(variants, tmp):
    """Those that can run true(1) here, and why the others cannot."""
    good, missing = [], []
    for v in variants:
        if v.name in REASONS:
            missing.append({"variant": v.name, "why": REASONS[v.name]})
            continue
        rc, out, err = common.run(v.prefix + ["/bin/true"], timeout=20, cwd=tmp)
        if rc == 0:
            good.append(v)
        else:
            why = (err or out).strip().splitlines()
            missing.append({"variant": v.name, "why": "not installed" if rc == 127 else f"exit {rc}: {why[-1] if why else 'no message'}"})
    return good, missing


class Ratio:
    """Runs bench/ratio within what is left of the budget."""

    def __init__(self, build, tmp, budget):
        self.program, self.tmp, self.budget = os.path.join(build, "bench/ratio"), tmp, budget

    def run(self, name, command, variants, reps, expect):
        out = os.path.join(self.tmp, "ratio.json")
        argv = [self.program, "--reps", str(reps), "--json", out, "--name", name, "--expect", str(expect), "--limit", str(max(HUNG, expect // 20000))]
        for v in variants:
            argv += ["--variant", f"{v.name}={' '.join(v.prefix)}"]
            if v.count:
                argv += ["--count", f"{v.name}={v.count}"]
            if v.err:
                argv += ["--err", f"{v.name}={v.err}"]
        if os.path.exists(out):
            os.unlink(out)
        rc, text, err = common.run(argv + ["--"] + command, timeout=self.budget.left() + 5, cwd=self.tmp)
        print(f"-- {name}{' (cut: no time left)' if rc == 124 else ''}\n{text}{err}", flush=True)
        if not os.path.exists(out):
            return {"name": name, "results": [], "cut": rc == 124, "status": rc}
        result = common.load(out)
        for r in result["results"]:
            us = (r["wall_ms"] - result["results"][0]["wall_ms"]) * 1000
            if expect:
                r["added_us_per_marker"] = us / expect
        result.pop("host", None)
        return result


def run_workload(ratio, name, command, variants, expect, share, most):
    """Once to see how long it takes, then as often as fits the share of the budget."""
    begin = time.monotonic()
    first = ratio.run(name, command, variants, 1, expect)
    took = max(time.monotonic() - begin, 0.01)
    reps = min(most, int(min(share, 0.8 * ratio.budget.left()) / took) - 1)
    if reps < 2 or not first["results"]:
        return first
    again = ratio.run(name, command, variants, reps, expect)
    return again if again["results"] else first


def run_all(o, ratio, tracer, port, tmp, filtered):
    """Fixtures, then commands."""
    jobs = []
    for name, quick, full, marker, factor in FIXTURES:
        n = quick if o.quick else full
        jobs.append((name, [os.path.join(os.path.abspath(o.build), "bench/load"), name, str(n)], marker, n * factor))
    jobs += [(n, c, None, 0) for n, c, quick in commands(tmp) if quick or not o.quick]
    jobs = [j for j in jobs if not o.filter or any(f in j[0] for f in o.filter.split(","))]
    out, missing = [], {}
    for i, (name, command, marker, expect) in enumerate(jobs):
        every = ours(tracer, port, tmp, marker, expect) + (peers(tmp, marker) if o.peers or not o.quick else peers(tmp, marker)[:2])
        every = [v for v in every if (v.quick or not o.quick) and (marker or not v.fixtures)]
        good, bad = filtered(every)
        missing.update({b["variant"]: b["why"] for b in bad})
        if ratio.budget.over():
            out.append({"name": name, "results": [], "cut": True})
            continue
        out.append(run_workload(ratio, name, command, good, expect, ratio.budget.left() / (len(jobs) - i), 3 if o.quick else 9))
        out[-1]["calls"] = expect
        for v in out[-1].get("hung", []):
            missing[v] = (missing[v] + ", " if v in missing else f"did not end within {HUNG} s on ") + name
    return out, [{"variant": k, "why": v} for k, v in missing.items()]


def fit(scales, variant, key):
    """[(N, value)] of a variant over the scales, and the exponent."""
    points = []
    for s in scales:
        native = next((r for r in s["results"] if r["variant"] == "native"), None)
        r = next((r for r in s["results"] if r["variant"] == variant), None)
        if native and r:
            points.append((s["calls"], r[key] - native[key] if key == "wall_ms" else r[key]))
    return points, common.exponent(points)


def scales(quick):
    """(calls, variants, repetitions).  What is recorded in process first: by stops, a million calls take minutes where the CPUs are idle in between."""
    inproc, stops = ("inproc_summary", "inproc_otlp_full", "strace_pinned"), ("summary", "otlp_full", "otlp_auto")
    small = [(1000, stops + inproc, 3), (10000, stops + inproc, 3), (100000, stops + inproc, 1 if not quick else 3)]
    return small if quick else small + [(1000000, inproc, 1), (10000000, inproc[:2], 1), (1000000, stops, 1), (10000000, stops[:1], 1)]


def seconds_of(n, names, walls):
    """What a row will take, by the largest that was run: no beginning of what cannot be ended."""
    return sum(walls[v][1] / 1000 * n / walls[v][0] for v in names if v in walls)


def run_scales(o, ratio, tracer, port, tmp, filtered):
    """Cost and memory as the number of calls grows."""
    out, walls = [], {}
    for n, names, reps in scales(o.quick):
        variants, _ = filtered([v for v in ours(tracer, port, tmp, "getppid", n) + peers(tmp, "getppid") if v.name in names])
        if seconds_of(n, names, walls) * reps > ratio.budget.left():
            print(f"scale {n} {', '.join(names)}: no time left")
            continue
        r = ratio.run(f"scale_{n}", [os.path.join(os.path.abspath(o.build), "bench/load"), "syscall_heavy", str(n)], variants, reps, n)
        walls.update({x["variant"]: (n, x["wall_ms"]) for x in r["results"]})
        r["calls"] = n
        out.append(r)
    growth = []
    for name in scales(True)[0][1]:
        for key in ("wall_ms", "maxrss_kib"):
            # Start-up is not growth: from 10 K on.
            points, e = fit([s for s in out if s["calls"] >= 10000], name, key)
            if e is not None:
                growth.append({"variant": name, "metric": key, "points": points, "exponent": e, "superlinear": e > SUPERLINEAR})
                print(f"growth  {name:<20} {key:<11} N^{e:.2f}{'  SUPER-LINEAR' if e > SUPERLINEAR else ''}")
    return out, growth


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--json", required=True)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--peers", action="store_true")
    ap.add_argument("--scales", action="store_true")
    ap.add_argument("--budget", type=float, default=600)
    ap.add_argument("--filter", default="")
    o = ap.parse_args()
    tracer = os.path.abspath(os.path.join(o.build, "tracer"))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    cache = {}
    with tempfile.TemporaryDirectory(dir=base, prefix="bench.") as tmp:
        sink = subprocess.Popen([os.path.join(o.build, "bench/otlp-null-sink"), "0"], stdout=subprocess.PIPE, text=True)
        try:
            port = sink.stdout.readline().strip()

            def filtered(variants):
                for v in variants:
                    if v.name not in cache:
                        good, bad = probe([v], tmp)
                        cache[v.name] = bad[0] if bad else None
                return [v for v in variants if not cache[v.name]], [cache[v.name] for v in variants if cache[v.name]]
            ratio = Ratio(os.path.abspath(o.build), tmp, common.Budget(o.budget))
            data = {"schema": 1, "quick": o.quick, "host": common.host(os.path.join(o.build, "bench/bench"))}
            if o.scales:
                data["scales"], data["growth"] = run_scales(o, ratio, tracer, port, tmp, filtered)
            else:
                data["workloads"], data["missing"] = run_all(o, ratio, tracer, port, tmp, filtered)
                for m in data["missing"]:
                    print(f"missing {m['variant']}: {m['why']}")
            common.save(o.json, data)
        finally:
            sink.terminate()
            sink.wait()


if __name__ == "__main__":
    main()
