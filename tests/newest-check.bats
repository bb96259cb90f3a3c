#!/usr/bin/env bats
# newest-check: what lies in .follow and is no state of the chain is refused with the reason; what is one, and each way in which
# production.db is not last night's copy, is the table of failover.bats, where the failover then serves

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -m 770 state data data/.follow
	sqlite3 data/production.db 'CREATE TABLE t(x)'
	export DATABASE_PATH=$PWD/data/production.db CTV_STATE_DIR=$PWD/state CTV_ENV_FILE=$PWD/none.env CTV_NODE=pi2
	newest=data/.follow/newest.db
}

# refused TEXT: with that reason, not usable, within seconds, and nothing has changed
refused() {
	local before
	before=$(find data state -printf '%p %i %s %T@ %l\n' | sort)
	run timeout 20 newest-check
	expect 2 "^NEWEST CRITICAL: $1"
	run timeout 20 newest-check --as failover/newest
	[ "$status" -eq 2 ]
	[ "$(jq -r '[.id, .state, .usable] | join(" ")' <<<"$(grep '^{' <<<"$output")")" = 'failover/newest critical false' ]
	[ "$(find data state -printf '%p %i %s %T@ %l\n' | sort)" = "$before" ]
}

@test "nothing is followed here: it is not there" {
	refused 'newest.db is not there'
	rmdir data/.follow
	refused 'newest.db is not there'
	ln -s /tmp data/.follow
	refused 'newest.db is not there'
}

@test "what is no plain file is not opened" {
	mkfifo $newest
	refused 'newest.db is not a plain file'
	rm $newest && ln -s ../production.db $newest
	refused 'newest.db is not a plain file'
	rm $newest && mkdir $newest
	refused 'newest.db is not a plain file'
}

@test "a database without a note, or with a strange one, is no state of the chain" {
	cp data/production.db $newest
	refused 'newest.db has no note of which state it is'
	for note in '' '{' '[]' '{"n":-1}' '{"schema":1,"n":"5"}'; do
		printf %s "$note" >$newest.note
		refused 'newest.db has no note of which state it is'
	done
}

@test "where others than us write, nothing is believed" {
	cp data/production.db $newest
	chmod 777 data/.follow
	refused 'newest.db lies where others than us write'
	# nor finished, which would be done by whoever takes it, as root maybe
	db-apply --digest --shell $newest >seen
	eval "$(cat seen)"
	jq -n --arg d "$digest" --argjson s "$page_size" --argjson c "$page_count" '{n: 2, epoch: 1, snapshot_at: "2026-11-30T01:00:00Z",
		page_size: $s, page_count: $c, digest: $d} | {schema: 1, is: ., target: (.n = 3)}' >$newest.note
	eval "$(newest-check --shell)"
	[ -z "$half" ]
	chmod 770 data/.follow
	eval "$(newest-check --shell)"
	[ -n "$half" ]
}

@test "--shell: all names at each verdict, so that no answer of before survives" {
	names=$(newest-check --shell | cut -d= -f1 | sort)
	[ "$(wc -l <<<"$names")" -gt 20 ]
	mkfifo $newest
	[ "$(newest-check --shell | cut -d= -f1 | sort)" = "$names" ]
	usable=yes text=''
	eval "$(newest-check --shell)"
	[ -z "$usable" ] && [ "$text" = 'newest.db is not a plain file' ]
}

@test "wrong usage is 3, and says how it is used" {
	run newest-check --nonsense
	expect 3 'hint: see newest-check --help'
	run newest-check operand
	expect 3 'no operand is taken'
}
