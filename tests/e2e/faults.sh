#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each way in which a collector fails, by table: what arrives, what is tried again, what is counted; and that
# the program's exit status and output are as ever and that it was never held.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
. "${srcdir:-.}/tests/e2e/collector.sh"
need_ptrace
faulty=$builddir/tests/e2e/fault-collector

# NAME ANSWERS SPANS-SENT RETRIES SAID OPTIONS: a run makes two exports, the root's span is the last.  Sent are all,
# none, or all but a number; - is any text.
cat >"$dir/table" <<'ROWS'
success 200 all 0 -
accepted 202 all 0 -
partial-success partial -4 0 full
warning warning all 0 slow
unknown-body garbage all 0 -
text-body text all 0 -
coding-not-asked-for gzip all 0 -
slow-drip drip all 0 -
interim interim all 0 -
redirect redirect none 0 answered.302
bad-request status none 0 answered.400:.bad.a
unauthorized 401 none 0 answered.401
forbidden json none 0 answered.403:.no.entry
not-found 404 none 0 answered.404
method 405 none 0 answered.405
request-timeout 408 none 0 answered.408
too-large 413 none 0 answered.413
media-type 415 none 0 answered.415
server-error 500 none 0 answered.500
not-implemented 501 none 0 answered.501
http-version 505 none 0 answered.505
throttled 429,200 all 1 -
bad-gateway 502,200 all 1 -
unavailable 503,200 all 1 -
gateway-timeout 504,200 all 1 -
twice 503,503,200 all 2 -
retry-after 503+1,200 all 1 -
retry-after-date past,200 all 1 -
retry-after-too-long 429+100000 none 0 answered.429
retry-after-date-too-late future none 0 answered.503
reset reset,200 all 1 -
half-an-answer half,200 all 1 -
bomb bomb none 0 too.large.an.answer
hang hang none 0 spans.lost --otlp-flush-timeout=300
ROWS

# The program, alone.
work='echo out; ls / >/dev/null; (exit 3); echo more; exit 5'
sh -c "$work" >"$dir/native"
[ $? = 5 ] || exit 99

# run_row NAME ANSWERS SENT RETRIES SAID OPTIONS: what is wrong with it, into $dir/NAME.bad.
run_row() {
	d=$dir/$1
	mkdir "$d"
	"$faulty" "$d/port" "$2" >"$d/server" &
	server=$!
	wait_for test -s "$d/port" || echo "the collector does not start" >>"$d.bad"
	# shellcheck disable=SC2086
	timeout 100 "$tracer" --stats=export --otlp-flush-timeout=60000 --otlp-timeout=60000 $6 \
		--otlp-endpoint "http://127.0.0.1:$(cat "$d/port")" sh -c "$work" >"$d/out" 2>"$d/err"
	rc=$?
	kill $server
	wait $server
	judge_row "$@" >>"$d.bad"
	[ -s "$d.bad" ] && cat "$d/err" "$d/server" >>"$d.bad"
}
# started FILE: spans of the run.
started() {
	awk '/ otel.sdk.span.started/ { n += $NF } END { print n + 0 }' "$1"
}
judge_row() {
	[ $rc = 5 ] || echo "exit status $rc"
	cmp "$dir/native" "$d/out"
	grep -q ', waited 0.000 s' "$d/err" || echo "the program was held"
	all=$(started "$d/err")
	sent=$(number "spans sent" "$d/err") dropped=$(number dropped "$d/err")
	# shellcheck disable=SC2046
	set -- "$@" $(cat "$d/server")
	requests=$8 there=${12} accepted=${14} invalid=${16}
	case $3 in
	all) want=$all take=$all ;;
	none) want=0 take=0 ;;
	*) want=$((all + $3)) take=$all ;;
	esac
	[ "${all:-0}" -gt 20 ] || echo "only '$all' spans"
	[ "$sent" = "$want" ] || echo "$sent spans sent, not $want of $all"
	[ "$dropped" = $((all - want)) ] || echo "$dropped dropped, not $((all - want))"
	[ "$accepted" = "$take" ] && [ "$there" -ge "$take" ] || echo "the collector took $accepted of $there, not $take"
	[ "$requests" -ge 1 ] && [ "$invalid" = 0 ] || echo "$requests requests, $invalid invalid"
	grep -q " $4 retries" "$d/err" || echo "not $4 retries"
	[ "$5" = - ] || grep -q "$5" "$d/err" || echo "no word of '$5'"
}

