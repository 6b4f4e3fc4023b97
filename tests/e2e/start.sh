#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a program starts with, and how tracer says that nothing can be started: wrong files behind the paths by
# which a program gets the agent, an agent that finds no room, no /proc, few open files, a tracer around tracer.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
unset TRACER_ENGINE
# arguments: text, pattern, file
has() {
	grep -q -- "$2" "$3" && pass || fail "$1: no '$2' in: $(head -5 "$3")"
}
hasnt() {
	! grep -q -- "$2" "$3" && pass || fail "$1: '$2' in: $(head -5 "$3")"
}
# the in-process engine works here
"$tracer" --engine inproc --stats=engine -o "$dir/o" true 2>"$dir/err" && grep -q "injections *1" "$dir/err"
inproc=$?

if [ $inproc = 0 ]; then
	# An agent that finds no room leaves nothing behind.  (A sanitizer's own memory is more than the limit.)
	if (ulimit -v 400000; exec "$tracer" --version) >/dev/null 2>&1; then
		(ulimit -v 400000; exec "$fx/fx_large") >"$dir/native"
		has "the test itself" "room: yes" "$dir/native"
		(ulimit -v 400000; exec "$tracer" --engine inproc -o "$dir/o" "$fx/fx_large") >"$dir/out" 2>"$dir/err"
		has "no room" "the agent could not be mapped: Cannot allocate memory" "$dir/err"
		cmp -s "$dir/native" "$dir/out" && pass || fail "no room: $(cat "$dir/out")"
		"$tracer" --engine inproc -o "$dir/o" "$fx/fx_large" small >"$dir/out" 2>"$dir/err"
		hasnt "room" "by stops" "$dir/err"
		hasnt "room" "mapped: 0" "$dir/out"
	else
		echo "-    no room: tracer itself has no room under ulimit -v"
	fi

	# One line for each reason, however many processes; the count is of processes.
	command -v setpriv >/dev/null && [ "$(id -u)" = 0 ] && {
		"$tracer" --engine inproc --stats=engine -o "$dir/o" setpriv --reuid 65534 --clear-groups \
			sh -c 'for i in 1 2 3 4 5; do /bin/true; done' 2>"$dir/err"
		[ "$(grep -c 'traced by stops: the agent could not be mapped: Permission' "$dir/err")" = 1 ] && pass ||
			fail "lines: $(cat "$dir/err")"
		has "count" "fall-backs *6$" "$dir/err"

		# What may be executed and not read has no other reason; the twin may be read.
		chmod 755 "$dir"
		for mode in 111 755; do
			cp /bin/true "$dir/$mode" && chmod $mode "$dir/$mode"
			setpriv --reuid 65534 --clear-groups "$tracer" --engine inproc -o /dev/null "$dir/$mode" 2>"$dir/err"
			case $mode:$? in
			111:0) has "not readable" "by stops: its memory may not be read" "$dir/err" ;;
			755:0) hasnt "readable" "by stops" "$dir/err" ;;
			*) echo "another user cannot run tracer here" ;;
			esac
		done
	}

	# (LeakSanitizer, where it is built in, cannot work in what is traced)
	ASAN_OPTIONS=detect_leaks=0 "$tracer" -q -o "$dir/o" "$tracer" --engine inproc -o "$dir/o2" true >"$dir/out" 2>"$dir/err"
	[ $? = 125 ] && pass || fail "tracer in tracer: exit status"
	has "tracer in tracer" "already traced by pid [0-9]" "$dir/err"
	hasnt "tracer in tracer" "vDSO" "$dir/err"
	ASAN_OPTIONS=detect_leaks=0 "$tracer" -q -o "$dir/o" "$tracer" -o "$dir/o2" true >"$dir/out" 2>"$dir/err"
	has "tracer in tracer, auto" "It is already traced by pid [0-9]" "$dir/err"
fi

