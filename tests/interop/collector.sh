# SPDX-License-Identifier: Apache-2.0
# For tests with the OpenTelemetry Collector: sourced, not run.  Gives $tracer,
# $otelcol, $here, $dir (removed at the end), free_ports N, start_collector NAME ENV...,
# stop_collector NAME, fail.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
here=$srcdir/tests/interop
dir=$(mktemp -d)
collectors=
stop_all() {
	for entry in $collectors; do
		kill "${entry#*=}" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap stop_all EXIT
fail() { echo "FAIL: $*"; exit 1; }

for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\|TRACER_[A-Z0-9_]*\|TRACEPARENT\|TRACESTATE\)=.*/\1/p'); do
	unset "$name"
done
"$tracer" -q -o /dev/null true || { echo "SKIP: cannot trace here"; exit 77; }
otelcol=$("$here/otelcol/build.sh" "$builddir/interop") || exit $?

free_ports() {
	python3 -c '
import socket, sys
s = [socket.socket() for _ in range(int(sys.argv[1]))]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])' "$1"
}

# start_collector NAME "CONFIG [--config MORE]" VARIABLES...: returns when it is ready; its log is in $dir/NAME.log.
start_collector() {
	cname=$1 config=$2
	shift 2
	: >"$dir/$cname.log"
	env "$@" "$otelcol" --config $config >"$dir/$cname.log" 2>&1 &
	collectors="$collectors $cname=$!"
	n=0
	until grep -q 'Everything is ready' "$dir/$cname.log"; do
		n=$((n + 1))
		[ $n -lt 300 ] && kill -0 $! 2>/dev/null ||
			{ cat "$dir/$cname.log"; fail "$cname does not start"; }
		sleep 0.1
	done
}

collector_pid() { # NAME
	for entry in $collectors; do
		case $entry in "$1"=*) echo "${entry#*=}" ;; esac
	done
}

# stop_collector NAME: it flushes and ends.
stop_collector() {
	pid=$(collector_pid "$1")
	kill "$pid" 2>/dev/null || true
	wait "$pid" || true
	rest=
	for entry in $collectors; do
		case $entry in "$1"=*) ;; *) rest="$rest $entry" ;; esac
	done
	collectors=$rest
}
