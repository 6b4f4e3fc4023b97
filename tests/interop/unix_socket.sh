#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# HTTP over a local socket; and the message where there is none.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"

serve $decode serve-unix "$tmp/port" "$tmp/got.pb" "$tmp/otel.sock"
url=unix://$tmp/otel.sock
expect "unix socket" "-n 2" '^result=OK attempts=1 accepted=10' '^result=OK attempts=1'
test "$($decode text "$tmp/got.pb" | wc -l)" = 20 || fail "not 20 spans"
url=unix://$tmp/nosuch.sock
expect "no socket" "" '^result=REFUSED attempts=1 .*message=cannot be reached'
grep -q "^log: collector unix://$tmp/nosuch.sock cannot be reached" "$tmp/out" ||
	fail "the log does not name the socket"
url=unix:relative
expect "relative path" "" '^refused: .*absolute path'
exit 0
