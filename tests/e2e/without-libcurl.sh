#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libcurl is loaded only by who sends: where it cannot be, everything else works, and
# sending ends before the program starts with a message that says what is missing.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace

name=$(sed -n 's/^#define LIBCURL_SONAME "\(.*\)"/\1/p' "$builddir/config.h")
[ -n "$name" ] || { echo "config.h names no libcurl"; exit 99; }
mkdir "$dir/lib"
: >"$dir/lib/$name"
# run LIBRARIES ARG...: traces a program that leaves a mark.
run() {
	libs=$1
	shift
	rm -f "$dir/mark"
	LD_LIBRARY_PATH=$libs "$tracer" "$@" sh -c ": >'$dir/mark'" >"$dir/out" 2>"$dir/err"
}

run "$dir/lib" -c -o "$dir/summary" && [ -e "$dir/mark" ] && grep -q execve "$dir/summary" && pass ||
	fail "a run that sends nothing: $(cat "$dir/err")"
run "$dir/lib" --otlp-endpoint http://127.0.0.1:9
status=$?
[ $status = 125 ] && [ ! -e "$dir/mark" ] && pass || fail "sending without libcurl: status $status, or the program ran"
grep -q "needs libcurl" "$dir/err" && grep -q "$name" "$dir/err" && pass || fail "no word about libcurl: $(cat "$dir/err")"
# the same with it: the program runs, nobody listens
run '' --otlp-endpoint http://127.0.0.1:9 && [ -e "$dir/mark" ] && ! grep -q libcurl "$dir/err" && pass ||
	fail "sending with libcurl: $(cat "$dir/err")"
finish
