#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The data of src/syscalls: numbers and constants agree with this system's
# headers, generators refuse bad input and write the same with every awk, and
# no file is forgotten in the makefile.  Each check is shown to be able to fail.
srcdir=${srcdir:-.}
dir=$srcdir/src/syscalls
AWK=${AWK:-awk}
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0
fail() { printf '%s\n' "$*"; bad=1; }

# --- numbers: every one that the header has is ours, under the same name
compare() { # number file, header
	echo "#include <$2>" | $CC -E -dM - 2>/dev/null |
		$AWK '$2 ~ /^__NR_/ && $3 ~ /^[0-9]+$/ { print $3, substr($2, 6) }' >"$tmp/header"
	[ "$(wc -l <"$tmp/header")" -gt 300 ] || { echo "$2: not there, numbers not compared"; return 0; }
	$AWK '/^#/ || NF == 0 { next } NR == FNR { ours[$1] = $2; next }
		ours[$1] != $2 { print $1, $2 " is " (ours[$1] == "" ? "missing" : ours[$1]); bad = 1 }
		END { exit bad }' "$1" "$tmp/header"
}
compare "$dir/nr-x86_64.tbl" asm/unistd_64.h || fail "nr-x86_64.tbl is wrong"
compare "$dir/nr-i386.tbl" asm/unistd_32.h || fail "nr-i386.tbl is wrong"
sed 's/^257 openat$/257 opennat/' "$dir/nr-x86_64.tbl" >"$tmp/nr-x86_64.tbl"
if [ -s "$tmp/header" ] && compare "$tmp/nr-x86_64.tbl" asm/unistd_64.h >/dev/null; then
	fail "a wrong number is not seen"
fi

# --- constants
check_set() { $AWK -v mode=check -f "$dir/gen-xlat.awk" "$1" | $CC -w -x c -fsyntax-only - 2>"$tmp/err"; }
for set in "$dir"/xlat/*.xlat; do
	grep -q '^header' "$set" || continue
	if check_set "$set"; then
		asserts=$((${asserts:-0} + 1))
	elif grep -q 'static.assert' "$tmp/err"; then
		grep error "$tmp/err" | head -3
		fail "$set disagrees with the headers"
	else
		echo "$set: not compared: $(grep -m1 error "$tmp/err")"
	fi
done
[ "${asserts:-0}" -gt 100 ] || fail "only ${asserts:-0} sets were compared"
sed 's/^O_CREAT .*/O_CREAT 0x41/' "$dir/xlat/open_flags.xlat" >"$tmp/open_flags.xlat"
check_set "$tmp/open_flags.xlat" || grep -q 'static.assert' "$tmp/err" || fail "other words for a wrong constant"
check_set "$tmp/open_flags.xlat" && fail "a wrong constant is not seen"

