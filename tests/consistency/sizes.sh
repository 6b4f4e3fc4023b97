#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/STYLE.md: no file of C or assembly is longer than 800 lines, no function than 100; and the check
# can fail: a file and a function that are one line too long must be reported.
srcdir=${srcdir:-.}
# Exceptions, one a line: FILE or FILE:FUNCTION, and why.
exceptions='
'
# What awk and protoc-c have written (it is in the tarball) nobody reads.
scan() {
	find "$@" -name '*.[chS]' ! -name '*-gen.[ch]' ! -name '*.pb-c.[ch]' | LC_ALL=C sort | xargs ${AWK:-awk} -v exceptions="$exceptions" '
	function end_of_file() {
		if (name != "" && lines > 800 && !(name in spared)) {
			print name ": " lines " lines, 800 are allowed"; bad = 1 }
	}
	BEGIN { n = split(exceptions, e, "\n"); for (i = 1; i <= n; i++) { split(e[i], w, " "); spared[w[1]] = 1 } }
	FNR == 1 { end_of_file(); name = FILENAME; open = 0 }
	{ lines = FNR }
	/^[A-Za-z_].*\(/ { title = $0; sub(/\(.*/, "", title); sub(/.*[ *]/, "", title) }
	/^\{$/ { open = FNR }
	/^\}$/ && open {
		if (FNR - open + 1 > 100 && !((name ":" title) in spared)) {
			print name ":" open ": " title "() has " FNR - open + 1 " lines, 100 are allowed"; bad = 1 }
		open = 0; functions++ }
	END { end_of_file(); if (functions < 1) { print "no function found"; bad = 1 } exit bad }'
}
dirs=
for d in src include tests bench fixtures; do
	[ -d "$srcdir/$d" ] && dirs="$dirs $d"
done
# shellcheck disable=SC2086
(cd "$srcdir" && scan $dirs) || exit 1

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
# A function of so many lines from brace to brace.
make_function() {
	printf 'static int many(int n)\n{\n'
	yes '	n++;' | head -n $(($1 - 3))
	printf '	return n;\n}\n'
}
mkdir good long-file long-function
make_function 100 >good/a.c
{ make_function 50; yes '/* */' | head -n 749; } >good/b.c
{ make_function 50; yes '/* */' | head -n 750; } >long-file/b.c
make_function 101 >long-function/a.c
[ "$(wc -l <good/b.c)" = 800 ] || { echo "the check's own files are wrong"; exit 1; }
scan good || { echo "what is allowed is reported"; exit 1; }
for d in long-file long-function; do
	scan $d >out && { echo "the check does not see $d"; exit 1; }
	[ "$(wc -l <out)" = 1 ] || { cat out; exit 1; }
done
exit 0
