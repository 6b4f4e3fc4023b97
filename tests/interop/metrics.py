# SPDX-License-Identifier: Apache-2.0
"""Metrics by OpenTelemetry's own Python messages.

  metrics.py serve PORTFILE OUT.pb       HTTP receiver of /v1/metrics: appends bodies, one request
  metrics.py check OUT.pb TABLE OPTIONS...
        does what came agree with the -c table of the same run?  Options:
        delta|cumulative, exponential|explicit: what must have come
  metrics.py lines STORED.jsonl OUT.pb   turns OTLP/JSON lines of metrics into a request
  metrics.py self OUT.pb NAME...         metrics of these names must be there; "remote 1", "none 0", "local 2": so many
        spans (2: or more) were started with a parent of this origin
"""
import collections
import gzip
import http.server
import json
import math
import os
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/metrics", self.path
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        answer = b""
        if self.headers["Content-Type"] == "application/json":
            body = json_format.Parse(body, service.ExportMetricsServiceRequest()).SerializeToString()
            answer = b"{}"
        else:
            service.ExportMetricsServiceRequest().ParseFromString(body)     # strict about UTF-8
        with open(self.server.out, "ab") as f:      # requests concatenate to one request
            f.write(body)
        self.send_response(200)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def serve(portfile, out):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.out = out
    with open(portfile + ".tmp", "w") as f:
        f.write(str(server.server_port))
    os.rename(portfile + ".tmp", portfile)
    server.serve_forever()


def request(path):
    r = service.ExportMetricsServiceRequest()
    with open(path, "rb") as f:
        r.ParseFromString(f.read())
    return r


def attributes(kvs):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in kvs}


def points(r):
    """(executable, metric, its data, point)"""
    for rm in r.resource_metrics:
        resource = attributes(rm.resource.attributes)
        assert rm.schema_url == "https://opentelemetry.io/schemas/1.44.0", rm.schema_url
        assert resource["service.name"] and resource["service.instance.id"], resource
        for sm in rm.scope_metrics:
            assert sm.scope.name == "tracer" and sm.scope.version, sm.scope
            for m in sm.metrics:
                data = getattr(m, m.WhichOneof("data"))
                assert m.unit and m.description, m.name
                assert data.data_points, "%s has no points" % m.name
                for p in data.data_points:
                    assert 0 < p.start_time_unix_nano <= p.time_unix_nano, m.name
                    yield resource.get("process.executable.name"), m, data, p


def check_exponential(p):
    buckets = list(p.positive.bucket_counts)
    assert len(buckets) <= 160 and p.scale <= 20
    assert p.zero_count + sum(buckets) == p.count, "buckets do not add up"
    assert p.HasField("sum") and p.HasField("min") and p.HasField("max")
    assert p.min <= p.max and p.min * p.count <= p.sum * (1 + 1e-9) and p.sum <= p.max * p.count * (1 + 1e-9)
    if buckets:     # the bounds enclose the values, the outermost buckets hold min and max
        lo, hi = [2.0 ** ((p.positive.offset + i) * 2.0 ** -p.scale) for i in (0, len(buckets))]
        assert lo * (1 - 1e-9) <= (p.min or lo) and p.max <= hi * (1 + 1e-9), (lo, p.min, p.max, hi)
        base = 2.0 ** 2.0 ** -p.scale
        assert p.max >= hi / base * (1 - 1e-9), "max is not in the last bucket"


def check_explicit(p):
    assert len(p.bucket_counts) == len(p.explicit_bounds) + 1
    assert sum(p.bucket_counts) == p.count
    assert list(p.explicit_bounds) == sorted(p.explicit_bounds)
    assert p.HasField("sum") and p.HasField("min") and p.HasField("max")


def load_table(path):
    """name -> (calls, errors, seconds) of a -c table with the columns calls,errors,total-time,name"""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if len(words) >= 3 and words[0].isdigit() and words[-1] != "total":
                errors = int(words[1]) if len(words) == 4 else 0
                out[words[-1]] = (int(words[0]), errors, float(words[-2]))
    return out


def check(path, table, temporality, form):
    calls, errors, seconds = collections.Counter(), collections.Counter(), collections.Counter()
    seen, series, executables = collections.Counter(), set(), set()
    latest = {}
    for exe, m, data, p in points(request(path)):
        a = attributes(p.attributes)
        key = (exe, m.name, tuple(sorted(a.items())), p.time_unix_nano)
        assert key not in series, "the same series twice: %s" % (key,)
        series.add(key)
        seen[m.name] += 1
        if exe:
            executables.add(exe)
        want = {"delta": 1, "cumulative": 2}[temporality]
        if m.name == "process.memory.usage":
            want = 2
        assert data.aggregation_temporality == want, m.name
        if m.name == "syscall.duration":
            assert m.unit == "s" and m.WhichOneof("data") == \
                {"exponential": "exponential_histogram", "explicit": "histogram"}[form]
            (check_exponential if form == "exponential" else check_explicit)(p)
            value = (p.count, p.sum)
        elif m.name == "syscall.unfinished":
            value = (p.as_int, 0)
        else:
            continue
        series_key = key[:3]
        if temporality == "cumulative":
            before = latest.get(series_key, (0, 0))
            assert value[0] >= before[0]
            latest[series_key], value = value, (value[0] - before[0], value[1] - before[1])
        calls[a["syscall.name"]] += value[0]
        seconds[a["syscall.name"]] += value[1]
        if "error.type" in a:
            errors[a["syscall.name"]] += value[0]
    expected = load_table(table)
    assert expected, "no table"
    for name in expected.keys() | calls.keys():
        n, bad, time = expected.get(name, (0, 0, 0))
        assert calls[name] == n, "%s: %d calls, not %d" % (name, calls[name], n)
        assert errors[name] == bad, "%s: %d errors, not %d" % (name, errors[name], bad)
        assert math.isclose(seconds[name], time, abs_tol=2e-6), "%s: %g s, not %g" % (name, seconds[name], time)
    for name in ("syscall.io", "process.cpu.time", "process.memory.usage", "process.paging.faults",
                 "process.context_switches"):
        assert seen[name], "no %s" % name
    print("%d calls of %d names, %d points, executables %s" %
          (sum(calls.values()), len(calls), sum(seen.values()), sorted(executables)))


def lines(stored, out):
    with open(stored, encoding="utf-8") as f, open(out, "wb") as o:
        for line in f:
            if line.strip():
                data = json_format.ParseDict(json.loads(line), metrics.MetricsData())
                o.write(data.SerializeToString())


def find(path, *names):
    got = set()
    origins = collections.Counter()
    for _, m, _, p in points(request(path)):
        got.add(m.name)
        if m.name == "otel.sdk.span.started":
            a = attributes(p.attributes)
            assert a.pop("otel.span.sampling_result") == "RECORD_AND_SAMPLE", a
            origins[a.pop("otel.span.parent.origin")] += p.as_int
            assert not a, a
        if m.name.startswith("otel.sdk.") and not m.name.startswith("otel.sdk.span."):
            a = attributes(p.attributes)
            assert a["otel.component.name"] == a["otel.component.type"] + "/0", a
        if m.name == "otel.sdk.exporter.operation.duration":
            check_exponential(p)
            assert m.unit == "s" and a["http.response.status_code"] == 200 and "error.type" not in a, a
    for name, n in origins.items():
        got.add("%s %s" % (name, min(n, 2)))     # exactly one, or more than one
    missing = set(names) - got
    assert not missing, "not there: %s" % missing


{"serve": serve, "check": check, "lines": lines, "self": find}[sys.argv[1]](*sys.argv[2:])
