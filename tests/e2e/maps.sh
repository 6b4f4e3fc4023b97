#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Files that a program runs code of: in both engines, with the build-id that readelf prints; files that
# are no ELF, cut, removed or no files at all are told of as far as there is something to tell, and the
# program does not notice.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
command -v readelf >/dev/null || { echo "readelf (binutils) is not here"; exit 77; }
command -v python3 >/dev/null || { echo "python3 is not here"; exit 77; }
mkdir "$dir/files"

build_id() {
	readelf -n "$1" 2>/dev/null | sed -n 's/^ *Build ID: *//p'
}

# Field $3 of the first "map" line of output $1 whose path is $2.
field() {
	python3 - "$@" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    if o["type"] == "map" and o["path"] == sys.argv[2]:
        print(o.get(sys.argv[3], "none"))
        break
PY
}

check() {
	if [ "$2" = "$3" ]; then pass; else fail "$1: '$2', not '$3'"; fi
}

# What the program says of its mappings against what was told of them.
compare() {
	python3 - "$1" "$2" "$dir/files" <<'PY'
import json, sys
printed = dict(line.split() for line in open(sys.argv[1]))
told = {}
for line in open(sys.argv[2]):
    o = json.loads(line)
    if o["type"] == "map":
        told.setdefault(o["addr"], []).append(o)
bad = 0
def wrong(what):
    global bad
    bad += 1
    print("FAIL " + what)
want = {"text": "text", "again": "text", "cut": "cut", "removed-before": "removed-before (deleted)",
        "removed-after": "removed-after", "child": "child"}
for name, path in want.items():
    hits = [o for o in told.get(printed[name], []) if o["path"] == sys.argv[3] + "/" + path]
    if len(hits) != 1:
        wrong("%s at %s: %r" % (name, printed[name], told.get(printed[name])))
    elif "build_id" in hits[0] or hits[0]["length"] != 4096 or hits[0]["offset"] != 0 or not hits[0]["ino"]:
        wrong("%s: %r" % (name, hits[0]))
    elif name == "text" and "elf_class" in hits[0]:
        wrong("text is an ELF file: %r" % hits[0])
for name in "data", "anonymous":
    if printed[name] in told:
        wrong("%s was told of: %r" % (name, told[printed[name]]))
if printed["device"] != "refused" and [o["path"] for o in told.get(printed["device"], [])] != ["/dev/zero"]:
    wrong("device: %r" % told.get(printed["device"]))
if printed["bad-descriptor"] != "refused":
    wrong("a bad descriptor was mapped")
sys.exit(bad != 0)
PY
}

"$fx/fx_maps" "$dir/files" >"$dir/native" || { echo "no file here may be mapped as code"; exit 77; }
grep -q '^text refused' "$dir/native" && { echo "no file here may be mapped as code"; exit 77; }
for engine in ptrace inproc; do
	out=$dir/$engine.json
	"$tracer" -qq --engine $engine -o "$out" "$fx/fx_maps" "$dir/files" >"$dir/said" 2>"$dir/err"
	rc=$?
	if [ $rc != 0 ] && [ $engine = inproc ] && grep -q 'engine ptrace' "$dir/err"; then
		echo "no in-process engine here: $(tail -n 1 "$dir/err")"
		continue
	fi
	check "$engine: exit" $rc 0
	if compare "$dir/said" "$out"; then pass; else fail "$engine: mappings"; fi
	libc=$(sed -n 's/.*"path":"\([^"]*\/libc\.so\.6\)".*"build_id".*/\1/p' "$out" | head -n 1)
	[ -n "$libc" ] || { fail "$engine: no libc: $(grep '"map"' "$out")"; continue; }
	check "$engine: libc" "$(field "$out" "$libc" build_id)" "$(build_id "$libc")"
	check "$engine: libc's class" "$(field "$out" "$libc" elf_class)" 64
	interp=$(sed -n 's/.*"path":"\([^"]*\/ld-linux[^"]*\)".*/\1/p' "$out" | head -n 1)
	check "$engine: interpreter" "$(field "$out" "${interp:-none}" build_id)" "$(build_id "${interp:-/none}")"
	check "$engine: the program" "$(field "$out" "$(readlink -f "$fx/fx_maps")" build_id)" \
		"$(build_id "$fx/fx_maps" | sed 's/^$/none/')"
	# None is missed and none is told twice: rings that end in every place, signals in between.
	"$tracer" -qq --engine $engine --ring-size 64k -o "$dir/storm.json" "$fx/fx_maps" "$dir/files" 4000 >"$dir/alarms"
	check "$engine: storm" "$(grep -c '"map".*/storm"' "$dir/storm.json")" 4000
	check "$engine: storm, calls" "$(grep -c '"mmap".*"result":"0x' "$dir/storm.json")" \
		"$(grep -c '"mmap"' "$dir/storm.json")"
	[ "$(sed 's/[^0-9]//g' "$dir/alarms")" -gt 10 ] || fail "$engine: $(cat "$dir/alarms")"
	# A selection that leaves mmap out hears of mappings, not of the calls; text hears of neither.
	"$tracer" -qq --engine $engine -e trace=getpid -o "$dir/only.json" "$fx/fx_maps" "$dir/files" >/dev/null
	check "$engine: libc, mmap not selected" "$(field "$dir/only.json" "$libc" build_id)" "$(build_id "$libc")"
	check "$engine: calls" "$(grep -c '"mmap"' "$dir/only.json")" 0
done

# Each file is read once: the second child of a shell maps what the first one has.
"$tracer" -qq --engine ptrace --stats=engine -o "$dir/many.json" sh -c '/bin/true; /bin/true; /bin/true' 2>"$dir/stats"
maps=$(sed -n 's/^tracer: *mappings of code *//p' "$dir/stats") reads=$(sed -n 's/^tracer: *executables read *//p' "$dir/stats")
if [ "${maps:-0}" -ge 12 ] && [ "${reads:-99}" -le 4 ]; then pass; else fail "$maps mappings, $reads files read"; fi

# Who was running when we came has its mappings told.
sleep 30 &
pid=$!
"$tracer" -qq -p $pid -o "$dir/attached.json" 2>"$dir/err" &
us=$!
i=0
while [ $i -lt 100 ] && ! grep -q '"type":"map".*"attached":true' "$dir/attached.json" 2>/dev/null; do
	sleep 0.1
	i=$((i + 1))
done
kill $pid
wait $us
libc=$(sed -n 's/.*"path":"\([^"]*\/libc\.so\.6\)".*"attached":true.*/\1/p' "$dir/attached.json" | head -n 1)
if [ -s "$dir/err" ] && grep -q EPERM "$dir/err"; then
	echo "attaching is not allowed here"
else
	check "attached: libc" "$(field "$dir/attached.json" "${libc:-none}" build_id)" "$(build_id "${libc:-/none}")"
fi
finish
