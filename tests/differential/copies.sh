#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Patched copies of files: a program that is run again and again does not trap
# again and again, records and results stay what they are, and a file that was
# changed in place is what runs.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run=$builddir/engine-run
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" || { cat "$dir/err"; exit 77; }

# figure NAME: one of --stats=engine
figure() {
	awk -v n="$1" 'index($0, "  " n " ") { v = $NF } END { print v + 0 }' "$dir/err"
}

count() {
	"$tracer" -qq -c -o "$dir/table" --engine "${engine:-inproc}" --stats=engine -- "$@" >"$dir/out" 2>"$dir/err" </dev/null
}

calls() {
	awk -v n="$1" '$NF == n { print $4; found = 1 } END { if (!found) print 0 }' "$dir/table"
}

# ---- stops ----
loop='i=0; while [ $i -lt $0 ]; do /bin/true; i=$((i + 1)); done'
count sh -c "$loop" 3
few=$(figure "calls with one stop")
[ "$(figure "patched copies of files")" -le 2 ] && [ "$few" -ge 30 ] && pass || fail "three programs: $few stops"
count sh -c "$loop" 60
many=$(figure "calls with one stop") copies=$(figure "patched copies of files")
# a signal return, too, stops no more: the shell has one for each child
[ "$copies" -ge 2 ] && [ "$many" -lt $((few + 40)) ] && pass || fail "sixty programs: $copies copies, $many stops, not $few"
inproc=$(awk 'NF > 4 { print $4, $NF }' "$dir/table" | sort)
engine=ptrace count sh -c "$loop" 60
stops=$(awk 'NF > 4 { print $4, $NF }' "$dir/table" | sort)
[ "$(echo "$inproc" | grep -v -e total -e rt_sigreturn -e wait4)" = "$(echo "$stops" | grep -v -e total -e rt_sigreturn -e wait4)" ] && pass ||
	fail "another table: $(echo "$inproc" >"$dir/a"; echo "$stops" | diff "$dir/a" - | head -n 6)"

# ---- records and signals ----
warm='for i in 1 2 3 4; do /bin/true; ls /; env sleep 0; done >/dev/null;'
for part in cancels jumps blocked storms; do
	text="$warm $fx/fx_inproc $part"
	sh -c "$text" >"$dir/native" 2>/dev/null </dev/null
	native=$?
	timeout -k 5 120 "$run" -s -o "$dir/s" inproc:shadow sh -c "$text" >"$dir/traced" 2>"$dir/err" </dev/null
	status=$?
	[ $status = $native ] && cmp -s "$dir/native" "$dir/traced" && grep -q 'shadow: [1-9].* 0 differ' "$dir/err" && pass ||
		fail "$part: status $status, not $native; $(grep -o 'shadow: .*' "$dir/err"); $(diff "$dir/native" "$dir/traced" | head -n 4)"
done

# ---- a file that changes in place ----
library() {
	${CC:-cc} -shared -fPIC -O1 -DNR="$2" '-DSHIFT="nop\n\t"' -o "$dir/$1" "$srcdir/fixtures/fx_library.c" 2>"$dir/err"
}
if library one.so 121 && library two.so 124; then
	cp "$dir/one.so" "$dir/x.so"
	sleep 3	# what has just changed is not learnt
	text='i=0; while [ $i -lt 25 ]; do $0 libraries $1/x.so $1/x.so; i=$((i + 1)); done
	touch -r $1/x.so $1/stamp; cat $1/two.so >$1/x.so; touch -r $1/stamp $1/x.so; $0 libraries $1/x.so $1/x.so'
	engine=ptrace count sh -c "$text" "$fx/fx_known" "$dir"
	expected="$(calls getpgid) $(calls getsid)"
	cp "$dir/one.so" "$dir/x.so"
	sleep 3
	count sh -c "$text" "$fx/fx_known" "$dir"
	[ "$(calls getpgid) $(calls getsid)" = "$expected" ] && [ "$(calls getsid)" -gt 0 ] && pass ||
		fail "a changed library: $(calls getpgid) $(calls getsid), not $expected"
	[ "$(figure "patched copies of files")" -ge 3 ] && pass || fail "no copy of the library was made"
fi

# ---- sites that are met in a program that a copy is made of already, out of reach of the image ----
if ${CC:-cc} -O1 -no-pie -o "$dir/places" "$srcdir/fixtures/fx_places.c" 2>"$dir/err"; then
	sleep 3
	text='i=0; while [ $i -lt 25 ]; do $0; i=$((i + 1)); done; $0 more; $0 more'
	engine=ptrace count sh -c "$text" "$dir/places"
	expected="$(calls getppid) $(calls getuid)"
	count sh -c "$text" "$dir/places"
	[ "$(sort "$dir/out" | uniq -c | tr -d '\n')" = "     27 ok" ] && pass || fail "places: $(sort "$dir/out" | uniq -c)"
	[ "$(calls getppid) $(calls getuid)" = "$expected" ] && pass || fail "places: $(calls getppid) $(calls getuid), not $expected"
	[ "$(figure "patched copies of files")" -ge 3 ] && pass || fail "no copy of the program was made"
fi
finish
