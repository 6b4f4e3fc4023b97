#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Exactly once: programs that make a known number of calls, recorded in the
# program, must have made that number and must not have noticed.  The ring is
# small, so that it is full again and again.  Then: the same counts by stops
# and in the program, and a process that is let go alive.
set -u
run=$builddir/engine-run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAIL: $*"; failed=1; }

"$run" -c -o /dev/null inproc /bin/true 2>"$work/err"
[ $? != 77 ] || { cat "$work/err"; exit 77; }

# count NAME: as recorded
count() { awk -v n="$1" '$1 == n { print $2 + $3 }' "$work/counts"; }

known() {
	engine=$1; shift
	timeout 120 "$run" -c -r 65536 -v -o "$work/counts" "$engine" "$builddir/fx_inproc" "$@" \
		>"$work/out" 2>"$work/err" </dev/null || { fail "$engine $*: status $?"; tail -n 3 "$work/err"; return; }
	grep -q 'WRONG' "$work/out" && { fail "$engine $*"; cat "$work/out"; }
	grep -q 'lost: 0, bad rings: 0, dropped: 0' "$work/err" || { fail "$engine $*: records lost"; tail -n 1 "$work/err"; }
	while read -r name n; do
		case $name in remapped|cancelled) continue;; esac
		[ "$n" != -1 ] || { echo "SKIP $*: no timer"; continue; }
		[ "$(count "$name")" = "$n" ] || fail "$engine $*: $name: $(count "$name"), not $n"
	done <"$work/out"
	echo "ok: $engine $*: $(tr '\n' ' ' <"$work/out")"
}
for part in loop threads storms alarms jumps blocked registers remaps cancels steps gs clock; do
	known inproc $part
done
known inproc:sud-prctl threads storms
known ptrace registers steps gs clock
# the check itself must be able to fail
sed 's/^getpid .*/getpid 1 0/' "$work/counts" >"$work/false" && mv "$work/false" "$work/counts"
[ "$(count getpid)" != 2000 ] || fail "the twin"

both_engines() {
	for engine in ptrace inproc; do
		timeout 60 "$run" -c -o "$work/counts.$engine" $engine "$builddir/$1" \
			>"$work/out.$engine" 2>"$work/err" </dev/null
		echo "status $?" >>"$work/out.$engine"
		# how often threads wait for each other is a matter of luck
		sed -i '/^futex /d' "$work/counts.$engine"
	done
}

for f in fx_threads fx_births fx_restart fx_badptr fx_thread_exec fx_seccomp fx_int80; do
	[ -x "$builddir/$f" ] || continue
	# a busy machine may interrupt a sleep of one run and not of the other: then both run again
	for attempt in 1 2 3; do
		both_engines $f
		cmp -s "$work/out.ptrace" "$work/out.inproc" || { fail "$f: another output"; break; }
		cmp -s "$work/counts.ptrace" "$work/counts.inproc" && break
	done
	if cmp -s "$work/counts.ptrace" "$work/counts.inproc"; then
		echo "ok: $f"
	else
		fail "$f: other counts, $attempt times"; diff "$work/counts.ptrace" "$work/counts.inproc"
	fi
done

# What is left when the root ends goes on, unpatched.
timeout 60 "$run" -d -c -o /dev/null inproc sh -c "(sleep 0.3; echo one; /bin/true; sleep 0.3; echo two) >$work/left & exit 0" \
	>"$work/out" 2>"$work/err" || fail "status of a root that leaves somebody behind"
i=0
while [ $i -lt 100 ] && ! grep -q two "$work/left"; do sleep 0.1; i=$((i + 1)); done
[ "$(tr '\n' ' ' <"$work/left")" = "one two " ] || fail "the process left behind did not go on"
exit $failed
