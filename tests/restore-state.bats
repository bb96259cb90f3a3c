#!/usr/bin/env bats
# restore-state.sh: any moment of the kept days, or no file at all. The chain is a real one; its times are those of the test.

load helper
load hosts

# a night, two changes, a bad one, and two more; made once for the file. Then each object has the time of at(), for what
# leads where stands in the objects, not in their names.
setup_file() {
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/chain
	mkdir "$BATS_TEST_TMPDIR"
	hosts_start
	export CTV_CHANGES_EVERY=1m
	mkdir pi-ctv/state/changes
	upload >log
	cp "$live" state1.db
	publish
	for n in 2 3 4 5 6; do
		case $n in
		4) sql "$live" "UPDATE spots SET note = 'DISASTER'" ;;
		*) sql "$live" "INSERT INTO spots (customer, note) VALUES (1, 'state $n')" ;;
		esac
		publish
		sql "$live" "VACUUM INTO 'state$n.db'"
	done
	dropbox_stop
}

setup() {
	export CTV_BACKOFF=5ms CTV_CHANGES_EVERY=1m
	cd "$BATS_TEST_TMPDIR"
	cp -a "$BATS_FILE_TMPDIR/chain/." .
	dropbox_start
	live=$PWD/pi-ctv/data/production.db
	copy=$PWD/pi2/data/production.db
	for n in 1 2 3 4 5 6; do
		stamp "$n" "2026-11-20T10:0$n:00Z"
	done
}

teardown() {
	dropbox_stop
}

publish() {
	on pi-ctv publish-changes.sh --once
}

# object N: its path
object() {
	dbx-ls -R /changes | grep "/$(printf %09d "$1")-"
}

move() {
	[ "$1" = "$2" ] || dropbox_api files/move_v2 "$(jq -nc --arg f "$1" --arg t "$2" '{from_path: $f, to_path: $t}')" >/dev/null
}

# stamp N TIME: the state's data is of this time, by all names
stamp() {
	local time=${2//[-:]/}
	if [ "$1" = 1 ]; then
		move "/backups/$(dbx-ls /backups)" "/backups/database_backup_${time:0:8}_${time:9:6}.db"
	fi
	move "$(object "$1")" "/changes/${time:0:8}/$(printf %09d "$1")-$time.wal.zst"
}

restore() {
	on pi2 restore-state.sh "$@"
}

@test "after a bad UPDATE the moment before brings the rows back, and both clocks and the state are said first" {
	TZ=Europe/Berlin run restore --at '2026-11-20 11:03:59' -o got.db
	expect 0 'state 3 of 2026-11-20T11:03:00\+01:00 \(2026-11-20T10:03:00Z\), from /backups/database_backup_20261120_100100.db'
	expect 0 'apply .*2 changes, state 3'
	expect 0 'verify .*full'
	expect 0 'restored: .*/got.db, state 3 of'
	[ "$(rows got.db)" = "$(rows state3.db)" ]
	[ "$(date -u -r got.db +%FT%TZ)" = 2026-11-20T10:03:00Z ]
	# nothing else is left, here or where the live database is
	[ -z "$(ls -A pi2/data)" ]
	[ -z "$(ls -A | grep '\.restore$')" ]
	# the disaster is what came next
	restore --state 4 -o bad.db
	[ "$(rows bad.db)" = "$(rows state4.db)" ]
}

@test "the row is back in the live database, too: through the gates of every installation, and as the next state" {
	on pi-ctv restore-state.sh --yes --at 2026-11-20T10:03:30Z >log
	[ "$(rows "$live")" = "$(rows state3.db)" ]
	# what was there stays: no record says that nobody wrote to it
	[ "$(rows "$(echo "$live".kept-*)")" = "$(rows state6.db)" ]
	[ ! -e pi-ctv/state/restore ]
	publish
	[ "$(on pi-ctv mirror-head show -n -f newest_n)" = 7 ]
	restore --state 7 -o again.db
	[ "$(rows again.db)" = "$(rows state3.db)" ]
	# a database that is open is not replaced, and what was made waits for the next run
	exec 5<"$live"
	run on pi-ctv restore-state.sh -y --state 2
	expect 73 'in use by'
	exec 5<&-
	dropbox_control reset
	run on pi-ctv restore-state.sh -y --state 2
	expect 0 'an earlier run had begun it'
	[ "$(dropbox_calls files/download)" -eq 1 ]
	[ "$(rows "$live")" = "$(rows state2.db)" ]
	echo active >pi2/state/role
	run restore -y --state 2
	expect 73 'serving'
}

@test "without a terminal or --yes nothing is replaced, and a dry run fetches nothing" {
	before=$(tree pi-ctv/data)
	run on pi-ctv restore-state.sh --state 2 </dev/null
	expect 0 'nothing was changed'
	dropbox_control reset
	run on pi-ctv restore-state.sh -n --at 2026-11-20T10:02Z
	expect 0 'state 2 of 2026-11-20T10:02:00\+00:00'
	expect 0 'ready: '
	[ "$(dropbox_calls files/download)" -eq 1 ]
	[ "$(tree pi-ctv/data)" = "$before" ]
}

@test "which state is meant by a time: the newest that is not later, and what has none is said" {
	rows=0
	while IFS='|' read -r code time words; do
		run restore -n --at "$time"
		expect "$code" "$words"
		rows=$((rows + 1))
	done <<-'END'
		0|2026-11-20T10:03:00Z|^state 3 of
		0|2026-11-20T10:02:59Z|^state 2 of
		0|2026-11-20T12:03+02:00|^state 3 of
		0|2026-11-20 10:03|^state 3 of
		0|2026-11-20T10:06Z|^state 6 of .*Z\), from
		0|2027-01-01T00:00Z|^state 6 of .*, the last there is, from
		66|2026-11-20T10:00:59Z|is not there; the first that can be had is state 1 of 2026-11-20T10:01:00
		64|yesterday|not a time such as
		64|2026-11-20T10:03:00z|not a time
		64|2026-02-30T10:03:00Z|not a time
		64|2026-11-20|not a time
		64|2026-11-20T10:03+2|not a time
	END
	[ "$rows" -eq 12 ]
	run restore -n --state 9
	expect 66 'state 9: is not there; the first that can be had is state 1'
}

