#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Options of selection and output by table (cases.tbl): what must be in the output,
# and what must not.  The program's own output and status are checked with each row.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
cd "$dir" || exit 99
printf 'hello\n' >file
mkdir sub

# name, options, command, lines that must match, lines that must not (- none); ERE.
row() {
	name=$1 options=$2 command=$3 want=$4 reject=$5
	rm -f out.*
	eval "$command" >native.out 2>/dev/null
	native=$?
	eval "\"\$tracer\" -q $options -- $command" >traced.out 2>traced.err
	rc=$?
	cat out.* traced.err >all 2>/dev/null
	[ $rc = $native ] || { fail "$name: exit $rc, natively $native: $(cut -c1-200 traced.err | head -n 3)"; return; }
	[ "$name" = stdout ] || cmp -s native.out traced.out || { fail "$name: the program's stdout"; return; }
	[ "$name" = stdout ] && cp traced.out all
	grep -Eq -- "$want" all || { fail "$name: no line matches $want: $(cut -c1-200 all | head -n 5)"; return; }
	[ "$reject" = - ] || ! grep -Eq -- "$reject" all || { fail "$name: $(grep -E -- "$reject" all | cut -c1-200 | head -n 3)"; return; }
	pass
}

tab=$(printf '\t')
sed "/^#/d; s/ *:: */$tab/g" "$srcdir/tests/e2e/cases.tbl" >rows
while IFS=$tab read -r name options command want reject; do
	row "$name" "$options" "$command" "$want" "$reject" </dev/null
done <rows

# -A keeps what is there.
"$tracer" -q -e execve -o twice.txt true
"$tracer" -q -e execve -A -o twice.txt true
[ "$(grep -c ^execve twice.txt)" = 2 ] && pass || fail "-A: $(cat twice.txt)"
finish
