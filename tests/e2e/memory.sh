#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 10 000 calls, each of them a span or within the default budget, sent to a collector: the tracer's
# peak of resident memory stays below 16 MB with either engine, however fast the calls come.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
LIMIT=16384
# Sanitizers' own memory is many times that.
if grep -qs '__[atu]*san_init' "$builddir/.libs/tracer" "$builddir/tracer"; then
	echo "SKIP: built with a sanitizer"
	exit 77
fi

cat >"$dir/peak.py" <<'EOF'
# Runs a command and prints KiB of its peak, which is the tracer's: the program is small.
import os, sys
pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
EOF

"$tracer" collect --listen 127.0.0.1:0 --port-file "$dir/port" >"$dir/tree" 2>&1 &
collector=$!
trap 'kill $collector 2>/dev/null; rm -rf "$dir"' EXIT
n=0
while [ ! -s "$dir/port" ] && [ $n -lt 200 ]; do
	sleep 0.05
	n=$((n + 1))
done
endpoint=http://127.0.0.1:$(cat "$dir/port")

peak() {
	python3 "$dir/peak.py" "$tracer" -qq --perf-mode balanced --otlp-endpoint "$endpoint" "$@" 2>"$dir/err" >"$dir/said"
	rc=$?
	kib=$(tail -n 1 "$dir/said")
}

for engine in ptrace inproc; do
	"$tracer" --engine $engine -qq -o /dev/null true 2>"$dir/err" || { echo "$engine: $(cat "$dir/err")"; continue; }
	for detail in auto full; do
		peak --engine $engine --detail=$detail "$fx/fx_known" loop 10000
		echo "$engine, $detail: $kib KiB"
		[ $rc = 0 ] && [ "$kib" -lt $LIMIT ] && pass || fail "$engine, $detail: exit $rc, $kib KiB: $(cat "$dir/err")"
	done
done

# The measure sees what there is: batches and a queue that hold all of them.
peak --engine ptrace --detail=full --span-pool-max 65536 --otlp-queue-size 32768 --otlp-batch-size 16384 "$fx/fx_known" loop 20000
[ "$kib" -ge $LIMIT ] && pass || fail "the twin: exit $rc, $kib KiB"
finish