@test "an hour that comes twice, or not at all, is not guessed" {
	export TZ=Europe/Berlin
	stamp 3 2026-10-25T00:10:00Z
	stamp 2 2026-10-24T23:00:00Z
	stamp 1 2026-10-24T22:00:00Z
	stamp 4 2026-10-25T01:10:00Z
	run restore --at '2026-10-25 02:30' -o got.db
	expect 64 'comes twice, as a clock was put back: state 3 of 2026-10-25T02:10:00\+02:00, or state 4 of 2026-10-25T02:10:00\+01:00'
	expect 64 'hint: --state'
	[ ! -e got.db ]
	restore --at 2026-10-25T02:30+02:00 -o got.db
	[ "$(rows got.db)" = "$(rows state3.db)" ]
	# where both are one state there is nothing to be told apart
	run restore -n --at '2026-10-25 02:05'
	expect 64 'state 2 of .*, or state 3'
	stamp 4 2026-10-25T02:10:00Z
	stamp 3 2026-10-24T23:30:00Z
	run restore -n --at '2026-10-25 02:30'
	expect 0 '^state 3 of'
	run restore -n --at '2026-03-29 02:30'
	expect 64 'put forward over this time'
}

@test "where a clock went back the states are named, and --state chooses" {
	stamp 3 2026-11-21T10:03:00Z
	stamp 4 2026-11-21T10:04:00Z
	run restore --at 2026-11-20T10:05:30Z -o got.db
	expect 64 'a clock went back there: state 2 of 2026-11-20T10:02:00\+00:00, or state 5 of 2026-11-20T10:05:00'
	run restore -n --at 2026-11-20T10:01:30Z
	expect 0 '^state 1 of'
	restore --state 5 -o got.db
	[ "$(rows got.db)" = "$(rows state5.db)" ]
}

