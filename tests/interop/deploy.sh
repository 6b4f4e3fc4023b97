#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The configurations of docs/deploy, as they are: tracer -> agent (memory limiter,
# batch, load balancing by trace id) -> two gateways (tail sampling).  Each trace
# is whole on one gateway; those that failed are kept, the others are not.  Then
# the agent is killed in the middle of a run and comes back: nothing is lost.
. "${srcdir:-.}/tests/interop/collector.sh"
python=$(srcdir=$srcdir builddir=$builddir sh "$here/venv.sh") || exit $?
conf=$srcdir/docs/deploy

"$python" "$here/deploy.py" yaml "$conf" || fail "yaml"
set -- $(free_ports 5)
http=$1 grpc=$2 one=127.0.0.1:$3 two=127.0.0.1:$4 backend=127.0.0.1:$5
# In place of a back-end, a file: the one thing that is not as in docs/deploy.
cat >"$dir/file.yaml" <<'YAML'
exporters:
  file: { path: "${env:STORED}", flush_interval: 100ms }
service: { pipelines: { traces: { exporters: [file] } } }
YAML
gateway() { # NAME ADDRESS
	start_collector "$1" "$conf/gateway.yaml --config $dir/file.yaml" GATEWAY_GRPC="$2" DECISION_WAIT=10s SHARE=0 \
		BACKEND="$backend" STORED="$dir/$1.stored"
}
agent() {
	start_collector agent "$conf/agent.yaml" AGENT_HTTP=127.0.0.1:$http AGENT_GRPC=127.0.0.1:$grpc GATEWAY_1=$one GATEWAY_2=$two
}
for config in "$conf/agent.yaml" "$conf/gateway.yaml"; do
	GATEWAY_1=$one GATEWAY_2=$two "$otelcol" validate --config "$config" || fail "$config is not valid"
done
gateway one $one
gateway two $two
agent

# Every second run fails, in exit status and so in its root span.
files= i=0
while [ $i -lt 8 ]; do
	i=$((i + 1))
	case $((i % 2)) in 0) rc=0 ;; *) rc=3 ;; esac
	"$tracer" -q --errors=none --otlp-endpoint http://127.0.0.1:$http -o "$dir/$i.otlp.jsonl" -- sh -c "exit $rc" || [ $? = $rc ] ||
		fail "run $i"
	files="$files $dir/$i.otlp.jsonl"
done

# The agent is killed while a run of many traces waits, when what it took is through, and comes back.
mkfifo "$dir/go"
half='i=0; while [ $i -lt 100 ]; do i=$((i + 1)); { read x </nonexistent; } 2>/dev/null; done'
"$tracer" -q --errors=all --detail=full --trace-split=30 --perf-mode=low-latency --otlp-endpoint http://127.0.0.1:$http \
	--otlp-spool "$dir/spool" -o "$dir/long.otlp.jsonl" -- \
	sh -c "$half; echo half; read x <'$dir/go'; $half; exit 3" >"$dir/half" 2>"$dir/long.err" &
run=$!
n=0
until [ -s "$dir/half" ]; do
	n=$((n + 1))
	[ $n -lt 600 ] || { cat "$dir/long.err"; fail "the long run does not run"; }
	sleep 0.1
done
sleep 2
kill -9 "$(collector_pid agent)"
stop_collector agent 2>/dev/null
echo >"$dir/go"
agent
wait $run && rc=0 || rc=$?
[ $rc = 3 ] || { cat "$dir/long.err"; fail "the long run ended with $rc"; }
# What came too late for the run lies in its spool.
[ ! -d "$dir/spool" ] || "$tracer" send -q --otlp-endpoint http://127.0.0.1:$http "$dir/spool" || fail "send"

judge() { "$python" "$here/deploy.py" kept "$dir/one.stored" "$dir/two.stored" "$@"; }
n=0
until judge $files "$dir/long.otlp.jsonl" >"$dir/said" 2>&1; do
	n=$((n + 1))
	[ $n -lt 60 ] || { cat "$dir/said" "$dir"/*.log; fail "the gateways have not what they should"; }
	sleep 1
done
cat "$dir/said"
# The twin: without the long run's file its spans are too many.
judge $files >/dev/null 2>&1 && fail "spans of an unknown run are not seen"
exit 0
