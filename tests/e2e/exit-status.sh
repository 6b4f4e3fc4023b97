#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command ends as the program does: every exit status, death by every signal
# that kills, no second core dump.
set -u
# nohup and background jobs leave signals ignored that are judged here.
if [ -z "${SIGNALS_RESET:-}" ] && env --default-signal true 2>/dev/null; then
	exec env --default-signal SIGNALS_RESET=yes sh "$0" "$@"
fi
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run="$fx/fx_runstatus"
trace="$tracer -q -o $dir/t.txt"

n=0
while [ $n -lt 256 ]; do
	got=$("$run" $trace sh -c "exit $n")
	[ "$got" = "exit $n" ] && pass || fail "exit $n: $got"
	n=$((n + 1))
done

# All but those that do not kill (CHLD CONT STOP TSTP TTIN TTOU URG WINCH).
for sig in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 35 63 64; do
	native=$("$run" sh -c "ulimit -c 0; kill -$sig \$\$; exit 77")
	got=$("$run" $trace sh -c "ulimit -c 0; kill -$sig \$\$; exit 77")
	[ "$native" = "signal $sig" ] || fail "the test itself: natively $native for signal $sig"
	[ "$got" = "$native" ] && pass || fail "signal $sig: $got"
done

# A program that is killed by a signal that it was born ignoring or blocking is no different.
for how in "-i 1" "-b 15"; do
	native=$("$run" $how sh -c 'kill -9 $$')
	got=$("$run" $how $trace sh -c 'kill -9 $$')
	[ "$got" = "$native" ] && pass || fail "$how: $got"
done

# One core at the most: ours would be called core, too.
mkdir "$dir/cores"
(cd "$dir/cores" && ulimit -c unlimited 2>/dev/null && "$run" $trace sh -c 'kill -ABRT $$' >/dev/null)
[ "$(find "$dir/cores" -type f | wc -l)" -le 1 ] && pass || fail "cores: $(ls "$dir/cores")"
# ... and what is in it is the program's: what is patched adds some of its code, no more.
core_kib() {
	rm -f "$dir"/cores/*
	(cd "$dir/cores" && ulimit -c unlimited 2>/dev/null && "$run" "$@" sh -c 'kill -ABRT $$' >/dev/null)
	find "$dir/cores" -type f -printf '%s\n' | awk '{ n += $1 } END { print int(n / 1024) }'
}
# (what a sanitizer is built into has no cores by default, and hands that limit on)
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}disable_coredump=0
TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}disable_coredump=0
export ASAN_OPTIONS TSAN_OPTIONS
native=$(core_kib)
for engine in ptrace auto; do
	got=$(core_kib "$tracer" -q --engine $engine -o "$dir/t.txt")
	[ "$got" -le $((native + 8192)) ] && [ $((got == 0)) = $((native == 0)) ] && pass ||
		fail "$engine: a core of $got KiB, not $native"
done
finish
