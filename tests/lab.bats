#!/usr/bin/env bats
# The lab itself: what the failover scenarios rely on.

load helper

lab() { "$ROOT/tests/lab/lab" -d "${LAB:-$BATS_FILE_TMPDIR/lab}" "$@"; }

setup_file() {
	LAB_WHY=$(lab check 2>&1) || { export LAB_WHY; return 0; }
	lab up -w "$BATS_ROOT_PID"
	lab boot pi-ctv pi2
	lab install pi-ctv pi2
}

teardown_file() {
	[ -n "${LAB_WHY-}" ] || lab down
}

setup() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
	primary=http://100.81.73.46:8000
}

office() { lab run office "$@"; }

# serving URL: wait until it answers 200
serving() {
	office curl -sf -o "$BATS_TEST_TMPDIR/body" --retry 60 --retry-delay 0 --retry-all-errors \
		--retry-max-time 30 -m 5 "$1/api/system-stats"
}

reaches() { lab run "$1" ping -q -c 1 -W 1 "$2"; }

@test "each host is a whole system: systemd is PID 1, nothing failed, nothing of the machine is seen" {
	for host in pi-ctv pi2; do
		[ "$(lab run $host systemctl is-system-running)" = running ]
		[ "$(lab run $host hostname)" = $host ]
		[ "$(lab run $host cat /proc/1/comm)" = systemd ]
		[ "$(lab run $host ls /root /srv /mnt /tmp/bats* 2>/dev/null | grep -c bats)" = 0 ]
	done
	[ "$(hostname)" != pi2 ]
}

@test "they have the runbook's addresses and see each other, Dropbox, GitHub and the office" {
	lab run pi-ctv ip -o addr show eth0 | grep -F '100.81.73.46/10'
	lab run pi2 ip -o addr show eth0 | grep -F '100.96.96.109/10'
	for node in pi2 dropbox github office; do reaches pi-ctv $node; done
	reaches pi2 100.81.73.46
}

@test "a host cannot set the machine's clock, load its modules or write its kernel's settings" {
	for who in 1 self; do
		caps=$((0x$(lab run pi2 sed -n 's/^CapBnd:\t//p' /proc/$who/status)))
		# CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME
		[ $((caps & (1 << 16 | 1 << 17 | 1 << 25))) -eq 0 ]
	done
	run lab run pi2 sh -c 'echo 1 >/proc/sys/vm/drop_caches'
	expect 2 'Read-only file system'
}

@test "a cut host reaches nobody until it is joined again" {
	lab cut pi2
	run ! reaches pi2 pi-ctv
	run ! reaches pi2 github
	run ! reaches office pi2
	reaches pi-ctv github
	lab join pi2
	# nor is it remembered that nobody answered
	[ -z "$(lab run pi2 ip neigh show nud incomplete nud failed)" ]
	reaches pi2 pi-ctv
}

@test "two nodes that are cut from each other still see the others, and the packets just vanish" {
	lab cut pi2 pi-ctv
	run ! reaches pi2 pi-ctv
	run ! reaches pi-ctv pi2
	reaches pi2 github
	reaches office pi2
	run lab run pi2 curl -s -m 1 http://pi-ctv:8000/
	expect 28
	lab join pi-ctv pi2
	reaches pi2 pi-ctv
	reaches pi-ctv pi2
}

