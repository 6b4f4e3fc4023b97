# SPDX-License-Identifier: Apache-2.0
# kinds.def -> kinds-gen.h: enum arg_kind and a list of all kinds.
function die(msg) { print FILENAME ":" FNR ": " msg >"/dev/stderr"; bad = 1; exit 1 }
/^#/ || NF == 0 { next }
{
	if (NF < 6) die("a row is: kind param size64 size32 capture description")
	if ($1 !~ /^[a-z][a-z0-9_]*$/) die("bad name " $1)
	if ($1 in seen) die("kind " $1 " is there twice")
	if ($2 !~ /^(-|set|len)$/) die("param must be -, set or len: " $2)
	if ($3 !~ /^(-|[0-9]+)$/ || $4 !~ /^(-|[0-9]+)$/) die("sizes must be numbers or -")
	if ($5 !~ /^(-|path|string|object|bytes|data|iovec|msghdr|strings|count)$/) die("unknown capture " $5)
	seen[$1] = 1
	kind[++n] = $1
	text = $6
	for (i = 7; i <= NF; i++)
		text = text " " $i
	gsub(/\*\//, "* /", text)
	what[n] = text
}
END {
	if (bad) exit 1
	print "/* Made by gen-kinds.awk from kinds.def. */"
	print "#ifndef KINDS_GEN_H\n#define KINDS_GEN_H\n"
	print "enum arg_kind {\n\tARG_NONE = 0,"
	for (i = 1; i <= n; i++)
		printf "\tARG_%s,\t/* %s */\n", toupper(kind[i]), what[i]
	print "\tARG_KINDS\n};\n"
	print "/* X(name in capitals, name): every kind but ARG_NONE. */\n#define ARG_KIND_LIST(X) \\"
	for (i = 1; i <= n; i++)
		printf "\tX(%s, %s)%s\n", toupper(kind[i]), kind[i], i < n ? " \\" : ""
	print "\n#endif"
}
