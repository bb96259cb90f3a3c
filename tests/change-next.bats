#!/usr/bin/env bats
# change-next: the one word of what is to be done about the chain, by STATE and the record

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir state
	export CTV_BACKOFF=10ms CTV_ENV_FILE=$PWD/none CTV_STATE_DIR=$PWD/state
	dropbox_start
	sqlite3 live.db 'CREATE TABLE t(id INTEGER PRIMARY KEY)'
}

teardown() {
	dropbox_stop
}

# look [OPTION...]: what changed becomes pending
look() {
	sqlite3 live.db 'INSERT INTO t VALUES (NULL)'
	db-changes --json --node pi-ctv "$@" --since st live.db out >look
}

# put: the object of what is pending; record: what is pending on record; base: a whole state
put() { dbx-put out "$(jq -r .path look)" >/dev/null; }
record() { db-changes --show --json st | mirror-head publish --change --owner pi-ctv; }
base() {
	look --base --file whole.db "$@"
	put
	{ cat look; db-verify --json -l full whole.db; dbx-put -f --json whole.db /database.db; } | mirror-head publish --owner pi-ctv
}

# says WORD WHY [OPTION...]
says() {
	local word=$1 why=$2
	shift 2
	run -0 change-next --owner pi-ctv "$@" st
	expect 0 "^$word: $why"
}

# of NAME [OPTION...]: that name's value
of() {
	local name=$1
	shift
	change-next --owner pi-ctv --shell "$@" st | sed -n "s/^$name='\(.*\)'$/\1/p"
}

@test "help, version, a wrong command line" {
	run --separate-stderr change-next --help
	expect 0 '^usage: change-next'
	[ -z "$stderr" ]
	local args
	for args in 'st' '--owner pi-ctv' '--owner pi-ctv st st' '--owner a/b st' '--owner pi-ctv --above x st' '--owner= st'; do
		# shellcheck disable=SC2086  # words
		run change-next $args
		expect 64
	done
}

@test "one state, step by step: what is to be done is what was not done yet" {
	says base 'no state was published by this host'
	[ "$(of number)" = 1 ]
	look --base --file whole.db
	says wait 'base 1 is not published yet'
	put
	says wait 'base 1 is not published yet'
	{ cat look; dbx-put -f --json whole.db /database.db; } | mirror-head publish --owner pi-ctv
	says confirm 'state 1 is on record'
	# a base is on record by its file
	[ "$(of rev)" = "$(dbx-ls --json /database.db | jq -r .rev)" ]
	db-changes --confirm st
	says look 'nothing is pending after state 1'
	look
	says put 'state 2 is to be published'
	[ "$(of n) $(of path) $(of object)" = "2 $(jq -r .path look) $(jq -r .object look)" ]
	put
	says put 'state 2 is to be published'
	record
	says confirm 'state 2 is on record'
	[ "$(of rev)" = "$(dbx-ls --json "$(jq -r .path look)" | jq -r .rev)" ]
	[ "$(of newest_object)" = "$(jq -r .object look)" ]
	db-changes --confirm st
	says look 'nothing is pending after state 2'
	[ "$(of number)" = 3 ]
	[ "$(of number --above 7)" = 8 ]
}

@test "another owner: fenced, whatever is pending; and what is of the epoch before never gets on record" {
	base
	db-changes --confirm st
	look
	mirror-head claim --owner pi2
	says fenced "the record is another's since epoch 2"
	[ "$(of owner) $(of epoch)" = 'pi2 2' ]
	mirror-head claim --owner pi-ctv
	says drop 'state 2 follows nothing that is on record'
	db-changes --drop st
	says look 'nothing is pending after state 1'
	look --epoch 3
	says put 'state 2'
}

@test "another publisher of this host was faster, or the record is of another chain: a base" {
	base
	db-changes --confirm st
	cp st before
	look && put && record
	cp before st
	says base 'the record does not name the state that was published last here, 1'
	[ "$(of number)" = 3 ]
	look
	says drop 'state 2 follows nothing'
}

@test "a hole in the chain asks for a base, whoever has looked at the names" {
	base
	db-changes --confirm st
	local i
	for i in 2 3 4; do
		look && put && record && db-changes --confirm st
		[ "$i" -ne 3 ] || third=$(jq -r .path look)
	done
	says look 'nothing is pending after state 4' --list
	# a stray object of a number that is not reached yet
	dbx-put out /changes/20990101/000000009-20990101T000000Z.wal.zst >/dev/null
	[ "$(of step --list) $(of number --list)" = 'look 10' ]
	dbx-rm "$third"
	says base 'the object of state 3 is not in Dropbox any more' --list
	says look 'nothing is pending after state 4'
	# the newest, of the right number and time, but another's content
	dbx-fetch -o third "$(dbx-ls -R /changes | grep -o '/changes/.*/000000002-.*zst$')"
	dbx-put third "$third" >/dev/null
	says look 'nothing is pending' --list
	dbx-put -f third "$(jq -r .path look)" >/dev/null
	says base 'the object of state 4 is not in Dropbox any more' --list
}

@test "no record: the base that is made, and the one that nobody had" {
	says base 'no state was published'
	[ -z "$(of owner)$(of record_rev)" ]
	look --base
	says wait 'base 1'
}

@test "a record that an older program wrote is whole again before anything is said" {
	base
	db-changes --confirm st
	look && put && record && db-changes --confirm st
	dropbox_get /mirror-head.json | jq -c 'del(.change, .confirmed_at, .suspect, .head.n, .head.digest, .head.object) | .nonce = "0f"' >old
	dropbox_control put "$(jq -nc --rawfile text old '{path: "/mirror-head.json", $text}')" >/dev/null
	# but by nobody else
	run -0 change-next --owner pi2 st
	[ "$(dropbox_get /mirror-head.json | jq .head.n)" = null ]
	says look 'nothing is pending after state 2'
	dropbox_get /mirror-head.json | jq -e '.seq == 1 and .head.n == 1 and .change.n == 2 and .confirmed_at != null'
}

@test "what keeps it from an answer, with its status" {
	base
	db-changes --confirm st
	sqlite3 other 'CREATE TABLE t(x)'
	run -65 change-next --owner pi-ctv other
	dropbox_fault '{"route":"files/download","kind":"missing-scope","count":-1}'
	run -77 change-next --owner pi-ctv st
	dropbox_control reset
	dropbox_stop
	run -69 change-next --owner pi-ctv -t 5s st
}
