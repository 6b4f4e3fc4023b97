#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shadow mode: while the agent records, ptrace stops at the agent's own system
# call instruction, too; every record and every stop must match one to one.
# Usage: shadow.sh [COMMAND...]; without arguments a short set.
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
	timeout 120 "$run" -s -o "$work/out" inproc:shadow "$@" >"$work/traced" 2>"$work/err" </dev/null
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
exit $failed
