#!/usr/bin/env bats
# ctv-doctor.sh on real hosts: the units' own sandboxes, both roles, what breaks them, and that its hints mend it.

load lab

setup_file() {
	lab_hosts lab
	[ -z "$LAB_WHY" ] || return 0
	for host in pi-ctv pi2; do
		# a channel that nothing is sent to, and a clock that is the machine's business
		lab run $host sh -c 'echo CTV_NTFY_URL=https://dropbox/none >>/etc/ctv-db-sync.env
			printf "#!/bin/sh\necho yes\n" >/usr/local/bin/timedatectl && chmod 755 /usr/local/bin/timedatectl
			# a round of the five minutes might meet what is broken on purpose, and raise an alert that finds nobody
			cd /etc/systemd/system && mkdir ctv-status.timer.d && cp ctv-follow-check.timer.d/later.conf ctv-status.timer.d/ &&
				systemctl daemon-reload && systemctl restart ctv-status.timer'
	done
	pi2 touch /etc/ctv-lab.proof
	night
	round pi2
	eventually proved
}

proved() { pi2 grep -q '"verdict":"ok"' $STATE/last-proof.json; }

teardown_file() {
	[ -n "${LAB_WHY-}" ] || lab down
}

setup() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
}

doctor() { lab run "$1" ctv-doctor.sh; }

well() {
	# a round of the five minutes that met what is mended now has failed, until the next
	round "$1"
	run doctor "$1"
	expect 0 '^DOCTOR OK: all is in order \| layers=25$'
}

# mends LAYER REGEX: it is found, and its own hint puts it in order again
mends() {
	run doctor pi2
	expect 2 "^ ✗ $1 +$2"
	hint=$(grep -A1 -E "^ ✗ $1 +$2" <<<"$output" | sed -n 's/^ *hint: //p')
	pi2 sh -c "$hint"
	well pi2
}

@test "as installed all is in order, on both hosts, from within each sandbox" {
	for host in pi-ctv pi2; do
		well $host
		for unit in ctv-status.service flaskapp.service; do
			expect 0 "^in the sandbox of $unit:$"
		done
	done
	expect 0 '^in the sandbox of ctv-pi2-download.service:$'
	# the units that were made for it are gone
	run pi2 systemctl list-units --all --plain --no-legend 'ctv_sandbox*'
	[ -z "$output" ]
}

@test "what a job cannot write, run or read is found from within its sandbox, and the hint mends it" {
	pi2 chmod 755 "${LIVE%/*}"
	pi2 chown root "${LIVE%/*}"
	mends data "${LIVE%/*}: cannot write"
	pi2 chmod -x /usr/local/lib/ctv-mirror/daily-download.sh
	mends programs '/usr/local/lib/ctv-mirror/daily-download.sh: not executable'
	pi2 chmod 600 /etc/ctv-db-sync.env
	mends settings 'ctv-conf: /etc/ctv-db-sync.env: cannot open: Permission denied'
	pi2 chown root:root $STATE
	pi2 chmod 755 $STATE
	mends state "$STATE: cannot write"
}

@test "a timer that is gone is found, and the hint brings it back" {
	pi2 systemctl disable -q --now ctv-pi2-download.timer
	mends timers 'ctv-pi2-download.timer is disabled and inactive'
	pi2 systemctl is-active ctv-pi2-download.timer
}

@test "a site's drop-in that takes the directory away from one unit is found in that unit's sandbox only" {
	pi2 mkdir -p /etc/systemd/system/ctv-pi2-download.service.d
	pi2 sh -c "printf '[Service]\nReadOnlyPaths=$APP/data\n' >/etc/systemd/system/ctv-pi2-download.service.d/site.conf"
	run doctor pi2
	expect 1 '^ ! units +ctv-pi2-download.service has changed since systemd read it'
	pi2 systemctl daemon-reload
	run doctor pi2
	expect 2 "^ ✗ data +${LIVE%/*}: read-only"
	expect 2 "^ ✓ data +${LIVE%/*}, .*: a file was made"
	expect 2 '^DOCTOR CRITICAL: data \|'
	pi2 rm /etc/systemd/system/ctv-pi2-download.service.d/site.conf
	pi2 systemctl daemon-reload
	well pi2
}

