#!/usr/bin/env bats
# standby-check.sh: one table of the conditions of a failover, for all who ask
#
# Before this table the same condition was asked in three places with three meanings. What they asked, and what was decided:
#
# condition       failover, real run      its dry run           status page             doctor           now
# role_clear      77 primary, 78 other    the same              critical                its own words    77, and 78 when not known
# db_present      66 not there            the same              critical; printed a     66               66; the page asks the size
#                                                               size, compared none                      as well (db_size)
# db_content      header if as installed, quick, always         never opens it          header           by name: as the real run;
#                 else quick; a person                                                                   --for: quick; `asks`
#                 may accept
# db_unchanged    (chooses the level)     -                     warning                 -                warns, page only
# db_fresh        a person may go on      65                    critical above the      critical         `asks`; in a drill it warns
#                 (drill: tolerated)                            limit                                    the page measures what is
#                                                                                                        followed, if that is to be had
# code_present    (step code)             77, a warning says    as code-check.sh says   (code-check)     page only, by code-check.sh:
#                                         so                                                             its warnings block nothing
# unit_startable  66, 69                  the same              critical                (units)          66, 69 when systemd is silent
# port_free       -                       73, 69                critical                (port)           the real run asks it too: who
#                                                                                                        holds the port makes the
#                                                                                                        start fail a minute later
# disk_free       74 below 64 MiB         the same              critical                critical         the same
# data_writable   73 no directory, 74     the same              critical                writes a file    74 for both
# state_writable  by its own lock         77, 74 below 1 MiB    critical                77, 74           77 for both, in all runs
# room_for_next   -                       -                     warning                 warning          warns, page only
# timer_armed     -                       -                     warning                 (timers)         warns, page only
# page_served     -                       -                     warning                 (page)           warns, page only
# app_serves      (step health)           when active           critical when active    -                when active

load helper
load hosts

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p pi2/data pi2/state pi2/app
	make_db pi2/data/production.db
	live=$PWD/pi2/data/production.db
	sql "$live" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	rm -f "$live-wal" "$live-shm"
	at=$(date -u -r "$live" +%Y-%m-%dT%H:%M:%SZ)
	touch -d "$at" "$live"
	printf '{"size":%s,"snapshot_at":"%s","installed_at":"%s","verified_by":"full"}\n' "$(stat -c %s "$live")" "$at" "$at" \
		>pi2/state/installed.json
	# nobody listens at port 9
	export CTV_STANDBY_URL=http://127.0.0.1:9 CTV_STATION_URL=http://127.0.0.1:9 CTV_RUN_DIR=$PWD/pi2
	verdicts svc-ctl 0 mirror-role 0
}

# verdicts [TOOL STATUS]...: those checks answer so
verdicts() {
	mkdir -p bin
	while [ $# -gt 0 ]; do
		cat >"bin/$1" <<-END
			#!/bin/sh
			echo "$1 \$*" >>"$PWD/asked"
			case " \$* " in
			*' --shell=unit_ '*) echo "unit_load='not-found'"; exit 4 ;;
			*' --shell'*) for last; do :; done; p=\${last#--shell} p=\${p#=}; echo "\${p}verdict='' \${p}text='$1 says $2'" ;;
			*' --as '*) for last; do :; done; echo "{\"id\":\"\$last\",\"state\":\"$(case $2 in 0) echo ok ;; 2) echo critical ;; *) echo unknown ;; esac)\"}" ;;
			esac
			exit $2
		END
		chmod +x "bin/$1"
		shift 2
	done
	export PATH=$PWD/bin:$PATH
}

standby_check() { on pi2 standby-check.sh "$@"; }

@test "all is well: for a failover, the drill, the page" {
	for run in failover drill page; do
		run standby_check --for $run
		expect 0
		run grep -v '^ok  ' <<<"$output"
		[ -z "$output" ]
	done
	run standby_check --for failover
	[ "$(awk '{ printf "%s ", $2 }' <<<"$output")" = \
		'role_clear db_present db_content db_fresh unit_startable port_free disk_free data_writable state_writable ' ]
}

