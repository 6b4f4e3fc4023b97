#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Oracle: for programs that do the same in every run, each task's sequence of
# (call, result) is the one that strace -f sees.  oracle.py says what is masked.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
for tool in strace python3 setarch; do
	command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
# Without address randomisation allocators do the same in both runs.
setarch -R true 2>/dev/null || { echo "SKIP: setarch -R is not allowed here"; exit 77; }
PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
compare="python3 $srcdir/tests/e2e/oracle.py"

mkdir -p "$dir/tree/a/b" "$dir/tree/c"
for i in 1 2 3 4 5 6 7 8 9; do
	echo "line $i of something" >"$dir/tree/a/f$i"
	cat "$dir"/tree/a/f* >"$dir/tree/a/b/g$i"
done
printf '#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n' >"$dir/tree/c/x.c"

# Each run starts in a fresh copy of the tree.  The environment has the size that tracer gives it.
run() { # where, command...
	where=$1
	shift
	rm -rf "$dir/work"
	cp -r "$dir/tree" "$dir/work"
	(cd "$dir/work" && "$@" </dev/null >"$dir/$where.out" 2>"$dir/$where.err")
}
both() {
	TRACEPARENT=00-11111111111111111111111111111111-2222222222222222-01 \
		run strace setarch -R strace -f -q -o "$dir/strace.txt" "$@" || true
	run tracer setarch -R "$tracer" -q --engine ptrace -o "$dir/tracer.jsonl" --format json -- "$@" || true
}
# A program may race with itself (does SIGCHLD come before wait4?): that shows now and
# then, a fault of ours in every try.
same() {
	for try in 1 2 3 4 5; do
		both "$@"
		$compare "$dir/strace.txt" "$dir/tracer.jsonl" >"$dir/diff" && return 0
	done
	return 1
}
check() {
	if same "$@"; then
		pass
		echo "$(tail -1 "$dir/diff"): $*" | cut -c1-110
	else
		fail "$*"
		cat "$dir/diff" "$dir/tracer.err"
	fi
}

check true
check cat a/f1 a/f2 no-such-file
check ls -lR .
check find . -name 'g*' -size -4
check grep -rn something .
check tar cf out.tar a
check cp -r a z
check sort -r a/b/g9
check rm -rf a
check sed -n 2,4p a/b/g9
check sh -c 'for i in 1 2 3; do /bin/true; done; cd a && echo hello >h && test -s h && mv h i'
# The interpreter itself: python3 in PATH may be a script that starts it.
check "$(python3 -c 'import sys; print(sys.executable)')" -c \
	'import os, json; print(json.dumps(sorted(os.listdir("."))))'
command -v gcc >/dev/null && check gcc -c -o c/x.o c/x.c
check "$fx/fx_badptr"
check "$fx/fx_int80"
check "$fx/fx_mask"
[ ! -x "$fx/fx_i386" ] || check "$fx/fx_i386"

# The comparison can fail: a call too few, another result, a task too few.
same sh -c '/bin/true; :' && pass || fail "the unchanged pair"
doctored() { # what, sed script
	sed "$2" "$dir/tracer.jsonl" >"$dir/doctored.jsonl"
	cmp -s "$dir/tracer.jsonl" "$dir/doctored.jsonl" && fail "$1: nothing was changed"
	$compare "$dir/strace.txt" "$dir/doctored.jsonl" >/dev/null && fail "$1 is not seen" || pass
}
doctored "a call too few" "$(grep -n '"name":"close"' "$dir/tracer.jsonl" | head -1 | cut -d: -f1)d"
doctored "another result" '/"name":"openat"/s/"ret":3/"ret":4/'
doctored "another error" 's/"error":"ENOENT"/"error":"EACCES"/'
child=$(sed -n 's/.*"name":"\(clone\|fork\|vfork\|clone3\)".*"ret":\([1-9][0-9]*\).*/\2/p' "$dir/tracer.jsonl" | head -1)
doctored "a task too few" "/\"type\":\"call\".*\"tid\":${child:-none},/d"
finish
