# SPDX-License-Identifier: Apache-2.0
"""What Jaeger's query API shows of a trace.

  jaeger.py ready URL                      0 when it answers
  jaeger.py same URL FILE.jsonl SERVICE    its trace is the file's
"""
import json
import sys
import time
import urllib.error
import urllib.request


def get(url):
    with urllib.request.urlopen(url, timeout=10) as r:
        return json.load(r)


def ours(path, service):
    """id -> what Jaeger shows of a span; times are microseconds there."""
    spans, traces = {}, set()
    for line in open(path, encoding="utf-8"):
        for rs in json.loads(line)["resourceSpans"]:
            for ss in rs["scopeSpans"]:
                for s in ss["spans"]:
                    start, end = int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"])
                    traces.add(s["traceId"])
                    spans[s["spanId"]] = (s["name"], s.get("parentSpanId", ""), start // 1000, (end - start) // 1000,
                                          s.get("status", {}).get("code", 0) == 2, service)
    assert len(traces) == 1, traces
    return traces.pop(), spans


def theirs(trace):
    spans = {}
    for s in trace["spans"]:
        parents = [r["spanID"] for r in s["references"] if r["refType"] == "CHILD_OF"]
        tags = {t["key"]: t["value"] for t in s["tags"]}
        spans[s["spanID"]] = (s["operationName"], parents[0] if parents else "", s["startTime"], s["duration"],
                              tags.get("error", False), trace["processes"][s["processID"]]["serviceName"])
    return spans


def same(url, path, service):
    trace, expected = ours(path, service)
    for _ in range(100):
        try:
            got = theirs(get("%s/api/traces/%s" % (url, trace))["data"][0])
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise
            got = {}
        if len(got) >= len(expected):
            break
        time.sleep(0.1)
    for i in expected.keys() | got.keys():
        assert expected.get(i) == got.get(i), "%s: %s in the file, %s in Jaeger" % (i, expected.get(i), got.get(i))
    assert len(got) > 50, "only %d spans" % len(got)
    print("%s: %d spans" % (service, len(got)))


def ready(url):
    get(url + "/api/services")


{"ready": ready, "same": same}[sys.argv[1]](*sys.argv[2:])
