#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --engine inproc -p: a running program with threads is attached to and let go 20 times.  While attached each of its calls
# is recorded, once, without a stop; afterwards its code is that of its files, nothing of ours is mapped, no
# thread has our register or a tracer, and what slept in calls sleeps on.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
# TSan holds signals back from a tracer that waits; a program that makes its calls without stops wakes none.
if grep -qs '__tsan_init' "$builddir/.libs/tracer" "$builddir/tracer"; then
	echo "SKIP: built with TSan, which keeps SIGINT from a tracer that waits"
	exit 77
fi
mkfifo "$dir/in" "$dir/out"
"$fx/fx_attached" 4 <"$dir/in" >"$dir/out" 2>"$dir/said" &
victim=$!
exec 3>"$dir/in" 4<"$dir/out"
tracer_pid=
trap 'kill $victim $tracer_pid 2>/dev/null; rm -rf "$dir"' EXIT
read -r answer <&4

# order WORD...: the program's answer is $calls
order() {
	echo "$*" >&3
	read -r answer calls <&4
}

# attach [OPTION...]: every thread is traced, and has stopped once, before which nothing is patched
attach() {
	"$tracer" -c -o "$dir/counts" --engine inproc --stats=engine "$@" -p $victim 2>"$dir/err" 3>&- 4<&- &
	tracer_pid=$!
	tries=0
	while [ $tries -lt 200 ] && ! "$fx/fx_text" $victim | grep -q 'agent 2 threads 8$'; do
		kill -0 $tracer_pid 2>/dev/null || break
		sleep 0.05
		tries=$((tries + 1))
	done
	while [ $tries -lt 200 ] && "$fx/fx_text" $victim | grep -q ' differ 0 ' && kill -0 $tracer_pid 2>/dev/null; do
		order c 1
		tries=$((tries + 1))
	done
}

detach() {
	kill -INT $tracer_pid
	wait $tracer_pid
	status=$?
	tracer_pid=
}

# told NAME: how many calls of that name the table has
told() {
	awk -v name="$1" '$NF == name { print $4 }' "$dir/counts"
}

stat_of() {
	sed -n "s/^.*  $1  *\([0-9]*\)\$/\1/p" "$dir/err"
}

attach
if grep -q 'no syscall user dispatch\|traced by stops' "$dir/err"; then
	cat "$dir/err"
	exit 77
fi
before=0
rounds=0
while [ $rounds -lt 20 ]; do
	rounds=$((rounds + 1))
	[ $rounds = 1 ] || attach
	order c 500
	[ $rounds != 5 ] || order t 100
	[ $rounds != 6 ] || order f 100
	[ $rounds != 7 ] || order x 100
	[ $rounds != 8 ] || order s 100
	[ $rounds != 9 ] || order l 50
	attached=$("$fx/fx_text" $victim)
	case $attached in
	*"differ 0 "*) fail "round $rounds: nothing is patched: $attached" ;;
	*"agent 2 threads "[1-9]*) pass ;;
	*) fail "round $rounds: attached: $attached" ;;
	esac
	detach
	[ $status = 0 ] && pass || fail "round $rounds: status $status: $(cat "$dir/err")"
	[ "$(told getpgid)" = $((calls - before)) ] && pass ||
		fail "round $rounds: $((calls - before)) calls were made, $(told getpgid) were recorded"
	[ $rounds != 9 ] || { [ "$(told setuid)" = 50 ] && pass || fail "round $rounds: $(told setuid) of 50 setuid"; }
	none=$(stat_of 'calls without a stop')
	[ "${none:-0}" -gt 1500 ] && pass || fail "round $rounds: calls without a stop: ${none:-?}"
	before=$calls
	case $("$fx/fx_text" $victim) in
	*" differ 0 agent 0 threads 0") pass ;;
	*) fail "round $rounds: let go: $("$fx/fx_text" $victim)" ;;
	esac
	order g
	[ "$calls" = 0 ] && pass || fail "round $rounds: $calls threads have a gs register that is not 0"
	order c 10
	before=$calls
done

# Who kills us does not kill it, and gets it back as it was.
attach
order c 500
kill -KILL $tracer_pid
wait $tracer_pid 2>/dev/null
tracer_pid=
tries=0
while [ $tries -lt 200 ] && ! "$fx/fx_text" $victim | grep -q ' differ 0 agent 0 threads 0$'; do
	sleep 0.05
	tries=$((tries + 1))
done
case $("$fx/fx_text" $victim) in
*" differ 0 agent 0 threads 0") pass ;;
*) fail "killed: $("$fx/fx_text" $victim)" ;;
esac
order c 500
order g
[ "$calls" = 0 ] && pass || fail "killed: $calls threads have a gs register that is not 0"

# Who kills the process that traces does not kill it either: it makes its calls itself, those at places that were not
# met before, too, and with more calls than there is room for in its rings.
attach
order c 500
kill -KILL "$(pgrep -P $tracer_pid -x attached-trace)"
wait $tracer_pid 2>/dev/null
tracer_pid=
grep -q 'was killed by signal 9; the program goes on' "$dir/err" && pass || fail "killed inside: $(cat "$dir/err")"
order c 500
before=$calls
for what in "c 100000" "t 100" "f 30000" "x 100" "s 100"; do
	calls=
	order "$what"
	[ "$answer" = "done" ] && pass || fail "killed inside: $what: $answer $calls"
done
[ "$calls" = $((before + 4 * 100000 + 4 * 100 + 30000 + 100 + 100)) ] && pass || fail "killed inside: $before, then $calls calls"

echo q >&3
read -r answer calls <&4
wait $victim && [ "$answer $calls" = "end 0" ] && pass || fail "the program: $answer $calls $(cat "$dir/said")"
exec 3>&- 4<&-

# other WHAT PATTERN: a program of this kind; the engine's line has the pattern (none: it has no line); counts are right
other() {
	"$fx/fx_attached" 2 "$1" <"$dir/in" >"$dir/out" 2>"$dir/said" &
	victim=$!
	exec 3>"$dir/in" 4<"$dir/out"
	read -r answer calls <&4 || { echo "no $1 here"; return; }
	"$tracer" -c -o "$dir/counts" --engine inproc -p $victim 2>"$dir/err" 3>&- 4<&- &
	tracer_pid=$!
	tries=0
	while [ $tries -lt 200 ] && ! "$fx/fx_text" $victim | grep -q 'threads 6$'; do
		sleep 0.05
		tries=$((tries + 1))
	done
	order c 500
	detach
	[ $status = 0 ] && [ "$(told getpgid)" = 1000 ] && pass || fail "$1: status $status, $(told getpgid) calls"
	case $(grep 'traced by stops' "$dir/err") in
	"$2") pass ;;
	*"$2") [ "$2" ] && pass || fail "$1: $(cat "$dir/err")" ;;
	*) fail "$1: $(cat "$dir/err")" ;;
	esac
	order c 10
	echo q >&3
	read -r answer calls <&4
	wait $victim && [ "$answer $calls" = "end 0" ] && pass || fail "$1: $answer $calls $(cat "$dir/said")"
	exec 3>&- 4<&-
}

other seccomp 'it is under a seccomp filter'
other gs 'it uses the gs register'
other sigsys ''
finish
