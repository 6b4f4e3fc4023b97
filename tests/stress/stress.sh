#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fx_mix (threads, forks, exec, signals, code that comes and goes, libraries)
# under both engines, with small and large rings, again and again with another
# seed: it must end, with 0, and the table must say what it says.
# STRESS_SECONDS (60), STRESS_SEED.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
total=${STRESS_SECONDS:-60}
seed=${STRESS_SEED:-$$}
libs=
if ${CC:-cc} -shared -fPIC -O1 -o "$dir/l1.so" "$srcdir/fixtures/fx_library.c" &&
	${CC:-cc} -shared -fPIC -O1 -DNR=124 '-DSHIFT="nop\n\t"' -o "$dir/l2.so" "$srcdir/fixtures/fx_library.c"; then
	libs="$dir/l1.so $dir/l2.so"
fi
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" && engines="inproc inproc ptrace" || engines=ptrace
end=$(($(date +%s) + total))
while [ "$(date +%s)" -lt $end ]; do
	for engine in $engines; do
		for ring in 1M 64K; do
			seed=$((seed + 1))
			# with and without known call sites
			cache=none
			[ $ring = 64K ] || cache=$dir/cache
			# with and without arguments and what they point to
			table=$dir/table told="-c -o $dir/table"
			[ $((seed % 4)) -lt 2 ] || table=$dir/err told="-C -o /dev/null --format record"
			timeout -k 5 120 "$tracer" -qq $told --stats=engine --engine $engine --ring-size $ring \
				--site-cache $cache \
				-- "$fx/fx_mix" 3 $seed $libs >"$dir/out" 2>"$dir/err" </dev/null
			status=$?
			[ $status = 0 ] || fail "$engine $ring seed $seed: status $status ($(tail -n 2 "$dir/err"))"
			grep -q 'lost 0, bad 0' "$dir/err" || fail "$engine $ring seed $seed: $(grep lost "$dir/err")"
			while read -r count call n; do
				got=$(awk -v n="$call" '$NF == n { print $4 }' "$table")
				[ "${got:-0}" = "$n" ] || fail "$engine $ring seed $seed: $call: ${got:-0} in the table, $n made"
			done <"$dir/out"
			pass
			echo "ok   $engine $ring ${told%% *} seed $seed: $(cut -d' ' -f2- "$dir/out" | tr '\n' ' ')"
		done
	done
done
finish
