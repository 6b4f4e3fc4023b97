# SPDX-License-Identifier: Apache-2.0
"""What the benchmark scripts share: running programs within a budget, JSON
files, the host block that every result carries, robust statistics."""
import json
import math
import os
import signal
import subprocess
import sys
import time


def fail(message, status=2):
    """Say what is wrong and stop."""
    print(message, file=sys.stderr)
    sys.exit(status)


def load(path):
    """A JSON file; a clear message where it is none."""
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError) as e:
        fail(f"{path}: {e}")


def save(path, data):
    """Written whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1, sort_keys=False)
        f.write("\n")
    os.replace(path + ".tmp", path)


def run(argv, timeout=None, **kw):
    """Run and return (status, stdout, stderr); status 124 where time ran out (with all that it
    started gone), 127 where it cannot run."""
    try:
        p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                             stdin=subprocess.DEVNULL, start_new_session=True, **kw)
    except OSError as e:
        return 127, "", str(e)
    try:
        out, err = p.communicate(timeout=timeout)
        return p.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        return 124, out, err


def host(bench):
    """The machine, as the harness describes it."""
    rc, out, err = run([bench, "--host"], timeout=20)
    if rc != 0:
        fail(f"{bench} --host failed ({rc}): {err}")
    return json.loads(out)["host"]


def same_host(a, b, force, what):
    """Results of two machines say nothing about two versions."""
    fa, fb = a.get("fingerprint"), b.get("fingerprint")
    if fa == fb:
        return
    text = (f"{what}: made on different hosts or by different compilers\n"
            f"  {fa}: {a.get('cpu')}, {a.get('cpus')} CPUs, Linux {a.get('kernel')}, {a.get('compiler')}\n"
            f"  {fb}: {b.get('cpu')}, {b.get('cpus')} CPUs, Linux {b.get('kernel')}, {b.get('compiler')}")
    if not force:
        fail(text + "\n  --force compares them all the same", 3)
    print("warning: " + text, file=sys.stderr)


def median(values):
    """The middle of a non-empty list."""
    v = sorted(values)
    n = len(v)
    return v[n // 2] if n % 2 else (v[n // 2 - 1] + v[n // 2]) / 2


def exponent(points):
    """Least-squares slope of log y over log x: 1 is linear growth.  None where it cannot be told."""
    p = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(p) < 2:
        return None
    mx, my = sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)
    var = sum((x - mx) ** 2 for x, _ in p)
    return sum((x - mx) * (y - my) for x, y in p) / var if var > 0 else None


class Budget:
    """Seconds that a stage may take."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def over(self):
        return self.left() <= 0
