#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Transparency on real programs: the same stdout, stderr, files and exit status
# under the tracer as natively.  ENGINE names the engine (default: auto).
# A program that is not on this machine is named and left out.
set -u
srcdir=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
tracer=$builddir/tracer
engine=${ENGINE:-auto}
export LC_ALL=C TZ=UTC
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$tracer" -qqq --engine "$engine" -o /dev/null true 2>"$dir/err" || {
	echo "cannot trace here: $(cat "$dir/err")"
	exit 77
}
bad=0 good=0

# Everything a run may leave behind, as one listing.
files() {
	(cd "$1" && find . -type f ! -name '*.o' ! -path './.git/*' -exec cksum {} + | LC_ALL=C sort -k3)
}

# same NAME SHELL-TEXT: run in two fresh directories, natively and traced.
same() {
	name=$1
	for way in native traced; do
		rm -rf "$dir/w"
		mkdir "$dir/w"
		cd "$dir/w" || exit 99
		if [ $way = native ]; then
			sh -c "$2" >"$dir/$way.out" 2>"$dir/$way.err" </dev/null
		else
			"$tracer" -qqq --engine "$engine" -o "$dir/trace.jsonl" -- sh -c "$2" \
				>"$dir/$way.out" 2>"$dir/$way.err" </dev/null
		fi
		echo $? >"$dir/$way.rc"
		files "$dir/w" >"$dir/$way.files"
		cd "$dir" || exit 99
	done
	for what in out err rc files; do
		if ! cmp -s "$dir/native.$what" "$dir/traced.$what"; then
			echo "FAIL $name: $what differs"
			diff "$dir/native.$what" "$dir/traced.$what" | head -n 10
			bad=$((bad + 1))
			return
		fi
	done
	[ -s "$dir/trace.jsonl" ] || { echo "FAIL $name: nothing was recorded"; bad=$((bad + 1)); return; }
	echo "ok   $name (exit $(cat "$dir/native.rc"), $(wc -l <"$dir/trace.jsonl") records)"
	good=$((good + 1))
}

# with PROGRAM NAME TEXT: the same, if the program is there.
with() {
	command -v "$1" >/dev/null 2>&1 || { echo "-    $2: no $1 on this machine"; return; }
	same "$2" "$3"
}

