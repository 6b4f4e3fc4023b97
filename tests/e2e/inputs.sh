#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Calls that get the same memory as input and as output show what they were given, in both engines; and
# as strace shows it, where strace is here.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
cd "$dir" || exit 99
: >target
calls=rt_sigprocmask,rt_sigaction,sigaltstack,setitimer,timerfd_settime,prlimit64,stat,readlink,select,nanosleep,ppoll

cat >want <<'LINES'
rt_sigprocmask(SIG_BLOCK, [USR1], [HUP], 8) = 0
rt_sigaction(SIGUSR2, {sa_handler=SIG_IGN, sa_mask=[TERM], sa_flags=SA_RESTART}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0
rt_sigaction(SIGUSR2, {sa_handler=SIG_DFL, sa_mask=[QUIT], sa_flags=0}, {sa_handler=SIG_IGN, sa_mask=[TERM], sa_flags=SA_RESTART}, 8) = 0
sigaltstack({ss_sp=ADDR, ss_flags=0, ss_size=16384}, {ss_sp=NULL, ss_flags=SS_DISABLE, ss_size=0}) = 0
setitimer(ITIMER_VIRTUAL, {it_interval={tv_sec=7, tv_usec=0}, it_value={tv_sec=1000, tv_usec=0}}, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=0, tv_usec=0}}) = 0
timerfd_settime(3, 0, {it_interval={tv_sec=3, tv_nsec=0}, it_value={tv_sec=2000, tv_nsec=0}}, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}) = 0
timerfd_settime(3, 0, {it_interval={tv_sec=4, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}, {it_interval={tv_sec=3, tv_nsec=0}, it_value={tv_sec=1999, tv_nsec=SOME}}) = 0
stat("target", {st_mode=S_IFREG|0644, st_size=0, ...}) = 0
readlink("link", "target", 64) = 6
select(5, [3 4], NULL, NULL, NULL) = 1 (in [3])
nanosleep({tv_sec=0, tv_nsec=1000000}, ADDR) = 0
ppoll([{fd=3, events=POLLIN|POLLOUT}], 1, {tv_sec=0, tv_nsec=0}, NULL, 8) = 1 ([{fd=3, revents=POLLIN}], left {tv_sec=0, tv_nsec=0})
LINES

# Addresses and what is left of a time differ from run to run; the limits are the machine's.
mask() {
	sed -E '/RLIMIT_STACK/d; s/ +=/ =/; s/0x[0-9a-f]+/ADDR/g; s/(tv_sec=1999, tv_nsec=)[0-9]+/\1SOME/; s/(tv_sec=1000, tv_usec=)[0-9]+/\1SOME/; s/(rlim_cur=100, rlim_max=200\}, )\{[^}]*\}/\1LIMITS/' "$1"
}

for engine in ptrace inproc; do
	"$tracer" -qq --engine $engine -e trace=$calls -e signal=none -o $engine.txt "$fx/fx_alias" >out 2>err
	[ "$(cat out)" = done ] || { fail "$engine: $(cat err)"; continue; }
	sed -E 's/ +=/ =/; s/0x[0-9a-f]+/ADDR/g; s/(tv_sec=1999, tv_nsec=)[0-9]+/\1SOME/' $engine.txt >plain
	while read -r line; do
		if grep -Fqx -- "$line" plain; then pass; else fail "$engine: not there: $line"; fi
	done <want
	if command -v strace >/dev/null && strace -qq -e trace=$calls -e signal=none -o strace.txt "$fx/fx_alias" >/dev/null 2>&1; then
		mask strace.txt >strace.masked
		mask $engine.txt >engine.masked
		if cmp -s strace.masked engine.masked; then pass; else fail "$engine: $(diff strace.masked engine.masked | head -n 6)"; fi
	fi
done
finish
