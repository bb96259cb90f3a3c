#!/usr/bin/env bats
# ctv-doctor.sh: each layer is broken, is named with what mends it, and is the exit status. Real sandboxes: lab/doctor.bats.

load helper
load hosts

setup() {
	hosts_night
	chmod 711 "$BATS_RUN_TMPDIR" .. .
	# systemd as this test has it: what stands in units/UNIT, else all well
	mkdir units
	stub systemctl <<-'END'
		for unit; do :; done
		case $1 in
		show)
			printf 'LoadState=loaded\nNeedDaemonReload=no\nUnitFileState=enabled\nOnFailure=ctv-alert@%s.service\n' "$unit"
			case $unit in
			flaskapp.service) printf 'UnitFileState=disabled\nActiveState=inactive\nControlGroup=/system.slice/flaskapp.service\n' ;;
			*.timer) printf 'ActiveState=active\nNextElapseUSecRealtime=Wed 2026-11-25 02:30:00 UTC\n' ;;
			*) echo ActiveState=active ;;
			esac
			cat "$BATS_TEST_TMPDIR/units/$unit" 2>/dev/null || :
			;;
		cat) cat "$BATS_TEST_TMPDIR/units/$unit" ;;
		--version) echo 'systemd 252 (test)' ;;
		esac
	END
	mkdir -p pi2/app/.venv/bin pi2/log
	# nobody answers at port 9
	export CTV_STATION_URL=http://127.0.0.1:9
}

teardown() {
	dropbox_stop
}

# doctor [LAYER...]: on the standby
doctor() { on pi2 ctv-doctor.sh "$@"; }

# sees STATUS LAYER REGEX [HINT]: after `run`; a line of the layer, the hint below it, and the exit status
sees() {
	expect "$1" "^ ?([^ ]+) +$2 +.*$3"
	[ -z "${4-}" ] || expect "$1" "^ +hint: .*$4"
	case $1 in
	0) expect 0 "^DOCTOR OK: all is in order \| layers=" ;;
	1) expect 1 "^DOCTOR WARNING:.* $2( .*)? \| layers=" ;;
	2) expect 2 "^DOCTOR CRITICAL:.* $2( .*)? \| layers=" ;;
	3) expect 3 "^DOCTOR UNKNOWN:.* $2( .*)? \| layers=" ;;
	78) expect 78 "^DOCTOR CRITICAL: $2 \| layers=" ;;
	esac
}

# service [LAYER...], or service env...: the same as the owner of pi2's files, who has no rights but theirs
service() {
	local PATH=$PATH
	if [ "$(id -u)" -eq 0 ]; then
		within_reach
		chown -R 65534:65534 pi2
		wrap=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	fi
	if [ "${1-}" = env ]; then on pi2 "$@"; else on pi2 ctv-doctor.sh "$@"; fi
}

# answer NAME TEXT: this command says this
answer() {
	printf '%s\n' "$2" >"answer.$1"
	printf 'cat "%s"\n' "$PWD/answer.$1" | stub "$1"
}

@test "settings: absent, open to others, unreadable, nameless; a role that is none" {
	echo CTV_MIN_SIZE=20K >pi2/env
	chmod 640 pi2/env
	set -- env CTV_ENV_FILE="$PWD/pi2/env"
	run on pi2 "$@" ctv-doctor.sh settings
	sees 0 settings 'pi2/env, 640 .*; pi2, standby'
	run doctor settings
	sees 2 settings '/nonexistent: not there' 'dbx-auth login'
	run on pi2 "$@" CTV_NODE= ctv-doctor.sh settings
	sees 2 settings 'no CTV_NODE'
	echo boss >pi2/state/role
	run on pi2 "$@" ctv-doctor.sh settings
	sees 2 settings 'state/role: boss'
	echo standby >pi2/state/role
	chmod 644 pi2/env
	# whatever else was asked: nothing can be seen without them
	run on pi2 "$@" ctv-doctor.sh data
	sees 78 settings 'others can read it' 'chmod 0640'
	chmod 000 pi2/env
	run service "$@" ctv-doctor.sh data
	sees 78 settings 'cannot open: Permission denied' sudo
	chmod 640 pi2/env
	run on pi2 "$@" DATABASE_PATH=data.db ctv-doctor.sh data
	sees 78 settings 'not an absolute path'
	# two hosts would be the owner in the head record
	run on pi2 "$@" CTV_NODE=pi-ctv ctv-doctor.sh
	sees 78 settings "CTV_NODE: pi-ctv is the primary's name" "CTV_NODE=pi2, or another name of its own, in $PWD/pi2/env"
}

