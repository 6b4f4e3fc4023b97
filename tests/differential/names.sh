#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What descriptors and directories stand for (-y) is the same with both engines: opened, copied,
# inherited, passed on by fork and exec, closed at an exec, shared by threads, from a pipe or a socket.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
"$tracer" --engine inproc -qq -o /dev/null true 2>"$dir/err" || { echo "SKIP: $(cat "$dir/err")"; exit 77; }
mkdir "$dir/w" && cd "$dir/w" || exit 99
echo first >in
mkdir sub other
cp in other/in

# Tasks by the order of their births, which is that of their numbers, each with its calls on descriptors in
# their order; addresses and inodes aside.
lines() {
	cut -d' ' -f1 "$1" | grep -a '^[0-9]*$' | sort -nu >"$dir/tasks"
	awk -v file="$dir/tasks" 'BEGIN { while ((getline tid <file) > 0) number[tid] = ++tasks }
	{
		if ($1 in number) $1 = "T" number[$1]
		else $0 = "T0 " $0
		gsub(/0x[0-9a-f]+/, "P")
		gsub(/:\[[0-9]+\]/, ":[ID]")
		print
	}' "$1" | grep -a '[0-9]<' | grep -av ' getrandom(' | LC_ALL=C sort -s -k1,1
}

record() {
	to=$1
	shift
	rm -f out sub/new
	"$tracer" --engine "$engine" -qq -f -y -o "$dir/text" "$@" >/dev/null 2>"$dir/err" 7<in 8>>"$dir/inherited" ||
		echo "exit $?: $(cat "$dir/err")"
	lines "$dir/text" >"$dir/$to"
}

same() {
	name=$1
	shift
	engine=ptrace
	record a "$@"
	record b "$@"
	engine=inproc
	record c "$@"
	cmp -s "$dir/a" "$dir/b" || { echo "not the same twice by ptrace: $name: $(diff "$dir/a" "$dir/b" | head -n 4)"; return; }
	grep -q '[0-9]<' "$dir/c" || fail "$name: no names: $(head -n 3 "$dir/c")"
	cmp -s "$dir/a" "$dir/c" && pass || fail "$name: $(diff "$dir/a" "$dir/c" | head -n 10)"
}

same cat cat in in
same redirected sh -c 'cat <in >out; cat <&7; echo more >&8; exec 7<&-; cat out'
same pipe sh -c 'echo a | cat >out'
same directory sh -c 'cd sub; echo x >../sub/new; cat new; cd ..; cat sub/new'
same background sh -c '(exec 9<in; cat <&9) & wait'
same exec env cat in
# not a script that finds one
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
if [ -n "$python" ]; then
	same python "$python" -I -S -c '
import os, socket, threading
a = os.open("in", os.O_RDONLY)
b = os.dup(a); os.set_inheritable(b, True); c = os.dup2(a, 40)
d = os.open("sub", os.O_RDONLY | os.O_DIRECTORY); os.close(os.open("new2", os.O_CREAT | os.O_RDWR, dir_fd=d))
s, t = socket.socketpair(); s.send(b"x"); t.recv(1)
def run():
    os.read(c, 1); os.close(a)
th = threading.Thread(target=run); th.start(); th.join()
os.fchdir(d); os.close(os.open("new2", os.O_RDONLY)); os.rename("new2", "../new3"); os.unlink("../new3")
if os.fork() == 0:
    os.read(b, 2); os.execvp("cat", ["cat", "/dev/fd/%d" % b])
os.wait()'
fi
# The comparison can fail.
engine=ptrace
record a cat in
record c cat other/in
cmp -s "$dir/a" "$dir/c" && fail "the twin"
[ $good -ge 5 ] || fail "only $good programs could be compared"
finish
