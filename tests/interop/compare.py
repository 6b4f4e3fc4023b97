#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do two files of OTLP/JSON lines hold the same spans?

    compare.py STORED OURS

Every span of OURS must be in STORED with the same fields, resource and scope,
and the other way round; STORED may have spans of other traces.  What JSON leaves open (order of attributes, numbers
or strings for 64-bit integers, empty fields written or left out) is folded.
Prints the number of spans; exit 1 with the first differences otherwise.
"""
import json
import sys


def value(v):
    if not v:
        return None
    (kind, x), = v.items()
    if kind == "intValue":
        return (kind, int(x))
    if kind == "arrayValue":
        return (kind, tuple(value(e) for e in x.get("values", [])))
    if kind == "kvlistValue":
        return (kind, attributes(x.get("values", [])))
    return (kind, x)


def attributes(kvs):
    return tuple(sorted(((a["key"], value(a.get("value", {}))) for a in kvs), key=repr))


def load(path):
    spans = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip():
                continue
            for rs in json.loads(line)["resourceSpans"]:
                resource = attributes(rs.get("resource", {}).get("attributes", []))
                for ss in rs["scopeSpans"]:
                    scope = ss.get("scope", {})
                    for s in ss["spans"]:
                        key = (s["traceId"].lower(), s["spanId"].lower())
                        if key in spans:
                            sys.exit("%s: span %s twice" % (path, key))
                        spans[key] = {
                            "resource": resource,
                            "resource schema": rs.get("schemaUrl", ""),
                            "scope schema": ss.get("schemaUrl", ""),
                            "scope": (scope.get("name", ""), scope.get("version", "")),
                            "parent": s.get("parentSpanId", "").lower(),
                            "state": s.get("traceState", ""),
                            "name": s.get("name", ""),
                            "kind": int(s.get("kind", 0)),
                            "start": int(s["startTimeUnixNano"]),
                            "end": int(s["endTimeUnixNano"]),
                            "attributes": attributes(s.get("attributes", [])),
                            "links": tuple((x["traceId"].lower(), x["spanId"].lower(), x.get("traceState", ""),
                                            int(x.get("flags", 0))) for x in s.get("links", [])),
                            "status": (int(s.get("status", {}).get("code", 0)),
                                       s.get("status", {}).get("message", "")),
                            "flags": int(s.get("flags", 0)),
                            "dropped": tuple(int(s.get("dropped%sCount" % x, 0)) for x in ("Attributes", "Links", "Events")),
                        }
    return spans


def main():
    stored, ours = load(sys.argv[1]), load(sys.argv[2])
    traces = {trace for trace, _ in ours}
    stored = {key: s for key, s in stored.items() if key[0] in traces}
    bad = 0
    for key in sorted(set(stored) | set(ours)):
        if key not in stored or key not in ours:
            print("only in", "ours" if key in ours else "stored", key)
            bad += 1
        else:
            for field, v in ours[key].items():
                if stored[key][field] != v:
                    print(key, field, "ours:", v, "stored:", stored[key][field])
                    bad += 1
        if bad > 10:
            break
    if bad or not ours:
        sys.exit("not the same (%d spans stored, %d ours)" % (len(stored), len(ours)))
    print("%d spans, the same" % len(ours))


main()
