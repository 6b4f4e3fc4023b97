# SPDX-License-Identifier: Apache-2.0
"""findings.json as one HTML page that needs nothing else: tables, and plots as SVG."""
import html
import math

STYLE = """body{font:14px/1.45 sans-serif;margin:2em auto;max-width:1180px;color:#222}h1{font-size:22px}h2{font-size:17px;margin-top:2em;
border-bottom:1px solid #ccc}table{border-collapse:collapse;font-size:13px}td,th{padding:2px 9px;border-bottom:1px solid #e4e4e4;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#176b2c}.bad{color:#a11616;font-weight:bold}.none{color:#777}
svg{margin:.5em 0}code{background:#f3f3f3}"""
COLORS = ("#3b6ea8", "#c06a2b", "#4c9a57", "#8d5aa8", "#a8a03b", "#b0456b", "#4aa3a3", "#777777")


def text(v):
    """A value for a cell."""
    if v is None:
        return "-"
    if isinstance(v, bool):
        return "yes" if v else "no"
    if isinstance(v, float):
        return f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.4g}"
    if isinstance(v, int):
        return f"{v:,}"
    return html.escape(str(v))


def table(rows, columns):
    """rows of dicts; columns: (key, heading)."""
    if not rows:
        return "<p class=none>not measured</p>"
    out = ["<table><tr>" + "".join(f"<th>{html.escape(h)}</th>" for _, h in columns) + "</tr>"]
    for r in rows:
        cells = []
        for key, _ in columns:
            v = r.get(key)
            css = ' class=n' if isinstance(v, (int, float)) and not isinstance(v, bool) else ""
            if key in ("met", "ok"):
                css = f' class={"none" if v is None else "ok" if v else "bad"}'
            cells.append(f"<td{css}>{text(v)}</td>")
        out.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join(out) + "</table>"


def bars(rows, title, unit, log=False):
    """rows: (label, value).  Horizontal; logarithmic from 1 where asked for."""
    rows = [(n, v) for n, v in rows if v is not None and (v > 0 or not log)]
    if not rows:
        return ""
    most = max(v for _, v in rows)

    def length(v):
        return 620 * (math.log10(max(v, 1)) / max(math.log10(max(most, 1.01)), 1e-9) if log else v / most if most else 0)
    h = 18 * len(rows) + 26
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="{h}" font-family="sans-serif" font-size="12">'
           f'<text x="0" y="14" font-weight="bold">{html.escape(title)}{" (logarithmic)" if log else ""}</text>']
    for i, (name, v) in enumerate(rows):
        y = 22 + 18 * i
        color = COLORS[2] if name.startswith("inproc") else COLORS[0] if not name.startswith(("strace", "perf", "ltrace", "renacer")) else COLORS[1]
        out.append(f'<text x="230" y="{y + 12}" text-anchor="end">{html.escape(name)}</text><rect x="236" y="{y}" width="{max(1, length(v)):.1f}" '
                   f'height="14" fill="{color}"/><text x="{242 + max(1, length(v)):.1f}" y="{y + 12}">{text(float(v))} {unit}</text>')
    return "".join(out) + "</svg>"


def curves(series, title, xlabel, ylabel):
    """series: (name, [(x, y)]); both axes logarithmic."""
    points = [(x, y) for _, p in series for x, y in p if x > 0 and y > 0]
    if len(points) < 2:
        return ""
    x0, x1 = min(math.log10(x) for x, _ in points), max(math.log10(x) for x, _ in points)
    y0, y1 = min(math.log10(y) for _, y in points), max(math.log10(y) for _, y in points)

    def at(x, y):
        return 70 + 560 * (math.log10(x) - x0) / ((x1 - x0) or 1), 250 - 210 * (math.log10(y) - y0) / ((y1 - y0) or 1)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="900" height="300" font-family="sans-serif" font-size="12">'
           f'<text x="0" y="14" font-weight="bold">{html.escape(title)}</text><path d="M70 40V250H630" fill="none" stroke="#888"/>'
           f'<text x="350" y="285" text-anchor="middle">{html.escape(xlabel)}</text><text x="8" y="32">{html.escape(ylabel)}</text>']
    for e in range(math.ceil(y0), math.floor(y1) + 1):
        out.append(f'<text x="64" y="{at(10 ** x0, 10.0 ** e)[1] + 4:.0f}" text-anchor="end">1e{e}</text>')
    for x in sorted({x for x, _ in points}):
        out.append(f'<text x="{at(x, 10 ** y0)[0]:.0f}" y="266" text-anchor="middle">{text(x)}</text>')
    for i, (name, p) in enumerate(series):
        c = COLORS[i % len(COLORS)]
        dots = [at(x, y) for x, y in p if x > 0 and y > 0]
        out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in dots)}" fill="none" stroke="{c}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{c}"/>' for x, y in dots]
        out.append(f'<text x="650" y="{48 + 18 * i}" fill="{c}">{html.escape(name)}</text>')
    return "".join(out) + "</svg>"


def workload_plots(whole):
    out = []
    for w in whole.get("workloads", []):
        rows = [(r["variant"], r["ratio"]) for r in w["results"] if r["variant"] != "native"]
        out.append(bars(rows, f"{w['name']}: wall time, times native", "x", log=True))
    return "".join(out)


