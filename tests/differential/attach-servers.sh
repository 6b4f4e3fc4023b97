#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --engine inproc -p: redis-server and nginx (its master and two workers, which are another user's where we are root), attached to and
# let go 20 times under load.  A known number of requests while attached makes a known number of calls, each request is
# answered, and afterwards code, mappings and what they do with signals are as before.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
started=
tracer_pid=
trap 'kill $started $tracer_pid 2>/dev/null; rm -rf "$dir"' EXIT
chmod 755 "$dir"

traced() {
	for p in "$@"; do
		"$fx/fx_text" "$p" | grep -q 'agent 2 threads [1-9]' || return 1
	done
}

# attach PID...
attach() {
	"$tracer" -qq -C -o /dev/null --format record --engine inproc -p "$(echo "$@" | tr ' ' ,)" 2>"$dir/err" &
	tracer_pid=$!
	tries=0
	while ! traced "$@" && [ $tries -lt 200 ] && kill -0 $tracer_pid 2>/dev/null; do
		sleep 0.05
		tries=$((tries + 1))
	done
	[ $tries -lt 200 ] || fail "not attached: $(cat "$dir/err")"
}

# detach PID...
detach() {
	kill -INT $tracer_pid
	wait $tracer_pid || fail "status $?: $(cat "$dir/err")"
	tracer_pid=
	for p in "$@"; do
		case $("$fx/fx_text" "$p") in
		*" differ 0 agent 0 threads 0") pass ;;
		*) fail "pid $p let go: $("$fx/fx_text" "$p")" ;;
		esac
	done
}

told() {
	awk -v name="$1" '$NF == name { n = $4 } END { print n + 0 }' "$dir/err"
}

signals_of() {
	for p in "$@"; do
		grep '^Sig\(Blk\|Ign\|Cgt\)' "/proc/$p/status"
	done
}

port() {
	echo $((20000 + ($$ + $1) % 20000))
}

nginx_test() {
	at=$(port 1)
	mkdir "$dir/www"
	echo hello >"$dir/www/index.html"
	cat >"$dir/nginx.conf" <<-END
		daemon off; worker_processes 2; pid $dir/nginx.pid; error_log $dir/nginx.err;
		events { worker_connections 64; }
		http { access_log off; server { listen 127.0.0.1:$at; root $dir/www; } }
	END
	chmod 777 "$dir"
	nginx -p "$dir" -c "$dir/nginx.conf" 2>/dev/null &
	master=$!
	started="$started $master"
	tries=0
	while ! curl -s "http://127.0.0.1:$at/" >/dev/null && [ $tries -lt 100 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	# shellcheck disable=SC2046
	set -- $master $(ps -o pid= --ppid $master)
	signals_of "$@" >"$dir/signals"
	round=0
	while [ $round -lt 20 ]; do
		round=$((round + 1))
		# half of the rounds begin and end while requests are under way
		[ $((round % 2)) = 0 ] || curl -s "http://127.0.0.1:$at/?before[1-300]" >"$dir/before" &
		load=$!
		attach "$@"
		[ $((round % 2)) = 1 ] || { curl -s "http://127.0.0.1:$at/?[1-200]" >"$dir/answers"
			[ "$(sort "$dir/answers" | uniq -c | tr -s ' ')" = " 200 hello" ] && pass || fail "nginx: answers"; }
		detach "$@"
		wait $load
		if [ $((round % 2)) = 0 ]; then
			[ "$(told writev)" = 200 ] && pass || fail "nginx, round $round: $(told writev) writev for 200 requests"
		else
			[ "$(sort "$dir/before" | uniq -c | tr -s ' ')" = " 300 hello" ] && pass || fail "nginx: answers under way"
		fi
	done
	signals_of "$@" | cmp -s - "$dir/signals" && pass || fail "nginx: other signals are handled than before"
	kill $master
	wait $master && pass || fail "nginx: status $?"
}

redis_test() {
	at=$(port 2)
	redis-server --port "$at" --bind 127.0.0.1 --save "" --dir "$dir" >"$dir/redis.log" 2>&1 &
	server=$!
	started="$started $server"
	tries=0
	while [ "$(redis-cli -p "$at" ping 2>/dev/null)" != PONG ] && [ $tries -lt 100 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	round=0
	while [ $round -lt 20 ]; do
		round=$((round + 1))
		attach $server
		i=0
		while [ $i -lt 200 ]; do
			echo "incr counter"
			i=$((i + 1))
		done | redis-cli -p "$at" >"$dir/answers"
		detach $server
		[ "$(tail -n 1 "$dir/answers")" = $((200 * round)) ] && pass || fail "redis: says $(tail -n 1 "$dir/answers")"
		# one answer each, and what the client asks at its start
		[ "$(told write)" -ge 200 ] && [ "$(told write)" -le 203 ] && pass ||
			fail "redis, round $round: $(told write) writes for 200 requests"
	done
	redis-cli -p "$at" shutdown nosave
	wait $server && pass || fail "redis: status $?"
}

tried=0
if command -v nginx >/dev/null && command -v curl >/dev/null; then
	tried=1
	nginx_test
fi
if command -v redis-server >/dev/null; then
	tried=1
	redis_test
fi
[ $tried = 1 ] || { echo "neither nginx with curl nor redis-server is here"; exit 77; }
finish
