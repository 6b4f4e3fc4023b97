#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OTLP/gRPC against grpcio: what arrives, every status code, RetryInfo,
# GOAWAY, a server that hangs, one that speaks no gRPC.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/interop/server.sh"
script() { serve "$python" "$srcdir/tests/interop/grpc_server.py" "$tmp/port" "$tmp/got.pb" "$@"; }
# Many requests over one connection, all there, compressed and not.
script ok
"$emit" 2500 "$tmp" "$url" grpc || fail "export"
"$python" "$srcdir/tests/interop/decode.py" text "$tmp/got.pb" >"$tmp/decoded.txt" ||
	fail "what came does not decode"
cmp "$tmp/spans.txt" "$tmp/decoded.txt" || fail "spans that came differ"
expect "plain" "-p grpc -z -n 3" '^result=OK attempts=1 accepted=10' '^result=OK attempts=1' '^result=OK attempts=1'

script partial
expect "partial success" "-p grpc" '^result=PARTIAL attempts=1 accepted=6 rejected=4 .*too old'

# Headers are metadata: keys in lower case, those that end in -bin in base64, as the server's library decodes it.
for value in a ab abc abcd; do
	script "x-key=$value,x-key-bin=$value"
	expect "metadata $value" "-p grpc -n 2 -H X-Key=$value,X-Key-Bin=$value" '^result=OK attempts=1' '^result=OK attempts=1'
done
script x-key-bin=other
expect "other metadata" "-p grpc -H X-Key-Bin=a" "^result=FAILED .*x-key-bin is b'a'"

# Never retried ...
for code in UNKNOWN INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED FAILED_PRECONDITION UNIMPLEMENTED INTERNAL \
	UNAUTHENTICATED RESOURCE_EXHAUSTED; do
	script $code,ok
	expect $code "-p grpc" "^result=FAILED attempts=1 accepted=0 .*answered $code: scripted $code é"
done
# ... and retried.
for code in CANCELLED DEADLINE_EXCEEDED ABORTED OUT_OF_RANGE UNAVAILABLE DATA_LOSS UNAVAILABLE+100 RESOURCE_EXHAUSTED+100; do
	script $code,ok
	expect $code "-p grpc" '^result=OK attempts=2 accepted=10'
done
# A server that wants more time than there is.
script UNAVAILABLE+60000,ok
expect "long RetryInfo" "-p grpc" '^result=FAILED attempts=1 .*UNAVAILABLE'

# The server goes away (GOAWAY) and comes back, several times.  An answer that it was about to give
# may get lost on the way out; the retry must find it back.
script bye,ok,bye,ok,bye,ok,bye,ok
expect "GOAWAY" "-p grpc -n 4 -w 1500 -t 20000" '^result=OK' '^result=OK' '^result=OK' '^result=OK'

script hang
expect "hang" "-p grpc -t 500 -n 2" '^result=TIMEOUT attempts=1 .*in time' '^result=TIMEOUT attempts=1'

# HTTP/1.1 only: an error, not a hang.
serve "$python" "$srcdir/tests/interop/decode.py" serve "$tmp/port" "$tmp/got.pb"
expect "no gRPC" "-p grpc -t 3000" '^result=(FAILED|TIMEOUT) .*accepted=0'
exit 0
