#!/usr/bin/env bats
# --shell, the language between the tools and the scripts: of every tool that has it

load helper

# a command line of each, which ends badly and changes nothing: all its names must be printed all the same
# (the last one reads its standard input to the end)
calls() {
	cat <<'TABLE'
ctv-conf
age-check none
db-verify none
http-probe http://127.0.0.1:9/
dbx-ls /none
dbx-fetch -o none /none
dbx-put none /none
dbx-wait /none
db-snapshot none copy
db-install none live
db-changes --since state none out
db-apply none file
change-history --state 1
change-next --owner pi-ctv state
svc-ctl status none.service
svc-ctl check none.service
room-check none
say-check NAME none unknown text
code-note
dbx-auth whoami
installed-check --record none none
newest-check
holders-check dir
mirror-role show
mirror-role check
mirror-head show
alert-post --key k text
status-render -o none
TABLE
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# no settings file: what needs one ends with 78
	mkdir dir
	export CTV_ENV_FILE=dir
}

teardown() {
	dropbox_stop
}

# names_on_page TOOL
names_on_page() {
	sed -n '/^\.Ss Names of --shell$/,/^\.S[sh] [^N]/s/^\.It Va //p' "$ROOT/man/$1.1"
}

@test "each name at every end, in the order of the manual, quoted, and fit for any shell" {
	while read -r tool arguments; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr "$tool" --shell=p_ $arguments
		[ "$status" -ne 0 ] && [ "$status" -ne 64 ]
		names_on_page "$tool" >names
		[ -s names ] || { echo "$tool: no names on its page" >&2; return 1; }
		! grep -vxE '[a-z][a-z0-9_]*' names || { echo "$tool: no names for a shell" >&2; return 1; }
		sed -n "s/^p_\([a-z0-9_]*\)='.*'$/\1/p" <<<"$output" | diff names - || { echo "$tool: not as on its page" >&2; return 1; }
		[ "$(wc -l <<<"$output")" -eq "$(wc -l <names)" ]
	done < <(calls)
}

@test "no tool that has --shell is missing above" {
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		"$tool" --help >help
		if grep -q -- '--shell' help; then
			calls | grep -qE "^$tool( |$)" || { echo "$tool: has --shell, and is not tried" >&2; return 1; }
		fi
	done
}

@test "a prefix that is no beginning of a name is a usage error, and nothing is printed" {
	while read -r tool arguments; do
		for prefix in X 1x a-b "a'" é; do
			# shellcheck disable=SC2086  # words
			run --separate-stderr "$tool" "--shell=$prefix" $arguments
			case $tool/$status in */64 | *-check/3 | http-probe/3 | db-verify/3) ;; *) echo "$tool: $status" >&2; return 1 ;; esac
			[ -z "$output" ]
		done
	done < <(calls)
}

@test "an answer that cannot be written is an error, never a silent success" {
	while read -r tool arguments; do
		run bash -c "$tool --shell $arguments >/dev/full"
		[ "$status" -ne 0 ]
		grep -q "$tool: standard output: cannot write: No space left on device" <<<"$output"
	done < <(calls)
}

# agree COMMAND...: what it says with --shell is what it says with --json, after its first word
agree() {
	local tool=$1 name value
	shift
	"$tool" --json "$@" >json
	"$tool" --shell "$@" >assignments
	while IFS='=' read -r name value; do
		eval "value=$value"
		# what changes from run to run, and what JSON has no like of
		case $name in verdict | seconds | fetched | uploaded | unchanged | previous | snapshot_at | tag | size_text) continue ;; esac
		# nor how long it took
		[ "$(jq -r --arg n "$name" '.[$n] // "" | if . == true then "yes" else . end' json | sed -E 's/, [0-9.]+ s$//')" = \
			"$(sed -E 's/, [0-9.]+ s$//' <<<"$value")" ] ||
			{ echo "$tool: $name: $value" >&2; cat json >&2; return 1; }
	done <assignments
	[ -s assignments ]
}

