#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What README.md and docs/*.md name is there: files that they link to or mention by path, targets of make, options of
# tracer, and every document is in the tarball.  And the checks can fail.
srcdir=${srcdir:-.} builddir=${builddir:-.}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
top=$(cd "$srcdir" && pwd)
# Options of bootstrap, compare, kubectl and the suite's own.
others='demo check force profile quick enable-sanitizers'
{ "$builddir/tracer" --help=all | grep -oE -- '--[a-z][a-z0-9-]+'; for o in $others; do echo "--$o"; done; } |
	LC_ALL=C sort -u >"$dir/options"
cat "$top/Makefile.am" "$top"/*/Makemodule.am "$top"/*/*/Makemodule.am |
	sed -n 's/^\([a-z][a-z -]*\):.*/\1/p' | tr ' ' '\n' | LC_ALL=C sort -u >"$dir/targets"
printf 'check\ndistcheck\ninstall\ndist\n' >>"$dir/targets"

# MARKDOWN, the directory that its links start from
check() {
	rc=0
	for link in $(grep -oE '\]\([^)#]+' "$1" | sed 's/^](//' | grep -v '^http'); do
		[ -e "$2/$link" ] || { echo "$1: no file $link"; rc=1; }
	done
	for path in $(grep -oE '(src|tests|docs|bench|fixtures|include)/[A-Za-z0-9_/-]+\.[a-z]+' "$1" | grep -v '/NAME\.'); do
		[ -e "$top/$path" ] || { echo "$1: no file $path"; rc=1; }
	done
	for target in $(grep -oE '`make [a-z][a-z -]*' "$1" | sed 's/^`make //'); do
		grep -qx -- "$target" "$dir/targets" || { echo "$1: no target $target"; rc=1; }
	done
	for option in $(grep -oE '`--[a-z][a-z0-9-]+' "$1" | tr -d '`'); do
		grep -qx -- "$option" "$dir/options" || { echo "$1: no option $option"; rc=1; }
	done
	return $rc
}
bad=0
check "$top/README.md" "$top" || bad=1
for doc in "$top"/docs/*.md; do
	check "$doc" "$top/docs" || bad=1
	grep -q "docs/${doc##*/}" "$top/docs/Makemodule.am" "$top"/src/*/Makemodule.am "$top"/bench/Makemodule.am ||
		{ echo "${doc##*/} is in no makefile"; bad=1; }
done

# One wrong thing of each kind, and a text in which nothing is.
echo 'see [that](README.md), src/LAYERS, `make check`, `--output`, docs/STYLE.md' >"$dir/good"
check "$dir/good" "$top" || { echo "what is there is reported"; bad=1; }
for wrong in '[x](nowhere.md)' 'docs/nowhere.md' '`make nothing`' '`--no-such-option`'; do
	echo "$wrong" >"$dir/wrong"
	check "$dir/wrong" "$top" >/dev/null && { echo "not seen: $wrong"; bad=1; }
done
exit $bad
