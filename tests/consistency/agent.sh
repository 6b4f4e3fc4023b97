#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent runs where there is no libc and where every register but a few is
# the program's: no undefined symbol, no relocation, no data, no vector
# register, no use of the registers that a call preserves.  Each check is shown
# to find what it looks for.
set -eu
elf=$builddir/src/agent/agent.elf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v objdump >/dev/null || { echo "SKIP: no objdump"; exit 77; }

bad_code() { objdump -d --no-show-raw-insn "$1" | awk '
	/^[0-9a-f]+ </ { fn = $2 }
	fn ~ /agent_boot>/ { next }
	/%[xyz]mm|%st\(|%(r|e)?(bx|bp)[^a-z]|%bl|%r1[2-5]/ { print fn, $0; found = 1 }
	END { exit !found }'; }
undefined() { ${NM:-nm} "$1" | awk '$1 == "U" { print; found = 1 } END { exit !found }'; }

! undefined "$elf" || { echo "the agent has undefined symbols"; exit 1; }
! bad_code "$elf" || { echo "the agent uses registers that are not its own"; exit 1; }

cat >"$work/bad.c" <<'EOF'
extern int elsewhere(double);
static int state = 1;
int agent_entry(double d) { state++; return elsewhere(d * state) + elsewhere(d); }
EOF
${CC:-cc} -O2 -fPIE -c -o "$work/bad.o" "$work/bad.c"
undefined "$work/bad.o" >/dev/null || { echo "the check for undefined symbols finds nothing"; exit 1; }
bad_code "$work/bad.o" >/dev/null || { echo "the check for registers finds nothing"; exit 1; }
if ld -pie --no-dynamic-linker -z text --no-undefined --unresolved-symbols=ignore-all \
	-T "$srcdir/src/agent/agent.ld" -o "$work/bad.elf" "$work/bad.o" 2>"$work/ld.log"; then
	echo "the linker script lets data pass"; exit 1
fi
grep -q 'must not have data' "$work/ld.log" || { cat "$work/ld.log"; exit 1; }
