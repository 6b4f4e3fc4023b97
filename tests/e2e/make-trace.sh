#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on a real autotools project: `tracer --perf-mode balanced
# --otlp-endpoint ... -- make -j2`: exit status and output as native, every call
# accounted for at the receiver, one trace, parents right.  With the budget
# (--detail=auto) and with every call a span (--detail=full).
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
for p in make autoreconf gcc python3; do
	command -v $p >/dev/null || { echo "no $p"; exit 77; }
done
dir=$(mktemp -d)
pid=
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap stop EXIT
"$tracer" -q -o /dev/null true 2>"$dir/err" || { echo "cannot trace here: $(cat "$dir/err")"; exit 77; }

mkdir "$dir/p"
cd "$dir/p"
cat >configure.ac <<E
AC_INIT([p], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
E
echo 'bin_PROGRAMS = p' >Makefile.am
echo 'p_SOURCES = main.c f1.c f2.c f3.c f4.c' >>Makefile.am
for i in 1 2 3 4; do
	cat >f$i.c <<E
#include <stdio.h>
int f$i(int x);
int f$i(int x) { return printf("%d\\n", x + $i); }
E
done
echo 'int f1(int), f2(int), f3(int), f4(int);
int main(void) { return f1(1) + f2(2) + f3(3) + f4(4) - 8; }' >main.c
autoreconf -i >"$dir/autoreconf.log" 2>&1
./configure -q >"$dir/configure.log" 2>&1
make clean >/dev/null

# Parallel output has no fixed order: lines are compared sorted.
make -j2 >"$dir/native.out" 2>"$dir/native.err"
cksum p >"$dir/native.sum"
sort -o "$dir/native.out" "$dir/native.out"

for detail in auto full; do
	make clean >/dev/null
	"$tracer" collect --listen 127.0.0.1:0 --port-file "$dir/port" -q -o "$dir/$detail.jsonl" --once 2>/dev/null &
	pid=$!
	until [ -s "$dir/port" ]; do sleep 0.05; done
	rc=0
	"$tracer" --perf-mode balanced --detail=$detail --otlp-endpoint "http://127.0.0.1:$(cat "$dir/port")" \
		-o "$dir/calls.jsonl" -- make -j2 >"$dir/traced.out" 2>"$dir/traced.err" || rc=$?
	wait $pid || { echo "the receiver ended with an error"; exit 1; }
	pid=
	rm -f "$dir/port"
	[ $rc -eq 0 ] || { echo "exit $rc"; cat "$dir/traced.err"; exit 1; }
	sort -o "$dir/traced.out" "$dir/traced.out"
	diff "$dir/native.out" "$dir/traced.out"
	cksum p | diff "$dir/native.sum" -
	tail -n 1 "$dir/traced.err"
	# Calls by an independent count: one JSON object a call in the text sink's file.
	calls=$(python3 -c 'import json,sys; print(sum(1 for l in open(sys.argv[1]) if json.loads(l).get("type") == "call"))' \
		"$dir/calls.jsonl")
	[ "$calls" -gt 1000 ] || { echo "only $calls calls"; exit 1; }
	printf '%s: ' $detail
	python3 "$srcdir/tests/interop/check_trace.py" "$dir/$detail.jsonl" --calls "$calls"
done

# Without a receiver it ends at once, says so in one line, and the status is the program's.
rc=0
timeout 20 "$tracer" --perf-mode balanced sh -c 'exit 5' 2>"$dir/err" || rc=$?
[ $rc -eq 5 ] || { echo "without a receiver: exit $rc"; cat "$dir/err"; exit 1; }
grep -q 'tracer collect' "$dir/err" || { echo "without a receiver: no word of tracer collect"; cat "$dir/err"; exit 1; }
