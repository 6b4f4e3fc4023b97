# SPDX-License-Identifier: Apache-2.0
"""audit.py --build DIR --source DIR --out DIR [--quick] [--no-pgo]

Every measurement, each within its budget (40 minutes together, --quick: 5), then
findings.json and audit.html.  Exit 1 where a gate failed."""
import argparse
import glob
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import findings  # noqa: E402
import report  # noqa: E402
import run as runner  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = ("micro", "instructions", "whole", "scales", "curves", "profile", "memory", "bloat", "pgo")


def stages(o, out):
    """(name, command, budget, file that must be there)"""
    bench, python = os.path.join(o.build, "bench/bench"), sys.executable
    quick = ["--quick"] if o.quick else []

    def script(name):
        return [python, os.path.join(HERE, name)]

    def f(name):
        return os.path.join(out, name)
    base = os.path.join(o.source, "bench/results/reference/bloat.json")
    s = [("micro", [bench, "--json", f("micro.json")] + quick, 40 if o.quick else 240, "micro.json"),
         ("instructions", script("gate.py") + ["--bench", bench, "--table", os.path.join(HERE, "reference/instructions.tbl"), "--json", f("instructions.json"),
                                               "--cflags", o.cflags], 150, "instructions.json"),
         ("whole", script("suite.py") + ["--build", o.build, "--json", f("whole.json"), "--budget", "60" if o.quick else "660"] +
          (quick or ["--peers"]), 90 if o.quick else 780, "whole.json"),
         ("scales", script("suite.py") + ["--build", o.build, "--json", f("scales.json"), "--scales", "--budget", "30" if o.quick else "240"] + quick,
          60 if o.quick else 300, "scales.json"),
         ("curves", script("curves.py") + ["--build", o.build, "--json", f("curves.json"), "--budget", "20" if o.quick else "200"] + quick,
          40 if o.quick else 240, "curves.json"),
         ("profile", script("profile.py") + ["--build", o.build, "--out", out, "--budget", "30" if o.quick else "180"], 60 if o.quick else 240, "profile.json"),
         ("memory", script("profile.py") + ["--build", o.build, "--out", out, "--memory"], 120, "memory.json"),
         ("bloat", script("bloat.py") + ["--build", o.build, "--json", f("bloat.json")] + (["--base", base] if os.path.exists(base) else []), 30, "bloat.json")]
    if not o.quick and not o.no_pgo:
        s.append(("pgo", [os.path.join(HERE, "pgo.sh"), o.source, o.build, os.path.join(out, "pgo")], 420, "pgo/pgo.json"))
    return s


def run_stage(name, argv, budget, path, out):
    begin = time.monotonic()
    print(f"== {name} (at most {budget} s)", flush=True)
    rc, text, err = common.run(argv, timeout=budget)
    with open(os.path.join(out, name + ".log"), "w", encoding="utf-8") as f:
        f.write(text + err)
    took = round(time.monotonic() - begin, 1)
    there = os.path.exists(os.path.join(out, path))
    # The gate's own exit 1 is a finding, not a stage that failed; 77 is "cannot be told here".
    ok = rc == 77 or there and (rc in (0, 1) or rc == 124)
    detail = "" if rc == 0 else "time ran out" if rc == 124 else f"exit {rc}: {(err.strip().splitlines() or [''])[-1][:200]}"
    print(f"== {name}: {took} s{', ' + detail if detail else ''}", flush=True)
    return {"stage": name, "seconds": took, "budget": budget, "ok": ok, "detail": detail}


def collect(out):
    data = {}
    for name in KEPT:
        for path in (os.path.join(out, name + ".json"), os.path.join(out, name, name + ".json")):
            if os.path.exists(path):
                data[name] = common.load(path)
    return data


def flames(out):
    for path in sorted(glob.glob(os.path.join(out, "*.svg"))):
        with open(path, encoding="utf-8") as f:
            # One script for the whole page would do; without it the graphs still have their titles.
            svg = f.read().split("<script>")
            yield os.path.basename(path)[:-4], svg[0] + ("</svg>" if len(svg) > 1 else "")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--source", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--cflags", default="")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--no-pgo", action="store_true")
    ap.add_argument("--report-only", action="store_true", help="from what an earlier audit has measured")
    o = ap.parse_args()
    out = os.path.abspath(o.out)
    done = []
    if o.report_only:
        done = common.load(os.path.join(out, "findings.json"))["stages"]
        info = common.load(os.path.join(out, "system_info.json"))
    else:
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        info = runner.system_info(os.path.join(o.build, "bench/bench"), o.source)
        info["mode"] = "quick" if o.quick else "full"
        common.save(os.path.join(out, "system_info.json"), info)
        for name, argv, budget, path in stages(o, out):
            done.append(run_stage(name, argv, budget, path, out))
    data = collect(out)
    names = sorted(n for n in os.listdir(out) if n.endswith((".json", ".svg", ".folded", ".txt", ".log", ".out")))
    found = findings.report(data, done, info, names)
    common.save(os.path.join(out, "findings.json"), found)
    with open(os.path.join(out, "audit.html"), "w", encoding="utf-8") as f:
        f.write(report.render(found, data, list(flames(out))))
    for a in found["next_actions"][:8]:
        print(f"[{a['priority']}] {a['title']}  ({a['because']})")
    for g in found["gates"]:
        print(f"{'pass' if g['ok'] else 'FAIL'}  {g['gate']}: {g['detail']}")
    print(f"report: {os.path.join(out, 'audit.html')}")
    return 0 if all(g["ok"] for g in found["gates"]) else 1


if __name__ == "__main__":
    sys.exit(main())
