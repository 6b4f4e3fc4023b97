#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is made only when somebody wants it (decoded calls, spans, summaries) is
# the same whoever wants it: each output alone, beside spans and all together give
# the same bytes, for recordings that are replayed; and the comparison can fail.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
events=$srcdir/fixtures/events
formats="txt jsonl csv otlp.jsonl trace"

command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

# Ids are new each time, and how many spans share a line is a matter of time,
# and so is the order between programs.
cat >"$dir/spans.py" <<'EOF'
import json, sys
rows = []
for line in open(sys.argv[1]):
    for rs in json.loads(line)["resourceSpans"]:
        res = [a for a in rs["resource"]["attributes"] if a["key"].startswith(("process.", "service.name"))]
        for ss in rs["scopeSpans"]:
            for s in ss["spans"]:
                s.update(traceId="", spanId="", parentSpanId=bool(s.get("parentSpanId")))
                s["attributes"] = [a for a in s["attributes"] if not a["key"].startswith("tracer.overhead")]
                rows.append((json.dumps(res), json.dumps(s)))
rows.sort(key=lambda r: r[0])
print("\n".join(" ".join(r) for r in rows))
EOF
plain() {
	case $1 in
	*.otlp.jsonl) python3 "$dir/spans.py" "$1" ;;
	*) cat "$1" ;;
	esac
}

# make DIRECTORY RECORDING OPTIONS FORMATS...
make_files() {
	to=$1 recording=$2
	shift 2
	mkdir -p "$to"
	outputs=
	for f in "$@"; do
		case $f in
		-*) outputs="$outputs $f" ;;
		*) outputs="$outputs -o $to/x.$f" ;;
		esac
	done
	# shellcheck disable=SC2086
	"$tracer" -q --replay "$events/$recording.trace" $outputs >"$to/out" 2>"$to/err" || fail "$recording: $*: exit $? $(cat "$to/err")"
}
same() {
	for f in $2; do
		plain "$dir/alone/x.$f" >"$dir/want"
		plain "$1/x.$f" >"$dir/got"
		cmp -s "$dir/want" "$dir/got" && [ -s "$dir/want" ] && pass || fail "$recording: $f in '$2' is another: $(diff "$dir/want" "$dir/got" | head -n 3 | cut -c1-300)"
	done
}

for recording in echo pipes signals thread-exec; do
	rm -rf "$dir/alone"
	for f in $formats; do
		make_files "$dir/alone" $recording $f
	done
	for b in txt jsonl csv trace; do
		make_files "$dir/pair" $recording $b otlp.jsonl
		same "$dir/pair" "$b otlp.jsonl"
	done
	make_files "$dir/some" $recording --span-pool-disable --detail=auto trace otlp.jsonl csv
	same "$dir/some" "trace otlp.jsonl csv"
	# shellcheck disable=SC2086
	make_files "$dir/all" $recording $formats
	same "$dir/all" "$formats"
done
make_files "$dir/other" echo -yy txt
plain "$dir/alone/x.txt" >"$dir/want"
cmp -s "$dir/want" "$dir/other/x.txt" && fail "a difference is not seen"
finish
