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
finish
