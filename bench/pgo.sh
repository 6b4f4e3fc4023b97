#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pgo.sh SOURCE BUILD OUT: a build that was optimised by profile, and what that gained.
# The training is the benchmark of the hot paths and traced fixtures on the
# ptrace engine; both programs are then run in turn and compared (bench/compare.py).
set -eu
source=$(cd "$1" && pwd) build=$(cd "$2" && pwd)
mkdir -p "$3" && out=$(cd "$3" && pwd)
profile=$out/profile
rm -rf "$out/build" "$profile"
mkdir -p "$out/build" "$profile"
# configure refuses a second build where the sources were configured: then from a clean copy of them
configured=$source
if [ -e "$source/config.status" ]; then
	rm -rf "$out/source"
	mkdir "$out/source"
	tar -C "$source" --exclude=./.git --exclude=./audit --exclude=./profile --exclude=./bench/results/[0-9]* -cf - . |
		tar -C "$out/source" -xf -
	make -s -C "$out/source" distclean >"$out/source.out" 2>&1 || { tail -n 20 "$out/source.out"; exit 1; }
	configured=$out/source
fi
cd "$out/build"
compile() {	# TARGETS FLAGS
	"$configured/configure" -q CC="${CC:-gcc}" CFLAGS="-g -O2 $2" >configure.out 2>&1 || { tail -n 20 configure.out; exit 1; }
	for target in $1; do
		make -s -j2 "$target" >make.out 2>&1 || { tail -n 20 make.out; exit 1; }
	done
}
# bench-programs makes the generated sources first; tracer alone would not.
compile "bench-programs tracer" "-fprofile-generate=$profile -fprofile-update=atomic"
for filter in span pipe stats encoding pool; do
	bench/bench --quick --filter $filter >/dev/null || exit 1
done
port=$out/port
bench/otlp-null-sink 0 >"$port" &
sink=$!
trap 'kill $sink' EXIT
sleep 1
./tracer --engine ptrace --detail full --otlp-endpoint "http://127.0.0.1:$(cat "$port")" -- bench/load syscall_heavy 20000 || exit 1
./tracer --engine ptrace -c -o /dev/null -- bench/load io_heavy 200 || exit 1
make -s clean >/dev/null
compile "bench-program" "-fprofile-use=$profile -fprofile-partial-training -fprofile-correction -Wno-missing-profile -Wno-coverage-mismatch"
mkdir -p "$out/base"
cp "$build/bench/bench" "$out/base/bench"
export PYTHONDONTWRITEBYTECODE=1
python3 "$source/bench/gate.py" --force --bench "$out/base/bench" --table "$source/bench/reference/instructions.tbl" \
	--json "$out/base/instructions.json" >/dev/null || true
python3 "$source/bench/compare.py" --base "$out/base" --bench "$out/build/bench/bench" --out "$out/pgo.json" --rounds 5 || true
