#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A recording played back says what was said live, to the last digit, in every
# format; a damaged one is an error that names it.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace

for format in txt csv json; do
	"$tracer" -q -ttt -T -f -y -s 64 -o "$dir/live.$format" -o "$dir/run.trace" \
		sh -c 'ls /nonexistent /usr | cat; sleep 0.05; (kill -USR1 $$) & wait; exit 3' >/dev/null 2>&1
	"$tracer" -ttt -T -f -y -s 64 --replay "$dir/run.trace" -o "$dir/again.$format" 2>"$dir/err" ||
		fail "$format: replay: $(cat "$dir/err")"
	if [ "$(wc -l <"$dir/live.$format")" -gt 100 ] && cmp "$dir/live.$format" "$dir/again.$format"; then
		pass
	else
		fail "$format: live and replay differ"
	fi
done
if grep -q '"type":"map".*/libc\..*"build_id":"[0-9a-f]\{40\}"' "$dir/again.json"; then
	pass
else
	fail "no build-id of libc in the replay: $(grep -c '"type":"map"' "$dir/again.json") mappings"
fi
cmp -s "$dir/again.txt" "$dir/again.csv" && fail "the comparison sees no difference"

head -c 3000 "$dir/run.trace" >"$dir/cut.trace"
head -c 3000 /bin/sh >"$dir/foreign.trace"
for name in cut foreign missing; do
	"$tracer" --replay "$dir/$name.trace" -o "$dir/x.txt" 2>"$dir/err"
	rc=$?
	if [ $rc != 0 ] && grep -q "$name.trace" "$dir/err"; then
		pass
	else
		fail "$name: exit $rc, $(cat "$dir/err")"
	fi
done

# No room on the device: told once, and the program's status is its own.
"$tracer" -q -o /dev/full sh -c 'for i in 1 2 3 4 5; do ls -R /usr/include >/dev/null; done; exit 5' 2>"$dir/err"
rc=$?
[ $rc = 5 ] && pass || fail "full device: exit $rc, not 5"
[ "$(grep -c 'No space left' "$dir/err")" = 1 ] && pass || fail "full device told: $(cat "$dir/err")"
finish
