# SPDX-License-Identifier: Apache-2.0
"""profile.py --build DIR --out DIR [--budget S] [--memory]

Where the CPU goes: the tracer is sampled (perf, software clock) while it traces
a fixture and exports every call; samples are put down to the module whose code
the stack is in.  Without perf, callgrind runs the hot paths instead.  Writes
profile.json, profile.txt, *.folded, *.svg.
--memory: massif instead; the peak, and what was allocated by whom."""
import argparse
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import callgrind  # noqa: E402
import common  # noqa: E402
import flamegraph  # noqa: E402
import gate  # noqa: E402

# Where a module's time is put down.
PARTS = {"engine": "engine", "tracee": "engine", "arch": "engine", "agent": "engine", "ring": "ring",
         "capture": "capture", "decode": "decode", "syscalls": "decode", "symbol": "decode", "stats": "fold",
         "span": "span", "session": "consumer", "sink": "sink", "cli": "cli", "base": "base", "collect": "collect"}
EXPORT = (("gzip", "gzip"), ("otlp_encode", "encode"), ("otlp_json", "encode"), ("batch_processor", "queue"),
          ("span_queue", "queue"), ("wake", "queue"))
LIBRARIES = (("libz.", "gzip"), ("libdeflate", "gzip"), ("libisal", "gzip"), ("libcurl", "network"), ("libssl", "network"),
             ("libcrypto", "network"), ("libgnutls", "network"), ("ld-linux", "start-up"), ("libprotobuf", "encode"))
ORDER = ("engine", "capture", "ring", "consumer", "decode", "fold", "span", "queue", "encode", "gzip", "network", "sink",
         "start-up", "other")
CASES = (("span_creation", 3200), ("fold_mixed", 16000), ("decode", 3200), ("protobuf_encoding", 80), ("ring_set", 8000),
         ("batch_export", 80))


def part_of_object(path):
    """src/export/.libs/gzip_zlib.o -> gzip"""
    pieces = path.replace("/.libs", "").split("/")
    module, name = pieces[-2], pieces[-1]
    if module == "export":
        return next((p for prefix, p in EXPORT if name.startswith(prefix)), "network")
    return PARTS.get(module)


def symbols(build):
    """Function -> part, from the object files of the build."""
    out = {}
    objects = glob.glob(os.path.join(build, "src/*/*.o")) + glob.glob(os.path.join(build, "src/*/.libs/*.o"))
    for o in objects:
        part = part_of_object(o)
        for line in common.run(["nm", "--defined-only", o])[1].splitlines() if part else []:
            f = line.split()
            if len(f) == 3 and f[1] in "tT":
                out.setdefault(re.sub(r"\.(part|isra|constprop|cold).*", "", f[2]), part)
    return out


def is_own(dso):
    """The program or its library."""
    return "tracer" in os.path.basename(dso)


def classify(stack, own):
    """stack: (symbol, dso) from leaf to root.  The innermost code that is ours or a known library's."""
    for symbol, dso in stack:
        name = re.sub(r"\.(part|isra|constprop|cold).*", "", symbol)
        if is_own(dso) and name in own:
            return own[name]
        for prefix, part in LIBRARIES:
            if prefix in dso:
                return part
    return "other"


def parse_script(lines):
    """Samples of `perf script -F comm,pid,tid,ip,sym,dso`: (comm, tid, [(symbol, dso)...])."""
    head, stack = None, []
    for line in lines:
        line = line.rstrip("\n")
        if line and not line[0].isspace():
            m = re.match(r"(.+?)\s+(\d+)/(\d+)", line)
            head, stack = (m.group(1).strip(), int(m.group(3))) if m else None, []
        elif line.strip():
            m = re.match(r"\s+[0-9a-f]+ (.+) \((.*)\)$", line)
            if m:
                stack.append((m.group(1), m.group(2)))
        elif head and stack:
            yield head[0], head[1], stack
            head, stack = None, []
    if head and stack:
        yield head[0], head[1], stack


def resolve_inlined(stack):
    """perf names the library only on the outermost of inlined frames: give it to the inner ones."""
    out, dso = [], ""
    for symbol, where in reversed(stack):
        dso = where if where != "inlined" else dso
        out.append((symbol, dso))
    return out[::-1]


