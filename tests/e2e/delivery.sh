#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Spans at the receiver: all of them, in batches of the preset's size, after the
# preset's delay; and collectors that fail in every way never change the program.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
. "${srcdir:-.}/tests/e2e/collector.sh"
need_ptrace

# Sizes: all batches but the last ones of a run are full.
for row in "balanced 512" "aggressive 2048" "low-latency 128"; do
	set -- $row
	collector
	"$tracer" --perf-mode "$1" --detail=full --otlp-batch-delay 600000 --otlp-endpoint "$url" \
		"$fx/fx_runstatus" find /usr/share/doc /usr/include -maxdepth 2 >/dev/null 2>"$dir/err"
	collector_end
	sent=$(number "spans sent") calls=$(number calls)
	got=$(batches | awk '{ s += $1 } END { print s }')
	[ "${got:-0}" -gt "$2" ] && [ "$got" = "$sent" ] && pass ||
		fail "$1: $got spans at the receiver: $(cat "$dir/err")"
	[ "$sent" -ge "$calls" ] && pass || fail "$1: $sent spans for $calls calls"
	batches |
		awk -v size="$2" '$1 > size { bad = 1 } $1 == size { full++ } END { exit bad || !full || NR - full > 3 }' &&
		pass || fail "$1: batches are $(batches | tr '\n' ' ')"
done

# Requests of at most that size: more of them, all spans.
collector
"$tracer" --perf-mode aggressive --detail=full --otlp-max-request-size 16384 --otlp-batch-delay 600000 --otlp-endpoint "$url" \
	"$fx/fx_runstatus" find /usr/share/doc -maxdepth 1 >/dev/null 2>"$dir/err"
collector_end
sent=$(number "spans sent")
[ "$sent" -gt 500 ] && [ "$(batches | awk '{ s += $1 } END { print s }')" = "$sent" ] &&
	[ "$(batches | sort -n | tail -n 1)" -lt 128 ] && pass || fail "16 KB: $(batches | tr '\n' ' ') $(cat "$dir/err")"

# Delay: with low-latency spans arrive while the program runs; with aggressive not in its first half second.
collector
"$tracer" --perf-mode low-latency --otlp-endpoint "$url" sh -c "n=0
	while [ ! -s '$dir/got' ] && [ \$n -lt 200 ]; do sleep 0.05; n=\$((n + 1)); done; [ -s '$dir/got' ]" 2>"$dir/err" &&
	pass || fail "low-latency: nothing arrived while the program ran: $(cat "$dir/err")"
collector_end
collector
"$tracer" --perf-mode aggressive --otlp-endpoint "$url" sh -c "sleep 0.5; [ ! -s '$dir/got' ]" 2>"$dir/err" &&
	pass || fail "aggressive: a batch went out at once"
collector_end
[ -s "$dir/got" ] && pass || fail "aggressive: nothing arrived at the end"

# Within the budget: singles and folded are all calls, and the root says so.
collector
"$tracer" --max-spans 100 --otlp-endpoint "$url" find /usr/include >/dev/null 2>"$dir/err"
collector_end
[ "$(batches | awk '{ s += $1 } END { print s }')" -le 100 ] && [ "$(number 'calls folded')" -gt 0 ] &&
	pass ||
	fail "budget: $(cat "$dir/err")"
grep -q '"tracer.spans.folded"' "$dir/got" && pass || fail "budget: the root has no count"

# Exit line and its silence.
collector
"$tracer" --otlp-endpoint "$url" sh -c 'exit 7' 2>"$dir/err"
[ $? = 7 ] &&
	grep -Eq '^tracer: sh exited 7 after .* calls, .* spans sent, .* folded, 0 dropped; trace [0-9a-f]{32} -> ' "$dir/err" &&
	pass || fail "exit line: $(cat "$dir/err")"
"$tracer" -q --otlp-endpoint "$url" true 2>"$dir/err"
[ -s "$dir/err" ] && fail "-q: $(cat "$dir/err")" || pass
OTEL_EXPORTER_OTLP_ENDPOINT=$url "$tracer" sh -c 'kill -9 $$' 2>"$dir/err"
grep -q 'sh killed by SIGKILL' "$dir/err" && pass || fail "endpoint of the environment: $(cat "$dir/err")"
OTEL_BSP_MAX_QUEUE_SIZE=many "$tracer" --otlp-endpoint "$url" true 2>"$dir/err"
grep -q 'OTEL_BSP_MAX_QUEUE_SIZE=many: not understood.*ignored' "$dir/err" &&
	grep -q 'spans sent' "$dir/err" && pass ||
	fail "bad OTEL_ value: $(cat "$dir/err")"
