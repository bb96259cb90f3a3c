# sqlite.bash - databases for the tests of the db-* tools: whole, in use, and left behind by a crash

# make_db FILE [MODE]: 300 rows of side 'old' in the journal mode given (default delete), cleanly closed
make_db() {
	sqlite3 "$1" "PRAGMA journal_mode=${2-delete};
		CREATE TABLE t(id INTEGER PRIMARY KEY, side TEXT, body TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300)
		INSERT INTO t SELECT i, 'old', hex(randomblob(400)) FROM n;" >/dev/null
}

# app DB: starts a process that has DB open, as the application would; sql TEXT runs there
app() {
	coproc APP { exec sqlite3 "$1" 3>&-; }
	app_pid=$APP_PID
}
sql() {
	echo "$1" >&"${APP[1]}"
	echo 'SELECT "done";' >&"${APP[1]}"
	local line
	while read -r -t 20 line <&"${APP[0]}" && [ "$line" != done ]; do :; done
	[ "$line" = done ]
}

# app_dies: killed in the middle of what it does; for teardown too
app_dies() {
	[ -n "${app_pid-}" ] || return 0
	# the braces take the shell's own word about it
	{ kill -9 "$app_pid" && wait "$app_pid"; } 2>/dev/null || true
	app_pid=
}

# make_crashed_wal FILE: its application was killed: the rows 'new' are in the -wal alone
make_crashed_wal() {
	make_db "$1" wal
	app "$1"
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='new';"
	app_dies
	[ -s "$1-wal" ]
}

# make_hot_journal FILE: its application was killed in a transaction that had begun to write the file
make_hot_journal() {
	make_db "$1"
	app "$1"
	# the cache is too small for the transaction, so pages go to the file before the commit
	sql "PRAGMA cache_size=5; BEGIN; UPDATE t SET side='torn', body=hex(randomblob(400));"
	app_dies
	[ -s "$1-journal" ]
}

# sides FILE: how many rows of which side, e.g. "old 300"; FILE must be left without side files
sides() {
	sqlite3 -separator ' ' "file:$1?immutable=1" 'SELECT side, count(*) FROM t GROUP BY side'
}

# until_true COMMAND...: waits for it to be true, at most 20 s
until_true() {
	local i
	for ((i = 0; i < 2000; i++)); do
		! "$@" || return 0
		sleep 0.01
	done
	return 1
}

# ends PID: waits for that child; its status in $status as after run
ends() {
	status=0 output=
	wait "$1" || status=$?
}