@test "units: not there, changed on disk, failed, without a program or its execute bit, enabled where it must not be" {
	run doctor units
	sees 0 units '12 are loaded as they are on disk, none has failed'
	broken() {
		echo "$2" >"units/$1"
		run doctor units
		rm "units/$1"
	}
	broken ctv-status.service LoadState=not-found
	sees 2 units 'ctv-status.service is not-found' 'make install ROLE=standby'
	broken ctv-status.timer NeedDaemonReload=yes
	sees 1 units 'ctv-status.timer has changed' 'systemctl daemon-reload'
	broken ctv-pi2-download.service ActiveState=failed
	sees 2 units 'ctv-pi2-download.service has failed' 'journalctl -u ctv-pi2-download.service'
	broken ctv-status.service OnFailure=
	sees 2 units 'ctv-status.service: nobody is told when it fails' 'OnFailure=ctv-alert@%n.service'
	broken control-station.service 'ExecStart={ path=/nonexistent/lighttpd ; argv[]=x ; }'
	sees 2 units '/nonexistent/lighttpd: not there' 'apt-get install .*lighttpd'
	touch program
	broken flaskapp.service "ExecStart={ path=$PWD/program ; argv[]=x ; }"
	sees 2 units 'program: not executable' "chmod 755 $PWD/program"
	broken flaskapp.service UnitFileState=enabled
	sees 1 units 'flaskapp.service starts at boot' 'systemctl disable flaskapp.service'
	# they are started again for ever, and tell by themselves
	broken ctv-follow.service OnFailure=
	sees 0 units
	broken ctv-follow.service ActiveState=failed
	sees 2 units 'ctv-follow.service has failed' 'journalctl -u ctv-follow.service'
	echo ActiveState=failed >units/ctv-publish.service
	run on pi-ctv ctv-doctor.sh units
	sees 2 units 'ctv-publish.service has failed'
}

@test "timers: disabled, stopped, without a next time; none is set while the job runs" {
	run doctor timers
	sees 0 timers 'ctv-pi2-download.timer at Wed 2026-11-25 02:30:00 UTC; ctv-status.timer at '
	echo UnitFileState=disabled >units/ctv-pi2-download.timer
	run doctor timers
	sees 2 timers 'ctv-pi2-download.timer is disabled and active' 'systemctl enable --now ctv-pi2-download.timer'
	echo ActiveState=inactive >units/ctv-pi2-download.timer
	run doctor timers
	sees 2 timers 'ctv-pi2-download.timer is enabled and inactive'
	echo NextElapseUSecRealtime= >units/ctv-pi2-download.timer
	run doctor timers
	sees 2 timers 'ctv-pi2-download.timer has no next time'
	echo SubState=running >>units/ctv-pi2-download.timer
	run doctor timers
	sees 0 timers 'ctv-pi2-download.timer at another time, once its job is done; ctv-status.timer at '
	rm units/*
	echo UnitFileState=disabled >units/ctv-follow.service
	run doctor timers
	sees 2 timers 'ctv-follow.service is disabled and active' 'systemctl enable --now ctv-follow.service'
	rm units/*
	# what the installation arms
	for unit in $(sed -n "/^standby.install/,/with_data/s/armed=//p; /^standby.install/,/with_data/s/^\t\tctv/ctv/p" "$ROOT/systemd/host-setup.sh" | tr -d \'); do
		echo UnitFileState=disabled >"units/$unit"
		run doctor timers
		sees 2 timers "$unit is disabled"
		rm "units/$unit"
	done
	run on pi-ctv ctv-doctor.sh timers
	sees 0 timers 'ctv-db-sync.timer at '
}

@test "a systemd that gives no answer is unknown, once for each layer" {
	stub systemctl <<-'END'
		echo 'Failed to connect to bus' >&2
		exit 1
	END
	run doctor units timers
	sees 3 units 'systemd gives no answer: Failed to connect to bus'
	sees 3 timers 'systemd gives no answer'
	[ "${#lines[@]}" -eq 3 ]
}

@test "port: taken by somebody else, by the application on a standby; nobody where it serves" {
	mine=$(sed -n 's/^0:://p' /proc/$$/cgroup)
	stub ss <<-'END'
		case $2 in *:9) cat "$BATS_TEST_TMPDIR/on9" 2>/dev/null ;; *) cat "$BATS_TEST_TMPDIR/on5001" ;; esac || :
	END
	echo "LISTEN 0 1 *:9 users:((\"x\",pid=$$,fd=5))" >taken
	cp taken on5001
	echo "ControlGroup=$mine" >units/control-station.service
	export CTV_STANDBY_URL=http://127.0.0.1:9 CTV_PRIMARY_URL=http://127.0.0.1:9
	run doctor port
	sees 0 port 'nobody listens on 9; control-station.service listens on 5001'
	cp taken on9
	run doctor port
	sees 2 port "port 9 is held by process $$ of $mine, not by flaskapp.service"
	echo "ControlGroup=$mine" >units/flaskapp.service
	run doctor port
	sees 1 port 'flaskapp.service listens on port 9, on a standby' 'systemctl stop flaskapp.service'
	run on pi-ctv ctv-doctor.sh port
	sees 0 port 'flaskapp.service listens on 9'
	rm on9
	run on pi-ctv ctv-doctor.sh port
	sees 2 port 'nobody listens on port 9' 'systemctl start flaskapp.service'
	sed -i 's/users.*//' on5001
	run doctor port
	sees 3 port 'whom only root can see'
}

