# lab.bash - what the scenarios share: a lab like new for each test, and the words of its story

load ../helper

APP=/opt/apps/ctv-bookedbiz-db
DATA=$APP/data/database
LIVE=$DATA/production.db
NEWEST=$DATA/.follow/newest.db
STATE=/var/lib/ctv-mirror
PRIMARY=http://100.81.73.46:8000
STANDBY=http://100.96.96.109:8000

lab() { "$ROOT/tests/lab/lab" -d "${LAB:?}" "$@"; }

# lab_hosts NAME: two hosts, installed, of which pi-ctv serves; where that cannot be, $LAB_WHY says why. Not to be called
# where a failure is looked at: bash would go on after the first inside it.
lab_hosts() {
	local tool
	export LAB=$BATS_FILE_TMPDIR/$1 LAB_WHY
	LAB_WHY=$(lab check 2>&1) || return 0
	for tool in http-probe svc-ctl db-install db-snapshot mirror-head dropboxd; do
		[ -x "$ROOT/build/$tool" ] || LAB_WHY="$tool is not built"
	done
	[ -z "$LAB_WHY" ] || return 0
	lab up -w "$BATS_ROOT_PID"
	lab boot pi-ctv pi2
	lab_install
	serving $PRIMARY
}

# lab_install: other files have their hosts otherwise
lab_install() { lab install pi-ctv pi2; }

# idle HOST UNIT: no run of it is under way
idle() { [[ $(lab run "$1" systemctl show -P ActiveState "$2") =~ ^(inactive|failed)$ ]]; }

# fresh HOST UNIT: a run that begins now, to its end. Where one is under way, as the publisher and the follower ask for them, a
# start would join that, which has looked already.
fresh() {
	eventually idle "$1" "$2"
	lab run "$1" systemctl start "$2" || { lab run "$1" journalctl -q -o cat -n 20 -u "$2"; return 1; }
}

upload() { fresh pi-ctv ctv-db-sync.service; }
download() { fresh pi2 ctv-pi2-download.service; }

night() {
	upload
	download
}

# round HOST: a status round that begins now; the first start may join one that is under way, and has looked already
round() {
	lab run "$1" sh -c 'systemctl start ctv-status.service; systemctl start ctv-status.service'
}

# seen HOST: a status round has begun since the last news, and has ended
seen() { lab run "$1" sh -c "[ ! -e $STATE/news ]" && idle "$1" ctv-status.service; }

# lab_base: once per file; two hosts installed, one night behind them, switched off
lab_base() {
	lab_hosts base
	[ -z "$LAB_WHY" ] || return 0
	night
	lab_off
}

# lab_off: once pi2's page has seen what was done. A host that boots with news has its first round at once, and that waits for half a
# minute, and the boot for it, where the primary does not serve yet
lab_off() {
	eventually seen pi2
	for host in pi-ctv pi2; do
		lab run $host sync
		lab poweroff $host
	done
	lab stop dropbox
}

# no_news: of pi2, which is off, and will boot without that first round
no_news() { rm -rf "$LAB/pi2/upper$STATE/news"; }

# lab_minutes: the same with minutes of 5 s, and a base that pi2 follows
lab_minutes() {
	lab_hosts base
	[ -z "$LAB_WHY" ] || return 0
	night
	minutes
	eventually pi2 test -e $NEWEST.note
	# it may be here before the night that made its base has ended
	eventually idle pi-ctv ctv-db-sync.service
	lab_off
}

# minutes [STANDBY...]: the hosts as an installation leaves them, with a short period
minutes() {
	[ $# -gt 0 ] || set -- pi2
	for host in pi-ctv "$@"; do
		lab run "$host" sed -i 's/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=5s/' /etc/ctv-db-sync.env
	done
	# as if the last night were some hours ago: a base is not asked for so soon after a nightly run
	lab run pi-ctv sh -c "touch -d -2hours $STATE/last-upload.json; touch /etc/ctv-lab.publish; systemctl restart ctv-publish.service"
	for host; do lab run "$host" systemctl restart ctv-follow.service; done
}

lab_base_end() {
	[ -n "${LAB_WHY-}" ] || LAB=$BATS_FILE_TMPDIR/base lab down
}

# lab_new: this test's own lab, as the night left it: pi-ctv serves, pi2 stands by
lab_new() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
	LAB=$BATS_TEST_TMPDIR/lab
	lab up -w "$BATS_ROOT_PID" -b "$BATS_FILE_TMPDIR/base"
	lab boot pi-ctv pi2
	serving $PRIMARY
}

