#!/usr/bin/env bats
# prune.sh, by daily-upload.sh: which nights stay, what of the changes stays with them, and that it can all be had again

load helper
load hosts

# nine nights of November 2020, and a minute at noon behind each; made once for the file. Night k is state 2k - 1, the
# minute 2k, for what leads where stands in the objects, not in their names. The nights' rows are in nightK.db.
setup_file() {
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR/chain
	mkdir "$BATS_TEST_TMPDIR"
	hosts_start
	export CTV_CHANGES_EVERY=1m
	mkdir pi-ctv/state/changes
	stub dbx-rm <<<'exit 0'
	for k in 1 2 3 4 5 6 7 8 9; do
		before=$(dbx-ls -R /changes /backups 2>/dev/null || true)
		sql "$live" "UPDATE spots SET note = 'night $k' WHERE id = 1"
		upload >log
		# the first look behind a base only finds it on record
		[ "$k" -gt 1 ] || on pi-ctv publish-changes.sh --once
		sql "$live" "VACUUM INTO 'night$k.db'" "UPDATE spots SET note = 'noon $k' WHERE id = 1"
		on pi-ctv publish-changes.sh --once >log
		sql "$live" "VACUUM INTO 'noon$k.db'"
		stamp "$k" <(diff <(echo "$before") <(dbx-ls -R /changes /backups) | sed -n 's/^> //p')
	done
	rm -r stubs
	dropbox_stop
}

setup() {
	export CTV_BACKOFF=5ms CTV_CHANGES_EVERY=1m
	begin
}

# begin: as after those nights
begin() {
	cd "$BATS_TEST_TMPDIR"
	cp -a "$BATS_FILE_TMPDIR/chain/." .
	dropbox_start
	live=$PWD/pi-ctv/data/production.db
	copy=$PWD/pi2/data/production.db
}

teardown() {
	dropbox_stop
}

move() {
	dropbox_api files/move_v2 "$(jq -nc --arg f "$1" --arg t "$2" '{from_path: $f, to_path: $t}')" >/dev/null
}

# stamp K NEW: the paths that night K has made get its time
stamp() {
	local path hour n
	while read -r path; do
		case $path in
		/backups/*) move "$path" "/backups/database_backup_2020110${1}_020500.db" ;;
		*.zst)
			n=$((10#$(basename "$path" | cut -d - -f 1)))
			hour=0205
			[ "$((n % 2))" -eq 1 ] || hour=1200
			move "$path" "/changes/2020110$1/$(printf %09d "$n")-2020110$1T${hour}00Z.wal.zst"
			;;
		esac
	done <"$2"
}

restore() {
	on pi2 restore-state.sh "$@"
}

# tonight: one more night, today
tonight() {
	sql "$live" "UPDATE spots SET note = 'tonight ${1-}' WHERE id = 1"
	upload
}

# left: the copies and the days that there are, but for those of today
left() {
	dbx-ls /backups | sed -n 's/^database_backup_202011\(..\)_.*/c\1/p' | xargs
	dbx-ls /changes | sed -n 's,^202011\(..\)/$,d\1,p' | xargs
}

@test "the last seven nights stay with all their minutes, from the first moment of the oldest on; what is older goes" {
	[ "$(left)" = $'c01 c02 c03 c04 c05 c06 c07 c08 c09\nd01 d02 d03 d04 d05 d06 d07 d08 d09' ]
	run tonight
	expect 0 'prune .*6 removed, the last 7 nights are kept'
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
	for k in 4 5 9; do
		restore --at "2020-11-0${k}T02:05:00Z" -o "got$k.db"
		[ "$(rows "got$k.db")" = "$(rows "night$k.db")" ]
		restore --at "2020-11-0${k}T23:59:00Z" -o "noon-got$k.db"
		[ "$(rows "noon-got$k.db")" = "$(rows "noon$k.db")" ]
	done
	run restore -n --at 2020-11-04T02:04:59Z
	expect 66 'the first that can be had is state 7 of 2020-11-04T02:05:00'
	run tonight again
	expect 0
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
}

