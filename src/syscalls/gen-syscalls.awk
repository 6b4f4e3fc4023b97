# SPDX-License-Identifier: Apache-2.0
# kinds.def table.def nr-x86_64.tbl nr-i386.tbl -> syscalls-gen.h: capture
# plans and rows.  The formats are described at the top of each file.
function die(msg) { print FILENAME ":" FNR ": " msg >"/dev/stderr"; bad = 1; exit 1 }
BEGIN {
	split("x86_64 i386", abis); word[1] = 8; word[2] = 4
	n = split("waits noreturn nofail io", w); for (i = 1; i <= n; i++) isflag[w[i]]
	n = split("int fd pid size addr none hex oct unsigned", w); for (i = 1; i <= n; i++) isret[w[i]]
	n = split("readonly nohang nscd probe", w); for (i = 1; i <= n; i++) iscond[w[i]]
}
FNR == 1 { file = FILENAME; sub(/.*\//, "", file); part = file == "kinds.def" ? 1 : file == "table.def" ? 2 : 3
	if (part == 3) { abi++; last = -1 } }
/^#/ || NF == 0 { next }
part == 1 { param[$1] = $2; size[$1, 1] = $3; size[$1, 2] = $4; capture[$1] = $5; next }
part == 2 && $1 == "classes:" { for (i = 2; i <= NF; i++) isclass[$i]; next }
part == 2 { row(); next }
{
	if (NF != 2 || $1 !~ /^[0-9]+$/ || $1 + 0 <= last) die("a line is: NUMBER NAME, numbers rising")
	last = $1 + 0
	r = ($2 "@" abis[abi]) in known ? $2 "@" abis[abi] : $2
	if (!(r in known)) die("no row in table.def for " $2)
	used[r] = 1; max[abi] = last + 1
	if ((abi, $2) in taken) die($2 " has two numbers")
	taken[abi, $2] = 1
	plan(r, abi, last)
}
function row(   i, name, at) {
	if ($1 in known) die("row " $1 " is there twice")
	name = $1; sub(/@.*/, "", name)
	if ((at = substr($1, length(name) + 2)) != "" && at != abis[1] && at != abis[2]) die("unknown ABI " at)
	if (!(name in id)) { id[name] = nids + 0; names[nids++] = name }
	known[$1] = FNR; base[$1] = name; line[++nrows] = $1
	for (i = 2; i <= NF && $i != "->"; i++) argument($1, $i)
	if (i >= NF || !($(i + 1) in isret)) die("-> and what it returns must follow the arguments")
	if (nargs[$1] > 6) die("more than 6 arguments")
	ret[$1] = toupper($(i + 1)); state[$1] = "NONE"
	for (i += 2; i <= NF; i++) attribute($1, $i)
}
function argument(r, s,   n, p, k) {
	n = nargs[r]++
	if ((p = index(s, ":")) == 0) die("an argument is name:kind: " s)
	argname[r, n] = substr(s, 1, p - 1); position[r, argname[r, n]] = n; k = substr(s, p + 1)
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
	k = substr(s, 1, p - 1); v = substr(s, p + 1); gsub(/,/, ", ", v)
	if (k == "state") state[r] = toupper(v)
	else if (k == "ordinary") ordinary[r] = v
	else if (sub(/^ordinary-/, "", k) && k in iscond) { special[r] = v; cond[r] = toupper(k) }
	else die("unknown attribute: " s)
}
function rule(op, n, len, f, bytes) {
	rules = rules sprintf("\t\t{ CAP_OP_%s, %d, %d, %s, %d, 0 },\n", op, n, len, f, bytes); nrules++
	if (f ~ /ENTER/ && pflags !~ /ENTER/) pflags = pflags " | CAP_PLAN_ENTER"
	if (f ~ /DATA/ && pflags !~ /DATA/) pflags = pflags " | CAP_PLAN_DATA"
}
function capture_rule(r, n, a,   k, c, d, len, f, out, b) {
	k = kind[r, n]; c = capture[k]; d = dir[r, n]; b = size[k, a] == "-" ? 0 : size[k, a]
	if (d == "") return
	len = 255
	if (param[k] == "len" && par[r, n] != "") {
		if (!((r, par[r, n]) in position)) { print "table.def: " r ": no argument " par[r, n] >"/dev/stderr"; exit 1 }
		len = position[r, par[r, n]]
	}
	f = c ~ /^(data|string|iovec|msghdr)$/ ? " | CAP_F_DATA" : ""
	out = "CAP_F_OUT" (d == "both" ? " | CAP_F_ALWAYS" : "") f
	f = (d == "both" ? "CAP_F_OUT" : "CAP_F_IN") (enter[r] || d == "inout" ? " | CAP_F_ENTER" : "") f
	if (c == "path" || c == "string") rule("STR", n, 255, f, 0)
	else if (c == "strings") rule("STRV", n, 255, f, b)
	else if (c == "count") rule("COUNTV", n, 255, f, b)
	else if (c == "iovec" || c == "msghdr") {
		c = c == "iovec" ? "IOV" : "MSGHDR"
		rule(d == "ret" ? c "_RET" : c, n, len, d == "ret" ? out : f, b)
	} else {
		if (d ~ /^in/) rule(c == "object" ? "MEM" : "BUF_ARG", n, len, f, b)
		if (d != "in") rule(c == "object" ? "MEM" : d == "lenptr" ? "BUF_PTR" : d != "ret" ? "BUF_ARG" : \
			b == 1 ? "BUF_RET" : "OBJS_RET", n, d == "ret" ? 255 : len, out, d == "lenptr" ? 0 : b)
	}
}
function list(v) {
	if (v == "") return "NULL"
	if (!(v in need)) { need[v] = 1; lists[++nlists] = v }
	gsub(/, /, "_", v)
	return "errnos_" v
}
function plan(r, a, nr,   i, n, k, s, t, l) {
	rules = pflags = ""; nrules = 0
	for (n = 0; n < nargs[r]; n++) {
		capture_rule(r, n, a); k = kind[r, n]
		s = s sprintf("%sARG_%s", n ? ", " : "", toupper(k)); t = t sprintf("%s\"%s\"", n ? ", " : "", argname[r, n])
		x[n] = param[k] == "set" ? "&xlat_" par[r, n] : "NULL"
		l = l (n ? ", " : "") (param[k] == "len" && par[r, n] != "" ? position[r, par[r, n]] : 255)
	}
	if (nrules > 8) { print "table.def: " r ": more than 8 capture rules" >"/dev/stderr"; exit 1 }
	plans = plans sprintf("static const struct capture_plan plan_%d_%d = { %d, %d, 0%s, %d, 0, {\n%s} };\n", \
		a, nr, nrules, nargs[r], pflags, word[a], rules == "" ? "\t\t{ 0 }\n" : rules)
	descs[a] = descs[a] sprintf("\t[%d] = { \"%s\", 0%s, %d, RET_%s, STATE_%s, 0%s, %d, { %s }, { %s },\n\t\t{ %s }, {", \
		nr, base[r], classes[r], nargs[r], ret[r], state[r], flags[r], id[base[r]], s == "" ? 0 : s, l == "" ? 255 : l, \
		t == "" ? "NULL" : t)
	for (n = 0; n < nargs[r] || n == 0; n++) descs[a] = descs[a] (n ? ", " : " ") (n < nargs[r] ? x[n] : "NULL")
	descs[a] = descs[a] sprintf(" },\n\t\t&plan_%d_%d, %s, %s, ORDINARY_IF_%s },\n", \
		a, nr, list(ordinary[r]), list(special[r]), cond[r] ? cond[r] : "ALWAYS")
}
END {
	if (bad) exit 1
	for (i = 1; i <= nrows; i++) if (!(line[i] in used)) {
		print "table.def:" known[line[i]] ": no number for " line[i] >"/dev/stderr"; exit 1 }
	print "/* Made by gen-syscalls.awk from kinds.def, table.def and the number files. */"
	for (i = 1; i <= nlists; i++) printf "static const int16_t %s[] = { %s, 0 };\n", list(lists[i]), lists[i]
	printf "%s", plans
	for (a = 1; a <= 2; a++) printf "static const struct syscall_desc calls_%s[%d] = {\n%s};\n", abis[a], max[a], descs[a]
	printf "static const char *const row_names[%d] = {\n", nids
	for (i = 0; i < nids; i++) printf "\t\"%s\",\n", names[i]
	print "};"
}
