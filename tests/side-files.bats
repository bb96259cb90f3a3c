# What a stranger may have put beside a database: SQLite, opened on it, must touch no other file.
load helper
load sqlite

setup() {
	cd "$BATS_TEST_TMPDIR"
	# what bats made is for root alone; some tests become another user
	chmod 711 "$BATS_RUN_TMPDIR" .. .
	mkdir d
	echo 'precious' >victim
	here=$(pwd -P)
}

teardown() {
	app_dies
}

# hostile_journal DB NAME: DB-journal, as of a transaction that covers several databases, whose super-journal is NAME
hostile_journal() {
	python3 - "$1" "$2" <<'PY'
import struct, sys
db, name = sys.argv[1], sys.argv[2].encode()
magic = bytes.fromhex('d9d505f920a163d7')
head = magic + struct.pack('>5I', 0, 0, len(open(db, 'rb').read()) // 4096, 512, 4096)
tail = struct.pack('>I', 0x40000000 // 4096 + 1) + name + struct.pack('>2I', len(name), sum(name)) + magic
open(db + '-journal', 'wb').write(head + bytes(512 - len(head)) + tail)
PY
}

# of whichever tool: `opens live` ends with its status and words; the database is d/live, another one d/new
install_opens() { timeout 20 "$@" db-install d/new d/live; }
snapshot_opens() { timeout 20 "$@" db-snapshot d/live d/snap; }
changes_opens() { rm -f d/out; timeout 20 "$@" db-changes --since d/st --epoch 1 d/live d/out; }
each='install_opens snapshot_opens changes_opens'

fresh() {
	rm -rf d
	mkdir d
	make_db d/live "${1-delete}"
	make_db d/new
	sqlite3 d/new "UPDATE t SET side='new'"
}

@test "a -journal that names another file: 65 with that name, and the file stays" {
	for opens in $each; do
		for name in "$here/victim" "$here/d/live-mj0123456789" "$here/d/new"; do
			fresh
			[ -e "$name" ] || echo 'precious' >"$name"
			before=$(sha256sum "$name")
			hostile_journal d/live "$name"
			run "$opens"
			expect 65 "d/live: cannot .*: leads SQLite to $name: another file"
			[ "$(sha256sum "$name")" = "$before" ]
		done
	done
}

@test "an ordinary user's file stays as well" {
	for opens in $each; do
		fresh
		hostile_journal d/live "$here/victim"
		[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 d .
		run as_nobody bash -c "$(declare -f "$opens"); $opens"
		expect 65 "leads SQLite to $here/victim: another file"
		[ "$(cat victim)" = precious ]
	done
}

@test "FIFOs, links, directories and second names beside a database are refused at once" {
	local rows=0
	while read -r mode suffix kind why; do
		for opens in $each; do
			fresh "$mode"
			[ "$suffix" != -shm ] || { rm d/live && make_crashed_wal d/live; }
			rm -f "d/live$suffix"
			case $kind in
			fifo) mkfifo "d/live$suffix" ;;
			link) ln -s "$here/victim" "d/live$suffix" ;;
			dangling) ln -s "$here/nothing" "d/live$suffix" ;;
			twice) ln victim "d/live$suffix" ;;
			esac
			run "$opens"
			expect 65 "d/live: cannot .*: leads SQLite to $here/d/live$suffix: ${why//_/ }"
			[ "$(cat victim)" = precious ]
			[ ! -e nothing ]
			rows=$((rows + 1))
		done
	done <<'TABLE'
delete -journal fifo not_a_regular_file
delete -journal link a_symbolic_link
delete -journal twice has_a_second_name
wal -wal fifo not_a_regular_file
wal -wal link a_symbolic_link
wal -wal dangling a_symbolic_link
wal -wal twice has_a_second_name
wal -shm fifo not_a_regular_file
wal -shm link a_symbolic_link
wal -shm dangling a_symbolic_link
TABLE
	[ "$rows" -ge 30 ]
}

@test "nor does what lies beside a file that is followed lead anywhere" {
	make_db d/live
	db-changes --since st --epoch 1 --file base d/live 1
	db-changes --confirm st
	sqlite3 d/live "UPDATE t SET side='new'"
	db-changes --since st --epoch 1 d/live 2
	for beside in -journal -wal -shm; do
		cp base f
		db-apply 2 f
		jq -c '.target = .is | .target.n = 9' f.note >note
		cat note >f.note
		# what the next run is to end: a log with its name
		zstd -qdc 2 >f-wal
		rm -f "f$beside"
		mkfifo "f$beside"
		run timeout 20 db-apply --finish f
		[ "$status" -ne 124 ]
		rm -f "f$beside"
		ln -s "$here/victim" "f$beside"
		run timeout 20 db-apply --finish f
		[ "$status" -ne 0 ] && [ "$status" -ne 124 ]
		[ "$(cat victim)" = precious ]
		rm -f f[.-]*
	done
}

@test "a directory that becomes a link between the look and SQLite's opening is not followed" {
	make_db elsewhere
	mkdir other
	mv elsewhere other/live
	fresh
	cp d/new d/again
	# the last call before SQLite's open that looks at the database
	strace -o trace -P "$here/d/live" -e trace=openat2,newfstatat,lstat,readlink db-snapshot d/live snap
	before=$(grep -n openat2 trace | head -n 1 | cut -d: -f1)
	call=$(sed -n "$((before - 1))s/(.*//p" trace)
	nth=$(head -n $((before - 1)) trace | grep -c "^$call(")
	rm snap
	strace -f -o trace -P "$here/d/live" -e "trace=$call,openat2" -e "inject=$call:signal=STOP:when=$nth" \
		db-snapshot d/live snap 3>&- 2>out &
	strace_pid=$!
	until_true grep -qs 'stopped by SIGSTOP' trace
	mv d was
	ln -s other d
	kill -CONT "$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' trace | head -n 1)"
	ends "$strace_pid"
	output=$(cat out)
	expect 65 "leads SQLite to $here/d/live: a symbolic link"
	[ ! -e snap ]
}

@test "what a crashed application left is recovered as ever, and SQLite brings its directory to disk" {
	for make in make_hot_journal make_crashed_wal; do
		fresh
		rm d/live*
		"$make" d/live
		strace -f -y -o trace -e trace=fdatasync db-install d/new d/live
		# a directory that SQLite may not open it does not sync, and says nothing: of what it made, the -wal and a -journal
		[ "$make" = make_hot_journal ] || [ "$(grep -c "fdatasync([0-9]*<$here/d>)" trace)" -eq 2 ]
		case $make in
		make_hot_journal) [ "$(sides d/live.prev)" = 'old 300' ] ;;
		make_crashed_wal) [ "$(sides d/live.prev)" = 'new 300' ] ;;
		esac
		[ "$(sides d/live)" = 'new 300' ]
	done
}

@test "every tool opens databases in one place" {
	cd "$ROOT"
	run grep -rhE 'sqlite3_open(_v2|16)?\(' lib tools
	# what is asked of SQLite itself is asked in memory
	[ "$(grep -vc ':memory:' <<<"$output")" -eq 1 ]
	grep -qE 'sqlite3_open_v2\(' lib/sqlite/sqlite.c
}
