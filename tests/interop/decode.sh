#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An independent decoder (OpenTelemetry's Python messages, strict about UTF-8)
# reads what the encoder, the file sink and the exporter have made of 3000
# random spans, and finds what was put in.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
python=$(sh "$srcdir/tests/interop/venv.sh") || exit $?
decode="$python $srcdir/tests/interop/decode.py"
emit=$builddir/tests/interop/otlp-emit
tmp=$(mktemp -d) || exit 99
server=
trap 'test -z "$server" || kill $server; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

"$emit" 3000 "$tmp" || fail "otlp-emit"
$decode text "$tmp/spans.pb" >"$tmp/decoded.txt" || fail "the request does not decode"
test "$(wc -l <"$tmp/decoded.txt")" = 3000 || fail "not 3000 spans"
cmp "$tmp/spans.txt" "$tmp/decoded.txt" || fail "protobuf: decoded spans differ"
$decode json "$tmp/spans.pb" "$tmp/spans.jsonl" || fail "OTLP/JSON lines differ from protobuf"

# The twin: a changed file is seen.
sed 's/"kind":1,/"kind":2,/' "$tmp/spans.jsonl" >"$tmp/changed.jsonl"
$decode json "$tmp/spans.pb" "$tmp/changed.jsonl" 2>/dev/null && fail "a changed span was not seen"

$decode metrics "$tmp/metrics.pb" >"$tmp/metrics.txt" || fail "the metrics do not decode"
cmp "$srcdir/tests/interop/metrics.expected" "$tmp/metrics.txt" || fail "metrics differ"
$decode metrics "$tmp/metrics.json" >"$tmp/metrics.txt" || fail "the metrics do not decode as JSON"
cmp "$srcdir/tests/interop/metrics.expected" "$tmp/metrics.txt" || fail "metrics differ in JSON"

for protocol in http/protobuf http/json; do
	rm -f "$tmp/port" "$tmp/got.pb"
	$decode serve "$tmp/port" "$tmp/got.pb" &
	server=$!
	i=0
	until test -s "$tmp/port"; do
		i=$((i + 1))
		test $i -lt 300 || fail "the receiver does not start"
		sleep 0.1
	done
	"$emit" 3000 "$tmp" "http://127.0.0.1:$(cat "$tmp/port")" $protocol || fail "$protocol: export"
	kill $server
	wait $server 2>/dev/null
	server=
	$decode text "$tmp/got.pb" >"$tmp/decoded.txt" || fail "$protocol: what came does not decode"
	cmp "$tmp/spans.txt" "$tmp/decoded.txt" || fail "$protocol: spans that came differ"
done
exit 0
