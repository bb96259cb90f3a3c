# db-snapshot at every call that may be its last or may fail: the source stays as it is, the copy is the one before
# or the complete new one.

load helper
load sqlite
load fault/crash

setup() {
	crash_setup
	documented db-snapshot.1
	command=(db-snapshot "$ARENA/live" "$ARENA/snap")
	make_db "$ARENA/snap"
}

teardown() {
	app_dies
	crash_teardown
}

rows='ok mine 300'
broken() {
	[ "$(whole live)" = "$rows" ]
	if ! cmp -s "$ARENA/snap" saved/snap; then
		[ "$(whole snap)" = "$rows" ]
	else
		[ "$status" -ne 0 ]
	fi
	only live live-wal live-shm live-journal snap .snap.snapshot
	[ "$status" -eq 137 ] || [[ $point =~ unlink|stat|flock ]] || [ ! -e "$ARENA/.snap.snapshot" ]
}

mended() {
	[ "$(whole live snap)" = "$rows"$'\n'"$rows" ]
	only live live-wal live-shm snap
}

@test "killed at any call, and any call fails, beside the -wal of a killed application" {
	make_db "$ARENA/live" wal
	app "$ARENA/live"
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='mine';"
	app_dies
	crash_saved
	crash_matrix kill
	most=3
	crash_matrix error
}

@test "killed at any call, and any call fails, of a database that was closed: a -wal that stays is empty" {
	make_db "$ARENA/live" wal
	rows='ok old 300'
	mended() {
		[ "$(whole live snap)" = "$rows"$'\n'"$rows" ]
		only live live-wal live-shm snap
		[ ! -s "$ARENA/live-wal" ]
		cmp "$ARENA/live" saved/live
	}
	sqlite3 "$ARENA/snap" "UPDATE t SET side='before'"
	crash_saved
	most=1
	crash_matrix kill
	crash_matrix error
}

@test "killed at any call, with half a transaction in the -journal of the source" {
	make_hot_journal "$ARENA/live"
	rows='ok old 300'
	sqlite3 "$ARENA/snap" "UPDATE t SET side='before'"
	crash_saved
	most=2
	crash_matrix kill
}
