#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Memory that a program has for itself, alone and recording its own calls: it may grow by its threads' blocks and
# stacks, by what was touched of their rings, and by REST KiB, where every call site is met for the first time (cold),
# where they are known (warm), and where two processes run the same code (pair).  By kind of mapping; address space
# is told as well.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
[ -r /proc/self/smaps ] || { echo "no /proc/PID/smaps here"; exit 77; }
SLOT=16		# KiB of a thread's block and stack
# Wanted is 64; these are what is reached.  Where call sites are new each page of code that has one is the program's own;
# a copy of patched code is there once for all programs of a run, but of its pages those count as private that only
# one of them has touched.  ANON is what is nobody else's for certain.
REST_cold=96 REST_warm=1536 REST_pair=1536
ANON_cold=96 ANON_warm=32 ANON_pair=32
started=
trap 'kill -KILL $started 2>/dev/null; rm -rf "$dir"' EXIT

# kinds PID: "KIND KiB of its own, KiB of these that are no file's, KiB of address space", a line each
kinds() {
	awk '
	function done() {
		if (kind != "") { own[kind] += pc + pd; anon[kind] += an; size[kind] += kib }
		pc = pd = an = kib = 0
	}
	/^[0-9a-f]+-[0-9a-f]+ / {
		done()
		split($1, at, "-")
		kind = "data"
		if ($6 ~ /^\/memfd:tracer-rings/) { kind = "rings"; behind = at[2] }
		else if ($6 ~ /^\/memfd:tracer-agent/) kind = $3 ~ /^0*$/ ? "image" : "copies"
		else if ($6 == "" && at[1] == behind) kind = "slots"
		else if ($6 == "[vdso]") kind = "vdso"
		else if ($2 ~ /x/ && $6 ~ /^\//) kind = "code"
		next
	}
	$1 == "Size:" { kib = $2 }
	$1 == "Private_Clean:" { pc = $2 }
	$1 == "Private_Dirty:" { pd = $2 }
	$1 == "Anonymous:" { an = $2 }
	END { done(); for (k in size) print k, own[k] + 0, anon[k] + 0, size[k] + 0 }
	' "/proc/$1/smaps" | sort
}

# until_ready N FILE: so many stand still; their pids
until_ready() {
	tries=0
	while [ "$(grep -c '^ready' "$2")" -lt "$1" ] && [ $tries -lt 600 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	# the last call of each thread is under way
	sleep 0.2
	pids=$(sed -n 's/^ready //p' "$2")
	[ "$(echo "$pids" | wc -w)" = "$1" ] || { fail "only $pids are ready"; finish; }
}

# look FILE: where one process stands still
look() {
	kinds "$1" >"$dir/$2"
	[ -s "$dir/$2" ] || fail "no smaps of $1"
}

# own KIND FILE; all kinds: .
own() {
	awk -v k="$1" '$1 ~ "^" k { n += $2 } END { print n + 0 }' "$2"
}

# column N FILE
column() {
	awk -v n="$1" '{ sum += $n } END { print sum + 0 }' "$2"
}

# judge CASE THREADS FILE
judge() {
	eval "most=\$REST_$1 most_anon=\$ANON_$1"
	slots=$(own slots "$3")
	rest=$(($(own . "$3") - $(own . "$dir/native") - slots - $(own rings "$3")))
	anon=$(($(column 3 "$3") - $(column 3 "$dir/native") - slots))
	echo "$1, $2 threads: $rest KiB more, $anon without files (at most $most, $most_anon), blocks and stacks $slots KiB; alone -> recorded:"
	for k in data code vdso image copies rings slots; do
		echo "    $k $(own $k "$dir/native") -> $(own $k "$3")"
	done
	echo "    address space $(column 4 "$dir/native") -> $(column 4 "$3")"
	[ "$slots" -gt 0 ] && [ "$slots" -le $(($2 * SLOT)) ] || fail "$1, $2 threads: $slots KiB of blocks and stacks"
	[ "$rest" -le "$most" ] && [ "$anon" -le "$most_anon" ] && pass || fail "$1, $2 threads: $rest and $anon KiB"
}

recorded() {
	: >"$dir/ready"
	"$tracer" -qq -c -o "$dir/table" --engine inproc --site-cache "$dir/cache" "$@" >>"$dir/ready" 2>"$dir/err" </dev/null &
	tracing=$!
}

ended() {
	kill $pids
	wait $tracing 2>/dev/null
	started=
}

for n in 1 4 16; do
	"$fx/fx_still" $n >"$dir/ready" &
	tracing=$!
	until_ready 1 "$dir/ready"
	look $pids native
	ended

	rm -rf "$dir/cache"
	for case in cold warm; do
		recorded "$fx/fx_still" $n
		until_ready 1 "$dir/ready"
		started=$pids
		look $pids $case
		ended
		judge $case $n "$dir/$case"
	done

	recorded sh -c '"$0" "$1" & "$0" "$1" & wait' "$fx/fx_still" $n
	until_ready 2 "$dir/ready"
	started=$pids
	look ${pids%%
*} pair
	ended
	judge pair $n "$dir/pair"
done

# The sum sees what is there: a program of many threads has stacks.
rest=$(own . "$dir/native")
"$fx/fx_still" 1 >"$dir/ready" &
tracing=$!
until_ready 1 "$dir/ready"
look $pids native
ended
[ "$rest" -ge $(($(own . "$dir/native") + 15 * 4)) ] && pass || fail "the twin: $rest KiB, and $(own . "$dir/native")"
finish
