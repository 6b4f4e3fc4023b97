#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nginx under steady requests, traced in process: the resident size of tracer
# and of the workers must not grow after a warm-up.  SOAK_SECONDS (30),
# SOAK_RATE (1000 requests a second).
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v nginx >/dev/null || { echo "no nginx"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
"$tracer" -qqq -c -o "$dir/t" --engine inproc true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
seconds=${SOAK_SECONDS:-30} rate=${SOAK_RATE:-1000}
chmod 755 "$dir"
cat >"$dir/nginx.conf" <<E
worker_processes 2; daemon off; pid $dir/nginx.pid; error_log $dir/log crit; master_process on;
events { worker_connections 64; }
http { access_log off; client_body_temp_path b; proxy_temp_path x; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
keepalive_requests 1000000000; keepalive_time 24h; server { listen unix:$dir/sock; location / { root /usr/include; } } }
E
"$tracer" -qq -C -o /dev/null --format record --stats=engine --engine inproc -- nginx -p "$dir" -c "$dir/nginx.conf" 2>"$dir/err" </dev/null &
pid=$!
i=0
while [ ! -S "$dir/sock" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
python3 - "$dir/sock" "$seconds" "$rate" $pid "$dir/nginx.pid" >"$dir/out" <<'E'
import socket, sys, time, os
path, seconds, rate, tracer = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
def kib(pid):
    # Private and written: clean pages of libraries turn private when another process that had them ends.
    try:
        return sum(int(l.split()[1]) for l in open("/proc/%d/smaps_rollup" % pid) if l.startswith("Private_Dirty"))
    except OSError:
        return 0
def workers():
    master = int(open(sys.argv[5]).read())
    return [int(p) for p in open("/proc/%d/task/%d/children" % (master, master)).read().split()]
s = socket.socket(socket.AF_UNIX); s.connect(path)
begin, done, warm = time.time(), 0, None
pids = [tracer] + workers()
while time.time() < begin + seconds:
    s.sendall(b"GET /stdio.h HTTP/1.1\r\nHost: x\r\n\r\n"); b = b""
    while b"\r\n\r\n" not in b: b += s.recv(65536)
    head, body = b.split(b"\r\n\r\n", 1)
    n = int([l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")][0].split(b":")[1])
    while len(body) < n: body += s.recv(65536)
    done += 1
    if warm is None and time.time() > begin + seconds / 3:
        warm = [kib(p) for p in pids]
    ahead = begin + done / rate - time.time()
    if ahead > 0: time.sleep(ahead)
last = [kib(p) for p in pids]
print("requests", done)
for p, a, b in zip(pids, warm, last): print("kib", "tracer" if p == tracer else "worker", a, b)
E
kill -QUIT "$(cat "$dir/nginx.pid")"
wait $pid
status=$?
cat "$dir/out"
[ $status = 0 ] || fail "status $status: $(cat "$dir/err")"
grep -q 'lost 0, bad 0' "$dir/err" || fail "$(cat "$dir/err")"
requests=$(awk '$1 == "requests" { print $2 }' "$dir/out")
got=$(awk '$NF == "sendfile" || $NF == "writev" || $NF == "write" { n += $4 } END { print n + 0 }' "$dir/err")
[ "$got" -ge "${requests:-1}" ] || fail "$got calls for $requests requests"
# a sixteenth and half a MiB are no growth
awk '$1 == "kib" && $4 > $3 + $3 / 16 + 512 { exit 1 }' "$dir/out" || fail "somebody grows"
[ "$(grep -c '^kib' "$dir/out")" -ge 3 ] || fail "not all were looked at"
pass
finish
