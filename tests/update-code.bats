#!/usr/bin/env bats
# update-code.sh and code-check.sh on real repositories: GitHub, a developer's clone, and pi2's.

load helper
load hosts

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t \
		GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
	umask 022
	app=$PWD/pi2/app
	git init -q --bare -b main github.git
	git init -q -b main work
	mkdir work/src
	echo 1 >work/app.py
	echo 1 >work/src/web.py
	echo flask >work/requirements.txt
	push one
	mkdir pi2
	git clone -q github.git pi2/app
	# an application's user that this machine has, and a unit that is not running
	stub systemctl <<<'case $* in *"-P User"*) cat "$BATS_TEST_TMPDIR/user" 2>/dev/null || echo irc ;; *) echo inactive; exit 3 ;; esac'
	stub svc-ctl <<<'echo "$*" >>"$BATS_TEST_TMPDIR/asked"; cat "$BATS_TEST_TMPDIR/unit" 2>/dev/null || echo inactive'
}

# push MESSAGE: all that is in work/ goes to GitHub
push() {
	(cd work && git add -A && git commit -qm "$1" && git push -q ../github.git HEAD:main)
}

# new_code: another commit: a file that changes, one that comes, one that goes
new_code() {
	echo 2 >work/app.py
	mkdir -p work/lib
	echo new >"work/lib/with a space.py"
	git -C work rm -q src/web.py
	push two
}

update() { on pi2 update-code.sh "$@"; }
check() { on pi2 code-check.sh "$@"; }
at() { git -C "$app" rev-parse HEAD; }
newest() { git -C github.git rev-parse main; }

# settled: the list is gone, for the files are on disk
settled() {
	flock -w 20 "$app/.git/ctv-update/held" true
	[ ! -e "$app/.git/ctv-update/list" ]
}

# as_two: the clone is exactly what the second commit says
as_two() {
	[ "$(at)" = "$(newest)" ]
	[ -z "$(git -C "$app" status --porcelain)" ]
	[ "$(cat "$app/app.py")" = 2 ]
	[ "$(cat "$app/lib/with a space.py")" = new ]
	[ ! -e "$app/src/web.py" ]
}

@test "the code follows by fast-forward, readable for everybody whatever the umask, and nothing is left to be mended" {
	new_code
	umask 077
	run update
	expect 0 '^[0-9a-f]{7} of [0-9-]+, was [0-9a-f]{7}$'
	as_two
	settled
	[ "$(stat -c %a "$app/app.py" "$app/lib" "$app/lib/with a space.py")" = $'644\n755\n644' ]
	run update
	expect 0 ', the newest$'
	run check
	expect 0 '^CODE OK: at [0-9a-f]{7} of'
}

# theirs: the clone and GitHub are irc's, where root runs the tests
theirs() {
	[ "$(id -u)" -eq 0 ] || return 0
	within_reach
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	chown -R irc:irc pi2 github.git
	git config --file gitconfig safe.directory '*'
	export GIT_CONFIG_GLOBAL=$PWD/gitconfig
}

@test "a clone that is the group's stays the group's" {
	chmod g+w "$app/.git"
	theirs
	new_code
	update
	[ "$(stat -c %a "$app/app.py" "$app/lib")" = $'664\n775' ]
}

@test "fetch and merge are two; other requirements are the night's, and installed once" {
	echo gunicorn >>work/requirements.txt
	new_code
	update --fetch
	[ "$(at)" != "$(newest)" ]
	run update --merge
	expect 75 'other requirements'
	stub uv <<<'echo "$@" >>"$BATS_TEST_TMPDIR/uv"; [ ! -e "$BATS_TEST_TMPDIR/no-registry" ]'
	true >no-registry
	run update
	expect 75 'requirements of this code are not installed'
	as_two
	run check
	expect 2 'requirements of this code are not installed'
	rm no-registry
	update
	update
	[ "$(wc -l <uv)" -eq 2 ]
	run check
	expect 0
}