# unmet CODE ID [RUN]: this condition alone is not met, by its name and in a run
unmet() {
	run standby_check "$2"
	expect "$1" "^no  $2 "
	run standby_check --for "${3-failover}"
	expect "$1" "^no  $2 "
	run grep -c '^no  ' <<<"$output"
	[ "$output" -eq 1 ]
}

@test "each condition by itself, with its code" {
	verdicts mirror-role 2
	unmet 77 role_clear
	verdicts mirror-role 3
	unmet 78 role_clear
	verdicts mirror-role 0 svc-ctl 2
	unmet 66 unit_startable
	verdicts svc-ctl 3
	unmet 69 unit_startable
	verdicts svc-ctl 0
	touch -d '-40 hours' "$live"
	unmet 65 db_fresh
	touch "$live"
	MIN_SIZE=100M unmet 65 db_content
	MIN_SIZE=100M unmet 65 db_size page
	TABLES=nothing unmet 65 db_content
	mv "$live" kept
	run standby_check db_present
	expect 66 'production.db is missing'
	mv kept "$live"
	CTV_MAX_AGE=soon run standby_check db_present
	expect 78 'CTV_MAX_AGE: soon: not a duration'
	run standby_check --for failover
	expect 0
}

@test "a directory that cannot be written, or is not there" {
	may_mount
	run unshare -m sh -c 'mount -t tmpfs -o size=1m,ro none pi2/state && "$@"' sh \
		env CTV_ENV_FILE=/nonexistent CTV_STATE_DIR="$PWD/pi2/state" standby-check.sh state_writable
	expect 77 'state: read-only'
	run unshare -m sh -c 'mount -t tmpfs -o size=1m none pi2/data && "$@"' sh \
		env CTV_ENV_FILE=/nonexistent DATABASE_PATH="$live" standby-check.sh disk_free
	expect 74 'data: .* free, at least 64 MiB are needed'
	DATABASE_PATH=/nonexistent/x.db run standby-check.sh data_writable
	expect 74 '/nonexistent: no such directory'
}

@test "old data: a dry run is blocked, the drill is warned" {
	touch -d '-40 hours' "$live"
	run standby_check --for drill
	expect 0 '^ !  db_fresh .*40h00m old'
	run standby_check --for drill db_fresh
	expect 0 '^ !  db_fresh .*40h00m old'
	run standby_check --for failover db_fresh
	expect 65 '^no  db_fresh .*40h00m old'
	[ "${#lines[@]}" -eq 2 ]
	# its time from before it served counts
	touch "$live"
	touch -d '-40 hours' pi2/state/data-of
	run standby_check db_fresh
	expect 65 'production.db is 40h00m old'
	eval "$(standby_check --shell=c_ db_fresh)" || true
	# shellcheck disable=SC2154  # by eval
	[ "$c_id/$c_what/$c_code" = db_fresh/asks/65 ]
	[[ $c_hint = *ctv-pi2-download.service ]]
}

@test "a port that somebody holds" {
	python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(100)' >port 3>&- &
	eventually [ -s port ]
	CTV_STANDBY_URL=http://127.0.0.1:$(cat port) run standby_check port_free
	kill $!
	expect 73 'somebody listens there'
}

@test "what only warns blocks nothing" {
	echo x >>"$live"
	run standby_check --for page
	expect 0 '^ !  db_unchanged .*written to since it was installed'
}

@test "what could not be judged of a sound database is no reason to put back the one before" {
	echo frames >"$live-wal"
	run standby_check db_content
	expect 0 '^ !  db_content .*a write-ahead log lies beside it'
	[[ $output != *hint* ]]
	run on pi2 ctv-doctor.sh database
	expect 1 'a write-ahead log lies beside it'
	[[ $output != *'puts back'* ]]
}

@test "of a database whose application was ended in the middle of a write the hint is to put it in order" {
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	python3 - "$live" <<-'PY'
		import os, sqlite3, sys
		c = sqlite3.connect(sys.argv[1], isolation_level=None)
		c.executescript("PRAGMA cache_size = 5; BEGIN; UPDATE spots SET note = note || hex(randomblob(200))")
		os._exit(0)
	PY
	run standby_check db_content
	expect 74 '^no  db_content .*a rollback journal lies beside it'
	[[ $output == *"hint: sudo db-install --settle $live puts it in order"* ]]
	db-install --settle "$live"
	run standby_check db_content
	expect 0
}

