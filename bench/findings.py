# SPDX-License-Identifier: Apache-2.0
"""From measurements to criteria, experiments, decisions, findings and gates.
Pure functions of what the stages of an audit have written; nothing is known
here that was not measured.  `data`: micro, instructions, whole, scales, profile,
curves, memory, bloat, pgo (each what its stage saved, or missing)."""

SCHEMA_VERSION = 1
OURS = ("text", "summary", "otlp", "inproc", "selected")
# Where the CPU goes -> from which share on it is worth looking there, and where.
MATRIX = (
    ("engine", 40, "fewer stops: --engine inproc, a narrower -e selection"),
    ("capture", 20, "a smaller -s, fewer captured arguments"),
    ("decode", 30, "fold more (--detail auto), decode only what a sink asks for"),
    ("fold", 20, "the group table's lookup"),
    ("span", 30, "fewer attributes; --detail auto"),
    ("encode", 30, "the direct encoder's hot functions"),
    ("gzip", 30, "a faster library or level, or none on a loopback collector"),
    ("network", 30, "larger batches: --perf-mode aggressive"),
    ("queue", 15, "contention of queue and pool"),
)


def micro(data, name):
    return next((r for r in data.get("micro", {}).get("results", []) if r["name"] == name), None)


def whole(data, workload, variant):
    for w in data.get("whole", {}).get("workloads", []):
        if w["name"] == workload:
            return next((r for r in w["results"] if r["variant"] == variant), None)
    return None


def scale(data, calls, variant):
    for s in data.get("scales", {}).get("scales", []):
        if s["calls"] == calls:
            return next((r for r in s["results"] if r["variant"] == variant), None)
    return None


def is_ours(variant):
    return variant.startswith(OURS)


def best(*rows):
    """The row with the lowest ratio, of those there are."""
    rows = [r for r in rows if r]
    return min(rows, key=lambda r: r["ratio"]) if rows else None


def overhead(row):
    return None if row is None else 100 * (row["ratio"] - 1)


def rate(data, variant):
    """Calls a second that a variant kept up with, at the largest scale that was run."""
    found = None
    for s in data.get("scales", {}).get("scales", []):
        r = next((r for r in s["results"] if r["variant"] == variant), None)
        found = 1000 * s["calls"] / r["wall_ms"] if r and r["wall_ms"] > 0 else found
    return found


def criterion(what, specified, measured, unit, met, where, why=""):
    return {"criterion": what, "specified": specified, "measured": measured, "unit": unit,
            "met": None if measured is None else bool(met), "where": where, "why": why if measured is not None and not met else ""}


def criteria(data):
    """The specification's success criteria: specified, measured, met or why not."""
    stop = "each call stops the program twice: the cost is that of the calls a second, not of the tracer's work"
    rows = []
    for what, limit, variants in (("basic tracing", 3, ("summary", "inproc_summary")), ("OTLP export", 5, ("otlp_full", "inproc_otlp_full")),
                                  ("full stack", 10, ("otlp_full_compute",))):
        for workload in ("compute_heavy", "gcc", "python3", "io_heavy", "syscall_heavy"):
            r = best(*(whole(data, workload, v) for v in variants))
            o = overhead(r)
            rows.append(criterion(f"{what} overhead, {workload}", f"< {limit} %", o, "%", o is not None and o < limit,
                                  f"whole.json {workload}/{r['variant'] if r else variants[0]}", stop))
    calls = [(rate(data, v), v) for v in ("summary", "otlp_full", "inproc_summary", "inproc_otlp_full")]
    for value, v in calls:
        rows.append(criterion(f"calls a second, {v}", "> 100 K/s", value, "calls/s", value is not None and value > 100000,
                              f"scales.json {v}", stop))
    r = micro(data, "batch_export")
    rows.append(criterion("export rate, one core", "> 10 K spans/s", r and r["rate_per_s"], "spans/s", r and r["rate_per_s"] > 10000,
                          "micro.json batch_export"))
    r = scale(data, 10000, "otlp_full")
    mb = r and r["maxrss_kib"] / 1024
    rows.append(criterion("memory, 10 K calls", "< 50 MB", mb, "MB", mb is not None and mb < 50, "scales.json 10000/otlp_full"))
    r = micro(data, "flush_balanced")
    ms = r and r["p99_ns"] / 1e6
    rows.append(criterion("flush latency p99", "< 100 ms", ms, "ms", ms is not None and ms < 100, "micro.json flush_balanced"))
    for workload in ("compute_heavy", "gcc", "syscall_heavy"):
        o = overhead(whole(data, workload, "selected_out"))
        rows.append(criterion(f"disabled (no call selected), {workload}", "< 1 %", o, "%", o is not None and o < 1,
                              f"whole.json {workload}/selected_out", "start of the tracer, and the kernel runs the filter on each call"))
    return rows


