#!/usr/bin/env bats
# demo.sh: what a newcomer runs first, in a copy of the tree

load helper

# tree: a copy with what was built, so that only the demonstration is waited for; it is outside of any repository
setup_file() {
	export TREE=$BATS_FILE_TMPDIR/tree
	mkdir "$TREE"
	cd "$ROOT" || return
	cp -a --parents Makefile lib tools scripts tests/dropboxd tests/app "$TREE"
	make -s all
	# shellcheck disable=SC2046  # words
	cp -a --parents build/lib build/tools build/tests/dropboxd build/libctv.a build/dropboxd \
		$(printf 'build/%s ' $(basename -s .c tools/*.c)) "$TREE"
}

setup() {
	unsanitized
	cd "$TREE" || return
	export TMPDIR=$BATS_TEST_TMPDIR/tmp HOME=$BATS_TEST_TMPDIR/home
	mkdir "$TMPDIR" "$HOME"
}

outside() { find . -path ./build -prune -o -printf '%p %s %T@\n'; }
# nothing runs that has this tree in its arguments, and nothing is left elsewhere
nothing_left() {
	# the name from a file, for otherwise grep would find itself
	[ -z "$(grep -alFf <(echo "$TREE/build") /proc/[0-9]*/cmdline 2>/dev/null)" ]
	[ -z "$(ls -A "$TMPDIR" "$HOME" | grep -v :)" ]
}

@test "it shows the job from end to end and proves it, leaves nothing running and nothing outside build; again, the same" {
	before=$(outside)
	for run in 1 2; do
		run env DEMO_SIZE=1M sh scripts/demo.sh </dev/null
		expect 0 'integrity_check +ok, says SQLite itself'
		expect 0 'content_hash +[0-9a-f]{16}\.\.\. on pi2, in the record and in Dropbox'
		expect 0 'spots +[0-9,]+, the same to the last cent'
		expect 0 'already the newest copy'
		for order in 1 2 3; do
			expect 0 "^   order $order +committed on pi-ctv, on pi2 [0-9.]+ s later, as state [0-9]+$"
		done
		expect 0 'pi-ctv is down: .*127\.0\.0\.1 port 9'
		expect 0 '^   you would lose what was entered since .*: [0-9]+ min [0-9]+ s$'
		expect 0 'restored: .*/before\.db, state [0-9]+ of '
		expect 0 'the budget +as it was at 20'
		expect 0 'the orders +all three are in it'
		expect 0 '^Nothing is left running'
		nothing_left
		[ "$(outside)" = "$before" ]
	done
	[ "$(sqlite3 build/demo/pi2/data/production.db 'PRAGMA integrity_check')" = ok ]
	[ "$(stat -c %a build/demo/pi2/ctv-db-sync.env)" = 600 ]
}

@test "ended by a signal it leaves nothing running" {
	rm -rf build/demo
	DEMO_SIZE=1M sh scripts/demo.sh >said 2>&1 </dev/null 3>&- &
	pid=$!
	until [ -e build/demo/pi-ctv/ctv-db-sync.env ] || ! kill -0 $pid; do sleep 0.05; done
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	[ "$code" -eq 143 ]
	nothing_left
}

@test "a wrong size or operand ends with 64, too little space with 74, before anything is done" {
	rm -rf build/demo
	rows=0
	while IFS='|' read -r size message; do
		eval "run env DEMO_SIZE=$size sh scripts/demo.sh"
		expect 64 "^demo.sh: DEMO_SIZE: .*$message$"
		rows=$((rows + 1))
	done <<'TABLE'
0|too small
0M|not a size in M or G
08G|not a size in M or G
-1|not a size in M or G
+1|not a size in M or G
1.5G|not a size in M or G
1,5G|not a size in M or G
1GB|not a size in M or G
1MiB|not a size in M or G
1K|not a size in M or G
1T|not a size in M or G
1g|not a size in M or G
G|not a size in M or G
M|not a size in M or G
MG|not a size in M or G
0x10|not a size in M or G
1e3|not a size in M or G
' 1'|not a size in M or G
'1 '|not a size in M or G
'1;id'|not a size in M or G
'$(id)'|not a size in M or G
½G|not a size in M or G
x|not a size in M or G
99999999999999999999|too large
9999999999999999999G|too large
TABLE
	[ "$rows" -ge 20 ]
	run sh scripts/demo.sh extra
	expect 64 '^demo.sh: extra: no operand is taken$'
	run sh scripts/demo.sh --bogus
	expect 64 '^demo.sh: --bogus: no operand is taken$'
	run env DEMO_SIZE=9000000G sh scripts/demo.sh
	expect 74 'MiB are free, [0-9]+ are needed; a smaller DEMO_SIZE needs less$'
	run sh scripts/demo.sh --help
	expect 0 '^usage: '
	[ ! -e build/demo ]
}
