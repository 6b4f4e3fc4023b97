# SPDX-License-Identifier: Apache-2.0
"""compare.py --base DIR --bench PROGRAM --out FILE [--rounds N] [--threshold %] [--force]

This build against a baseline that `make bench-baseline` kept (program, counts).
Instructions and allocations are counted and decide alone where they exist: noise
cannot hide a change in them.  Times come from rounds of base, new, base, new ...;
what counts is the ratio within a round, and a time is worse only where the
bootstrap interval of the median ratio lies above the threshold, and the ratio of
the best of all rounds does, too.

Exit 1 on a regression, 3 where the baseline is of another host."""
import argparse
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import gate  # noqa: E402


# Fewer say nothing: of five equal pairs, all five are slower in one of 32 cases.
ROUNDS_MIN = 5


def interval(values, seed=42, resamples=1000):
    """95 % percentile-bootstrap interval of the median."""
    rng, n = random.Random(seed), len(values)
    medians = sorted(common.median([values[rng.randrange(n)] for _ in range(n)]) for _ in range(resamples))
    return medians[int(0.025 * resamples)], medians[int(0.975 * resamples) - 1]


def compare_counts(base, new, threshold):
    """Rows of what is counted: lists of {name, instructions, allocations}."""
    old = {r["name"]: r for r in base}
    rows = []
    for r in new:
        b = old.get(r["name"])
        if not b or not b["instructions"]:
            continue
        change = 100 * (r["instructions"] / b["instructions"] - 1)
        more = r["allocations"] - b["allocations"]
        worse = change > threshold or more > 0.005
        better = not worse and (change < -threshold or more < -0.005)
        rows.append({"name": r["name"], "metric": "instructions", "base": b["instructions"],
                     "new": r["instructions"], "change_percent": change, "allocations": more,
                     "verdict": "worse" if worse else "better" if better else "same",
                     "functions": functions_worse(b, r)})
    return rows


def functions_worse(base, new):
    """Which functions took more, most first."""
    old = {f["name"]: f["instructions"] for f in base.get("functions", [])}
    grown = [(f["name"], f["instructions"] - old.get(f["name"], 0)) for f in new.get("functions", [])]
    return [{"name": n, "more": round(d, 1)} for n, d in sorted(grown, key=lambda x: -x[1]) if d > 0.5][:3]


def compare_times(rounds, threshold, key):
    """rounds: list of (base results by name, new results by name)."""
    rows = []
    names = [n for n in rounds[0][1] if all(n in b and n in c for b, c in rounds)] if rounds else []
    for name in names:
        ratios = [c[name][key] / b[name][key] for b, c in rounds if b[name][key] > 0]
        if not ratios:
            continue
        low, high = interval(ratios)
        # The best of all rounds is what noise touches least: it has to have moved, too.
        floor = min(c[name].get("min_ns", c[name][key]) for _, c in rounds) / min(b[name].get("min_ns", b[name][key]) for b, _ in rounds)
        enough = len(ratios) >= ROUNDS_MIN
        verdict = "worse" if enough and low > 1 + threshold / 100 and floor > 1 + threshold / 100 else \
            "better" if enough and high < 1 - threshold / 100 and floor < 1 - threshold / 100 else "same"
        rows.append({"name": name, "metric": key, "change_percent": 100 * (common.median(ratios) - 1),
                     "low_percent": 100 * (low - 1), "high_percent": 100 * (high - 1), "verdict": verdict,
                     "base": common.median([b[name][key] for b, _ in rounds]),
                     "new": common.median([c[name][key] for _, c in rounds])})
    return rows


def decide(counts, times):
    """Regressions: where instructions are counted, they decide; else the median time does."""
    counted = {r["name"] for r in counts}
    bad = [r for r in counts if r["verdict"] == "worse"]
    return bad + [r for r in times if r["verdict"] == "worse" and r["metric"] == "median_ns"
                  and r["name"] not in counted]


def validate(counts, times):
    """May an optimisation stay?  p95, instructions or allocations better on at least two workloads, none worse."""
    better = {r["name"] for r in counts if r["verdict"] == "better"}
    better |= {r["name"] for r in times if r["metric"] == "p95_ns" and r["verdict"] == "better"}
    worse = {r["name"] for r in decide(counts, times)}
    return len(better) >= 2 and not worse, sorted(better), sorted(worse)


def _sample(program, folder, name, selection):
    out = os.path.join(folder, name)
    rc, _, err = common.run([program, "--quick", "--json", out] + selection, timeout=170)
    if rc != 0:
        common.fail(f"{program} failed ({rc}): {err[-400:]}")
    return {r["name"]: r for r in common.load(out)["results"]}


def run_rounds(base, new, rounds, budget, selection):
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            first = (base, new) if i % 2 == 0 else (new, base)
            got = {p: _sample(p, folder, f"{i}.{k}", selection) for k, p in enumerate(first)}
            out.append((got[base], got[new]))
            if budget.over():
                break
    return out


def show(rows):
    for r in sorted(rows, key=lambda r: (r["verdict"] != "worse", r["name"])):
        text = f"{r['verdict'].upper() if r['verdict'] == 'worse' else r['verdict']:<7} {r['name']:<34} {r['metric']:<13}" \
               f" {r['base']:>13.1f} -> {r['new']:>13.1f}  {r['change_percent']:+6.1f} %"
        if "low_percent" in r:
            text += f"  [{r['low_percent']:+.1f} .. {r['high_percent']:+.1f}]"
        if r.get("functions") and r["verdict"] == "worse":
            text += "  in " + ", ".join(f"{f['name']} (+{f['more']:g})" for f in r["functions"])
        print(text)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--base", required=True)
    ap.add_argument("--bench", required=True)
    ap.add_argument("--out")
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--budget", type=float, default=170)
    ap.add_argument("--threshold", type=float, default=5.0, help="%% of instructions")
    ap.add_argument("--time-threshold", type=float, default=15.0, help="%% of time")
    ap.add_argument("--filter", default="")
    ap.add_argument("--force", action="store_true")
    o = ap.parse_args()
    program = os.path.join(o.base, "bench")
    if not os.path.exists(program):
        common.fail(f"{o.base}: no baseline there; make bench-baseline makes one")
    kept = common.load(os.path.join(o.base, "instructions.json"))
    host = common.host(o.bench)
    common.same_host(kept["host"], host, o.force, "bench-compare")
    rows = [gate.Row(r["name"], r["iterations"], 0, 0, 0) for r in kept["results"] if o.filter in r["name"]]
    counts = compare_counts(kept["results"], gate.measure_all(o.bench, rows) if rows else [], o.threshold)
    selection = ["--filter", o.filter] if o.filter else []
    rounds = run_rounds(program, o.bench, o.rounds, common.Budget(o.budget), selection) if o.rounds else []
    times = [r for key in ("median_ns", "p95_ns") for r in compare_times(rounds, o.time_threshold, key)]
    show(counts)
    show([r for r in times if r["metric"] == "median_ns"])
    bad = decide(counts, times)
    accepted, better, worse = validate(counts, times)
    print(f"\nregressions: {', '.join(r['name'] + ' (' + r['metric'] + ')' for r in bad) or 'none'}")
    print(f"as an optimisation: {'accepted' if accepted else 'not accepted'}; better {better or 'nowhere'}, worse {worse or 'nowhere'}")
    if o.out:
        common.save(o.out, {"schema": 1, "host": host, "counts": counts, "times": times,
                            "regressions": [r["name"] for r in bad], "accepted": accepted})
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
