#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libtracer as others see it: it exports what its headers declare and nothing else, has no variable that
# changes, and neither prints nor exits; each header stands for itself in C and in C++; docs/embed.c
# runs a program with the public interface alone.  And the checks can fail.
srcdir=${srcdir:-.} builddir=${builddir:-.}
NM=${NM:-nm}
lib=$builddir/.libs/libtracer.so
[ -f "$lib" ] || { echo "no shared library was built"; exit 77; }
[ -z "${SAN:-}" ] || { echo "a sanitizer adds symbols of its own"; exit 77; }
command -v objdump >/dev/null || { echo "no objdump"; exit 77; }
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
bad=0
fail() { echo "$*"; bad=1; }
flags="-I$srcdir/include -I$builddir/include"

exported() { $NM -D --defined-only "$1" | sed -n 's/.* [B-Z] \([A-Za-z_0-9]*\).*/\1/p' | LC_ALL=C sort -u; }
declared() { sed -n 's/^TRACER_API.*[ *]\(tracer_[a-z_0-9]*\)(.*/\1/p' "$@" | LC_ALL=C sort -u; }
# Variables that can be written to; what the compiler's own start files have does not count.
variables() { objdump -t "$1" | awk 'NF > 4 && $(NF - 2) ~ /^\.(bss|data)$/ && $(NF - 1) !~ /^0+$/ {
	if ($NF !~ /^(completed\.[0-9]+|__dso_handle)$/) print $NF }'; }
# What prints, ends the process, or has state of the whole process.
words() { $NM -D --undefined-only "$1" | sed 's/.* U //; s/@.*//' |
	grep -xE 'v?printf|__v?printf_chk|puts|putchar|perror|stdout|stderr|exit|abort|setlocale|strtok|rand|localtime|gmtime'; }

exported "$lib" >"$dir/exported"
declared "$srcdir"/include/tracer/*.h >"$dir/declared"
[ "$(wc -l <"$dir/declared")" -gt 10 ] || fail "the headers declare nothing"
cmp -s "$dir/exported" "$dir/declared" || fail "exported and declared differ: $(diff "$dir/exported" "$dir/declared")"
[ -z "$(variables "$lib")" ] || fail "variables that change: $(variables "$lib")"
[ -z "$(words "$lib")" ] || fail "the library calls $(words "$lib")"

# shellcheck disable=SC2086
for h in "$srcdir"/include/tracer/*.h "$builddir/include/tracer/version.h"; do
	for lang in c c++; do
		command -v g++ >/dev/null || [ $lang = c ] || continue
		[ "$lang" = c ] && cc=${CC:-cc} || cc=g++
		echo "#include <tracer/${h##*/}>" | $cc $flags -Wall -Wextra -Werror -x $lang -fsyntax-only - 2>"$dir/log" ||
			{ head -n 3 "$dir/log"; fail "${h##*/} is not for $lang alone"; }
	done
done

# shellcheck disable=SC2086
build() { ${CC:-cc} $flags -Wall -Wextra -Werror "$1" -o "$2" "$lib" -Wl,-rpath,"$(cd "$builddir/.libs" && pwd)"; }
build "$srcdir/docs/embed.c" "$dir/embed" || fail "docs/embed.c does not compile"
if "$builddir/fx_ptrace" >/dev/null; then
	(cd "$dir" && TRACER_SITE_CACHE=none ./embed sh -c 'exit 7') >"$dir/out" || fail "docs/embed.c does not run"
	grep -q 'calls, exit status 7$' "$dir/out" || fail "embed says '$(cat "$dir/out")'"
	grep -q '"execve"' "$dir/embed.jsonl" || fail "embed has written no calls"
fi
(cd "$dir" && ./embed /does/not/exist) >/dev/null 2>&1 && fail "what cannot be started has no error"

# What each check must find.
cat >"$dir/bad.c" <<'EOF'
#include <stdio.h>
int tracer_extra(void); int state = 1; static int hidden; int *state_of(void) { return &hidden; }
int tracer_extra(void) { printf("%d", state++); return hidden++; }
EOF
${CC:-cc} -shared -fPIC -O0 -o "$dir/bad.so" "$dir/bad.c" || exit 99
exported "$dir/bad.so" | cmp -s - "$dir/declared" && fail "an extra symbol is not seen"
[ "$(variables "$dir/bad.so" | LC_ALL=C sort | tr '\n' ' ')" = "hidden state " ] || fail "variables are not seen"
[ "$(words "$dir/bad.so")" = printf ] || fail "printing is not seen"
exit $bad
