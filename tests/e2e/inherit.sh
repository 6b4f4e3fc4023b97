#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the program inherits is what it inherits without us, under odd conditions, too.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run="$fx/fx_runstatus"
trace="$tracer -q -o $dir/t.txt"

# same NAME PREFIX...: fx_inherit behind the prefix, natively and traced.
same() {
	name=$1
	shift
	"$@" "$fx/fx_inherit" one "two words" >"$dir/native" 2>&1 </dev/null
	"$@" $trace "$fx/fx_inherit" one "two words" >"$dir/traced" 2>&1 </dev/null
	grep -q '^pgrp ' "$dir/native" || grep -q '^signal\|^exit' "$dir/native" || { fail "$name: no output natively"; return; }
	sed -i "s,^argv $fx/fx_inherit\$,argv PROGRAM," "$dir/native" "$dir/traced"
	if cmp -s "$dir/native" "$dir/traced"; then
		pass
	else
		fail "$name:"
		diff "$dir/native" "$dir/traced" | head -n 10
	fi
}

same plain env A=b
same "no environment" env -i
same "ignored signals" "$run" -i 1 -i 2 -i 13 -i 15 -i 17
same "ignored terminal stops" "$run" -i 20 -i 21 -i 22
same "blocked signals" "$run" -b 2 -b 10 -b 15 -b 17 -b 14
same "all blocked" "$run" $(n=1; while [ $n -lt 65 ]; do printf ' -b %d' $n; n=$((n + 1)); done)
same nice nice -n 5
same "one cpu" taskset -c 0
same "limits" sh -c 'ulimit -n 64; ulimit -s 4096; ulimit -f 100000; exec "$@"' sh
same "umask" sh -c 'umask 077; exec "$@"' sh
same "open descriptors" sh -c 'exec "$@" 3</dev/null 7>/dev/null 200</dev/null' sh
same "closed stdin" "$run" -c 0
same "another directory" sh -c 'cd /usr && exec "$@"' sh

# Closed standard descriptors: the program finds them closed, and no file of ours took their place.
for fds in "-c 0" "-c 1" "-c 2" "-c 0 -c 1 -c 2"; do
	"$run" $fds "$fx/fx_inherit" >"$dir/native" 2>&1 8>>"$dir/native"
	"$run" $fds $trace "$fx/fx_inherit" >"$dir/traced" 2>&1 8>>"$dir/traced"
	grep -q '^fd 8' "$dir/native" && cmp -s "$dir/native" "$dir/traced" && pass || {
		fail "descriptors $fds:"
		diff "$dir/native" "$dir/traced" | head -n 10
	}
done
(exec 0<&- 1>&- 2>&-; $tracer -q -o "$dir/closed.txt" true)
grep -q execve "$dir/closed.txt" && pass || fail "trace with closed standard descriptors"

# Nor do descriptors that the exporter's libraries opened get there; what was open before still does.
for engine in ptrace inproc; do
	"$fx/fx_inherit" 2>/dev/null 7</dev/null </dev/null | grep '^fd ' >"$dir/native"
	"$tracer" -qqq --engine $engine --otlp-endpoint http://127.0.0.1:9 --otlp-flush-timeout 100 "$fx/fx_inherit" \
		2>/dev/null 7</dev/null </dev/null | grep '^fd ' >"$dir/traced"
	grep -q '^fd 7' "$dir/native" && cmp -s "$dir/native" "$dir/traced" && pass ||
		fail "descriptors while spans are sent, $engine: $(diff "$dir/native" "$dir/traced")"
done

# With -E, and with TRACEPARENT only where spans are made.
[ "$("$tracer" -q -o "$dir/t.txt" -E ADDED=1 -E HOME sh -c 'echo $ADDED-${HOME-unset}')" = 1-unset ] && pass || fail "-E"
[ "$("$tracer" -q -o "$dir/t.txt" sh -c 'echo ${TRACEPARENT-none}')" = none ] && pass || fail "TRACEPARENT without spans"
"$tracer" -q -o "$dir/t.otlp.jsonl" sh -c 'echo $TRACEPARENT' >"$dir/tp"
grep -Eqx '00-[0-9a-f]{32}-[0-9a-f]{16}-03' "$dir/tp" && pass || fail "TRACEPARENT: $(cat "$dir/tp")"
in=00-0123456789abcdef0123456789abcdef-0123456789abcdef-01
TRACEPARENT=$in "$tracer" -q -o "$dir/t.otlp.jsonl" sh -c 'echo $TRACEPARENT' >"$dir/tp"
grep -Eqx '00-0123456789abcdef0123456789abcdef-[0-9a-f]{16}-01' "$dir/tp" && ! grep -q -- "-0123456789abcdef-" "$dir/tp" &&
	pass || fail "TRACEPARENT handed on: $(cat "$dir/tp")"
finish
