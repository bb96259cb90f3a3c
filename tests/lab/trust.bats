#!/usr/bin/env bats
# Who may write and read what on real hosts, ctv-mirror(7): the application's user, an operator, an upgrade, each set-up.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

# app COMMAND...: as whoever has taken the application over, in its sandbox where it runs
app() {
	local pid
	pid=$(pi2 systemctl show -P MainPID flaskapp.service)
	if [ "$pid" -eq 0 ]; then
		pi2 setpriv --reuid ctvapps --regid ctvapps --init-groups "$@"
	else
		pi2 nsenter -t "$pid" -m setpriv --reuid ctvapps --regid ctvapps --init-groups "$@"
	fi
}

rights() { pi2 stat -c '%U:%G %a' "$@"; }
install_again() { pi2 make -s -C /usr/src/ctv-mirror install ROLE=standby; }

# as_before: the host as an installation of before there was a user for the jobs has left it
as_before() {
	pi2 sh -c 'systemctl stop ctv-status.timer ctv-status.path ctv-settle.path ctv-pi2-download.timer ctv-status.service ctv-follow.service
		cd /var/lib && chown -R ctvapps:ctvapps ctv-mirror /var/log/ctv-pi2-download /var/log/ctv-db-sync /run/ctv-mirror
		chgrp ctvapps /etc/ctv-db-sync.env
		gpasswd -d daseme ctvsync; userdel ctvsync; ! getent group ctvsync || groupdel ctvsync
		mkdir -p /var/cache/ctv-mirror/uv; chown -R ctvapps:ctvapps /var/cache/ctv-mirror
		cd /etc/systemd/system && sed -i s/ctvsync/ctvapps/ ctv-*.service && systemctl daemon-reload' 2>/dev/null
}