@test "no file is overwritten, and no directory made" {
	echo mine >got.db
	ln -s nowhere link.db
	mkdir dir.db
	for name in got.db link.db dir.db; do
		run restore --state 2 -o "$name"
		expect 73 'is not overwritten'
	done
	[ "$(cat got.db)" = mine ]
	run restore --state 2 -o none/got.db
	expect 73 'no such directory'
	# what comes there meanwhile stays, too
	stub db-verify <<-'END'
		echo theirs >"$BATS_TEST_TMPDIR/new.db"
		exec "$real" "$@"
	END
	run restore --state 2 -o new.db
	expect 73 'is there already'
	[ "$(cat new.db)" = theirs ]
}

@test "a hole ends it with the object that is missing, before it in the chain all can be had" {
	dbx-rm "$(object 4)"
	for n in 5 6; do
		run restore --state "$n" -o got.db
		expect 66 '000000005-.*: the object of the state before it is missing'
	done
	run restore --state 4 -o got.db
	expect 66 'state 4: is not there'
	run restore --state 3 -o got.db
	expect 0 'is missing, so that it was published is not proved'
	[ "$(rows got.db)" = "$(rows state3.db)" ]
	[ -z "$(ls -A | grep '\.restore$')" ]
}

@test "a base whose copy has gone is said; the file of the newest night is one, whatever its name" {
	dbx-rm "/backups/$(dbx-ls /backups)"
	# its time is that of the night, which here is today: not the stamped one
	run restore --state 3 -o got.db
	expect 66 'no copy of it, or of one before it'
	dropbox_get /database.db >night.db
	dbx-rm /database.db
	dropbox_seed night.db /database.db 2026-11-20T10:01:00Z
	restore --state 3 -o got.db
	[ "$(rows got.db)" = "$(rows state3.db)" ]
}

@test "a copy is tied to its state by its content: by its name alone it is believed nothing" {
	# by hand, in the seconds of a later state
	cp state2.db hand.db
	dropbox_seed hand.db /backups/database_backup_20261120_100410.db
	run restore --state 5 -o got.db
	expect 0 'from /backups/database_backup_20261120_100410.db'
	expect 0 'apply .*4 changes'
	[ "$(rows got.db)" = "$(rows state5.db)" ]
	# and what has the name of the night's, with another content
	dropbox_seed hand.db "/backups/database_backup_20261120_100100.db"
	run restore --state 3 -o other.db
	expect 0 'from /database.db'
	[ "$(rows other.db)" = "$(rows state3.db)" ]
	dbx-rm /database.db
	run restore --state 3 -o none.db
	expect 66 'is a base, and no copy of it is among the backups'
	[ ! -e none.db ]
}

@test "of two objects of one number the one counts that the chain names" {
	# of a publisher that was killed: a later time, or an earlier one, and other rows
	for second in 30 59; do
		dbx-fetch -o stray "$(object 5)"
		dropbox_seed stray "/changes/20261120/000000003-20261120T1003${second}Z.wal.zst"
		rm stray
	done
	dbx-fetch -o stray "$(object 2)"
	dropbox_seed stray /changes/20261120/000000003-20261120T100230Z.wal.zst
	restore --state 3 -o got.db
	[ "$(rows got.db)" = "$(rows state3.db)" ]
	# by its time nothing is chosen that was not there then
	run restore --at 2026-11-20T10:02:45Z -o two.db
	expect 0 'restored: .*/two.db, state 2 of'
	# beyond the record's newest there is nothing
	dropbox_seed stray /changes/20261120/000000007-20261120T100700Z.wal.zst
	run restore --at 2026-11-20T12:00:00Z -o last.db
	expect 0 'restored: .*/last.db, state 6 of'
	# a number that was skipped: of no chain
	run restore -n --state 7
	expect 66
}

@test "a change that is damaged, or of another chain, ends it with 65 and no file" {
	path=$(object 3)
	dbx-fetch -o bad "$path"
	printf XXXX | dd of=bad bs=1 seek=$(($(stat -c %s bad) - 30)) conv=notrunc status=none
	dropbox_seed bad "$path"
	run restore --state 3 -o got.db
	[ "$status" -eq 65 ] || [ "$status" -eq 66 ]
	[ ! -e got.db ]
	echo no >bad
	dropbox_seed bad "$path"
	# an object that was fetched is kept for the next run to that file
	run restore --state 5 -o other.db
	[ "$status" -eq 65 ] || [ "$status" -eq 66 ]
	[ ! -e other.db ]
	# by the name that a person finds it by
	[[ $output == *"$path: does not begin as a change does"* ]]
	[[ $output != *in/000000003* ]]
}

