#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What docs/STYLE.md says of the form of files and a script can see: the SPDX line, the opening paragraph of a
# .c file, no // comments, no typedef for a struct, no blank at the end of a line, the width of lines, the number of
# parameters, the depth of blocks; scripts that a shell can read.  And the checks can fail.
srcdir=${srcdir:-.}
cd "$srcdir" || exit 99
AWK=${AWK:-awk}
# Directories whose lines are not all within 110 columns yet.
wide='src/agent/|src/engine/|src/export/|src/ring/|src/session/|bench/|fixtures/|tests/'

scan() {
	xargs $AWK -v wide="^($wide)" '
	function bad(what) { print FILENAME ":" FNR ": " what; found = 1 }
	function width(s,   col, t) {
		while ((t = index(s, "\t")) > 0) { col += t - 1; col += 8 - col % 8; s = substr(s, t + 1) }
		return col + length(s)
	}
	# Rows of data, and texts that somebody may look for, run on.
	function runs_on() { return /"/ || /^[ \t]*[{.]/ || /^[ \t]*[A-Z][A-Z0-9_]*(\(.*\))?,/ || /\\$/ || /#define|__v1__/ }
	FNR == 1 { c = FILENAME ~ /\.[ch]$/; head = "" }
	FNR <= 3 { head = head $0 "\n" }
	FNR == 3 && head !~ /SPDX-License-Identifier: Apache-2\.0/ { bad("no SPDX line") }
	FNR == 3 && FILENAME ~ /\.c$/ && head !~ /\n\/\*/ { bad("no opening paragraph") }
	/[ \t]$/ { bad("a blank at the end") }
	!c { next }
	/^[ \t]*\/\// || /[;{}][ \t]+\/\// { bad("comments are /* */") }
	/^typedef (struct|union)/ { bad("no typedef for structs") }
	/^\t\t\t\t\t+(if|for|while|switch|do)[ (].*\{$/ { bad("blocks are more than four deep") }
	/^[A-Za-z_].*\(.*\)$/ && !/^#/ { n = gsub(/,/, ","); if (n > 7) bad(n + 1 " parameters, 8 are allowed") }
	FILENAME !~ wide && width($0) > 110 && !runs_on() { bad(width($0) " columns, 110 are allowed") }
	END { exit found }'
}
sources() {
	find src include tests bench fixtures docs \( -name '*.[chS]' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name '*.am' \) \
		! -name '*-gen.[ch]' ! -name '*.pb-c.[ch]' | LC_ALL=C sort
}
bad=0
[ "$(sources | wc -l)" -gt 300 ] || { echo "no sources found"; bad=1; }
sources | scan || bad=1
for script in $(sources | grep '\.sh$') bootstrap .ci/run; do
	case $(head -n 1 "$script") in
	*bash*) ${BASH:-bash} -n "$script" || bad=1 ;;
	*) sh -n "$script" || bad=1 ;;
	esac
done

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
long=$(printf '%0120d' 0)
cd "$tmp" || exit 99
# One file with one fault: TEXT WORDS
fault() {
	printf '%s\n/* What it is. */\n%b\n' "$spdx" "$1" >x.c
	echo x.c | scan >out && { echo "not seen: $1"; bad=1; }
	grep -q "$2" out || { echo "other words than '$2':"; cat out; bad=1; }
}
fault 'int x; // y' 'comments are'
fault 'typedef struct a b;' 'no typedef'
fault 'int x; ' 'blank at the end'
fault '\t\t\t\t\tif (x) {' 'four deep'
fault 'int f(int a, int b, int c, int d, int e, int f, int g, int h, int i)' '9 parameters'
fault "int x = $long;" '110 are allowed'
printf '\n\n\n' >x.c
echo x.c | scan >out
grep -q 'no SPDX' out && grep -q 'no opening paragraph' out || { echo "an empty head is not seen"; bad=1; }
printf '%s\n/* What it is. */\nint f(int a)\n{\n\tsay("%s");\n}\n' "$spdx" "$long" >x.c
echo x.c | scan || { echo "what is allowed is reported"; bad=1; }
exit $bad
