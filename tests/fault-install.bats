# db-install at every call that may be its last or may fail: the live name is at every instant a whole database,
# the old one with all that was committed or the new one.

load helper
load sqlite
load fault/crash

setup() {
	crash_setup
	documented db-install.1
	command=(db-install "$ARENA/new" "$ARENA/live")
	make_new new
}

teardown() {
	app_dies
	crash_teardown
}

# make_new NAME: a candidate
make_new() {
	make_db "$ARENA/$1"
	sqlite3 "$ARENA/$1" "UPDATE t SET side='new'"
}

# make_mine NAME: what was committed to it is in its -wal alone, as an application that was killed left it
make_mine() {
	make_db "$ARENA/$1" wal
	app "$ARENA/$1"
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='mine';"
	app_dies
}

old='ok mine 300'
broken() {
	local now
	now=$(whole live)
	if [ "$now" = 'ok new 300' ]; then
		[ "$(whole live.prev)" = "$old" ]
		only live live.prev .live.install
	else
		[ "$status" -ne 0 ]
		[ "$now" = "$old" ]
		cmp "$ARENA/new" saved/new
		only live live-wal live-shm live-journal live.prev .live.prev .live.install new
	fi
	# what ends by itself takes its own with it, unless it is that which failed
	[ "$status" -eq 137 ] || [[ $point =~ unlink|stat|flock ]] || [ ! -e "$ARENA/.live.install" ]
}

# the candidate comes again, as the next download brings it
again() {
	[ -e "$ARENA/new" ] || cp -p saved/new "$ARENA/new"
	"${command[@]}"
}

mended() {
	[ "$(ls -A "$ARENA")" = $'live\nlive.prev' ]
	[ "$(whole live live.prev)" = $'ok new 300\n'"$old" ]
}

@test "killed at any call, with rows of a killed application in the -wal" {
	make_mine live
	crash_saved
	crash_matrix kill
}

@test "any call fails, with rows of a killed application in the -wal" {
	make_mine live
	crash_saved
	most=2
	crash_matrix error
}

@test "killed at any call, with half a transaction in the -journal" {
	old='ok old 300'
	make_hot_journal "$ARENA/live"
	crash_saved
	most=2
	crash_matrix kill
}

@test "the first database: killed at any call, and any call fails" {
	old=
	broken() {
		if [ -e "$ARENA/live" ]; then
			[ "$(whole live)" = 'ok new 300' ]
		else
			[ "$status" -ne 0 ]
			cmp "$ARENA/new" saved/new
		fi
		only live .live.install new
	}
	mended() {
		[ "$(ls -A "$ARENA")" = live ]
		[ "$(whole live)" = 'ok new 300' ]
	}
	crash_saved
	most=1
	crash_matrix kill
	crash_matrix error
}

@test "a candidate that is kept: killed at any call" {
	command=(db-install --keep "$ARENA/new" "$ARENA/live")
	broken() {
		cmp "$ARENA/new" saved/new
		if [ "$(whole live)" = 'ok new 300' ]; then
			[ "$(whole live.prev)" = 'ok old 300' ]
		else
			[ "$status" -ne 0 ]
			[ "$(whole live)" = 'ok old 300' ]
		fi
		only live live-journal live.prev .live.prev .live.install new
		[ "$status" -eq 137 ] || [[ $point =~ unlink|stat|flock ]] || [ ! -e "$ARENA/.live.install" ]
	}
	mended() {
		[ "$(ls -A "$ARENA")" = $'live\nlive.prev\nnew' ]
		[ "$(whole live live.prev)" = $'ok new 300\nok old 300' ]
	}
	make_db "$ARENA/live"
	crash_saved
	most=2
	crash_matrix kill
}

