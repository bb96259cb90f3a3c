#!/usr/bin/env bats
# failover-to-pi2.sh without a second host: what the lab (lab/failover.bats) cannot bring about, or not cheaply.

load helper
load hosts

setup() {
	hosts_night
	export CTV_MIN_SIZE=20K CTV_START_TIMEOUT=30s
	# nobody answers at port 9: the primary is down; the application is at app_up's port
	export CTV_PRIMARY_URL=http://127.0.0.1:9 CTV_STANDBY_URL=http://127.0.0.1:9
	echo inactive >unit
	stub svc-ctl <<-'END'
		case " $* " in
		*' watch '*) while [ "$1" != watch ]; do shift; done ;;
		*) while [ $# -gt 2 ]; do shift; done ;;
		esac
		case $1 in
		start) echo active >"$BATS_TEST_TMPDIR/unit" ;;
		stop) echo inactive >"$BATS_TEST_TMPDIR/unit" ;;
		is-active) cat "$BATS_TEST_TMPDIR/unit"; grep -qx active "$BATS_TEST_TMPDIR/unit" || exit 3 ;;
		status) echo "$2: $(cat "$BATS_TEST_TMPDIR/unit")"; grep -qx active "$BATS_TEST_TMPDIR/unit" || exit 3 ;;
		watch)
			[ ! -e "$BATS_TEST_TMPDIR/fails" ] || {
				echo 'svc-ctl: flaskapp.service: says: ModuleNotFoundError: No module named x' >&2
				echo 'svc-ctl: flaskapp.service: watch: it is down: failed (failed), exit-code 3' >&2
				exit 143
			}
			shift 3
			exec "$@"
			;;
		esac
	END
}

teardown() {
	[ -z "${app_pid-}" ] || kill "$app_pid" 2>/dev/null || true
	dropbox_stop
}

failover() { on pi2 failover-to-pi2.sh "$@"; }

# app_up: something that answers as the application does, from now on
app_up() {
	python3 - "$PWD/port" <<-'END' 3>&- &
		import http.server, os, sys
		class H(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.end_headers()
		        self.wfile.write(b'{"status":"success"}')
		    def log_message(self, *a): pass
		s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
		open(sys.argv[1] + ".new", "w").write(str(s.server_port))
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		s.serve_forever()
	END
	app_pid=$!
	eventually [ -s port ]
	export CTV_STANDBY_URL=http://127.0.0.1:$(cat port)
}

@test "an application that has failed for good ends the wait at once, and its own last words are shown" {
	touch fails
	export CTV_START_TIMEOUT=10m
	run timeout 60 env PATH="$PATH" bash -c "$(declare -f on failover); wrap=(); failover"
	expect 69 'rolling back'
	[[ $output == *"   svc-ctl: flaskapp.service: says: ModuleNotFoundError: No module named x"* ]]
	[[ $output == *'it is down: failed (failed), exit-code 3'* ]]
	[ "$(cat pi2/state/role)" = standby ]
}

@test "failovers that never served leave no word of what was entered here; one that served does" {
	touch fails
	for n in 1 2 3; do
		run failover
		expect 69
	done
	run failover --dry-run
	[[ $output == *'you would lose what was entered since'* ]]
	[[ $output != *'when this host served last'* ]]
	rm fails
	was=$(stat -c %Y pi2/state/data-of)
	app_up
	run failover
	expect 0 'FAILOVER COMPLETE'
	[[ $output != *'when this host served last'* ]]
	[ "$(stat -c %Y pi2/state/data-of)" = "$was" ]
	echo standby >pi2/state/role
	echo inactive >unit
	run failover --dry-run
	expect 73 'when this host served last, is in it'
}

@test "a verification that does not end is given up, and is the operator's to judge" {
	stub db-verify <<-'END'
		case " $* " in *' --timeout 60s '*) ;; *) echo "no limit: $*" >>"$BATS_TEST_TMPDIR/unlimited" ;; esac
		for file; do :; done
		printf "verdict='unknown'\ntext='%s: not finished within the time allowed (quick)'\n" "$file"
		exit 3
	END
	touch -d '1 day ago' "$copy"
	run failover --dry-run
	expect 75 'not ready: .*not finished within the time allowed'
	run failover
	expect 75 'not finished within the time allowed \(quick\). Continue\? \[y/N\] no'
	[ "$(cat pi2/state/role)" = standby ]
	app_up
	run failover --yes
	expect 0 'FAILOVER COMPLETE'
	[ ! -e unlimited ]
}