def account(samples, own):
    """Shares by part, hot functions, folded stacks, samples by thread; of the tracer alone."""
    parts, hot, folded, threads = (collections.Counter() for _ in range(4))
    for comm, tid, stack in samples:
        if not comm.startswith("tracer"):
            continue
        stack = resolve_inlined(stack)
        part = classify(stack, own)
        parts[part] += 1
        threads[tid] += 1
        hot[stack[0][0]] += 1
        names = []
        for symbol, dso in reversed(stack):
            names.append(symbol + ("_[k]" if "kernel" in dso else "`" if is_own(dso) else "_[l]"))
        folded[f"{part};" + ";".join(n.replace(";", ":") for n in names)] += 1
    return parts, hot, folded, threads


def sample(build, out, name, options, command, port, frequency=997):
    """One perf recording of the tracer; None where perf cannot."""
    tracer = os.path.join(build, "tracer")
    data = os.path.join(out, name + ".perf")
    rc, _, err = common.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(frequency), "--call-graph", "dwarf,8192",
                             "-o", data, tracer, "--otlp-endpoint", f"http://127.0.0.1:{port}"] + options + ["--"] + command, timeout=90)
    if rc != 0 or not os.path.exists(data):
        return None, f"perf record: exit {rc}: {err.strip()[-200:]}"
    text = common.run(["perf", "script", "-i", data, "-F", "comm,pid,tid,ip,sym,dso"], timeout=120)[1]
    os.unlink(data)
    parts, hot, folded, threads = account(parse_script(text.splitlines()), symbols(build))
    total = sum(parts.values())
    if not total:
        return None, "perf record: no samples of the tracer"
    write_flame(out, name, folded, f"tracer {' '.join(options)} - {name}")
    m = re.search(r"after ([\d.]+) (m?s)", err)
    wall = float(m.group(1)) / (1000 if m.group(2) == "ms" else 1) if m else None
    return {"workload": name, "options": options, "samples": total,
            "parts": [{"part": p, "percent": 100 * parts[p] / total} for p in ORDER + tuple(set(parts) - set(ORDER)) if parts[p]],
            "waiting": [{"thread": i, "busy_percent": 100 * n / frequency / wall} for i, (_, n) in enumerate(threads.most_common())] if wall else [],
            "hot": [{"function": f, "percent": 100 * n / total} for f, n in hot.most_common(20)]}, None


def write_flame(out, name, folded, title):
    lines = [f"{stack} {n}" for stack, n in sorted(folded.items())]
    with open(os.path.join(out, name + ".folded"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    svg = flamegraph.render(lines, title)
    if svg:
        with open(os.path.join(out, name + ".svg"), "w", encoding="utf-8") as f:
            f.write(svg)


def count_functions(build, out, budget):
    """Callgrind on the hot paths: instructions by function, and a flame graph of them all."""
    rows, folded = [], collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        for case, n in CASES:
            if budget.over():
                break
            path = os.path.join(tmp, case)
            rc, _, _ = common.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={path}",
                                   os.path.join(build, "bench/bench"), "--exact", case, "--iterations", str(n)], timeout=60)
            if rc != 0:
                continue
            p = callgrind.read(path)
            for stack, c in callgrind.fold(p).items():
                if "_dl_" not in stack:
                    folded[f"{case};{stack}"] += c
            m = gate.measure(os.path.join(build, "bench/bench"), gate.Row(case, n, 0, 0, 0), tmp)
            rows.append({"case": case, "instructions": m["instructions"], "functions": [
                {"function": f["name"], "percent": 100 * f["instructions"] / m["instructions"]} for f in m["functions"][:8]]})
    if folded:
        write_flame(out, "hot-paths", folded, "instructions of the hot paths (callgrind)")
    return rows


def sampled(build, out, budget):
    """The live recordings and what could not be made."""
    sink = subprocess.Popen([os.path.join(build, "bench/otlp-null-sink"), "0"], stdout=subprocess.PIPE, text=True)
    load, results, refused = os.path.join(build, "bench/load"), [], []
    try:
        port = sink.stdout.readline().strip()
        for name, options, command in (("full", ["--engine", "ptrace", "--detail", "full"], [load, "syscall_heavy", "60000"]),
                                       ("auto", ["--engine", "ptrace", "--detail", "auto"], [load, "syscall_heavy", "60000"]),
                                       ("inproc", ["--engine", "inproc", "--detail", "full"], [load, "syscall_heavy", "300000"]),
                                       ("find", ["--engine", "ptrace", "--detail", "full"], ["find", "/usr/include", "-type", "f"])):
            if budget.over():
                refused.append({"workload": name, "why": "no time left"})
                continue
            r, why = sample(build, out, name, options, command, port)
            if r:
                results.append(r)
            else:
                refused.append({"workload": name, "why": why})
    finally:
        sink.terminate()
        sink.wait()
    return results, refused


