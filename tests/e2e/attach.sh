#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# -p: calls of a running program are seen; SIGINT and SIGTERM detach; it lives on
# unharmed and is traced by nobody.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace

sh -c 'while :; do sleep 0.02; done' &
victim=$!
trap 'kill $victim 2>/dev/null; rm -rf "$dir"' EXIT
for sig in INT TERM; do
	rm -f "$dir/t.txt"
	# A shell without job control starts background commands with SIGINT ignored: heard all the same.
	"$fx/fx_runstatus" -o 9 "$tracer" -o "$dir/t.txt" -p $victim >"$dir/out" 2>"$dir/err" 9>"$dir/status" &
	runner=$!
	tries=0
	while ! grep -q 'wait4\|clone\|vfork' "$dir/t.txt" 2>/dev/null && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	grep -q 'wait4\|clone\|vfork' "$dir/t.txt" && pass || fail "$sig: no calls seen: $(cat "$dir/err")"
	pid=$(ps -o pid= --ppid $runner | tr -d ' ')
	kill -$sig "$pid"
	wait $runner
	[ "$(cat "$dir/status")" = "exit 0" ] && pass || fail "$sig: $(cat "$dir/status" "$dir/err")"
	grep -q "attached to process $victim, 1 thread; " "$dir/err" && pass || fail "$sig: says $(cat "$dir/err")"
	kill -0 $victim && pass || fail "$sig: the program is gone"
	grep -q '^TracerPid:[^0-9]*0$' /proc/$victim/status && pass || fail "$sig: still traced"
done
kill $victim
finish
