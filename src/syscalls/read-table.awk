# SPDX-License-Identifier: Apache-2.0
# Reads kinds.def, table.def and the number files, in this order, for the
# generator that follows on the command line (awk -f read-table.awk -f gen-...).
# For each number of an ABI it calls call(row, abi index, number).
#
#   param[k] size[k, abi] capture[k]       a kind (kinds.def)
#   base[r] id[name] nargs[r] ret[r] state[r] classes[r] flags[r] enter[r]
#   ordinary[r] special[r] cond[r]         a row (table.def); r is name or name@abi
#   argname[r, n] kind[r, n] dir[r, n] par[r, n] position[r, argument name]
function die(msg) {
	print FILENAME ":" FNR ": " msg >"/dev/stderr"
	bad = 1
	exit 1
}
function set_of(words, set,   n, i, w) {
	n = split(words, w)
	for (i = 1; i <= n; i++)
		set[w[i]] = i
}
BEGIN {
	split("x86_64 i386", abis)
	word[1] = 8; word[2] = 4
	set_of("waits noreturn nofail io", isflag)
	set_of("int fd pid size addr none hex oct unsigned", isret)
	set_of("readonly nohang nscd probe", iscond)
}
FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
	part = file == "kinds.def" ? 1 : file == "table.def" ? 2 : 3
	if (part == 3) { abi++; last = -1 }
}
/^#/ || NF == 0 { next }
part == 1 { param[$1] = $2; size[$1, 1] = $3; size[$1, 2] = $4; capture[$1] = $5; next }
part == 2 && $1 == "classes:" { sub(/^classes:/, ""); set_of($0, isclass); next }
part == 2 { row(); next }
{
	if (NF != 2 || $1 !~ /^[0-9]+$/ || $1 + 0 <= last) die("a line is: NUMBER NAME, numbers rising")
	last = $1 + 0
	r = ($2 "@" abis[abi]) in base ? $2 "@" abis[abi] : $2
	if (!(r in base)) die("no row in table.def for " $2)
	if ((abi, $2) in taken) die($2 " has two numbers")
	taken[abi, $2] = used[r] = 1
	max[abi] = last + 1
	call(r, abi, last)
}
function row(   i, name, at) {
	if ($1 in base) die("row " $1 " is there twice")
	name = $1; sub(/@.*/, "", name)
	at = substr($1, length(name) + 2)
	if (at != "" && at != abis[1] && at != abis[2]) die("unknown ABI " at)
	if (!(name in id)) { id[name] = nids + 0; names[nids++] = name }
	base[$1] = name
	line[++nrows] = $1
	for (i = 2; i <= NF && $i != "->"; i++)
		argument($1, $i)
	if (i >= NF || !($(i + 1) in isret)) die("-> and what it returns must follow the arguments")
	if (nargs[$1] > 6) die("more than 6 arguments")
	ret[$1] = toupper($(i + 1))
	state[$1] = "NONE"
	for (i += 2; i <= NF; i++)
		attribute($1, $i)
}
function argument(r, s,   n, p, k) {
	n = nargs[r]++
	if ((p = index(s, ":")) == 0) die("an argument is name:kind: " s)
	argname[r, n] = substr(s, 1, p - 1)
	position[r, argname[r, n]] = n
	k = substr(s, p + 1)
	if ((p = index(k, "(")) > 0) { par[r, n] = substr(k, p + 1, length(k) - p - 1); k = substr(k, 1, p - 1) }
	if ((p = index(k, ".")) > 0) { dir[r, n] = substr(k, p + 1); k = substr(k, 1, p - 1) }
	if (!(k in param)) die("unknown kind " k)
	if ((capture[k] == "-") != (dir[r, n] == "")) die("direction missing or without capture: " s)
	if (dir[r, n] !~ /^(|in|out|ret|lenptr|inout|both)$/) die("unknown direction: " s)
	if (param[k] == "set" ? par[r, n] == "" : param[k] == "-" && par[r, n] != "") die("wrong parameter: " s)
	if (capture[k] ~ /^(bytes|data)$/ && dir[r, n] != "ret" && par[r, n] == "") die("length missing: " s)
	kind[r, n] = k
}
function attribute(r, s,   p, k, v) {
	if ((p = index(s, "=")) == 0) {
		if (s in isclass) classes[r] = classes[r] " | SYSCALL_CLASS_" toupper(s)
		else if (s in isflag) flags[r] = flags[r] " | SYSCALL_F_" toupper(s)
		else if (s == "enter") enter[r] = 1
		else die("neither class nor flag: " s)
		return
	}
	k = substr(s, 1, p - 1)
	v = substr(s, p + 1)
	gsub(/,/, ", ", v)
	if (k == "state") state[r] = toupper(v)
	else if (k == "ordinary") ordinary[r] = v
	else if (sub(/^ordinary-/, "", k) && k in iscond) { special[r] = v; cond[r] = toupper(k) }
	else die("unknown attribute: " s)
}
END {
	if (bad) exit 1
	for (i = 1; i <= nrows; i++)
		if (!(line[i] in used)) die("no number for row " line[i])
}
