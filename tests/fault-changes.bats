# db-changes and db-apply at every call that may be their last or may fail: no change is lost, none is applied twice, and the
# next run goes on

load helper
load sqlite
load fault/crash

setup() {
	crash_setup
	make_db source wal
	db-changes --since state --file base source 1
	db-changes --confirm state
	for n in 2 3; do
		sqlite3 source "UPDATE t SET side='$n' WHERE id % 7 = $n; INSERT INTO t(side) SELECT '$n' FROM t LIMIT 20"
		db-changes --since state --file "whole$n" source "$n"
		db-changes --confirm state
	done
}

teardown() {
	crash_teardown
}

@test "db-apply killed at any call, and any call fails: the file opens as the old or the new state, and is finished" {
	documented db-apply.1
	cp base "$ARENA/newest"
	cp 2 3 "$ARENA"
	command=(db-apply "$ARENA/2" "$ARENA/3" "$ARENA/newest")
	broken() {
		case $(whole newest) in
		"$(sqlite3 base "$look")" | "$(sqlite3 whole3 "$look")") ;;
		*) return 1 ;;
		esac
	}
	mended() {
		cmp whole3 "$ARENA/newest"
		[ "$(jq -c '[.is.n, .target]' "$ARENA/newest.note")" = '[3,null]' ]
		only newest newest.note newest.lock 2 3
	}
	look="SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check)
		|| ' ' || (SELECT group_concat(side || ' ' || n) FROM (SELECT side, count(*) n FROM t GROUP BY side))"
	crash_saved
	crash_matrix kill
	most=3
	crash_matrix error
}

@test "db-changes killed at any call, and any call fails: what is pending is whole, and nothing is lost" {
	documented db-changes.1
	sqlite3 source "UPDATE t SET side='last' WHERE id=5"
	cp source "$ARENA"
	cp state "$ARENA"
	cp whole3 "$ARENA/whole"
	command=(db-changes --since "$ARENA/state" "$ARENA/source" "$ARENA/out")
	broken() {
		[ "$(whole source)" = "$(sqlite3 source "$look")" ]
	}
	again() {
		if [ -n "$(sqlite3 "$ARENA/state" "SELECT n FROM states WHERE which='pending'")" ]; then
			[ -s "$ARENA/out" ]
		else
			"${command[@]}"
		fi
	}
	mended() {
		cp "$ARENA/whole" "$ARENA/check"
		db-apply "$ARENA/out" "$ARENA/check"
		[ "$(sqlite3 "$ARENA/check" "SELECT side FROM t WHERE id=5")" = last ]
		db-changes --confirm "$ARENA/state"
		[ "$(sqlite3 "$ARENA/state" "SELECT group_concat(which || n) FROM states")" = confirmed4 ]
	}
	look="SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check)
		|| ' ' || (SELECT group_concat(side || ' ' || n) FROM (SELECT side, count(*) n FROM t GROUP BY side))"
	crash_saved
	crash_matrix kill
	most=2
	crash_matrix error
}
