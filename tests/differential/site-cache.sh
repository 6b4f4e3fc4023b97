#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --site-cache: what one run has learnt spares the next one its stops; whatever
# is wrong with the file is ignored, and nothing else about the run changes.
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
unset TRACER_SITE_CACHE
"$tracer" -qqq -c -o "$dir/t" --engine inproc --site-cache none true 2>"$dir/err" || { cat "$dir/err"; exit 77; }
cache=$dir/home/cache/tracer
sites=$cache/call-sites
loop='i=0; while [ $i -lt 12 ]; do /bin/true; i=$((i + 1)); done; echo done'

figure() {
	awk -v n="$1" 'index($0, "  " n " ") { v = $NF } END { print v + 0 }' "$dir/err"
}

# run [OPTION...]: the loop; what it prints and its calls are as ever
run() {
	"$tracer" -qq -c -o "$dir/table" --engine inproc --stats=engine "$@" -- sh -c "$loop" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	[ $status = 0 ] && [ "$(cat "$dir/out")" = "done" ] ||
		fail "status $status, output $(head -n 2 "$dir/out"), $(tail -n 2 "$dir/err")"
	awk '$NF == "execve" { print $4; exit }' "$dir/table" | grep -qx 13 || fail "not 13 programs in the table"
}

fresh() {
	rm -rf "$dir/home"
	cp -a "$dir/good" "$dir/home"
}

# ignored NAME: one cache was refused, and the run was a cold one
ignored() {
	run --site-cache "$cache"
	[ "$(figure "site caches ignored")" = 1 ] && [ "$(figure "site cache hits")" = 0 ] &&
		grep -q 'call sites in .* are not used: ' "$dir/err" && pass ||
		fail "$1: it was used: $(cat "$dir/err")"
}

# ---- kept and used ----
run --site-cache "$cache"
cold=$(figure "sites patched")
[ -f "$sites" ] && [ "$(figure "site cache hits")" = 0 ] && [ "$cold" -gt 20 ] && pass || fail "cold: $cold sites, $(ls -R "$dir/home")"
[ "$(ls -l "$sites" | cut -c1-10) $(ls -ld "$cache" | cut -c1-10)" = "-rw------- drwx------" ] && pass || fail "$(ls -lR "$dir/home")"
before=$(ls -i "$sites")
run --site-cache "$cache"
[ "$(figure "site cache hits")" -ge 2 ] && [ "$(figure "sites patched")" -lt $((cold / 4)) ] && pass || fail "warm: $(cat "$dir/err")"
[ "$(ls "$cache" -a | wc -l)" = 3 ] && pass || fail "left behind: $(ls -la "$cache")"
cp -a "$dir/home" "$dir/good"
XDG_CACHE_HOME=$dir/home/cache run
[ "$(figure "site cache hits")" -ge 2 ] && pass || fail "not found by XDG_CACHE_HOME"
HOME=$dir/home2 XDG_CACHE_HOME='' run
[ -f "$dir/home2/.cache/tracer/call-sites" ] && pass || fail "not made in \$HOME/.cache/tracer"
(cd "$dir" && run --site-cache rel/ative && run --site-cache rel/ative && [ "$(figure "site cache hits")" -ge 2 ]) && pass ||
	fail "a relative name"
run --site-cache /dev/null/x
grep -q 'call sites.*/dev/null/x.*Not a directory' "$dir/err" && pass || fail "no directory: $(cat "$dir/err")"
rm -rf "$dir/home"
XDG_CACHE_HOME=$dir/home/cache run --site-cache none
[ ! -e "$dir/home" ] && [ "$(figure "site caches ignored")" = 0 ] && pass || fail "none: something was made"

# A program with more call sites than its library has, and more code: what others run is there before it.
if busybox=$(command -v busybox) && ! "$busybox" true 2>/dev/null; then busybox=; fi
if [ -n "$busybox" ]; then
	rm -rf "$dir/home"
	"$tracer" -qqq -c -o "$dir/table" --engine inproc --site-cache "$cache" -- "$busybox" sh -c "
		cd $dir; for i in 1 2; do echo x >f; cat f; cp f g; mv g h; rm h; ls -la; mkdir d; touch -d @1 d; rmdir d; ln -s f l;
		readlink l; rm l; stat f; id; uname -a; date; df .; free; uptime; sleep 0; dd if=f of=g count=1; chmod 600 f; mkfifo p; sync;
		nice true; wc f; tar cf t f; time true; kill -0 \$\$; chown 0 f; rm -f p t g; done" >"$dir/out" 2>&1 </dev/null
	run --site-cache "$cache"
	run --site-cache "$cache"
	[ "$(figure "calls with one stop")" -le 2 ] && pass || fail "with a large program known: $(cat "$dir/err")"