@test "what is wrong with an object is told once, however often one is asked for others, and off the way it hinders nobody" {
	# by its name a copy of state 4, so that what lies before that is asked for in a second turn
	cp state2.db hand.db
	dropbox_seed hand.db /backups/database_backup_20261120_100410.db
	echo no >bad
	dropbox_seed bad /changes/20261120/000000005-20261120T100530Z.wal.zst
	run restore --state 5 -o got.db
	expect 0 '4 changes, state 5'
	[ "$(grep -c '000000005-20261120T100530Z.wal.zst: does not begin as a change does' <<<"$output")" -eq 1 ]
	[ "$(rows got.db)" = "$(rows state5.db)" ]
}

@test "names that are no change's or backup's are nobody's, whatever they hold" {
	for name in '/changes/20261120/000000003-20261120T100300Z.wal.zst (copy)' '/changes/x  /backups/database_backup_20261120_100400.db' \
		$'/backups/a b.db' '/changes/20261120/$(touch hit).wal.zst' "/backups/database_backup_20261120_100400.db'; touch hit; '"; do
		dropbox_seed state5.db "$name" || true
	done
	restore --state 3 -o "it's \$(touch hit) a.db"
	[ "$(rows "it's \$(touch hit) a.db")" = "$(rows state3.db)" ]
	[ ! -e hit ]
}

@test "a run that is killed at any of its steps is ended by the next" {
	for tool in dbx-fetch db-apply db-verify; do
		stub "$tool" <<-'END'
			"$real" "$@"
			code=$?
			[ -e killed ] || { : >killed; kill -KILL 0; }
			exit "$code"
		END
		run setsid -w env BASH_ENV= bash -c "$(declare -f on restore); wrap=(); BATS_TEST_TMPDIR=$PWD; restore --state 5 -o $tool.db"
		[ "$status" -ne 0 ]
		[ ! -e "$tool.db" ]
		rm "stubs/$tool"
		restore --state 5 -o "$tool.db"
		[ "$(rows "$tool.db")" = "$(rows state5.db)" ]
	done
}

@test "a full disk ends with 74, and leaves no file" {
	may_mount
	mkdir small
	run unshare -m bash -c "mount -t tmpfs -o size=300k none small && $(declare -f on restore); wrap=(); BATS_TEST_TMPDIR=$PWD; restore --state 5 -o small/got.db; code=\$?; ls small; exit \$code"
	expect 74
	run ! grep -x got.db <<<"$output"
}

@test "suspect states are said to be" {
	on pi-ctv mirror-head publish --owner pi-ctv --suspect 4 'rows are missing from an index'
	run restore -n --state 4
	expect 0 'state 4 and those after it are suspect: rows are missing'
	run restore -n --state 3
	run ! grep suspect <<<"$output"
}

@test "a record that is not believed, or none, bounds nothing, and that is said" {
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	run restore --state 6 -o got.db
	expect 0 'no head record bounds the choice'
	[ "$(rows got.db)" = "$(rows state6.db)" ]
}

@test "bad command lines end with 64, --help and --version with 0" {
	rows=0
	while IFS='|' read -r args words; do
		# shellcheck disable=SC2086
		run restore $args
		expect 64 "$words"
		rows=$((rows + 1))
	done <<-'END'
		|which moment
		--at|a value is missing
		--at=|unknown option
		--state 1 --at 2026-11-20T10:03Z|not both
		--state 1 -o|a value is missing
		--state 1 x|no operand
		-x|unknown option
		--state x|not a number|
		--state 0|
	END
	[ "$rows" -eq 9 ]
	run restore --help
	expect 0 '^usage: restore-state.sh'
	run restore -V
	expect 0 '^restore-state.sh [0-9]'
}