@test "code that does not come, as a file is in its way, needs no other requirements" {
	echo gunicorn >>work/requirements.txt
	new_code
	echo mine >"$app/app.py"
	run update
	expect 75 'in the way: app.py$'
	run check
	expect 1 'app: not as committed: app.py; at'
	[ ! -e "$app/.git/ctv-update/requirements" ]
}

@test "what a person did stays, and is told: changed files, commits, no branch" {
	new_code
	echo mine >"$app/app.py"
	run check
	expect 1 'app: not as committed: app.py; at'
	run update
	expect 75 'files that were changed here are in the way: app.py$'
	[ "$(cat "$app/app.py")" = mine ]
	[ ! -e "$app/.git/ctv-update/list" ]
	git -C "$app" checkout -q app.py
	# a file that is no hindrance
	echo mine >"$app/requirements.txt"
	run update
	expect 0 'was'
	[ "$(cat "$app/requirements.txt")" = mine ]
	git -C "$app" commit -qam mine
	echo 3 >work/app.py
	push three
	run update
	expect 75 'commits of its own'
	run check
	expect 1 'commits that are not at origin'
	git -C "$app" checkout -q --detach
	run update
	expect 78 'follows no branch'
	run check
	expect 1 'follows no branch'
	git -C "$app" checkout -q --orphan begun
	run update
	expect 78 'app: its branch has no commit$'
	run check
	expect 1 'app: its branch begun has no commit, so nothing comes$'
}

@test "an application that serves keeps its code" {
	new_code
	echo active >unit
	update --fetch
	for act in '' --merge --mend; do
		# shellcheck disable=SC2086  # none is no word
		run update $act
		expect 0 'the code that serves stays'
		[ "$(cat "$app/app.py")" = 1 ]
	done
}

@test "an application that begins to serve while GitHub is asked keeps its code; another update is waited for as long as a failover can" {
	new_code
	stub git <<<'case "$*" in *fetch*) echo active >"$BATS_TEST_TMPDIR/unit" ;; esac; exec "$real" "$@"'
	run update
	expect 0 'is active: the code that serves stays'
	[ "$(cat "$app/app.py")" = 1 ]
	rm unit
	mkdir -p "$app/.git/ctv-update"
	exec {held}>"$app/.git/ctv-update/held"
	flock $held
	SECONDS=0
	run update --merge
	expect 75 'another update is at work'
	[ $SECONDS -lt 15 ]
}

@test "the path's start without a note, as when a host begins to serve, does nothing" {
	new_code
	TRIGGER_UNIT=ctv-code.path run update
	expect 0 'no note is there'
	[ "$(cat "$app/app.py")" = 1 ]
	mkdir -p pi2/state/ask
	: >pi2/state/role.lock
	on pi2 code-note proved "$(at)"
	TRIGGER_UNIT=ctv-code.path run update
	expect 0
	[ "$(cat "$app/app.py")" = 2 ]
}

@test "a systemd that gives no answer holds a failover's step no longer than GitHub may" {
	update --merge
	update --mend
	update
	[ "$(cut -d ' ' -f 1-3 asked | uniq)" = $'-t 5s is-active\n-t 60s is-active' ]
}

@test "--mend brings no other code, and mends what is torn" {
	torn app.py
	run update --mend
	expect 0 'is mended'
	settled
	mv away.git github.git
	as_two
	echo 3 >work/app.py
	push three
	update --fetch
	run update --mend
	expect 0 '^[0-9a-f]{7} of [0-9-]+$'
	[ "$(cat "$app/app.py")" = 2 ]
}

# torn WHAT...: an update whose power goes between the merge and the disk: these files lose their bytes
torn() {
	new_code
	update --fetch
	# the disk takes nothing any more
	stub setsid <<<'[ "$1" = sh ] || exec $real "$@"'
	update --merge
	[ -e "$app/.git/ctv-update/list" ]
	rm stubs/setsid
	# no GitHub either
	mv github.git away.git
	for each in "$@"; do
		mkdir -p "$app/${each%/*}" 2>/dev/null || true
		rm -f "$app/$each"
		: >"$app/$each"
	done
}

