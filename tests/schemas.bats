load helper

setup() {
	# thousands of small files: in memory where there is such a place
	dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p "$BATS_TEST_TMPDIR")
}

teardown() {
	rm -rf "$dir"
}

# More of them, or others: CTV_SCHEMAS=100000 CTV_SCHEMA_SEED=2 bats tests/schemas.bats
@test "no database that SQLite can make is called damaged, and a damaged twin of each kind is" {
	run schemas -n "${CTV_SCHEMAS:-4000}" -s "${CTV_SCHEMA_SEED:-2}" "$dir"
	echo "$output"
	expect 0 '^SQLite .*: [0-9]{3,} sound databases, 0 false alarms, '
	# a twin of each kind was damaged, and found
	for kind in table 'strict table' 'table without rowid' 'plain index' 'index of a constraint' 'index in another order' \
		'index of a generated column' 'expression index' 'partial index'; do
		grep -Eq "^ +[0-9]{2,} twins: $kind\$" <<<"$output"
	done
}