# lab_minutes_new: this test's own lab after lab_minutes, with a night whose copy is on record as it was installed, and one state after it
lab_minutes_new() {
	lab_new
	eventually pi2 test -e $NEWEST
	night
	pi2 installed-check --record $STATE/installed.json $LIVE
	enter $PRIMARY first
	eventually followed first
}

lab_end() {
	[ -z "${LAB_WHY-}" ] || return 0
	# of a test that failed: what its hosts' units said last
	[ -n "${BATS_TEST_COMPLETED-}" ] || for host in pi-ctv pi2; do
		lab run $host journalctl -q --no-pager -n 25 -u 'ctv-*' -u flaskapp || :
	done
	lab down
}

office() { lab run office "$@"; }
pi2() { lab run pi2 "$@"; }
operator() { lab run -u daseme pi2 "$@"; }
failover() { operator "$APP/scripts/failover-to-pi2.sh" "$@"; }
# a drill, which wants root
drill() { pi2 "$APP/scripts/failover-to-pi2.sh" --drill; }
failback() { operator "$APP/scripts/failback-to-pi-ctv.sh" "$@"; }

# typed ANSWERS COMMAND...: the operator at a terminal; ANSWERS are lines as for printf %b. The exit status is the command's.
typed() {
	local answers=$1
	shift
	printf %b "$answers" | operator script -qec "$*" /dev/null
}

# serving URL: wait until it answers 200
serving() {
	office curl -sf -o /dev/null --retry 200 --retry-delay 0 --retry-all-errors \
		--retry-max-time 60 -m 5 "$1/api/system-stats"
}

answers() { office curl -sf -o /dev/null -m 5 "$1/api/system-stats"; }

# enter URL NOTE: a spot, accepted
enter() {
	office curl -sf -m 10 -o /dev/null -H 'Content-Type: application/json' "$1/api/spots" \
		-d "{\"customer\": \"Walk-in\", \"note\": \"$2\"}"
}

# shellcheck disable=SC2016  # expanded on the host
# notes HOST [DB]: what is in it, without changing it
notes() {
	lab run "$1" sh -c 'cp "$0" /tmp/look.db && { [ ! -e "$0-wal" ] || cp "$0-wal" /tmp/look.db-wal; } &&
		sqlite3 /tmp/look.db "SELECT note FROM spots"; rm -f /tmp/look.db*' "${2:-$LIVE}"
}

# shellcheck disable=SC2016
# sound HOST [DB]: whole, with its WAL
sound() {
	[ "$(lab run "$1" sh -c 'cp "$0" /tmp/look.db && { [ ! -e "$0-wal" ] || cp "$0-wal" /tmp/look.db-wal; } &&
		sqlite3 /tmp/look.db "PRAGMA integrity_check"; rm -f /tmp/look.db*' "${2:-$LIVE}")" = ok ]
}

# shellcheck disable=SC2016
# followed NOTE [HOST]: this row is in newest.db
followed() {
	lab run "${2-pi2}" sh -c '[ -e "$0" ] && [ ! -s "$0-wal" ] && sqlite3 "file:$0?immutable=1" "SELECT note FROM spots" | grep -qx "$1"' $NEWEST "$1"
}

role() { pi2 cat $STATE/role; }
owner() { pi2 mirror-head show -f owner; }
unit() { pi2 systemctl is-active flaskapp || true; }

# eventually COMMAND...: it comes true, or two minutes have passed
eventually() {
	local n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 600 ]
		sleep 0.2
	done
}

# faults [LINE...]: how pi2's application will behave
faults() {
	printf '%s\n' "$@" | pi2 sh -c "cat >$APP/data/faults"
}

# standing_by: pi2 is as it was, and says so
standing_by() {
	[ "$(role)" = standby ]
	[ "$(unit)" != active ]
	[ "$(owner)" = pi-ctv ]
	pi2 sh -c "[ -z \"\$(ls $STATE/wanted)\" ]"
	sound pi2
}
