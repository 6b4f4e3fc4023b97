#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shadow mode over real programs: while the agent records, ptrace stops at the
# agent's own system call instruction, too, and every record must have its twin.
# A program that is not on this machine is named and left out.
#
#	SHADOW_USER=UID   as that user (root only)
#	SHADOW_ONLY=RE    programs whose name matches
#	SHADOW_RUNS=N     so many times each
#	SHADOW_CACHE=DIR  with known call sites from the start (the second time)
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
run=$builddir/engine-run
"$run" -c -o /dev/null inproc /bin/true 2>"$dir/err"
[ $? != 77 ] || { cat "$dir/err"; exit 77; }
known=0 absent=
as=
work=$dir/w
mkdir "$work"
if [ -n "${SHADOW_USER:-}" ]; then
	[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || { echo "only root becomes another user"; exit 77; }
	as="setpriv --reuid=$SHADOW_USER --regid=$SHADOW_USER --clear-groups --no-new-privs"
	chown "$SHADOW_USER" "$dir" "$work"
	# the build may be where that user cannot look
	mkdir "$dir/bin"
	cp "$(readlink -f "$run")" "$dir/bin/engine-run"
	[ ! -x "$builddir/.libs/engine-run" ] || cp "$builddir/.libs/engine-run" "$dir/bin/engine-run"
	chmod 755 "$dir/bin" "$dir/bin/engine-run"
	run=$dir/bin/engine-run
	HOME=$work
	export HOME
	$as "$run" -c -o /dev/null inproc /bin/true 2>"$dir/err" || { echo "as $SHADOW_USER: $(cat "$dir/err")"; exit 77; }
fi

is_known() {
	grep -v '^#' "$srcdir/tests/differential/known.tbl" | grep -qx "shadow inproc $1"
}

# Programs that may go on by stops, and the reason that the engine has to give.  NAME: REASON (ERE), one a line.
expected_fallbacks='
user-not-dumpable: hides the memory of its children
unshare and chroot: its /proc does not show the tracer
'

# The first reason of a process that was traced by stops and should not have been.
unexpected_fallback() {
	wanted=$(echo "$expected_fallbacks" | awk -v n="$1: " 'index($0, n) == 1 { print substr($0, length(n) + 1) }')
	sed -n 's/^engine-run: pid [0-9]* is traced by stops: //p' "$dir/err" | sort -u |
		grep -Ev -- "${wanted:-^\$}" | head -n 1
}

shadow_once() {
	name=$1
	rm -rf "$work"
	mkdir "$work"
	[ -z "$as" ] || chown "$SHADOW_USER" "$work"
	: >"$dir/out"
	[ -z "$as" ] || chown "$SHADOW_USER" "$dir/out"
	(cd "$work" && timeout -k 5 "${SHADOW_TIMEOUT:-90}" $as sh -c "$2") >"$dir/native" 2>/dev/null </dev/null
	native=$?
	rm -rf "$work"
	mkdir "$work"
	[ -z "$as" ] || chown "$SHADOW_USER" "$work"
	(cd "$work" && timeout -k 5 "${SHADOW_TIMEOUT:-90}" $as "$run" -s -v ${SHADOW_CACHE:+-k "$SHADOW_CACHE"} -o "$dir/out" inproc:shadow sh -c "$2") \
		>"$dir/traced" 2>"$dir/err" </dev/null
	status=$?
	told=$(grep -o 'shadow: [0-9].*' "$dir/err")
	if [ $status != $native ]; then
		why="status $status, not $native; $told; $(grep -A2 DIFFER "$dir/out" | head -n 6 | cut -c1-300; tail -n 3 "$dir/traced")"
	elif ! echo "$told" | grep -q 'shadow: [1-9][0-9]* from the agent.* 0 differ'; then
		why="${told:-no figures}"
	elif [ -n "$(unexpected_fallback "$name")" ]; then
		why="a process was traced by stops: $(unexpected_fallback "$name")"
	elif ! grep -q 'lost: 0, bad rings: 0, dropped: 0' "$dir/err"; then
		why="records were lost"
	elif [ "$3" = same ] && ! cmp -s "$dir/native" "$dir/traced"; then
		why="another output: $(diff "$dir/native" "$dir/traced" | head -n 6)"
	else
		return 0
	fi
	return 1
}

# shadow NAME PROGRAM same|other SHELL-TEXT
shadow() {
	echo "$1" | grep -Eq -- "${SHADOW_ONLY:-.}" || return
	if ! command -v "$2" >/dev/null 2>&1; then
		absent="$absent $1"
		return
	fi
	i=0
	while [ $i -lt "${SHADOW_RUNS:-1}" ]; do
		i=$((i + 1))
		if shadow_once "$1" "$4" "$3"; then
			pass
			echo "ok   $1: $told"
		elif is_known "$1"; then
			known=$((known + 1))
			echo "KNOWN $1: $why"
		else
			fail "$1: $why"
		fi
	done
}

# ---- programs that are compiled once ----
mkdir "$dir/p"
chmod 755 "$dir" "$dir/p"
p=$dir/p
if command -v g++ >/dev/null; then
	g++ -O1 -g -fnon-call-exceptions -pthread -o "$p/unwind" "$srcdir/fixtures/fx_unwind.cc"
	g++ -O1 -g -fsanitize=thread -pthread -o "$p/tsan" "$srcdir/tests/differential/sanitized.cc" 2>"$dir/err"
	g++ -O1 -g -fsanitize=address -pthread -o "$p/asan" "$srcdir/tests/differential/sanitized.cc" 2>"$dir/err"
fi
if command -v musl-gcc >/dev/null; then
	musl-gcc -O1 -static -o "$p/musl" "$srcdir/fixtures/fx_musl.c"
	musl-gcc -O1 -o "$p/musl-dynamic" "$srcdir/fixtures/fx_musl.c"
fi
if command -v go >/dev/null; then
	cat >"$p/x.go" <<E
package main

import ("fmt"; "net"; "os"; "os/exec"; "sync"; "time")

func main() {
	var w sync.WaitGroup
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() { for { c, e := l.Accept(); if e != nil { return }; go func() { b := make([]byte, 64); n, _ := c.Read(b); c.Write(b[:n]); c.Close() }() } }()
	for i := 0; i < 20; i++ {
		w.Add(1)
		go func() {
			defer w.Done()
			c, e := net.Dial("tcp", l.Addr().String())
			if e != nil { fmt.Println(e); return }
			c.Write([]byte("hello")); b := make([]byte, 64); c.Read(b); c.Close()
			time.Sleep(time.Millisecond); os.ReadFile("/etc/passwd")
		}()
	}
	w.Wait()
	o, _ := exec.Command("echo", "from a child").Output()
	fmt.Print(string(o))
	os.Exit(6)
}
E
	(cd "$p" && GOCACHE=$dir/gocache GO111MODULE=off HOME=$dir go build -o gox x.go) >"$dir/err" 2>&1 || cat "$dir/err"
fi
cat >"$p/T.java" <<E
public class T { public static void main(String[] a) throws Exception {
	Thread[] t = new Thread[8];
	for (int i = 0; i < 8; i++) { t[i] = new Thread(() -> { for (int k = 0; k < 100; k++) new java.io.File("/etc/passwd").length(); }); t[i].start(); }
	for (Thread x : t) x.join();
	try { Object o = null; o.toString(); } catch (NullPointerException e) { System.out.println("npe"); }
	System.gc(); System.out.println("java"); System.exit(4); } }
E
if command -v javac >/dev/null && [ "${SHADOW:-all}" = all ]; then javac -d "$p" "$p/T.java" || :; fi
cat >"$p/x.c" <<E
#include <stdio.h>
int main(int c, char **v) { printf("%d %s\n", c, v[1]); return c; }
E
mkdir "$p/m"
for i in 1 2 3 4 5 6; do sed "s/main/f$i/" "$p/x.c" >"$p/m/f$i.c"; done
printf 'all: f1.o f2.o f3.o f4.o f5.o f6.o\n\tsize f*.o | wc -l\n%%.o: %%.c\n\t$(CC) -O1 -c -o $@ $<\n' >"$p/m/Makefile"
chmod -R a+rX "$p"

# ---- the programs ----
shadow "ls" ls same 'ls -lR /usr/include | tail -n 5'
shadow "bash: pipes and traps" bash same 'bash -c "trap \"echo usr1\" USR1; trap \"echo bye\" EXIT; kill -USR1 \$\$; seq 300 | sort -rn | head -n 3; for i in 1 2 3; do (sleep 0.01; echo \$i) & done; wait; exit 3" | sort'
shadow "find and xargs" find same 'find /usr/include -name "s*.h" | sort | xargs -n 60 wc -l | tail -n 2'
shadow "tar and gzip" tar same 'tar --sort=name -cf - /usr/include/linux 2>/dev/null | gzip -1 | gzip -d | tar tf - | wc -l'
shadow "dd" dd same 'dd if=/dev/zero bs=1 count=3000 2>/dev/null | wc -c'
shadow "python3" python3 same 'python3 -c "
import json, ssl, hashlib, subprocess, threading, os, sys
t = [threading.Thread(target=lambda i=i: open(\"t%d\" % i, \"w\").write(str(i))) for i in range(20)]
[x.start() for x in t]; [x.join() for x in t]
print(sorted(os.listdir(\".\")), subprocess.run([\"echo\", \"sub\"], capture_output=True).stdout); sys.exit(5)"'
shadow "gcc" gcc same "gcc -O1 -frandom-seed=1 -o x $p/x.c && ./x arg"
shadow "make -j2" make same "cp -r $p/m . && cd m && make -s -j2"
shadow "git" git same 'export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z" HOME=$PWD
git init -q -b main; for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm c$i; done; git log --stat --oneline; git gc -q; git fsck'
shadow "awk and sed" awk same 'seq 2000 | awk "{s += \$1} END {print s}" | sed s/1/x/'
shadow "perl: fork and alarm" perl same 'perl -e "\$SIG{ALRM} = sub { print \"alarm\n\"; exit 2 }; alarm 1; if (!fork) { exit 5 } wait; print \$? >> 8, \"\n\"; sleep 5"'
shadow "1 kHz signals" sh other "$fx/fx_signals timer 200 >/dev/null"
shadow "static musl" musl-gcc same "$p/musl; echo \$?"
if [ "${SHADOW:-all}" = all ]; then
	shadow "dynamic musl" musl-gcc same "$p/musl-dynamic; echo \$?"
	shadow "busybox, static" busybox same 'busybox sh -c "for i in 1 2 3 4 5; do busybox echo \$i; done | busybox sort -r; busybox find /usr/include -name \"a*\" | busybox wc -l"'
	shadow "C++: exceptions, cancel" g++ same "$p/unwind"
	shadow "node" node same 'node -e "const fs=require(\"fs\"),cp=require(\"child_process\");
console.log(fs.readdirSync(\"/etc\").length>0, cp.execSync(\"echo sub\").toString().trim());
fs.readFile(\"/etc/passwd\",()=>{console.log(\"read\");process.exit(8)})"'
	shadow "Go" go same "$p/gox"
	shadow "sqlite3" sqlite3 same 'sqlite3 x.db "create table t(a); begin; with recursive c(x) as (select 1 union all select x+1 from c where x<1000) insert into t select x from c; commit; select sum(a) from t; pragma integrity_check;"'
	shadow "openssl speed" openssl other 'openssl speed -seconds 1 -bytes 1024 sha256 >/dev/null 2>&1'
	shadow "openssl" openssl same 'openssl dgst -sha256 /etc/passwd; openssl enc -aes-128-cbc -pass pass:x -nosalt -pbkdf2 </etc/passwd | cksum'
	shadow "ASan" g++ same "ASAN_OPTIONS=detect_leaks=0 $p/asan"
	shadow "TSan" g++ same "$p/tsan"
	shadow "java" javac same "java -XX:TieredStopAtLevel=1 -Xmx128m -cp $p T"
	shadow "a daemon left behind" setsid same 'setsid sh -c "sleep 0.2; echo done >daemon.out; true" >/dev/null 2>&1 & echo started; i=0; while [ ! -s daemon.out ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done; cat daemon.out'
	shadow "timeout" timeout same 'timeout 0.2 sleep 5; echo $?; timeout -s KILL 0.1 sleep 5; echo $?'
	shadow "killed in mid-loop" sh same "$fx/fx_known killed | grep -v ^count"
	shadow "all signals blocked" sh same "$fx/fx_known pointers blocked"
	shadow "${SHADOW_USER:+user-}not-dumpable" sh same "$fx/fx_known dumpable"
	if busybox=$(command -v busybox); then
		mkdir "$p/root"
		cp "$busybox" "$p/root/busybox"
		chmod -R a+rX "$p/root"
	fi
	# the program that it executes there finds no /proc
	shadow "unshare and chroot" busybox same "$fx/fx_known chroot $p/root"
	shadow "signals behind returns" sh other "$fx/fx_known returns 3000"
	shadow "fork from threads" sh same "$fx/fx_known forks"
	shadow "valgrind" valgrind same 'valgrind -q --tool=none ls /usr; echo $?; valgrind -q /bin/true; echo $?'
	shadow "gdb" gdb other 'gdb -q -batch -ex "print 6*7" 2>&1 | grep -q 42'
	shadow "redis" redis-server same 'redis-server --port 0 --unixsocket $PWD/s --save "" --appendonly yes --daemonize no >log 2>&1 & r=$!
i=0; while [ ! -S s ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
redis-benchmark -s $PWD/s -n 300 -c 5 -t set,get,lpush -q >bench; grep -c "requests per second" bench; redis-cli -s $PWD/s bgsave; sleep 0.3; redis-cli -s $PWD/s shutdown nosave; wait $r; echo $?'
	cat >"$p/nginx.conf" <<E
worker_processes 2; daemon off; pid nginx.pid; error_log stderr crit;
events { worker_connections 64; }
http { access_log off; client_body_temp_path b; proxy_temp_path x; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
server { listen unix:nginx.sock; location / { root /usr/include; } } }
E
	cat >"$p/load.py" <<E
import socket, sys
good = 0
for i in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    for k in range(5):
        s.sendall(b"GET /stdio.h HTTP/1.1\r\nHost: x\r\n\r\n"); b = b""
        while b"\r\n\r\n" not in b: b += s.recv(65536)
        head, body = b.split(b"\r\n\r\n", 1)
        n = int([l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")][0].split(b":")[1])
        while len(body) < n: body += s.recv(65536)
        good += head.startswith(b"HTTP/1.1 200") and len(body) == n
    s.close()
print(good)
E
	chmod a+r "$p"/*
	shadow "nginx" nginx same "nginx -p \$PWD -c $p/nginx.conf 2>log & n=\$!
i=0; while [ ! -S nginx.sock ] && [ \$i -lt 100 ]; do sleep 0.1; i=\$((i+1)); done
python3 $p/load.py nginx.sock 30; kill -HUP \$n; sleep 0.5; python3 $p/load.py nginx.sock 10; kill -QUIT \$n; wait \$n; echo \$?"
fi
[ -z "$absent" ] || echo "not on this machine:$absent"

# The comparison must be able to fail: two stops a call have no twins.
timeout 60 "$run" -s -o "$dir/out" ptrace /bin/true 2>"$dir/err" >/dev/null
grep -q 'shadow: 0 from the agent' "$dir/err" || fail "the twin"
# So must the look for processes that fell back.
if command -v python3 >/dev/null; then
	shadow_once "none such" 'python3 -c "import ctypes; ctypes.CDLL(None).prctl(22, 1, 0, 0, 0)"' other &&
		fail "a program went on by stops and nobody saw it"
	case $why in *"puts itself under seccomp"* | *"status "*) ;; *) fail "the fall-back twin: $why" ;; esac
fi
echo "$known known to fail"
finish