def experiment(what, expected, before, after, unit, where):
    gain = None if not before or after is None else 100 * (1 - after / before)
    return {"experiment": what, "expected": expected, "before": before, "after": after, "unit": unit,
            "gain_percent": gain, "where": where}


def per_span(row):
    """ns a thing, from the rate."""
    return None if row is None or not row["rate_per_s"] else 1e9 / row["rate_per_s"]


def experiments(data):
    """The specification's expected gains, measured."""
    def m(name, key):
        r = micro(data, name)
        return r and r[key]
    rows = [
        experiment("span pool: time of get and put", "20-30 % less allocation", per_span(micro(data, "span_pool_disabled")),
                   per_span(micro(data, "span_pool")), "ns/span", "span_pool_disabled, span_pool"),
        experiment("span pool: allocations of 512 spans", "20-30 % less allocation", m("span_pool_disabled", "allocs"),
                   m("span_pool", "allocs"), "allocations", "span_pool_disabled, span_pool"),
        experiment("batches: 1 span a request to 512", "40-60 % less network overhead", per_span(micro(data, "batch_size_1")),
                   per_span(micro(data, "batch_size_512")), "ns/span", "batch_size_1, batch_size_512"),
        experiment("copies: libprotobuf-c to the direct encoder", "10-15 % fewer allocations and copies",
                   per_span(micro(data, "protobuf_encoding_libprotobuf_c")), per_span(micro(data, "protobuf_encoding")), "ns/span",
                   "protobuf_encoding_libprotobuf_c, protobuf_encoding"),
        experiment("lazy spans: a span for each call to folding", "5-10 % where spans are not wanted",
                   per_span(micro(data, "span_creation")), per_span(micro(data, "fold_mixed")), "ns/call", "span_creation, fold_mixed"),
        experiment("gzip: zlib 6 to the default", "", per_span(micro(data, "batch_export_zlib_6")), per_span(micro(data, "batch_export")),
                   "ns/span", "batch_export_zlib_6, batch_export"),
        experiment("gzip: the default to none", "", per_span(micro(data, "batch_export")), per_span(micro(data, "batch_export_plain")),
                   "ns/span", "batch_export, batch_export_plain"),
        experiment("the usual chain (libprotobuf-c, zlib 6, libcurl) to ours", "", per_span(micro(data, "batch_export_usual")),
                   per_span(micro(data, "batch_export")), "ns/span", "batch_export_usual, batch_export"),
    ]
    for workload in ("syscall_heavy", "io_heavy", "find"):
        a, b = whole(data, workload, "otlp_full"), whole(data, workload, "inproc_otlp_full")
        rows.append(experiment(f"engine: ptrace to inproc, every call a span, {workload}", "", a and a["wall_ms"], b and b["wall_ms"], "ms",
                               f"{workload}/otlp_full, {workload}/inproc_otlp_full"))
    for t in data.get("pgo", {}).get("counts", []):
        rows.append(experiment(f"profile-guided build: {t['name']}", "2-7 %", t["base"], t["new"], "instructions", "pgo.json"))
    return [r for r in rows if r["before"] is not None and r["after"] is not None]


def batch_sensitivity(data):
    out = []
    for n in (1, 8, 64, 128, 512, 1024, 2048, 4096):
        r = micro(data, f"batch_size_{n}")
        if r:
            out.append({"batch": n, "e2e_ms": r["median_ns"] / 1e6, "ns_per_span": per_span(r), "alloc_bytes": r["alloc_bytes"],
                        "allocs": r["allocs"]})
    return out


def compressors(data):
    return [{"compressor": r["name"][5:], "ns_per_span": per_span(r), "spans_per_s": r["rate_per_s"]}
            for r in data.get("micro", {}).get("results", []) if r["name"].startswith("gzip_")]


