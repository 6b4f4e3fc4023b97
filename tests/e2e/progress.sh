#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The progress line on a terminal: it comes for who waits, and when all is over
# the screen is what it would have been without it, whatever the program wrote.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
cd "$dir" || exit 99
TERM=xterm
export TERM
unset CI

# What a terminal of 24 lines shows of the bytes that it got.
cat >screen.py <<'EOF'
import re, sys
ROWS, COLS = 24, 80
data = open(sys.argv[1], "rb").read().decode("utf-8", "replace")
data = data[:data.rfind("\nexit")] if "\nexit" in data else data
lines, row, col, saved = [[" "] * COLS for _ in range(ROWS)], 0, 0, (0, 0)
def down():
    global row
    if row == ROWS - 1:
        lines.pop(0)
        lines.append([" "] * COLS)
    else:
        row += 1
for m in re.finditer(r"\x1b\[[0-9;]*[A-Za-z]|\x1b.|.|\n|\r", data, re.S):
    c = m.group(0)
    if c == "\n": down()
    elif c == "\r": col = 0
    elif c == "\x1bD": down()
    elif c == "\x1bM": row -= row > 0
    elif c == "\x1b7": saved = (row, col)
    elif c == "\x1b8": row, col = saved
    elif c in ("\x1b[K", "\x1b[J"):
        lines[row][col:] = [" "] * (COLS - col)
        if c == "\x1b[J":
            for r in range(row + 1, ROWS): lines[r] = [" "] * COLS
    elif c.startswith("\x1b"): sys.exit("unknown: %r" % c)
    else:
        lines[row][min(col, COLS - 1)] = c
        col += 1
print("\n".join("".join(l).rstrip() for l in lines).rstrip())
print("cursor", row, col)
EOF

on_terminal() {
	"$fx/fx_pty" "$@" >seen
}
drawn() {
	grep -q "tracer: [0-9]* s, [0-9,]* calls, [0-9]* process" seen
}

cat >talk.sh <<'EOF'
i=0
while [ $i -lt 30 ]; do i=$((i + 1)); echo "line $i of those that fill the screen and scroll"; done
sleep 3.2
printf 'half a line, '
sleep 3.2
echo 'and the other half'
echo 'a' ; echo 'b'
EOF
on_terminal -- sh talk.sh
python3 screen.py seen >want
on_terminal -- "$tracer" -qq -o t.txt sh talk.sh
drawn && fail "-q: there is a line"
cmp -s want seen || python3 screen.py seen >got
cmp -s want got && pass || fail "-q: another screen: $(diff want got)"
engines=ptrace
"$tracer" --engine inproc -qq -o t.txt true 2>err && engines="ptrace inproc" || cat err
for engine in $engines; do
	on_terminal -- "$tracer" --engine $engine -o t.txt sh talk.sh
	drawn && pass || fail "$engine: no progress line: $(cat seen)"
	python3 screen.py seen >got
	cmp -s want got && pass || fail "$engine: another screen: $(diff want got)"
done

# Who types, and a prompt that waits.
echo 'printf "name? "; read x; echo "hello $x"; echo end' >ask.sh
cat >type.py <<'EOF'
# Types a name three seconds after the prompt; prints what the terminal showed.
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
import fcntl, struct, termios
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
out, typed, prompt = b"", False, None
while True:
    r, _, _ = select.select([fd], [], [], 0.1)
    if r:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    if prompt is None and b"name?" in out:
        prompt = time.monotonic()
    if prompt and not typed and time.monotonic() > prompt + 3.5:
        os.write(fd, b"joe\n")
        typed = True
os.waitpid(pid, 0)
sys.stdout.buffer.write(out)
EOF
python3 type.py sh ask.sh >seen
python3 screen.py seen >want
for engine in $engines; do
	python3 type.py "$tracer" --engine $engine -o t.txt sh ask.sh >seen
	drawn && pass || fail "$engine: prompt: no progress line"
	python3 screen.py seen >got
	cmp -s want got && pass || fail "$engine: prompt: another screen: $(diff want got)"
done

# Not where nobody looks, or where it was not asked for.
for setting in CI=true TERM=dumb; do
	on_terminal -- env $setting "$tracer" -o t.txt sleep 3
	drawn && fail "$setting: there is a line"
done
on_terminal -- "$tracer" sleep 3
drawn && fail "with text on the terminal: there is a line"
on_terminal -- "$tracer" --engine ptrace -o t.txt -e trace=nanosleep,clock_nanosleep sleep 3
drawn && fail "with a filter, where writing is not seen: there is a line"
on_terminal -- "$tracer" -o t.txt stty raw
drawn && fail "short: there is a line"
on_terminal -- "$tracer" -o t.txt sh -c 'stty raw; sleep 3; stty -raw'
drawn && fail "raw mode: there is a line"
"$tracer" -o t.txt sleep 3 2>err
[ -s err ] && fail "no terminal: $(cat err)"
finish