def setting_part(c):
    """One setting's values: cost, memory, losses."""
    late = f", collector answers after {c['collector_ms']} ms" if c["collector_ms"] else ""
    return (bars([(p["value"], p["wall_ms"]) for p in c["points"]], f"{c['option']}: {c['fixture']}, {c['calls']:,} {c['marker']}{late}", "ms") +
            table(c["points"], (("value", c["option"]), ("ratio", "times native"), ("maxrss_kib", "peak KiB"), ("lost_most", "lost"))))


def render(f, data, flames):
    """f: findings.json; flames: (title, svg text)."""
    h = f.get("host") or {}
    bad = [g for g in f["gates"] if not g["ok"]]
    part = [f"<!doctype html><meta charset=utf-8><title>tracer: audit</title><style>{STYLE}</style><h1>tracer: performance audit</h1>",
            f"<p>{html.escape(str(h.get('cpu')))}, {h.get('cpus')} CPUs, Linux {html.escape(str(h.get('kernel')))}, compiler {html.escape(str(h.get('compiler')))}; "
            f"commit {html.escape(str(f['summary']['env']['commit']))}; host {html.escape(str(h.get('fingerprint')))}</p>",
            f"<p class={'bad' if bad else 'ok'}>{len(bad)} of {len(f['gates'])} gates failed</p>",
            table(f["gates"], (("gate", "gate"), ("ok", "passed"), ("detail", "detail"))),
            "<h2>Success criteria</h2>", table(f["criteria"], (("criterion", "criterion"), ("specified", "specified"), ("measured", "measured"),
                                                               ("unit", ""), ("met", "met"), ("why", "why not"), ("where", "figure"))),
            "<h2>Next actions</h2>", table(f["next_actions"], (("priority", "priority"), ("title", "action"), ("because", "because"))),
            "<h2>Findings</h2>", table(f["findings"], (("priority", "priority"), ("type", "type"), ("detail", "detail"), ("measured_gain_percent", "gain %"),
                                                       ("confidence", "confidence"))),
            "<h2>Experiments</h2>", table(f["experiments"], (("experiment", "experiment"), ("expected", "expected"), ("before", "before"), ("after", "after"),
                                                             ("unit", ""), ("gain_percent", "gain %"), ("where", "figures"))),
            "<h2>Whole processes</h2>", workload_plots(data.get("whole", {})),
            table(f["losses"], (("workload", "workload"), ("variant", "who lost"), ("lost_most", "most in a run"), ("lost_runs", "runs with losses"), ("reps", "runs")))
            if f["losses"] else "<p>no events lost by anybody in a counted run</p>",
            table(f["missing_peers"], (("variant", "not run"), ("why", "why"))),
            "<h2>Growth</h2>",
            curves([(g["variant"], g["points"]) for g in f["growth"] if g["metric"] == "wall_ms"], "time over native", "calls", "ms"),
            curves([(g["variant"], g["points"]) for g in f["growth"] if g["metric"] == "maxrss_kib"], "peak memory", "calls", "KiB"),
            table(f["growth"], (("variant", "variant"), ("metric", "metric"), ("exponent", "exponent"), ("superlinear", "super-linear"))),
            "<h2>Settings</h2>", "".join(setting_part(c) for c in f["settings"]), "<h2>Threads</h2>",
            curves([(t["variant"], [(p["threads"], p["us_per_marker"]) for p in t["points"]]) for t in f["threads"]], "the same calls on more threads",
                   "threads", "us a call"),
            "<h2>Batch size</h2>",
            curves([("ns a span", [(b["batch"], b["ns_per_span"]) for b in f["batch_sensitivity"]])], "encode and POST", "spans a batch", "ns a span"),
            table(f["batch_sensitivity"], (("batch", "batch"), ("e2e_ms", "ms a request"), ("ns_per_span", "ns a span"), ("allocs", "allocations"))),
            "<h2>Compressors</h2>", bars([(c["compressor"], c["ns_per_span"]) for c in f["compressors"]], "512 spans of 8 attributes", "ns/span"),
            "<h2>Where the CPU goes</h2>"]
    for s in data.get("profile", {}).get("sampled", []):
        part.append(bars([(p["part"], p["percent"]) for p in s["parts"]], f"{s['workload']} ({' '.join(s['options'])})", "%"))
    part += ["<h2>Decision matrix</h2>", table(f["decision_matrix"], (("workload", "workload"), ("part", "part"), ("threshold_percent", "threshold %"),
                                                                     ("actual_percent", "actual %"), ("look_there", "look there"), ("recommendation", "how"))),
             "<h2>Hot functions</h2>", table(f["hotspots"], (("workload", "workload"), ("symbol", "function"), ("percent", "%"))),
             "<h2>Stages</h2>", table(f["stages"], (("stage", "stage"), ("seconds", "seconds"), ("budget", "budget"), ("ok", "ok"), ("detail", "detail")))]
    for title, svg in flames:
        part.append(f"<h2>Flame graph: {html.escape(title)}</h2>{svg}")
    return "\n".join(part) + "\n"