@test "a service on Dropbox's node answers at its address, and not while that is cut or stopped" {
	mkdir "$BATS_TEST_TMPDIR/www"
	echo there >"$BATS_TEST_TMPDIR/www/file"
	lab serve dropbox python3 -m http.server -d "$BATS_TEST_TMPDIR/www" -b 100.64.0.10 80
	get=(curl -sf --retry 60 --retry-delay 0 --retry-connrefused -m 5 http://dropbox/file)
	[ "$(lab run pi2 "${get[@]}")" = there ]
	lab cut pi2 dropbox
	run lab run pi2 curl -s -m 1 http://dropbox/file
	expect 28
	[ "$(lab run pi-ctv "${get[@]}")" = there ]
	lab join pi2 dropbox
	[ "$(lab run pi2 "${get[@]}")" = there ]
	lab stop dropbox
	run lab run pi2 curl -s -m 5 http://dropbox/file
	expect 7
}

@test "an orderly reboot is another boot with the same disk and the same cuts" {
	lab run pi2 sh -c 'date >/var/lib/kept'
	was=$(lab run pi2 cat /proc/sys/kernel/random/boot_id)
	lab cut pi2 github
	lab reboot pi2
	lab run pi2 test -s /var/lib/kept
	[ "$(lab run pi2 cat /proc/sys/kernel/random/boot_id)" != "$was" ]
	[ "$(lab run pi2 systemctl is-system-running)" = running ]
	run ! reaches pi2 github
	lab join pi2 github
	reaches pi2 github
}

@test "a power cut ends every process at once, keeps the disk, and sends no farewell" {
	lab run pi2 sh -c 'echo written >/var/lib/kept'
	lab run pi2 systemd-run -q python3 -m http.server 9000
	# a client that is talking to it when the power goes hears nothing more
	office curl -s --retry 60 --retry-delay 0 --retry-connrefused -m 5 -o /dev/null http://100.96.96.109:9000/
	lab run pi-ctv sh -c 'exec bash -c "exec 5<>/dev/tcp/pi2/9000; echo talking; read -t 2 -u 5; echo \$?"' \
		>"$BATS_TEST_TMPDIR/heard" &
	client=$!
	until grep -q talking "$BATS_TEST_TMPDIR/heard"; do sleep 0.02; done
	lab poweroff pi2
	run ! reaches office pi2
	wait $client
	# 142 is the time-out; an orderly end of the connection would have been 1
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/heard")" -gt 128 ]
	run lab run pi2 true
	expect 1 'pi2 is off'
	lab boot pi2
	[ "$(lab run pi2 cat /var/lib/kept)" = written ]
	reaches office pi2
}

@test "the application serves: health, a spot entered and read back, and it refuses nonsense" {
	serving $primary
	office curl -sf $primary/health/ | grep -F '"overall_status":"healthy"'
	office curl -sf $primary/health/database | grep -F '"status":"healthy"'
	id=$(office curl -sf -H 'Content-Type: application/json' $primary/api/spots \
		-d '{"customer": "Café Müller", "gross_rate": 12.5, "note": "first"}' | jq .data.spot_id)
	[ "$(office curl -sf $primary/api/spots/"$id" | jq -r .data.customer)" = 'Café Müller' ]
	run office curl -s -o /dev/null -w '%{http_code}' -d x $primary/api/spots
	expect 0 400
}

@test "what the application accepted is there after a power cut in the middle of the work" {
	serving $primary
	log=$BATS_TEST_TMPDIR/accepted
	: >"$log"
	lab serve office "$ROOT/tests/app/clerk.py" $primary "$log"
	until [ "$(wc -l <"$log")" -ge 100 ]; do sleep 0.02; done
	db=/opt/apps/ctv-bookedbiz-db/data/database/production.db
	lab run pi-ctv test -s $db-wal
	lab poweroff pi-ctv
	before=$(wc -l <"$log")
	lab boot pi-ctv
	serving $primary
	until [ "$(wc -l <"$log")" -gt "$before" ]; do sleep 0.02; done
	lab stop office
	lab run pi-ctv sqlite3 $db 'SELECT note FROM spots' >"$BATS_TEST_TMPDIR/notes"
	run grep -vxFf "$BATS_TEST_TMPDIR/notes" "$log"
	expect 1
	[ "$(lab run pi-ctv sqlite3 $db 'PRAGMA integrity_check')" = ok ]
}

# faulty LINE...: the application started again with these faults
faulty() {
	lab run pi-ctv sh -c 'systemctl kill -s KILL flaskapp; while systemctl -q is-active flaskapp; do sleep 0.05; done'
	printf '%s\n' "$@" | lab run pi-ctv tee /opt/apps/ctv-bookedbiz-db/data/faults >"$BATS_TEST_TMPDIR/faults"
	lab run pi-ctv systemctl reset-failed flaskapp
	lab run pi-ctv systemctl start flaskapp
}

@test "the application's faults: it dies, it answers 500 and recovers, its health check hangs" {
	# one of its two workers is to hang: the standby's round, every five minutes, would take the other
	lab run pi2 systemctl stop ctv-status.timer ctv-status.path ctv-status.service
	faulty die_after=1
	until [ "$(lab run pi-ctv systemctl is-active flaskapp)" = failed ]; do sleep 0.05; done

	faulty errors_for=15
	run office curl -s -o /dev/null -w '%{http_code}' -m 20 $primary/api/system-stats
	expect 0 500
	serving $primary

	faulty health_hangs=1
	run office curl -s -m 1 $primary/health/
	expect 28
	office curl -sf -m 20 $primary/api/spots/count

	faulty
	serving $primary
	lab run pi2 systemctl start ctv-status.timer ctv-status.path
}

