#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# End-to-end tests that take the engine which auto chooses, once more by stops.
srcdir=${srcdir:-.}
bad=0 good=0
for t in exit-status signals delivery replay separate propagate context progress maps demo; do
	E2E_ENGINE=ptrace sh "$srcdir/tests/e2e/$t.sh" >e2e-ptrace.out 2>&1
	case $? in
	0) good=$((good + 1)) ;;
	77) echo "-    $t: $(tail -n 1 e2e-ptrace.out)" ;;
	*) echo "FAIL $t:"; tail -n 8 e2e-ptrace.out; bad=$((bad + 1)) ;;
	esac
done
rm -f e2e-ptrace.out
ENGINE=ptrace sh "$srcdir/tests/e2e/native.sh" || bad=$((bad + 1))
echo "$good passed, $bad failed"
[ $bad = 0 ] && [ $good -gt 5 ]
