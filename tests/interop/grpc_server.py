# SPDX-License-Identifier: Apache-2.0
"""A gRPC trace service by grpcio that answers as its script says.

  grpc_server.py PORTFILE OUT.pb STEP,STEP,... [CERT KEY [CLIENT_CA]]

Steps, the last one repeats: ok, partial, hang, NAME=VALUE (ok if the metadata have that), NAME (status), NAME+MS (with
RetryInfo), bye (ok, then all connections are closed with GOAWAY).
"""
import os
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service_grpc


class Traces(service_grpc.TraceServiceServicer):
    def __init__(self, out, steps):
        self.out, self.steps, self.calls, self.bye = out, steps, 0, threading.Event()

    def Export(self, request, context):
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        if step == "hang":
            time.sleep(3600)
        if step == "bye":
            self.bye.set()
        if step == "partial":
            return service.ExportTraceServiceResponse(
                partial_success=service.ExportTracePartialSuccess(rejected_spans=4, error_message="too old"))
        key, _, value = step.partition("=")
        if value:
            metadata = dict(context.invocation_metadata())
            if metadata.get(key) != (value.encode() if key.endswith("-bin") else value):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "%s is %r" % (key, metadata.get(key)))
        elif step not in ("ok", "bye"):
            name, _, ms = step.partition("+")
            status = status_pb2.Status(code=code_pb2.Code.Value(name), message="scripted %s \u00e9" % name)
            if ms:
                info = any_pb2.Any()
                info.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(
                    seconds=int(ms) // 1000, nanos=int(ms) % 1000 * 1000000)))
                status.details.append(info)
            context.abort_with_status(rpc_status.to_status(status))
        with open(self.out, "ab") as f:
            f.write(request.SerializeToString())
        return service.ExportTraceServiceResponse()


def start(traces, port, tls):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
    service_grpc.add_TraceServiceServicer_to_server(traces, server)
    where = "127.0.0.1:%d" % port
    if tls:
        cert, key, ca = [open(p, "rb").read() for p in tls] + [None] * (3 - len(tls))
        credentials = grpc.ssl_server_credentials([(key, cert)], ca, ca is not None)
        port = server.add_secure_port(where, credentials)
    else:
        port = server.add_insecure_port(where)
    server.start()
    return server, port


def main(portfile, out, steps, *tls):
    traces = Traces(out, steps.split(","))
    server, port = start(traces, 0, tls)
    with open(portfile + ".tmp", "w") as f:
        f.write(str(port))
    os.rename(portfile + ".tmp", portfile)
    while True:
        traces.bye.wait()
        traces.bye.clear()
        server.stop(5).wait()       # GOAWAY; running calls have 5 s
        server, port = start(traces, port, tls)


main(*sys.argv[1:])
