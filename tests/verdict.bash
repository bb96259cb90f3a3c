# verdict.bash - what db-verify says of a database, and how an index of one is made wrong

# verdict STATUS REGEX ARG...
verdict() {
	status_wanted=$1 text=$2
	shift 2
	run db-verify "$@"
	expect "$status_wanted" "^DBVERIFY $text"
}

# hide DB INDEX SQL: runs SQL while SQLite does not know of the index
hide() {
	sqlite3 -bail -cmd '.dbconfig defensive off' "$1" <<-SQL
		PRAGMA writable_schema = ON;
		CREATE TEMP TABLE was AS SELECT * FROM sqlite_schema WHERE name = '$2';
		DELETE FROM sqlite_schema WHERE name = '$2';
		PRAGMA writable_schema = RESET;
		$3;
		PRAGMA writable_schema = ON;
		INSERT INTO sqlite_schema SELECT * FROM was;
	SQL
}
