#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# TRACEPARENT, TRACESTATE and BAGGAGE of the programs: each image's own process
# span with --propagate, the root's without; what OTEL_PROPAGATORS leaves out is
# left alone; a replay has the ids that the programs were given.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
unset BAGGAGE
cd "$dir" || exit 99

cat >levels.sh <<'EOF'
echo "root $TRACEPARENT"
sh -c 'echo "child $TRACEPARENT"; sh -c "echo \"grandchild \$TRACEPARENT\"; :"; env -i /bin/sh -c "echo \"cleaned \$TRACEPARENT \$TRACESTATE \$BAGGAGE\"; :"; :'
TRACEPARENT=00-11111111111111111111111111111111-2222222222222222-01 sh -c 'echo "foreign $TRACEPARENT"; :'
own=${TRACEPARENT%-*-*}-3333333333333333-01
TRACEPARENT=$own sh -c 'echo "own $TRACEPARENT"; :'
env -i /bin/sh -c 'echo "many $TRACEPARENT"; echo "$# $1 ${3000}"; :' sh $(seq 3000)
exec sh -c 'echo "exec $TRACEPARENT"; :'
EOF

# One line for each process span: its id, its parent's, its trace.
cat >spans.py <<'EOF'
import json, sys
for line in open(sys.argv[1]):
    for rs in json.loads(line).get("resourceSpans", []):
        for ss in rs["scopeSpans"]:
            for s in ss["spans"]:
                if any(a["key"] == "process.executable.name" for a in s["attributes"]):
                    print(s["spanId"], s.get("parentSpanId") or "-", s["traceId"])
EOF

