#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Samplers, limits, flags, trace state, links, resources and texts that are no
# UTF-8, set by OpenTelemetry's variables: what an independent decoder sees of
# them at the receiver, and what the program is told in its TRACEPARENT.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"
tracer=$builddir/tracer
for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\|TRACER_[A-Z0-9_]*\|TRACEPARENT\|TRACESTATE\)=.*/\1/p'); do
	unset "$name"
done
trace=0123456789abcdef0123456789abcdef
sampled=TRACEPARENT=00-$trace-0123456789abcdef-01
unsampled=TRACEPARENT=00-$trace-0123456789abcdef-00
state=TRACESTATE=ot=th:0,x=y
work='i=0; while [ $i -lt 20 ]; do i=$((i + 1)); : <"$0"; done; echo "$TRACEPARENT"'

"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }
serve $decode serve "$tmp/port" "$tmp/got.pb"

endpoint="--otlp-endpoint $url"
# run VARIABLES... [-- OPTIONS...]
run() {
	rm -f "$tmp/got.pb"
	env_of=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		env_of="$env_of $1"
		shift
	done
	[ $# -eq 0 ] || shift
	# shellcheck disable=SC2086
	env $env_of "$tracer" -q $endpoint "$@" -- sh -c "$work" "$0" >"$tmp/out" 2>"$tmp/err" ||
		{ cat "$tmp/err"; fail "$env_of: exit $?"; }
}
# sent CHECKS...: they came, and are so.
sent() {
	test -s "$tmp/got.pb" || fail "$env_of: nothing came"
	"$python" "$srcdir/tests/interop/spans.py" "$tmp/got.pb" "$@" >"$tmp/said" 2>&1 ||
		{ cat "$tmp/said"; fail "$env_of: $*"; }
}
nothing() {
	test ! -e "$tmp/got.pb" || fail "$env_of: spans came"
}
# told PATTERN: the program's TRACEPARENT.
told() {
	grep -Eqx "$1" "$tmp/out" || fail "$env_of: the program has TRACEPARENT $(cat "$tmp/out")"
}

run
sent flags=0x103 root=0x103 service=sh
told '00-[0-9a-f]{32}-[0-9a-f]{16}-03'
run $sampled $state
sent trace=$trace flags=0x101 root=0x301 state=ot=th:0,x=y
told "00-$trace-[0-9a-f]{16}-01"

# Samplers: variables, sent or not, TRACEPARENT of the program.
while read -r what variables; do
	run $variables
	case $what in
	yes) sent && told '00-.*-0[13]' ;;
	no) nothing && told '00-.*-0[02]' ;;
	esac
done <<CASES
yes OTEL_TRACES_SAMPLER=always_on
yes OTEL_TRACES_SAMPLER=always_on $unsampled
no OTEL_TRACES_SAMPLER=always_off
no OTEL_TRACES_SAMPLER=always_off $sampled
yes OTEL_TRACES_SAMPLER=traceidratio
yes OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=1.0
no OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0
yes OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.0045 $unsampled
no OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.0044 $sampled
yes OTEL_TRACES_SAMPLER=parentbased_always_off $sampled
no OTEL_TRACES_SAMPLER=parentbased_always_off
no OTEL_TRACES_SAMPLER=parentbased_always_on $unsampled
yes OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0 $sampled
no OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0
yes OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=1.5
yes OTEL_TRACES_SAMPLER=xray
CASES

# Switches: they beat an endpoint of OTEL_*, one that is named on the command line beats them.
run OTEL_SDK_DISABLED=true
sent
run OTEL_TRACES_EXPORTER=none
sent
endpoint=
run OTEL_EXPORTER_OTLP_ENDPOINT="$url"
sent
run OTEL_EXPORTER_OTLP_ENDPOINT="$url" OTEL_SDK_DISABLED=true
nothing
run OTEL_EXPORTER_OTLP_ENDPOINT="$url" OTEL_TRACES_EXPORTER=none
nothing
endpoint="--otlp-endpoint $url"

# Limits.
run OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=9
sent length=9
run OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=9 OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT=5
sent length=5
run OTEL_ATTRIBUTE_COUNT_LIMIT=4
sent count=4
run OTEL_ATTRIBUTE_COUNT_LIMIT=4 OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=6
sent count=6
run $state $sampled -- --detail=full --trace-split 50
sent links=1
run OTEL_SPAN_LINK_COUNT_LIMIT=0 -- --detail=full --trace-split 50
sent links=0

# Resources: the whole value or nothing of it.
run OTEL_SERVICE_NAME=shop OTEL_RESOURCE_ATTRIBUTES=service.name=no,deployment.environment.name=a%2Cb%3Dc
sent service=shop resource=deployment.environment.name:a,b=c
run OTEL_RESOURCE_ATTRIBUTES=service.name=shop,bad=%zz
sent service=sh
grep -q 'OTEL_RESOURCE_ATTRIBUTES: bad escape.*ignored' "$tmp/err" ||
	fail "a bad list is not told: $(cat "$tmp/err")"

# Texts that are no UTF-8: values become bytes, names are escaped.
odd=$(printf 'x\377y')
cp /bin/true "$tmp/$odd"
work='cat "$0/nothing" 2>/dev/null; "$0"; echo "$TRACEPARENT"'
rm -f "$tmp/got.pb"
"$tracer" -q --otlp-endpoint "$url" -- sh -c "$work" "$tmp/$odd" >"$tmp/out" 2>"$tmp/err" || fail "odd name"
sent bytes=78ff792f6e6f7468696e67
$decode text "$tmp/got.pb" | grep -q "name=$(printf 'x\\xffy' | od -An -tx1 | tr -d ' \n') " ||
	fail "the name is not escaped"

# The twin: the checks see what is not so.
"$python" "$srcdir/tests/interop/spans.py" "$tmp/got.pb" flags=0x101 >/dev/null 2>&1 &&
	fail "wrong flags are not seen"
"$python" "$srcdir/tests/interop/spans.py" "$tmp/got.pb" length=5 >/dev/null 2>&1 &&
	fail "long values are not seen"
exit 0
