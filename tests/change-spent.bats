#!/usr/bin/env bats
# change-spent: what is printed may go. The days are a table of names.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# listing WORD...: cTIME a copy, N@TIME an object, fDAY a folder, xDAY another thing in it; TIME is YYYYMMDDThhmmss
listing() {
	local word time
	for word; do
		time=${word#*[c@fx]}
		case $word in
		c*) echo "/backups/database_backup_${time/T/_}.db" ;;
		f*) echo "/changes/$time/" ;;
		x*) echo "/changes/$time/000000001-${time}T000000Z.wal.zst (conflict)" ;;
		*) echo "/changes/${time:0:8}/$(printf %09d "${word%@*}")-${time}Z.wal.zst" ;;
		esac
	done
}

@test "help and version go to standard output, and a wrong command line is refused" {
	run --separate-stderr change-spent --help
	expect 0 '^usage: change-spent'
	[ -z "$stderr" ]
	rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run change-spent $args </dev/null
		expect 64 "^change-spent: .*$why"
		rows=$((rows + 1))
	done <<-'END'
		x|no operand
		--base 0|0
		--base|needs a value
		-x|no such option
	END
	[ "$rows" -eq 4 ]
	run change-spent </
	expect 74
	listing c20201120T020500 f20201118 >in
	run sh -c 'change-spent <in >/dev/full'
	expect 74
}

@test "a day goes when no copy that is kept and not the record begins in it or before it" {
	rows=0
	while IFS='|' read -r base words days; do
		# shellcheck disable=SC2086  # words
		listing $words | sort -R >in
		# shellcheck disable=SC2086
		run -0 change-spent ${base:+--base $base} <in
		[ "$(grep -o '[0-9]*$' <<<"$output" | xargs)" = "$days" ] || { echo "row $rows: $output, not $days" >&2; return 1; }
		rows=$((rows + 1))
	done <<-'END'
		9|f20201118 1@20201118T120000 f20201119 2@20201119T120000 f20201120 3@20201120T020500 c20201120T020500|20201118 20201119
		9|f20201118 1@20201118T120000 f20201119 2@20201119T120000 f20201120 3@20201120T020500|
		9|1@20201118T120000 2@20201119T120000 3@20201120T020500 c20201120T020500 c20201119T120000|20201118
		9|1@20201118T120000 2@20201119T120000 5@20201122T020500 c20201122T020500|20201118 20201119
		|1@20201118T120000 2@20201119T120000 c20201120T020500|20201118 20201119
		9|f20201118 f20201119 f20201120 c20201120T020500|20201118 20201119
		2|1@20201118T120000 2@20201119T120000 3@20201120T020500 c20201120T020500|20201118
		1|1@20201118T120000 2@20201119T120000 3@20201120T020500 c20201120T020500|
		9|1@20201118T120000 2@20201119T235958 3@20201119T235959 c20201120T000010 c20201121T000000|20201118
		9|1@20201117T120000 c20201119T000100|20201117
		9|1@20201118T120000 c20201119T000058|
		9|1@20201118T120000 c20201119T000059|20201118
		9|1@20201118T120000 x20201118 2@20201119T120000 c20201120T020500|20201119
		9|1@20201118T120000 9@20191119T120000 8@20201120T020500 c20201120T020500|20201118
		9|1@20201117T120000 5@20191119T120000 3@20201120T020500 c20201120T020500|20201117
		9|1@20201118T120000 7@20191119T120000 8@20201120T020500 c20201120T020500|20191119 20201118
		9|1@20201118T120000 2@20991118T120000 3@20201120T020500 c20201120T020500|20201118
		9|1@20201118T120000 2@20991118T120000 3@20201120T020500 c20201120T020500 c20991118T120000|20201118
		9|1@20201118T120000 c20991118T120000|
		9|1@20201118T120000 2@20201120T020500 c20201120T020500 c20191120T020500|
		9|1@20201118T120000 2@20201119T120000 2@20201119T115900 3@20201120T020500 c20201120T020500|20201118 20201119
		9|1@20201118T120000 2@20201119T120000 3@20191120T020500 4@20201120T020500 c20201120T020500 c20191120T020500|
		9|1@20201024T120000 2@20201024T220500 3@20201025T000500 4@20201025T010500 c20201025T000500 c20201025T010500|20201024
	END
	[ "$rows" -eq 23 ]
	# nobody's eyes but the filter's: what else there is has no name of ours
	run -0 change-spent <<-'END'
		/backups/database_backup_20201120_020500.db
		/changes/20201118
		/changes/2020111/
		/changes/20201131/
		/changes/x/20201118/
		/x/changes/20201118/
		/changes/
		/Changes/20201118/
		/20201118/
		/backups/20201118/
	END
	[ -z "$output" ]
	# nor is a failover's copy one of a state
	run -0 change-spent <<<$'/backups/failover_backup_20201120_020500.db\n/changes/20201118/'
	[ -z "$output" ]
}