@test "the application's user reads no token, no state and no log, and moves no unit" {
	lab poweroff pi-ctv
	failover -y
	for path in /etc/ctv-db-sync.env $STATE/role $STATE/installed.json /var/log/ctv-pi2-download/download.log $STATE /var/log/ctv-pi2-download; do
		run app cat $path
		expect 1 'Permission denied|Is a directory'
		run app ls $path
		[[ $path == /etc/* ]] || expect 2 'Permission denied'
	done
	run app touch /run/ctv-mirror/www/status.json
	expect 1 'Permission denied|Read-only'
	# everybody reads the page, once the first round since the boot has made it
	eventually pi2 test -s /run/ctv-mirror/www/status.json
	pi2 setpriv --reuid visitor --regid visitor --clear-groups cat /run/ctv-mirror/www/status.json | jq -e .schema
	run app svc-ctl stop flaskapp.service
	expect 77
	answers $STANDBY
	# nor by what another process of its user has: no job is one
	[ "$(pi2 sh -c 'grep -lx User=ctvapps /etc/systemd/system/*.service')" = /etc/systemd/system/flaskapp.service ]
}

@test "a .env that is a link, a FIFO, a directory: refused, and systemd lives; absent, odd, unreadable: it starts" {
	starts() { run pi2 svc-ctl -t 20s start flaskapp.service; }
	broken() {
		starts
		expect 69
		pi2 journalctl -q -u flaskapp.service -o cat | grep 'env-exec: .*/.env: not a regular file'
		pi2 sh -c "systemctl stop flaskapp; systemctl reset-failed flaskapp; rm -rf $APP/.env"
		[ "$(pi2 timeout 8 systemctl is-active ctv-status.timer)" = active ]
	}
	pi2 ln -s /etc/shadow $APP/.env
	broken
	pi2 mkfifo $APP/.env
	broken
	pi2 mkdir $APP/.env
	broken
	starts
	expect 0
	printf 'GREETING="hello there"\nnonsense\n' | pi2 sh -c "cat >$APP/.env; chmod 644 $APP/.env; systemctl stop flaskapp"
	starts
	expect 0
	pi2 sh -c 'tr "\0" "\n" </proc/$(systemctl show -P MainPID flaskapp)/environ' | grep -x 'GREETING=hello there'
	pi2 sh -c "systemctl stop flaskapp; chmod 600 $APP/.env; chown daseme $APP/.env"
	run failover -n
	[[ $output =~ "the application's user ctvapps cannot read it" ]]
	# the installation puts that right, as its owner
	install_again
	[ "$(rights $APP/.env)" = 'daseme:ctvapps 640' ]
	starts
	expect 0
	pi2 sh -c 'tr "\0" "\n" </proc/$(systemctl show -P MainPID flaskapp)/environ' | grep -x 'GREETING=hello there'
}

@test "an upgrade: state and logs are the jobs' anew, nothing of the application's comes along, operators join, all works" {
	pi2 touch -d '2026-11-24 01:02:03' $STATE/data-of
	as_before
	pi2 useradd -r -G ctvapps webserver
	pi2 sh -c 'umask 077; echo "root'"'"'s" >/root/victim'
	# what the application can have put there, and what it holds open
	app sh -c "cd $STATE && rm -f operator.lock news && ln -s /root/victim operator.lock && mkfifo news && ln role hard && mkdir -p wanted &&
		ln -s /root/victim wanted/x && echo claim >wanted/claim; ln -s /root/victim /var/log/ctv-pi2-download/failover.log"
	pi2 sh -c "setpriv --reuid ctvapps --regid ctvapps --init-groups sleep 1000 3>>$STATE/last-download.json >/dev/null 2>&1 &"
	run install_again
	expect 0 'daseme joined the group ctvsync'
	expect 0 'webserver is in the group ctvapps, and is no person: not taken for an operator'
	[ "$(pi2 id -nG webserver | tr ' ' '\n' | grep -cx ctvsync)" -eq 0 ]
	expect 0 'the application could read the token until now: .*disconnect the app; then dbx-auth login here and on the other host'
	[ "$(pi2 cat /root/victim)" = "root's" ]
	[ "$(rights $STATE $STATE/wanted $STATE/last-download.json /var/log/ctv-pi2-download /etc/ctv-db-sync.env)" = "$(printf '%s\n' \
		'ctvsync:ctvsync 2770' 'ctvsync:ctvsync 2770' 'ctvsync:ctvsync 660' 'ctvsync:ctvsync 2770' 'root:ctvsync 640')" ]
	[ "$(pi2 find $STATE /var/log/ctv-pi2-download ! -user ctvsync -o ! -type f ! -type d)" = "" ]
	pi2 test ! -e $STATE/hard
	pi2 test ! -e $STATE.before
	pi2 test ! -e /var/cache/ctv-mirror/uv
	[ "$(pi2 date -r $STATE/data-of '+%F %T')" = '2026-11-24 01:02:03' ]
	# what it held open is another file now
	[ "$(pi2 sh -c "for fd in /proc/\$(pgrep -u ctvapps sleep)/fd/3; do stat -Lc %i \$fd; done")" != "$(pi2 stat -c %i $STATE/last-download.json)" ]
	[ "$(role)" = standby ]
	pi2 rm -f $STATE/wanted/claim
	pi2 systemctl start ctv-pi2-download.service
	round pi2
	run failover -n
	expect 0 'ready: a failover would work now'
	run pi2 /usr/local/lib/ctv-mirror/trust-check.sh
	expect 0
	# once more is no change
	run install_again
	expect 0
	[[ $output != *joined* && $output != *'until now'* ]]
}

@test "a session that began before the operator had the group ends with 77, and changes nothing" {
	# a round that the timer began before goes on, and writes; so it is waited for
	pi2 sh -c 'systemctl stop ctv-status.timer ctv-status.path ctv-settle.path ctv-pi2-download.timer
		systemctl stop ctv-status.service ctv-settle.service ctv-pi2-download.service ctv-code.service'
	files() { pi2 sh -c "find $STATE ${LIVE%/*} -type f -exec md5sum {} + | sort -k 2"; }
	before=$(files)
	for script in failover-to-pi2.sh 'failover-to-pi2.sh -n' failback-to-pi-ctv.sh daily-download.sh daily-upload.sh settle.sh \
		mirror-status.sh 'cli-db-sync.sh info' 'cli-db-sync.sh backup'; do
		# shellcheck disable=SC2086  # words
		run pi2 setpriv --reuid daseme --regid daseme --groups "$(pi2 id -g daseme),$(pi2 id -g ctvapps)" /usr/local/lib/ctv-mirror/$script
		expect 77 '^[a-z0-9-]*(\.sh)?: /etc/ctv-db-sync.env: cannot open: this session began before'
		expect 77 '^hint: log in again$'
	done
	diff <(echo "$before") <(files)
}

@test "who owns what is the same after each action, by the unit, the operator and root" {
	# ours HOST: state, logs and page: the jobs' group's, never the application's, and nobody else writes
	ours() {
		foreign=$(lab run "$1" sh -c "find $STATE /var/log/ctv-pi2-download /var/log/ctv-db-sync /run/ctv-mirror/www \
			\( ! -group ctvsync -o -user ctvapps -o -perm /002 -o ! -perm -440 -o -type d ! -user ctvsync \) -printf '%u:%g %m %p\\n'")
		[ -z "$foreign" ] || { echo "$1 after $did: $foreign" >&2; return 1; }
		[ "$(lab run "$1" stat -c '%U:%G %a' /etc/ctv-db-sync.env $STATE ${LIVE%/*})" = "$(printf '%s\n' \
			'root:ctvsync 640' 'ctvsync:ctvsync 2770' 'ctvapps:ctvapps 2775')" ] || { echo "$1 after $did" >&2; return 1; }
	}
	# same ACTION: on the standby
	same() {
		did=$1
		[ "$(rights $APP $APP/data ${LIVE%/*} $STATE $STATE/wanted $STATE/alerts /var/log/ctv-pi2-download /run/ctv-mirror/www)" = "$(printf '%s\n' \
			'daseme:daseme 755' 'ctvapps:ctvapps 2775' 'ctvapps:ctvapps 2775' 'ctvsync:ctvsync 2770' 'ctvsync:ctvsync 2770' \
			'ctvsync:ctvsync 2770' 'ctvsync:ctvsync 2770' 'ctvsync:ctvsync 2775')" ] || { echo "after $1" >&2; return 1; }
		# a database and its copies: the group's, whoever made them
		foreign=$(pi2 find ${LIVE%/*} -name .follow -prune -o -type f -name '*.db*' -printf '%g %m %p\n' | grep -vE '^ctvapps 660 ' || true)
		# the clone has one owner
		foreign=$foreign$(pi2 find $APP -path $APP/data -prune -o ! -user daseme -print)
		[ -z "$foreign" ] || { echo "after $1: $foreign" >&2; return 1; }
		ours pi2
		app sh -c "test -w $LIVE && test -r $APP/src/web/app.py"
	}
	# by WHO HOST UNIT SCRIPT...: the unit's own run, or the script's by that user
	by() {
		local who=$1 host=$2 unit=$3
		shift 3
		case $who in
		unit) lab run "$host" systemctl start "$unit" ;;
		root) lab run "$host" "/usr/local/lib/ctv-mirror/$@" ;;
		*) lab run -u "$who" "$host" "/usr/local/lib/ctv-mirror/$@" ;;
		esac
	}
	same nothing
	for who in unit daseme root; do
		enter $PRIMARY "before-$who"
		by $who pi-ctv ctv-db-sync.service daily-upload.sh
		did="upload by $who" ours pi-ctv
		by $who pi2 ctv-pi2-download.service daily-download.sh
		same "download by $who"
		by $who pi2 ctv-code.service update-code.sh
		same "code by $who"
		by $who pi2 ctv-status.service mirror-status.sh
		same "round by $who"
		if [ $who = unit ]; then continue; fi
		by $who pi2 '' cli-db-sync.sh backup
		same "backup by $who"
		if [ $who = root ]; then
			drill
			same "drill by $who"
		fi
		by $who pi2 '' failover-to-pi2.sh --force
		enter $STANDBY "by-$who"
		same "failover by $who"
		by $who pi2 '' failback-to-pi-ctv.sh --yes
		same "failback by $who"
		by $who pi2 ctv-settle.service settle.sh
		same "settle by $who"
	done
}

@test "who of the application has the database open cannot be seen by the jobs, and it is not replaced all the same" {
	pi2 systemd-run -q --unit=other -p User=ctvapps -p StandardInput=file:$LIVE sleep infinity
	pi2 chown ctvapps $LIVE
	enter $PRIMARY more
	lab run pi-ctv systemctl start ctv-db-sync.service
	run pi2 systemctl start ctv-pi2-download.service
	expect 1
	pi2 grep -E "production.db: .*(in use|open)" /var/log/ctv-pi2-download/download.log
	pi2 systemctl stop other
	pi2 systemctl start ctv-pi2-download.service
	notes pi2 | grep -qx more
}

@test "a -journal that the application has put beside its database leads no job, no operator and not root to another file" {
	# as of a transaction over several databases: SQLite would remove the file that it names
	planted() {
		app python3 - "$LIVE" "$STATE/role" <<-'PY'
			import os, struct, sys
			db, name = sys.argv[1], sys.argv[2].encode()
			magic = bytes.fromhex("d9d505f920a163d7")
			head = magic + struct.pack(">5I", 0, 0, os.path.getsize(db) // 4096, 512, 4096)
			tail = struct.pack(">I", 0x40000000 // 4096 + 1) + name + struct.pack(">2I", len(name), sum(name)) + magic
			open(db + "-journal", "wb").write(head + bytes(512 - len(head)) + tail)
			# the jobs may write it, or SQLite would leave it alone
			os.chmod(db + "-journal", 0o664)
		PY
		enter $PRIMARY "$1"
		lab run pi-ctv systemctl start ctv-db-sync.service
	}
	pi2 cp $STATE/role /root/role
	planted unit
	run pi2 systemctl start ctv-pi2-download.service
	pi2 cmp $STATE/role /root/role
	planted operator
	run operator cli-db-sync download
	pi2 cmp $STATE/role /root/role
	planted root
	run pi2 /usr/local/lib/ctv-mirror/daily-download.sh
	pi2 cmp $STATE/role /root/role
	# it was rolled back, or said; either way the next run goes on
	run pi2 systemctl start ctv-pi2-download.service
	pi2 systemctl start ctv-pi2-download.service
	notes pi2 | grep -qx root
	pi2 cmp $STATE/role /root/role
}

@test "what the application has put in the place of a file of ours leads neither root nor a job nor an operator to another" {
	pi2 sh -c 'umask 077; echo mine >/root/victim; chmod 600 /root/victim; cp -p /root/victim /home/daseme/victim; chown daseme /home/daseme/victim
		cp -p /root/victim /var/lib/ctv-mirror/victim; chown ctvsync /var/lib/ctv-mirror/victim'
	whole() {
		[ "$(pi2 sh -c 'cat /root/victim /home/daseme/victim /var/lib/ctv-mirror/victim | sort -u')" = mine ]
		[ "$(rights /root/victim /home/daseme/victim /var/lib/ctv-mirror/victim)" = "$(printf '%s\n' 'root:root 600' 'daseme:root 600' 'ctvsync:root 600')" ]
	}
	# every name that a run of ours makes beside the database
	planted() {
		app sh -c 'cd "$1" && for name in .production.db.drill .production.db.new .production.db.new.part .production.db.new.tmp .production.db.swap \
			.failover_backup.db .failover_backup.db.tmp production.db.prev production.db.tmp production.db-wal production.db-journal production.db-shm; do
			[ -e $name ] || ln -sfn "$2" $name; done' plant "${LIVE%/*}" "$1"
	}
	for victim in /root/victim /home/daseme/victim /var/lib/ctv-mirror/victim; do
		planted $victim
		run drill
		planted $victim
		enter $PRIMARY "$victim"
		lab run pi-ctv systemctl start ctv-db-sync.service
		run pi2 systemctl start ctv-pi2-download.service
		planted $victim
		run pi2 /usr/local/lib/ctv-mirror/daily-download.sh --force
		planted $victim
		run operator cli-db-sync download
		planted $victim
		run failover --force
		planted $victim
		run failback --yes
		whole
	done
	# and when they are gone, all works as before
	app sh -c "cd / && find ${LIVE%/*} -type l -delete"
	pi2 systemctl start ctv-pi2-download.service
	run drill
	expect 0 'the drill has passed'
	whole
}

@test "an upgrade changes the thing that it has looked at, whatever stands under that name by then" {
	# what the application does at the worst moment: chgrp finds its name gone over to another thing of the same owner
	swapped() {
		printf '%s\n' '#!/bin/sh' "[ -h $1 ] || { mv $1 $1.was && ln -s $2 $1; }" 'exec /usr/bin/chgrp.real "$@"' |
			pi2 sh -c '[ -e /usr/bin/chgrp.real ] || mv /usr/bin/chgrp /usr/bin/chgrp.real; cat >/usr/bin/chgrp; chmod 755 /usr/bin/chgrp'
		run install_again
		pi2 mv -f /usr/bin/chgrp.real /usr/bin/chgrp
		pi2 test -h "$1"
		[ "$(rights /home/daseme /home/daseme/victim)" = "$(printf '%s\n' 'daseme:daseme 750' 'daseme:daseme 600')" ]
		[ "$(pi2 stat -c '%G %a' "$1.was")" = "$3" ]
		pi2 sh -c 'rm "$1" && mv "$1.was" "$1"' back "$1"
	}
	pi2 sh -c 'cd /home/daseme; chmod 750 .; umask 077; : >victim; chown daseme:daseme victim'
	pi2 sh -c "chown daseme:daseme $LIVE; chmod 600 $LIVE"
	swapped $LIVE /home/daseme/victim 'ctvapps 660'
	pi2 sh -c "chown daseme:ctvapps ${LIVE%/*}; chmod 2770 ${LIVE%/*}"
	swapped ${LIVE%/*} /home/daseme 'ctvapps 2775'
}

@test "an upgrade believes no link that the application has put in the database's place" {
	for place in /etc/shadow /etc/nothing-here $STATE/role /root/x; do
		app sh -c "cd ${LIVE%/*} && mv production.db was.db && ln -s $place production.db"
		run install_again
		expect 0 "$LIVE: a link to ($place, where the application cannot write|where no database can be)"
		[ -z "$(pi2 ctv-conf DATABASE_PATH '')" ]
		[ -z "$(pi2 grep -l -e '-/etc' -e "-$STATE" -e '-/root' -r /etc/systemd/system --include=place.conf)" ]
		app sh -c "cd ${LIVE%/*} && rm production.db && mv was.db production.db"
	done
}

@test "a database behind a link to another disk is named once, and the units may write there" {
	pi2 sh -c "mkdir -p /srv/disk && chown ctvapps:ctvapps /srv/disk && chmod 2775 /srv/disk && mv $LIVE /srv/disk/ && ln -s /srv/disk/production.db $LIVE &&
		chown -h ctvapps $LIVE"
	run install_again
	expect 0 "$LIVE is a link: DATABASE_PATH=/srv/disk/production.db"
	[ "$(pi2 ctv-conf DATABASE_PATH)" = /srv/disk/production.db ]
	for unit in flaskapp ctv-pi2-download ctv-status; do
		[[ " $(pi2 systemctl show -P ReadWritePaths $unit) " == *" -/srv/disk "* ]]
	done
	enter $PRIMARY elsewhere
	night
	pi2 test -h $LIVE
	notes pi2 /srv/disk/production.db | grep -x elsewhere
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	enter $STANDBY there
	run install_again
	[ "$(pi2 grep -c ^DATABASE_PATH /etc/ctv-db-sync.env)" -eq 1 ]
}

@test "what the application's user may write below its directory stays open to it, and is named" {
	pi2 sh -c "install -d -o ctvapps -g ctvapps $APP/logs $APP/instance; ln -s /tmp $APP/tmp"
	run doctor_trust
	expect 1 "flaskapp.service cannot write $APP/logs, which its user ctvapps may"
	run install_again
	expect 0 "flaskapp.service may write $APP/logs too"
	expect 0 "flaskapp.service may write $APP/instance too"
	run doctor_trust
	expect 0 '^TRUST OK'
	pi2 svc-ctl start flaskapp.service
	app touch $APP/logs/x $APP/instance/x
	run app touch $APP/src/x
	expect 1
}
doctor_trust() { pi2 /usr/local/lib/ctv-mirror/trust-check.sh; }

@test "a clone that the application may write is said by installation, dry run and doctor, and stands in no failover's way" {
	pi2 sh -c "chgrp -R ctvapps $APP && chmod g+w $APP $APP/scripts"
	run install_again
	expect 0 "$APP: the application's user ctvapps may write there, and so do as whoever runs the code"
	run failover -n
	expect 0 "$APP: the application's user ctvapps may write there"
	run pi2 ctv-doctor.sh
	[[ $output =~ "! trust" ]]
	hint=$(sed -n "s,^ *hint: as daseme: \(find $APP -path.*\),\1,p" <<<"$output" | head -n 1)
	operator sh -c "$hint"
	run doctor_trust
	expect 0
}

@test "root runs nothing of the clone, and no process of its owner has root's terminal" {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n{ id -un; tty; readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; } >>/tmp/ran; exec /usr/bin/python3 "$@"\n' |
		operator sh -c "cat >/tmp/evil && chmod 755 /tmp/evil && : >/tmp/ran && chmod 666 /tmp/ran && git -C $APP config core.fsmonitor /tmp/evil &&
			ln -sf /tmp/evil $APP/.venv/bin/python3"
	pi2 script -qec 'ctv-doctor.sh; ctv-doctor.sh code versions; make -s -C /usr/src/ctv-mirror install ROLE=standby' /dev/null
	run pi2 cat /tmp/ran
	[[ $output == *daseme* ]]
	run grep -E '^root$|^/dev/(pts|tty)' <<<"$output"
	expect 1
}