@test "power cut: files without bytes are mended from the objects, without network; what is not of the update stays" {
	torn app.py 'lib/with a space.py' src/web.py
	echo mine >"$app/requirements.txt"
	run check
	expect 1 'not as committed: 3 files .app.py ....: an update was interrupted'
	run update --merge
	expect 0 'is mended'
	settled
	mv away.git github.git
	[ "$(cat "$app/requirements.txt")" = mine ]
	git -C "$app" checkout -q requirements.txt
	as_two
}

@test "power cut: a branch, HEAD, a remote's branch and an index without bytes are mended, and updates go on" {
	torn .git/refs/heads/main .git/HEAD .git/refs/remotes/origin/main .git/index app.py .git/index.lock
	run check
	expect 1 'empty'
	run update --merge
	mv away.git github.git
	run update
	expect 0 'the newest'
	settled
	as_two
}

@test "power cut: the branch is back at the old commit, the files are new or gone: all is the old, and then the new" {
	torn
	was=$(git -C "$app" rev-parse HEAD^)
	echo "$was" >"$app/.git/refs/heads/main"
	rm "$app/app.py"
	run update --merge
	expect 0 'is mended'
	settled
	mv away.git github.git
	update
	as_two
}

@test "power cut: files and directories that change places, a directory that becomes a link, and names of every kind are mended, and go back" {
	local quoted=$'q"u\to\\te.py' each
	mkdir work/moved
	for each in café.py "$quoted" -dash ' blanks ' file moved/same.py; do
		echo 1 >"work/$each"
	done
	push more
	update
	git -C work rm -q café.py "$quoted" file src/web.py
	git -C work mv moved static
	ln -s static work/moved
	mkdir work/file
	for each in file/inside src -dash ' blanks '; do
		echo 2 >"work/$each"
	done
	push other
	update --fetch
	stub setsid <<<'[ "$1" = sh ] || exec $real "$@"'
	update --merge
	rm stubs/setsid
	# as far as the disk has it, none, some, or all of it was done
	for each in '' 'static moved' .; do
		was=$(at)
		(cd "$app" && rm -rf file src moved static && git checkout -q HEAD^ -- . && git reset -q && git checkout -q HEAD ${each:+-- $each})
		[ -e "$app/.git/ctv-update/list" ]
		run update --mend
		expect 0 'is mended'
		settled
		[ "$(git -C "$app" status --porcelain)" = '' ]
		[ "$(at)/$(cat "$app/static/same.py")" = "$was/1" ]
		cp "$app/.git/ctv-update/last" "$app/.git/ctv-update/list"
	done
	chmod 600 "$app/ blanks " "$app/-dash"
	run update --back
	expect 0
	settled
	[ "$(git -C "$app" status --porcelain)" = '' ]
	[ "$(stat -c %a "$app/ blanks " "$app/-dash" "$app/moved/same.py")" = $'644\n644\n644' ]
}

@test "the links of the installation are nobody's changes, before and after a power cut" {
	ln -sfn /usr/bin/true "$app/app.py"
	echo /app.py >>"$app/.git/info/exclude"
	git -C "$app" update-index --skip-worktree app.py
	torn .git/index 'lib/with a space.py'
	[ -L "$app/app.py" ]
	run check
	expect 1 'git cannot read it'
	update --merge
	[ "$(readlink "$app/app.py")" = /usr/bin/true ]
	[ "$(cat "$app/lib/with a space.py")" = new ]
	run check
	expect 0
}