@test "holders: on a standby nobody may have the database open, on the primary the application only" {
	needs_root 'to see what others have open'
	run doctor holders
	sees 0 holders 'nobody has .*/pi2/data/production.db open'
	hold() {
		sleep infinity 8<"$1" 3>&- &
		holder=$!
		eventually grep -qsx sleep /proc/$holder/comm
	}
	hold "$copy"
	run doctor holders
	kill $holder
	sees 2 holders 'production.db: in use by sleep \(pid [0-9]+\), and would not be replaced'
	hold "$live"
	run on pi-ctv ctv-doctor.sh holders
	sees 1 holders 'in use by sleep .*, of which [0-9]+ is not of flaskapp.service'
	echo "ControlGroup=$(sed -n 's/^0:://p' /proc/$$/cgroup)" >units/flaskapp.service
	run on pi-ctv ctv-doctor.sh holders
	kill $holder
	sees 0 holders 'flaskapp.service has .* open'
	run service holders
	sees 3 holders 'is for root to see'
}

@test "clock: not synchronised, far from Dropbox's, no answer" {
	answer timedatectl yes
	run doctor clock
	sees 0 clock "synchronised, -?[0-9]{1,2} s ahead of Dropbox's"
	answer timedatectl no
	run doctor clock
	sees 1 clock 'not synchronised' 'timedatectl set-ntp true'
	answer timedatectl yes
	answer curl "$(date -u -R -d '-1 hour')"
	run doctor clock
	sees 2 clock "3[56][0-9][0-9] s ahead of Dropbox's"
	answer curl "$(date -u -R -d '+1 hour')"
	run doctor clock
	sees 2 clock "-3[56][0-9][0-9] s ahead of Dropbox's"
	rm stubs/curl
	dropbox_stop
	run doctor clock
	sees 3 clock 'Dropbox does not tell its time'
}

@test "page: not served, and old" {
	run doctor page
	sees 2 page 'http://127.0.0.1:9/status.json .*' 'systemctl restart control-station.service'
	python3 - "$PWD" 3>&- <<-'END' &
		import functools, http.server, os, sys
		os.chdir(sys.argv[1])
		s = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory="www"))
		open("port.new", "w").write(str(s.server_port))
		os.rename("port.new", "port")
		s.serve_forever()
	END
	station=$!
	eventually [ -s port ]
	mkdir www
	CTV_STATION_URL=http://127.0.0.1:$(cat port)
	page_of() { echo "{\"schema\":1,\"generated_at\":\"$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)\"}" >www/status.json; }
	page_of '-4 min'
	run doctor page
	sees 0 page '/status.json '
	page_of '-20 min'
	run doctor page
	sees 2 page '20m'
	run on pi-ctv ctv-doctor.sh page
	sees 2 page '20m' 'on the standby: sudo ctv-doctor.sh'
	echo '{}' >www/status.json
	run doctor page
	sees 2 page '/generated_at'
	kill $station
}

