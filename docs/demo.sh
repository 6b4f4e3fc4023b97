#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job, once, on loopback: docs/demo.sh PATH-TO-TRACER [COMMAND...]
# A receiver (`tracer collect`) on a free port; a real program traced with
# --perf-mode balanced; its spans as gzipped OTLP/HTTP over the socket; the
# tree as the receiver got it.
set -eu
tracer=$1
shift
[ $# -gt 0 ] || set -- sh -c 'ls -l /usr/include | sort | head -n 3; cat /etc/hostname'
dir=$(mktemp -d)
collector=
# As a shell would want them.
quoted() {
	for word; do
		case $word in
		'' | *[!A-Za-z0-9_/.,:=+-]*) printf " '%s'" "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
}
stop() {
	[ -z "$collector" ] || kill "$collector" 2>/dev/null || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

echo "\$ tracer collect --listen 127.0.0.1:0 -o spans.jsonl &"
"$tracer" collect --listen 127.0.0.1:0 --port-file "$dir/port" -o "$dir/spans.jsonl" --once >"$dir/tree" &
collector=$!
n=0
while [ ! -s "$dir/port" ]; do
	n=$((n + 1))
	[ $n -lt 100 ] || { echo "demo: the receiver did not start" >&2; exit 1; }
	kill -0 "$collector" 2>/dev/null || { echo "demo: the receiver ended early" >&2; exit 1; }
	sleep 0.05
done
port=$(cat "$dir/port")

echo "\$ tracer --perf-mode balanced --otlp-endpoint http://127.0.0.1:$port --$(quoted "$@")"
rc=0
"$tracer" --perf-mode balanced --otlp-endpoint "http://127.0.0.1:$port" -- "$@" || rc=$?
wait "$collector" || { echo "demo: the receiver did not get a complete trace" >&2; exit 1; }
collector=
echo
echo "what the receiver got:"
cat "$dir/tree"
echo
echo "spans.jsonl: $(wc -l <"$dir/spans.jsonl") lines of OTLP/JSON, $(wc -c <"$dir/spans.jsonl") bytes"
exit $rc
