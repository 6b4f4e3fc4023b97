#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ptrace and inproc tell the same: for programs that do the same thing each
# time, every task's calls, arguments, captured bytes and results are equal,
# record by record, and so is the exit status.  A program that is not
# the same in two runs by ptrace is named and proves nothing.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run=$builddir/engine-run
"$run" -c -o /dev/null inproc /bin/true 2>"$dir/err"
[ $? != 77 ] || { cat "$dir/err"; exit 77; }
fixed=
! setarch -R true 2>/dev/null || fixed="setarch -R"
known=0 moving= only=.

is_known() {
	grep -v '^#' "$srcdir/tests/differential/known.tbl" | grep -qx "engines inproc $1"
}

# record ENGINE NAME COMMAND...: each task's records in their order, remarks of the engine aside
record() {
	rm -rf "$dir/w"
	mkdir "$dir/w"
	engine=$1 to=$2
	shift 2
	(cd "$dir/w" && timeout -k 5 60 $fixed "$run" -S 64 -o "$dir/records" "$engine" "$@") \
		>/dev/null 2>"$dir/err" </dev/null
	echo "status $?" >"$dir/$to.out"
	# a call that begins again is seen by who is stopped; how often is luck.  So are pids and what
	# the kernel writes about them, about time and at random.
	grep -v -e '^#' -e ')=-51[2346]' "$dir/records" | grep "$only" |
		sed -e 's/ get\(ppid()\|sid(0)\|pgid(0)\)=.*/ get\1=N/' -e '/ \(getrandom\|sysinfo\|rt_sigqueueinfo\|clock_[a-z]*\)(/s/ \[.*//' | LC_ALL=C sort -s -k1,1 >"$dir/$to.records"
}

same() {
	name=$1
	shift
	record ptrace a "$@"
	record ptrace b "$@"
	record inproc c "$@"
	if ! cmp -s "$dir/a.records" "$dir/b.records"; then
		moving="$moving $name"
		[ -z "${ENGINES_VERBOSE:-}" ] || diff "$dir/a.records" "$dir/b.records" | head -n 6
		return
	fi
	if cmp -s "$dir/a.out" "$dir/c.out" && cmp -s "$dir/a.records" "$dir/c.records"; then
		pass
		echo "ok   $name: $(wc -l <"$dir/c.records") records"
	elif is_known "$name"; then
		known=$((known + 1))
		echo "KNOWN $name"
	else
		fail "$name: $(diff "$dir/a.out" "$dir/c.out" | head -n 4; diff "$dir/a.records" "$dir/c.records" | cut -c1-300 | head -n 8)"
	fi
}

same true true
same ls ls -n /usr/include/linux
same cat cat /etc/passwd /nonexistent
same find find /usr/include/linux -name 's*'
same dd dd status=none if=/dev/zero of=/dev/null bs=512 count=20
same sh sh -c 'umask 077; cd /; echo $(echo a; (exit 3)); kill -0 $$'
same wc wc -l /etc/passwd
# not a script that finds one
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
if [ -n "$python" ]; then
	same python3 "$python" -I -S -c 'import os; os.mkdir("d"); os.rmdir("d"); print(os.stat("/").st_mode)'
	only=^E		# births and what else is no call
	same setuid "$python" -I -S -c 'import os, sys
try: os.setuid(65534)
except OSError: pass
if os.fork() == 0: os._exit(3)
os.wait()'
	only=.
fi
same busybox busybox ls /usr/include/linux
for f in "fx_badptr" "fx_births" "fx_known loop 100" "fx_known pointers blocked" "fx_known jit" \
	"fx_known odd-stack" "fx_known vectors" "fx_known filter" "fx_known gs" "fx_known dispatch" "fx_known close-all" \
	"fx_signals self 20" "fx_signals blocked 20" "fx_signals fault" "fx_end segv" "fx_end exit 3" \
	"fx_int80" "fx_seccomp" "fx_i386" "fx_dumpable"; do
	set -- $f
	[ -x "$fx/$1" ] || continue
	program=$fx/$1
	shift
	same "$f" "$program" "$@"
done
# whether a join finds the thread gone is luck
only='^E\| get\| prctl'
same context "$fx/fx_context" 11112222333344445555666677778888 01
only=.
[ -z "$moving" ] || echo "not the same in two runs by ptrace:$moving"

# The comparison can fail: one byte more.
record ptrace a "$fx/fx_known" loop 10
record ptrace b "$fx/fx_known" loop 11
cmp -s "$dir/a.records" "$dir/b.records" && fail "the twin"
[ $good -ge 15 ] || fail "only $good programs could be compared"
echo "$known known to fail"
finish
