#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A selection stops what it names and what its outputs cannot do without, and nothing else: counted in
# stops, by the engine's own counters.  Skipped where the engine may not use a filter.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
cd "$dir" || exit 99
i=0
while [ $i -lt 100 ]; do
	mkdir -p "tree/d$i" && : >"tree/d$i/f"
	i=$((i + 1))
done

# Sets stops and calls (of the selection) for these options; the output is in "out".
run() {
	rm -f out
	"$tracer" -qq --engine ptrace --stats=engine "$@" find tree -name f >found 2>stats || fail "$*: $(tail -n 3 stats)"
	stops=$(sed -n 's/^tracer: *stops  *\([0-9]*\)$/\1/p' stats)
	filtered=$(sed -n 's/^tracer: *tasks under our filter  *\([0-9]*\)$/\1/p' stats)
	calls=$(grep -Ec "${shown:-openat\(}" out)
	[ "$(wc -l <found)" = 100 ] || fail "$*: find found $(wc -l <found) files"
}

# What the start of a program, its exec and its end need, whatever is selected.
slack=60

run -e trace=openat -o out
[ "${filtered:-0}" -gt 0 ] || { echo "this machine lets us use no filter"; exit 77; }
[ "$calls" -ge 100 ] && [ "$stops" -ge $((2 * calls)) ] || fail "openat: $calls calls, $stops stops"
if [ "$stops" -le $((3 * calls + slack)) ]; then pass; else fail "text: $stops stops for $calls calls"; fi
text=$stops

# The same with names for descriptors needs whatever makes and ends descriptors.
run -y -e trace=openat -o out
if [ "$stops" -gt $((text + 200)) ]; then pass; else fail "-y: $stops stops, without $text"; fi
if grep -q '^openat(.*<.*/tree>, "d7", .*/tree/d7>$' out; then pass; else fail "-y: no d7: $(tail -n 3 out)"; fi

# JSON tells the whole path of each.
shown='"syscall":"openat"|"name":"openat"'
run -e trace=openat --format json -o out
if grep -q "\"path\":\"$dir/tree/d7\"" out; then pass; else fail "json: no path of d7: $(tail -n 3 out)"; fi
if [ "$stops" -gt $((text + 200)) ]; then pass; else fail "json: $stops stops, text $text"; fi

# Calls without descriptors and paths need none of that, even there.
shown='brk'
run -e trace=brk --format json -o out
if [ "$stops" -le $((3 * calls + slack)) ]; then pass; else fail "brk: $stops stops for $calls calls"; fi
finish
