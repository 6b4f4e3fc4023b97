# SPDX-License-Identifier: Apache-2.0
"""Tests of profile, flame graph, suite and audit on made-up measurements."""
import os
import re
import subprocess
import sys
import unittest
import xml.dom.minidom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import bloat  # noqa: E402
import curves  # noqa: E402
import findings  # noqa: E402
import flamegraph  # noqa: E402
import profile  # noqa: E402
import report  # noqa: E402
import suite  # noqa: E402

PERF = """tracer  11/11
\tffffffff81000001 finish_task_switch ([kernel.kallsyms])
\tffffffff81000002 __x64_sys_ptrace ([kernel.kallsyms])
\t            1000 ptrace (/usr/lib/libc.so.6)
\t            2000 sup_step (/x/.libs/libtracer.so.0.0.0)

tracer  11/12
\t            3000 deflate_body (/usr/lib/libisal.so.2)
\t            3001 gzip_encode (/x/.libs/libtracer.so.0.0.0)

load  13/13
\t            1 main (/x/load)

tracer  11/12
\t            4000 add (inlined)
\t            4000 otlp_encode_spans.part.0 (/x/.libs/libtracer.so.0.0.0)
"""
OWN = {"sup_step": "engine", "gzip_encode": "gzip", "otlp_encode_spans": "encode", "add": "encode"}

MASSIF = """desc: x
time=0
mem_heap_B=10
heap_tree=empty
time=5
mem_heap_B=1000
heap_tree=peak
n2: 1000 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n1: 700 0x1: chunk_add (span_pool.c:40)
  n0: 700 0x2: span_pool_new (span_pool.c:90)
 n0: 300 0x3: isal_new (gzip_isal.c:20)
"""


class Profile(unittest.TestCase):
    def test_samples_are_put_down_to_the_innermost_known_code(self):
        parts, hot, folded, threads = profile.account(profile.parse_script(PERF.splitlines()), OWN)
        self.assertEqual(dict(parts), {"engine": 1, "gzip": 1, "encode": 1})
        self.assertEqual(hot["finish_task_switch"], 1)
        self.assertEqual(threads, {11: 1, 12: 2})
        self.assertEqual(sum(folded.values()), 3)

    def test_parts_of_objects(self):
        self.assertEqual(profile.part_of_object("b/src/export/.libs/gzip_zlib.o"), "gzip")
        self.assertEqual(profile.part_of_object("b/src/export/.libs/http_transport.o"), "network")
        self.assertEqual(profile.part_of_object("b/src/tracee/mem.o"), "engine")

    def test_massif_peak_and_sites(self):
        peak, snapshots, sites = profile.parse_massif(MASSIF.splitlines())
        self.assertEqual((peak, len(snapshots)), (1000, 2))
        self.assertEqual(dict(sites), {"chunk_add": 700, "isal_new": 300})


class Flame(unittest.TestCase):
    lines = ["a;b 3", "a;c 1", "a 1", "nonsense", ""]

    def test_tree(self):
        root, bad = flamegraph.build(self.lines)
        self.assertEqual((root.value, root.kids["a"].value, root.kids["a"].kids["b"].value, bad), (5, 5, 3, 1))

    def test_svg_is_xml_and_widths_add_up(self):
        svg = flamegraph.render(["a;b 3", "a;<c> 1"], "t & t")
        xml.dom.minidom.parseString(svg.split("<script>")[0] + "</svg>")
        widths = dict(re.findall(r'data-w="([\d.]+)" data-n="([^"]+)"', svg)[i][::-1] for i in range(3))
        self.assertAlmostEqual(float(widths["a"]), float(widths["b"]) + float(widths["&lt;c&gt;"]), places=1)

    def test_nothing(self):
        self.assertIsNone(flamegraph.render([], "t"))


