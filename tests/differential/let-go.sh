#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Programs that the agent is not to stay in: let go while they are just
# starting, or falling back at their very first stop, with patched copies of
# their code in place.  They go on as if nothing had been.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
unset TRACER_SITE_CACHE
cache=$dir/cache
"$tracer" -qqq -c -o "$dir/t" --engine inproc --site-cache "$cache" sh -c '/bin/true; /bin/true; /bin/true' 2>"$dir/err" ||
	{ cat "$dir/err"; exit 77; }

# The root ends while what it left behind runs one program after the other.
rounds=0
while [ $rounds -lt 20 ]; do
	rounds=$((rounds + 1))
	where=$cache
	[ $((rounds % 2)) = 0 ] || where=none
	rm -f "$dir/out"
	"$tracer" -qqq -c -o "$dir/t" --engine inproc --site-cache "$where" sh -c \
		'sh -c "i=0; while [ \$i -lt 20 ]; do /bin/true || echo bad \$?; i=\$((i + 1)); done; echo end" >$0 2>&1 & sleep 0.0$1' \
		"$dir/out" $((rounds % 7 + 1)) </dev/null
	i=0
	while [ $i -lt 200 ] && ! grep -q end "$dir/out"; do
		sleep 0.05
		i=$((i + 1))
	done
	[ "$(cat "$dir/out")" = end ] && pass || fail "round $rounds: what was left behind said: $(head -n 3 "$dir/out")"
done

# conflict NAME COMMAND...: its first stop is the one that ends it all
conflict() {
	name=$1
	shift
	"$@" >"$dir/native" 2>&1 </dev/null
	native=$?
	"$tracer" -qq -c -o "$dir/t" --engine inproc --site-cache "$cache" --stats=engine -- "$@" >"$dir/traced" 2>"$dir/err" </dev/null
	status=$?
	grep -q '  fall-backs  *[1-9]' "$dir/err" && [ $status = $native ] && cmp -s "$dir/native" "$dir/traced" && pass ||
		fail "$name: status $status, not $native; $(tail -n 3 "$dir/err" "$dir/traced")"
}
conflict gs "$fx/fx_known" gs
conflict dispatch "$fx/fx_known" dispatch
conflict seccomp "$fx/fx_seccomp"
finish