@test "what was written here is kept: killed at any call, and any call fails" {
	command=(db-install --state "$ARENA/state" --rev 01 --content-hash aa "$ARENA/new" "$ARENA/live")
	# its name tells the last write: that may be the one with which SQLite took the -wal in
	broken() {
		kept=$(cd "$ARENA" && echo live.kept-*)
		if [ "$(whole live)" = 'ok new 300' ]; then
			[ "$(whole "$kept")" = "$old" ]
		else
			[ "$status" -ne 0 ]
			[ "$(whole live)" = "$old" ]
			cmp "$ARENA/new" saved/new
		fi
		only live live-wal live-shm live-journal "$kept" live.prev .live.install new state
		[ "$(whole live.prev)" = 'ok before 300' ]
	}
	mended() {
		kept=$(cd "$ARENA" && echo live.kept-*)
		[ "$(ls -A "$ARENA")" = $'live\n'"$kept"$'\nlive.prev\nstate' ]
		[ "$(whole live "$kept" live.prev)" = $'ok new 300\n'"$old"$'\nok before 300' ]
		[ "$(stat -c %h "$ARENA"/live*)" = $'1\n1\n1' ]
		jq -e '.content_hash == "aa" and .next_content_hash == null' "$ARENA/state/installed.json"
	}
	make_mine live
	make_db "$ARENA/live.prev"
	sqlite3 "$ARENA/live.prev" "UPDATE t SET side='before'"
	touch -d 2026-11-24T10:20:30Z "$ARENA/live" "$ARENA/live-wal"
	mkdir "$ARENA/state"
	touch "$ARENA/state/role.lock"
	crash_saved
	most=2
	crash_matrix kill
	most=1
	crash_matrix error
}

@test "the one before comes back: killed at any call" {
	command=(db-install "$ARENA/live.prev" "$ARENA/live")
	broken() {
		case $(whole live live.prev | paste -sd ,) in
		'ok old 300,ok new 300') back=yes ;;
		'ok new 300,ok old 300') back=''; [ "$status" -ne 0 ] ;;
		*) false ;;
		esac
		only live live-journal live.prev .live.install
	}
	# not a third time: that would bring the new one again
	again() {
		[ -n "$back" ] || "${command[@]}"
		db-install "$ARENA/live" "$ARENA/live"
	}
	mended() {
		[ "$(ls -A "$ARENA")" = $'live\nlive.prev' ]
		[ "$(whole live live.prev)" = $'ok old 300\nok new 300' ]
	}
	mv "$ARENA/new" "$ARENA/live"
	make_db "$ARENA/live.prev"
	crash_saved
	most=2
	crash_matrix kill
}

@test "what was followed: killed at any call, and any call fails; the record knows which one has the name" {
	command=(db-install --quick --state "$ARENA/state" --digest d3 --number 3 --as-of 2026-11-24T10:20:30Z "$ARENA/new" "$ARENA/live")
	broken() {
		case $(whole live) in
		'ok new 300')
			[ "$(whole "$(before)")" = 'ok old 300' ]
			is_number 3
			;;
		'ok old 300')
			[ "$status" -ne 0 ]
			cmp "$ARENA/new" saved/new
			is_number 2
			;;
		*) false ;;
		esac
		only live "$(before)" .live.prev .live.install new state
	}
	# where the record could not be read the old one counts as written to
	before() { (cd "$ARENA" && find . -name 'live.prev' -o -name 'live.kept-*') | sed 's,^./,,' | sort -r | head -n 1; }
	# a second run finds by the record that nothing is left to be done
	again() {
		[ ! -e "$ARENA/new" ] || "${command[@]}"
	}
	mended() {
		[ "$(whole live "$(before)")" = $'ok new 300\nok old 300' ]
		is_number 3
	}
	make_db "$ARENA/live"
	mkdir "$ARENA/state"
	touch "$ARENA/state/role.lock"
	# each point begins with copies, which are other files
	begin() {
		db-install --state "$ARENA/state" --rev 01 --content-hash aa --number 2 "$ARENA/live" "$ARENA/live"
	}
	crash_saved
	most=1
	crash_matrix kill
	crash_matrix error
}

# is_number N: so says the record, of the file that is live
is_number() {
	local answer
	answer=$(installed-check --shell --record "$ARENA/state/installed.json" "$ARENA/live")
	[[ $answer == *"unchanged='yes'"* && $answer == *"n='$1'"* ]]
}

@test "a matrix that misses its point fails" {
	crash_saved
	crash_points kill
	run crash_point KILL rename 99
	[ "$status" -ne 0 ]
	crash_points error
	run crash_point EIO fsync 99
	[ "$status" -ne 0 ]
}
