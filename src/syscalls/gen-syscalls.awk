# SPDX-License-Identifier: Apache-2.0
# awk -f read-table.awk -f gen-syscalls.awk kinds.def table.def nr-*.tbl ->
# syscalls-gen.h: lists of errnos, capture plans, rows by number, names.
# pairs: reads of one argument and writes to another, which may name the same memory
function rule(op, n, len, f, bytes) {
	if (f ~ /F_IN/ && f !~ /ENTER/ && nin < 8) { reader[nin] = nrules; reads[nin++] = n }
	if (f ~ /F_OUT/) { writer[nout] = nrules; writes[nout++] = n }
	rules = rules sprintf("\t\t{ CAP_OP_%s, %d, %d, %s, %d, 0 },\n", op, n, len, f, bytes)
	nrules++
	if (f ~ /ENTER/ && pflags !~ /ENTER/) pflags = pflags " | CAP_PLAN_ENTER"
	if (f ~ /DATA/ && pflags !~ /DATA/) pflags = pflags " | CAP_PLAN_DATA"
}
# Argument n as rules: at most one for each direction.
function capture_rules(r, n, a,   c, d, len, data, in_f, out_f, b) {
	c = capture[kind[r, n]]
	d = dir[r, n]
	if (d == "") return
	b = size[kind[r, n], a] == "-" ? 0 : size[kind[r, n], a]
	len = length_of(r, n)
	data = c ~ /^(data|string|iovec|msghdr)$/ ? " | CAP_F_DATA" : ""
	in_f = "CAP_F_IN" (enter[r] || d == "inout" ? " | CAP_F_ENTER" : "") data
	out_f = "CAP_F_OUT" (d == "both" ? " | CAP_F_ALWAYS" : "") data
	if (c == "path" || c == "string") rule("STR", n, 255, in_f, 0)
	else if (c == "strings") rule("STRV", n, 255, in_f, b)
	else if (c == "count") rule("COUNTV", n, 255, in_f, b)
	else if (c == "iovec") rule(d == "ret" ? "IOV_RET" : "IOV", n, len, d == "ret" ? out_f : in_f, b)
	else if (c == "msghdr") rule(d == "ret" ? "MSGHDR_RET" : "MSGHDR", n, len, d == "ret" ? out_f : in_f, b)
	else {
		if (d ~ /^in/) rule(c == "object" ? "MEM" : "BUF_ARG", n, len, in_f, b)
		if (d == "in") return
		if (d == "ret") rule(b == 1 ? "BUF_RET" : "OBJS_RET", n, 255, out_f, b)
		else if (d == "lenptr") rule("BUF_PTR", n, len, out_f, 0)
		else rule(c == "object" ? "MEM" : "BUF_ARG", n, len, out_f, b)
	}
}
function pair_list(   i, j, s, n) {
	n = 0
	for (i = 0; i < nin; i++) for (j = 0; j < nout; j++)
		if (reads[i] != writes[j] && n++ < 4) s = s sprintf(" %d,", reader[i] + 16 * writer[j])
	if (n) pflags = pflags " | CAP_PLAN_PAIRS"
	if (n > 4) print "gen-syscalls.awk: " n " pairs, 4 are looked at" >"/dev/stderr"
	return n ? s : " 0"
}
function length_of(r, n) {
	if (param[kind[r, n]] != "len" || par[r, n] == "") return 255
	if (!((r, par[r, n]) in position)) die("row " r ": no argument " par[r, n])
	return position[r, par[r, n]]
}
function list(v) {
	if (v == "") return "NULL"
	if (!(v in need)) { need[v] = 1; lists[++nlists] = v }
	gsub(/, /, "_", v)
	return "errnos_" v
}
# First argument of a kind, or -1.
function first(r, k,   n) {
	for (n = 0; n < nargs[r]; n++) if (kind[r, n] == k) return n
	return -1
}
# symlink's first path is only text.
function path_arg(r) { return (r, "linkpath") in position ? position[r, "linkpath"] : first(r, "path") }
function peer_arg(r) { return first(r, "sockaddr") >= 0 ? first(r, "sockaddr") : first(r, "msghdr") }
function call(r, a, nr,   n, k, kinds, argnames, sets, lens) {
	rules = pflags = kinds = argnames = sets = lens = ""
	nrules = nin = nout = 0
	for (n = 0; n < nargs[r]; n++) {
		capture_rules(r, n, a)
		k = kind[r, n]
		kinds = kinds " ARG_" toupper(k) ","
		argnames = argnames " \"" argname[r, n] "\","
		sets = sets " " (param[k] == "set" ? "&xlat_" par[r, n] : "NULL") ","
		lens = lens " " length_of(r, n) ","
	}
	if (nrules > 8) die("row " r ": more than 8 capture rules")
	k = pair_list()
	plans = plans sprintf("static const struct capture_plan plan_%d_%d = { %d, %d, 0%s, %d, {%s }, {\n%s} };\n", \
		a, nr, nrules, nargs[r], pflags, word[a], k, rules == "" ? "\t\t{ 0 }\n" : rules)
	rows[a] = rows[a] sprintf("\t[%d] = { \"%s\", 0%s, %d, RET_%s, STATE_%s, 0%s, %d,", \
		nr, base[r], classes[r], nargs[r], ret[r], state[r], flags[r], id[base[r]])
	if (nargs[r] == 0) { kinds = " 0"; lens = " 0xff"; argnames = sets = " NULL" }
	rows[a] = rows[a] sprintf("\n\t\t{%s }, {%s },\n\t\t{%s }, {%s },\n", kinds, lens, argnames, sets)
	rows[a] = rows[a] sprintf("\t\t&plan_%d_%d, %s, %s, ORDINARY_IF_%s, %d, %d, %d },\n", a, nr, list(ordinary[r]), \
		list(special[r]), cond[r] ? cond[r] : "ALWAYS", path_arg(r), first(r, "fd"), peer_arg(r))
}
END {
	print "/* Made by gen-syscalls.awk from kinds.def, table.def and the number files. */"
	for (i = 1; i <= nlists; i++)
		printf "static const int16_t %s[] = { %s, 0 };\n", list(lists[i]), lists[i]
	printf "%s", plans
	for (a = 1; a <= 2; a++)
		printf "static const struct syscall_desc calls_%s[%d] = {\n%s};\n", abis[a], max[a], rows[a]
	printf "static const char *const row_names[%d] = {\n", nids
	for (i = 0; i < nids; i++)
		printf "\t\"%s\",\n", names[i]
	print "};"
}
