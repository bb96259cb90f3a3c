# change-names: a path is a change's or it is not.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

@test "help and version go to standard output, and a wrong command line is refused" {
	run --separate-stderr change-names --help
	expect 0 '^usage: change-names'
	[ -z "$stderr" ]
	rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run change-names $args </dev/null
		expect 64 "^change-names: .*$why"
		rows=$((rows + 1))
	done <<-'END'
		x|no operand
		--after|needs a value
		--after -1|-1
		--to 7x|7x
		-x|no such option
	END
	[ "$rows" -eq 5 ]
}

@test "only what db-changes has named is printed, by number and time" {
	run -0 change-names <<-'END'
		/changes/20261130/000000012-20261130T101500Z.wal.zst
		/changes/20261130/000000009-20261130T101200Z.wal.zst
		/changes/20261129/1000000000-20261129T000000Z.wal.zst
		/changes/20261130/000000012-20261130T101400Z.wal.zst
		/changes/20261130/
		/changes/20261130/12-20261130T101500Z.wal.zst
		/changes/20261129/000000012-20261130T101500Z.wal.zst
		/changes/20261130/000000000-20261130T101500Z.wal.zst
		/changes/20261131/000000013-20261131T101500Z.wal.zst
		/changes/20261130/000000013-20261130T101500Z.wal.zst.conflicted
		/changes/20261130/000000013-20261130T101500Z.wal
		changes/20261130/000000013-20261130T101500Z.wal.zst
		/changes/20261130/99999999999999999999-20261130T101500Z.wal.zst
		/x/changes/20261130/000000013-20261130T101500Z.wal.zst
	END
	[ "$output" = '9 2026-11-30T10:12:00Z /changes/20261130/000000009-20261130T101200Z.wal.zst
12 2026-11-30T10:14:00Z /changes/20261130/000000012-20261130T101400Z.wal.zst
12 2026-11-30T10:15:00Z /changes/20261130/000000012-20261130T101500Z.wal.zst
1000000000 2026-11-29T00:00:00Z /changes/20261129/1000000000-20261129T000000Z.wal.zst' ]
}

@test "a window of numbers, and a line without end" {
	for n in 1 2 3 4 5; do
		echo "/changes/20261130/00000000$n-20261130T10150${n}Z.wal.zst"
	done >paths
	run -0 change-names --after 2 --to 4 <paths
	[ "$(cut -d ' ' -f 1 <<<"$output" | xargs)" = '3 4' ]
	run -0 change-names --to 0 <paths
	[ -z "$output" ]
	printf '/changes/20261130/000000001-20261130T101501Z.wal.zst' >one
	run -0 change-names <one
	[ "$output" = '1 2026-11-30T10:15:01Z /changes/20261130/000000001-20261130T101501Z.wal.zst' ]
	head -c 1000000 /dev/zero | tr '\0' x >long
	run -0 change-names <long
	[ -z "$output" ]
}
