#!/usr/bin/env bats
# code-note: the verdict of the nightly proof on the application's code

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	mkdir -p state/ask
	export CTV_ENV_FILE=/nonexistent CTV_STATE_DIR=$PWD/state
	commit=$(printf 'c0ffee%034d' 7)
	note=state/ask/code
}

@test "a verdict on a commit is one line, and is read as it was left" {
	for verdict in proved failed back; do
		code-note $verdict "$commit"
		[ "$(cat $note)" = "$verdict $commit" ]
		run code-note --shell=my_
		expect 0 "^my_verdict='$verdict'$"
		expect 0 "^my_commit='$commit'$"
	done
	# by SHA-256
	code-note back "$commit$(printf '%024d' 0)"
	code-note --shell | grep -qx "commit='$commit$(printf '%024d' 0)'"
}

@test "without a note, and where one may not look, there is none" {
	run code-note --shell
	expect 0
	[ "$output" = "verdict=''"$'\n'"commit=''" ]
	rm -r state
	run code-note --shell
	expect 0 "^commit=''$"
}

@test "the same verdict again wakes nobody: the file stays what it is" {
	code-note back "$commit"
	inode=$(stat -c %i $note)
	ln $note kept
	code-note back "$commit"
	[ "$(stat -c %i $note)" = "$inode" ]
	code-note proved "$commit"
	[ "$(stat -c %i $note)" != "$inode" ]
	[ "$(cat kept)" = "back $commit" ]
}

@test "it is readable for the clone's owner, whatever the umask" {
	(umask 077 && code-note proved "$commit")
	[ "$(stat -c %a $note)" = 644 ]
}

@test "what is no verdict and no commit's whole name is a usage error" {
	for words in '' proved "proved $commit x" "good $commit" "proved ${commit:1}" "proved ${commit}0" "proved ${commit^^}" 'proved HEAD' \
		"proved -- $commit" "proved --all" "--shell proved $commit"; do
		# shellcheck disable=SC2086  # words
		run code-note $words
		case $words in 'proved -- '*) expect 0; rm $note ;; *) expect 64 ;; esac
		[ ! -e $note ] || { echo "$words" >&2; return 1; }
	done
	run code-note back "$commit"$'\n'
	expect 64
}

@test "nothing is written through a link, and what is no file is replaced by one" {
	echo mine >elsewhere
	ln -s ../../elsewhere $note
	code-note failed "$commit"
	[ "$(cat elsewhere)" = mine ]
	[ -f $note ] && [ ! -L $note ]
	rm $note
	mkfifo $note
	timeout 20 code-note failed "$commit"
	[ "$(cat $note)" = "failed $commit" ]
	rm $note
	mkdir $note
	run code-note failed "$commit"
	expect 73
}

@test "what is no note is none: 65, and nothing of it is told" {
	for text in "back $commit x" "back  $commit" "back" '' "back $commit"$'\n'"back $commit" "back --help" "x $commit" "$(printf '%0200d' 0)"; do
		printf '%s\n' "$text" >$note
		run code-note --shell
		expect 65 "^verdict=''$" || { echo "$text" >&2; return 1; }
	done
	printf 'back %s' "$commit" >$note
	run code-note --shell
	expect 65 'is no note of the nightly proof'
	rm $note
	mkfifo $note
	run timeout 20 code-note --shell
	expect 65 'not a regular file'
}

@test "a host that serves gets no note, and loses the one that is there" {
	code-note back "$commit"
	mirror-role set standby
	[ -e $note ]
	mirror-role set active
	[ ! -e $note ]
	run code-note back "$commit"
	expect 73 'this host has begun to serve'
	[ ! -e $note ]
	mirror-role set standby
	code-note back "$commit"
}

@test "settings that are wrong are 78, and a place that is not there 73" {
	CTV_STATE_DIR=state run code-note back "$commit"
	expect 78
	rm -r state/ask
	run code-note back "$commit"
	expect 73
}