def decisions(data):
    """Share of the tracer's CPU by part, against the threshold; one row a workload and part."""
    rows = []
    for s in data.get("profile", {}).get("sampled", []):
        shares = {p["part"]: p["percent"] for p in s["parts"]}
        for part, threshold, where in MATRIX:
            share = shares.get(part, 0.0)
            rows.append({"workload": s["workload"], "part": part, "threshold_percent": threshold, "actual_percent": share,
                         "look_there": share > threshold, "recommendation": where if share > threshold else "not here"})
    return rows


def losses(data):
    """Who lost events in a timed run: (workload, variant, most lost in a run, runs)."""
    out = []
    for w in data.get("whole", {}).get("workloads", []) + data.get("scales", {}).get("scales", []):
        for r in w["results"]:
            if r.get("lost_runs"):
                out.append({"workload": w["name"], "variant": r["variant"], "lost_most": r["lost_most"], "lost_runs": r["lost_runs"],
                            "reps": r["reps"], "ours": is_ours(r["variant"])})
    return out


def finding(kind, detail, evidence, gain, confidence, action, gate=False):
    """gain: percent of the time or memory in question that could go; confidence 0..1."""
    score = gain * confidence
    return {"type": kind, "detail": detail, "evidence": evidence, "measured_gain_percent": round(gain, 1),
            "confidence": confidence, "status": "open", "gate": gate,
            "priority": 1 if gate else 2 if score >= 40 else 3 if score >= 15 else 4 if score >= 3 else 5, "action": action}


def find(data):
    """Findings, the gravest first."""
    out = []
    for r in data.get("instructions", {}).get("results", []):
        if r.get("verdict") == "worse":
            out.append(finding("regression", f"{r['name']}: {r['why']}", {"measured": r["instructions"], "expected": r["expected"]},
                               100 * (r["instructions"] / r["expected"] - 1) if r["expected"] else 0, 1.0,
                               f"see what changed in {r['functions'][0]['name'] if r['functions'] else r['name']}", gate=True))
    for x in losses(data):
        if x["ours"]:
            out.append(finding("loss", f"{x['workload']}: {x['variant']} lost up to {x['lost_most']} events", x, 100, 1.0,
                               "no event may be lost uncounted", gate=True))
    for g in data.get("scales", {}).get("growth", []):
        if g["superlinear"] and is_ours(g["variant"]):
            out.append(finding("growth", f"{g['variant']}: {g['metric']} grows as N^{g['exponent']:.2f}", {"points": g["points"]}, 50, 0.6,
                               "find what is walked or kept per call"))
    for t in data.get("curves", {}).get("threads", []):
        if t["worse"]:
            out.append(finding("contention", f"{t['variant']}: a call costs more than twice as much on some number of threads as on one",
                               {"points": t["points"]}, 50, 0.6, "find what the threads wait for: ring, arena, or the consumer"))
    for d in decisions(data):
        if d["look_there"]:
            out.append(finding("cpu_bound", f"{d['workload']}: {d['actual_percent']:.0f} % of the tracer's CPU in {d['part']}", d,
                               engine_gain(data, d), 0.8, d["recommendation"]))
    out += micro_findings(data)
    for c in criteria(data):
        if c["met"] is False:
            out.append(finding("criterion", f"{c['criterion']}: {c['measured']:.4g} {c['unit']}, specified {c['specified']}", {"where": c["where"]},
                               5, 0.5, c["why"] or "see the profile"))
    return sorted(out, key=lambda f: (f["priority"], -f["measured_gain_percent"] * f["confidence"]))


def engine_gain(data, decision):
    """What was measured to be gained where there is an experiment for it; else the share over the threshold."""
    a, b = whole(data, "syscall_heavy", "otlp_full"), whole(data, "syscall_heavy", "inproc_otlp_full")
    if decision["part"] == "engine" and a and b and a["wall_ms"] > 0 and decision["workload"] != "inproc":
        return max(0.0, 100 * (1 - b["wall_ms"] / a["wall_ms"]))
    return decision["actual_percent"] - decision["threshold_percent"]