n=0 rows=
while read -r name answers sent retries said options; do
	run_row "$name" "$answers" "$sent" "$retries" "$said" "$options" &
	rows="$rows $name"
	n=$((n + 1))
	[ $((n % 6)) != 0 ] || wait
done <"$dir/table"
wait
for name in $rows; do
	[ -e "$dir/$name.bad" ] && [ ! -s "$dir/$name.bad" ] && pass || fail "$name: $(cat "$dir/$name.bad")"
done

# The twin: the judgement sees what is not so.
d=$dir/success
rc=5
judge_row success 200 none 0 - "" >"$dir/twin"
[ -s "$dir/twin" ] && pass || fail "a run that sent all was taken for one that sent none"

# Refused, then there: what waited arrives.  The program ends when spans have come.
collector
collector_end
"$tracer" --stats=export --perf-mode=low-latency --otlp-queue-size=20000 --otlp-endpoint "$url" --otlp-flush-timeout=60000 \
	sh -c "ls / >/dev/null
	sleep 0.3; echo >'$dir/started'; n=0
	while [ ! -s '$dir/got' ] && [ \$n -lt 400 ]; do sleep 0.05; n=\$((n + 1)); done; echo out; exit 5" >"$dir/out" 2>"$dir/err" &
run=$!
wait_for test -e "$dir/started" || fail "refused, then there: the program does not start"
collector "$port"
wait $run
rc=$?
collector_end
[ $rc = 5 ] && [ "$(cat "$dir/out")" = out ] && pass || fail "refused, then there: status $rc or output"
sent=$(number "spans sent")
[ "$sent" -gt 0 ] && [ "$(spans_there)" = "$sent" ] && [ "$(number dropped)" = 0 ] && pass ||
	fail "refused, then there: $(spans_there) came: $(cat "$dir/err")"
grep -q 'answers again' "$dir/err" && pass || fail "refused, then there: not told: $(cat "$dir/err")"

# There just before the end, in the pause between two tries: one more is made, and what waited arrives.
collector
collector_end
"$tracer" --perf-mode=low-latency --otlp-endpoint "$url" --otlp-flush-timeout=60000 \
	sh -c "ls / >/dev/null; n=0; while [ ! -e '$dir/there' ] && [ \$n -lt 400 ]; do sleep 0.05; n=\$((n + 1)); done
	echo out; exit 5" >"$dir/out" 2>"$dir/err" &
run=$!
wait_for grep -q 'cannot be reached' "$dir/err" || fail "there at the end: not told: $(cat "$dir/err")"
collector "$port"
sleep 0.3
: >"$dir/there"
wait $run
rc=$?
collector_end
[ $rc = 5 ] && [ "$(cat "$dir/out")" = out ] && pass || fail "there at the end: status $rc or output"
sent=$(number "spans sent")
[ "$sent" -gt 0 ] && [ "$(spans_there)" = "$sent" ] && [ "$(number dropped)" = 0 ] && pass ||
	fail "there at the end: $(spans_there) came: $(cat "$dir/err")"

# Killed in mid-run: what it had is whole, the rest is counted.
collector
"$tracer" --stats=export --perf-mode=low-latency --otlp-endpoint "$url" --otlp-flush-timeout=2000 sh -c "ls / >/dev/null
	n=0; while [ ! -s '$dir/killed' ] && [ \$n -lt 400 ]; do sleep 0.05; n=\$((n + 1)); done
	ls / >/dev/null; echo out; exit 5" >"$dir/out" 2>"$dir/err" &
run=$!
# a second request comes when the first one was answered
wait_for sh -c 'test "$(cat "$1" 2>/dev/null | wc -l)" -ge 2' sh "$dir/got" || fail "killed collector: nothing came"
kill -9 $collector
wait $collector 2>/dev/null
echo yes >"$dir/killed"
wait $run
rc=$?
[ $rc = 5 ] && [ "$(cat "$dir/out")" = out ] && pass || fail "killed collector: status $rc or output"
all=$(started "$dir/err") sent=$(number "spans sent")
[ "$sent" -gt 0 ] && [ "$(number dropped)" -gt 0 ] && [ $((sent + $(number dropped))) = "$all" ] && pass ||
	fail "killed collector: $(cat "$dir/err")"
[ "$(spans_there)" -ge "$sent" ] && pass || fail "killed collector: $(spans_there) of $sent spans came"
grep -q ', waited 0.000 s' "$dir/err" && pass || fail "killed collector: the program was held: $(cat "$dir/err")"
finish
