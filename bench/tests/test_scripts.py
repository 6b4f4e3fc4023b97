# SPDX-License-Identifier: Apache-2.0
"""Tests of the benchmark scripts: no program is measured here."""
import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import callgrind  # noqa: E402
import common  # noqa: E402
import compare  # noqa: E402
import gate  # noqa: E402
import results  # noqa: E402
import targets  # noqa: E402

CALLGRIND = """# callgrind format
version: 1
positions: line
events: Ir

ob=(1) /x/bench
fl=(1) a.c
fn=(1) main
10 100
cfn=(2) work
calls=2 20
11 600

fn=(2)
20 400
+1 50
cob=(2) /lib/libc.so
cfn=(3) memcpy
calls=4 0
22 150

ob=(2)
fn=(3)
0 150
"""


class Callgrind(unittest.TestCase):
    def setUp(self):
        self.p = callgrind.parse(CALLGRIND.splitlines())

    def test_own_cost_leaves_out_calls(self):
        self.assertEqual(dict(self.p.own), {"main": 100, "work": 450, "memcpy": 150})
        self.assertEqual(self.p.total(), 700)

    def test_calls_and_objects(self):
        self.assertEqual(self.p.calls[("main", "work")], [2, 600])
        self.assertEqual(self.p.object["memcpy"], "/lib/libc.so")
        self.assertEqual(self.p.object["work"], "/x/bench")

    def test_inclusive(self):
        self.assertEqual(callgrind.inclusive(self.p)["main"], 700)
        self.assertEqual(callgrind.inclusive(self.p)["work"], 600)

    def test_fold_shares_everything_out(self):
        self.assertEqual(dict(callgrind.fold(self.p)), {"main": 100, "main;work": 450, "main;work;memcpy": 150})


class Gate(unittest.TestCase):
    row = gate.Row("x", 10, 1000, 0, 5)

    def test_verdicts(self):
        self.assertEqual(gate.judge(self.row, {"instructions": 1049, "allocations": 0})[0], "ok")
        self.assertEqual(gate.judge(self.row, {"instructions": 1051, "allocations": 0})[0], "worse")
        self.assertEqual(gate.judge(self.row, {"instructions": 900, "allocations": 0})[0], "better")

    def test_one_allocation_is_too_many(self):
        self.assertEqual(gate.judge(self.row, {"instructions": 900, "allocations": 0.1})[0], "worse")

    def test_table_reads_back(self):
        text = gate.format_table("12.2.0", [self.row])
        compiler, rows = gate.read_table(text.splitlines())
        self.assertEqual(compiler, "12.2.0")
        self.assertEqual((rows[0].name, rows[0].iterations, rows[0].instructions, rows[0].tolerance), ("x", 10, 1000, 5))

    def test_bad_table_is_refused(self):
        with self.assertRaises(SystemExit):
            gate.read_table(["x 10 1000"])


def counts(**kw):
    return [{"name": n, "instructions": i, "allocations": a, "functions": [{"name": "f_" + n, "instructions": i}]}
            for n, (i, a) in kw.items()]


class Compare(unittest.TestCase):
    def test_twenty_percent_are_found_by_name(self):
        rows = compare.compare_counts(counts(enc=(1000, 0), dec=(500, 0)), counts(enc=(1200, 0), dec=(505, 0)), 5)
        bad = compare.decide(rows, [])
        self.assertEqual([r["name"] for r in bad], ["enc"])
        self.assertEqual(bad[0]["functions"], [{"name": "f_enc", "more": 200}])

    def test_nothing_is_found_where_nothing_is(self):
        rows = compare.compare_counts(counts(enc=(1000, 0)), counts(enc=(1004, 0)), 5)
        self.assertEqual(compare.decide(rows, []), [])

    def test_more_allocations_are_worse(self):
        rows = compare.compare_counts(counts(enc=(1000, 0)), counts(enc=(500, 1)), 5)
        self.assertEqual(rows[0]["verdict"], "worse")

    @staticmethod
    def rounds(ratios, key="median_ns"):
        return [({"a": {key: 100.0}}, {"a": {key: 100.0 * r}}) for r in ratios]

    def test_times_noise_is_not_a_regression(self):
        rows = compare.compare_times(self.rounds([0.7, 1.5, 0.9, 2.0, 1.0, 1.1, 0.95]), 15, "median_ns")
        self.assertEqual(rows[0]["verdict"], "same")

    def test_times_steady_change_is_one(self):
        rows = compare.compare_times(self.rounds([1.3, 1.31, 1.28, 1.35, 1.3, 1.29, 1.33]), 15, "median_ns")
        self.assertEqual(rows[0]["verdict"], "worse")
        self.assertEqual([r["name"] for r in compare.decide([], rows)], ["a"])

    def test_times_of_two_rounds_say_nothing(self):
        self.assertEqual(compare.compare_times(self.rounds([1.3, 1.3]), 15, "median_ns")[0]["verdict"], "same")

    def test_times_worse_by_load_alone_are_not(self):
        rounds = [({"a": {"median_ns": 100.0, "min_ns": 90.0}}, {"a": {"median_ns": 150.0, "min_ns": 91.0}})] * 6
        self.assertEqual(compare.compare_times(rounds, 15, "median_ns")[0]["verdict"], "same")

    def test_counts_overrule_times(self):
        rows = compare.compare_times(self.rounds([1.3] * 7), 15, "median_ns")
        same = compare.compare_counts(counts(a=(100, 0)), counts(a=(100, 0)), 5)
        self.assertEqual(compare.decide(same, rows), [])

    def test_rule_of_two_workloads(self):
        base = counts(a=(100, 0), b=(100, 0), c=(100, 0))
        one = compare.compare_counts(base, counts(a=(50, 0), b=(100, 0), c=(100, 0)), 5)
        two = compare.compare_counts(base, counts(a=(50, 0), b=(50, 0), c=(100, 0)), 5)
        bad = compare.compare_counts(base, counts(a=(50, 0), b=(50, 0), c=(150, 0)), 5)
        self.assertFalse(compare.validate(one, [])[0])
        self.assertTrue(compare.validate(two, [])[0])
        self.assertFalse(compare.validate(bad, [])[0])


