# SPDX-License-Identifier: Apache-2.0
"""What every span of a run must be, read with OpenTelemetry's own messages.

  spans.py FILE.pb NAME=VALUE...

  trace=HEX    all spans are of this trace, the root's parent is remote
  state=TEXT   trace state of all spans of the first trace
  flags=N      of all spans but the root's, root=N of the root
  length=N     no value is longer; one is exactly that long
  count=N      no span has more attributes; some had
  links=N      at least one span has N links (and, for 0, has dropped one)
  resource=K:V the resources have this attribute
  bytes=HEX    a file.path of bytes that are not UTF-8
  service=TEXT
"""
import sys

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"


def load(path):
    r = service.ExportTraceServiceRequest()
    with open(path, "rb") as f:
        r.ParseFromString(f.read())
    spans, resources = [], []
    for rs in r.resource_spans:
        assert rs.schema_url == SCHEMA, rs.schema_url
        resources.append({a.key: a.value for a in rs.resource.attributes})
        for ss in rs.scope_spans:
            assert ss.scope.name == "tracer" and ss.scope.version and ss.schema_url == SCHEMA, ss
            spans.extend(ss.spans)
    return spans, resources


def texts(v):
    kind = v.WhichOneof("value")
    if kind == "array_value":
        return [t for x in v.array_value.values for t in texts(x)]
    return [getattr(v, kind)] if kind in ("string_value", "bytes_value") else []


def always(spans):
    """Whatever the options are."""
    ids = {s.span_id for s in spans}
    assert len(ids) == len(spans), "a span id comes twice"
    for s in spans:
        assert len(s.trace_id) == 16 and any(s.trace_id) and len(s.span_id) == 8 and any(s.span_id), s
        assert s.name and 1 <= s.kind <= 5 and 0 < s.start_time_unix_nano <= s.end_time_unix_nano, s
        assert s.flags & 1 and s.flags < 0x400, s
        keys = [a.key for a in s.attributes]
        assert len(set(keys)) == len(keys) and all(keys), keys
        for x in s.links:
            assert len(x.trace_id) == 16 and len(x.span_id) == 8 and x.flags & 0x101 == 0x101, x


def check_trace(spans, root, value):
    assert all(s.trace_id.hex() == value for s in spans)
    assert root.parent_span_id and root.parent_span_id not in {s.span_id for s in spans}


def check_state(spans, root, value):
    assert all(s.trace_state == value for s in spans if s.trace_id == root.trace_id)


def check_flags(spans, root, value):
    assert {s.flags for s in spans if s is not root} == {int(value, 0)}, {hex(s.flags) for s in spans}


def check_root(spans, root, value):
    assert root.flags == int(value, 0), hex(root.flags)


def check_length(spans, root, value):
    lengths = {len(t) for s in spans for a in s.attributes for t in texts(a.value)}
    assert max(lengths) == int(value), sorted(lengths)


def check_count(spans, root, value):
    assert max(len(s.attributes) for s in spans) == int(value)
    assert all(len(s.attributes) == int(value) for s in spans if s.dropped_attributes_count)
    assert any(s.dropped_attributes_count for s in spans)


def check_links(spans, root, value):
    most = max(len(s.links) for s in spans)
    assert most == int(value), most
    assert any(s.dropped_links_count for s in spans) == (most == 0)
    traces = {s.trace_id for s in spans}
    assert len(traces) > 1 and len({t[8:] for t in traces}) == 1, "linked traces have different second halves"
    assert all(x.trace_id == root.trace_id for s in spans for x in s.links)


def check_bytes(spans, root, value):
    paths = [a.value for s in spans for a in s.attributes if a.key == "file.path"]
    assert any(v.WhichOneof("value") == "bytes_value" and v.bytes_value.endswith(bytes.fromhex(value)) for v in paths)


def main():
    spans, resources = load(sys.argv[1])
    always(spans)
    root = [s for s in spans if any(a.key == "tracer.detail" for a in s.attributes)]
    root = root[0] if root else spans[-1]
    for arg in sys.argv[2:]:
        name, value = arg.split("=", 1)
        if name == "resource":
            key, text = value.split(":", 1)
            assert all(r[key].string_value == text for r in resources), resources[0].get(key)
        elif name == "service":
            assert all(r["service.name"].string_value == value for r in resources)
        else:
            globals()["check_" + name](spans, root, value)
    print("%d spans, %d checks" % (len(spans), len(sys.argv) - 2))


main()