@test "a database that the disk does not give is no matter of time: nobody may accept it, a fresh copy is offered" {
	stub db-verify <<-'END'
		for file; do :; done
		printf "verdict='unknown'\ntext='%s: not judged: cannot read page 7: Input/output error (quick)'\n" "$file"
		exit 3
	END
	app_up
	touch -d '1 day ago' "$copy"
	run failover
	expect 74 'cannot read page 7: Input/output error \(quick\). Download a fresh copy\? \[y/N\] no'
	run failover --yes
	expect 74 'Download a fresh copy\? \[y/N\] yes'
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
	run failover --dry-run
	expect 74 'not ready: .*cannot read page 7'
}

@test "a small database is a person's to accept, and is not read a second time to its end when it need not be" {
	stub db-verify <<<'echo "$@" >>"$BATS_TEST_TMPDIR/verified"; exec $real "$@"'
	export MIN_SIZE=1G
	run failover
	expect 65 'wanted at least 1073741824 \(header\). Continue\? \[y/N\] no'
	[ "$(sed 's/.*-l \([a-z]*\) .*/\1/' verified)" = $'header\nheader' ]
	app_up
	run failover --yes
	expect 0 'FAILOVER COMPLETE'
}

@test "a host that serves gets no new code, whether its unit runs or is down; a standby does" {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
	git init -q -b main github
	echo 1 >github/app.py
	git -C github add app.py
	git -C github commit -qm one
	git clone -q github pi2/app
	echo 2 >github/app.py
	git -C github commit -qam two
	git -C pi2/app fetch -q
	app_up
	echo active >pi2/state/role
	for is in active inactive; do
		echo $is >unit
		run failover
		expect 0 'FAILOVER COMPLETE'
		[ "$(cat pi2/app/app.py)" = 1 ]
	done
	echo standby >pi2/state/role
	echo inactive >unit
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$(cat pi2/app/app.py)" = 2 ]
}

@test "a dry run reads every page; the run itself does only when somebody has written since that was done" {
	stub db-verify <<<'echo "$@" >>"$BATS_TEST_TMPDIR/verified"; exec $real "$@"'
	failover --dry-run
	app_up
	failover
	[ "$(sed 's/.*-l \([a-z]*\) .*/\1/' verified)" = $'quick\nheader' ]
	echo standby >pi2/state/role
	echo inactive >unit
	sql "$copy" 'UPDATE spots SET note = 1 WHERE id = 1' 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	failover
	[ "$(tail -n 1 verified | sed 's/.*-l \([a-z]*\) .*/\1/')" = quick ]
}

@test "a drill beside the log of an application that was ended puts nothing back, and the next download keeps it" {
	app_up
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	sql "$copy" 'PRAGMA journal_mode = WAL' >/dev/null
	crashed_writer "$copy" "UPDATE spots SET note = 'here' WHERE id = 1"
	run failover --drill
	expect 0 'the drill has passed'
	expect 0 'somebody has written to it: the next download keeps that copy'
	[ "$(sql "$copy" 'SELECT note FROM spots WHERE id = 1')" = here ]
	: >"$copy-wal"
	: >"$copy-shm"
	run failover --drill
	expect 0 'the drill has passed'
	[ ! -e pi2/data/.production.db.drill ]
	sql "$live" "INSERT INTO spots (note) VALUES ('new')"
	upload >log
	download >log
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 1')" = here ]
}

@test "a drill copies the database through nobody's link, and leaves it as it was" {
	app_up
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	echo mine >victim
	ln -s "$PWD/victim" pi2/data/.production.db.drill
	was=$(stat -c '%Y %a %u' "$copy"; sha256sum <"$copy")
	run failover --drill
	expect 0 'the drill has passed'
	[ "$(cat victim)" = mine ]
	[ "$(stat -c '%Y %a %u' "$copy"; sha256sum <"$copy")" = "$was" ]
	[ ! -e pi2/data/.production.db.drill ]
	# nor is what a link in its place leads to read
	mv "$copy" secret
	ln -s "$PWD/secret" "$copy"
	run failover --drill
	[ "$status" -ne 0 ]
	[ ! -e pi2/data/.production.db.drill ]
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
}
