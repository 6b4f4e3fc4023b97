#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Known numbers: what fx_known says it did is what the table of `tracer -c` and -C says, with
# every engine, and what the program saw is what it sees natively.  COUNTS=short
# is a part of it for make check; COUNTS_PARTS names parts.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
engines=${COUNTS_ENGINES:-ptrace inproc}
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
known=0
# -c alone copies no arguments: those of all parts are copied where all of them are run
table=$dir/table told="-c -o $table"
[ "${COUNTS:-all}" = all ] && table=$dir/err told="-C -o /dev/null --format record"

# Cases that are known to fail, with what docs/LIMITS.md says about them: "ENGINE NAME".
is_known() {
	grep -v '^#' "$srcdir/tests/differential/known.tbl" | grep -qx "counts $1 $2"
}

wrong() {
	if is_known "$engine" "$name"; then
		echo "KNOWN $engine $name: $*"
		known=$((known + 1))
	else
		fail "$engine $name: $*"
	fi
	again=no
}

# calls NAME: its row of the table
calls() {
	awk -v n="$1" '$NF == n { print $4; found = 1 } END { if (!found) print 0 }' "$table"
}

# part NAME COMMAND...: natively, then with each engine
part() {
	name=$1
	shift
	case " ${COUNTS_PARTS:-$name} " in *" $name "*) ;; *) return ;; esac
	timeout 60 ${as:-} "$@" >"$dir/native" 2>&1 </dev/null
	native=$?
	for engine in $engines; do
		again=yes
		timeout -k 5 120 ${as:-} "${traced_by:-$tracer}" -qq $told --stats=engine --engine "$engine" ${options:-} -- "$@" \
			>"$dir/traced" 2>"$dir/err" </dev/null
		status=$?
		[ $status = $native ] || { wrong "status $status, not $native: $(tail -n 2 "$dir/traced" "$dir/err")"; continue; }
		# what was counted, and how much of it is luck, is another matter
		for f in native traced; do
			grep -v -e '^count ' -e '^slack ' "$dir/$f" >"$dir/$f.same"
		done
		cmp -s "$dir/native.same" "$dir/traced.same" ||
			wrong "another output: $(diff "$dir/native.same" "$dir/traced.same" | head -n 4)"
		grep -q 'lost 0, bad 0' "$dir/err" || wrong "records were lost: $(grep 'lost' "$dir/err")"
		while read -r count call n; do
			[ "$count" = count ] || continue
			got=$(calls "$call")
			slack=$(awk -v c="$call" '$1 == "slack" && $2 == c { print $3 }' "$dir/traced")
			[ "$got" -le "$n" ] && [ "$got" -ge $((n - ${slack:-0})) ] ||
				wrong "$call: $got calls in the table, $n made"
		done <"$dir/traced"
		[ $again = no ] || { pass; echo "ok   $engine $name: $(grep '^count' "$dir/traced" | cut -d' ' -f2- | tr '\n' ' ')"; }
	done
}

fxk=$fx/fx_known
mkdir "$dir/root"
busybox=$(command -v busybox) && cp "$busybox" "$dir/root/busybox"
chmod 755 "$dir" "$dir/root"

# The check can fail: a table that says one less.
cat >"$table" <<E
 1 2 3 999 getppid
E
[ "$(calls getppid)" = 999 ] && [ "$(calls getsid)" = 0 ] || fail "the twin"

part loop "$fxk" loop 20000
part threads-4 "$fxk" threads 4
part pointers-blocked "$fxk" pointers blocked
part vectors "$fxk" vectors
part odd-stack "$fxk" odd-stack
part interrupted "$fxk" interrupted
part returns "$fxk" returns
part stacks "$fxk" stacks
part ignored "$fxk" ignored
# Places of calls that nobody has met before.
options="--site-cache none"
part pages "$fxk" pages
part site-forks "$fxk" site-forks
part page-trap "$fxk" page-trap
options=
# A call now and then among six threads that stop at every call: those make millions where it does not get its turn.
all=$engines
for engines in $all; do
	: >"$table"
	part turns "$fxk" turns
	[ "$(calls getppid)" -lt 200000 ] || fail "$engines turns: $(calls getppid) calls of others"