same "shell with pipes" 'seq 1 5000 | sort -rn | awk "{s += \$1} END {print s, NR}" | tee x; wc -c <x; exit 7'
same "shell traps and signals" 'trap "echo usr1" USR1; trap "echo bye" EXIT; kill -USR1 $$; sh -c "kill -9 \$\$"; echo $?'
same "here documents and subshells" 'cat <<E
$(echo a; (echo b; exit 3); echo $?)
E
cd /; pwd; (cd /usr && pwd); echo "$PWD"'
same "background jobs" 'for i in 1 2 3 4; do (sleep 0.0$i; echo $i >f$i) & done; wait; cat f*'
same "killed by a signal" 'kill -SEGV $$'
same "a missing program" 'no-such-program-here; echo $?'
same "closed descriptors" 'exec 3>f; echo x >&3; exec 3>&-; echo y >&3; cat f; exec <&-; cat; true'
same "ulimits and umask" 'umask; ulimit -n; ulimit -s; ulimit -c; umask 077; : >f; ls -l f | cut -c1-10'
same "environment" 'env -i A=1 B=2 sh -c "env | grep -v -e TRACE -e PWD -e SHLVL -e ^_= | sort"'
same "process group and session" 'ps -o pgid= -p $$ >/dev/null 2>&1; test "$(ps -o ppid= -p $$ | tr -d " ")" -gt 0 && echo parent'
with make "make -j2" 'printf "all: a b c d\n%%: ; @sleep 0.01; echo \$@ >\$@.out; test \$@ != c\n" >Makefile
make -j2 -k -O; echo "rc $?"; ls'
with gcc "gcc, link, run" 'cat >x.c <<E
#include <stdio.h>
int main(int c, char **v) { printf("%d %s\n", c, v[1]); return c; }
E
gcc -O2 -g0 -frandom-seed=1 -o x x.c && ./x arg'
with gcc "gcc with an error" 'echo "int main(void) { return y; }" >x.c; gcc -c x.c'
with git "git" 'export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z" HOME=$PWD
git init -q -b main; for i in 1 2 3 4 5; do echo $i >f$i; git add .; git commit -qm c$i; done
git log --stat --oneline; git status; git gc -q; git fsck'
with python3 "python3" 'python3 -c "
import json, hashlib, subprocess, threading, os, sys
t = [threading.Thread(target=lambda i=i: open(\"t%d\" % i, \"w\").write(str(i))) for i in range(20)]
[x.start() for x in t]; [x.join() for x in t]
print(json.dumps(sorted(os.listdir(\".\"))))
print(subprocess.run([\"sh\", \"-c\", \"echo sub; exit 4\"], capture_output=True))
print(hashlib.sha256(b\"x\").hexdigest())
sys.exit(5)"'
with tar "tar and gzip" 'mkdir d; for i in $(seq 50); do echo $i >d/$i; done
tar --sort=name --mtime=@0 --owner=0 --group=0 -czf x.tgz d; tar tzf x.tgz | wc -l; tar cf - d | tar xf - -C /dev/null 2>/dev/null; rm -rf d; tar xzf x.tgz; ls d | wc -l'
with find "find and xargs" 'find /usr/include -name "*.h" | sort | head -n 500 | xargs -n 50 wc -l | tail -n 3'
with busybox "busybox, static" 'busybox sh -c "for i in 1 2 3 4 5; do busybox echo \$i; done | busybox sort -r; busybox md5sum /etc/passwd"'
with musl-gcc "static musl program" 'cat >x.c <<E
#include <pthread.h>
#include <stdio.h>
static void *f(void *p) { FILE *h = fopen("/etc/hostname", "r"); if (h) fclose(h); return p; }
int main(void) { pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, f, 0);
for (int i = 0; i < 8; i++) pthread_join(t[i], 0); puts("musl"); return 3; }
E
musl-gcc -static -O2 -o x x.c && ./x; echo $?; rm -f x'
with g++ "C++ with exceptions" 'cat >x.cc <<E
#include <iostream>
#include <stdexcept>
struct d { ~d() { std::cout << "dtor\n"; } };
int main() { try { d x; throw std::runtime_error("e"); } catch (std::exception &e) { std::cout << e.what() << "\n"; } return 9; }
E
g++ -O2 -o x x.cc && ./x; echo $?; rm -f x'
with go "a Go program" 'export GOCACHE=$PWD/../gocache GOFLAGS=-mod=mod HOME=$PWD/..; cat >x.go <<E
package main
import ("fmt"; "os"; "sync"; "time")
func main() { var w sync.WaitGroup; c := make(chan int, 100)
for i := 0; i < 50; i++ { w.Add(1); go func(i int) { time.Sleep(time.Millisecond); b, _ := os.ReadFile("/etc/passwd"); c <- len(b); w.Done() }(i) }
w.Wait(); close(c); n := 0; for v := range c { n += v }; fmt.Println(n > 0); os.Exit(6) }
E
[ -x ../gox ] || go build -o ../gox x.go 2>../go.log; ../gox; echo $?'
with node "node" 'node -e "const fs=require(\"fs\"),cp=require(\"child_process\");
console.log(fs.readdirSync(\"/etc\").length>0, cp.execSync(\"echo sub\").toString().trim());
fs.readFile(\"/etc/passwd\",()=>{console.log(\"read\");process.exit(8)})"'
with sqlite3 "sqlite3" 'sqlite3 x.db "create table t(a); begin; with recursive c(x) as (select 1 union all select x+1 from c where x<1000) insert into t select x from c; commit; select sum(a) from t; pragma integrity_check;"'
with perl "perl with fork and alarm" 'perl -e "\$SIG{ALRM} = sub { print \"alarm\n\"; exit 2 }; alarm 1; if (!fork) { exit 5 } wait; print \$? >> 8, \"\n\"; sleep 5"'
with timeout "timeout" 'timeout 0.2 sleep 5; echo $?; timeout -s KILL 0.1 sleep 5; echo $?'
with setsid "a daemon left behind" 'setsid sh -c "sleep 0.3; echo done >daemon.out" >/dev/null 2>&1 & echo started; i=0; while [ ! -s daemon.out ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done'
with openssl "openssl" 'openssl dgst -sha256 /etc/passwd; openssl enc -aes-128-cbc -pass pass:x -nosalt -pbkdf2 </etc/passwd | cksum'
echo "$good the same, $bad not"
[ $bad -eq 0 ]
