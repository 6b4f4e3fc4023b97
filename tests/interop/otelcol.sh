#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the OpenTelemetry Collector stored equals what our own OTLP/JSON file
# says of the same run: over HTTP, with and without gzip.  The collector is
# built from pinned Go modules (tests/interop/otelcol).
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
here=$srcdir/tests/interop
dir=$(mktemp -d)
pid=
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap stop EXIT

otelcol=$("$here/otelcol/build.sh" "$builddir/interop") || exit $?
ports=$(python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
http=${ports% *} grpc=${ports#* }

start_collector() {
	cat >"$dir/config.yaml" <<YAML
receivers:
  otlp:
    protocols:
      http: { endpoint: "127.0.0.1:$http" }
      grpc: { endpoint: "127.0.0.1:$grpc" }
exporters:
  file: { path: "$1" }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp], exporters: [file] }
    metrics: { receivers: [otlp], exporters: [file] }
YAML
	"$otelcol" --config "$dir/config.yaml" >"$dir/otelcol.log" 2>&1 &
	pid=$!
	n=0
	until grep -q 'Everything is ready' "$dir/otelcol.log"; do
		n=$((n + 1))
		[ $n -lt 300 ] && kill -0 "$pid" 2>/dev/null || { cat "$dir/otelcol.log"; exit 1; }
		sleep 0.1
	done
}

stop_collector() {
	kill "$pid"
	wait "$pid" || true
	pid=
}

# run NAME OPTIONS...: the collector's file against ours.
run() {
	name=$1
	shift
	start_collector "$dir/$name.stored"
	"$tracer" -q --detail=full -o "$dir/$name.otlp.jsonl" "$@" -- \
		sh -c 'ls /etc >/dev/null; cat /nonexistent; (exit 3)' 2>"$dir/$name.err" && rc=0 || rc=$?
	[ $rc -eq 3 ] || { echo "$name: exit $rc"; cat "$dir/$name.err"; exit 1; }
	stop_collector
	printf '%s: ' "$name"
	python3 "$here/compare.py" "$dir/$name.stored" "$dir/$name.otlp.jsonl"
}

run http-gzip --otlp-endpoint "http://127.0.0.1:$http" --otlp-compression gzip
run http-plain --otlp-endpoint "http://127.0.0.1:$http" --otlp-compression none

# Metrics, over each protocol: what it stored adds up to the table of the same run.
python=$(srcdir=$srcdir builddir=$builddir sh "$here/venv.sh") || exit $?
for protocol in http/protobuf http/json grpc; do
	url=http://127.0.0.1:$http
	[ $protocol != grpc ] || url=http://127.0.0.1:$grpc
	start_collector "$dir/metrics.stored"
	"$tracer" -q -C -U calls,errors,total-time,name --detail=metrics --otlp-endpoint "$url" --otlp-protocol $protocol -- \
		sh -c 'ls /etc >/dev/null; cat /nonexistent 2>/dev/null; (exit 0)' 2>"$dir/table"
	stop_collector
	"$python" "$here/metrics.py" lines "$dir/metrics.stored" "$dir/metrics.pb"
	printf 'metrics %s: ' $protocol
	"$python" "$here/metrics.py" check "$dir/metrics.pb" "$dir/table" delta exponential
	rm "$dir/metrics.stored"
done