@test "programs: an execute bit that is lost, one that is missing, of another version, or behind another of its name" {
	mkdir -p bin lib first pi2/app/scripts pi2/app/bin
	cp -r "$ROOT"/scripts/. lib/
	printf 'tool %s\n' db-verify dbx-put ctv-conf >lib/programs
	printf 'script %s\n' settle.sh cli_db_sync.py >>lib/programs
	echo 'part parts/takeover.sh' >>lib/programs
	for tool in "$ROOT"/tools/*.c; do
		ln -s "$(command -v "$(basename "$tool" .c)")" bin/
	done
	for link in scripts/failover-to-pi2.sh scripts/failback-to-pi-ctv.sh bin/daily-download.sh; do
		ln -s "$PWD/lib/${link##*/}" "pi2/app/$link"
	done
	PATH=$PWD/first:$PWD/bin:$PATH
	programs() { run on pi2 "$PWD/lib/ctv-doctor.sh" programs; }
	programs
	sees 0 programs "those in $PWD/bin and $PWD/lib can be run"
	chmod -x lib/settle.sh
	programs
	sees 2 programs 'lib/settle.sh: not executable' "chmod 755 $PWD/lib/settle.sh"
	chmod +x lib/settle.sh
	mv lib/parts/takeover.sh .
	programs
	sees 2 programs 'lib/parts/takeover.sh: not there' 'make install ROLE=standby'
	mv takeover.sh lib/parts/
	rm bin/db-verify
	programs
	sees 2 programs 'bin/db-verify: not there' 'make install ROLE=standby'
	printf '#!/bin/sh\necho db-verify 0.0.1\n' >bin/db-verify
	chmod +x bin/db-verify
	programs
	sees 2 programs 'bin/db-verify: not of version .*: db-verify 0.0.1'
	ln -sf "$(PATH=${PATH#*:*:} command -v db-verify)" bin/db-verify
	cp bin/dbx-put first/
	programs
	sees 1 programs "$PWD/first/dbx-put stands before $PWD/bin/dbx-put" "rm $PWD/first/dbx-put"
	rm first/dbx-put pi2/app/bin/daily-download.sh
	programs
	sees 2 programs 'pi2/app/bin/daily-download.sh: not there'
}

@test "state, log, round: each directory and lock that cannot be written" {
	mkdir -p pi2/run/www pi2/state/alerts
	export CTV_RUN_DIR=$PWD/pi2/run
	# an alert's lock is its first teller's, and the others can live with that
	install -m 400 /dev/null pi2/state/alerts/.disk.lock
	run service state log round
	expect 0
	mkdir pi2/state/wanted
	for path in pi2/state:state pi2/state/wanted:state pi2/state/role.lock:state pi2/log:log pi2/run/www:round; do
		was=$(stat -c %a "${path%:*}")
		chmod 555 "${path%:*}"
		run service state log round
		chmod "$was" "${path%:*}"
		sees 2 "${path#*:}" "${path%:*}: cannot write" 'systemd-tmpfiles --create'
	done
}

@test "data: a directory that takes no new file" {
	run service data
	sees 0 data 'a file was made, renamed and removed'
	[ "$(ls -A pi2/data | grep -c doctor)" -eq 0 ]
	chmod 555 pi2/data
	run service data
	sees 2 data "pi2/data: cannot write: Permission denied" "chgrp ctvapps $PWD/pi2/data; chmod 2775 $PWD/pi2/data"
}

@test "database: absent, unreadable, another's, implausible, old" {
	run doctor database
	sees 0 database '6[06]0 .*: header, '
	chmod 600 "$copy"
	run doctor database
	sees 1 database 'production.db is 600 ' "chmod 660 $copy"
	chmod 000 "$copy"
	run service database
	sees 2 database 'production.db: cannot read, 0 '
	chmod 664 "$copy"
	run doctor database
	sees 1 database 'production.db is 664 '
	chmod 660 "$copy"
	TABLES=nosuch run doctor database
	sees 2 database 'nosuch'
	MIN_SIZE=1G run doctor database
	sees 2 database 'bytes, wanted at least 1073741824'
	touch -d '-40 hours' "$copy"
	run doctor database
	sees 2 database '40h.* old' 'systemctl start ctv-pi2-download.service'
	rm "$copy"
	run doctor database
	sees 2 database 'production.db is missing' 'cli-db-sync download'
	# how the primary's application keeps its own is its own
	chmod 640 "$live"
	touch -d '-40 hours' "$live"
	run on pi-ctv ctv-doctor.sh database
	sees 0 database '640 '
	crashed_writer "$live" "INSERT INTO customers VALUES (3, 'three')"
	run on pi-ctv ctv-doctor.sh database
	sees 0 database 'a write-ahead log lies beside it'
}

# where_free SIZE COMMAND...: with so much for pi2's data, and the state of pi-ctv
where_free() {
	local size=$1
	shift
	unshare -m sh -c "mount -t tmpfs -o size=$size,mode=2775 none pi2/data && mount -t tmpfs -o size=$size none pi-ctv/state &&
		cp -a keep/. pi2/data && echo primary >pi-ctv/state/role && truncate -s 200M pi2/data/production.db && \"\$@\"" sh "$@"
}

