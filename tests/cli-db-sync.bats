# cli-db-sync: the runbook's words, with the guards of the nightly jobs.

load helper
load hosts

setup() {
	hosts_start
}

teardown() {
	dropbox_stop
}

cli() {
	on "$host" cli-db-sync.sh "$@"
}

put() {
	dropbox_seed "$1" "/backups/$2"
}

@test "upload asks: without a terminal nothing happens, with --yes the database is published, by the owner only" {
	host=pi-ctv
	run cli upload </dev/null
	expect 0 'nothing was changed'
	[ "$(dropbox_calls files/upload)" -eq 0 ]
	run cli --yes upload
	expect 0 'published: /database.db'
	on pi2 mirror-head claim --owner pi2
	run cli -y upload
	expect 77 fenced
}

@test "download brings the newest copy; a host that serves is refused" {
	on pi-ctv daily-upload.sh
	host=pi2
	run cli download
	expect 0 'is installed'
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	echo active >pi2/state/role
	run cli download
	expect 73
}

@test "test says who we are and what is there, info what is here and there" {
	on pi-ctv daily-upload.sh
	host=pi2
	run cli info
	expect 0 'none'
	on pi2 daily-download.sh
	run cli info
	expect 0 'AGE OK'
	expect 0 'installed: number 1.1'
	expect 0 '^owner=pi-ctv'
	run cli list
	expect 0 '/mirror-head.json'
	run cli list /backups
	expect 0 database_backup
}

@test "info without a record or anything in Dropbox says what is missing" {
	host=pi2
	run cli info
	expect 66 '/database.db'
}

@test "backup puts a verified snapshot there, under a name of choice too, and never overwrites" {
	host=pi-ctv
	run cli backup
	expect 0 'saved: /backups/database_backup_20[0-9]{6}_[0-9]{6}.db'
	run cli backup before_the_import.db
	expect 0 'saved: /backups/before_the_import.db'
	dbx-fetch -o got.db /backups/before_the_import.db
	[ "$(rows got.db)" = "$(rows "$live")" ]
	sql "$live" "INSERT INTO spots (note) VALUES ('later')"
	run cli backup before_the_import.db
	expect 73 "^hint: cli-db-sync backup ANOTHER-NAME.db$"
	rm got.db
	dbx-fetch -o got.db /backups/before_the_import.db
	[ "$(rows got.db)" != "$(rows "$live")" ]
	[ ! -e pi-ctv/state/backup.db ]
	TABLES=payments run cli backup bad.db
	expect 65
	for name in a/b .. . -x; do
		run cli backup -- "$name"
		[ "$status" -eq 64 ]
	done
}

@test "list-backups orders by the time in the name, whatever the kind" {
	host=pi2
	for name in failover_backup_20261102_120000.db database_backup_20261103_020500.db database_backup_20261101_020500.db \
		custom.db failover_backup_20261399_000000.db; do
		put "$live" "$name"
	done
	run cli list-backups
	expect 0
	[ "$(awk '{print $3}' <<<"$output" | tr '\n' ' ')" = 'database failover database ' ]
}

