#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Jaeger's all-in-one program, from the Go module proxy: the trace that its query API shows has the spans of our own
# OTLP/JSON file, with the same names, parents, times and service, over each protocol.  A target of its own
# (make interop-jaeger), since the first build takes minutes and a gigabyte.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
here=$srcdir/tests/interop
fail() { echo "FAIL: $*"; exit 1; }

"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
# The first version with an OTLP receiver; later ones need modules that not every checksum database knows.
version=v1.35.0
store=$builddir/interop
go=$("$here/go.sh" "$store") || exit $?
[ -x "$store/all-in-one" ] ||
	GOBIN=$store "$go" install github.com/jaegertracing/jaeger/cmd/all-in-one@$version ||
	fail "Jaeger $version does not build"

dir=$(mktemp -d)
jaeger=
trap '[ -z "$jaeger" ] || kill $jaeger; rm -rf "$dir"' EXIT
for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\|TRACER_[A-Z0-9_]*\|TRACEPARENT\|TRACESTATE\|COLLECTOR_[A-Z_]*\)=.*/\1/p'); do
	unset "$name"
done
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
s = [socket.socket() for _ in range(11)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
SPAN_STORAGE_TYPE=memory "$store/all-in-one" --collector.otlp.enabled=true --collector.otlp.http.host-port=127.0.0.1:$1 \
	--collector.otlp.grpc.host-port=127.0.0.1:$2 --query.http-server.host-port=127.0.0.1:$3 \
	--query.grpc-server.host-port=127.0.0.1:$4 --collector.grpc-server.host-port=127.0.0.1:$5 \
	--collector.http-server.host-port=127.0.0.1:$6 --admin.http.host-port=127.0.0.1:$7 --http-server.host-port=127.0.0.1:$8 \
	--processor.jaeger-binary.server-host-port=127.0.0.1:$9 --processor.jaeger-compact.server-host-port=127.0.0.1:${10} \
	--processor.zipkin-compact.server-host-port=127.0.0.1:${11} --reporter.grpc.host-port=127.0.0.1:$5 >"$dir/log" 2>&1 &
jaeger=$!
n=0
until python3 "$here/jaeger.py" ready "http://127.0.0.1:$3" 2>/dev/null; do
	n=$((n + 1))
	[ $n -lt 300 ] && kill -0 $jaeger 2>/dev/null || { cat "$dir/log"; fail "Jaeger does not start"; }
	sleep 0.1
done

i=0
for row in "http/protobuf $1" "http/protobuf $1 --otlp-compression=none" "grpc $2"; do
	i=$((i + 1))
	protocol=${row%% *} row=${row#* }
	"$tracer" --detail=full --service-name="run-$i" --otlp-protocol=$protocol --otlp-endpoint="http://127.0.0.1:${row%% *}" \
		$(echo "$row" | sed -n 's/^[0-9]* //p') -o "$dir/$i.otlp.jsonl" -- sh -c 'ls /etc >/dev/null; cat /nonexistent; (exit 3)' \
		2>"$dir/err" && rc=0 || rc=$?
	[ $rc = 3 ] || { cat "$dir/err"; fail "$protocol: exit $rc"; }
	python3 "$here/jaeger.py" same "http://127.0.0.1:$3" "$dir/$i.otlp.jsonl" "run-$i" ||
		{ cat "$dir/err" "$dir/log"; fail "$protocol"; }
done
# The twin: a span that is not the same is seen.
sed 's/"name":"openat"/"name":"opened"/' "$dir/1.otlp.jsonl" >"$dir/wrong"
python3 "$here/jaeger.py" same "http://127.0.0.1:$3" "$dir/wrong" run-1 2>/dev/null &&
	fail "a changed span is not seen"
exit 0