# --- the makefile names every set
for set in "$dir"/xlat/*.xlat; do
	grep -q "xlat/${set##*/}\( \\\\\)\{0,1\}\$" "$dir/Makemodule.am" || fail "Makemodule.am does not name ${set##*/}"
done

# --- generators: short, the same with every awk
for gen in "$dir"/*.awk; do
	[ "$(wc -l <"$gen")" -le 120 ] || fail "$gen has more than 120 lines"
done
generate() { # awk, table, number file
	LC_ALL=C $1 -f "$dir/read-table.awk" -f "$dir/gen-syscalls.awk" "$dir/kinds.def" "$2" "$3" "$dir/nr-i386.tbl"
}
for awk in mawk gawk 'busybox awk' original-awk; do
	$awk 'BEGIN { exit 0 }' </dev/null 2>/dev/null || continue
	generate "$awk" "$dir/table.def" "$dir/nr-x86_64.tbl" >"$tmp/out" || fail "$awk cannot make the table"
	[ -f "$tmp/first" ] || mv "$tmp/out" "$tmp/first"
	[ ! -f "$tmp/out" ] || cmp -s "$tmp/first" "$tmp/out" || fail "$awk makes another table"
	LC_ALL=C $awk -v mode=c -f "$dir/gen-xlat.awk" "$dir"/xlat/[a-hj-z]*.xlat >"$tmp/xout" || fail "$awk cannot make the sets"
	[ -f "$tmp/xfirst" ] || mv "$tmp/xout" "$tmp/xfirst"
	[ ! -f "$tmp/xout" ] || cmp -s "$tmp/xfirst" "$tmp/xout" || fail "$awk makes other sets"
done

# --- what the table's generator must refuse: sed script | words of the message
refuse() {
	sed "$1" "$dir/table.def" >"$tmp/table.def"
	cmp -s "$tmp/table.def" "$dir/table.def" && fail "nothing changed: $1"
	generate "$AWK" "$tmp/table.def" "$dir/nr-x86_64.tbl" >/dev/null 2>"$tmp/err" && fail "accepted: $1"
	grep -q "$2" "$tmp/err" || { cat "$tmp/err"; fail "other words than '$2' for: $1"; }
}
refuse 's/^read fd:fd/read fd:fdd/' 'unknown kind fdd'
refuse 's/^read fd:fd /read fd /' 'an argument is name:kind'
refuse '/^read fd/d' 'no row in table.def for read'
refuse 's/^read fd/write fd/' 'row write is there twice'
refuse 's/^afs_syscall/afs_systemcall/' 'no row in table.def for afs_syscall'
refuse '$s/$/\nno_such_call -> int/' 'no number for row no_such_call'
refuse 's/buf:buf.ret(count)/buf:buf.back(count)/' 'unknown direction'
refuse 's/buf:buf.ret(count)/buf:buf/' 'direction missing'
refuse 's/^write \(.*\)buf.in(count)/write \1buf.in(len)/' 'no argument len'
refuse 's/^write \(.*\)buf.in(count)/write \1buf.in/' 'length missing'
refuse 's/^open \(.*\)flags(open_flags)/open \1flags/' 'wrong parameter'
refuse 's/^read \(.*\) desc /read \1 dessc /' 'neither class nor flag'
refuse 's/^read \(.*\)-> size/read \1-> sizes/' 'what it returns'
refuse 's/^open \(.*\)state=/open \1stat=/' 'unknown attribute'
refuse 's/^open \(.*\)-readonly=/open \1-sometimes=/' 'unknown attribute'
refuse 's/^mmap addr:addr/mmap more:int addr:addr/' 'more than 6 arguments'
refuse 's/^pread64@i386/pread64@arm/' 'unknown ABI'

# --- and that of the sets
refuse_set() {
	printf '%b' "$1" >"$tmp/set.xlat"
	$AWK -v mode=c -f "$dir/gen-xlat.awk" "$tmp/set.xlat" >/dev/null 2>"$tmp/err" && fail "accepted: $1"
	grep -q "$2" "$tmp/err" || { cat "$tmp/err"; fail "other words than '$2' for: $1"; }
}
refuse_set 'enum\nA 1\nB 1\n' 'same value'
refuse_set 'flags\nA 1\nA 2\n' 'twice'
refuse_set 'A 1\n' 'must come first'
refuse_set 'enum\nA x\n' 'not a number'
refuse_set 'enum\nA 1 2\n' 'NAME VALUE'
refuse_set 'enum\n' 'empty set'
printf 'enum\nA 1\nB 0x10\nC 1<<4\n' >"$tmp/set.xlat"
$AWK -v mode=c -f "$dir/gen-xlat.awk" "$tmp/set.xlat" >/dev/null 2>&1 && fail "0x10 and 1<<4 are the same value"
printf 'enum\nA 010\nB -1\nC 1<<40\n' >"$tmp/set.xlat"
$AWK -v mode=c -f "$dir/gen-xlat.awk" "$tmp/set.xlat" >"$tmp/out" || fail "a good set is refused"
[ "$(sed -n 's/.*"\([A-C]\)" },$/\1/p' "$tmp/out" | tr -d '\n')" = ACB ] || fail "members are not sorted as unsigned numbers"
exit $bad
