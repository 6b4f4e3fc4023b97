# SPDX-License-Identifier: Apache-2.0
# For end-to-end tests with a receiver: sourced behind lib.sh, not run.

# wait_for COMMAND...: until it succeeds, ten seconds at the most.
wait_for() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

# collector [PORT]: a receiver, on a free port unless it is named; one JSON line a request in $dir/got.
collector() {
	rm -f "$dir/got" "$dir/port"
	"$tracer" collect -q -l "127.0.0.1:${1:-0}" --port-file "$dir/port" -o "$dir/got" 2>"$dir/collect.err" &
	collector=$!
	wait_for test -s "$dir/port" || fail "no collector: $(cat "$dir/collect.err")"
	port=$(cat "$dir/port")
	url=http://127.0.0.1:$port
}
collector_end() {
	kill -TERM $collector
	wait $collector
}
# Spans of each request, one number a line.
batches() {
	awk '{ print gsub(/"spanId"/, "") }' "$dir/got"
}
# Spans of all requests.
spans_there() {
	[ -e "$dir/got" ] || { echo 0; return; }
	batches | awk '{ s += $1 } END { print s + 0 }'
}
# number WORD [FILE]: what stands before the word in the exit line.
number() {
	sed -n "s/.*[ ;]\([0-9,]*\) $1.*/\1/p" "${2:-$dir/err}" | tr -d ,
}
