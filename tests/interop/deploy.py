# SPDX-License-Identifier: Apache-2.0
"""Judges what the two gateways of tests/interop/deploy.sh kept, and reads the YAML of docs/deploy.

  deploy.py kept STORED-1 STORED-2 OURS...   OURS: OTLP/JSON files of the runs; traces with an error are kept
  deploy.py yaml DIR
"""
import json
import os
import sys


def spans_of(path):
    """span id -> (trace id, is an error)"""
    out = {}
    if not os.path.exists(path):
        return out
    with open(path, encoding="utf-8") as f:
        for line in f:
            for rs in json.loads(line).get("resourceSpans", []):
                for ss in rs["scopeSpans"]:
                    for s in ss["spans"]:
                        assert s["spanId"] not in out, "%s: span %s twice" % (path, s["spanId"])
                        out[s["spanId"]] = (s["traceId"], int(s.get("status", {}).get("code", 0)) == 2)
    return out


def kept(one, two, *ours):
    stored = [spans_of(one), spans_of(two)]
    traces = [{t for t, _ in s.values()} for s in stored]
    assert not traces[0] & traces[1], "a trace is on both gateways"
    assert traces[0] and traces[1], "one gateway has nothing: %d and %d traces" % tuple(map(len, traces))
    made = {}
    for path in ours:
        spans = spans_of(path)
        assert spans, "%s is empty" % path
        made.update(spans)
    failed = {t for t, error in made.values() if error}
    wanted = {span for span, (t, _) in made.items() if t in failed}
    assert failed and len(wanted) < len(made), "all runs are alike"
    there = set(stored[0]) | set(stored[1])
    assert there == wanted, "%d spans too few, %d too many of %d" % (len(wanted - there), len(there - wanted), len(wanted))
    print("%d of %d spans kept, %d and %d traces" % (len(wanted), len(made), len(traces[0]), len(traces[1])))


def read_yaml(directory):
    import yaml

    def load(name):
        with open(os.path.join(directory, name), encoding="utf-8") as f:
            return yaml.safe_load(f)

    for name in ("agent.yaml", "gateway.yaml"):
        for pipeline in load(name)["service"]["pipelines"].values():
            assert pipeline["processors"][0] == "memory_limiter", "%s: the limiter comes first" % name
    pod = load("sidecar.yaml")
    assert pod["apiVersion"] == "v1" and pod["kind"] == "Pod"
    spec = pod["spec"]
    volumes = {v["name"] for v in spec["volumes"]}
    containers = spec["initContainers"] + spec["containers"]
    for c in containers:
        assert c["name"] and c["image"], c
        assert {m["name"] for m in c.get("volumeMounts", [])} <= volumes, c["name"]
        for e in c.get("env", []):
            assert isinstance(e["name"], str) and ("valueFrom" in e or isinstance(e["value"], str)), e
    assert [c.get("restartPolicy") for c in containers if c["name"] == "otel-agent"] == ["Always"]
    shop = spec["containers"][0]
    names = [e["name"] for e in shop["env"]]
    for e in shop["env"]:       # $(NAME) must be defined before its use
        for used in e.get("value", "").split("$(")[1:]:
            assert names.index(used.split(")")[0]) < names.index(e["name"]), e
    debug = load("debug-profile.yaml")
    assert debug["securityContext"]["capabilities"]["add"] == ["SYS_PTRACE"]
    job = load("ci.yaml")["build"]
    assert job["script"] and all(isinstance(v, str) for v in job["variables"].values())
    print("yaml: agent, gateway, sidecar, debug-profile, ci")


{"kept": kept, "yaml": read_yaml}[sys.argv[1]](*sys.argv[2:])