@test "the list is on disk before the first file is touched" {
	new_code
	stub git <<<'case $* in *" merge "*) cp "$BATS_TEST_TMPDIR/pi2/app/.git/ctv-update/list" "$BATS_TEST_TMPDIR/seen"; cat synced >seen-synced ;; esac; exec $real "$@"'
	stub sync <<<'echo "$@" >>"$BATS_TEST_TMPDIR/synced"; exec $real "$@"'
	cp /dev/null synced
	sed -i 's,cat synced >seen-synced,cp "$BATS_TEST_TMPDIR/synced" "$BATS_TEST_TMPDIR/seen-synced",' stubs/git
	update
	grep -q "^:100644 100644 [0-9a-f]* [0-9a-f]* M	app.py" seen
	grep -q 'ctv-update/next' seen-synced
	grep -q '^-f' synced
	run ! grep -q '^-f' seen-synced
}

@test "what the application's user could not read is put back with its rights, and --back does the same" {
	needs_root "to have an application that is another user"
	chmod 640 "$app/app.py"
	chgrp 33 "$app/app.py" 2>/dev/null || true
	before=$(stat -c '%a %g' "$app/app.py")
	new_code
	# what makes it so here are the owner's own hooks
	printf '#!/bin/sh\nchmod 600 lib/*\n' >"$app/.git/hooks/post-merge"
	chmod 755 "$app/.git/hooks/post-merge"
	as_it_was() {
		[ "$(cat "$app/app.py" "$app/src/web.py")" = $'1\n1' ]
		[ "$(stat -c '%a %g' "$app/app.py")" = "$before" ]
		[ ! -e "$app/lib" ]
		settled
	}
	run update
	expect 77 'lib/with a space.py: the application could not read it, so the code is as it was'
	as_it_was
	rm "$app/.git/hooks/post-merge"
	update
	as_two
	run update --back
	expect 0 '^[0-9a-f]{7} of '
	as_it_was
	run update --back
	expect 66 'no update to take back'
}

@test "code that the application's user cannot read is told, by owner, group and mode" {
	needs_root 'to give files away'
	chmod 755 "$BATS_RUN_TMPDIR" 2>/dev/null || true
	for row in 'irc:root 400 0' 'root:irc 040 0' 'root:root 004 0' 'root:root 660 2' 'root:irc 604 2' 'irc:root 077 2'; do
		read -r who mode code <<<"$row"
		chown "${who}" "$app/app.py"
		chmod "$mode" "$app/app.py"
		run check
		expect "$code"
		[ "$code" -eq 0 ] || [[ $output == *'app: irc cannot read app.py; at'* ]]
	done
	chown root:root "$app/app.py"
	chmod 644 "$app/app.py"
	chmod 700 "$app/src"
	run check
	expect 2 'irc cannot read src'
}

@test "root becomes the clone's owner, away from the terminal; a third is told the command and changes nothing" {
	needs_root 'to be several users'
	new_code
	theirs
	# what the owner may put into the way of git
	cat >"$app/.git/hooks/post-merge" <<-'END'
		#!/bin/sh
		{ id -u; ls -l /proc/self/fd; ps -o sid= -p $$; } >"$(git rev-parse --git-dir)/seen"
		printf '\033]0;pwned\007'
	END
	chmod 755 "$app/.git/hooks/post-merge"
	chown irc "$app/.git/hooks/post-merge"
	wrap=(setpriv --reuid games --regid games --clear-groups)
	run update
	expect 77 "is irc's"
	[[ ${lines[1]} == 'hint: sudo '* ]]
	wrap=()
	run update
	expect 0 'was'
	[ "$(head -n 1 "$app/.git/seen")" = "$(id -u irc)" ]
	run ! grep -E ' [0-2] -> /dev/(pts|tty)' "$app/.git/seen"
	[[ $output != *$'\033'* ]]
	[ -z "$(find "$app" ! -user irc)" ]
}

@test "a root's clone that others may write is not touched by root" {
	needs_root 'to be root'
	chmod g+w "$app/.git/config"
	run update
	expect 77 'others may write'
}

