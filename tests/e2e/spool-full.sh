#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A disk that fills up under the spool: the program does not notice, what found no room is counted and told,
# what is on disk is whole and is sent.  The disk is a tmpfs in namespaces of the test's own; a limit on file
# sizes is the other way to get there, for machines without user namespaces.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
. "${srcdir:-.}/tests/e2e/collector.sh"
need_ptrace

# Where nobody listens; what is kept by a run with SPACE is sent to the collector.
cat >"$dir/run.sh" <<'SH'
case $kind in
tmpfs) mount -t tmpfs -o size=$space none "$dir/disk" || exit 98 ;;
limit) ulimit -f "$space" || exit 98 ;;
esac
timeout 100 "$tracer" --stats=export --detail=full --perf-mode=low-latency --otlp-endpoint http://127.0.0.1:9 \
	--otlp-spool "$dir/disk/spool" sh -c 'find /usr/include -maxdepth 2 | wc -l; exit 5' >"$dir/out" 2>"$dir/err"
echo $? >"$dir/status"
[ $kind = limit ] && exit 0
timeout 100 "$tracer" send --otlp-endpoint "$url" "$dir/disk/spool" 2>"$dir/sent" || exit 97
[ -z "$(ls "$dir/disk/spool")" ] || exit 96
SH
export kind space dir url tracer
find /usr/include -maxdepth 2 | wc -l >"$dir/native"

check_run() { # ROOM-FOR-ALL
	all=$(awk '/ otel.sdk.span.started/ { n += $NF } END { print n + 0 }' "$dir/err")
	kept=$(sed -n 's/.*spool: \([0-9]*\) spans to disk.*/\1/p' "$dir/err")
	dropped=$(number dropped)
	[ "$(cat "$dir/status")" = 5 ] && cmp -s "$dir/native" "$dir/out" && pass ||
		fail "$kind $space: status or output: $(cat "$dir/err")"
	[ "${kept:-0}" -gt 0 ] && [ $((kept + dropped)) = "$all" ] && pass ||
		fail "$kind $space: $kept kept and $dropped dropped of $all: $(cat "$dir/err")"
	[ "$(spans_there)" = "$kept" ] && pass || fail "$kind $space: $(spans_there) of $kept spans came"
	if [ "$1" = yes ]; then
		[ "$dropped" = 0 ] && pass || fail "$kind $space: $dropped dropped"
	else
		[ "$dropped" -gt 0 ] && grep -q "$2" "$dir/err" && pass ||
			fail "$kind $space: not told: $(cat "$dir/err")"
	fi
}

mkdir "$dir/disk"
if unshare -rm true 2>/dev/null; then
	for row in "48k no" "64m yes"; do
		kind=tmpfs space=${row% *}
		collector
		unshare -rm sh "$dir/run.sh"
		rc=$?
		collector_end
		[ $rc = 0 ] && pass ||
			fail "tmpfs $space: step $rc: $(cat "$dir/err" "$dir/sent" 2>/dev/null)"
		check_run "${row#* }" 'no room (.*the disk is full)'
	done
else
	echo "no user namespaces: only with a limit on file sizes"
fi
for row in "40 no" "unlimited yes"; do
	kind=limit space=${row% *}
	rm -rf "$dir/disk/spool"
	collector
	(. "$dir/run.sh")
	timeout 100 "$tracer" send --otlp-endpoint "$url" "$dir/disk/spool" 2>"$dir/sent" ||
		fail "limit $space: $(cat "$dir/sent")"
	collector_end
	check_run "${row#* }" 'no room\|File too large'
done
finish
