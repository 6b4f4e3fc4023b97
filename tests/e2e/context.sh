#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Programs that publish a process context and thread contexts: their calls hang
# under their own active spans and their spans have their resource, in each
# model of thread-local storage, live, attached to and replayed.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
case $(uname -m) in x86_64) ;; *) echo "SKIP: thread contexts are read on x86-64 only"; exit 77 ;; esac
cd "$dir" || exit 99

# One line for each span of the fixture: name, parent, trace, linked span, service, environment.
cat >spans.py <<'EOF'
import json, sys
for line in open(sys.argv[1]):
    for rs in json.loads(line).get("resourceSpans", []):
        res = {a["key"]: list(a["value"].values())[0] for a in rs["resource"]["attributes"]}
        for ss in rs["scopeSpans"]:
            for s in ss["spans"]:
                links = [l["spanId"] for l in s.get("links", [])]
                pid = "pid" if str(res.get("process.pid")).isdigit() else "wrong-pid"
                print(s["name"], s.get("parentSpanId") or "-", s["traceId"], links[0] if links else "-",
                      res.get("service.name"), res.get("deployment.environment.name", "-"), pid, s["spanId"])
EOF

rows() {
	python3 spans.py "$1" >rows || fail "$1: no OTLP/JSON"
	process=$(sed -n 's/^fx_[a-z]* - .* \([0-9a-f]*\)$/\1/p' rows)
}
# row NAME EXPECTED-WORDS: "-" in place of one takes any.
row() {
	name=$1
	shift
	got=$(sed -n "s/^$name //p" rows | head -n 1)
	# shellcheck disable=SC2086
	set -- "$@" -- $got
	while [ "$1" != -- ]; do
		want="${want:-} $1"
		shift
	done
	shift
	for w in $want; do
		[ "$w" = '*' ] || [ "$w" = "${1:-}" ] || { fail "$title: $name: '$got', not$want"; want=; return; }
		shift
	done
	want=
	pass
}
want=
set -f

# shape TRACE-OF-CALLS: the program's own spans are the parents.
shape() {
	rows "$1"
	row getuid a111111111111111 "$2" - first test pid
	row getgid a211111111111111 "$2" - second test pid
	row geteuid b111111111111111 "$2" - second test pid
	row getppid "$process" '*' - second test pid
	row getegid '*' '*' - '*' - pid
	grep '^getegid' rows | grep -q ' [ab][12]11' && fail "$title: a forked child has its parent's context"
}