@test "a clone whose .git is a file is not kept up, which the check, the run and its exit status say" {
	mv "$app/.git" elsewhere
	run update
	expect 0 '^no git repository'
	run check
	expect 0 'no git repository'
	echo "gitdir: $PWD/elsewhere" >"$app/.git"
	git -C "$app" status
	run update
	expect 78 '/app/.git: no directory: .* is not kept up'
	run check
	expect 1 'CODE WARNING: .*/app/.git: no directory'
}

@test "code-check.sh runs nothing that the clone names" {
	printf '#!/bin/sh\ntrue >%s/owned\n' "$PWD" >evil
	chmod 755 evil
	git -C "$app" config core.fsmonitor "$PWD/evil"
	git -C "$app" config filter.x.clean "$PWD/evil"
	echo '* filter=x' >"$app/.gitattributes"
	touch "$app/app.py"
	run check
	[ ! -e owned ]
}

# two_seconds: they are over when somebody says so in `begun`, whatever the clock says; `checked` tells that it was looked then.
# Five are a minute.
two_seconds() {
	stub sleep <<<'[ "$1" = 2 ] || exec $real "$@"; until [ -e "$BATS_TEST_TMPDIR/begun" ]; do $real 0.01; done'
	stub awk <<<'$real "$@"; code=$?; true >"$BATS_TEST_TMPDIR/checked"; exit $code'
	stub timeout <<<'shift 3; exec $real -k 1 60 "$@"'
}

# judged VERDICT COMMIT: the proof's note, and the run that ctv-code.path starts for it
judged() {
	on pi2 code-note "$@"
	run update
}

# three: a commit that was proved, and one that came in the night after it
three() {
	mkdir -p pi2/state/ask
	first=$(at)
	judged proved "$first"
	expect 0 ', the newest$'
	new_code
	update
	second=$(at)
	[ "$second" != "$first" ]
}

ref() { git -C "$app" rev-parse -q --verify "refs/ctv/$1"; }

@test "what fails the nightly proof stays, is named, and is not brought again; one that is newer is" {
	three
	[ "$(ref proved)" = "$first" ]
	judged failed "$second"
	expect 0
	[ "$(at) $(ref failed) $(ref proved)" = "$second $second $first" ]
	run check
	expect 1 'app: this code failed the nightly proof; at'
	# somebody takes it back
	update --back
	run check
	expect 1 "app: the newest, ${second:0:7}, failed the nightly proof, so this stays; at"
	for act in '' --merge; do
		# shellcheck disable=SC2086  # none is no word
		run update $act
		expect 0 "^${first:0:7} of [0-9-]+; the newest, ${second:0:7}, failed the nightly proof$"
		[ "$(at)" = "$first" ]
	done
	echo 3 >work/app.py
	push three
	run update
	expect 0 ', was '
	[ "$(at)" = "$(newest)" ]
	run check
	expect 0
	judged proved "$(at)"
	[ "$(ref proved)" = "$(newest)" ]
	run check
	expect 0
}

@test "a note chooses among the commits that were the code here: neither an older nor a newer one of GitHub's" {
	three
	echo 3 >work/app.py
	push three
	update
	third=$(at)
	judged proved "$third"
	echo 4 >work/app.py
	push four
	git -C "$app" fetch -q
	git -C "$app" remote set-url origin /nonexistent
	for note in "proved $first" "failed $first" "back $first" "proved $(newest)" "failed $(newest)" "back $(newest)"; do
		echo "$note"
		# shellcheck disable=SC2086  # words
		judged $note
		expect 69 'the note of the proof is about [0-9a-f]*, which is not the code here, and was not'
		[ "$(at) $(ref proved)" = "$third $third" ]
		run ! ref failed
	done
	# what an update has just replaced was here
	judged failed "$second"
	[ "$(at) $(ref failed)" = "$third $second" ]
}

@test "what failed by something else, and is proved later, has not failed any more" {
	three
	judged failed "$second"
	judged proved "$second"
	[ "$(ref proved)" = "$second" ]
	run ! ref failed
	# and fails again, but not by its code
	judged back "$second"
	expect 0
	[ "$(at)" = "$second" ]
	run ! ref failed
}

