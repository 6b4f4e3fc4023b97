# SPDX-License-Identifier: Apache-2.0
# Text output with what differs from run to run replaced: ids by P1, P2 ... in
# order of appearance, addresses by ADDR, random bytes by RANDOM.
function id(n) {
	if (!(n in ids))
		ids[n] = "P" ++nids
	return ids[n]
}
{
	out = ""
	rest = $0
	sub(/getrandom\(".*", /, "getrandom(RANDOM, ", rest)
	while (match(rest, /0x[0-9a-f]{8,}/)) {
		out = out substr(rest, 1, RSTART - 1) "ADDR"
		rest = substr(rest, RSTART + RLENGTH)
	}
	$0 = out rest
	if (match($0, /^[0-9]+ /))
		$0 = id(substr($0, 1, RLENGTH - 1)) substr($0, RLENGTH)
	if (match($0, /(si_pid=|= )[0-9]+/) && /^(P[0-9]+ +)?(---|clone|fork|vfork|getpid|gettid|getppid|set_tid_address|wait4)/) {
		head = substr($0, 1, RSTART - 1)
		found = substr($0, RSTART, RLENGTH)
		tail = substr($0, RSTART + RLENGTH)
		split(found, part, /=/)
		$0 = head part[1] "=" (part[2] ~ /^ / ? " " : "") id(part[2] + 0) tail
	}
	gsub(/ +/, " ")
	print
}
