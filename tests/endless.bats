#!/usr/bin/env bats
# what a server decides the length of ends here all the same: answers, headers, listings; in memory and in time

load helper

setup() {
	mkfifo "$BATS_TEST_TMPDIR/port"
	setpriv --pdeathsig TERM python3 "$ROOT/tests/endless.py" >"$BATS_TEST_TMPDIR/port" 3>&- &
	SERVER_PID=$!
	read -r -t 20 port <"$BATS_TEST_TMPDIR/port"
	export DROPBOX_API_URL=http://127.0.0.1:$port DROPBOX_ACCESS_TOKEN=x CTV_ENV_FILE=/nonexistent CTV_BACKOFF=1ms
	DROPBOX_CONTENT_URL=$DROPBOX_API_URL
	export DROPBOX_CONTENT_URL
}

teardown() {
	kill "$SERVER_PID"
}

# endless PATH WHY: given up at once, without another try
endless() {
	run timeout 60 dbx-rm -v "$1"
	expect 76 "^dbx-rm: $1: $2"
	! grep -q 'trying again' <<<"$output" || return 1
}

@test "an answer without end is 76 when it is larger than an answer may be" {
	endless /body 'the answer is larger than it may be'
	endless /error 'the answer is larger than it may be'
}

@test "headers without end, and interim answers without end, are 76" {
	endless /headers 'the answer has a header without end'
	endless /interim 'the answer has a header without end'
}

@test "an answer that trickles for ever, fast enough for no stall, is 76" {
	CTV_STALL=200ms endless /drip 'the answer does not end'
}

@test "a listing whose pages all name the same next one is 76 at its second page" {
	run timeout 60 dbx-ls /same
	expect 76 '^dbx-ls: /same: the listing does not go on'
}

@test "a listing without end is 76, in bounded memory" {
	unsanitized
	run --separate-stderr timeout 120 /usr/bin/time -f %M dbx-ls -R /more
	expect 76
	[ -z "$output" ]
	grep -q '^dbx-ls: /more: the listing has no end' <<<"$stderr"
	[ "$(tail -n 1 <<<"$stderr")" -le 200000 ]
}

@test "empty pages without end are 76" {
	run timeout 120 dbx-ls /empty
	expect 76 '^dbx-ls: /empty: the listing has no end'
}
