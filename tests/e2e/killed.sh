#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 of tracer, at another moment each time, with a collector and without: the program that it started
# dies with it, what had arrived is whole, the spool's whole records are sent by `tracer send`, nothing hangs.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
. "${srcdir:-.}/tests/e2e/collector.sh"
need_ptrace
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

cat >"$dir/whole.py" <<'PY'
# Every line is a request; spans, and how many of them came twice.
import json, sys
seen, twice = set(), 0
for line in open(sys.argv[1]):
    for rs in json.loads(line)["resourceSpans"]:
        for ss in rs["scopeSpans"]:
            for s in ss["spans"]:
                key = (s["traceId"], s["spanId"])
                assert len(key[0]) == 32 and len(key[1]) == 16 and int(s["endTimeUnixNano"]) >= int(s["startTimeUnixNano"])
                twice += key in seen
                seen.add(key)
print(len(seen), twice)
PY
# An argument of 200 bytes: segments grow quickly, and a record is torn sooner.
work='echo $$ >"$0"; i=0; while :; do i=$((i + 1)); : <"/dev/../dev/../dev/../dev/../dev/../dev/../dev/null"; done'
on_disk() {
	cat "$dir/spool"/*.spool 2>/dev/null | wc -c
}
grown() { # BYTES
	[ "$(($(on_disk) + $(cat "$dir/got" 2>/dev/null | wc -c)))" -gt "$1" ]
}
gone() {
	! kill -0 "$1" 2>/dev/null
}

round=0
while [ $round -lt 10 ]; do
	round=$((round + 1))
	rm -rf "$dir/spool" "$dir/pid"
	collector
	case $((round % 2)) in
	0) where=$url sync=none ;;
	*) where=http://127.0.0.1:9 sync=batch ;;
	esac
	"$tracer" --detail=full --perf-mode=low-latency --otlp-endpoint $where --otlp-spool "$dir/spool" \
		--otlp-spool-sync $sync sh -c "$work" "$dir/pid" 2>"$dir/err" &
	run=$!
	wait_for grown $((round * 7919)) || fail "$round: nothing gets out: $(cat "$dir/err")"
	kill -9 $run
	wait $run 2>/dev/null
	wait_for gone "$(cat "$dir/pid")" && pass || fail "$round: the program outlives tracer"
	before=$(spans_there)
	timeout 60 "$tracer" send --otlp-endpoint "$url" "$dir/spool" >"$dir/sent" 2>&1
	rc=$?
	[ -d "$dir/spool" ] || rc=0		# all went out at once
	[ $rc = 0 ] && pass || fail "$round: send: exit $rc: $(cat "$dir/sent")"
	[ -z "$(ls "$dir/spool" 2>/dev/null)" ] && pass || fail "$round: left on disk: $(ls -l "$dir/spool")"
	collector_end
	# shellcheck disable=SC2046
	set -- $(python3 "$dir/whole.py" "$dir/got" 2>&1)
	case ${1:-none} in
	*[!0-9]*) fail "$round: what came is not whole: $*" ;;
	*) [ "$1" -gt 0 ] && [ "$1" -ge "$before" ] && pass || fail "$round: $1 spans, $before before" ;;
	esac
	# Without a collector nothing was sent before; with one, a record may have been sent and not yet been marked.
	[ "${2:-x}" = 0 ] || [ $where = "$url" ] && pass || fail "$round: $2 spans came twice"
done

# A segment that is cut anywhere gives its whole records and nothing else.
rm -rf "$dir/spool"
"$tracer" -q --detail=full --otlp-batch-size=16 --otlp-endpoint http://127.0.0.1:9 --otlp-spool "$dir/spool" \
	sh -c 'ls / >/dev/null; exit 0' 2>"$dir/err"
cp "$dir/spool"/*.spool "$dir/whole"
cat >"$dir/expected.py" <<'PY'
# Spans of the records that are whole in the first so many bytes (src/export/spool_format.h).
import struct, sys
data, cut, pos, spans = open(sys.argv[1], "rb").read(), int(sys.argv[2]), 16, 0
while pos + 32 <= len(data):
    size, n = struct.unpack_from("<II", data, pos + 8)
    pos += 32 + size
    spans += n if pos <= cut else 0
print(spans)
PY
size=$(wc -c <"$dir/whole") last=-1 cut=16
while [ $cut -lt "$size" ]; do
	collector
	head -c $cut "$dir/whole" >"$dir/spool/cut.spool"
	rm -f "$dir/spool"/spans-*
	timeout 60 "$tracer" send -q --otlp-endpoint "$url" "$dir/spool" >"$dir/sent" 2>&1 ||
		fail "cut at $cut: $(cat "$dir/sent")"
	collector_end
	last=$(python3 "$dir/expected.py" "$dir/whole" $cut)
	[ "$(spans_there)" = "$last" ] && pass || fail "cut at $cut: $(spans_there) spans, not $last"
	cut=$((cut + size / 23 + 1))
done
[ "$last" -gt 100 ] && pass || fail "only $last spans before the last cut"
finish
