#!/usr/bin/env bats
# Uptime Kuma on pi2, port 3001, as kuma-import(8) sets it up: what it shows when a host dies. By `make test-kuma`.

load ../lab/lab
load kuma

setup_file() {
	[ -e "$KUMA/package.json" ] || { echo "Uptime Kuma is not there: make test-kuma installs it" >&2; return 1; }
	lab_base
}

teardown_file() {
	lab_base_end
}

setup() {
	lab_new
	SEEN=$BATS_TEST_TMPDIR/seen
	: >"$SEEN"
	there=/usr/src/ctv-mirror${KUMA#"$ROOT"}
	# the page's unit, for the copy of Kuma that is here; and its host asks nobody for a newer version
	sed -n '/^\[Unit\]$/,/^WantedBy=/p' "$ROOT/man/kuma-import.8" |
		sed "s,/opt/uptime-kuma/node_modules/uptime-kuma,$there," | pi2 tee /etc/systemd/system/uptime-kuma.service
	pi2 systemctl enable --now uptime-kuma.service
	within 120 pi2 curl -s -o /dev/null http://127.0.0.1:3001
}

teardown() {
	lab_end
}

# set_up DEFINITION: the page's step 3, on pi2
set_up() {
	pi2 sh -c "cd $there && node /usr/local/lib/ctv-mirror/kuma-import.js $1 http://127.0.0.1:3001 >>/etc/ctv-db-sync.env" \
		<<<"$KUMA_PASSWORD"
	lab run pi2 env -C "$there" KUMA_PASSWORD="$KUMA_PASSWORD" node /usr/src/ctv-mirror/tests/kuma/watch.js \
		http://127.0.0.1:3001 /proc/self/fd/1 >"$SEEN" 2>"$SEEN.log" 3>&- &
	MARK=0
	within 60 beats watch.js UP
}

@test "as installed: all four are up; pi-ctv loses its power, and its monitors are down in two and a half minutes" {
	set_up /usr/local/lib/ctv-mirror/kuma.json
	from_now
	round pi2
	becomes 60 'Pi2 Control Station' UP '^Standby ready'
	becomes 60 'Pi2 Database Sync' UP ' old'
	becomes 70 'Pi-CTV API Endpoint' UP
	becomes 70 'Pi-CTV System Health' UP
	from_now
	lab poweroff pi-ctv
	becomes 150 'Pi-CTV API Endpoint' DOWN
	becomes 150 'Pi-CTV System Health' DOWN
	# and the round of that five minutes
	round pi2
	becomes 60 'Pi2 Control Station' DOWN '^CRITICAL The primary is down'
}

@test "pi2 loses its power and comes back: Kuma is there again, and the first round makes its monitors green" {
	set_up /usr/local/lib/ctv-mirror/kuma.json
	round pi2
	pi2 sync
	lab poweroff pi2
	lab boot pi2
	within 120 pi2 curl -s -o /dev/null http://127.0.0.1:3001
	SEEN=$BATS_TEST_TMPDIR/seen2
	: >"$SEEN"
	lab run pi2 env -C "$there" KUMA_PASSWORD="$KUMA_PASSWORD" node /usr/src/ctv-mirror/tests/kuma/watch.js \
		http://127.0.0.1:3001 /proc/self/fd/1 >"$SEEN" 2>"$SEEN.log" 3>&- &
	MARK=0
	within 60 beats watch.js UP
	from_now
	round pi2
	becomes 60 'Pi2 Control Station' UP '^Standby ready'
}
