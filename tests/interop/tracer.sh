#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole way: what a server that is not ours received from a traced program
# is what our own OTLP/JSON file of the same run has, for each protocol.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"
tracer=$builddir/tracer
work='i=0; while [ $i -lt 50 ]; do i=$((i + 1)); : <"$0"; done; /bin/true; ls / >/dev/null'

"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }
for protocol in http/protobuf http/json grpc; do
	for compression in gzip none; do
		case $protocol in
		grpc) serve "$python" "$srcdir/tests/interop/grpc_server.py" "$tmp/port" "$tmp/got.pb" ok ;;
		*) serve $decode serve "$tmp/port" "$tmp/got.pb" ;;
		esac
		rm -f "$tmp/run.otlp.jsonl"
		OTEL_EXPORTER_OTLP_PROTOCOL=$protocol "$tracer" --detail=full --otlp-endpoint "$url" --otlp-compression $compression \
			-o "$tmp/run.otlp.jsonl" -- sh -c "$work" "$0" 2>"$tmp/err" ||
				{ cat "$tmp/err"; fail "$protocol $compression"; }
		$decode json "$tmp/got.pb" "$tmp/run.otlp.jsonl" ||
			{ cat "$tmp/err"; fail "$protocol $compression: not the same"; }
		test "$($decode text "$tmp/got.pb" | wc -l)" -gt 200 || fail "$protocol: too few spans"
	done
done

# gRPC servers that fail: what is sent, what is tried again; the program's status and output, and that it never waits
# (over HTTP: tests/e2e/faults.sh).
while read -r steps sent retries said; do
	serve "$python" "$srcdir/tests/interop/grpc_server.py" "$tmp/port" "$tmp/got.pb" $steps
	"$tracer" --stats=export --otlp-flush-timeout=60000 --otlp-timeout=60000 --otlp-protocol=grpc --otlp-endpoint "$url" \
		sh -c 'echo out; exit 5' >"$tmp/out" 2>"$tmp/err"
	rc=$?
	all=$(awk '/ otel.sdk.span.started/ { n += $NF } END { print n + 0 }' "$tmp/err")
	test $sent = all && want=$all || want=0
	test $rc = 5 && test "$(cat "$tmp/out")" = out && grep -q ', waited 0.000 s' "$tmp/err" &&
		grep -q ", $want spans sent, .* $((all - want)) dropped;" "$tmp/err" &&
			grep -q " $retries retries" "$tmp/err" &&
		grep -q "$said" "$tmp/err" || { cat "$tmp/out" "$tmp/err"; fail "grpc $steps: exit $rc"; }
	test $sent = none || test "$($decode text "$tmp/got.pb" | wc -l)" -eq "$all" ||
		fail "grpc $steps: not all came"
done <<ROWS
UNAVAILABLE,ok all 1 sent
RESOURCE_EXHAUSTED+100,ok all 1 sent
INVALID_ARGUMENT none 0 answered.INVALID_ARGUMENT
UNAUTHENTICATED none 0 answered.UNAUTHENTICATED
RESOURCE_EXHAUSTED none 0 answered.RESOURCE_EXHAUSTED
ROWS
exit 0