@test "list-backups without the folder is an empty list" {
	host=pi2
	run --separate-stderr cli list-backups
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "restore-latest takes the newest by time, names both kinds, asks, and goes through the guards" {
	host=pi2
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	put "$live" failover_backup_20261102_120000.db
	sql "$live" "INSERT INTO spots (note) VALUES ('newest')"
	put "$live" database_backup_20261103_020500.db
	run cli restore-latest </dev/null
	expect 0 'newest failover backup: failover_backup_20261102_120000.db'
	expect 0 'nothing was changed'
	[ ! -e "$copy" ]
	run cli -n restore-latest
	expect 0 'ready'
	[ ! -e "$copy" ]
	run cli --yes restore-latest
	expect 0 'is installed'
	expect 0 'verify .*full'
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	echo active >pi2/state/role
	run cli --yes restore-latest
	expect 73
}

@test "after a restore an upload publishes what was restored, not what an interrupted one was about to" {
	host=pi-ctv
	cli --yes upload
	sql "$live" "UPDATE spots SET note = 'DISASTER'"
	dropbox_fault '{"route":"files/upload","kind":"503-empty","count":-1}'
	run cli --yes upload
	expect 69
	dropbox_control reset >/dev/null
	cli --yes restore-latest
	cli --yes upload
	on pi2 daily-download.sh
	[ "$(sql "$copy" "SELECT count(*) FROM spots WHERE note = 'DISASTER'")" -eq 0 ]
}

@test "a backup on the standby is dated by its data, and is not the newest for being made last" {
	on pi-ctv daily-upload.sh
	on pi2 daily-download.sh
	sleep 1
	host=pi2
	run cli backup
	expect 0 "saved: /backups/database_backup_$(jq -r .snapshot_at pi2/state/installed.json | tr -d :TZ- | sed 's/......$/_&/').db"
	# what was written to here is another copy, of now: that of the night keeps its name and its content
	dbx-fetch -o night.db "$(sed -n 's/^saved: \(.*\), data of .*/\1/p' <<<"$output")"
	sql "$copy" "INSERT INTO spots (note) VALUES ('here')"
	touch -d '-1 hour' "$copy"
	before=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	run cli backup here.db
	expect 0 "saved: /backups/here.db, data of "
	[[ ! ${output##*data of } < $before ]]
	run cli backup
	expect 0 'saved: /backups/database_backup_'
	dbx-fetch -o again.db "/backups/$(dbx-ls /backups | grep _backup_ | head -n 1)"
	cmp night.db again.db
}

@test "a backup from the future, by a clock that was wrong, is not the newest" {
	put "$live" database_backup_20260101_000000.db
	put "$live" database_backup_20360101_000000.db
	host=pi2
	run cli -n restore-latest
	expect 0 'database_backup_20260101_000000.db'
	expect 0 '^newest failover backup: none$'
}

@test "restore-latest of a damaged backup changes nothing" {
	host=pi2
	head -c 60000 /dev/urandom >bad
	put bad database_backup_20261103_020500.db
	run cli --yes restore-latest
	expect 65
	[ ! -e "$copy" ]
}

@test "restore-latest brings a dead primary back: its role is no obstacle, a process that has the file open is" {
	on pi-ctv daily-upload.sh
	host=pi-ctv
	was=$(rows "$live")
	exec 5<"$live"
	run cli --yes restore-latest
	expect 73 "in use by"
	exec 5<&-
	rm "$live"*
	run cli --yes restore-latest
	expect 0 'is installed'
	[ "$(rows "$live")" = "$was" ]
}

@test "history is what can be restored, in local times that restore takes, the newest first; from names alone" {
	host=pi-ctv
	export CTV_CHANGES_EVERY=1m
	run --separate-stderr cli history
	expect 0
	[ -z "$output" ]
	mkdir pi-ctv/state/changes
	on pi-ctv daily-upload.sh
	on pi-ctv publish-changes.sh --once
	sql "$live" "INSERT INTO spots (note) VALUES ('next')"
	on pi-ctv publish-changes.sh --once
	dropbox_control reset
	export TZ=Europe/Berlin
	run cli history
	expect 0
	[[ ${lines[0]} =~ ^\ *2\ \ (20[0-9T:-]*\+0[12]:00)$ ]]
	[[ ${lines[1]} =~ ^\ *1\ \ .*\ \ /backups/database_backup_ ]]
	[ "$(dropbox_calls files/download)" -eq 1 ]
	run cli -y restore --at "$(awk 'NR == 1 { print $2 }' <<<"$output")" -o got.db
	expect 0 'restored: .*/got.db, state 2 of'
	[ "$(rows got.db)" = "$(rows "$live")" ]
}

@test "history without changes says that there is no state, and where the nights are" {
	host=pi-ctv
	on pi-ctv daily-upload.sh
	run --separate-stderr cli history
	expect 0
	[ -z "$output" ]
	[[ $stderr = *'no state is kept in Dropbox'*'list-backups'* ]]
}

@test "bad command lines end with 64, --help and --version with 0" {
	host=pi2
	while read -r args; do
		# shellcheck disable=SC2086
		run cli $args
		expect 64 '(cli-db-sync|restore-state).*:'
	done <<'END'

frobnicate
-x test
--dry-run
-y
test extra
info extra
list a b
list-backups x
upload x
download x
backup a b
restore-latest x
history x
restore --state
--help=1
-- frobnicate
TEST
restore
restore x
upload --yes
download --dry-run
backup a -n
END
	for args in --help -h --version -V '-n --help'; do
		# shellcheck disable=SC2086
		run cli $args
		expect 0 'cli-db-sync'
	done
	run on pi2 env CTV_ENV_FILE=/dev/null/x cli-db-sync.sh list-backups
	expect 78
}

@test "a Dropbox that is away, and one that refuses, are told by the exit status, whatever is asked" {
	host=pi2
	dropbox_seed "$live" /database.db
	commands='info list-backups restore-latest history restore_--at_2026-11-30T14:03'
	for command in $commands; do
		DROPBOX_ACCESS_TOKEN=none run cli ${command//_/ }
		expect 77 '^(dbx-ls|mirror-head|restore-state.sh: mirror-head): .*does not accept the token'
	done
	echo nonsense >record
	dropbox_seed record /mirror-head.json
	run cli info
	expect 65 '^mirror-head: /mirror-head.json'
	dropbox_stop
	for command in $commands; do
		run cli ${command//_/ }
		expect 69 '^(dbx-ls|mirror-head|restore-state.sh: mirror-head): '
	done
}
