#!/usr/bin/env bats
# change-history: what a listing says; which state is chosen from real objects, restore-state.bats tries

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	hash=$(printf %064d 0)
}

# line PATH [TIME]: as dbx-ls -l has it
line() {
	printf '%12d  %-20s  %-64s  %s\n' 100 "${2-2026-11-30T02:05:08Z}" "$hash" "$1"
}

# object N TIME
object() {
	local time=${2//[-:]/}
	line "/changes/${time:0:8}/$(printf %09d "$1")-$time.wal.zst"
}

@test "help and version go to standard output, and a wrong command line is refused" {
	run --separate-stderr change-history --help
	expect 0 '^usage: change-history'
	[ -z "$stderr" ]
	rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run change-history $args </dev/null
		expect 64 "^change-history: .*$why"
		rows=$((rows + 1))
	done <<-'END'
		x|no operand
		--at|needs a value
		--at x|not a time
		--state 0|0
		--state 1 --at 2026-11-30T14:03|exclude each other
		--names x --objects .|goes with a choice
		--state 1 --names x|goes with a choice
		--shell|for one state
		--newest-object x|not a content_hash
	END
	[ "$rows" -eq 9 ]
}

@test "of each hour the last and the first, each copy, and what is missing; every other line means nothing" {
	{
		line /backups/database_backup_20261130_020509.db
		line /backups/failover_backup_20261130_030000.db
		line /backups/database_backup_20261130_020508.db.tmp
		line /database.db 2026-11-30T03:59:00Z
		echo '           -  -                     -                                                                 /changes/20261130/'
		object 1 2026-11-30T02:05:08Z
		object 2 2026-11-30T02:06:08Z
		object 3 2026-11-30T02:59:59Z
		object 4 2026-11-30T03:00:00Z
		object 7 2026-11-30T03:58:59Z
		object 8 2026-11-30T03:59:00Z
		object 9 2026-11-30T04:00:00Z
		line '/changes/20261130/000000009-20261130T040000Z.wal.zst x'
		line /changes/20261129/000000009-20261130T040000Z.wal.zst
		echo "/changes/20261130/000000010-20261130T040000Z.wal.zst"
		printf '%01000d\n' 0
	} >listing
	run -0 change-history --newest 8 --file /database.db <listing
	[ "$output" = '         8  2026-11-30T03:59:00+00:00  /database.db
         7  2026-11-30T03:58:59+00:00
   missing  5 to 6
         4  2026-11-30T03:00:00+00:00
         3  2026-11-30T02:59:59+00:00
         1  2026-11-30T02:05:08+00:00  /backups/database_backup_20261130_020509.db' ] ||
		[ "$output" = '         8  2026-11-30T03:59:00+00:00  /database.db
   missing  5 to 6
         4  2026-11-30T03:00:00+00:00
         3  2026-11-30T02:59:59+00:00
         1  2026-11-30T02:05:08+00:00  /backups/database_backup_20261130_020509.db' ]
	# an hour that comes twice is two
	object 1 2026-10-25T00:10:00Z >twice
	object 2 2026-10-25T00:20:00Z >>twice
	object 3 2026-10-25T01:10:00Z >>twice
	object 4 2026-10-25T01:20:00Z >>twice
	TZ=Europe/Berlin run -0 change-history <twice
	[ "${#lines[@]}" -eq 4 ]
}

@test "a choice by names alone says which objects are wanted: from a state that may have a copy to the one after the chosen" {
	{
		line /backups/database_backup_20261130_020508.db
		line /backups/database_backup_20261130_020703.db
		for n in 1 2 3 4 5 6; do object "$n" "2026-11-30T02:0$((n + 4)):03Z"; done
	} >listing
	mkdir in
	run -0 change-history --state 4 --objects in --names names <listing
	[ "$(grep -o '/0000[0-9]*' names | xargs)" = '/000000003 /000000004 /000000005' ]
	run -0 change-history --state 2 --objects in --names names <listing
	[ "$(grep -o '/0000[0-9]*' names | xargs)" = '/000000001 /000000002 /000000003' ]
	run change-history --state 2 --objects in --names none/names <listing
	expect 74 'none/names: cannot write'
	run -0 change-history --state 4 --shell <listing
	expect 0 "^missing='yes'$"
	expect 0 "^base='/backups/database_backup_20261130_020703.db'$"
	run change-history --state 2 --objects none <listing
	expect 66 'none: cannot read'
	run change-history --state 2 </dev/null
	expect 66 'no state can be had'
}