@test "disk: full, and too full for another copy" {
	run doctor disk
	sees 0 disk 'pi2/data: .* free, at least 64 MiB'
	may_mount
	cp -a pi2/data keep
	on=$(declare -f on)
	run where_free 60M bash -c "$on; wrap=(); on pi2 ctv-doctor.sh disk"
	sees 2 disk 'pi2/data: .* free, at least 64 MiB are needed' 'make room'
	# sparse, until it is written
	truncate -s 200M "$live"
	run where_free 150M bash -c "$on; wrap=(); on pi2 ctv-doctor.sh disk"
	sees 1 disk 'pi2/data: 1[45][0-9] MiB free, 200 MiB are wanted' 'make room for the next download'
	run where_free 150M bash -c "$on; wrap=(); on pi-ctv ctv-doctor.sh disk"
	sees 1 disk 'pi-ctv/state: .* free, 200 MiB are wanted' 'make room for the next snapshot'
}

@test "code: what code-check.sh finds, with its hint" {
	run doctor code
	sees 1 code 'no git repository'
	rm -r pi2/app
	git -c init.defaultBranch=main init -q origin
	git="git -c user.name=x -c user.email=x@x"
	(cd origin && echo 1 >app.py && git add . && $git commit -qm one)
	git clone -q origin pi2/app
	run doctor code
	sees 0 code '[0-9a-f]{7} of 20'
	echo 2 >pi2/app/app.py
	run doctor code
	sees 1 code 'not as committed: app.py' "git -C $PWD/pi2/app status"
	git -C pi2/app checkout -q app.py
	mkdir pi2/app/.git/ctv-update
	touch pi2/app/.git/ctv-update/requirements
	run doctor code
	sees 2 code 'requirements of this code are not installed' 'update-code.sh'
}

@test "trust: what trust-check.sh finds, each with its hint; what it does not know is unknown" {
	stub systemctl <<<'printf "User=nobody\nGroup=nogroup\n"'
	# who goes in and out above it is nobody here
	run on pi2 trust-check.sh
	[ "$status" -le 1 ]
	found=$(grep -c '^hint: ' <<<"$output") || true
	chmod o+w pi2/app
	run doctor trust
	sees 1 trust "$PWD/pi2/app: the application.s user nobody may write there" 'exec chmod go-w'
	[ "$(grep -c ' trust  ' <<<"$output")" -eq $((found + 1)) ]
	[ "$(grep -c ' hint: ' <<<"$output")" -eq $((found + 1)) ]
	stub systemctl <<<'echo User=nobody-else'
	run doctor trust
	sees 3 trust 'its user nobody-else is not there'
	# what is known to be wrong is worse
	run doctor trust alerts
	expect 1 '^DOCTOR WARNING: trust alerts \| layers=2$'
}

@test "token: revoked, short-lived, without a scope, no room in Dropbox, no Dropbox" {
	run doctor token
	sees 0 token 'accepted, with all four scopes'
	run on pi2 env DROPBOX_REFRESH_TOKEN=wrong ctv-doctor.sh token
	sees 2 token 'refresh token is revoked or wrong' 'dbx-auth login'
	run on pi2 env DROPBOX_ACCESS_TOKEN="$(dropbox_token)" ctv-doctor.sh token
	sees 1 token 'DROPBOX_ACCESS_TOKEN, which ends in hours'
	run on pi2 env DROPBOX_ACCESS_TOKEN="$(dropbox_token '{"scope":"account_info.read files.metadata.read files.content.read"}')" \
		ctv-doctor.sh token
	sees 2 token 'the token may not do files.content.write' 'tick it'
	dropbox_fault '{"route":"users/get_space_usage","kind":"merge","json":{"used":1000,"allocation":{".tag":"individual","allocated":2000}}}'
	run doctor token
	sees 1 token 'left in Dropbox, less than a copy needs'
	dropbox_stop
	run on pi2 env CTV_BACKOFF=1ms ctv-doctor.sh token
	sees 2 token 'Dropbox: '
}

@test "alerts: nobody to be told, and what could not be told" {
	run doctor alerts
	sees 1 alerts 'no channel is set'
	CTV_TEAMS_URL=secret run doctor alerts
	sees 2 alerts 'CTV_TEAMS_URL: not an http or https URL'
	[[ $output != *secret* ]]
	export CTV_NTFY_URL=http://127.0.0.1:9/x
	run doctor alerts
	sees 0 alerts 'somebody is told; 0 stand'
	on pi2 env CTV_BACKOFF=1ms alert-post -k disk 'it is full' || true
	run doctor alerts
	sees 2 alerts 'not told: disk, ntfy: ' 'alert-post --flush'
}

# minutes_instead: of the night, two hosts of which one follows the other
minutes_instead() {
	dropbox_stop
	mkdir before
	mv dropbox pi-ctv pi2 before
	hosts_minutes
}

