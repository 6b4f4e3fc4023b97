#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signals sent to the command reach the program; the command outlives it.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run="$fx/fx_runstatus"
# A shell without job control starts background commands with these ignored.
fresh="env --default-signal=INT,QUIT"

# wait_for FILE: until the program says that it is ready.
wait_for() {
	tries=0
	while [ ! -s "$1" ] && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	[ -s "$1" ] || fail "the program did not start"
}

# A handler runs once and the program chooses its status.
for sig in HUP TERM USR1 USR2 INT QUIT; do
	rm -f "$dir/ready"
	$fresh "$tracer" -q -o "$dir/t.txt" sh -c "trap 'echo got $sig; exit 42' $sig; echo y >$dir/ready
		while :; do sleep 0.05; done" >"$dir/out" 2>&1 &
	pid=$!
	wait_for "$dir/ready"
	kill -$sig $pid
	wait $pid
	rc=$?
	[ $rc = 42 ] && [ "$(cat "$dir/out")" = "got $sig" ] && pass || fail "$sig: $rc $(cat "$dir/out")"
done

# Without a handler both die of it.
rm -f "$dir/ready"
"$run" "$tracer" -q -o "$dir/t.txt" sh -c "echo \$PPID >$dir/ready; exec sleep 60" >"$dir/out" &
runner=$!
wait_for "$dir/ready"
kill -TERM "$(cat "$dir/ready")"
wait $runner
[ "$(cat "$dir/out")" = "signal 15" ] && pass || fail "TERM without handler: $(cat "$dir/out")"

# Stop and continue.
rm -f "$dir/ready"
"$tracer" -q -o "$dir/t.txt" sh -c "echo \$\$ >$dir/ready; sleep 1; exit 7" &
pid=$!
wait_for "$dir/ready"
child=$(cat "$dir/ready")
kill -STOP "$child"
tries=0
while ! grep -q '^State:.*[Tt]' "/proc/$child/status" && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
grep -q '^State:.*[Tt]' "/proc/$child/status" && pass || fail "SIGSTOP did not stop"
kill -CONT "$child"
wait $pid
[ $? = 7 ] && pass || fail "after SIGCONT"
finish
