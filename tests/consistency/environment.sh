#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/environment.md has every OTEL_* variable of the table of options, beside its
# option, and no other one in its table.  And the comparison can fail.
srcdir=${srcdir:-.} builddir=${builddir:-.}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
# VARIABLE OPTION, from the table of options: environment names are in the 7th column.
"$builddir/tracer" --print-options=markdown | awk -F'|' '/^\| `--/ { split($2, o, "`"); split($7, v, /<br>| /)
	for (i in v) if (v[i] ~ /^OTEL_/) print v[i], o[2] }' | LC_ALL=C sort -u >"$dir/options"
[ -s "$dir/options" ] || { echo "no variables in the table"; exit 1; }
check() {
	while read -r name option; do
		grep "^|.*$name[, |]" "$1" | grep -q -- "\`$option\`" || { echo "$name of $option is missing in $1"; return 1; }
	done <"$dir/options"
	grep -o '^| OTEL_[A-Z_, ]*' "$1" | tr -d '|,' | tr ' ' '\n' | grep . | while read -r name; do
		grep -q "^$name " "$dir/options" || { echo "$1 has $name, which is no variable of an option"; exit 1; }
	done
}
check "$srcdir/docs/environment.md" || exit 1
sed 's/OTEL_BSP_MAX_QUEUE_SIZE/OTEL_BSP_QUEUE_SIZE/' "$srcdir/docs/environment.md" >"$dir/wrong.md"
check "$dir/wrong.md" >/dev/null && { echo "a difference is not seen"; exit 1; }
exit 0