def micro_findings(data):
    out = []
    for r in data.get("micro", {}).get("results", []):
        if r["allocs"] >= 1 and not r["name"].startswith(("span_pool_disabled", "concurrent", "batch_size")) and "export" in r["name"]:
            out.append(finding("alloc", f"{r['name']}: {r['allocs']:.0f} allocations a request", {"alloc_bytes": r["alloc_bytes"]},
                               1, 0.5, "all in libcurl, whatever is in the batch; larger batches make fewer"))
    protobuf, json = per_span(micro(data, "protobuf_encoding")), per_span(micro(data, "json_encoding"))
    if protobuf and json and json > 3 * protobuf:
        out.append(finding("cpu_bound", f"OTLP/JSON takes {json / protobuf:.1f} times the encoding of protobuf", {"json_ns": json, "protobuf_ns": protobuf},
                           100 * (1 - protobuf / json), 0.2, "http/protobuf where the collector takes it; JSON is for reading"))
    table = compressors(data)
    ours = per_span(micro(data, "batch_export"))
    if table and ours:
        fastest = min(table, key=lambda c: c["ns_per_span"])
        out.append(finding("io_tuning", f"fastest compressor: {fastest['compressor']}, {fastest['ns_per_span']:.0f} ns a span of {ours:.0f} in all",
                           {"table": table}, 100 * fastest["ns_per_span"] / ours, 0.1, "--otlp-compression none saves this where the network is free"))
    return out


def gates(data, stages):
    """What decides the exit status."""
    def gate(name, ok, detail):
        return {"gate": name, "ok": bool(ok), "detail": detail}
    worse = [r["name"] for r in data.get("instructions", {}).get("results", []) if r.get("verdict") == "worse"]
    lost = [f"{x['workload']}/{x['variant']}" for x in losses(data) if x["ours"]]
    out = [gate("instructions", not worse, ", ".join(worse) or "within tolerance"),
           gate("losses", not lost, ", ".join(lost) or "no event lost by tracer in a timed run")]
    for c in criteria(data):
        if c["criterion"].startswith(("export rate", "memory", "flush latency")) and c["met"] is not None:
            out.append(gate(c["criterion"], c["met"], f"{c['measured']:.4g} {c['unit']}, specified {c['specified']}"))
    for s in stages:
        if not s["ok"]:
            out.append(gate(f"stage {s['stage']}", False, s["detail"]))
    return out


def hotspots(data):
    out = []
    for s in data.get("profile", {}).get("sampled", []):
        out += [{"workload": s["workload"], "symbol": h["function"], "percent": h["percent"]} for h in s["hot"][:5]]
    for c in data.get("profile", {}).get("counted", []):
        out += [{"workload": c["case"], "symbol": f["function"], "percent": f["percent"], "instructions": c["instructions"] * f["percent"] / 100}
                for f in c["functions"][:5]]
    return out


def metrics(data):
    """The figures that one run is summed up by."""
    lat, exp, s = micro(data, "batch_export_latency"), micro(data, "batch_export"), scale(data, 10000, "otlp_full")
    return {"e2e_ms_p50": lat and lat["p50_ns"] / 1e6, "e2e_ms_p95": lat and lat["p95_ns"] / 1e6, "e2e_ms_p99": lat and lat["p99_ns"] / 1e6,
            "throughput_spans_per_s": exp and exp["rate_per_s"], "throughput_calls_per_s": rate(data, "otlp_full"),
            "throughput_calls_per_s_inproc": rate(data, "inproc_otlp_full"), "alloc_bytes_per_request": exp and exp["alloc_bytes"],
            "peak_heap_bytes": data.get("memory", {}).get("peak_bytes"), "max_rss_mb": s and s["maxrss_kib"] / 1024,
            "loaded_bytes": data.get("bloat", {}).get("total")}


def report(data, stages, info, artifacts):
    """findings.json, whole."""
    found = find(data)
    actions, seen = [], set()
    for f in found:
        if f["action"] not in seen:
            seen.add(f["action"])
            actions.append({"priority": f["priority"], "title": f["action"], "because": f["detail"]})
    return {"schema_version": SCHEMA_VERSION,
            "summary": {"env": {"target": info.get("host", {}).get("machine"), "mode": info.get("mode"), "commit": info.get("commit")},
                        "workloads": [w["name"] for w in data.get("whole", {}).get("workloads", [])], "baseline": info.get("baseline")},
            "host": info.get("host"), "stages": stages, "metrics": metrics(data), "criteria": criteria(data),
            "experiments": experiments(data), "batch_sensitivity": batch_sensitivity(data), "compressors": compressors(data),
            "hotspots": hotspots(data), "decision_matrix": decisions(data), "losses": losses(data),
            "settings": data.get("curves", {}).get("settings", []), "threads": data.get("curves", {}).get("threads", []),
            "missing_peers": data.get("whole", {}).get("missing", []), "growth": data.get("scales", {}).get("growth", []),
            "findings": found, "next_actions": actions, "gates": gates(data, stages), "artifacts": artifacts}