fi
rm -rf "$dir/home"

# ---- damaged ----
fresh
size=$(wc -c <"$sites")
for n in 0 8 31 32 $((size / 2)) $((size - 1)); do
	fresh
	dd if="$dir/good/cache/tracer/call-sites" of="$sites" bs=1 count="$n" 2>/dev/null
	ignored "cut at $n"
done
for at in 0 8 12 16 24 40 $((size / 2)) $((size - 3)); do
	fresh
	printf '\377' | dd of="$sites" bs=1 seek="$at" conv=notrunc 2>/dev/null
	ignored "another byte at $at"
done
fresh
printf 'more than there was' >>"$sites"
ignored "longer"

# ---- not ours alone ----
fresh
chmod g+w "$sites"
ignored "a file that the group may write"
fresh
chmod o+w "$cache"
ignored "a directory that all may write"
fresh
mv "$sites" "$dir/elsewhere"
ln -s "$dir/elsewhere" "$sites"
ignored "a symbolic link"
fresh
rm "$sites"
mkfifo "$sites"
ignored "a pipe"
if [ "$(id -u)" = 0 ]; then
	fresh
	chown 1 "$sites"
	ignored "somebody else's file"
	fresh
	chown 1 "$cache"
	ignored "somebody else's directory"
fi
fresh
run --site-cache "$cache"
[ "$(figure "site cache hits")" -ge 2 ] && pass || fail "the good one is not used any more"

# ---- well formed, and wrong: every site is looked at before it is patched ----
if command -v python3 >/dev/null; then
	for shift in 1 -5 16; do
		fresh
		python3 - "$sites" $shift <<'EOP'
import struct, sys
data, shift = bytearray(open(sys.argv[1], "rb").read()), int(sys.argv[2])
at, mask = 32, (1 << 64) - 1
while at < len(data):
    path, n, _ = struct.unpack_from("<IHH", data, at + 72)
    at += 80 + (path + 7 & ~7)
    for i in range(n):
        site, = struct.unpack_from("<I", data, at)
        struct.pack_into("<I", data, at, max(site + shift, 0))
        at += 8
struct.pack_into("<Q", data, 24, 0)
h = len(data)
for w, in struct.iter_unpack("<Q", data):
    h = (h ^ w) * 0x9e3779b97f4a7c15 & mask
    h ^= h >> 29
struct.pack_into("<Q", data, 24, h)
open(sys.argv[1], "wb").write(data)
EOP
		run --site-cache "$cache"
		[ "$(figure "site cache hits")" -ge 2 ] && [ "$(figure "site caches ignored")" = 0 ] && pass ||
			fail "sites moved by $shift: the file was not even read: $(cat "$dir/err")"
	done
fi

# ---- a program that changed under the same name ----
if ${CC:-cc} -shared -fPIC -O1 -DNR=121 '-DSHIFT="nop\n\t"' -o "$dir/x.so" "$srcdir/fixtures/fx_library.c" 2>"$dir/err" &&
	${CC:-cc} -shared -fPIC -O1 -DNR=124 '-DSHIFT="nop\n\t"' -o "$dir/y.so" "$srcdir/fixtures/fx_library.c"; then
	sleep 3
	library() {
		"$tracer" -qq -c -o "$dir/table" --engine inproc --site-cache "$cache" --stats=engine \
			"$fx/fx_known" libraries "$dir/x.so" "$dir/x.so" >"$dir/out" 2>"$dir/err" </dev/null
		awk -v n="$1" '$NF == n { print $4; found = 1 } END { if (!found) print 0 }' "$dir/table"
	}
	n=$(library getpgid)
	[ "$n" -gt 0 ] && [ "$(library getpgid)" = "$n" ] && [ "$(figure "site cache hits")" -ge 3 ] && pass ||
		fail "the library is not known: $n, $(cat "$dir/err")"
	cat "$dir/y.so" >"$dir/x.so"
	[ "$(library getsid)" = "$n" ] && [ "$(library getpgid)" = 0 ] && pass || fail "the changed library: $(cat "$dir/table")"
fi
finish
