#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a received trace whole?  check_trace.py FILE.jsonl [--calls N] [--traces N] [--processes N]

Checks of OTLP/JSON lines as a receiver wrote them: ids are well-formed and
unique, every parent is there and is a process span, times nest, one service,
one root, and the calls that the spans stand for (summaries count what they
folded) are as many as the tracer said.  Prints a line of counts.
"""
import argparse
import collections
import json
import re
import sys


def plain(v):
    (kind, x), = v.items() if v else (("none", None),)
    if kind == "intValue":
        return int(x)
    if kind == "arrayValue":
        return [plain(e) for e in x.get("values", [])]
    return x


def load(path):
    for line in open(path, encoding="utf-8"):
        for rs in json.loads(line)["resourceSpans"]:
            resource = {a["key"]: plain(a["value"]) for a in rs["resource"].get("attributes", [])}
            for ss in rs["scopeSpans"]:
                for s in ss["spans"]:
                    s["attr"] = {a["key"]: plain(a["value"]) for a in s.get("attributes", [])}
                    s["resource"] = resource
                    yield s


def is_process(s):
    return "process.executable.name" in s["attr"] or "process.exit.code" in s["attr"] or \
        s["attr"].get("tracer.exit.reason") is not None


def check(spans, a):
    errors = []
    ids = {}
    for s in spans:
        if not re.fullmatch("[0-9a-f]{32}", s["traceId"]) or not re.fullmatch("[0-9a-f]{16}", s["spanId"]):
            errors.append("bad id in %s" % s["name"])
        if s["spanId"] in ids:
            errors.append("span id %s twice" % s["spanId"])
        ids[s["spanId"]] = s
        if int(s["endTimeUnixNano"]) < int(s["startTimeUnixNano"]):
            errors.append("%s ends before it starts" % s["name"])
        if s.get("kind") != 1:
            errors.append("%s: kind %s" % (s["name"], s.get("kind")))
    roots = []
    for s in spans:
        parent = s.get("parentSpanId", "")
        remote = int(s.get("flags", 0)) & 0x200
        if not parent or remote:
            roots.append(s)
        elif parent not in ids:
            errors.append("%s: parent %s did not arrive" % (s["name"], parent))
        elif not is_process(ids[parent]):
            errors.append("%s: parent %s is no process span" % (s["name"], ids[parent]["name"]))
        elif "syscall.name" in s["attr"] and not s["attr"].get("aggregation.is_summary") and \
                s["resource"].get("process.pid") != ids[parent]["resource"].get("process.pid"):
            errors.append("%s: of pid %s under pid %s" % (s["name"], s["resource"].get("process.pid"),
                                                         ids[parent]["resource"].get("process.pid")))
    traces = {s["traceId"] for s in spans}
    services = {s["resource"].get("service.name") for s in spans}
    instances = {s["resource"].get("service.instance.id") for s in spans}
    calls = sum(s["attr"].get("aggregation.span_count", 1) for s in spans if "syscall.name" in s["attr"])
    processes = sum(1 for s in spans if is_process(s))
    if len(traces) != a.traces:
        errors.append("%d traces instead of %d" % (len(traces), a.traces))
    if len(roots) != a.traces:
        errors.append("%d roots" % len(roots))
    if len(services) != 1 or len(instances) != 1 or None in services:
        errors.append("services %s, instances %s" % (services, instances))
    if a.calls is not None and calls != a.calls:
        errors.append("spans stand for %d calls instead of %d" % (calls, a.calls))
    if a.processes is not None and processes != a.processes:
        errors.append("%d process spans instead of %d" % (processes, a.processes))
    names = collections.Counter(s["name"] for s in spans)
    print("%d spans, %d process spans, %d calls, %d traces, most: %s" %
          (len(spans), processes, calls, len(traces), names.most_common(3)))
    return errors


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--calls", type=int)
    p.add_argument("--traces", type=int, default=1)
    p.add_argument("--processes", type=int)
    a = p.parse_args()
    errors = check(list(load(a.file)), a)
    for e in errors[:20]:
        print("ERROR", e)
    sys.exit(1 if errors else 0)


main()