@test "code: what code-check.sh finds, with its own hint; its warnings block nothing" {
	git -c init.defaultBranch=main init -q origin
	git="git -c user.name=x -c user.email=x@x"
	(cd origin && echo 1 >app.py && git add . && $git commit -qm one)
	rm -r pi2/app
	git clone -q origin pi2/app
	run standby_check code_present
	expect 0 '^ok  code_present .* at [0-9a-f]{7} of '
	echo 2 >pi2/app/app.py
	run standby_check code_present
	expect 0 '^ !  code_present .*not as committed: app.py'
	expect 0 "^ +hint: git -C $PWD/pi2/app status$"
	eval "$(standby_check --shell=c_ code_present)"
	# shellcheck disable=SC2154  # by eval
	[ "$c_verdict/$c_what/$c_code/$c_hint" = "warning/blocks//git -C $PWD/pi2/app status" ]
	[ "$(standby_check --json code_present | jq -r '"\(.id) \(.state)"')" = 'ready/code_present warning' ]
	rm -r pi2/app
	run standby_check code_present
	expect 77 '^no  code_present .*pi2/app: cannot be entered'
	[ "$(standby_check --json code_present | jq -r .state)" = critical ]
}

@test "--json: a line for each, whose id says whether it blocks" {
	standby_check --for page --json >lines
	[ "$(jq -r .id lines | tr '\n' ' ')" = "ready/role_clear ready/db_present ready/db_size warn/db_unchanged ready/db_fresh \
ready/code_present ready/unit_startable ready/port_free ready/disk_free warn/room_for_next ready/data_writable ready/state_writable \
warn/timer_armed warn/page_served " ]
	mkdir www
	status-render -o www <lines
	jq -e '.failover.ready and (.failover.checks | length) == 14' www/status.json
	rm "$live"
	run standby_check --for page --json
	expect 66
	status-render -o www <<<"$output"
	jq -e '.failover.ready == false' www/status.json
}

@test "the page opens no database" {
	standby_check --for page >/dev/null
	on pi2 strace -f -e trace=open,openat -o trace "$ROOT/scripts/standby-check.sh" --for page >/dev/null
	run grep production.db trace
	expect 1
}

@test "a check that is not there meets no condition" {
	rm bin/mirror-role
	cp -r "${CTV_BUILD:-$ROOT/build}" build
	rm -f build/mirror-role
	for form in '' --json; do
		# shellcheck disable=SC2086  # no word
		PATH=$PWD/bin:$ROOT/scripts:$PWD/build:/usr/bin:/bin run standby_check $form role_clear
		expect 70 'role_clear: mirror-role ended with 127'
	done
	# and is in the answer all the same
	[ "$(grep '^{' <<<"$output" | jq -r '"\(.id) \(.state) \(.text)"')" = 'ready/role_clear unknown mirror-role ended with 127' ]
}

@test "bad command lines end with 64, before anything is asked" {
	for args in '' '--for' '--for moon' '--shell --for page' '--shell db_fresh disk_free' '--shell=X disk_free' \
		'--frob'; do
		# shellcheck disable=SC2086  # words
		run standby_check $args
		expect 64 '^standby-check.sh: '
	done
	[ ! -e asked ]
	run standby_check --for failover db_size
	expect 64 'db_size: no such condition of failover'
	run standby_check no_such
	expect 64 'no_such: no such condition'
}

@test "old data: on the page what is followed counts, while a failover would take it and it is not old itself" {
	touch -d '-40 hours' "$live"
	verdicts newest-check 2
	run standby_check --for page db_fresh
	expect 65 '^no  db_fresh .*40h00m old'
	verdicts newest-check 0
	run standby_check --for page db_fresh
	expect 0 '^ok  db_fresh +newest-check says 0'
	run standby_check db_fresh
	expect 65 '^no  db_fresh .*40h00m old'
	sed -i '$i case $* in *--shell=newest_) echo "newest_old=yes" ;; esac' bin/newest-check
	run standby_check --for page db_fresh
	expect 65 '^no  db_fresh .*40h00m old'
}
