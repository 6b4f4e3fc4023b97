#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Memory that a program has for itself, alone and recording its own calls: it may grow by its threads' blocks and
# stacks, by what was touched of their rings, and by REST KiB, where every call site is met for the first time (cold),
# where they are known (warm), and where two processes run the same code (pair), and real programs by their code.  By kind of mapping; address space
# is told as well.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
[ -r /proc/self/smaps ] || { echo "no /proc/PID/smaps here"; exit 77; }
SLOT=16		# KiB of a thread's block and stack
REST=64
started=
trap 'kill -KILL $started 2>/dev/null; rm -rf "$dir"' EXIT

# kinds PID: "KIND KiB of its own, KiB of these that are no file's, KiB of address space", a line each
kinds() {
	awk '
	function done() {
		# clean pages of its files are the page cache, whoever has mapped them
		if (kind != "") { own[kind] += kind == "code" ? an : pc + pd; anon[kind] += an; size[kind] += kib }
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
	slots=$(own slots "$3")
	rest=$(($(own . "$3") - $(own . "$dir/native") - slots - $(own rings "$3")))
	anon=$(($(column 3 "$3") - $(column 3 "$dir/native") - slots))
	echo "$1, $2 threads: $rest KiB more, $anon without files (at most $REST), blocks and stacks $slots KiB; alone -> recorded:"
	for k in data code vdso image copies rings slots; do
		echo "    $k $(own $k "$dir/native") -> $(own $k "$3")"
	done
	echo "    address space $(column 4 "$dir/native") -> $(column 4 "$3")"
	[ "$slots" -gt 0 ] && [ "$slots" -le $(($2 * SLOT)) ] || fail "$1, $2 threads: $slots KiB of blocks and stacks"
	[ "$rest" -le "$REST" ] && [ "$anon" -le "$REST" ] && pass || fail "$1, $2 threads: $rest and $anon KiB"
}

# judge_kinds NAME CASE FILE: a program whose own memory is another one each time, by what is never its own
judge_kinds() {
	rest=0
	for k in code vdso image copies; do
		rest=$((rest + $(own $k "$3") - $(own $k "$dir/native")))
	done
	echo "$1, $2: $rest KiB more of code (at most $REST)"
	[ "$(own slots "$3")" -gt 0 ] && [ "$rest" -le "$REST" ] && pass || fail "$1, $2: $rest KiB"
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

mkfifo "$dir/fifo"
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

# real NAME COMMAND...: which says "ready PID" and stands still
real() {
	name=$1
	shift
	command -v "$1" >/dev/null || { echo "no $1"; return; }
	"$@" >"$dir/ready" </dev/null &
	tracing=$!
	until_ready 1 "$dir/ready"
	cp "$dir/native" "$dir/still"
	look $pids native
	ended
	rm -rf "$dir/cache"
	for case in cold warm; do
		recorded "$@"
		until_ready 1 "$dir/ready"
		started=$pids
		look $pids $case
		ended
		judge_kinds $name $case "$dir/$case"
	done
	mv "$dir/still" "$dir/native"
}
real bash bash -c 'shopt -s nullglob; for f in /usr/*/*; do [ -x "$f" ] && n=$((n + 1)); done
	x=$(echo "$n" | cat); echo "ready $$"; exec 3<>"$1"; read -r x <&3; echo "$x"' bash "$dir/fifo"
real python3 python3 -c 'import json, os, subprocess, threading, time
subprocess.run(["true"])
print("ready", os.getpid(), flush=True)
while True: time.sleep(60)'
real node node -e 'require("fs").readdirSync("/usr/bin"); console.log("ready " + process.pid); setInterval(() => 0, 60000)'

# The sum sees what is there: a program of many threads has stacks.
rest=$(own . "$dir/native")
"$fx/fx_still" 1 >"$dir/ready" &
tracing=$!
until_ready 1 "$dir/ready"
look $pids native
ended
[ "$rest" -ge $(($(own . "$dir/native") + 15 * 4)) ] && pass || fail "the twin: $rest KiB, and $(own . "$dir/native")"
finish