@test "a prune that is killed between any two deletions has taken nothing that is needed, and the next one ends it" {
	stub dbx-rm <<-'END'
		[ -e ended ] || for path; do
			case $path in
			/*) [ -s todo ] || kill -KILL 0; sed -i 1d todo; "$real" --days "$path" ;;
			esac
		done
		exec "$real" "$@"
	END
	for count in 0 1 2 3 4 5; do
		dropbox_stop
		BATS_TEST_TMPDIR=${PWD%/round*}/round$count DROPBOX_ROOT=
		mkdir "$BATS_TEST_TMPDIR"
		begin
		yes | head -n "$count" >todo
		run setsid -w env BASH_ENV= bash -c "$(declare -f on upload sql tonight); wrap=(); live=$live; BATS_TEST_TMPDIR=$PWD; tonight"
		[ "$status" -ne 0 ]
		[ "$(left | tr ' ' '\n' | grep -c .)" -eq $((18 - count)) ]
		restore --at 2020-11-04T12:00:00Z -o "got$count.db"
		[ "$(rows "got$count.db")" = "$(rows noon4.db)" ]
		: >ended
		upload
		[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
	done
}

@test "a day stays for the copy of it that stays, whatever days it lies behind; a copy from the future holds nothing" {
	# two of one day count as one night, and both are among the newest seven
	move /backups/database_backup_20201108_020500.db /backups/database_backup_20201109_010500.db
	move /backups/database_backup_20201103_020500.db /backups/database_backup_20990101_000000.db
	tonight
	# c02 is the seventh night
	[ "$(left)" = $'c02 c04 c05 c06 c07 c09 c09\nd02 d03 d04 d05 d06 d07 d08 d09' ]
	[ "$(dbx-ls /backups | grep -c 2099)" -eq 1 ]
}

@test "of a publisher that was killed or fenced what the chain passed goes with its day; nothing is fetched to judge it" {
	dbx-fetch -o stray /changes/20201105/000000010-20201105T120000Z.wal.zst
	echo garbage >damaged
	dropbox_seed damaged /changes/20201102/000000004-20201102T115900Z.wal.zst
	dropbox_seed damaged /changes/20201106/000000012-20201106T115900Z.wal.zst
	dropbox_seed stray /changes/20201107/000000014-20201107T115900Z.wal.zst
	dropbox_seed stray /changes/20201106/000000099-20201106T115900Z.wal.zst
	run tonight
	expect 0 'prune .*6 removed'
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
	[[ $output != */tmp/* ]]
	[ "$(dropbox_log 'select(.route == "files/download" and (.arg | tostring | test("/changes/")))' | wc -l)" -eq 0 ]
	[ "$(dbx-ls -R /changes/20201106 /changes/20201107 | grep -c 'T115900Z')" -eq 3 ]
	for k in 6 7; do
		restore --state "$((2 * k))" -o "got$k.db"
		[ "$(rows "got$k.db")" = "$(rows "noon$k.db")" ]
	done
}

@test "with the minutes off the days go as their nights do, and without any nobody speaks of them" {
	CTV_CHANGES_EVERY=off tonight
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
	dropbox_api files/delete_v2 '{"path":"/changes"}' >/dev/null
	CTV_CHANGES_EVERY=off run tonight again
	expect 0 'prune .*nothing to remove'
	run ! grep /changes <<<"$output"
}

@test "a filter that fails leaves the changes for the next night: this one is on record" {
	stub change-spent <<-'END'
		echo /changes/20201101
		echo 'change-spent: more than 1000000 lines' >&2
		exit 65
	END
	run tonight
	expect 0 'change-spent: more than 1000000 lines'
	[ "$(last pi-ctv upload '.steps[-1].result')" = warning ]
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd01 d02 d03 d04 d05 d06 d07 d08 d09' ]
	rm stubs/change-spent
	tonight again
	[ "$(left)" = $'c04 c05 c06 c07 c08 c09\nd04 d05 d06 d07 d08 d09' ]
}
