# SPDX-License-Identifier: Apache-2.0
"""curves.py --build DIR --json FILE [--quick] [--budget S] [--filter TEXT]

One setting at a time: the same program, every value of the setting in turn
within a repetition (bench/ratio), everything else as it is by default.  And
threads: the same number of calls, made by more and more threads.  Each run is
counted: what a value loses is a row of the result."""
import argparse
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import suite  # noqa: E402

# A cost a call that many threads raise to more than this, times that of one thread, is a finding.
THREADS_WORSE = 2.0

# name, option, values, fixture, N quick, N, markers a round, other options, the collector's delay in ms
SETTINGS = [
    ("strsize", "-s", ("0", "32", "256", "4096"), "io_heavy", 200, 1500, "pwrite64", 4, ("--otlp-buffers",), 0),
    ("ring_size", "--ring-size", ("64K", "256K", "1M", "4M", "16M"), "syscall_heavy", 20000, 400000, "getppid", 1, (), 0),
    ("span_pool_size", "--span-pool-size", ("256", "1024", "4096", "16384"), "syscall_heavy", 20000, 400000, "getppid", 1, (), 0),
    ("batch_size", "--otlp-batch-size", ("32", "128", "512", "2048"), "syscall_heavy", 20000, 400000, "getppid", 1, (), 0),
    ("compression", "--otlp-compression", ("none", "gzip"), "syscall_heavy", 20000, 400000, "getppid", 1, (), 0),
    # A collector that takes 10 ms an answer: 51 200 spans a second at most.
    ("overflow", "--overflow", ("block", "drop"), "syscall_heavy", 20000, 100000, "getppid", 1, (), 10),
]
THREADS = (1, 2, 4, 8, 16, 32)


class Sinks:
    """Receivers by their delay, started when first asked for."""

    def __init__(self, build):
        self.program, self.running = os.path.join(build, "bench/otlp-null-sink"), {}

    def port(self, delay):
        if delay not in self.running:
            p = subprocess.Popen([self.program, "0", str(delay)], stdout=subprocess.PIPE, text=True)
            self.running[delay] = (p, p.stdout.readline().strip())
        return self.running[delay][1]

    def stop(self):
        for p, _ in self.running.values():
            p.terminate()
            p.wait()


def spans(tracer, port, tmp, markers, name, options):
    """Every call a span, in process: what is left to see is the settings, not the stops."""
    err = os.path.join(tmp, "err")
    argv = [tracer, "--otlp-endpoint", f"http://127.0.0.1:{port}", "--engine", "inproc", "--detail", "full"] + list(options) + ["--"]
    return suite.Variant(name, argv, suite.of_exit_line(markers, err), err)


def points(result):
    return [{"value": r["variant"], "wall_ms": r["wall_ms"], "ratio": r["ratio"], "maxrss_kib": r["maxrss_kib"],
             "lost_most": r.get("lost_most", 0), "us_per_marker": r.get("added_us_per_marker")}
            for r in result["results"] if r["variant"] != "native"]


def settings(o, ratio, sinks, tracer, tmp):
    out = []
    for name, option, values, fixture, quick, full, marker, factor, others, delay in SETTINGS:
        if o.filter not in name or ratio.budget.over():
            continue
        n = quick if o.quick else full
        port = sinks.port(delay)
        variants = [spans(tracer, port, tmp, n * factor, v, (option, v) + others) for v in values]
        r = ratio.run(name, [os.path.join(os.path.abspath(o.build), "bench/load"), fixture, str(n)], variants, 1 if o.quick else 3, n * factor)
        out.append({"setting": name, "option": option, "fixture": fixture, "calls": n * factor, "marker": marker, "collector_ms": delay,
                    "points": points(r)})
    return out


def threads(o, ratio, sinks, tracer, tmp):
    """The same calls on more threads: [{variant, points: [(threads, added us a marker)]}]."""
    n = 9600 if o.quick else 96000
    found = {}
    for t in THREADS:
        if ratio.budget.over() or o.filter not in "threads":
            break
        table = os.path.join(tmp, "ours.c")
        variants = [suite.Variant("inproc_summary", [tracer, "-q", "--engine", "inproc", "-c", "-o", table, "--"], suite.of_summary("getppid", table)),
                    spans(tracer, sinks.port(0), tmp, n, "inproc_otlp_full", ())]
        if t in (1, 4, 32):  # by stops: a few seconds each
            variants.append(suite.Variant("summary", [tracer, "-q", "--engine", "ptrace", "-c", "-o", table, "--"], suite.of_summary("getppid", table)))
        r = ratio.run(f"threads_{t}", [os.path.join(os.path.abspath(o.build), "bench/load"), "multi_thread", str(n), str(t)], variants,
                      3, n)
        for p in points(r):
            found.setdefault(p["value"], []).append({"threads": t, "us_per_marker": p["us_per_marker"], "lost_most": p["lost_most"],
                                                     "maxrss_kib": p["maxrss_kib"]})
    return [{"variant": k, "points": v, "worse": worse(v)} for k, v in found.items()]


def worse(p):
    """True where the most expensive number of threads costs more than THREADS_WORSE times what one thread costs."""
    first = p[0]["us_per_marker"] if p else None
    return bool(first and first > 0 and max(x["us_per_marker"] for x in p) > THREADS_WORSE * first)


def show(curves, lines):
    for c in curves:
        print(f"{c['setting']} ({c['option']}; {c['fixture']}, {c['calls']} {c['marker']})")
        for p in c["points"]:
            print(f"  {p['value']:>8} {p['wall_ms']:9.1f} ms {p['ratio']:7.2f} x native {p['maxrss_kib'] / 1024:7.1f} MB  lost {p['lost_most']}")
    for t in lines:
        print(f"threads, {t['variant']}: " + ", ".join(f"{p['threads']}: {p['us_per_marker']:.2f} us" for p in t["points"]) +
              ("  WORSE" if t["worse"] else ""))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--json", required=True)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--budget", type=float, default=300)
    ap.add_argument("--filter", default="")
    o = ap.parse_args()
    tracer = os.path.abspath(os.path.join(o.build, "tracer"))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="bench.") as tmp:
        sinks = Sinks(o.build)
        try:
            ratio = suite.Ratio(os.path.abspath(o.build), tmp, common.Budget(o.budget))
            data = {"schema": 1, "quick": o.quick, "host": common.host(os.path.join(o.build, "bench/bench")),
                    "settings": settings(o, ratio, sinks, tracer, tmp), "threads": threads(o, ratio, sinks, tracer, tmp)}
        finally:
            sinks.stop()
    show(data["settings"], data["threads"])
    common.save(o.json, data)


if __name__ == "__main__":
    main()
