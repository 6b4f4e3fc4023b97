# SPDX-License-Identifier: Apache-2.0
"""results.py latest|trends|csv DIR [--force]

Views on the runs under bench/results: one directory a run, named by its time,
with system_info.json, micro.json, instructions.json, whole.json (what of it was
run).  Trends take the runs of the latest one's host; others are counted."""
import argparse
import csv
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

NAME = re.compile(r"^\d{8}T\d{6}Z$")
FILES = ("micro.json", "instructions.json", "whole.json")


def runs(folder):
    """Names of the runs, oldest first."""
    return sorted(n for n in os.listdir(folder) if NAME.match(n)) if os.path.isdir(folder) else []


def read(folder, name):
    """Everything that a run has measured."""
    out = {"name": name, "host": {}, "system": {}}
    path = os.path.join(folder, name)
    if os.path.exists(os.path.join(path, "system_info.json")):
        out["system"] = common.load(os.path.join(path, "system_info.json"))
        out["host"] = out["system"].get("host", {})
    for f in FILES:
        if os.path.exists(os.path.join(path, f)):
            out[f[:-5]] = common.load(os.path.join(path, f))
    return out


def rows(run):
    """(kind, name, metric, value) of a run, flat."""
    for r in run.get("micro", {}).get("results", []):
        for metric in ("median_ns", "p95_ns", "p99_ns", "rate_per_s", "allocs"):
            yield "micro", r["name"], metric, r[metric]
    for r in run.get("instructions", {}).get("results", []):
        yield "instructions", r["name"], "instructions", r["instructions"]
    for w in run.get("whole", {}).get("workloads", []):
        for r in w.get("results", []):
            for metric in ("ratio", "wall_ms", "maxrss_kib"):
                if metric in r:
                    yield "whole", f"{w['name']}/{r['variant']}", metric, r[metric]


def trends(all_runs, force):
    """(runs taken, left out, {(kind, name, metric): values})"""
    latest = all_runs[-1]["host"].get("fingerprint")
    taken = [r for r in all_runs if force or r["host"].get("fingerprint") == latest]
    table = {}
    for i, r in enumerate(taken):
        for kind, name, metric, value in rows(r):
            if metric in ("median_ns", "instructions", "ratio"):
                table.setdefault((kind, name, metric), [None] * len(taken))[i] = value
    return taken, len(all_runs) - len(taken), table


def show_latest(run):
    print(f"run {run['name']}, host {run['host'].get('fingerprint')}: {run['host'].get('cpu')}, "
          f"{run['host'].get('cpus')} CPUs, Linux {run['host'].get('kernel')}")
    for kind, name, metric, value in rows(run):
        if metric in ("median_ns", "instructions", "ratio"):
            print(f"{kind:<13} {name:<44} {value:>14.2f} {metric}")


def show_trends(taken, left_out, table):
    print(f"{len(taken)} runs of this host ({taken[0]['name']} .. {taken[-1]['name']}); {left_out} of other hosts left out")
    for (kind, name, metric), values in table.items():
        known = [v for v in values if v is not None]
        if len(known) < 2 or not known[0]:
            continue
        change = 100 * (known[-1] / known[0] - 1)
        print(f"{kind:<13} {name:<44} {metric:<12} {' '.join('-' if v is None else f'{v:.4g}' for v in values[-6:])}  {change:+.1f} %")


def write_csv(all_runs, out):
    w = csv.writer(out)
    w.writerow(["run", "host", "commit", "kind", "name", "metric", "value"])
    for r in all_runs:
        for row in rows(r):
            w.writerow([r["name"], r["host"].get("fingerprint"), r["system"].get("commit")] + list(row))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("view", choices=["latest", "trends", "csv"])
    ap.add_argument("folder")
    ap.add_argument("--force", action="store_true")
    o = ap.parse_args()
    names = runs(o.folder)
    if not names:
        common.fail(f"{o.folder}: no runs there; make bench or make bench-quick makes one")
    if o.view == "latest":
        show_latest(read(o.folder, names[-1]))
        return
    everything = [read(o.folder, n) for n in names]
    if o.view == "csv":
        write_csv(everything, sys.stdout)
    else:
        show_trends(*trends(everything, o.force))


if __name__ == "__main__":
    main()
