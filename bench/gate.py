# SPDX-License-Identifier: Apache-2.0
"""gate.py --bench PROGRAM --table FILE [--update] [--json FILE] [--case NAME...]

Instructions and allocations of an iteration of the hot paths, against figures
that are in the repository.  Counted by callgrind in two runs of N and 2N
iterations, so set-up does not count; the same on every run, whatever else the
machine does.  Exit 1 where one is worse than its tolerance allows, 77 where it
cannot be told (no valgrind, another compiler than the table's; --force)."""
import argparse
import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import callgrind  # noqa: E402
import common  # noqa: E402

HEADER = """# SPDX-License-Identifier: Apache-2.0
# Instructions and allocations of one iteration; written by `make bench-gate-update`.
# compiler: {compiler}
# case  iterations  instructions  allocations  tolerance %
"""


class Row:
    """One line of the table."""

    def __init__(self, name, iterations, instructions, allocations, tolerance):
        self.name, self.iterations = name, int(iterations)
        self.instructions, self.allocations = float(instructions), float(allocations)
        self.tolerance = float(tolerance)


def read_table(lines):
    """(compiler, rows)"""
    compiler, rows = None, []
    for line in lines:
        if line.startswith("# compiler:"):
            compiler = line.split(":", 1)[1].strip()
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 5:
            common.fail(f"table: five fields expected: {line.strip()}")
        rows.append(Row(*fields))
    return compiler, rows


def format_table(compiler, rows):
    out = HEADER.format(compiler=compiler)
    for r in rows:
        out += f"{r.name:<28} {r.iterations:>6} {r.instructions:>12.1f} {r.allocations:>8.2f} {r.tolerance:>6.1f}\n"
    return out


def judge(row, measured):
    """'ok', 'worse', 'better' and why."""
    ratio = measured["instructions"] / row.instructions if row.instructions else 1
    if measured["allocations"] > row.allocations + 0.005:
        return "worse", f"{measured['allocations']:.2f} allocations, {row.allocations:.2f} expected"
    if ratio > 1 + row.tolerance / 100:
        return "worse", f"{100 * (ratio - 1):+.1f} % instructions (tolerance {row.tolerance:g} %)"
    if ratio < 1 - row.tolerance / 100:
        return "better", f"{100 * (ratio - 1):+.1f} % instructions: make bench-gate-update takes it over"
    return "ok", f"{100 * (ratio - 1):+.1f} % instructions"


def _count(bench, case, n, folder):
    out = os.path.join(folder, f"{case}.{n}")
    env = dict(os.environ, LC_ALL="C", MALLOC_ARENA_MAX="1")
    rc, stdout, stderr = common.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                                     bench, "--exact", case, "--iterations", str(n)], timeout=170, env=env)
    m = re.search(r"Collected : (\d+)", stderr)
    a = re.search(r"allocations (\d+) bytes (\d+)", stdout)
    if rc != 0 or not m or not a:
        common.fail(f"{case}: valgrind of {bench} failed ({rc}): {stderr[-400:]}", 77 if rc == 77 else 2)
    return int(m.group(1)), int(a.group(1)), callgrind.read(out)


def measure(bench, row, folder):
    """Of one iteration; the ten functions with most own instructions."""
    n = row.iterations
    i1, a1, p1 = _count(bench, row.name, n, folder)
    i2, a2, p2 = _count(bench, row.name, 2 * n, folder)
    own = sorted(((f, (c - p1.own.get(f, 0)) / n) for f, c in p2.own.items()), key=lambda x: -x[1])
    return {"name": row.name, "iterations": n, "instructions": (i2 - i1) / n, "allocations": (a2 - a1) / n,
            "functions": [{"name": f, "instructions": round(c, 1)} for f, c in own[:10] if c > 0]}


def measure_all(bench, rows, jobs=2):
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda r: measure(bench, r, folder), rows))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bench", required=True)
    ap.add_argument("--table", required=True)
    ap.add_argument("--json")
    ap.add_argument("--case", action="append")
    ap.add_argument("--update", action="store_true")
    ap.add_argument("--force", action="store_true")
    ap.add_argument("--cflags", default="", help="what the program was compiled with; part of what must be equal")
    o = ap.parse_args()
    if common.run(["valgrind", "--version"])[0] != 0:
        common.fail("gate: valgrind is not installed: nothing was counted", 77)
    with open(o.table, encoding="utf-8") as f:
        compiler, rows = read_table(f)
    host = common.host(o.bench)
    built = f"{host['compiler']} {o.cflags}".strip()
    if not o.update and not o.force and compiler != built:
        common.fail(f"gate: the figures are those of compiler {compiler}, this is {built}: "
                    "--force compares them all the same", 77)
    chosen = [r for r in rows if not o.case or r.name in o.case]
    results = measure_all(o.bench, chosen)
    bad = 0
    for r, m in zip(chosen, results):
        verdict, why = judge(r, m) if not o.update else ("new", f"was {r.instructions:.1f}")
        m.update(expected=r.instructions, verdict=verdict, why=why)
        print(f"{verdict.upper() if verdict == 'worse' else verdict:<6} {r.name:<28} "
              f"{m['instructions']:>12.1f} instructions {m['allocations']:>8.2f} allocations  {why}")
        bad += verdict == "worse"
        if o.update:
            r.instructions, r.allocations = m["instructions"], m["allocations"]
    if o.json:
        common.save(o.json, {"schema": 1, "host": host, "results": results})
    if o.update:
        with open(o.table, "w", encoding="utf-8") as f:
            f.write(format_table(built, rows))
        return 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