TRACER_OTLP_BATCH_SIZE=0 "$tracer" --otlp-endpoint "$url" touch "$dir/mark" 2>"$dir/err"
[ $? = 2 ] && [ ! -e "$dir/mark" ] && pass || fail "bad TRACER_ value: $(cat "$dir/err")"
collector_end

# Not sampled: the program runs, nothing is sent.
collector
TRACEPARENT=00-0123456789abcdef0123456789abcdef-0123456789abcdef-00 "$tracer" --otlp-endpoint "$url" true 2>"$dir/err"
[ $? = 0 ] && grep -q 'not sampled' "$dir/err" && [ ! -s "$dir/got" ] && pass ||
	fail "not sampled: $(cat "$dir/err")"
TRACEPARENT=00-nonsense "$tracer" --otlp-endpoint "$url" true 2>"$dir/err"
[ $? = 0 ] && grep -q 'TRACEPARENT=00-nonsense: .*new trace' "$dir/err" && pass ||
	fail "bad TRACEPARENT: $(cat "$dir/err")"
collector_end

# Nobody listens: at once, one line that says what to do, the program's status.
"$tracer" --perf-mode balanced --otlp-flush-timeout 600000 --otlp-endpoint http://127.0.0.1:9 sh -c 'echo out; exit 5' \
	>"$dir/out" 2>"$dir/err"
[ $? = 5 ] && [ "$(cat "$dir/out")" = out ] && pass || fail "dead collector: status or output"
[ "$(grep -c 'tracer collect.*--otlp-endpoint' "$dir/err")" = 1 ] && pass ||
	fail "dead collector: $(cat "$dir/err")"

# A name that does not resolve, a proxy that is not there: the program's status and output, within the time-out.
for row in "http://collector.invalid:4318" "http://collector.invalid:4318 http_proxy=http://127.0.0.1:9" \
	"https://collector.invalid:4318 https_proxy=http://127.0.0.1:9"; do
	set -- $row
	env ${2:-NOTHING=} timeout 60 "$tracer" --otlp-flush-timeout 500 --otlp-endpoint "$1" sh -c 'echo out; exit 5' >"$dir/out" 2>"$dir/err"
	[ $? = 5 ] && [ "$(cat "$dir/out")" = out ] && [ "$(number dropped)" -gt 0 ] && pass ||
		fail "$row: $(cat "$dir/err")"
done

# One that never answers: the flush timeout is the end.
mkfifo "$dir/hold"
"$fx/fx_tarpit" <"$dir/hold" >"$dir/tarport" &
exec 8>"$dir/hold"
tries=0
while [ ! -s "$dir/tarport" ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
tarpit=http://127.0.0.1:$(cat "$dir/tarport")
timeout 60 "$tracer" --otlp-flush-timeout 300 --otlp-endpoint "$tarpit" sh -c 'exit 6' 2>"$dir/err" 8>&-
[ $? = 6 ] && [ "$(number dropped)" -gt 0 ] && grep -q 'spans lost' "$dir/err" && pass ||
	fail "tarpit: $(cat "$dir/err")"
timeout 60 "$tracer" --fail-on-export-error --otlp-flush-timeout 300 --otlp-endpoint "$tarpit" true 2>"$dir/err" 8>&-
[ $? = 3 ] && pass || fail "--fail-on-export-error: $(cat "$dir/err")"

# A second ^C gives up the flush.
"$fx/fx_pty" -w ready -t '\3' -r '\3' -- "$tracer" --otlp-flush-timeout 600000 --otlp-timeout 600000 \
	--otlp-export-timeout 0 --otlp-endpoint "$tarpit" sh -c 'echo ready; exec sleep 30' >"$dir/out" 8>&-
[ "$(tail -n 1 "$dir/out")" = "signal 2" ] && pass || fail "second ^C: $(cat "$dir/out")"
exec 8>&-
finish