# Few open files: either it works or one line says what to do; what works is not called another name.
for engine in inproc ptrace auto; do
	n=5
	while [ $n -le 24 ]; do
		(ulimit -n $n; exec "$tracer" --engine $engine -o "$dir/o" echo here) >"$dir/out" 2>"$dir/err"
		rc=$?
		if [ $rc = 0 ]; then
			has "$engine, ulimit -n $n" here "$dir/out"
			hasnt "$engine, ulimit -n $n" "not dumpable" "$dir/err"
		else
			[ $rc = 125 ] && [ "$(grep -c . "$dir/err")" = 1 ] && pass || fail "$engine, ulimit -n $n: $rc $(cat "$dir/err")"
			has "$engine, ulimit -n $n" "ulimit -n" "$dir/err"
		fi
		case $engine:$n:$rc in
		*:5:0) fail "the test itself: ulimit -n 5 is enough" ;;
		ptrace:12:0 | auto:12:0 | inproc:24:0) pass ;;
		ptrace:12:* | auto:12:* | inproc:24:*) fail "$engine, ulimit -n $n: $(cat "$dir/err")" ;;
		esac
		n=$((n + 1))
	done
done

# What auto's first choice needs is forbidden by a container's filter (memfd_create): the other engine takes it.
if [ $inproc = 0 ] && [ "$(uname -m)" = x86_64 ]; then
	"$fx/fx_seccomp" 319 "$tracer" -v -o "$dir/o" echo here >"$dir/out" 2>"$dir/err"
	[ $? = 0 ] && pass || fail "no memfd_create, auto: $(cat "$dir/err")"
	has "no memfd_create, auto" here "$dir/out"
	has "no memfd_create, auto" "engine ptrace: the inproc engine could not be opened: Operation not permitted" "$dir/err"
	"$fx/fx_seccomp" 319 "$tracer" --engine inproc -o "$dir/o" echo here >"$dir/out" 2>"$dir/err"
	[ $? = 125 ] && pass || fail "no memfd_create, by name: $(cat "$dir/err")"
	"$fx/fx_seccomp" 319 "$tracer" -o "$dir/o" echo here >"$dir/out" 2>"$dir/err"
	[ $? = 0 ] && [ ! -s "$dir/err" ] && pass || fail "no memfd_create, without -v: $(cat "$dir/err")"
fi

# In a mount namespace of our own.
if ! unshare -m true 2>/dev/null; then
	finish
fi
run_ns() { unshare -m sh -uc "$1" sh "$tracer" "$dir"; }

# (A sanitizer needs /proc itself, at its end.)
if ! grep -qs '__[atu]*san_init' "$builddir/.libs/tracer" "$builddir/tracer"; then
	run_ns 'mount -t tmpfs none /proc; "$1" --engine inproc -o "$2/o" echo here' >"$dir/out" 2>"$dir/err"
	[ $? = 125 ] && pass || fail "no /proc: exit status"
	has "no /proc" "needs /proc" "$dir/err"
	run_ns 'mount -t tmpfs none /proc; "$1" -o "$2/o" echo here' >"$dir/out" 2>"$dir/err"
	[ $? = 0 ] && pass || fail "no /proc, auto: $(cat "$dir/err")"
	has "no /proc, auto" here "$dir/out"
fi

# A PID namespace of our own and the /proc of another one, where the program's number is a decoy's: nothing of the decoy
# is told or touched, captured bytes are there all the same.  The twin: our own /proc.
cat >"$dir/collide" <<'EOF'
n=1
while [ $n -le 8 ]; do
	echo $(($3 - n)) >/proc/sys/kernel/ns_last_pid || exit 77
	"$1" --engine ptrace -v --propagate -o "$2/o.$n" --format json /bin/echo here || exit
	grep -q "\"tid\":$3[,}]" "$2/o.$n" && cp "$2/o.$n" "$2/hit"
	n=$((n + 1))
done
EOF
rm -f "$dir/hit"
sleep 60 &
decoy=$!
# nor does LeakSanitizer find itself there
ASAN_OPTIONS=detect_leaks=0 unshare -pf sh "$dir/collide" "$tracer" "$dir" $decoy >"$dir/out" 2>"$dir/err"
rc=$?
if [ $rc = 77 ]; then
	echo "-    the number of a process cannot be chosen here"
