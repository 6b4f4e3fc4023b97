#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Programs of another C library (Debian 13, glibc 2.41), chrooted, under both
# engines: known numbers, and shadow mode.  The root is made once, in the build
# directory (TRIXIE_ROOT names another one), where debootstrap and a mirror are.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run=$builddir/engine-run
root=${TRIXIE_ROOT:-$builddir/trixie.root}
[ "$(id -u)" = 0 ] || { echo "only root may chroot"; exit 77; }
if [ ! -x "$root/usr/bin/ls" ]; then
	command -v debootstrap >/dev/null || { echo "no debootstrap"; exit 77; }
	timeout 400 debootstrap --variant=minbase trixie "$root" "${TRIXIE_MIRROR:-http://deb.debian.org/debian}" \
		>"$dir/log" 2>&1 || { rm -rf "$root"; echo "no Debian 13 root: $(tail -n 1 "$dir/log")"; exit 77; }
fi
# Our descriptors are opened through /proc, so it is there, in a mount namespace of our own.
if [ -z "${TRIXIE_MOUNTED:-}" ]; then
	TRIXIE_MOUNTED=yes TRIXIE_ROOT=$root
	export TRIXIE_MOUNTED TRIXIE_ROOT
	unshare -m true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
	unshare -m sh -c 'mount -t proc proc "$TRIXIE_ROOT/proc" && mount --bind /dev "$TRIXIE_ROOT/dev" && exec sh "$0"' "$0"
	exit
fi
"$run" -c -o /dev/null inproc /bin/true 2>"$dir/err"
[ $? != 77 ] || { cat "$dir/err"; exit 77; }
version=$(chroot "$root" ldd --version | head -n 1 | grep -o '[0-9.]*$')
echo "glibc $version"
cp "$fx/fx_known" "$fx/fx_inproc" "$root/tmp/" || exit 99

for part in "loop 20000" "threads 4" pipes futexes alarms interrupted killed cancels forks stacks spawns "pointers blocked" \
	jit dumpable; do
	for engine in ptrace inproc; do
		"$tracer" -qq -C -o /dev/null --format record --stats=engine --engine $engine -- chroot "$root" /tmp/fx_known $part \
			>"$dir/out" 2>"$dir/err" </dev/null || { fail "$engine $part: $(tail -n 2 "$dir/out" "$dir/err")"; continue; }
		grep -q 'lost 0, bad 0' "$dir/err" || fail "$engine $part: $(grep lost "$dir/err")"
		while read -r count call n; do
			[ "$count" = count ] || continue
			got=$(awk -v n="$call" '$NF == n { print $4 }' "$dir/err")
			slack=$(awk -v c="$call" '$1 == "slack" && $2 == c { print $3 }' "$dir/out")
			[ "${got:-0}" -le "$n" ] && [ "${got:-0}" -ge $((n - ${slack:-0})) ] ||
				fail "$engine $part: $call: $got in the table, $n made"
		done <"$dir/out"
		pass
	done
	echo "ok   $part"
done
while read -r command; do
	chroot "$root" sh -c "$command" >"$dir/native" 2>/dev/null </dev/null
	native=$?
	timeout -k 5 60 "$run" -s -o "$dir/records" inproc:shadow chroot "$root" sh -c "$command" \
		>"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	if [ $status = $native ] && cmp -s "$dir/native" "$dir/out" && grep -q 'shadow: [1-9].* 0 differ' "$dir/err" &&
		! grep -q 'traced by stops' "$dir/err"; then
		pass
		echo "ok   $command: $(grep -o 'shadow: .*' "$dir/err")"
	else
		fail "$command: status $status, not $native; $(tail -n 2 "$dir/err"; head -n 5 "$dir/records" | cut -c1-300)"
	fi
done <<'E'
ls -l /usr/bin
find /usr -name '*a*' | sort | tail -n 3
tar cf - /usr/share 2>/dev/null | wc -c
bash -c 'trap "echo caught" USR1; kill -USR1 $$; for i in 1 2 3; do (echo $i) & wait; done'
perl -e 'print "x\n"; if (!fork) { exit 5 } wait; print $? >> 8, "\n"'
seq 1000 | sort -rn | head -n 2; exit 3
timeout 0.2 sleep 5
/tmp/fx_inproc registers blocked remaps cancels
E
finish
