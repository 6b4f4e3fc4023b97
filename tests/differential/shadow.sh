#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shadow mode: while the agent records, ptrace stops at the agent's own system
# call instruction, too; every record and every stop must match one to one.
# Usage: shadow.sh [COMMAND... | --programs]; without arguments a short set.
set -u
run=$builddir/engine-run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

"$run" -c -o /dev/null inproc /bin/true 2>"$work/err"
[ $? != 77 ] || { cat "$work/err"; exit 77; }

shadow() {
	"$@" >"$work/native" 2>/dev/null </dev/null
	native=$?
	timeout 120 "$run" -s ${SHADOW_CACHE:+-k "$SHADOW_CACHE"} -o "$work/out" inproc:shadow "$@" >"$work/traced" 2>"$work/err" </dev/null
	status=$?
	if [ $status != $native ]; then
		echo "FAIL ($status, not $native): $*"
		tail -n 3 "$work/err"
		head -n 10 "$work/out" | cut -c1-300
		failed=1
	elif ! grep -q 'shadow: [1-9][0-9]* from the agent' "$work/err"; then
		echo "FAIL (nothing came from the agent): $*"
		failed=1
	elif [ "${SAME_OUTPUT:-yes}" = yes ] && ! cmp -s "$work/native" "$work/traced"; then
		echo "FAIL (another output): $*"
		failed=1
	else
		echo "ok: $*: $(grep -o 'shadow:.*' "$work/err")"
	fi
}

# Real programs, those that are there.
programs() {
	SAME_OUTPUT=no
	for c in "ls -lR /usr/include" "find /usr/share -xdev" "tar cf /dev/null /usr/include" "git --version" \
		"git log -n 20 -p --stat" "busybox find /usr/include" "busybox sh -c 'busybox true; busybox ls | busybox wc'" \
		"python3 -c 'import json, threading, subprocess; subprocess.run([\"true\"])'" \
		"python3 -c 'import multiprocessing as m; p = m.Pool(3); p.map(abs, range(99)); p.close(); p.join()'" \
		"node -e 'console.log(1)'" "go version" "go env" "gcc --version" "gcc -x c -c -o /dev/null $srcdir/fixtures/fx_end.c" \
		"make --version" "perl -e 'system(\"true\") for 1 .. 5'" "sqlite3 :memory: 'select 1'" "openssl version" \
		"bash -c 'for i in 1 2 3; do (echo \$i | cat); done | sort'" "awk 'BEGIN { print 1 }'" "sort /etc/passwd" \
		"gzip -c /etc/passwd" "xz -c /etc/passwd" "vim --version" "ssh -V" "curl -s http://127.0.0.1:1/" \
		"dd if=/dev/zero of=/dev/null bs=1 count=20000" "unshare -r true" "timeout 1 sleep 3" "gdb --version" \
		"$builddir/fx_threads" "$builddir/fx_births" "$builddir/fx_inproc alarms" "$builddir/fx_inproc cancels" \
		"$builddir/fx_inproc jumps" "$builddir/fx_inproc blocked" "$builddir/fx_inproc storms"; do
		eval "set -- $c"
		command -v "$1" >/dev/null || { echo "skip: $1 is not there"; continue; }
		shadow "$@"
	done
}

if [ "${1:-}" = --programs ]; then
	programs
	exit $failed
fi
if [ $# -gt 0 ]; then
	SAME_OUTPUT=${SAME_OUTPUT:-no} shadow "$@"
	exit $failed
fi
shadow /bin/true
shadow ls -l /usr/include
shadow sh -c 'for i in 1 2 3; do /bin/true; done; ls / | sort -r; (exit 5)'
shadow sh -c 'trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$'
shadow sh -c 'exec /nonexistent'
shadow dd if=/dev/zero of=/dev/null bs=1 count=2000
# The comparison itself must be able to fail: two stops a call have no twins.
timeout 60 "$run" -s -o "$work/out" ptrace /bin/true 2>"$work/err" >/dev/null
grep -q 'shadow: 0 from the agent' "$work/err" || { echo "FAIL: the twin"; failed=1; }
# One record of the agent that gets lost is found, wherever it is.
for n in 1 2 10 30; do
	timeout 60 "$run" -s -L $n -o "$work/out" inproc:shadow ls / >/dev/null 2>"$work/err"
	status=$?
	if [ $status != 99 ] || ! grep -q DIFFER "$work/out"; then
		echo "FAIL: record $n was lost and nobody saw it: $status, $(grep -o 'shadow:.*' "$work/err")"
		failed=1
	fi
done
exit $failed