else
	[ $rc = 0 ] && [ -f "$dir/hit" ] && pass || fail "collide: $rc, $(cat "$dir/err")"
	hasnt "collide" sleep "$dir/hit"
	has "collide, captured" '"execve".*/bin/echo' "$dir/hit"
	hasnt "collide" "may not be read" "$dir/err"
	unshare -pf --mount-proc "$tracer" --engine ptrace -v -o "$dir/hit" --format json /bin/echo here >"$dir/out" 2>"$dir/err"
	has "collide, twin" '"exec",.*"exe":"[^"]*/echo"' "$dir/hit"
	ASAN_OPTIONS=detect_leaks=0 unshare -pf sh -c '/bin/sleep 60 & "$1" -p $!; kill $!' sh "$tracer" >"$dir/out" 2>"$dir/err"
	has "attach without /proc" "mount -t proc" "$dir/err"
fi
kill $decoy

[ $inproc = 0 ] || finish
# Its own PID namespace and /proc, where our number is somebody else's, who has files open.  The twin: ours.
cat >"$dir/nested" <<'EOF'
for fd in 3 4 5 6 7 8 9; do eval "exec $fd<>$2/decoy"; done
for i in 1 2 3 4 5 6 7 8; do sleep 1 & done
for i in 1 2 3 4 5 6; do /bin/echo here; done
EOF
head -c 400000 /dev/zero | tr '\0' '\314' >"$dir/decoy"
for how in "unshare -mpf --mount-proc" "env"; do
	unshare -mpf --mount-proc "$tracer" --engine inproc --stats=engine -o "$dir/o" $how sh "$dir/nested" x "$dir" \
		>"$dir/out" 2>"$dir/err"
	[ $? = 0 ] && [ "$(grep -c here "$dir/out")" = 6 ] && pass || fail "$how: $(cat "$dir/out" "$dir/err")"
	n=$(grep -c "its /proc does not show the tracer" "$dir/err")
	[ "$n" = $((${#how} > 3)) ] && pass || fail "$how: $(cat "$dir/err")"
done

# The path leads us to the right file and the program to another one: the loader itself looks.
cat >"$dir/astray" <<'EOF'
root=$2/root
mkdir -p "$root/usr" "$root/mnt/p/$$/fd"
mount -t tmpfs none /mnt && ln -s /proc /mnt/p && mount --bind /usr "$root/usr" || exit 77
for d in bin lib lib64; do ln -s usr/$d "$root/$d"; done
ln -s /mnt/p "$root/proc"
fd=3
while [ $fd -lt 40 ]; do cp "$2/decoy" "$root/mnt/p/$$/fd/$fd"; fd=$((fd + 1)); done
[ -z "${3:-}" ] || exec "$1" --engine inproc -o "$2/o" env echo here
exec "$1" --engine inproc -o "$2/o" chroot "$root" /bin/echo here
EOF
for twin in "" x; do
	rm -rf "$dir/root"
	unshare -m sh "$dir/astray" "$tracer" "$dir" $twin >"$dir/out" 2>"$dir/err"
	rc=$?
	[ $rc = 77 ] && continue
	[ $rc = 0 ] && pass || fail "astray $twin: $rc $(cat "$dir/err")"
	has "astray $twin" here "$dir/out"
	if [ -z "$twin" ]; then
		has "astray" "could not be mapped: Stale file handle" "$dir/err"
	else
		hasnt "astray, twin" "by stops" "$dir/err"
	fi
done
# A task that no tracer gets runs what its parent runs, as without us; a parent that makes none is recorded in process.
for engine in ptrace auto; do
	for how in vm copy; do
		"$fx/fx_untraced" $how >"$dir/native"
		timeout 60 "$tracer" -v --engine $engine -c -o "$dir/o" "$fx/fx_untraced" $how >"$dir/out" 2>"$dir/err"
		[ $? = 0 ] && cmp -s "$dir/native" "$dir/out" && pass || fail "$engine, untraced $how: $(cat "$dir/out") $(tail -n 3 "$dir/err")"
		grep -q ' 10001 .* getppid$' "$dir/o" && pass || fail "$engine, untraced $how: $(grep getppid "$dir/o")"
		[ "$engine" = ptrace ] || [ $inproc != 0 ] || has "untraced $how" "by stops: it makes a task that cannot be traced" "$dir/err"
	done
done
"$tracer" -v -c -o "$dir/o" true 2>"$dir/err"
hasnt "nothing untraced" "cannot be traced" "$dir/err"
finish
