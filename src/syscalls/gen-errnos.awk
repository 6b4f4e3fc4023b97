# SPDX-License-Identifier: Apache-2.0
# errnos.def -> errnos-gen.h: one array, indexed by the number.
function die(msg) { print FILENAME ":" FNR ": " msg >"/dev/stderr"; bad = 1; exit 1 }
BEGIN { last = -1 }
/^#/ || NF == 0 { next }
{
	if (NF < 3 || $1 !~ /^[0-9]+$/ || $1 + 0 <= last) die("a line is: NUMBER NAME TEXT, numbers rising")
	if ($2 in seen) die($2 " is there twice")
	seen[$2] = 1; last = $1 + 0
	text = $0
	sub(/^[0-9]+ +[A-Z0-9_]+ +/, "", text)
	gsub(/["\\]/, "\\\\&", text)
	rows = rows sprintf("\t[%d] = { \"%s\", \"%s\" },\n", last, $2, text)
}
END {
	if (bad) exit 1
	print "/* Made by gen-errnos.awk from errnos.def. */"
	printf "static const struct { const char *name, *text; } errnos[%d] = {\n%s};\n", last + 1, rows
}
