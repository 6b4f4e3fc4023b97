#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The hot paths take the instructions and allocations that the repository says;
# and the gate can fail: a build whose encoder does a fifth of its work twice is
# found, under the encoder's name and no other.
srcdir=${srcdir:-.}
command -v valgrind >/dev/null || { echo "no valgrind"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
[ -z "$SAN" ] || { echo "counts of a sanitized build say nothing"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
make -s bench/bench bench/bench-injected bench/ratio >"$tmp/make" 2>&1 || { cat "$tmp/make"; exit 99; }
make -s bench-gate >"$tmp/gate" 2>&1
rc=$?
cat "$tmp/gate"
if [ $rc -ne 0 ]; then
	! grep -q '^gate: the figures are those of' "$tmp/gate" || exit 77
	exit 1
fi
make -s bench-gate BENCH_PROGRAM=bench/bench-injected >"$tmp/injected" 2>&1
cat "$tmp/injected"
[ "$(awk '/^WORSE/ {print $2}' "$tmp/injected")" = protobuf_encoding ] ||
	{ echo "the injected slow-down was not found, or something else was"; exit 1; }
# A tool that never ends is killed, named, and does not keep the others from being measured.
printf '#!/bin/sh\nexec sleep 60\n' >"$tmp/hang" && chmod +x "$tmp/hang"
bench/ratio --limit 1 --reps 2 --variant "hangs=$tmp/hang" --variant ends=env --json "$tmp/ratio.json" -- true >"$tmp/ratio" || exit 1
grep -q '^hangs *did not end within 1 s' "$tmp/ratio" && grep -q '^ends .* ratio ' "$tmp/ratio" && ! grep -q '^hangs .* ratio ' "$tmp/ratio" ||
	{ echo "a hanging tool:"; cat "$tmp/ratio"; exit 1; }