# minutes_confirm: the owner has looked, now
minutes_confirm() {
	on pi-ctv mirror-head publish --owner pi-ctv --confirm "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --object "$(db-changes --show --json st | jq -r .object)"
}

# minutes [HOST]: the layer, where changes are published and followed
minutes() { run on "${1-pi2}" env CTV_CHANGES_EVERY=1m ctv-doctor.sh minutes; }

@test "minutes: off, followed, behind, stopped and why, refused by a failover; while it serves" {
	CTV_CHANGES_EVERY=off run doctor minutes
	sees 0 minutes 'CTV_CHANGES_EVERY is off: nights only'
	minutes_instead
	minutes_confirm
	minutes
	sees 0 minutes 'newest.db is state 3, the newest until '
	# the service is at work, and has told what keeps it from that
	on pi2 alert-post -k ctv-follow.service -s warning 'pi2: nothing is followed: a hole' || true
	minutes
	sees 1 minutes 'ctv-follow.service: since 20.*pi2: nothing is followed: a hole' 'journalctl -u ctv-follow.service'
	on pi2 alert-post -k ctv-follow.service -s ok 'over' || true
	printf '%s\n' ActiveState=failed >units/ctv-follow.service
	answer journalctl 'its last words'
	minutes
	sees 2 minutes 'ctv-follow.service is failed since .*: its last words' 'systemctl start ctv-follow.service'
	rm units/*
	# what stands there is good, but not to be had
	touch "$copy-wal"
	minutes
	sees 1 minutes 'a failover would not take the newest state: production.db has files of an application beside it' 'failover-to-pi2.sh --dry-run'
	rm "$copy-wal"
	minutes_minute "UPDATE spots SET note = 'not followed' WHERE id = 1"
	# as if hours had passed
	jq -c --arg at "$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)" '.is.snapshot_at = $at' "$follow/newest.db.note" >note
	cat note >"$follow/newest.db.note"
	minutes
	sees 2 minutes 'behind, state 3 of 4.*; newest.db is state 3' 'journalctl -u ctv-follow.service -n 20 here, -u ctv-publish.service on pi-ctv'
	on pi-ctv mirror-head publish --owner pi-ctv --confirm null
	minutes
	sees 0 minutes 'the head record confirms nothing: nights only'
	minutes_confirm
	rm -r "$follow"
	minutes
	sees 1 minutes 'newest.db is not there: nothing has been followed yet'
	dropbox_stop
	run on pi2 env CTV_CHANGES_EVERY=1m CTV_BACKOFF=1ms ctv-doctor.sh minutes
	sees 3 minutes 'mirror-head: /mirror-head.json: Failed to connect'
	echo active >pi2/state/role
	minutes
	sees 0 minutes 'while this host serves nothing is followed'
}

@test "minutes of the primary: nothing yet, published, not confirmed, stopped and why, fenced" {
	minutes pi-ctv
	sees 1 minutes 'nothing was published by this host yet' 'systemctl start ctv-db-sync.service'
	[ ! -e pi-ctv/state/changes ]
	minutes_instead
	mkdir pi-ctv/state/changes
	cp st pi-ctv/state/changes/state.db
	minutes_confirm
	minutes pi-ctv
	sees 0 minutes 'state 3 of 20.* is published, the record was confirmed at 20'
	sql "$live" "UPDATE spots SET note = 'pending' WHERE id = 1"
	db-changes --since pi-ctv/state/changes/state.db "$live" out
	minutes pi-ctv
	sees 0 minutes 'state 3 of 20.* is published'
	on pi-ctv alert-post -k ctv-publish.service -s warning 'pi-ctv: ctv-publish.service failed' || true
	minutes pi-ctv
	sees 1 minutes 'ctv-publish.service: since 20.*pi-ctv: ctv-publish.service failed' 'journalctl -u ctv-publish.service'
	on pi-ctv alert-post -k ctv-publish.service -s ok 'over' || true
	on pi-ctv mirror-head publish --owner pi-ctv --confirm null
	minutes pi-ctv
	sees 0 minutes 'the head record confirms nothing: nights only'
	minutes_confirm
	# as if hours had passed
	for tool in mirror-head db-changes; do
		stub $tool <<-END
			"\$real" "\$@" | sed -E 's/("(snapshot|confirmed)_at":")[^"]*/\\1$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)/g'
		END
	done
	minutes pi-ctv
	sees 2 minutes 'what is followed is 3h.* behind; state 3 of 20.* is published, the record was confirmed at 20' 'journalctl -u ctv-publish.service'
	rm stubs/mirror-head stubs/db-changes
	# one look holds it for as long as it takes
	flock -o pi-ctv/state/changes/state.db.lock sleep 60 3>&- &
	holder=$!
	held() { ! flock -n pi-ctv/state/changes/state.db.lock true; }
	eventually held
	minutes pi-ctv
	sees 3 minutes 'state.db.lock: held by another process' 'when a look that is under way has ended'
	kill "$holder"
	on pi2 mirror-head claim --owner pi2
	minutes pi-ctv
	sees 1 minutes 'pi2 owns the head record, so nothing is published here' 'failback-to-pi-ctv.sh on pi2'
}

