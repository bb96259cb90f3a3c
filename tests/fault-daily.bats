# The daily jobs at each of the commands that change something: the whole run is killed before it (as by a power cut),
# or it fails. What is published and what is installed stay whole, no row is lost, and the next run ends it.
# CTV_FAULT_ALL=1 takes every command in both ways; without it there are some, evenly spaced, in turns.

load helper
load hosts

setup() {
	hosts_start
	TURNS=$BATS_TEST_TMPDIR/turns point='no turn'
	mkdir -p "$TURNS/bin"
	# stands for each of them: the K-th call of the run is its last, or fails
	cat >"$TURNS/bin/stand-in" <<'END'
#!/bin/sh
PATH=${PATH#*:} name=${0##*/} dir=${0%/*/*} way='' k=0
echo "$name" >>"$dir/names"
[ ! -e "$dir/turn" ] || read -r way k <"$dir/turn"
if [ "$(wc -l <"$dir/names")" -eq "$k" ]; then
	mv "$dir/turn" "$dir/hit"
	[ "$way" != KILL ] || { pkill -KILL -s 0; sleep 60; }
	echo "$name: No space left on device" >&2
	exit 74
fi
exec "$name" "$@"
END
	chmod +x "$TURNS/bin/stand-in"
	for name in mv cp rm sync chmod mkdir touch dbx-put dbx-cp dbx-rm dbx-fetch db-snapshot db-verify db-install mirror-head; do
		ln -s stand-in "$TURNS/bin/$name"
	done
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || { echo "at $point: status ${status-}"; cat out err; } || true
	dropbox_stop
}

# takes_turns HOST TASK: with the stand-ins, in a session of its own
takes_turns() {
	rm -f "$TURNS/names" "$TURNS/hit" "$BATS_TEST_TMPDIR/$1/state/last-$2.json"
	status=0
	on "$1" env PATH="$TURNS/bin:$PATH" setsid --wait "daily-$2.sh" >out 2>err 3>&- || status=$?
}

# says_so HOST TASK: the run that just failed, once and in its record, if that could be written
says_so() {
	local statuses=' 65 66 69 73 74 75 76 77 78 '	# of ctv-mirror(7), without the one that says a bug
	[[ $statuses == *" $status "* ]]
	[ "$(grep -c "^daily-$2.sh: " err)" -eq 1 ]
	grep -q ': cannot create$' err || [ "$(last "$1" "$2" '"\(.result) \(.exit)"')" = "failed $status" ]
}

# matrix HOST TASK
matrix() {
	local names points=() way n i most=8
	news
	takes_turns "$1" "$2"
	[ "$status" -eq 0 ]
	mended
	mapfile -t names <"$TURNS/names"
	n=${#names[@]}
	if [ -n "${CTV_FAULT_ALL-}" ]; then
		for ((i = 1; i <= n; i++)); do
			points+=("KILL $i" "FAIL $i")
		done
	else
		for ((i = 0; i < most; i++)); do
			[ $((i % 2)) -eq 0 ] && way=KILL || way=FAIL
			points+=("$way $((1 + (n - 1) * i / (most - 1)))")
		done
	fi
	echo "# ${#points[@]} points of $((2 * n))" >&3
	for point in "${points[@]}"; do
		news
		echo "$point" >"$TURNS/turn"
		point="$point, ${names[${point#* } - 1]}"
		takes_turns "$1" "$2"
		[ -e "$TURNS/hit" ]
		# the lock dies with the last process of the run
		flock -w 20 "$1/state/lock" true
		if [[ $point = KILL* ]]; then
			[ "$status" -eq 137 ]
		elif [ "$status" -ne 0 ]; then
			says_so "$1" "$2"
		fi
		broken
		on "$1" "daily-$2.sh" >out 2>err
		mended
	done
}

@test "daily-upload.sh: killed before a command, and a command fails" {
	for day in 1 2 3 4 5 6 7; do
		dropbox_seed "$live" "/backups/database_backup_2026010${day}_020500.db"
	done
	upload
	news() {
		# a backup is named by the second
		sleep 1
		sql "$live" "INSERT INTO spots (note) VALUES ('news')"
		was=$(rows "$live")
	}
	# fetched: what the record names, as it says
	fetched() {
		on pi2 mirror-head show >head
		rm -f got.db
		on pi2 dbx-fetch -o got.db "rev:$(sed -n 's/^rev=//p' head)" >/dev/null
		db-verify -l full --hash "$(sed -n 's/^content_hash=//p' head)" got.db >/dev/null
	}
	broken() {
		[ "$(rows "$live")" = "$was" ]
		fetched
	}
	mended() {
		fetched
		[ "$(rows got.db)" = "$was" ]
		[ "$(cd pi-ctv/state && echo * .[!.]*)" = 'last-upload.json lock news role .head-seen.json' ]
	}
	matrix pi-ctv upload
}

@test "daily-download.sh: killed before a command, and a command fails" {
	upload
	download
	# one row more there, and one that was entered here
	news() {
		rm -f "$copy".kept-*
		sql "$copy" "INSERT INTO spots (note) VALUES ('mine')"
		was=$(rows "$copy")
		sql "$live" "INSERT INTO spots (note) VALUES ('news')"
		{
			db-snapshot --json "$live" snapshot.db
			echo '{"check":"db-verify","state":"ok","level":"full"}'
			dbx-put --json -f snapshot.db /database.db
		} >upload.jsonl
		on pi-ctv mirror-head publish --owner pi-ctv <upload.jsonl >/dev/null
	}
	replaced() {
		[ "$(rows "$copy")" = "$(rows "$live")" ] && [ "$(rows "$copy".kept-*)" = "$was" ]
	}
	broken() {
		[ "$(rows "$copy")" = "$was" ] || replaced
	}
	mended() {
		replaced
		[ "$(cd pi2/data && echo .[!.]*)" = '.[!.]*' ]
		[ "$(cd pi2/state && echo * .[!.]*)" = 'installed.json last-download.json lock news role role.lock .head-seen.json' ]
	}
	matrix pi2 download
}
