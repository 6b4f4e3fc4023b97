# SPDX-License-Identifier: Apache-2.0
# The "classes:" line of table.def -> classes-gen.h: a bit for each class.
$1 == "classes:" {
	print "/* Made by gen-classes.awk from table.def. */\n#ifndef CLASSES_GEN_H\n#define CLASSES_GEN_H\n"
	for (i = 2; i <= NF; i++) {
		printf "#define SYSCALL_CLASS_%s\t(UINT64_C(1) << %d)\n", toupper($i), i - 2
		list = list sprintf(" \\\n\tX(%s, %s)", toupper($i), $i)
	}
	print "\n/* X(name in capitals, name): every class. */\n#define SYSCALL_CLASS_LIST(X)" list "\n\n#endif"
	found = 1
}
END { if (!found) { print "table.def: no line classes:" >"/dev/stderr"; exit 1 } }
