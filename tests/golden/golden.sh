#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each line of `cases` through golden-pipeline against its expected file; then
# that a replay recorded again is the same file, and that the comparison can
# fail.  GOLDEN_UPDATE=1 writes the expected files.
srcdir=${srcdir:-.} builddir=${builddir:-.}
cases=$srcdir/tests/golden/cases expected=$srcdir/tests/golden/expected events=$srcdir/fixtures/events
pipeline=$builddir/golden-pipeline
TZ=UTC LC_ALL=C
export TZ LC_ALL
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

fail() {
	echo "FAIL: $*"
	bad=1
}

run_case() {
	out=$1 format=$2 recording=$3
	shift 3
	"$pipeline" "$format" "$events/$recording.trace" "$@" >"$tmp/$out" || fail "$out: exit $?"
	if [ -n "$GOLDEN_UPDATE" ]; then
		cp "$tmp/$out" "$expected/$out"
	elif ! cmp -s "$expected/$out" "$tmp/$out"; then
		fail "$out"
		diff -u "$expected/$out" "$tmp/$out" | head -20
	fi
}

n=0
while read -r line; do
	case $line in '#'* | '') continue ;; esac
	n=$((n + 1))
	# shellcheck disable=SC2086
	run_case $line
done <"$cases"
[ "$n" -ge 10 ] || fail "only $n cases were run"

# Text against another case's text: the comparison sees a difference.
cmp -s "$expected/echo.txt" "$tmp/pipes.txt" && fail "different outputs compare equal"

for f in "$events"/*.trace; do
	"$pipeline" record "$f" >"$tmp/again.trace" || fail "record again: $f"
	cmp -s "$f" "$tmp/again.trace" || fail "a replay recorded again differs: $f"
done

# The whole way on this machine, twice: engine, recording, replay, text.
live() {
	"$pipeline" record "$tmp/live.trace" -- /bin/echo hello >/dev/null 2>"$tmp/live.err" </dev/null &&
		"$pipeline" text "$tmp/live.trace" pid | ${AWK:-awk} -f "$srcdir/tests/golden/normalise.awk"
}
if live >"$tmp/live1" && live >"$tmp/live2"; then
	cmp -s "$tmp/live1" "$tmp/live2" || fail "two runs differ: $(diff "$tmp/live1" "$tmp/live2" | head -5)"
	grep -q '^P1 write(1, "hello\\n", 6) = 6$' "$tmp/live1" || fail "no write in the live run"
	grep -q '^P1 +++ exited with 0 +++$' "$tmp/live1" || fail "no exit in the live run"
else
	grep -q 'trace' "$tmp/live.err" || fail "live run: $(cat "$tmp/live.err")"
	echo "tracing is not allowed here: no live run"
fi

# Readers that are not ours.
if command -v python3 >/dev/null; then
	python3 - "$tmp" <<'PY' || fail "python cannot read our JSON or CSV"
import csv, json, os, sys
d = sys.argv[1]
seen = 0
for name in os.listdir(d):
    path = os.path.join(d, name)
    if name.endswith(".jsonl"):
        for line in open(path, "rb"):
            o = json.loads(line)
            assert {"type", "time"} <= o.keys(), o
            seen += 1
    elif name.endswith(".csv"):
        data = open(path, newline="").read()
        rows = list(csv.reader(data.splitlines(True), strict=True))
        assert len({len(r) for r in rows}) == 1, "ragged rows"
        assert data.count("\r\n") >= len(rows)
        seen += len(rows)
assert seen > 100, seen
PY
else
	echo "python3 not found: JSON and CSV not read by others"
fi
exit $bad