@test "proof: never, good, failed with its hint, too old; a unit that is older than its source" {
	cp -r "$ROOT/scripts" lib
	printf 'exit 0\n' >lib/prove-failover.sh
	proof() { run on "${1-pi2}" "$PWD/lib/ctv-doctor.sh" proof; }
	record() { printf '{"result":"%s","exit":0,"verdict":"%s","message":"%s","hint":"%s","finished_at":"%s","last_ok_at":"%s","answer_ms":1234}\n' "$@" >pi2/state/last-proof.json; }
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	proof pi-ctv
	sees 0 proof "is the standby's"
	proof
	sees 1 proof 'never proved' 'prove-failover.sh'
	record ok ok well '' "$now" "$now"
	proof
	sees 0 proof "proved on last night's data at $now: it answered 1.2 s after its start"
	record failed failed 'start: no answer' 'look there' "$now" "$now"
	proof
	sees 1 proof 'the proof failed: start: no answer; the last that was good: 20' 'look there'
	record ok ok well '' "$now" 2026-01-02T03:04:05Z
	proof
	sees 1 proof 'no proof for two nights: well; the last that was good: 2026-01-02T03:04:05Z' 'prove-failover.sh'
	record ok ok well '' "$now" "$now"
	printf '%s\n' 'echo "prove-failover.sh: ctv-proof-app.service: is older than flaskapp.service or its drop-ins" >&2' \
		'echo "hint: sudo systemctl daemon-reload" >&2; exit 75' >lib/prove-failover.sh
	proof
	sees 1 proof ' ctv-proof-app.service: is older than flaskapp.service or its drop-ins' 'sudo systemctl daemon-reload'
	CTV_PROVE=no proof
	sees 0 proof 'CTV_PROVE=no'
}

@test "opening: the application cannot write the database or what SQLite has beside it" {
	run service opening
	sees 0 opening 'can be opened to write'
	chmod 440 "$copy"
	run service opening
	sees 2 opening "production.db: cannot be opened to write, 440 " "chmod 660 $copy"
	chmod 660 "$copy"
	touch "$copy-shm"
	chmod 444 "$copy-shm"
	run service opening
	sees 2 opening 'production.db-shm: cannot be opened to write'
}

@test "versions: the application's SQLite and its old fault; a Python that does not start" {
	run doctor versions
	sees 2 versions "the application's Python does not start" 'python3 -m venv'
	for is in 3.40.1 3.51.3 3.100.0; do
		printf '#!/bin/sh\necho %s\n' $is >pi2/app/.venv/bin/python3
		chmod +x pi2/app/.venv/bin/python3
		run doctor versions
		sees 0 versions "the application's SQLite $is.*, systemd 252, Linux .*, curl [0-9]"
		[ $is = 3.40.1 ] || [[ $output != *'before 3.51.3'* ]]
		[ $is != 3.40.1 ] || [[ $output == *'before 3.51.3'* ]]
	done
}

