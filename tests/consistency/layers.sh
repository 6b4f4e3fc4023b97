#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every quoted #include under src/ obeys src/LAYERS; and the check can fail:
# the same scan of a made-up violation must report it.
srcdir=${srcdir:-.}
scan() {
	find . -name '*.[chS]' | sed 's,^\./,,' | LC_ALL=C sort | { echo LAYERS; cat; } | xargs ${AWK:-awk} '
	FNR == 1 { nfile++ }
	nfile == 1 { if ($0 ~ /^#/ || NF == 0) next; m = $1; sub(":", "", m); known[m] = 1
		for (i = 2; i <= NF; i++) ok[m, $i] = 1; next }
	/^#[ \t]*include[ \t]+"/ { split(FILENAME, p, "/"); m = p[1]; s = $0
		sub(/^[^"]*"/, "", s); sub(/".*/, "", s)
		if (s == "config.h" || index(s, "/") == 0) next
		t = s; sub("/.*", "", t)
		if (!(m in known)) { print FILENAME ": module " m " is not in LAYERS"; bad = 1 }
		else if (t != m && !((m, t) in ok) && !((m, s) in ok)) {
			print FILENAME ":" FNR ": " m " may not include " s; bad = 1 } }
	END { exit bad }'
}
(cd "$srcdir/src" && scan) || exit 1
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/base" && printf 'base:\n' >"$tmp/LAYERS" && echo '#include "engine/engine.h"' >"$tmp/base/x.c"
(cd "$tmp" && scan >/dev/null) && { echo "the check does not see a violation"; exit 1; }
exit 0