class Common(unittest.TestCase):
    def test_other_host_is_refused(self):
        with self.assertRaises(SystemExit) as e:
            common.same_host({"fingerprint": "a"}, {"fingerprint": "b"}, False, "x")
        self.assertEqual(e.exception.code, 3)

    def test_other_host_by_force_and_same_host(self):
        common.same_host({"fingerprint": "a"}, {"fingerprint": "b"}, True, "x")
        common.same_host({"fingerprint": "a"}, {"fingerprint": "a"}, False, "x")

    def test_growth(self):
        self.assertAlmostEqual(common.exponent([(n, 3.0 * n) for n in (10, 100, 1000)]), 1.0)
        self.assertAlmostEqual(common.exponent([(n, 0.1 * n * n) for n in (10, 100, 1000)]), 2.0)
        self.assertIsNone(common.exponent([(10, 1.0)]))

    def test_time_runs_out(self):
        self.assertEqual(common.run(["sleep", "5"], timeout=0.05)[0], 124)
        self.assertEqual(common.run(["/nonexistent/program"])[0], 127)


class Results(unittest.TestCase):
    @staticmethod
    def one(name, fingerprint, ns):
        return {"name": name, "host": {"fingerprint": fingerprint}, "system": {},
                "micro": {"results": [{"name": "enc", "median_ns": ns, "p95_ns": ns, "p99_ns": ns, "rate_per_s": 1, "allocs": 0}]}}

    def test_trends_leave_other_hosts_out(self):
        taken, left, table = results.trends([self.one("1", "a", 9), self.one("2", "b", 5), self.one("3", "a", 8)], False)
        self.assertEqual(([r["name"] for r in taken], left), (["1", "3"], 1))
        self.assertEqual(table[("micro", "enc", "median_ns")], [9, 8])

    def test_trends_by_force(self):
        taken, left, _ = results.trends([self.one("1", "a", 9), self.one("2", "b", 5)], True)
        self.assertEqual((len(taken), left), (2, 0))


class Targets(unittest.TestCase):
    RESULT = {"own": 1.3, "whole": 1.5, "own_min": 1.3, "whole_min": 1.5, "lost": 0, "pairs": 5, "native_ms": 1, "traced_ms": 2}

    def judged(self, kind, target, **more):
        with contextlib.redirect_stdout(io.StringIO()):
            return targets.judge(targets.Row("x", [], kind, target, "getppid"), dict(self.RESULT, **more))["met"]

    def test_judged_by_the_time_that_is_named(self):
        self.assertTrue(self.judged("own", 1.4))
        self.assertFalse(self.judged("whole", 1.4))
        self.assertFalse(self.judged("own", 1.2))

    def test_a_wrong_count_is_never_met(self):
        self.assertFalse(self.judged("own", 1.4, lost=1))
        self.assertFalse(self.judged("own", 1.4, lost=-1))

    def test_calls_of_a_table(self):
        with tempfile.NamedTemporaryFile("w", suffix=".c") as f:
            f.write(" 97.15    2.276168          61     37110              198ns   1.57us    109us getdents64\n"
                    "  1.11    0.026176           1     18943        16    488ns    784ns   1.18us openat\n")
            f.flush()
            self.assertEqual([targets.calls_of(f.name, c) for c in ("getdents64", "openat", "open")], [37110, 18943, 0])

    def test_what_was_not_sent(self):
        line = "tracer: find exited 0 after 1.88 s; 281,341 calls, 281,342 spans sent, 0 calls folded, {} dropped; trace 1 -> http://127.0.0.1:1\n"
        self.assertEqual(targets.not_sent(line.format("0")), 0)
        self.assertEqual(targets.not_sent(line.format("30,259")), 30259)
        self.assertEqual(targets.not_sent("tracer: 164,583 calls were not recorded: the rings were full\n" + line.format("0")), 164583)
        self.assertEqual(targets.not_sent(""), 1)


if __name__ == "__main__":
    unittest.main()