@test "what --shell says is what --json says" {
	export CTV_ENV_FILE=/nonexistent
	dropbox_start
	sqlite3 "it's.db" 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	agree db-verify "it's.db"
	touch -d '-73 hours -30 minutes' "it's.db"
	agree age-check -c 9d -w 9d "it's.db"
	agree holders-check "it's.db" || [ $? -eq 3 ]
	agree db-snapshot "it's.db" copy.db
	agree dbx-put -f copy.db "/it's é.db"
	agree dbx-ls "/it's é.db"
	agree dbx-fetch -o back.db "/it's é.db"
	agree db-install -k back.db live.db
	[ "$(dbx-ls --shell=x_ "/it's é.db" | grep -c "^x_tag='file'$\|^x_size_text='8192 B'$")" -eq 2 ]
}

@test "--append: the object of --json becomes a line of a plain file, and of nothing else" {
	export CTV_ENV_FILE=/nonexistent
	dropbox_start
	sqlite3 live.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	while read -r tool arguments; do
		rm -f lines
		# shellcheck disable=SC2086  # words
		"$tool" --json --append lines $arguments >answer
		# shellcheck disable=SC2086
		get=$("$tool" --shell --append lines $arguments)
		[ -n "$get" ]
		diff <(jq -cS 'del(.at, .seconds, .uploaded)' answer) <(head -n 1 lines | jq -cS 'del(.at, .seconds, .uploaded)')
		[ "$(jq -s length lines)" -eq 2 ]
		[ "$(wc -l <lines)" -eq 2 ]
		cp lines before
		# a link, a second name, a pipe that nobody reads, a directory, no directory: nothing is written, and nobody waits
		rm -rf place && mkdir place && ln -s ../lines place/link && ln lines place/second && mkfifo place/pipe && mkdir place/directory
		for name in link second pipe directory none/file; do
			# shellcheck disable=SC2086
			run timeout 20 "$tool" --append "place/$name" $arguments
			case $tool/$status in db-verify/3 | db*/73) ;; *) echo "$tool: $name: $status" >&2; return 1 ;; esac
			grep -q "$tool: place/$name: cannot be appended to: " <<<"$output"
		done
		cmp lines before
		# shellcheck disable=SC2086
		run "$tool" --append /dev/full $arguments
		[ "$status" -ne 0 ]
	done <<-'TABLE'
		db-snapshot live.db copy.db
		db-verify -l full live.db
		dbx-put -f live.db /database.db
	TABLE
}

# scripts: those that run on a host, without comments and help texts, `FILE:LINE`
scripts() {
	local file
	for file in "$ROOT"/scripts/*.sh "$ROOT"/scripts/parts/*.sh; do
		case ${file##*/} in demo.sh | deps.sh | completion.sh | kuma-import.sh) continue ;; esac
		sed "/<<-*'*END'*\$/,/^[[:space:]]*END\$/d; s/^[[:space:]]*#.*//" "$file" | sed "s|^|${file##*/}:|"
	done
}

@test "only get of lib.sh evaluates anything, and it keeps the exit status" {
	[ "$(scripts | grep -w eval)" = 'lib.sh:	eval "$get_answer"' ]
	run grep -rnE 'eval "?\$\(' "$ROOT/scripts" "$ROOT/systemd"
	expect 1
}

@test "no script writes by name where others may put a link or a pipe: that is for tools, which follow none" {
	# $scratch and $mine are directories that mktemp has just made; $notes and .git are the clone's, for its owner
	allowed='/dev/null|"?\$scratch|"?\$mine/|\$notes/|\.git/HEAD'
	run grep -E '<>|>' <(scripts | sed -E "s,[0-9]*>+[|]?[[:space:]]*($allowed)|>&[0-9-]|%>|-+>|=>,,g; s/'[^']*'//g; s/\"echo [^\"]*\"//g")
	expect 1
	# nor does one read there by redirection, which waits at a pipe; a lock is opened once it was seen to be none
	run grep -E '(<|cat )[[:space:]]*"?\$(state|live|www|run_dir/)' <(scripts | sed 's,\[ -f "$state/follow.lock" \] && { command exec 8<"$state/follow.lock",,')
	expect 1
	# by a command; what a rename finds it replaces, be it a link, and mkdir makes nothing where something is
	begin='(^|[;&|({]|then|do|else|!)[[:space:]]*'
	run grep -E "^[^:]*:(.*$begin)?[[:space:]]*(cp|ln|touch|tee|dd|truncate|install|rsync|tar) " <(scripts)
	[ "$(grep -v 'cp -pP --remove-destination ' <<<"$output")" = 'update-code.sh:	cp $notes/last $notes/next' ]
}

@test "what all help texts have stands once in each, whoever says it" {
	for script in $(grep -l common_option "$ROOT"/scripts/*.sh); do
		[ "${script##*/}" != lib.sh ] || continue
		[ "$("$script" --help | grep -c -e ' --help ')" -eq 1 ] || { echo "$script" >&2; return 1; }
	done
}

@test "the scripts carry the version that the tools carry" {
	[ "$(sed -n 's/^version=//p' "$ROOT/scripts/lib.sh")" = "$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")" ]
}
