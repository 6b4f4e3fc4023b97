#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# -p of what cannot be traced: exit 125, a line that names the cause and one that
# says what to do; the process is left as it was.  And -p of the same kind of
# process that can be traced works.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
started=
trap 'kill $started 2>/dev/null; rm -rf "$dir"' EXIT

# refused NAME PATTERN COMMAND...
refused() {
	name=$1 pattern=$2
	shift 2
	"$@" >"$dir/out" 2>"$dir/err" </dev/null
	rc=$?
	[ $rc = 125 ] && pass || fail "$name: exit $rc: $(cat "$dir/err")"
	[ "$(wc -l <"$dir/err")" -le 2 ] && grep -q -- "$pattern" "$dir/err" && pass || fail "$name: $(cat "$dir/err")"
}

# until COMMAND...: true within ten seconds.
until_true() {
	tries=0
	while ! "$@" && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	"$@"
}

traced() {
	grep -q "^TracerPid:[^0-9]*[1-9]" "/proc/$1/status"
}

is_zombie() {
	[ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]
}

zombie_of() {
	zombie=$(ps -o pid= --ppid "$1" | tr -d ' ')
	[ -n "$zombie" ] && is_zombie "$zombie"
}

# It makes calls now and then: under TSan a tracer that waits for one hears of its own signals only then.
sh -c 'while :; do sleep 0.1; done' &
victim=$!
started="$started $victim"
refused "no process" "pgrep" "$tracer" -p 4194305

# The positive twin: it is traced, and then it is refused to a second one.
"$tracer" -q -o "$dir/t.txt" -p $victim &
first=$!
started="$started $first"
until_true traced $victim && pass || fail "not traced"
refused "traced" "already traced by pid $first" "$tracer" -p $victim
kill -TERM $first
wait $first && pass || fail "first tracer: $?"
kill -0 $victim && ! traced $victim && pass || fail "the process was not let go"

# shellcheck disable=SC2016
sh -c 'true & exec sleep 60' &
parent=$!
started="$started $parent"
until_true zombie_of $parent && pass || fail "no zombie"
refused "zombie" "zombie, whose exit status pid $parent" "$tracer" -p "$zombie"

if [ -r /proc/2/comm ] && [ "$(cat /proc/2/comm)" = kthreadd ]; then
	refused "kernel thread" "kernel thread: it makes no system calls" "$tracer" -p 2
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	refused "another user" "belongs to uid 0, you are uid 65534" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$tracer" -p $victim
fi
# shellcheck disable=SC2016
refused "itself" "tracer itself" sh -c 'exec "$0" -p $$' "$tracer"
finish