@test "back: the code of the last proof is there again, with its requirements, once" {
	echo gunicorn >>work/requirements.txt
	stub uv <<<'cat requirements.txt >>"$BATS_TEST_TMPDIR/uv"'
	mkdir -p pi2/state/ask
	first=$(at)
	judged proved "$first"
	new_code
	update
	second=$(at)
	grep -q gunicorn uv
	rm uv
	run check --back
	expect 0 "^${first:0:7} of $(git -C "$app" log -1 --format=%cs "$first")$"
	judged back "$second"
	expect 0 "^${first:0:7} of [0-9-]+ again; ${second:0:7} of [0-9-]+, which failed the nightly proof$"
	[ "$(at)" = "$first" ]
	[ "$(cat "$app/app.py" "$app/src/web.py")" = $'1\n1' ]
	[ ! -e "$app/lib" ]
	[ -z "$(git -C "$app" status --porcelain)" ]
	settled
	run check --back
	expect 1 '^$'
	[ "$(cat uv)" = flask ]
	run update
	expect 0 "the newest, ${second:0:7}, failed the nightly proof"
	run update --back
	expect 66 'no update to take back'
	# a person brings it again, and knows why
	git -C "$app" merge -q --ff-only "$second"
	run update
	expect 0 'the newest$'
	[ "$(at)" = "$second" ]
	run check --back
	expect 1 '^$'
}

@test "back: asked what comes back, commits of its own have none; and without a clone there is no commit" {
	three
	git -C "$app" commit -q --allow-empty -m own
	run check --back
	expect 1 '^$'
	mv "$app/.git" git
	for which in --commit --back; do
		run check $which
		expect 1 '^$'
	done
}

@test "back: the proof knows to what, though the note is carried out at once" {
	three
	stub code-note <<-END
		"$(command -v code-note)" "\$@" || exit
		[ "\$1" != back ] || "$(command -v update-code.sh)" >&2
	END
	# shellcheck disable=SC2016  # expanded by the inner shell
	run on pi2 sh -c 'here=$1 commit=$2 newest=
		fact() { echo "$1 $2"; }
		'"$(sed -n '/^on_code() {/,/^}/p' "$ROOT/scripts/parts/proof.sh")"'; on_code back' proof "$ROOT/scripts" "$second"
	expect 0 "^back_to:text ${first:0:7} of [0-9-]+$"
	[ "$(at)" = "$first" ]
}

@test "a note that nobody has carried out is heeded by the night, before it brings what is newer" {
	three
	echo 3 >work/app.py
	push three
	on pi2 code-note proved "$second"
	update
	[ "$(ref proved)" = "$second" ]
	[ "$(at)" = "$(newest)" ]
}

@test "back: without one that was proved, and with changes of a person's in the way, it stays, which is told once" {
	mkdir -p pi2/state/ask
	new_code
	update
	second=$(at)
	run check --back
	expect 1 '^$'
	judged back "$second"
	expect 66 "${second:0:7} of [0-9-]+, which failed the nightly proof, stays: none before it was proved$"
	run update
	expect 0 'the newest$'
	[ "$(at)" = "$second" ]
	judged proved "$second"
	echo 3 >work/app.py
	push three
	update
	echo mine >"$app/app.py"
	run check --back
	expect 1 '^$'
	judged back "$(newest)"
	expect 75 'stays: files that were changed here are in the way: app.py$'
	[ "$(cat "$app/app.py")" = mine ]
	[ "$(at)" = "$(newest)" ]
	[ "$(ref failed)" = "$(newest)" ]
}