@test "a layer can be put over the application's data, also where the machine's root directory is an overlay itself" {
	run -0 lab run pi2 unshare -m sh -euc 'mkdir -p /run/layer/new /run/layer/work
		mount -t overlay overlay -o lowerdir=/opt/apps/ctv-bookedbiz-db/data,upperdir=/run/layer/new,workdir=/run/layer/work /mnt
		touch /mnt/new'
	lab run pi2 test ! -e /opt/apps/ctv-bookedbiz-db/data/new
}

@test "the operator is no root, and polkit is there to ask" {
	[ "$(lab run -u daseme pi2 id -un)" = daseme ]
	lab run -u daseme pi2 id -Gn | grep -w ctvapps
	run lab run -u daseme pi2 busctl --timeout=10 call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
		org.freedesktop.systemd1.Manager StopUnit ss dbus.socket replace
	expect 1 '[Ii]nteractive authentication required|[Aa]ccess denied'
	lab run pi2 systemctl is-active polkit
}

@test "a second lab lives beside the first, and leaves nothing behind" {
	mounts=$(wc -l </proc/self/mounts)
	LAB=$BATS_TEST_TMPDIR/two
	run -0 lab up -w "$BATS_ROOT_PID"
	run -0 lab boot pi2
	reaches pi2 github
	run ! reaches pi2 pi-ctv
	group=$(cat "$LAB/cgroup.path")
	run -0 lab down
	[ ! -e "$LAB" ]
	[ "$(wc -l </proc/self/mounts)" -eq "$mounts" ]
	# what was killed is reaped in its own time, and another lab's name may begin as this one's
	n=0
	while grep -qE "/${group##*/}(/|$| )" /proc/[0-9]*/cgroup 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
	[ $n -lt 100 ]
	run ! ip link show br0
	unset LAB
	reaches pi2 pi-ctv
}

# ended PID: the room and all its processes are gone, and the control groups
ended() {
	n=0
	while [ -e "/proc/$1" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
	[ ! -e "/proc/$1" ]
}

@test "a lab whose user was killed ends by itself, and so does one whose directory was removed" {
	LAB=$BATS_TEST_TMPDIR/orphan
	sleep 600 3>&- &
	owner=$!
	run -0 lab up -w $owner
	run -0 lab boot pi2
	room=$(lab status | sed -n 's/.*room //p')
	disown $owner
	kill -9 $owner
	ended "$room"
	until [ ! -e "$LAB" ]; do sleep 0.1; done

	run -0 lab up
	run -0 lab boot pi2
	room=$(lab status | sed -n 's/.*room //p')
	rm -rf "$LAB"
	ended "$room"
}

@test "the caretaker of a lab that has ended leaves alone who has got the room's process number" {
	# process numbers of their own, of which the next one can be set; it wakes once a second
	# shellcheck disable=SC2016  # expanded by the inner shell
	run -0 unshare -p -m --fork --mount-proc --kill-child bash -euc '
		lab() { "$0/tests/lab/lab" -d "$1" "$2"; }
		lab "$1" up
		room=$(lab "$1" status | sed -n "s/.*room //p")
		lab "$1" down
		until echo $((room - 1)) >/proc/sys/kernel/ns_last_pid; sleep 60 & [ $! -eq $room ]; do kill $!; done
		sleep 2
		kill $room' "$ROOT" "$BATS_TEST_TMPDIR/late"
}

@test "wrong commands are refused with a reason" {
	table=(
		'64|usage|'
		'64|usage|frobnicate'
		'64|usage|boot'
		'64|usage|run pi2'
		'64|usage|-x up'
		'1|no such node|cut pi4'
		'1|no such node|cut pi2 pi4'
		'1|not a host|boot pi4'
		'1|not a host|boot dropbox'
		'1|is on already|boot pi2'
		'1|a lab is up in|up'
		'1|no node for|serve pi4 true'
		'1|no lab is up|-d /nonexistent/lab boot pi2'
		'1|no lab is up|-d /nonexistent/lab run pi2 true'
		'1|not a lab|-d /usr down'
	)
	for row in "${table[@]}"; do
		IFS='|' read -r code text words <<<"$row"
		# shellcheck disable=SC2086
		run lab $words
		expect "$code" "$text"
	done
}
