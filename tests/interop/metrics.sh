#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Metrics on the whole way: OpenTelemetry's Python messages decode what was
# posted, and its sums are the table (-C) of the same run: calls, errors, time.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"
metrics="$python $srcdir/tests/interop/metrics.py"
tracer=$builddir/tracer
work='i=0; while [ $i -lt 50 ]; do i=$((i + 1)); : <"$0"; done; /bin/true; ls / >/dev/null; cat /nonexistent 2>/dev/null; sleep 0.3'
table='-C -U calls,errors,total-time,name'

"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }

# check_run NAME TEMPORALITY FORM OPTIONS...
check_run() {
	name=$1 temporality=$2 form=$3
	shift 3
	rm -f "$tmp/got.pb"
	"$tracer" -q $table --detail=metrics "$@" -- sh -c "$work" "$0" 2>"$tmp/table" ||
		{ cat "$tmp/table"; fail "$name"; }
	$metrics check "$tmp/got.pb" "$tmp/table" $temporality $form ||
		{ cat "$tmp/table"; fail "$name: not the same"; }
}

serve $metrics serve "$tmp/port" "$tmp/got.pb"
check_run plain delta exponential --otlp-endpoint "$url" --otlp-compression none
check_run gzip delta exponential --otlp-endpoint "$url"
check_run json delta exponential --otlp-endpoint "$url" --otlp-protocol http/json
check_run intervals delta exponential --otlp-endpoint "$url" --metric-interval 10
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative \
OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=explicit_bucket_histogram \
	check_run cumulative cumulative explicit --otlp-endpoint "$url" --metric-interval 10
# The endpoint of metrics alone is used as it is, and beats the general one.
OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=$url/v1/metrics OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 \
	check_run environment delta exponential
# Our own counters.
rm -f "$tmp/got.pb"
"$tracer" -q --detail=metrics --self-metrics --metric-interval 10 --otlp-endpoint "$url" -- sleep 0.5 ||
	fail "self"
$metrics self "$tmp/got.pb" otel.sdk.exporter.metric_data_point.exported otel.sdk.metric_reader.collection.duration \
	otel.sdk.exporter.operation.duration ||
	fail "self metrics"
# Whose the parents of our spans are: none's or TRACEPARENT's for the root, none's for the root of each linked trace.
while read -r context none local remote split; do
	rm -f "$tmp/got.pb"
	(
		unset TRACEPARENT
		test "$context" = - || export TRACEPARENT="$context"
		exec "$tracer" -q --self-metrics --detail=full --trace-split="$split" --traces-exporter=none --otlp-metrics-endpoint "$url" \
			-o "$tmp/run.otlp.jsonl" -- sh -c "$work" "$0"
	) 2>"$tmp/err" || { cat "$tmp/err"; fail "self $context"; }
	$metrics self "$tmp/got.pb" "none $none" "local $local" "remote $remote" || fail "parents: $context"
done <<ROWS
- 1 2 0 0
- 2 2 0 40
00-0123456789abcdef0123456789abcdef-0123456789abcdef-01 0 2 1 0
00-0123456789abcdef0123456789abcdef-0123456789abcdef-01 2 2 1 40
ROWS

# The file sink's lines hold the same form.
"$tracer" -q $table --detail=metrics -o "$tmp/run.otlp.jsonl" -- sh -c "$work" "$0" 2>"$tmp/table" ||
	fail "file"
$metrics lines "$tmp/run.otlp.jsonl" "$tmp/lines.pb" || fail "file: lines"
$metrics check "$tmp/lines.pb" "$tmp/table" delta exponential || fail "file: not the same"
# They can be sent later, as metrics; a line that is neither is told and not sent.
rm -f "$tmp/got.pb"
"$tracer" send --otlp-endpoint "$url" "$tmp/run.otlp.jsonl" 2>"$tmp/err" && grep -q ': 0 spans, [1-9][0-9]* data points sent, 0 rej' "$tmp/err" ||
	fail "send: $(cat "$tmp/err")"
$metrics check "$tmp/got.pb" "$tmp/table" delta exponential || fail "send: not the same"
echo '{"resourceLogs":[]}' >"$tmp/logs.jsonl"
"$tracer" send --otlp-endpoint "$url" "$tmp/logs.jsonl" 2>"$tmp/err" && fail "logs were sent"
grep -q 'not OTLP/JSON lines of spans or metrics' "$tmp/err" || fail "send: $(cat "$tmp/err")"

# Our own receiver: the same in its file, and a line for each point on its output.
rm -f "$tmp/port"
"$tracer" collect -l 127.0.0.1:0 --port-file "$tmp/port" --metrics-output "$tmp/own.jsonl" >"$tmp/own.txt" 2>"$tmp/own.err" &
own=$!
i=0
until test -s "$tmp/port"; do
	i=$((i + 1))
	test $i -lt 300 || fail "tracer collect does not start"
	sleep 0.1
done
"$tracer" -q $table --detail=metrics --otlp-endpoint "http://127.0.0.1:$(cat "$tmp/port")" -- sh -c "$work" "$0" 2>"$tmp/table" ||
	fail "collect: run"
kill $own
wait $own || fail "collect: $(cat "$tmp/own.err")"
$metrics lines "$tmp/own.jsonl" "$tmp/own.pb" || fail "collect: lines"
$metrics check "$tmp/own.pb" "$tmp/table" delta exponential || fail "collect: not the same"
n=$(sed -n 's/.* \([0-9]*\) data points.*/\1/p' "$tmp/own.err")
test "$n" -gt 20 && test "$n" -eq "$(grep -c '^  [a-z_.]*[ {]' "$tmp/own.txt")" ||
	fail "collect: $n points, $(cat "$tmp/own.txt")"
grep -q '^  syscall.duration{syscall.name=openat} count [0-9]*, sum [0-9.e-]* s, ' "$tmp/own.txt" ||
	fail "collect: $(cat "$tmp/own.txt")"

# The twin: a table that is off by one call is seen.
sed 's/^\( *\)\([0-9]*\)\(.* openat\)$/\1\29\3/' "$tmp/table" >"$tmp/wrong"
cmp -s "$tmp/table" "$tmp/wrong" && fail "the table has no openat"
$metrics check "$tmp/lines.pb" "$tmp/wrong" delta exponential 2>/dev/null && fail "a wrong count was not seen"
exit 0
