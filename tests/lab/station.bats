#!/usr/bin/env bats
# The status page as a host serves it: real rounds under systemd, lighttpd on port 5001, and the primary's watch.

load lab

setup_file() {
	lab_hosts lab
	[ -z "$LAB_WHY" ] || return 0
	night
	round pi2
}

teardown_file() {
	[ -n "${LAB_WHY-}" ] || lab down
}

setup() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
	PAGE=http://100.96.96.109:5001
}

# get PATH [OPTION...]: from the office; the body in body, the status printed
get() {
	office curl -s -m 20 --path-as-is -o "$BATS_TEST_TMPDIR/body" -w '%{http_code} %{content_type}\n' "${@:2}" "$PAGE$1"
}
status() { get /status.json >/dev/null && jq -r "$1" "$BATS_TEST_TMPDIR/body"; }

@test "after a night the page says that the standby is ready: HTML, JSON, metrics, a verdict by status code" {
	[ "$(get /)" = '200 text/html; charset=utf-8' ]
	grep -q 'Standby ready. The primary is serving.' "$BATS_TEST_TMPDIR/body"
	[ "$(get /status.json)" = '200 application/json' ]
	jq -r '.failover.checks[] | select(.state != "ok")' "$BATS_TEST_TMPDIR/body"
	[ "$(status '.overall, .failover.ready, .sync.download.result' | paste -sd' ')" = 'ok true ok' ]
	[ "$(status .sync.download.next_run_at)" != null ]
	[ "$(get /ctv.prom)" = '200 text/plain; version=0.0.4; charset=utf-8' ]
	[ "$(get /ready)" = '200 text/plain; charset=utf-8' ]
	pi2 systemctl is-active ctv-status.timer ctv-status.path control-station.service
}

@test "headers: a kept copy is asked for again, nothing is guessed, nothing is said about the server" {
	office curl -s -m 20 -D "$BATS_TEST_TMPDIR/head" -o "$BATS_TEST_TMPDIR/body" $PAGE/
	for line in 'Cache-Control: no-cache' 'X-Content-Type-Options: nosniff' 'ETag: '; do
		grep -qi "^$line" "$BATS_TEST_TMPDIR/head"
	done
	run grep -qi '^Server:' "$BATS_TEST_TMPDIR/head"
	expect 1
	# in between may be a round, and another page
	unchanged() {
		get / -D "$BATS_TEST_TMPDIR/head" >/dev/null
		tag=$(sed -n 's/^[Ee][Tt]ag: \(.*\)\r$/\1/p' "$BATS_TEST_TMPDIR/head")
		[ -n "$tag" ] && [[ $(get / -H "If-None-Match: $tag") == 304* ]]
	}
	eventually unchanged
}

@test "a page that was asked for and is replaced in the same moment is served as it is now" {
	# no round writes its own there
	pi2 systemctl stop ctv-status.timer
	round pi2
	for n in 1 2 3; do
		get /ctv.prom
		pi2 sh -c "cd /run/ctv-mirror/www && echo $n >new && mv new ctv.prom"
		get /ctv.prom
		[ "$(cat "$BATS_TEST_TMPDIR/body")" = $n ]
	done
	pi2 systemctl start ctv-status.timer
	round pi2
}

@test "nothing else is served: other names, dot files, directories, the way up, other methods" {
	pi2 sh -c 'cd /run/ctv-mirror/www && echo secret >.hidden && mkdir -p sub && echo secret >other.json && ln -sf /etc/passwd link'
	for path in /.hidden /sub /sub/ /other.json /link /../lock /../../../etc/passwd /%2e%2e/lock /..%2flock //status.json \
		/index.html/ /status.json%00.html /?C=M /~root/; do
		answer=$(get "$path")
		case $path in
		'/?C=M' | //status.json) [ "${answer%% *}" = 200 ] ;; # the page itself
		*) [[ $answer == 40[034]* ]] || { echo "$path: $answer" >&2; false; } ;;
		esac
		run grep -c 'secret\|root:' "$BATS_TEST_TMPDIR/body"
		expect 1
	done
	for method in POST PUT DELETE OPTIONS TRACE PROPFIND; do
		answer=$(get / -X $method)
		[[ $answer == 40[35]* || $answer == 411* ]] || { echo "$method: $answer" >&2; false; }
	done
	answer=$(get / -X POST --data-binary @/bin/sh)
	[[ $answer == 4* || $answer == 000* ]]
	[ "$(office curl -s -I -m 20 $PAGE/ | head -n 1 | tr -d '\r')" = 'HTTP/1.1 200 OK' ]
	pi2 rm -rf /run/ctv-mirror/www/.hidden /run/ctv-mirror/www/sub /run/ctv-mirror/www/other.json /run/ctv-mirror/www/link
}

