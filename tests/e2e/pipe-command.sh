#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# -o '|COMMAND': the command is nobody's tracee, it is no task of the run, nobody but its own thread waits
# for it, and what becomes of it changes nothing for the program.
set -u
. "${srcdir:-.}/tests/e2e/lib.sh"
need_ptrace
cd "$dir" || exit 99

for engine in ptrace inproc; do
	rm -f out tracer-pid program-pid late stats
	# It looks at itself while the program runs, and goes on for a while when all was written.
	"$tracer" -q --engine $engine --stats=engine \
		-o "|grep TracerPid /proc/self/status >tracer-pid; cat >out; sleep 0.3; echo late >late" \
		sh -c 'grep TracerPid /proc/self/status >program-pid; exit 7' 2>stats
	rc=$?
	if [ $rc = 7 ]; then pass; else fail "$engine: exit $rc, not 7: $(tail -n 2 stats)"; fi
	if [ "$(cat tracer-pid)" = "TracerPid:	0" ]; then pass; else fail "$engine: the command: $(cat tracer-pid)"; fi
	if grep -q 'TracerPid:	[1-9]' program-pid; then pass; else fail "$engine: the program: $(cat program-pid)"; fi
	if [ -s late ]; then pass; else fail "$engine: nobody waited for the command"; fi
	if grep -q 'exited with 7' out; then pass; else fail "$engine: the command got $(wc -c <out) bytes"; fi
	if grep -Eq '"(late|out|tracer-pid)"' out; then fail "$engine: the command was traced: $(grep -E '"late"' out)"; else pass; fi
	tasks=$(sed -n 's/^tracer: *tasks  *\([0-9]*\)$/\1/p' stats)
	if [ "$tasks" = 2 ]; then pass; else fail "$engine: $tasks tasks, not the shell and its grep"; fi

	# A command that ends long before the program, by itself or by a signal: told once.
	for command in 'exit 3' 'kill -9 $$'; do
		"$tracer" -q --engine $engine -o "|$command" sh -c 'sleep 0.3; ls -lR /usr/share/doc >/dev/null; exit 5' 2>err
		rc=$?
		if [ $rc = 5 ]; then pass; else fail "$engine: |$command: exit $rc, not 5"; fi
		if [ "$(grep -cF "|$command" err)" = 1 ]; then pass; else fail "$engine: |$command: told: $(cat err)"; fi
		if grep -q 'nobody reads it' err; then pass; else fail "$engine: |$command: $(cat err)"; fi
	done
	# One that has read everything and fails: what became of it is told, once.
	while read -r command said; do
		"$tracer" -q --engine $engine -o "|cat >out; $command" true 2>err
		rc=$?
		if [ $rc = 125 ] && grep -q "$said" err && [ "$(wc -l <err)" = 1 ]; then pass; else
			fail "$engine: |$command: exit $rc: $(cat err)"
		fi
	done <<-'ROWS'
		exit${IFS}3 exited.with.status.3
		kill${IFS}-9${IFS}$$ killed.by.signal.9
	ROWS
done
finish