other=11112222333344445555666677778888
attached() {
	title="$engine: attached"
	rm -f in ready
	mkfifo in
	FX_CONTEXT=wait "$fx/fx_context" $other 01 <in >ready &
	program=$!
	exec 8>in
	tries=0
	while [ ! -s ready ] && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	"$tracer" --engine "$engine" -q --detail=full -o f.otlp.jsonl -p $program 2>err &
	tracing=$!
	tries=0
	while ! grep -q "^TracerPid:[^0-9]*$tracing\$" /proc/$program/status && [ $tries -lt 200 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	echo >&8
	exec 8>&-
	wait $program && wait $tracing && pass || fail "$title: $(cat err)"
	shape f.otlp.jsonl $other
}

every_case() {
	title="$engine: our trace"
	"$tracer" --engine "$engine" -q --detail=full -o a.otlp.jsonl -o a.trace "$fx/fx_context" env 01 && pass || fail "$title: exit $?"
	rows a.otlp.jsonl
	ours=$(sed -n 's/^fx_context - \([0-9a-f]*\) .*/\1/p' rows)
	shape a.otlp.jsonl "$ours"
	title="$engine: replayed"
	"$tracer" -q --detail=full --replay a.trace -o again.otlp.jsonl && pass || fail "$title: exit $?"
	shape again.otlp.jsonl "$ours"
	title="$engine: our trace, flags not told"
	"$tracer" --engine "$engine" -q --detail=full -o b.otlp.jsonl "$fx/fx_context" env 00 && shape b.otlp.jsonl "$(python3 spans.py b.otlp.jsonl | sed -n 's/^fx_context - \([0-9a-f]*\) .*/\1/p')"

	title="$engine: a trace of its own"
	"$tracer" --engine "$engine" -q --detail=full -o c.otlp.jsonl "$fx/fx_context" $other 01 && shape c.otlp.jsonl $other
	grep '^fx_context' rows | grep -q $other && fail "$title: process spans went there"
	title="$engine: a trace of its own that is not sampled"
	"$tracer" --engine "$engine" -q --detail=full -o d.otlp.jsonl "$fx/fx_context" $other 00
	rows d.otlp.jsonl
	row getuid "$process" '*' a111111111111111
	row getppid "$process" '*' -
	grep -q " $other " rows && fail "$title: spans went there"

	title="$engine: a name that the user gave"
	"$tracer" --engine "$engine" -q --detail=full --service-name mine -o e.otlp.jsonl "$fx/fx_context" env 01
	rows e.otlp.jsonl
	row getgid a211111111111111 '*' - mine test pid

	# What is wrong in it is not believed, and the program is not disturbed.
	for part in version size payload record; do
		title="$engine: wrong $part"
		FX_CONTEXT=$part "$tracer" --engine "$engine" -q --detail=full -o w.otlp.jsonl "$fx/fx_context" env 01 && pass || fail "$title: exit $?"
		rows w.otlp.jsonl
		row getuid "$process" '*' - '*' '*' pid
	done

	attached
	# The variable in a library: each way in which compilers reach it; and in programs at a fixed place.
	cc=${CC:-cc}
	source=$srcdir/fixtures/fx_context.c
	if $cc -O1 -DNO_VARIABLE -pthread -o fx_other "$source" -ldl 2>err; then
		for model in "-mtls-dialect=gnu" "-mtls-dialect=gnu2" "-ftls-model=initial-exec"; do
			title="$engine: library, $model"
			$cc -O1 -shared -fPIC -DLIBRARY "$model" -o lib.so "$source" 2>err || { echo "$model: not known here"; continue; }
			"$tracer" --engine "$engine" -q --detail=full -o g.otlp.jsonl ./fx_other $other 01 ./lib.so && pass || fail "$title: exit $?"
			shape g.otlp.jsonl $other
		done
		title="$engine: fixed place"
		$cc -O1 -no-pie -rdynamic -pthread -o fx_fixed "$source" -ldl 2>err &&
			"$tracer" --engine "$engine" -q --detail=full -o h.otlp.jsonl ./fx_fixed $other 01 && shape h.otlp.jsonl $other
	else
		echo "no compiler: libraries are not tried"
	fi

	# Known numbers, in a ring that is full now and then, while signals come: each change is told once.
	title="$engine: storm"
	"$builddir/engine-run" -r 65536 -o records "$engine" "$fx/fx_context" storm 2000 >known && pass || fail "$title: exit $?"
	for what in getppid getuid; do
		[ "$(grep -c " $what(" records)" = "$(sed -n "s/^$what //p" known)" ] || fail "$title: $what: $(grep -c " $what(" records) of $(cat known)"
	done
	[ "$(grep -c '^E[0-9]*.3 context:' records)" = "$(sed -n 's/^changes //p' known)" ] && pass ||
		fail "$title: $(grep -c '^E[0-9]*.3 context:' records) contexts of $(cat known)"

	# A program that publishes nothing is not asked for anything.
	"$tracer" --engine "$engine" -q --stats=engine -o none.txt true 2>err
	grep -q 'contexts read  *[1-9]' err && fail "$engine: nothing published: $(grep contexts err)"
	"$tracer" --engine "$engine" -q --stats=engine -o none.txt "$fx/fx_context" $other 01 2>err
	grep -q 'contexts read  *[1-9]' err && pass || fail "$engine: published: $(cat err)"
}

for engine in ptrace inproc; do
	if "$tracer" --engine $engine -qq -o none.txt true 2>err; then
		every_case
	else
		echo "$engine: $(cat err)"
	fi
done
finish