@test "a sandbox that cannot be entered is told with systemd's reason, and the hint mends it" {
	pi2 rm -r /var/log/ctv-pi2-download
	run doctor pi2
	expect 2 '^ ✗ sandbox +ctv-pi2-download.service: cannot be entered: .*/var/log/ctv-pi2-download: No such file'
	pi2 systemd-tmpfiles --create
	well pi2
}

@test "somebody else on the application's port, and on the database" {
	pi2 systemd-run -q --unit=other -p StandardInput=file:$LIVE python3 -m http.server 8000
	listens() { office curl -s -m 5 -o /dev/null $STANDBY/; }
	eventually listens
	run doctor pi2
	expect 2 '^ ✗ port +port 8000 is held by process [0-9]+ of /system.slice/other.service, not by flaskapp.service'
	expect 2 "^ ✗ holders +$LIVE: in use by python3 \(pid [0-9]+\)"
	pi2 systemctl stop other
	well pi2
}

@test "a proof's unit that is older than the application's is found, and the hint makes it anew" {
	pi2 mkdir -p /etc/systemd/system/flaskapp.service.d
	pi2 sh -c 'printf "[Service]\nEnvironment=SITE=yes\n" >/etc/systemd/system/flaskapp.service.d/site.conf'
	run doctor pi2
	expect 1 '^ ! proof +ctv-proof-app.service: is older than flaskapp.service or its drop-ins'
	pi2 rm /etc/systemd/system/flaskapp.service.d/site.conf
	pi2 systemctl daemon-reload
	well pi2
}

@test "minutes that are published and followed, and what stops them, are found from within their own sandboxes" {
	for host in pi-ctv pi2; do
		lab run $host sed -i 's/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=5s/' /etc/ctv-db-sync.env
	done
	lab run pi-ctv sh -c "touch /etc/ctv-lab.publish; touch -d '-2 hours' $STATE/last-upload.json; systemctl restart ctv-publish.service"
	pi2 systemctl restart ctv-follow.service
	follows() { pi2 test -e $APP/data/database/.follow/newest.db.note; }
	eventually follows
	# the copy of a night before there were minutes has no number, and stays what a failover serves
	run doctor pi2
	expect 1 '^ ! minutes +a failover would not take the newest state: production.db is of no known number'
	lab run pi-ctv sqlite3 -cmd '.timeout 9000' $LIVE 'CREATE TABLE first (x)'
	night
	well pi-ctv
	expect 0 '^in the sandbox of ctv-publish.service:$'
	expect 0 '^ ✓ minutes +state [0-9]+ of 20.* is published, the record was confirmed at 20'
	well pi2
	expect 0 '^in the sandbox of ctv-follow.service:$'
	expect 0 '^ ✓ minutes +newest.db is state [0-9]+, the newest until '
	# somebody else's directory
	pi2 chown root $APP/data/database/.follow
	lab run pi-ctv sqlite3 -cmd '.timeout 9000' $LIVE 'CREATE TABLE minutes (x)'
	stopped() { pi2 alert-post --list | grep -q ctv-follow.service; }
	eventually stopped
	run doctor pi2
	# the alert finds nobody in the lab
	expect 2 "^ ! minutes +ctv-follow.service: since 20.*nothing is followed: .*is another user's"
	pi2 chown ctvsync $APP/data/database/.follow
	lab run pi-ctv systemctl stop ctv-publish.service
	run doctor pi-ctv
	expect 2 '^ ✗ minutes +ctv-publish.service is inactive since '
	for host in pi-ctv pi2; do
		lab run $host sed -i 's/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=off/' /etc/ctv-db-sync.env
	done
	lab run pi-ctv systemctl start ctv-publish.service
	pi2 systemctl restart ctv-follow.service
	eventually well pi2
	expect 0 '^ ✓ minutes +CTV_CHANGES_EVERY is off'
}

@test "an operator without root is told what was not seen, and that it is not OK" {
	run operator env LANG=C.UTF-8 ctv-doctor.sh
	expect 3 '^ - sandbox +seen as daseme, not from within the units'
	expect 3 '^ ✓ token +accepted, with all four scopes'
	expect 3 '^DOCTOR UNKNOWN: port holders sandbox \|'
}

@test "while the standby serves in place of the primary it is in order too" {
	failover --force -y
	well pi2
	failback --no
	well pi2
}