class Counting(unittest.TestCase):
    """The shell commands that count events, on what programs print."""

    @staticmethod
    def sh(command, text, tmp="/tmp"):
        path = os.path.join(tmp, f"bench-test.{os.getpid()}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        try:
            return int(subprocess.run(["sh", "-c", command.replace("FILE", path)], capture_output=True, text=True, check=True).stdout)
        finally:
            os.unlink(path)

    def test_lines(self):
        self.assertEqual(self.sh(suite.lines_with("getppid", "FILE"), "12 getppid() = 1\n12 getpid() = 1\n12 getppid() = 1\n"), 2)
        self.assertEqual(self.sh(suite.lines_with("getppid", "FILE"), "nothing\n"), 0)

    def test_table(self):
        self.assertEqual(self.sh(suite.of_summary("read", "FILE"), " 98.2 0.03 0 5000 1 1us read\n 1.0 0.01 2 7 1us pread64\n"), 5000)

    def test_exit_line(self):
        line = "tracer: x exited 0 after 1.9 s; {0} calls, 9 spans sent, 0 calls folded, {1} dropped; trace 1\n"
        self.assertEqual(self.sh(suite.of_exit_line(1000, "FILE"), line.format("1,030", "0")), 1000)
        self.assertEqual(self.sh(suite.of_exit_line(1000, "FILE"), line.format("1,030", "12")), 988)
        self.assertEqual(self.sh(suite.of_exit_line(1000, "FILE"), line.format("900", "0")), 900)
        before = "tracer: 367 calls were not recorded: the rings were full (--overflow block, --ring-size)\n"
        self.assertEqual(self.sh(suite.of_exit_line(1000, "FILE"), before + line.format("900", "20")), 880)


class Scales(unittest.TestCase):
    def test_ten_million(self):
        self.assertEqual(max(n for n, _, _ in suite.scales(False)), 10000000)
        self.assertLess(max(n for n, _, _ in suite.scales(True)), 1000000)

    def test_what_cannot_be_ended_is_told_beforehand(self):
        walls = {"summary": (1000, 2000.0), "inproc_summary": (1000, 10.0)}
        self.assertAlmostEqual(suite.seconds_of(10000, ("summary", "inproc_summary", "unknown"), walls), 20.1)

    def test_growth_is_over_native_and_of_the_rows_that_have_the_variant(self):
        rows = [{"calls": n, "results": [{"variant": "native", "wall_ms": 1.0}, {"variant": "a", "wall_ms": 1.0 + n}]} for n in (10, 100, 1000)]
        rows.append({"calls": 10000, "results": [{"variant": "native", "wall_ms": 1.0}, {"variant": "b", "wall_ms": 7.0}]})
        points, e = suite.fit(rows, "a", "wall_ms")
        self.assertEqual(points, [(10, 10.0), (100, 100.0), (1000, 1000.0)])
        self.assertAlmostEqual(e, 1.0)


class Curves(unittest.TestCase):
    def test_many_threads_that_cost_more_are_found(self):
        self.assertFalse(curves.worse([{"us_per_marker": 1.0}, {"us_per_marker": 1.9}]))
        self.assertTrue(curves.worse([{"us_per_marker": 1.0}, {"us_per_marker": 2.1}, {"us_per_marker": 1.5}]))
        self.assertFalse(curves.worse([]))

    def test_points_keep_what_was_lost(self):
        r = {"results": [{"variant": "native", "wall_ms": 1, "ratio": 1, "maxrss_kib": 1},
                         {"variant": "drop", "wall_ms": 2, "ratio": 2, "maxrss_kib": 3, "lost_most": 5, "added_us_per_marker": 0.1}]}
        self.assertEqual(curves.points(r), [{"value": "drop", "wall_ms": 2, "ratio": 2, "maxrss_kib": 3, "lost_most": 5, "us_per_marker": 0.1}])


def row(name, rate=1e6, **kw):
    return dict({"name": name, "rate_per_s": rate, "median_ns": 1000.0, "p50_ns": 1000.0, "p95_ns": 1100.0, "p99_ns": 2000.0,
                 "allocs": 0.0, "alloc_bytes": 0.0}, **kw)


def measured():
    """A clean run."""
    variants = [{"variant": "native", "wall_ms": 10.0, "ratio": 1.0, "maxrss_kib": 1000},
                {"variant": "summary", "wall_ms": 10.1, "ratio": 1.01, "maxrss_kib": 9000, "lost_runs": 0, "lost_most": 0, "reps": 3},
                {"variant": "otlp_full", "wall_ms": 100.0, "ratio": 10.0, "maxrss_kib": 16000},
                {"variant": "inproc_otlp_full", "wall_ms": 20.0, "ratio": 2.0, "maxrss_kib": 16000}]
    return {"micro": {"results": [row("batch_export"), row("batch_size_1", 1e4), row("batch_size_512"), row("gzip_isal_1", 4e6),
                                  row("protobuf_encoding", 4e6), row("json_encoding", 3e5), row("flush_balanced", 1e4, p99_ns=2e6),
                                  row("span_pool", 2e7), row("span_pool_disabled", 1e7, allocs=512.0)]},
            "instructions": {"results": [{"name": "enc", "instructions": 100, "expected": 100, "verdict": "ok", "why": "", "functions": []}]},
            "whole": {"workloads": [{"name": "compute_heavy", "results": variants}, {"name": "syscall_heavy", "results": variants}], "missing": []},
            "scales": {"scales": [{"name": "scale_10000", "calls": 10000, "results": variants}], "growth": []},
            "profile": {"sampled": [{"workload": "full", "options": [], "parts": [{"part": "engine", "percent": 85.0}], "hot": [], "waiting": []}], "counted": []}}


class Findings(unittest.TestCase):
    def setUp(self):
        self.data = measured()

    def gates(self):
        return {g["gate"]: g["ok"] for g in findings.gates(self.data, [])}

    def test_clean_run_passes(self):
        self.assertTrue(all(self.gates().values()))

    def test_slower_encoder_fails_by_name(self):
        self.data["instructions"]["results"][0].update(verdict="worse", why="+20 %", instructions=120)
        self.assertFalse(self.gates()["instructions"])
        self.assertEqual([f["detail"] for f in findings.find(self.data) if f["gate"]], ["enc: +20 %"])

    def test_lost_events_fail_for_us_and_not_for_a_peer(self):
        lost = {"variant": "perf_trace", "wall_ms": 1.0, "ratio": 1.0, "maxrss_kib": 1, "lost_runs": 1, "lost_most": 7, "reps": 3}
        self.data["whole"]["workloads"][0]["results"].append(lost)
        self.assertTrue(self.gates()["losses"])
        self.assertEqual(findings.losses(self.data)[0]["lost_most"], 7)
        lost["variant"] = "otlp_full"
        self.assertFalse(self.gates()["losses"])

    def test_slow_flush_and_slow_export_fail(self):
        self.data["micro"]["results"][6]["p99_ns"] = 2e8
        self.assertFalse(self.gates()["flush latency p99"])
        self.data["micro"]["results"][0]["rate_per_s"] = 9000
        self.assertFalse(self.gates()["export rate, one core"])

    def test_failed_stage_fails(self):
        self.assertFalse(findings.gates(self.data, [{"stage": "whole", "ok": False, "detail": "exit 2"}])[-1]["ok"])

    def test_criteria_take_the_better_engine_and_say_why_not(self):
        rows = {c["criterion"]: c for c in findings.criteria(self.data)}
        self.assertTrue(rows["basic tracing overhead, compute_heavy"]["met"])
        self.assertFalse(rows["OTLP export overhead, compute_heavy"]["met"])
        self.assertAlmostEqual(rows["OTLP export overhead, compute_heavy"]["measured"], 100.0)
        self.assertTrue(rows["OTLP export overhead, compute_heavy"]["why"])
        self.assertIsNone(rows["basic tracing overhead, gcc"]["met"])

    def test_gain_of_the_engine_is_the_measured_one(self):
        f = next(f for f in findings.find(self.data) if f["type"] == "cpu_bound" and "engine" in f["detail"])
        self.assertAlmostEqual(f["measured_gain_percent"], 80.0)
        self.assertEqual(f["priority"], 2)

    def test_matrix_looks_only_where_the_share_is_large(self):
        rows = {d["part"]: d["look_there"] for d in findings.decisions(self.data)}
        self.assertTrue(rows["engine"])
        self.assertFalse(rows["gzip"])

    def test_experiments(self):
        rows = {e["experiment"]: e for e in findings.experiments(self.data)}
        self.assertAlmostEqual(rows["batches: 1 span a request to 512"]["gain_percent"], 99.0)
        self.assertAlmostEqual(rows["span pool: allocations of 512 spans"]["gain_percent"], 100.0)
        self.assertNotIn("gzip: zlib 6 to the default", rows)

    def test_report_of_everything_and_of_nothing(self):
        for data in (self.data, {}):
            found = findings.report(data, [], {"host": {}, "commit": "x"}, [])
            self.assertEqual(found["schema_version"], findings.SCHEMA_VERSION)
            page = report.render(found, data, [("a", "<svg></svg>")])
            self.assertIn("Success criteria", page)
            self.assertNotIn("<script src", page)
            self.assertEqual(page.count("<table>"), page.count("</table>"))


class Growth(unittest.TestCase):
    def test_fit_is_over_native(self):
        scales = [{"calls": n, "results": [{"variant": "native", "wall_ms": 5.0, "maxrss_kib": 1},
                                           {"variant": "x", "wall_ms": 5.0 + n * 0.01, "maxrss_kib": 4096}]} for n in (10000, 100000, 1000000)]
        self.assertAlmostEqual(suite.fit(scales, "x", "wall_ms")[1], 1.0)
        self.assertAlmostEqual(suite.fit(scales, "x", "maxrss_kib")[1], 0.0)


class Bloat(unittest.TestCase):
    def test_symbols_and_difference(self):
        text = "0000000000001000 0000000000000010 t small\n0000000000002000 0000000000000100 d large\n"
        self.assertEqual(bloat.parse_symbols(text, 1), [("large", 256, "d")])
        self.assertEqual(bloat.difference({"a": 1, "b": 2}, {"a": 1, "b": 9, "c": 1}), [("b", 2, 9), ("c", 0, 1)])


if __name__ == "__main__":
    unittest.main()