@test "back: a file or directory that nobody has committed is in the way: that is foreseen, told once, and all is as it was" {
	three
	mkdir -p "$app/src"
	for make in 'echo mine >src/web.py' 'mkdir src/web.py; echo mine >src/web.py/file'; do
		(cd "$app" && rm -rf src/web.py && eval "$make" && find . -path ./.git -prune -o -type f -exec cksum {} + | sort >"$BATS_TEST_TMPDIR/before")
		index=$(cksum "$app/.git/index")
		run check --back
		expect 1 '^$'
		[ "$(cksum "$app/.git/index")" = "$index" ]
		git -C "$app" update-ref -d refs/ctv/failed
		rm -f pi2/state/ask/code
		judged back "$second"
		expect 75 'which failed the nightly proof, stays: files that were changed here are in the way: src/web.py$'
		[ "$(at) $(ref failed)" = "$second $second" ]
		[ ! -e "$app/.git/ctv-update/list" ]
		(cd "$app" && find . -path ./.git -prune -o -type f -exec cksum {} + | sort | diff "$BATS_TEST_TMPDIR/before" -)
		run update
		expect 0 'the newest$'
	done
	rm -r "$app/src/web.py"
	git -C "$app" update-ref -d refs/ctv/failed
	run check --back
	expect 0 "^${first:0:7} of"
	judged back "$second"
	[ "$(at)" = "$first" ]
}

@test "back: what no git would make in the clone keeps nobody waiting who only looks" {
	three
	on pi2 code-note failed "$second"
	rm -f "$app/.git/info/exclude"
	mkfifo "$app/.git/info/exclude"
	run timeout 20 env PATH="$PATH" CTV_ENV_FILE=/nonexistent CTV_APP_DIR="$app" code-check.sh --back
	expect 0 "^${first:0:7} of"
}

@test "back: what cannot be written half-way is as it was when the run ends" {
	theirs
	three
	# the file that comes back has no place, and others have been changed before that is seen
	stub git <<<'case " $* " in *" reset "*) echo 1 >app.py; rm -r lib; exit 128 ;; esac; exec $real "$@"'
	judged back "$second"
	expect 74 'which failed the nightly proof, stays: cannot write$'
	as_two
	settled
}

@test "back: while nothing can be written what is torn stays on the list, and the next run mends it" {
	theirs
	three
	stub git <<<'case " $* " in *" reset "*) echo 1 >app.py; rm -r lib; exit 128 ;; *" checkout-index "*) exit 1 ;; esac; exec $real "$@"'
	judged back "$second"
	expect 74 'which failed the nightly proof, stays: cannot write$'
	[ -e "$app/.git/ctv-update/list" ]
	rm stubs/git
	run update --mend
	expect 0 'is mended'
	as_two
	settled
}

@test "power cut while the code goes back: its files are mended, and the note is carried out" {
	three
	stub setsid <<<'[ "$1" = sh ] || exec $real "$@"'
	stub sync <<<'case $* in "-f .git") exit 1 ;; esac; exec $real "$@"'
	judged back "$second"
	rm stubs/setsid stubs/sync
	[ -e "$app/.git/ctv-update/list" ]
	git -C "$app" update-ref -d refs/ctv/failed
	: >"$app/app.py"
	rm "$app/src/web.py"
	run update
	expect 0 'is mended'
	settled
	[ "$(cat "$app/app.py" "$app/src/web.py")" = $'1\n1' ]
	[ "$(at) $(ref failed)" = "$first $second" ]
}

