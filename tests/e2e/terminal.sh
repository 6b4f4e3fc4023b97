#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On a terminal: ^C and ^\ reach the program once, the command waits for it and
# ends as it does; the text is complete; job control works.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace

# both NAME FX_PTY-ARGUMENTS -- COMMAND: the same picture and end, natively and traced.
both() {
	name=$1
	shift
	args=
	while [ "$1" != -- ]; do
		args="$args '$1'"
		shift
	done
	shift
	eval "\"$fx/fx_pty\" $args -- \"\$@\"" >"$dir/native"
	eval "\"$fx/fx_pty\" $args -- \"$tracer\" -q -o \"$dir/t.txt\" \"\$@\"" >"$dir/traced"
	cmp -s "$dir/native" "$dir/traced" && pass || { fail "$name:"; diff "$dir/native" "$dir/traced" | head -n 10; }
	tail -n 1 "$dir/traced"
}

both "^C" -w ready -t '\3' -- sh -c 'echo ready; exec sleep 30'
grep -q 'signal 2' "$dir/traced" || fail "^C: $(tail -n 1 "$dir/traced")"
grep -q 'write(1, "ready' "$dir/t.txt" && pass || fail "^C: the trace is not complete"
both "^C with a handler" -w ready -t '\3' -- sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.05; done'
[ "$(grep -c caught "$dir/traced")" = 1 ] || fail "^C was seen more than once"
both "^C ignored" -w ready -t '\3' -- sh -c 'trap "" INT; echo ready; sleep 0.5; exit 4'
both "^\\" -w ready -t '\34' -- sh -c 'ulimit -c 0; echo ready; exec sleep 30'
both "reads the terminal" -w name? -t 'joe\12' -- sh -c 'echo name?; read x; echo "hello $x"'
both "size and job" -w x -t '' -- sh -c 'tty >/dev/null && echo yes; ps -o stat= -p $$ | cut -c1; echo x'

# In a shell's job.  What the terminal stops is a stopped job: tracer stops with it, and goes on with it.
command -v bash >/dev/null || { echo "no bash: job control not tested"; finish; exit; }
# jobs NAME FX_PTY-ARGUMENTS: the script from stdin, where $run is nothing or tracer; what it echoes is compared.
jobs() {
	name=$1
	shift
	cat >"$dir/job"
	for engine in "" ptrace inproc; do
		run=${engine:+"$tracer -q -o $dir/t.txt --engine $engine"} "$fx/fx_pty" "$@" -- bash --norc -m "$dir/job" |
			sed 's/\^Z//; s/\r//' | grep -E '^(status|end|hang)' >"$dir/jobs.$engine"
	done
	grep -q '^end 5' "$dir/jobs." && cmp -s "$dir/jobs." "$dir/jobs.ptrace" && cmp -s "$dir/jobs." "$dir/jobs.inproc" && pass ||
		{ fail "$name: natively, ptrace, inproc:"; head -n 5 "$dir/jobs." "$dir/jobs.ptrace" "$dir/jobs.inproc"; }
}
jobs "stops itself" <<'E'
$run sh -c 'kill -TSTP $$; exit 5'
echo "status $?"
fg >/dev/null
echo "end $?"
E
jobs "stops with its child" <<'E'
$run sh -c 'sh -c "kill -TSTP 0"; exit 5'
echo "status $?"
fg >/dev/null
echo "end $?"
E
# Loops without a child: one in the middle of vfork and exec would stop, and its parent, which waits for it, could not.
jobs "^Z" -w ready -t '\32' <<'E'
$run sh -c 'echo ready; i=0; while [ $i -lt 500000 ]; do i=$((i + 1)); done; exit 5'
echo "status $?"
fg >/dev/null
echo "end $?"
E
jobs "^Z handled" -w ready -t '\32' <<'E'
$run sh -c 'trap "echo end caught" TSTP; echo ready; i=0; while [ $i -lt 500000 ]; do i=$((i + 1)); done; exit 5'
echo "end $?"
E
jobs "reads in the background" -w now -t 'x\12' <<'E'
$run sh -c 'read x; exit 5' &
while ! ps -o stat= -p $! | grep -q T; do sleep 0.05; done
echo "status stopped"
echo now
fg >/dev/null
echo "end $?"
E
finish
