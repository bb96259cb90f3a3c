#!/usr/bin/env bats
# backup-names: a name is a backup's or it is not; what is printed may go.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# name KIND DATE-WORDS: of a backup of then
name() {
	echo "$1_backup_$(date -u -d "$2" +%Y%m%d_%H%M%S).db"
}

@test "help and version go to standard output, and a wrong command line is refused" {
	run --separate-stderr backup-names --help
	expect 0 '^usage: backup-names'
	[ -z "$stderr" ]
	run --separate-stderr backup-names -V
	expect 0 '^backup-names [0-9]+\.'
	rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run backup-names $args </dev/null
		expect 64 "^backup-names: .*$why"
		rows=$((rows + 1))
	done <<-'END'
		x|no operand
		--beyond|needs a value
		--beyond=|
		--beyond -1|-1
		--beyond 7x|7x
		--nights 0|0
		--beyond 1 --nights 1|not both
		-x|no such option
		--name other|not database or failover
		--name database --at yesterday|yesterday
		--at 2026-11-20T02:05:00Z|--at is for --name
		--next x.db|not the name of a backup
		--next database_backup_20261301_000000.db|not the name of a backup
		--name database --next database_backup_20261120_020500.db|exclude each other
		--name database --beyond 7|exclude each other
	END
	[ "$rows" -eq 15 ]
}

@test "only what is named as a backup is printed, the newest first, with its time and kind" {
	run backup-names <<-'END'
		database_backup_20261124_020508.db
		failover_backup_20261125_120000.db
		database_backup_20261125_120001.db
		database_backup_20240229_235959.db
		database_backup_20230229_235959.db
		database_backup_20261301_000000.db
		database_backup_20261124_240000.db
		database_backup_20261124_020508.db.tmp
		Database_backup_20261124_020508.db
		database_backup_20261124-020508.db
		xdatabase_backup_20261124_020508.db
		database_backup_########_######.db
		custom.db

	END
	expect 0
	[ "$output" = "2026-11-25T12:00:01Z database database_backup_20261125_120001.db
2026-11-25T12:00:00Z failover failover_backup_20261125_120000.db
2026-11-24T02:05:08Z database database_backup_20261124_020508.db
2024-02-29T23:59:59Z database database_backup_20240229_235959.db" ]
}

@test "whatever comes in, a long line, no line end or bytes of any kind, nothing but backups comes out" {
	{
		head -c 5000 /dev/zero | tr '\0' x
		# the piece behind a full buffer is no name of its own
		printf '%064d%s\n' 0 database_backup_20261124_020508.db
		printf '%065d%s\n' 0 database_backup_20261124_020508.db
		printf 'database_backup_20261124_020508.db\0x\n\377\n'
		# a line with a NUL takes none of the lines behind it away
		printf '\0\ndatabase_backup_20261124_020508.db\n'
		printf 'database_backup_20261124_020509.db'
	} >in
	run backup-names <in
	expect 0
	[ "$output" = "2026-11-24T02:05:09Z database database_backup_20261124_020509.db
2026-11-24T02:05:08Z database database_backup_20261124_020508.db" ]
	run backup-names </dev/null
	expect 0
	[ -z "$output" ]
	run backup-names </
	expect 74 'standard input: cannot read'
	run sh -c 'backup-names <in >/dev/full'
	expect 74
}

@test "--beyond counts each kind by itself, and nothing from the future" {
	for n in 1 2 3 4; do name database "$n days ago"; name failover "$n hours ago"; done >in
	name database '3 days' >>in
	run backup-names --beyond 3 <in
	expect 0
	[ "$(cut -d ' ' -f 3 <<<"$output" | sort)" = "$(sed -n 7,8p in | sort)" ]
	[ "$(backup-names --beyond 0 <in | wc -l)" -eq 8 ]
	[ "$(backup-names <in | wc -l)" -eq 9 ]
}

@test "--nights keeps the newest of each of the last days of the local time that have one, and never fewer than so many" {
	# noon is the same day in both zones below, the last hour of UTC's is the next day in one of them
	for n in 1 2 3 4 5; do name database "$(date -u -d "$n days ago" +%F) 12:00"; name database "$(date -u -d "$n days ago" +%F) 11:00"; done >in
	TZ=UTC run backup-names --nights 4 <in
	expect 0
	# the four newest are of two days; of the third and the fourth the newest stays, and older days go
	[ "$(cut -d ' ' -f 3 <<<"$output")" = "$(name database "$(date -u -d '3 days ago' +%F) 11:00")
$(name database "$(date -u -d '4 days ago' +%F) 11:00")
$(name database "$(date -u -d '5 days ago' +%F) 12:00")
$(name database "$(date -u -d '5 days ago' +%F) 11:00")" ]
	# after weeks without any the newest stay all the same
	for n in 41 42 43; do name database "$n days ago"; done >in
	run backup-names --nights 3 <in
	expect 0
	[ -z "$output" ]
	# whose day it is depends on the zone: 9 and 11 o'clock of UTC are two days in one that is 14 hours ahead
	for n in 1 2 3 4; do name database "$n minutes"; done >in
	eleven=$(name database "$(date -u -d '1 day ago' +%F) 11:00")
	nine=$(name database "$(date -u -d '1 day ago' +%F) 09:00")
	printf '%s\n' "$eleven" "$nine" >>in
	TZ=UTC run backup-names --nights 4 <in
	expect 0
	[ "$(cut -d ' ' -f 3 <<<"$output")" = "$nine" ]
	TZ=Etc/GMT-14 run backup-names --nights 4 <in
	expect 0
	run ! grep "$nine" <<<"$output"
}

@test "a backup is named by the time of its data, and the next name is of one second later" {
	[ "$(backup-names --name database --at 2026-11-20T02:05:09Z)" = database_backup_20261120_020509.db ]
	# of now, whatever the zone
	before=$(date +%s)
	[[ $(TZ=America/Los_Angeles backup-names --name failover | backup-names) =~ ^([^ ]*)\ failover\ failover_backup_[0-9]{8}_[0-9]{6}\.db$ ]]
	[ "$(date -d "${BASH_REMATCH[1]}" +%s)" -ge "$before" ]
	# over the end of a minute, a day, a year, a February
	for pair in 20261120_020459:20261120_020500 20261120_235959:20261121_000000 20261231_235959:20270101_000000 20280228_235959:20280229_000000; do
		[ "$(backup-names --next "failover_backup_${pair%:*}.db")" = "failover_backup_${pair#*:}.db" ]
	done
}
