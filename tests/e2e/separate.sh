#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# -ff -o FILE: each task's text in FILE.TID, whole and of that task alone; files
# of an earlier run are replaced, with -A continued; more tasks than files may
# be open lose nothing.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
cd "$dir" || exit 99

# shellcheck disable=SC2016
"$tracer" -q -ff -o "$dir/t" sh -c 'echo $$ >pids; sh -c "echo \$\$ >>pids; exit 3"; sh -c "echo \$\$ >>pids; kill -9 \$\$"; exit 4' 2>"$dir/err"
[ $? = 4 ] && pass || fail "exit status"
[ -e "$dir/t" ] && fail "there is a file without a number"
n=0
for want in "exited with 4" "exited with 3" "killed by SIGKILL"; do
	n=$((n + 1))
	pid=$(sed -n ${n}p pids)
	[ "$(tail -n 1 "$dir/t.$pid")" = "+++ $want +++" ] && pass || fail "$pid: $(tail -n 1 "$dir/t.$pid"), not $want"
	[ "$(grep -c '^+++' "$dir/t.$pid")" = 1 ] && pass || fail "$pid: ends of others"
	grep -q '^execve(' "$dir/t.$pid" && pass || fail "$pid: no execve"
	# Of no other task: no line begins with a number.
	grep -q '^[0-9[]' "$dir/t.$pid" && fail "$pid: $(grep -m1 '^[0-9[]' "$dir/t.$pid")"
done
[ "$(ls "$dir" | grep -c '^t\.')" = 3 ] && pass || fail "files: $(ls "$dir")"

# The same calls as in one file.
"$tracer" -q -f -e write,exit_group -o "$dir/one" sh -c 'true & true & wait; true' && "$tracer" -q -ff -e write,exit_group -o "$dir/many" sh -c 'true & true & wait; true'
[ "$(grep -c exit_group "$dir/one")" = "$(cat "$dir"/many.* | grep -c exit_group)" ] && pass || fail "calls are missing"

# An earlier file of that number is replaced; -A continues it.  The number is known
# beforehand where the program is attached to.
# It makes calls now and then: under TSan a tracer that waits for one hears of its own signals only then.
sh -c 'while :; do sleep 0.1; done' &
victim=$!
trap 'kill $victim 2>/dev/null; rm -rf "$dir"' EXIT
attach() {
	"$tracer" -q "$@" -ff -o "$dir/a" -p $victim 2>/dev/null &
	tracing=$!
	tries=0
	while ! grep -q "^TracerPid:[^0-9]*$tracing\$" /proc/$victim/status && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	kill -TERM $tracing
	wait $tracing
}
echo old >"$dir/a.$victim"
attach
grep -q old "$dir/a.$victim" && fail "an earlier file was kept"
grep -q 'lives on' "$dir/a.$victim" && pass || fail "attached: $(cat "$dir/a.$victim")"
attach -A
[ "$(grep -c 'lives on' "$dir/a.$victim")" = 2 ] && pass || fail "-A: $(cat "$dir/a.$victim")"
kill $victim

# Twenty files at most for 31 threads that all make calls: files are closed and opened again.
sh -c 'ulimit -n 40; exec "$@"' - "$tracer" -q -ff -e getppid -o "$dir/th" "$fx/fx_threads" 30 200 >"$dir/out"
got=$(cat "$dir"/th.* | grep -c '^getppid()')
[ "$got" = 6000 ] && pass || fail "30 threads: $got of 6000 calls"
[ "$(ls "$dir" | grep -c '^th\.')" = 31 ] && pass || fail "30 threads: $(ls "$dir" | grep -c '^th\.') files"
finish
