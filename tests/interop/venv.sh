#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a Python that has the packages of requirements.txt, in a
# virtual environment under the build directory, made at first use.  Exit 77
# with the reason where there is no python3, no venv module or no package index.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
venv=$builddir/tests/interop/venv
skip() { echo "SKIP: $*" >&2; exit 77; }
want=$srcdir/tests/interop/requirements.txt
if ! cmp -s "$want" "$venv/installed.txt"; then
	python3 -c 'import venv, ensurepip' 2>/dev/null ||
		skip "no python3 with venv (Debian: apt-get install python3-venv)"
	mkdir -p "$builddir/tests/interop"
	# Several tests may come here at once.
	exec 9>"$builddir/tests/interop/venv.lock"
	flock 9 2>/dev/null || :
	if ! cmp -s "$want" "$venv/installed.txt"; then
		rm -rf "$venv"
		python3 -m venv "$venv" >&2 || skip "python3 -m venv failed"
		"$venv/bin/pip" install -q --disable-pip-version-check -r "$want" >&2 ||
			skip "pip cannot install $want"
		cp "$want" "$venv/installed.txt"
	fi
fi
echo "$venv/bin/python"
