# SPDX-License-Identifier: Apache-2.0
"""run.py --build DIR --source DIR --out DIR [--quick] [--only micro,instructions,whole] [--budget S]

A run of the benchmarks: micro, instruction counts, whole processes; everything
goes to one directory, named by its time."""
import argparse
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def system_info(bench, source):
    """What the figures depend on, beyond the fingerprint."""
    rc, commit, _ = common.run(["git", "-C", source, "rev-parse", "--short=12", "HEAD"])
    dirty = common.run(["git", "-C", source, "status", "--porcelain", "--untracked-files=no"])[1].strip()

    def first_line(path):
        try:
            with open(path, encoding="utf-8") as f:
                return f.readline().strip()
        except OSError:
            return None
    return {"schema": 1, "time": int(time.time()), "host": common.host(bench),
            "commit": commit.strip() + ("+changes" if dirty else "") if rc == 0 else None,
            "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "clocksource": first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            "load": first_line("/proc/loadavg"),
            "paranoid": first_line("/proc/sys/kernel/perf_event_paranoid")}


def stage(name, argv, budget):
    """One stage within its budget; True where it worked."""
    begin = time.monotonic()
    print(f"== {name} (at most {budget:.0f} s)", flush=True)
    rc, out, err = common.run(argv, timeout=budget)
    sys.stdout.write(out)
    sys.stdout.flush()
    if rc not in (0, 77):
        sys.stderr.write(err[-2000:])
    print(f"== {name}: {time.monotonic() - begin:.0f} s, exit {rc}{' (skipped) ' + err.strip() if rc == 77 else ''}", flush=True)
    return rc in (0, 77)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--source", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--bench", default="bench/bench")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--exactly", action="store_true", help="--out is the run's own directory")
    ap.add_argument("--only", default="micro,instructions,whole")
    ap.add_argument("--whole-budget", type=float)
    o = ap.parse_args()
    bench = os.path.join(o.build, o.bench)
    folder = o.out if o.exactly else os.path.join(o.out, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    os.makedirs(folder, exist_ok=True)
    common.save(os.path.join(folder, "system_info.json"), system_info(bench, o.source))
    ok = True
    if "micro" in o.only:
        ok &= stage("micro", [bench, "--json", os.path.join(folder, "micro.json")] + (["--quick"] if o.quick else []),
                    60 if o.quick else 240)
    if "instructions" in o.only:
        # The gate's own verdict is the gate's business: here only the counts are wanted.
        stage("instructions", [sys.executable, os.path.join(HERE, "gate.py"), "--force", "--bench", bench,
                               "--table", os.path.join(HERE, "reference/instructions.tbl"),
                               "--json", os.path.join(folder, "instructions.json")], 170)
    if "whole" in o.only:
        ok &= stage("whole", [sys.executable, os.path.join(HERE, "suite.py"), "--build", o.build,
                              "--json", os.path.join(folder, "whole.json"),
                              "--budget", str(o.whole_budget or (75 if o.quick else 600))] +
                    (["--quick"] if o.quick else []), 2 * (o.whole_budget or (75 if o.quick else 600)))
    if o.exactly:
        shutil.copy2(bench, os.path.join(folder, "bench"))
    print(f"results: {folder}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
