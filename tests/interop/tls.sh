#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# TLS and mutual TLS, for each protocol: a good chain, an unknown authority,
# an expired certificate, a wrong host name, a client certificate that is
# asked for and not there, files that cannot be read.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
command -v openssl >/dev/null ||
	{ echo "SKIP: no openssl command (Debian: apt-get install openssl)"; exit 77; }
. "$srcdir/tests/interop/server.sh"

cd "$tmp" || exit 99
for ca in ca other; do
	openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj "/CN=$ca" 2>/dev/null || fail "openssl req"
done
leaf() { # NAME SUBJECT-ALT-NAME NOT-AFTER-OPTIONS
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null &&
	echo "subjectAltName=$2" >"$1.ext" &&
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$1.pem" -extfile "$1.ext" $3 2>/dev/null ||
		fail "openssl x509"
}
leaf server "IP:127.0.0.1" "-days 2"
leaf wrong "DNS:elsewhere.example" "-days 2"
leaf client "DNS:client" "-days 2"
# Debian 12's "x509 -req" has no -not_after: -days with a negative number ends before it begins.
leaf expired "IP:127.0.0.1" "-days -1"
cd "$OLDPWD" || exit 99

start() { # PROTOCOL ARGS...
	protocol=$1
	shift
	case $protocol in
	grpc) serve "$python" "$srcdir/tests/interop/grpc_server.py" "$tmp/port" "$tmp/got.pb" ok "$@" ;;
	*) serve $decode serve "$tmp/port" "$tmp/got.pb" "$@" ;;
	esac
	url=https://127.0.0.1:$port
}
untrusted='^result=FAILED attempts=1 accepted=0 .*--otlp-certificate'
for p in http/protobuf http/json grpc; do
	start $p "$tmp/server.pem" "$tmp/server.key"
	expect "$p: good" "-p $p -n 3 -a $tmp/ca.pem" '^result=OK attempts=1 accepted=10' '^result=OK' '^result=OK'
	expect "$p: unknown authority" "-p $p -a $tmp/other.pem" "$untrusted"
	start $p "$tmp/expired.pem" "$tmp/expired.key"
	expect "$p: expired" "-p $p -a $tmp/ca.pem" "$untrusted.*expired"
	start $p "$tmp/wrong.pem" "$tmp/wrong.key"
	expect "$p: wrong host" "-p $p -a $tmp/ca.pem" "$untrusted.*match"
	start $p "$tmp/server.pem" "$tmp/server.key" "$tmp/ca.pem"
	expect "$p: mutual" "-p $p -a $tmp/ca.pem -c $tmp/client.pem -k $tmp/client.key" '^result=OK attempts=1 accepted=10'
	expect "$p: no client certificate" "-p $p -t 3000 -a $tmp/ca.pem" \
		'^result=(FAILED .*accepted=0 .*--otlp-client-certificate|TIMEOUT .*accepted=0)'
done
expect "no such file" "-a $tmp/nosuch.pem" "^refused: cannot read TLS file '$tmp/nosuch.pem': No such file"
exit 0
