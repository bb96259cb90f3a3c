#!/usr/bin/env bats
# installed-check: is the database as it was installed, as far as can be told without opening it

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	head -c 8192 /dev/zero >live.db
	touch -d 2026-11-24T02:05:00Z live.db
	record 8192 2026-11-24T02:05:00Z
}

# record SIZE TIME
record() {
	printf '{"schema":1,"size":%s,"snapshot_at":"%s","installed_at":"2026-11-24T02:31:00Z","verified_by":"full"}\n' "$1" "$2" >record
}

@test "as it was installed, and how it was verified then" {
	run installed-check --record record live.db
	expect 0 '^INSTALLED OK: live.db is as it was installed$'
	run installed-check --record record --as verify live.db
	[ "$(jq -r '[.id, .state, .unchanged, .level, .installed_at, .file_mtime] | join(" ")' <<<"$output")" = \
		"verify ok true full 2026-11-24T02:31:00Z 2026-11-24T02:05:00Z" ]
}

@test "what is installed, and what was about to be, as the record says it" {
	echo '{"epoch":3,"seq":17,"rev":"016","size":8192,"content_hash":"ab","snapshot_at":"2026-11-24T02:05:00Z","next_content_hash":"cd"}' >record
	eval "$(installed-check --record record --shell live.db)"
	# shellcheck disable=SC2154  # what it prints
	[ "$epoch.$seq $rev $content_hash $next_content_hash $snapshot_at" = '3.17 016 ab cd 2026-11-24T02:05:00Z' ]
	# the same without a database
	eval "$(installed-check --record record --shell none.db)"
	[ "$epoch.$seq $verdict" = '3.17 unknown' ]
	echo '{"epoch":null,"seq":"17","rev":5,"snapshot_at":"2026-11-24T02:05:00Z"}' >record
	eval "$(installed-check --record record --shell live.db)"
	[ "$epoch.$seq.$rev" = .. ]
}

@test "each trace of a write since then is seen" {
	touch live.db
	run installed-check --record record live.db
	expect 1 'live.db: written to since it was installed'
	touch -d 2026-11-24T02:05:00Z live.db
	echo x >>live.db
	touch -d 2026-11-24T02:05:00Z live.db
	run installed-check --record record live.db
	expect 1 'written to since'
	record 8194 2026-11-24T02:05:00Z
	run installed-check --record record live.db
	expect 0
	for side in wal journal; do
		touch "live.db-$side"
		run installed-check --record record live.db
		expect 0
		echo x >"live.db-$side"
		run installed-check --record record live.db
		expect 1 'written to since'
		rm "live.db-$side"
	done
	# a link's side files are beside what it leads to
	mkdir links
	ln -s ../live.db links/live.db
	echo x >live.db-wal
	run installed-check --record record links/live.db
	expect 1 'written to since'
}

@test "a record that is none, or of another kind, proves nothing" {
	run installed-check --record none live.db
	expect 1 'there is no record'
	for text in '' '{' '[]' '{"size":"8192","snapshot_at":"2026-11-24T02:05:00Z"}' '{"size":8192}' '{"size":8192,"snapshot_at":5}' \
		'{"size":8192,"snapshot_at":"yesterday"}'; do
		echo "$text" >record
		run installed-check --record record live.db
		expect 1 'record of its installation'
	done
	rm record
	mkfifo record
	run timeout 20 installed-check --record record live.db
	expect 1 'there is no record'
	head -c 100000 /dev/zero | tr '\0' ' ' >large
	run installed-check --record large live.db
	expect 1 'there is no record'
}

@test "no database is UNKNOWN, and a wrong command line too" {
	run installed-check --record record none.db
	expect 3 'none.db is missing'
	run installed-check live.db
	expect 3 'installed-check: --record is needed'
	run installed-check --record record
	expect 3 'wants one DB'
}

@test "the database is not opened" {
	strace -f -e trace=openat,open -o trace installed-check --record record live.db
	run grep live.db trace
	expect 1
}