done
engines=$all
[ "${COUNTS:-all}" = all ] || { echo "$known known to fail"; finish; }
part threads-50 "$fxk" threads 50
part pipes "$fxk" pipes
part futexes "$fxk" futexes
part alarms "$fxk" alarms
part killed "$fxk" killed
part cancels "$fxk" cancels
part forks "$fxk" forks
part spawns "$fxk" spawns
part gs "$fxk" gs
part dispatch "$fxk" dispatch
part left "$fxk" left
part filter "$fxk" filter
part filter-exec "$fxk" filter-exec
part jit "$fxk" jit
part jit-shared "$fxk" jit-shared
part dumpable "$fxk" dumpable
part close-all "$fxk" close-all
part limits "$fxk" limits
part limits-exec "$fxk" limits again
part crowded "$fxk" crowded
part pointers "$fxk" pointers handled
part pointers-ignored "$fxk" pointers ignored
part pointers-default "$fxk" pointers default
[ -x "$dir/root/busybox" ] && part chroot "$fxk" chroot "$dir/root"
# A ring that is full again and again loses nothing.
options="--ring-size=64K"
part small-ring-loop "$fxk" loop 50000
part small-ring-threads "$fxk" threads 4
part small-ring-returns "$fxk" returns
part small-ring-alarms "$fxk" alarms
part small-ring-killed "$fxk" killed
part small-ring-pointers "$fxk" pointers blocked
options=
# What is dropped is counted, to the last call: the rest is in the table.
total() { awk '$NF == "total" { print $4 }' "$1"; }
drops() {
	name=drops
	case " ${COUNTS_PARTS:-$name} " in *" $name "*) ;; *) return ;; esac
	for engine in $engines; do
		"$tracer" -qq -c -o "$dir/table" --engine "$engine" -- "$fxk" loop 50000 >/dev/null 2>"$dir/err"
		"$tracer" -c -o "$dir/table.drop" --engine "$engine" --overflow drop --ring-size 64K \
			-- "$fxk" loop 50000 >/dev/null 2>"$dir/err"
		lost=$(sed -n 's/^tracer: \([0-9,]*\) calls were not recorded.*/\1/p' "$dir/err" | tr -d ,)
		sum=$(($(total "$dir/table.drop") + ${lost:-0}))
		# an end, a birth or a mark of the loss that found no room is counted, too
		[ $sum -ge "$(total "$dir/table")" ] && [ $sum -le $(($(total "$dir/table") + 4)) ] ||
			fail "$engine: $(total "$dir/table.drop") in the table and ${lost:-0} dropped, not $(total "$dir/table")"
		pass
		echo "ok   $engine drops: $(total "$dir/table.drop") recorded, ${lost:-0} dropped"
	done
}
drops
# As a user who may not look into everything.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir "$dir/bin"
	cp "$tracer" "$fxk" "$dir/bin"
	: >"$dir/table"
	chown 65534 "$dir/table"
	chmod -R a+rX "$dir"
	as="setpriv --reuid=65534 --regid=65534 --clear-groups"
	traced_by=$dir/bin/tracer
	if $as "$traced_by" -qqq --engine inproc -o "$dir/table" true 2>"$dir/err"; then
		for p in loop threads forks dumpable alarms filter chroot; do
			part user-$p "$dir/bin/fx_known" $p $([ $p = chroot ] && echo "$dir/root")
		done
	else
		echo "-    as another user: $(cat "$dir/err")"
	fi
	as= traced_by=
else
	echo "-    as another user: we are not root"
fi
# Libraries that take each other's place; C++ and musl, where there are compilers.
if ${CC:-cc} -shared -fPIC -O1 -o "$dir/l1.so" "$srcdir/fixtures/fx_library.c" 2>"$dir/err" &&
	${CC:-cc} -shared -fPIC -O1 -DNR=124 '-DSHIFT="nop\n\t"' -o "$dir/l2.so" "$srcdir/fixtures/fx_library.c"; then
	part libraries "$fxk" libraries "$dir/l1.so" "$dir/l2.so"
else
	fail "libraries: $(cat "$dir/err")"
fi
if command -v g++ >/dev/null && g++ -O1 -g -fnon-call-exceptions -pthread -o "$dir/unwind" "$srcdir/fixtures/fx_unwind.cc"; then
	part unwind "$dir/unwind"
else
	echo "-    unwind: no g++ on this machine"
fi
if command -v musl-gcc >/dev/null; then
	musl-gcc -O1 -static -o "$dir/musl-static" "$srcdir/fixtures/fx_musl.c" && part musl-static "$dir/musl-static"
	musl-gcc -O1 -o "$dir/musl-dynamic" "$srcdir/fixtures/fx_musl.c" && part musl-dynamic "$dir/musl-dynamic"
else
	echo "-    musl: no musl-gcc on this machine"
fi
for f in fx_births fx_thread_exec fx_restart fx_i386 fx_int80 fx_seccomp fx_group_stop; do
	[ -x "$fx/$f" ] && part $f "$fx/$f" $([ $f = fx_thread_exec ] && echo 5)
done
echo "$known known to fail"
finish