@test "what a note says that the proof did not write is not done, and the night goes on" {
	three
	local note=pi2/state/ask/code back="back $second" strange
	strange=$(git -C "$app" commit-tree -m x "$second^{tree}")
	tree=$(git -C "$app" rev-parse "$second^{tree}")
	for text in "back $strange" "back $(printf '%040d' 0)" "back $tree" "back --all" "back HEAD" "back ${second:0:12}" "BACK $second" \
		"$back $second" "$back"$'\n'"$back" " $back" "back  $second" "forward $second" "back ${second^^}" ''; do
		rm -rf "$note"
		printf '%s\n' "$text" >"$note"
		run update
		expect 65 || { echo "$text" >&2; return 1; }
		[ "$(at)" = "$second" ]
		run ! ref failed
	done
	printf 'back %s' "$second" >"$note"
	run update
	expect 65 'is no note of the nightly proof'
	printf '%s\0\n' "$back" >"$note"
	run update
	expect 65 'is no note'
	echo "$back" >elsewhere
	rm "$note"
	ln -s ../../../elsewhere "$note"
	run update
	expect 65 'cannot open'
	rm "$note"
	mkfifo "$note"
	run command timeout 30 env PATH="$PATH" bash -c "$(declare -f on); wrap=(); on pi2 update-code.sh"
	expect 65 'not a regular file'
	[ "$(at)" = "$second" ]
	run ! ref failed
	# a commit of a person's, who has not published it
	rm "$note"
	git -C "$app" commit -q --allow-empty -m mine
	judged back "$(at)"
	expect 75 "which is not of GitHub's"
	# and a clone that is torn from its branch
	git -C "$app" checkout -q --detach "$second"
	judged back "$second"
	expect 78 "which is not of GitHub's"
	[ "$(at)" = "$second" ]
	run ! ref failed
}

@test "a clone that was made anew takes what is newer, though the note is about the one before" {
	three
	on pi2 code-note proved "$first"
	rm -rf "$app"
	git clone -q github.git "$app"
	run update
	expect 0
	[ "$(at)" = "$(newest)" ]
}

@test "an application that starts keeps its code, whatever the proof says" {
	three
	for word in active activating reloading; do
		echo $word >unit
		judged back "$second"
		expect 0 "is $word: the code that serves stays"
		[ "$(at)" = "$second" ]
	done
	echo failed >unit
	run update
	[ "$(at)" = "$first" ]
}

@test "a branch of any name is found where git has packed it" {
	for branch in 'a,b&c' 'x.y+z$' 'fix/ü'; do
		git -C "$app" checkout -q -b "$branch" --track origin/main
		git -C "$app" pack-refs --all
		run check
		expect 0 "^CODE OK: at $(at | cut -c -7) of"
		run check --commit
		expect 0 "^$(at)\$"
	done
}

@test "code-check.sh --commit: the whole name, also of a branch that is packed; none of files that are not as committed" {
	[ "$(check --commit)" = "$(at)" ]
	echo changed >"$app/app.py"
	run check --commit
	expect 1
	[ -z "$output" ]
	git -C "$app" checkout -q app.py
	git -C "$app" pack-refs --all
	[ "$(check --commit)" = "$(at)" ]
	git -C "$app" checkout -q --detach
	[ "$(check --commit)" = "$(at)" ]
}

@test "GitHub without an answer is given up after two seconds without a connection" {
	git -C "$app" remote set-url origin ssh://t@192.0.2.1/x
	stub ssh <<<'true >"$BATS_TEST_TMPDIR/begun"; exec /bin/sleep 50'
	two_seconds
	for option in --fetch --dry-run; do
		rm -f begun
		run command timeout 30 env PATH="$PATH" bash -c "$(declare -f on); wrap=(); on pi2 update-code.sh $option"
		expect 69 'GitHub gives no answer'
	done
}

@test "a fetch that has a connection after two seconds goes on" {
	new_code
	python3 - "$PWD" <<-'END' 3>&- &
		import os, socket, subprocess, sys, time
		os.chdir(sys.argv[1])
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen()
		open("port.new", "w").write(str(s.getsockname()[1]))
		os.rename("port.new", "port")
		c = s.accept()[0]
		open("begun", "w").close()
		while not os.path.exists("checked"):
		    time.sleep(0.01)
		subprocess.run(["git", "-c", "safe.directory=*", "daemon", "--inetd", "--export-all", "--base-path=" + os.getcwd()], stdin=c, stdout=c)
	END
	eventually [ -s port ]
	git -C "$app" remote set-url origin "git://127.0.0.1:$(cat port)/github.git"
	two_seconds
	run update --fetch
	expect 0
	[ "$(git -C "$app" rev-parse origin/main)" = "$(newest)" ]
	wait
}
