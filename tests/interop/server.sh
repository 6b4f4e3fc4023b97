# SPDX-License-Identifier: Apache-2.0
# For tests that need a server of their own: sourced, not run.  Sets python,
# emit, probe, decode, tmp; serve() starts one (and ends the one before) and
# sets port; expect() checks what the probe prints.
python=$(sh "$srcdir/tests/interop/venv.sh") || exit $?
emit=$builddir/tests/interop/otlp-emit
probe=$builddir/tests/interop/otlp-probe
decode="$python $srcdir/tests/interop/decode.py"
tmp=$(mktemp -d) || exit 99
server=
trap 'test -z "$server" || kill $server; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

serve() { # COMMAND...
	test -z "$server" || { kill $server; wait $server 2>/dev/null; }
	rm -f "$tmp/port" "$tmp/got.pb"
	"$@" &
	server=$!
	i=0
	until test -s "$tmp/port"; do
		i=$((i + 1))
		test $i -lt 300 || fail "the server does not start"
		sleep 0.1
	done
	port=$(cat "$tmp/port")
	url=http://127.0.0.1:$port
}
# Each line of the probe's output must match the pattern of its number.
expect() { # WHAT PROBE-OPTIONS PATTERN...
	what=$1 options=$2
	shift 2
	$probe $options "$url" >"$tmp/out" 2>&1
	grep -v '^log:' "$tmp/out" >"$tmp/lines"
	n=0
	for pattern; do
		n=$((n + 1))
		sed -n ${n}p "$tmp/lines" | grep -Eq "$pattern" ||
			{ cat "$tmp/out"; fail "$what: line $n is not '$pattern'"; }
	done
	test "$(wc -l <"$tmp/lines")" -eq $n || { cat "$tmp/out"; fail "$what: not $n lines"; }
}
