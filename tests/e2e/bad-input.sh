#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Wrong input by table: the documented exit status, a line that says what to do,
# nothing on stdout, and the program is not run (rows without the word RUNS).
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace

printf 'not a program\n' >"$dir/plain"
printf '#!/no/such/interpreter\n' >"$dir/orphan"
printf '#!/bin/sh\n' >"$dir/unreadable.sh"
chmod 644 "$dir/plain"
chmod 755 "$dir/orphan"
prog="touch $dir/mark"
PATH=$dir/bin:$PATH
mkdir "$dir/bin"
printf '#!/bin/sh\n' >"$dir/bin/frobnicate"
chmod 755 "$dir/bin/frobnicate"

# One row: name, exit status, runs the program (-/RUNS), extended regular expression of stderr, arguments.
row() {
	name=$1 want=$2 runs=$3 pattern=$4 args=$5
	rm -f "$dir/mark"
	eval "\"\$tracer\" $args" >"$dir/out" 2>"$dir/err" </dev/null
	rc=$?
	[ "$rc" = "$want" ] || { fail "$name: exit $rc, not $want: $(cat "$dir/err")"; return; }
	[ -s "$dir/out" ] && { fail "$name: something on stdout"; return; }
	if [ "$pattern" = NOTHING ]; then
		[ -s "$dir/err" ] && { fail "$name: stderr is: $(cat "$dir/err")"; return; }
	else
		grep -Eq -- "$pattern" "$dir/err" || { fail "$name: stderr is: $(cat "$dir/err")"; return; }
	fi
	if [ "$runs" = RUNS ]; then
		[ -e "$dir/mark" ] || { fail "$name: the program was not run"; return; }
	else
		[ -e "$dir/mark" ] && { fail "$name: the program was run"; return; }
	fi
	pass
}

while read -r name want runs pattern args; do
	case $name in '' | '#'*) continue ;; esac
	row "$name" "$want" "$runs" "$pattern" "$args"
done <"$srcdir/tests/e2e/bad-input.tbl"
finish
