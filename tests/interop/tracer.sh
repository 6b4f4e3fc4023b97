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
			-o "$tmp/run.otlp.jsonl" -- sh -c "$work" "$0" 2>"$tmp/err" || { cat "$tmp/err"; fail "$protocol $compression"; }
		$decode json "$tmp/got.pb" "$tmp/run.otlp.jsonl" || { cat "$tmp/err"; fail "$protocol $compression: not the same"; }
		test "$($decode text "$tmp/got.pb" | wc -l)" -gt 200 || fail "$protocol: too few spans"
	done
done
exit 0