@test "as root each job's layers are seen by its unit's own settings, drop-ins included, whose findings count" {
	needs_root 'to look from within a unit'
	cat >units/ctv-pi2-download.service <<-'END'
		# /etc/systemd/system/ctv-pi2-download.service
		[Unit]
		Description=not this
		[Service]
		Type=oneshot
		User=ctvapps
		ExecStart=/not this
		TimeoutStartSec=3h
		ReadWritePaths=/a \
		  /b
		# /etc/systemd/system/ctv-pi2-download.service.d/site.conf
		[Service]
		ReadWritePaths=
		SystemCallFilter=~@privileged @resources
		[Install]
		WantedBy=not.this
	END
	printf '[Service]\nUser=ctvapps\n' | tee units/ctv-status.service units/ctv-follow.service >units/flaskapp.service
	stub systemd-run <<-'END'
		printf '%s\n' "$@" >>"$BATS_TEST_TMPDIR/ran"
		while [ "${1##*/}" != ctv-doctor.sh ]; do shift; done
		shift
		case $1 in
		settings) echo ' ! disk      so so'; echo 'DOCTOR WARNING: disk | layers=10'; exit 1 ;;
		state) echo 'ok state     well'; echo 'DOCTOR OK: all is in order | layers=3' ;;
		*) echo ' ✗ opening   bad'; echo 'DOCTOR CRITICAL: disk opening | layers=3'; exit 2 ;;
		esac
	END
	answer timedatectl yes
	echo : | stub ss
	run doctor
	expect 2 '^in the sandbox of ctv-pi2-download.service:$'
	expect 2 '^ ! disk +so so$'
	expect 2 '^DOCTOR CRITICAL:.* disk opening \| layers=28$'
	run grep -c '^DOCTOR' <<<"$output"
	expect 0 '^1$'
	grep -A1 -x -- -p ran | sed -n '/^-/!p' | head -n 4 >settings
	printf '%s\n' User=ctvapps 'ReadWritePaths=/a    /b' ReadWritePaths= 'SystemCallFilter=~@privileged @resources' |
		sed 's/  */ /g' | diff <(sed 's/[[:space:]][[:space:]]*/ /g' settings) -
	run grep -E 'not this|oneshot|3h|not.this' ran
	expect 1
}

@test "a sandbox that cannot be entered is critical, with systemd's reason; a unit that is not there too" {
	needs_root 'to look from within a unit'
	printf '[Service]\nUser=ctvapps\n' | tee units/ctv-status.service >units/ctv-pi2-download.service
	echo 'exit 226' | stub systemd-run
	stub journalctl <<-'END'
		for unit; do :; done
		echo "$unit.service: Failed to set up mount namespacing: /run/systemd/unit-root/var/log/x: No such file or directory"
	END
	answer timedatectl yes
	run doctor
	sees 2 sandbox 'ctv-pi2-download.service: cannot be entered: Failed to set up mount namespacing: /var/log/x: No such file'
	sees 2 sandbox 'flaskapp.service: not there'
}

@test "without root it says what it could not see, and that is not OK" {
	answer timedatectl yes
	echo : | stub ss
	run service
	expect "$status" '^ - sandbox +seen as .*, not from within the units'
	expect "$status" '^DOCTOR [A-Z]+:.* sandbox \| layers=22$'
	[ "$status" -ne 0 ]
}

@test "an end that is none of the verdict's is unknown" {
	answer systemctl 'LoadState=loaded'
	stub findmnt <<-'END'
		kill -TERM $PPID
	END
	chmod 555 pi2/data
	run service data
	expect 3
	run on pi2 env TMPDIR=/nonexistent ctv-doctor.sh data
	[ "$status" -ne 0 ] && [ "$status" -ne 2 ]
}

@test "nothing is changed" {
	mkdir -p pi2/run/www
	tree pi2 >before
	answer timedatectl yes
	run on pi2 env CTV_RUN_DIR="$PWD/pi2/run" CTV_CHANGES_EVERY=1m ctv-doctor.sh units timers port holders clock page settings programs state \
		log data database disk code token minutes round alerts opening versions proof
	# the directory in which a file was made and removed has a new time
	tree pi2 | sed 's/^\(data d .*\) [0-9.]* $/\1/' | diff <(sed 's/^\(data d .*\) [0-9.]* $/\1/' before) -
}

@test "bad command lines end with 64" {
	for args in nosuch --bogus -z '-n' 'data nosuch'; do
		# shellcheck disable=SC2086
		run ctv-doctor.sh $args
		expect 64 'hint: ctv-doctor.sh --help'
	done
}

@test "in-sandbox.sh: the command's words and exit status; bad command lines, no unit, not root" {
	printf '[Service]\nUser=ctvapps\n' >units/x.service
	stub systemd-run <<-'END'
		while [ "$1" != -- ]; do shift; done
		shift
		exec "$@"
	END
	for args in '' 'x.service' '-z x.service true' '--bogus'; do
		# shellcheck disable=SC2086  # words
		run in-sandbox.sh $args
		expect 64 'hint: in-sandbox.sh --help'
	done
	run service env in-sandbox.sh x.service true
	[ "$(id -u)" -ne 0 ] || expect 77 'sudo in-sandbox.sh x.service true'
	needs_root 'to enter one'
	run in-sandbox.sh x.service sh -c 'printf "%s|" "$@"; printf "\033[1m✓\302\233\342\200\256"; exit 7' sh 'a b' "c'd"
	expect 7 "^a b\|c'd\|\[1m✓\?\?$"
	run in-sandbox.sh y.service true
	expect 66 'y.service: not there'
}