def format_text(data):
    out = []
    for r in data["sampled"]:
        out.append(f"{r['workload']} ({' '.join(r['options'])}): {r['samples']} samples of the tracer")
        out += [f"  {p['part']:<10} {p['percent']:5.1f} %" for p in r["parts"]]
        out += [f"  thread {w['thread']}: busy {w['busy_percent']:.0f} %, else waiting" for w in r["waiting"][:4]]
        out += [f"    {h['percent']:5.1f} %  {h['function']}" for h in r["hot"][:10]]
    for r in data["refused"]:
        out.append(f"{r['workload']}: {r['why']}")
    for c in data["counted"]:
        out.append(f"{c['case']}: {c['instructions']:.0f} instructions an iteration")
        out += [f"    {f['percent']:5.1f} %  {f['function']}" for f in c["functions"]]
    return "\n".join(out) + "\n"


# ---- memory ----

def parse_massif(lines):
    """(peak bytes, [(bytes, time)...], {function: bytes at the peak} of the innermost named frames)."""
    snapshots, peak_tree, at, heap = [], [], None, 0
    when = 0
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("time="):
            when = int(line[5:])
        elif line.startswith("mem_heap_B="):
            heap = int(line[11:])
            snapshots.append((when, heap))
        elif line.startswith("heap_tree="):
            at = [] if line.endswith("peak") else None
            peak_tree = at if at is not None else peak_tree
        elif at is not None and re.match(r"\s*n\d+: ", line):
            at.append(line)
    return max((h for _, h in snapshots), default=0), snapshots, sites(peak_tree)


def sites(tree):
    """Bytes by the first function on the way up that is not an allocator's."""
    out = collections.Counter()
    path = []
    for line in tree:
        m = re.match(r"(\s*)n(\d+): (\d+) (?:0x[0-9A-F]+: )?(.*)$", line)
        if not m:
            continue
        level = len(m.group(1))
        path = path[:level] + [m.group(4)]
        if int(m.group(2)) == 0 or level == 1:
            if level >= 1:
                if int(m.group(2)) == 0 and level > 1:
                    continue
                out[re.sub(r" \(.*", "", path[1]) if len(path) > 1 else path[0]] += int(m.group(3))
    return out


def memory(build, out):
    """Massif on a run that exports every call."""
    sink = subprocess.Popen([os.path.join(build, "bench/otlp-null-sink"), "0"], stdout=subprocess.PIPE, text=True)
    path = os.path.join(out, "massif.out")
    try:
        port = sink.stdout.readline().strip()
        rc, _, err = common.run(["valgrind", "--tool=massif", f"--massif-out-file={path}", os.path.join(build, "tracer"),
                                 "--engine", "ptrace", "--detail", "full", "--otlp-endpoint", f"http://127.0.0.1:{port}", "--",
                                 os.path.join(build, "bench/load"), "syscall_heavy", "10000"], timeout=120)
    finally:
        sink.terminate()
        sink.wait()
    if rc != 0 or not os.path.exists(path):
        common.fail(f"profile-memory: valgrind --tool=massif: exit {rc}: {err[-300:]}", 77)
    with open(path, encoding="utf-8", errors="replace") as f:
        peak, snapshots, by_site = parse_massif(f)
    data = {"schema": 1, "workload": "10000 calls, --detail full", "peak_bytes": peak,
            "snapshots": snapshots, "sites": [{"function": f, "bytes": b} for f, b in by_site.most_common(15)]}
    common.save(os.path.join(out, "memory.json"), data)
    print(f"heap at its peak: {peak} bytes")
    for s in data["sites"]:
        print(f"  {s['bytes']:>10}  {s['function']}")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--out", required=True)
    ap.add_argument("--budget", type=float, default=240)
    ap.add_argument("--memory", action="store_true")
    o = ap.parse_args()
    build = os.path.abspath(o.build)
    os.makedirs(o.out, exist_ok=True)
    if o.memory:
        memory(build, o.out)
        return
    budget = common.Budget(o.budget)
    live, refused = sampled(build, o.out, budget)
    data = {"schema": 1, "host": common.host(os.path.join(build, "bench/bench")), "sampled": live, "refused": refused,
            "counted": count_functions(build, o.out, budget)}
    common.save(os.path.join(o.out, "profile.json"), data)
    text = format_text(data)
    with open(os.path.join(o.out, "profile.txt"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text)


if __name__ == "__main__":
    main()
