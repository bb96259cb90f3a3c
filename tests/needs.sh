#!/bin/sh
# needs.sh [--tag] [DIR] - which tests need what a machine that qemu-user only plays has not, and so cannot run there
#
# One line a test, FILE, TAG, NAME and the reason, between tabs; found in the text of the test and of the functions that it
# calls, in its file and in those that it loads, so that no list is to be kept. With --tag each test of the tree in DIR (a
# copy) gets its tags as bats knows them, `# bats test_tags=...`, for run.sh's TEST_TAGS.
#
#	needs:ptrace	strace, valgrind: one process that traces another
#	needs:memory	how much memory a process took, or may take: qemu's is in it
#	needs:browser	Chromium
#	needs:hosts	hosts with systemd: namespaces that qemu-user does not know
#	needs:mounts	which mount a file is seen through: qemu-user's statx(2) leaves the number out, and says that it is there
#	needs:closed	a program that is begun without a standard input: qemu-user has the program's own file open in that place
set -eu
tag=
[ "${1-}" != --tag ] || { tag=yes; shift; }
cd "${1:-$(dirname "$0")/..}"

# shellcheck disable=SC2046  # names of ours
awk -v tag="$tag" '
BEGIN {
	tags = split("needs:ptrace needs:memory needs:browser needs:hosts needs:mounts needs:closed", tag_of)
	word["needs:ptrace"] = "(^|[^a-z_-])(strace|valgrind|gdb) "
	word["needs:memory"] = "time (-o [^ ]+ )?-f .?%M|ulimit -v"
	word["needs:browser"] = "(^|[^a-z_-])chromium "
	word["needs:closed"] = "[^0-9}]<&-"
	word["needs:mounts"] = "mount --bind .*db-install "
	word["needs:hosts"] = "(^|[^a-z_-])lab (boot|check)|lib/systemd/systemd"
}
function begin(n) { part = FILENAME SUBSEP n; names[FILENAME] = names[FILENAME] " " n; body[part] = "" }
function full_path(from, load) {
	sub("[^/]*$", "", from)
	while (sub("^\\.\\./", "", load)) sub("[^/]*/$", "", from)
	return from load ".bash"
}
FNR == 1 { part = FILENAME SUBSEP "" }
/^[ \t]*load [a-z.\/-]+$/ { loads[FILENAME] = loads[FILENAME] " " full_path(FILENAME, $2) }
/^@test "/ {
	name = $0; sub("^@test \"", "", name); sub("\" \\{$", "", name)
	begin("@" (++count)); title[part] = name; test[count] = part
}
/^[a-zA-Z_]+\(\)/ { name = $1; sub("\\(\\).*", "", name); begin(name) }
{ line = $0; sub("^[ \t]*#.*", "", line); body[part] = body[part] "\n" line " " }
/^}/ || /^[a-zA-Z_]+\(\).*}$/ { part = FILENAME SUBSEP "" }

# whether the function NAME, as FILE knows it, leads to the word W; each is looked at once
function leads(file, name, w,    list, n, i, found) {
	if ((file SUBSEP name) in body) return part_leads(file SUBSEP name, file, w)
	n = split(loads[file], list, " ")
	for (i = 1; i <= n; i++) if ((list[i] SUBSEP name) in body) return part_leads(list[i] SUBSEP name, file, w)
	return 0
}
function part_leads(p, file, w,    list, n, i, key) {
	key = p SUBSEP file SUBSEP w
	if (key in known) return known[key]
	known[key] = 0
	if (body[p] ~ word[w]) return known[key] = 1
	n = split(known_names(file), list, " ")
	for (i = 1; i <= n; i++)
		if (body[p] ~ ("(^|[^a-zA-Z_./-])" list[i] "[ ;)\n]") && leads(file, list[i], w)) return known[key] = 1
	return 0
}
# the functions that FILE knows
function known_names(file,    list, n, i, all) {
	if (file in all_names) return all_names[file]
	all = names[file]
	n = split(loads[file], list, " ")
	for (i = 1; i <= n; i++) all = all " " names[list[i]]
	gsub(" @[0-9]+", "", all)
	return all_names[file] = all
}
END {
	for (t = 1; t <= count; t++) {
		split(test[t], at, SUBSEP)
		wants = ""
		for (i = 1; i <= tags; i++) {
			w = tag_of[i]
			if (part_leads(test[t], at[1], w) || leads(at[1], "setup", w) || leads(at[1], "setup_file", w)) {
				wants = wants "," w
				if (tag == "") printf "%s\t%s\t%s\n", at[1], w, title[test[t]]
			}
		}
		if (tag != "" && wants != "") printf "%s\t%s\t%s\n", at[1], substr(wants, 2), title[test[t]]
	}
}' $(find tests -name '*.bash' -o -name '*.bats' | sort) | if [ -z "$tag" ]; then cat; else
	while IFS='	' read -r file wants name; do
		line="@test \"$name\" {" awk -v tags="$wants" '$0 == ENVIRON["line"] { print "# bats test_tags=" tags } { print }' "$file" >"$file.new"
		cat "$file.new" >"$file"
		rm "$file.new"
	done
fi
