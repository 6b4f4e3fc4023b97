# SPDX-License-Identifier: Apache-2.0
# xlat/*.xlat -> xlat-gen.h (mode=h), xlat-gen.c (mode=c), or a C file that
# compares one set with the system's headers (mode=check).
#
# A file is one set, named as the file is:
#   flags | enum         first line: bits that may be combined, or one of several values
#   mask VALUE           flags only: these bits hold one number (O_ACCMODE); it is looked up whole
#   base SET             enum only: what is not here is looked up in that set
#   header <x.h>         where the names are defined, for mode=check only
#   only TEXT            mode=check: a line of C put before the headers (#define _GNU_SOURCE ...)
#   NAME VALUE           VALUE: decimal, 0x.., 0.., A<<B, or -N
# Members of enum sets are written sorted by value (xlat_lookup searches by
# halves); flags keep the order of the file: combinations before their parts.
BEGIN { CONVFMT = "%.17g" }	# numbers above 2^31 are used as keys
function die(msg) { print FILENAME ":" FNR ": " msg >"/dev/stderr"; bad = 1; exit 1 }
function digit(c) { return index("0123456789abcdef", tolower(c)) - 1 }
function number(s,   i, v, base, p) {
	if ((p = index(s, "<<")) > 0) {
		v = number(substr(s, 1, p - 1))
		for (i = substr(s, p + 2); i > 0; i--)
			v *= 2
		return v
	}
	if (s ~ /^-[0-9]+$/) return 4503599627370496 + s	# behind all others: unsigned order
	if (s ~ /^0[xX][0-9a-fA-F]+$/) { base = 16; s = substr(s, 3) }
	else if (s ~ /^0[0-7]+$/) base = 8
	else if (s ~ /^[0-9]+$/) base = 10
	else die("not a number: " s)
	for (i = 1; i <= length(s); i++)
		v = v * base + digit(substr(s, i, 1))
	return v + 0
}
function literal(s) {
	if (index(s, "<<")) { sub("<<", "ull<<", s); return "(" s ")" }
	return s ~ /^-/ ? "(uint64_t)" s "ll" : s "ull"
}
FNR == 1 {
	set = FILENAME; sub(/.*\//, "", set); sub(/\.xlat$/, "", set)
	sets[++nsets] = set; type[set] = ""; mask[set] = "0"; count[set] = 0
}
/^#/ || NF == 0 { next }
$1 == "flags" || $1 == "enum" { type[set] = $1; next }
$1 == "mask" { mask[set] = $2; next }
$1 == "base" { base[set] = "&xlat_" $2; next }
$1 == "header" { headers[set] = headers[set] "#include " $2 "\n"; next }
$1 == "only" { sub(/^only[ \t]+/, ""); only[set] = only[set] $0 "\n"; next }
{
	if (NF != 2 || $1 !~ /^[A-Za-z_][A-Za-z0-9_]*$/) die("a line is: NAME VALUE")
	if (type[set] == "") die("flags or enum must come first")
	v = number($2)
	if (type[set] == "enum" && ((set, v) in taken)) die($1 " and " taken[set, v] " have the same value")
	if ((set, $1) in named && type[set] == "flags") die($1 " is there twice")
	taken[set, v] = $1; named[set, $1] = 1
	n = ++count[set]
	if (type[set] == "enum")
		for (; n > 1 && value[set, n - 1] > v; n--) {
			name[set, n] = name[set, n - 1]; text[set, n] = text[set, n - 1]
			value[set, n] = value[set, n - 1]
		}
	name[set, n] = $1; text[set, n] = $2; value[set, n] = v
}
function header(   i) {
	print "/* Made by gen-xlat.awk from xlat/. */\n#ifndef XLAT_GEN_H\n#define XLAT_GEN_H\n"
	for (i = 1; i <= nsets; i++)
		printf "extern const struct xlat xlat_%s;\t/* %s, %d */\n", sets[i], type[sets[i]], count[sets[i]]
	print "\n#endif"
}
function code(   i, j, s) {
	print "/* Made by gen-xlat.awk from xlat/. */\n#include \"config.h\"\n#include \"syscalls/syscalls.h\""
	for (i = 1; i <= nsets; i++) {
		s = sets[i]
		printf "\nstatic const struct xlat_entry entries_%s[] = {\n", s
		for (j = 1; j <= count[s]; j++)
			printf "\t{ %s, \"%s\" },\n", literal(text[s, j]), name[s, j]
		printf "};\nconst struct xlat xlat_%s = { \"%s\", entries_%s, %d, %s, %s, %s };\n",
			s, s, s, count[s], type[s] == "flags" ? "true" : "false", literal(mask[s]), s in base ? base[s] : "NULL"
	}
	print "\nconst struct xlat *const xlat_sets[] = {"
	for (i = 1; i <= nsets; i++)
		printf "\t&xlat_%s,\n", sets[i]
	print "\tNULL\n};"
}
function check(   i, j, s) {
	for (i = 1; i <= nsets; i++) {
		s = sets[i]
		printf "%s#include <stdint.h>\n%s", only[s], headers[s]
		for (j = 1; j <= count[s]; j++)
			printf "#ifdef %s\n_Static_assert((uint64_t)(%s) == (uint64_t)(%s), \"%s.xlat: %s\");\n#endif\n",
				name[s, j], name[s, j], literal(text[s, j]), s, name[s, j]
	}
}
END {
	if (bad) exit 1
	for (i = 1; i <= nsets; i++)
		if (count[sets[i]] == 0) { print sets[i] ": empty set" >"/dev/stderr"; exit 1 }
	if (mode == "h") header()
	else if (mode == "c") code()
	else check()
}
