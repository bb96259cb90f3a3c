#!/usr/bin/env bats
# change-spent: what is printed may go. The days are a table of names; which object is a stray is told by real ones.

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

# chain DIR: objects of states 1 to 6, the first and the fifth of them bases, and another third one, 3x, that nobody follows
chain() {
	local n
	mkdir -p "$1"
	sqlite3 db 'CREATE TABLE t (x)'
	for n in 1 2 3x 3 4 5 6; do
		sqlite3 db "INSERT INTO t VALUES ('$n')"
		[ "$n" != 3x ] || cp st before
		# the next number is not 5 but 7
		set -- "$1"
		[ "$n" != 5 ] || set -- "$1" --full --base --number 7 --parent "$(hash_of "$1/$(name 4)")" --file whole
		db-changes --json --since st --epoch 1 "${@:2}" db out >seen
		cp out "$1/$(name "$n")"
		[ "$n" != 3x ] || { mv before st; continue; }
		db-changes --confirm st
	done
	[ "$(ls "$1" | wc -l)" -eq 7 ]
}

# name STATE: of its object, with a time of the test's
name() {
	case $1 in
	3x) echo 000000003-20201120T000300Z.wal.zst ;;
	5) echo 000000007-20201120T010700Z.wal.zst ;;
	6) echo 000000008-20201120T010800Z.wal.zst ;;
	*) echo "00000000$1-20201120T010${1}00Z.wal.zst" ;;
	esac
}

# hash_of OBJECT: the content_hash of one that is small
hash_of() {
	python3 -c 'import hashlib, sys; print(hashlib.sha256(hashlib.sha256(open(sys.argv[1], "rb").read()).digest()).hexdigest())' "$1"
}

# paths STATE...
paths() {
	local state
	for state; do echo "/changes/20201120/$(name "$state")"; done
}

@test "help and version go to standard output, and a wrong command line is refused" {
	run --separate-stderr change-spent --help
	expect 0 '^usage: change-spent'
	[ -z "$stderr" ]
	hash=$(printf %064d 0)
	rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run change-spent $args </dev/null
		expect 64 "^change-spent: .*$why"
		rows=$((rows + 1))
	done <<-END
		x|no operand
		--base 0|0
		--base|needs a value
		--newest 3|go together
		--newest 3 --newest-object $hash|go together
		--objects .|go together
		--wanted|goes with --objects
		--newest 3 --newest-object x --objects .|not a content_hash
		-x|no such option
	END
	[ "$rows" -eq 9 ]
	run change-spent --newest 3 --newest-object "$hash" --objects none </dev/null
	expect 66 'none: cannot read'
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
		9|1@20201118T120000 2@20201119T120000 3@20191120T020500 4@20201120T020500 c20201120T020500 c20191120T020500|
		9|1@20201024T120000 2@20201024T220500 3@20201025T000500 4@20201025T010500 c20201025T000500 c20201025T010500|20201024
	END
	[ "$rows" -eq 22 ]
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

@test "of two objects of one number the one that nobody follows goes, when the chain has been walked there from the record" {
	chain all
	newest=$(hash_of "all/$(name 6)") base=$(hash_of "all/$(name 5)") four=$(hash_of "all/$(name 4)") two=$(hash_of "all/$(name 2)")
	three=$(hash_of "all/$(name 3)")
	everything='1 2 3 3x 4 5 6'
	rows=0
	while IFS='|' read -r n hash there here wanted gone; do
		rm -rf in
		mkdir in
		for state in $here; do cp "all/$(name "$state")" in; done
		# shellcheck disable=SC2086  # words
		paths $there >listing
		run -0 change-spent --newest "$n" --newest-object "$hash" --objects in --wanted <listing
		# shellcheck disable=SC2086
		[ "$(sort <<<"$output")" = "$(paths $wanted | sort)" ] || { echo "row $rows wants: $output" >&2; return 1; }
		run -0 change-spent --newest "$n" --newest-object "$hash" --objects in <listing
		# shellcheck disable=SC2086
		[ "$output" = "$(paths $gone)" ] || { echo "row $rows goes: $output" >&2; return 1; }
		rows=$((rows + 1))
	done <<-END
		8|$newest|$everything|$everything||3x
		8|$newest|$everything|3 3x 4 5 6||3x
		8|$newest|$everything||3 3x 4 5 6|
		8|$newest|$everything|3x 4 6|3 5|
		7|$base|$everything|3 3x 4 5||3x
		4|$four|$everything|3 3x 4||3x
		3|$three|$everything|3 3x||3x
		2|$two|$everything|$everything||
		8|$newest|3 3x 4 5|$everything||
		8|$newest|3 3x 4 6|$everything||
		8|$newest|3 3x 5 6|$everything||
		8|$newest|1 2 3x 4 5 6|$everything||
		8|$newest|1 2 3 4 5 6|||
		4|$newest|$everything|$everything||
	END
	[ "$rows" -eq 14 ]
	run -0 change-spent --newest 8 --newest-object "$newest" --objects all < <(paths 1 2 3 3x 4 5 6; listing c20201122T000000)
	[ "$output" = "$(paths 3x)
/changes/20201120" ]
}

@test "the same content under two names is no stray, and what is no object on the way ends it" {
	chain all
	newest=$(hash_of "all/$(name 6)")
	cp "all/$(name 3)" "all/$(name 3x)"
	run -0 change-spent --newest 8 --newest-object "$newest" --objects all < <(paths 1 2 3 3x 4 5 6)
	[ -z "$output" ]
	echo garbage >"all/$(name 3x)"
	run -0 --separate-stderr change-spent --newest 8 --newest-object "$newest" --objects all < <(paths 1 2 3 3x 4 5 6)
	[ "$output" = "$(paths 3x)" ]
	echo garbage >"all/$(name 6)"
	run -0 --separate-stderr change-spent --newest 8 --newest-object "$(hash_of "all/$(name 6)")" --objects all < <(paths 1 2 3 3x 4 5 6)
	[ -z "$output" ]
}
