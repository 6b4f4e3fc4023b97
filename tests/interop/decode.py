# SPDX-License-Identifier: Apache-2.0
"""Decodes what the encoder wrote with OpenTelemetry's own Python messages and
prints every span as one line, or compares OTLP/JSON lines with it.

  decode.py text FILE.pb       one line a span, as otlp-emit prints them
  decode.py json FILE.pb FILE.jsonl
  decode.py metrics FILE.pb    each metric as a line of JSON
  decode.py same FILE.pb FILE.jsonl      the same in any order
  decode.py serve PORTFILE FILE.pb [CERT KEY [CLIENT_CA]]
                               HTTP receiver: appends bodies, one request
  decode.py serve-unix READYFILE FILE.pb SOCKET
"""
import base64
import gzip
import http.server
import json
import os
import socketserver
import ssl
import struct
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.trace.v1 import trace_pb2 as trace


def value_text(v):
    kind = v.WhichOneof("value")
    if kind == "string_value":
        return "s:" + v.string_value.encode().hex()
    if kind == "bytes_value":
        return "b:" + v.bytes_value.hex()
    if kind == "int_value":
        return "i:%d" % v.int_value
    if kind == "bool_value":
        return "t" if v.bool_value else "f"
    if kind == "double_value":
        return "d:" + struct.pack(">d", v.double_value).hex()
    return "[" + ",".join(value_text(x) for x in v.array_value.values) + "]"


def span_text(resource, s):
    links = "".join(
        " link=%s/%s/%d/%s" % (x.trace_id.hex(), x.span_id.hex(), x.flags, x.trace_state.encode().hex()) for x in s.links)
    attrs = "".join(" %s=%s" % (a.key, value_text(a.value)) for a in s.attributes)
    pid = [a.value.int_value for a in resource.attributes if a.key == "process.pid"][0]
    return "%d %s %s %s state=%s name=%s kind=%d %d..%d dropped=%d,%d status=%d:%s flags=%d%s%s" % (
        pid, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.trace_state.encode().hex(),
        s.name.encode().hex(), s.kind, s.start_time_unix_nano, s.end_time_unix_nano, s.dropped_attributes_count,
        s.dropped_links_count, s.status.code, s.status.message.encode().hex(), s.flags, links, attrs)


def request(path):
    r = service.ExportTraceServiceRequest()
    with open(path, "rb") as f:
        r.ParseFromString(f.read())     # strict: invalid UTF-8 in a string is an error
    return r


def text(path):
    for rs in request(path).resource_spans:
        assert rs.schema_url == "https://opentelemetry.io/schemas/1.44.0", rs.schema_url
        for ss in rs.scope_spans:
            assert ss.scope.name == "tracer" and ss.scope.version, ss.scope
            for s in ss.spans:
                print(span_text(rs.resource, s))


def ids_to_base64(o):
    """OTLP/JSON has ids in hex where proto3 JSON has base64 (specification, JSON Protobuf Encoding)."""
    if isinstance(o, dict):
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId")
                else ids_to_base64(v) for k, v in o.items()}
    return [ids_to_base64(x) for x in o] if isinstance(o, list) else o


def lines(path):
    """All spans of a file of OTLP/JSON lines, by process, in order."""
    out = {}
    with open(path, "rb") as f:
        for line in f:
            data = json_format.ParseDict(ids_to_base64(json.loads(line.decode())), trace.TracesData())
            for rs in data.resource_spans:
                collect(out, rs)
    return out


def collect(out, rs):
    out.setdefault(rs.resource.SerializeToString(deterministic=True), []).extend(
        s.SerializeToString(deterministic=True) for ss in rs.scope_spans for s in ss.spans)


def compare(pb, jsonl):
    want = {}
    for rs in request(pb).resource_spans:
        collect(want, rs)
    got = lines(jsonl)
    assert want.keys() == got.keys(), "different resources"
    for key, spans in want.items():
        assert len(spans) == len(got[key]), "%d spans, not %d" % (len(got[key]), len(spans))
        for a, b in zip(spans, got[key]):
            assert a == b, "%s\nis not\n%s" % (trace.Span.FromString(b), trace.Span.FromString(a))
    print("%d spans of %d resources equal" % (sum(map(len, want.values())), len(want)))


def metrics(path):
    """The messages as JSON, one metric a line."""
    r = metrics_service.ExportMetricsServiceRequest()
    with open(path, "rb") as f:
        if path.endswith(".json"):
            json_format.Parse(f.read(), r)
        else:
            r.ParseFromString(f.read())
    for rm in r.resource_metrics:
        print(rm.schema_url, rm.resource.attributes[0].value.string_value, rm.scope_metrics[0].scope.name)
        for m in rm.scope_metrics[0].metrics:
            print(json.dumps(json_format.MessageToDict(m), sort_keys=True))


def same(pb, jsonl):
    """As compare, in any order."""
    want = {}
    for rs in request(pb).resource_spans:
        collect(want, rs)
    got = lines(jsonl)
    assert want.keys() == got.keys(), "different resources"
    for key, spans in want.items():
        assert sorted(spans) == sorted(got[key]), "%d spans came, %d are in the file" % (len(spans), len(got[key]))


class Receiver(http.server.BaseHTTPRequestHandler):
    out = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.headers["Content-Type"] == "application/json":
            data = json_format.ParseDict(ids_to_base64(json.loads(body.decode())), service.ExportTraceServiceRequest())
            body = data.SerializeToString()
            answer = b"{}"
        else:
            service.ExportTraceServiceRequest().ParseFromString(body)
            answer = service.ExportTraceServiceResponse().SerializeToString()
        with open(self.out, "ab") as f:     # requests concatenate to one request
            f.write(body)
        self.send_response(200)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def listening(portfile, port):
    with open(portfile + ".tmp", "w") as f:
        f.write(str(port))
    os.rename(portfile + ".tmp", portfile)


def serve(portfile, out, *tls):
    Receiver.out = out
    Receiver.protocol_version = "HTTP/1.1"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls[0], tls[1])
        if len(tls) > 2:
            context.load_verify_locations(tls[2])
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *args: None
    listening(portfile, server.server_port)
    server.serve_forever()


def serve_unix(portfile, out, path):
    Receiver.out = out
    Receiver.protocol_version = "HTTP/1.1"
    server = socketserver.ThreadingUnixStreamServer(path, Receiver)
    listening(portfile, 0)
    server.serve_forever()


{"text": text, "json": compare, "same": same, "metrics": metrics, "serve": serve, "serve-unix": serve_unix}[sys.argv[1]](*sys.argv[2:])