@test "the server is no root, may write nowhere, and cannot see the token or the database" {
	pid=$(pi2 systemctl show -P MainPID control-station.service)
	[ "$(pi2 stat -c %U /proc/"$pid")" != root ]
	uid=$(pi2 stat -c %u /proc/"$pid")
	for path in /etc/ctv-db-sync.env $STATE/role $APP/seed.py; do
		run pi2 nsenter -t "$pid" -m -- setpriv --reuid "$uid" --regid "$uid" --clear-groups head -c 1 $path
		expect 1 'Permission denied'
	done
	for dir in /run/ctv-mirror/www /etc /usr /opt; do
		run pi2 nsenter -t "$pid" -m -- setpriv --reuid "$uid" --regid "$uid" --clear-groups touch $dir/x
		expect 1 'Read-only file system|Permission denied'
	done
	pi2 grep -q '^CapEff:.0*$' /proc/"$pid"/status
}

@test "when it dies it is there again" {
	pid=$(pi2 systemctl show -P MainPID control-station.service)
	pi2 kill -9 "$pid"
	again() { [ "$(get /)" = '200 text/html; charset=utf-8' ]; }
	eventually again
}

@test "a job's end is on the page at once, not at the next round" {
	pi2 systemctl stop ctv-status.timer
	was=$(status .sync.download.last_run_at)
	lab run pi-ctv systemctl start ctv-db-sync.service
	pi2 systemctl start ctv-pi2-download.service
	newer() { now=$(status .sync.download.last_run_at) && [ "$now" != "$was" ] && [ "$now" != null ]; }
	eventually newer
	pi2 systemctl start ctv-status.timer
}

@test "the role is on the page at once" {
	pi2 systemctl stop ctv-status.timer
	pi2 sh -c "echo active >$STATE/role; : >$STATE/news"
	active() { [ "$(status .failover.active)" = true ]; }
	eventually active
	[ "$(get /ready)" != '200 text/plain; charset=utf-8' ]
	pi2 sh -c "echo standby >$STATE/role; : >$STATE/news"
	passive() { [ "$(status .failover.active)" = false ]; }
	eventually passive
	pi2 systemctl start ctv-status.timer
}

@test "a change during a round is for another round" {
	pi2 systemctl stop ctv-status.timer
	# a round that has begun, and waits for the lock that is taken here, would leave the file to nobody
	eventually seen pi2
	pi2 timeout 60 flock /run/ctv-mirror sh -c "touch $STATE/news; while [ -e $STATE/news ]; do sleep 0.1; done; touch $STATE/news"
	eventually seen pi2
	pi2 systemctl start ctv-status.timer
}

@test "the rounds themselves never fail, and run in the sandbox" {
	[ "$(pi2 systemctl show -P Result ctv-status.service)" = success ]
	[ "$(lab run pi-ctv systemctl show -P Result ctv-status.service)" = success ]
	# alerts are in the journal too, such as that of a host without a database; these are systemd's complaints
	run pi2 journalctl -q --no-pager -u ctv-status.service -t systemd -p warning
	[ -z "$output" ] || { pi2 journalctl -q --no-pager -u ctv-status.service; false; }
}

@test "rounds that cannot begin do not follow each other for ever; after one that can, news is seen again" {
	pi2 systemctl stop ctv-status.timer
	pi2 sh -c 'mkdir -p /run/systemd/system/ctv-status.service.d && cd /run/systemd/system/ctv-status.service.d &&
		printf "[Service]\nReadWritePaths=/nonexistent\n" >broken.conf && systemctl daemon-reload'
	pi2 touch $STATE/news
	refused() { [ "$(pi2 systemctl show -P Result ctv-status.path)" = trigger-limit-hit ]; }
	eventually refused
	[ "$(pi2 systemctl show -P Result ctv-status.service)" != start-limit-hit ]
	# as after the ten minutes of the limit, which Debian 13's systemd counts through a reload
	pi2 sh -c 'rm /run/systemd/system/ctv-status.service.d/broken.conf && mkdir -p /run/systemd/system/ctv-status.path.d &&
		printf "[Path]\nTriggerLimitIntervalSec=1ms\n" >/run/systemd/system/ctv-status.path.d/later.conf && systemctl daemon-reload'
	round pi2
	pi2 touch $STATE/news
	taken() { pi2 sh -c "[ ! -e $STATE/news ]"; }
	eventually taken
	pi2 sh -c 'rm /run/systemd/system/ctv-status.path.d/later.conf && systemctl daemon-reload && systemctl start ctv-status.timer'
}

@test "after a boot there is no page of yesterday, and a new one soon" {
	lab reboot pi2
	there() { [ "$(status .overall)" != unknown ] && [ "$(get /)" = '200 text/html; charset=utf-8' ]; }
	eventually there
	booted=$(pi2 stat -c %Y /run/boot_id)
	[ "$(pi2 date -d "$(status .generated_at)" +%s)" -ge "$booted" ]
}
