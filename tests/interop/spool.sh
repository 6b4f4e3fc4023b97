#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nothing lost: a run without a collector, one whose collector dies on the way,
# one that is killed itself; `tracer send` delivers what is left, once.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"
tracer=$builddir/tracer
work='i=0; while [ $i -lt 300 ]; do i=$((i + 1)); : <"$0"; done; /bin/true'

"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }
http() { serve $decode serve "$tmp/port" "$tmp/got.pb"; }
grpc() { serve "$python" "$srcdir/tests/interop/grpc_server.py" "$tmp/port" "$tmp/got.pb" ok; }
nothing=http://127.0.0.1:9
empty() { test -z "$(ls "$tmp/spool")"; }

# Nobody there: the file and what is sent later are the same.
for protocol in http/protobuf grpc; do
	rm -rf "$tmp/spool" "$tmp/run.otlp.jsonl"
	"$tracer" --detail=full --otlp-protocol $protocol --otlp-endpoint $nothing --otlp-spool "$tmp/spool" \
		-o "$tmp/run.otlp.jsonl" -- sh -c "$work" "$0" 2>"$tmp/err" || { cat "$tmp/err"; fail "run"; }
	grep -q "tracer send $tmp/spool" "$tmp/err" || { cat "$tmp/err"; fail "no word of the spool"; }
	empty && fail "nothing is on disk"
	case $protocol in grpc) grpc ;; *) http ;; esac
	"$tracer" send --otlp-protocol $protocol --otlp-endpoint "$url" "$tmp/spool" 2>"$tmp/err" || { cat "$tmp/err"; fail "send"; }
	empty || fail "something is left on disk"
	$decode json "$tmp/got.pb" "$tmp/run.otlp.jsonl" || fail "$protocol: not the same"
done

# The same from the file of OTLP/JSON lines.
http
"$tracer" send --otlp-endpoint="$url" "$tmp/run.otlp.jsonl" || fail "send of lines"
$decode json "$tmp/got.pb" "$tmp/run.otlp.jsonl" || fail "lines: not the same"

# The collector is killed on the way and another one comes: all of it, once.  It is killed when nothing is under
# way: what it has written and not answered would have to come again.
rm -rf "$tmp/spool" "$tmp/run.otlp.jsonl"
mkfifo "$tmp/go"
http
"$tracer" --detail=full --perf-mode=low-latency --otlp-endpoint "$url" --otlp-spool "$tmp/spool" -o "$tmp/run.otlp.jsonl" -- \
	sh -c "$work; read go <'$tmp/go'; $work" "$0" 2>"$tmp/err" &
run=$!
i=0
until test -s "$tmp/got.pb"; do
	i=$((i + 1))
	test $i -lt 300 || { cat "$tmp/err"; fail "nothing arrives"; }
	sleep 0.1
done
size=0
until test "$size" = "$(wc -c <"$tmp/got.pb")"; do
	size=$(wc -c <"$tmp/got.pb")
	sleep 0.5
done
kill -9 $server
wait $server 2>/dev/null
server=
mv "$tmp/got.pb" "$tmp/before.pb"
echo >"$tmp/go"
wait $run || { cat "$tmp/err"; fail "run with a dying collector"; }
http
"$tracer" send --otlp-endpoint "$url" "$tmp/spool" || fail "send after the collector's death"
cat "$tmp/before.pb" "$tmp/got.pb" >"$tmp/both.pb"
$decode text "$tmp/both.pb" | sort | uniq -d | grep . && fail "spans came twice"
$decode same "$tmp/both.pb" "$tmp/run.otlp.jsonl" || { cat "$tmp/err"; fail "the collector's death lost spans"; }

# The tracer is killed: what was whole on disk is sent, and decodes.
rm -rf "$tmp/spool"
"$tracer" --detail=full --perf-mode=low-latency --otlp-endpoint $nothing --otlp-spool "$tmp/spool" -- \
	sh -c "echo \$\$ >'$tmp/pid'; $work; $work; sleep 60" "$0" 2>"$tmp/err" &
run=$!
i=0
until test "$(cat "$tmp/spool"/*.spool 2>/dev/null | wc -c)" -gt 20000; do
	i=$((i + 1))
	test $i -lt 300 || { cat "$tmp/err"; fail "nothing gets on disk"; }
	sleep 0.1
done
"$tracer" send --otlp-endpoint $nothing "$tmp/spool" 2>"$tmp/out" && fail "send took a segment that is in use"
grep -q 'still writes' "$tmp/out" || { cat "$tmp/out"; fail "no word of the run that lives"; }
kill -9 $run
wait $run 2>/dev/null
# The program dies with it (PTRACE_O_EXITKILL).
i=0
while kill -0 "$(cat "$tmp/pid")" 2>/dev/null; do
	i=$((i + 1))
	test $i -lt 300 || fail "the program outlives the tracer"
	sleep 0.1
done
http
"$tracer" send --otlp-endpoint "$url" "$tmp/spool" || fail "send after the tracer's death"
test "$($decode text "$tmp/got.pb" | wc -l)" -gt 100 || fail "too few spans"
empty || fail "something is left on disk"

# Nowhere to send to: said, and kept.
rm -rf "$tmp/spool"
"$tracer" --otlp-endpoint $nothing --otlp-spool "$tmp/spool" -- true 2>/dev/null
"$tracer" send --otlp-endpoint $nothing "$tmp/spool" 2>"$tmp/out"
test $? -eq 1 || fail "exit status with nobody there"
empty && fail "an unsent segment was removed"
"$tracer" send --otlp-endpoint $nothing "$tmp/nosuch" 2>/dev/null
test $? -eq 2 || fail "exit status without the file"
exit 0