value() {
	sed -n "s/^$1 \([^ ]*\).*/\1/p" out
}
span() {
	value "$1" | cut -d- -f3
}
parent() {
	python3 spans.py "$2" | sed -n "s/^$(span "$1") \([^ ]*\) .*/\1/p"
}
check_tree() {
	for row in child:root grandchild:child cleaned:child many:root exec:root; do
		[ "$(parent "${row%:*}" "$1")" = "$(span "${row#*:}")" ] && pass ||
			fail "$1: ${row%:*} $(span "${row%:*}") is under '$(parent "${row%:*}" "$1")', not ${row#*:} $(span "${row#*:}")"
	done
	[ "$(parent own "$1")" = 3333333333333333 ] && pass || fail "$1: own is under '$(parent own "$1")'"
}

"$tracer" -q --detail=process --propagate -o x.otlp.jsonl -o x.trace sh levels.sh >out 2>err && pass || fail "exit: $(cat err)"
[ "$(sed -n 's/^[a-z]* 00-\([0-9a-f]\{32\}\)-[0-9a-f]\{16\}-0[13].*/\1/p' out | grep -v 1111 | sort -u | wc -l)" = 1 ] && pass || fail "traces: $(cat out)"
[ "$(value foreign)" = 00-11111111111111111111111111111111-2222222222222222-01 ] && pass || fail "foreign: $(value foreign)"
[ "$(for l in root child grandchild cleaned own many exec; do span $l; done | sort -u | wc -l)" = 7 ] && pass || fail "not seven spans: $(cat out)"
grep -q '^3000 1 3000$' out && pass || fail "arguments were changed: $(grep -v 00- out)"
check_tree x.otlp.jsonl
"$tracer" -q --detail=process --replay x.trace -o again.otlp.jsonl && pass || fail "replay"
check_tree again.otlp.jsonl
[ "$(python3 spans.py again.otlp.jsonl | cut -d' ' -f3 | sort -u)" = "$(value root | cut -d- -f2)" ] && pass || fail "replay: another trace"

# 32-bit programs: a value that is changed in place, and one that is added between pointers of 4 bytes; they find
# their arguments and what the kernel tells them behind it (the page size is in the auxiliary vector).
if [ -x "$fx/fx_i386" ]; then
	cat >word32.sh <<EOF
echo "root \$TRACEPARENT"
"$fx/fx_i386" env changed last
env -i "$fx/fx_i386" env added $(seq -s ' ' 500)
:
EOF
	BAGGAGE=k=v TRACESTATE=vendor=1 TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 \
		"$tracer" -q --detail=process --propagate -o w.otlp.jsonl sh word32.sh >out 2>err && pass || fail "i386: exit: $(cat err)"
	for name in changed added; do
		[ "$(parent $name w.otlp.jsonl)" = "$(span root)" ] && pass || fail "i386: $name: $(cat out)"
		grep -q "^$name 00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]*-01 vendor=1 k=v$" out && pass || fail "i386: $name: $(cat out)"
	done
	[ "$(for l in root changed added; do span $l; done | sort -u | wc -l)" = 3 ] && pass || fail "i386: not three spans: $(cat out)"
	grep -q "^arguments of changed: 4, the last is last; page size $(getconf PAGESIZE)$" out &&
		grep -q "^arguments of added: 503, the last is 500; page size $(getconf PAGESIZE)$" out && pass || fail "i386: arguments: $(cat out)"
	"$tracer" -q --detail=process -o w.otlp.jsonl sh word32.sh >out 2>err
	[ "$(value changed)" = "$(value root)" ] && [ -z "$(value added)" ] && pass || fail "i386: without: $(cat out)"
else
	echo "no 32-bit programs here"
fi

# Without the option everybody has the root's, and what was cleaned is clean.
"$tracer" -q --detail=process -o y.otlp.jsonl sh levels.sh >out 2>err
[ "$(value child)" = "$(value root)" ] && [ "$(value exec)" = "$(value root)" ] && pass || fail "without: $(cat out)"
grep -q '^cleaned  *$' out && pass || fail "without: an environment was changed: $(grep cleaned out)"
# And with no spans at all nothing is given.
"$tracer" -q --propagate -o y.txt sh levels.sh >out 2>err
[ -z "$(value root)" ] && grep -q '^cleaned  *$' out && pass || fail "no spans: $(cat out)"

# Trace state and baggage go where they are missing.
TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 TRACESTATE=vendor=1 BAGGAGE=k=v \
	"$tracer" -q --detail=process --propagate -o z.otlp.jsonl sh levels.sh >out 2>err
grep -q '^cleaned 00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]*-01 vendor=1 k=v$' out && pass || fail "state: $(cat out)"
[ "$(python3 spans.py z.otlp.jsonl | sed -n "s/^$(span root) //p")" = "b7ad6b7169203331 0af7651916cd43dd8448eb211c80319c" ] && pass || fail "root: $(python3 spans.py z.otlp.jsonl)"
BAGGAGE=k=v OTEL_PROPAGATORS=tracecontext "$tracer" -q --detail=process --propagate -o z.otlp.jsonl sh levels.sh >out 2>err
grep -q '^cleaned 00-[0-9a-f]*-[0-9a-f]*-03  *$' out && pass || fail "no baggage: $(grep cleaned out)"
for list in none baggage; do
	TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 OTEL_PROPAGATORS=$list \
		"$tracer" -q --detail=process --propagate -o n.otlp.jsonl sh levels.sh >out 2>err
	[ "$(value child)" = 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ] && pass || fail "$list: $(cat out)"
	python3 spans.py n.otlp.jsonl | grep -q 0af7651916cd43dd8448eb211c80319c && fail "$list: TRACEPARENT was read"
	grep -q '^cleaned  *$' out && pass || fail "$list: $(grep cleaned out)"
done
TRACEPARENT=00-xyz "$tracer" -q --detail=process -o n.otlp.jsonl sh levels.sh >out 2>err && pass || fail "bad TRACEPARENT: exit $?"
grep -q 'TRACEPARENT=00-xyz: .*a new trace is started' err && [ "$(python3 spans.py n.otlp.jsonl | wc -l)" -ge 7 ] && pass || fail "bad TRACEPARENT: $(cat err)"
OTEL_PROPAGATORS=b3,tracecontext "$tracer" -q --detail=process -o n.otlp.jsonl sh levels.sh >out 2>err
grep -q "propagator 'b3' is not known" err && [ -n "$(value root)" ] && pass || fail "b3: $(cat err)"
finish
