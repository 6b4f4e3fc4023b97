# SPDX-License-Identifier: Apache-2.0
"""bloat.py --build DIR --json FILE [--base FILE]

What is in the library and the program: bytes by section, by object file, by
symbol; the difference to an earlier bloat.json."""
import argparse
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402


def sections(path):
    """Bytes of the sections that are loaded."""
    out = {}
    for line in common.run(["size", "-A", path])[1].splitlines():
        f = line.split()
        if len(f) == 3 and f[0].startswith(".") and f[1].isdigit() and not f[0].startswith((".debug", ".comment")):
            out[f[0]] = int(f[1])
    return out


def parse_symbols(text, most):
    """Largest of `nm -S --size-sort`: [(name, bytes, type)]."""
    rows = []
    for line in text.splitlines():
        f = line.split()
        if len(f) == 4:
            rows.append((f[3], int(f[1], 16), f[2]))
    return sorted(rows, key=lambda r: -r[1])[:most]


def objects(build):
    """text + data of each object file of the library, by module/file."""
    out = {}
    for o in glob.glob(os.path.join(build, "src/*/.libs/*.o")):
        lines = common.run(["size", o])[1].splitlines()
        if len(lines) == 2:
            f = lines[1].split()
            out[o.split("/src/")[-1].replace("/.libs/", "/")] = int(f[0]) + int(f[1])
    return out


def difference(base, new):
    """[(what, before, after)] of what changed, most first."""
    keys = set(base) | set(new)
    rows = [(k, base.get(k, 0), new.get(k, 0)) for k in keys if base.get(k, 0) != new.get(k, 0)]
    return sorted(rows, key=lambda r: -abs(r[2] - r[1]))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=".")
    ap.add_argument("--json", required=True)
    ap.add_argument("--base")
    o = ap.parse_args()
    library = next((p for p in sorted(glob.glob(os.path.join(o.build, ".libs/libtracer.so.*.*.*")))), os.path.join(o.build, "tracer"))
    symbols = parse_symbols(common.run(["nm", "-S", "--size-sort", "--defined-only", library])[1], 40)
    data = {"schema": 1, "file": os.path.basename(library), "sections": sections(library), "objects": objects(o.build),
            "symbols": [{"name": n, "bytes": b, "type": t} for n, b, t in symbols]}
    data["total"] = sum(data["sections"].values())
    common.save(o.json, data)
    print(f"{data['file']}: {data['total']} bytes loaded")
    for name, n in sorted(data["sections"].items(), key=lambda x: -x[1])[:8]:
        print(f"  {n:>9}  {name}")
    for name, n in sorted(data["objects"].items(), key=lambda x: -x[1])[:15]:
        print(f"  {n:>9}  {name}")
    for s in data["symbols"][:15]:
        print(f"  {s['bytes']:>9}  {s['type']} {s['name']}")
    if o.base:
        base = common.load(o.base)
        print(f"against {o.base}: {data['total'] - base['total']:+} bytes")
        for kind in ("sections", "objects"):
            for name, before, after in difference(base[kind], data[kind])[:10]:
                print(f"  {after - before:>+9}  {name}")


if __name__ == "__main__":
    main()
