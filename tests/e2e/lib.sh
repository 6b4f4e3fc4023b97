# SPDX-License-Identifier: Apache-2.0
# For the end-to-end tests: sourced, not run.  Gives $tracer, $fx (fixtures), $dir
# (fresh, removed at exit), need_ptrace, fail, finish.
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
fx=$builddir
LC_ALL=C TZ=UTC
export LC_ALL TZ
for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\|TRACER_[A-Z0-9_]*\|TRACEPARENT\|TRACESTATE\)=.*/\1/p'); do
	unset "$name"
done
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
bad=0 good=0
# what is known from former runs is no test's matter but that of site-cache.sh
TRACER_SITE_CACHE=none
export TRACER_SITE_CACHE

# E2E_ENGINE: that one instead of the one that auto chooses
[ -z "${E2E_ENGINE:-}" ] || { TRACER_ENGINE=$E2E_ENGINE; export TRACER_ENGINE; }

# Skips the test where this machine lets nobody trace.
need_ptrace() {
	"$fx/fx_ptrace" || exit 77
}

fail() {
	echo "FAIL $*"
	bad=$((bad + 1))
}

pass() {
	good=$((good + 1))
}

finish() {
	echo "$good passed, $bad failed"
	[ $bad = 0 ] && [ $good -gt 0 ]
	exit $?
}
