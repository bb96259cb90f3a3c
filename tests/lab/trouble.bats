#!/usr/bin/env bats
# What goes wrong around the minutes and the nights, on two hosts with real systemd: a clock, a disk, a standby that was off, an
# owner who loses the record in the middle of a publication. People are told, nothing is lost, and it goes on by itself.

load lab

setup_file() { lab_minutes; }
teardown_file() { lab_base_end; }
setup() { lab_minutes_new; }
teardown() { lab_end; }

# the controls of the helper reach the lab's Dropbox from the office
DROPBOX_API_URL=https://100.64.0.10:443
dropbox_inside() { DROPBOX_CA_FILE='' office "$@" --cacert "$LAB/ca.crt"; }

primary() { lab run pi-ctv "$@"; }

# a_day_on HOST: on or off, its clock is a day ahead from now on, or from the time of LIKE on (clock.c)
a_day_on() {
	local disk=$LAB/$1/upper
	if lab run "$1" true 2>/dev/null; then
		lab run "$1" sh -c 'cat >/usr/local/lib/lab-clock.so && echo /usr/local/lib/lab-clock.so >/etc/ld.so.preload' <"$ROOT/build/lab-clock.so"
	else
		cp "$ROOT/build/lab-clock.so" "$disk/usr/local/lib/"
		cp -p "$LAB/$2/upper/etc/ld.so.preload" "$disk/etc/"
	fi
}

# right_again HOST: its clock is, after a boot, and what was written meanwhile has the time that it had then
right_again() {
	local disk=$LAB/$1/upper since time file
	lab poweroff "$1"
	since=$(stat -c %Y "$disk/etc/ld.so.preload")
	rm "$disk/etc/ld.so.preload"
	find "$disk$STATE" "$disk$DATA" -newermt "@$since" -printf '%T@ %p\n' | while read -r time file; do
		touch -d "@$((${time%.*} + 86400)).${time#*.}" "$file"
	done
	lab boot "$1"
}

# on_disk HOST DIR: what is there is on a small disk of its own, until the next boot
on_disk() {
	lab run "$1" sh -c 'cp -a "$0" /root/was && mount -t tmpfs -o size=600m none "$0" &&
		chmod --reference=/root/was "$0" && chown --reference=/root/was "$0" && cp -a /root/was/. "$0"' "$2"
}

# room HOST DIR KIB: so much of that disk is free
room() {
	lab run "$1" sh -c 'mount -o remount,size=$(($(df --output=used -k "$0" | tail -n 1) + $1))k "$0"' "$2" "$3"
}

# hasty HOST: what waits there for minutes before it tries again waits for seconds
hasty() {
	lab run "$1" sh -c 'cat >/usr/local/bin/sleep && chmod 755 /usr/local/bin/sleep' <<-'END'
		#!/bin/sh
		case $1 in *m) set -- 3s ;; esac
		exec /bin/sleep "$1"
	END
}

# told HOST [TEXT]: what stands of the alerts, with that in it
told() { lab run "$1" alert-post --list | grep -e "${2-}"; }

newest() { pi2 mirror-head show -f "newest_$1"; }
bases() { dropbox_log 'select(.route == "files/download" and .out > 1000000)' | wc -l; }

@test "a primary whose clock is a day ahead, and right again: its clock is named, minutes and nights go on, nothing is refused and no base is made" {
	a_day_on pi-ctv
	dropbox_control reset
	enter $PRIMARY ahead
	eventually followed ahead
	[[ $(newest snapshot_at) > $(date -u -d '+23 hours' +%FT%TZ) ]]
	upload
	# it is installed, and what is wrong with it is told
	run download
	expect 1 'production.db is 2[34]h[0-9]*m in the future'
	notes pi2 | grep -qx ahead
	round pi2
	told pi2 clock-wrong
	run told pi2 'data-lag\|standby-issue\|ctv-follow'
	expect 1
	# to that host the standby is as alive as ever
	round pi-ctv
	run told pi-ctv
	expect 1
	enter $PRIMARY 'after its night'
	eventually followed 'after its night'
	run failover --dry-run
	expect 0 'would take newest.db'
	expect 0 'data from the future .*: a clock is wrong, and what will be lost cannot be told'
	expect 0 "the clock of pi-ctv is 2[34]h[0-9]*m ahead, says Dropbox's"
	run ! grep 'lose what' <<<"$output"

	right_again pi-ctv
	serving $PRIMARY
	enter $PRIMARY right
	eventually followed right
	[[ $(newest snapshot_at) < $(date -u -d '+1 hour' +%FT%TZ) ]]
	round pi2
	run told pi2 clock-wrong
	expect 1
	night
	notes pi2 | grep -qx right
	enter $PRIMARY 'after the right night'
	eventually followed 'after the right night'
	for host in pi-ctv pi2; do
		round $host
		run told $host
		expect 1
	done
	[ "$(bases)" -eq 0 ]
	[ "$(primary jq .base $STATE/last-upload.json)" = false ]
	sound pi2
}

@test "a disk is full, the standby's and then the primary's: people are told, what serves is as it was, and with room again it goes on by itself, without a hole" {
	pi2 systemctl stop ctv-follow.service
	on_disk pi2 $DATA
	pi2 installed-check --record $STATE/installed.json $LIVE
	pi2 systemctl start ctv-follow.service
	enter $PRIMARY 'while there is room'
	eventually followed 'while there is room'
	dropbox_control reset
	before=$(pi2 sha256sum $LIVE)
	room pi2 $DATA 100000
	enter $PRIMARY 'on a full disk'
	eventually told pi2 'ctv-follow.service .*what was followed has gone, so that the night finds room'
	pi2 test ! -e $NEWEST
	run drill
	expect 0 'the drill has passed'
	[ "$(pi2 sha256sum $LIVE)" = "$before" ]
	# nor does the night find any
	room pi2 $DATA 1000
	upload
	run download
	expect 1 'No space left on device'
	round pi2
	told pi2 'ctv-pi2-download.service'
	[ "$(pi2 sha256sum $LIVE)" = "$before" ]
	sound pi2
	run failover --dry-run
	expect 74 'not ready: .* KiB free.*make room'
	room pi2 $DATA 600000
	enter $PRIMARY 'with room again'
	eventually followed 'with room again'
	followed 'on a full disk'
	download
	notes pi2 | grep -qx 'on a full disk'
	round pi2
	run told pi2
	expect 1
	[ "$(bases)" -le 1 ]

	hasty pi-ctv
	primary systemctl stop ctv-publish.service ctv-status.timer
	on_disk pi-ctv $STATE
	primary systemctl start ctv-publish.service
	enter $PRIMARY 'on another disk'
	eventually followed 'on another disk'
	n=$(newest n) base=$(primary jq -r .finished_at $STATE/last-upload.json)
	room pi-ctv $STATE 0
	enter $PRIMARY 'of a full primary'
	eventually told pi-ctv 'ctv-publish.service .*what changes is not published'
	primary journalctl -q -o cat -u ctv-publish.service -g 'No space left on device'
	for row in 1 2 3; do enter $PRIMARY "of a full primary $row"; done
	run ! followed 'of a full primary'
	room pi-ctv $STATE 100000
	eventually followed 'of a full primary 3'
	for row in '' ' 1' ' 2'; do followed "of a full primary$row"; done
	enter $PRIMARY 'with room again, too'
	eventually followed 'with room again, too'
	run told pi-ctv
	expect 1
	[ "$(newest n)" -le $((n + 3)) ]
	[ "$(primary jq -r .finished_at $STATE/last-upload.json)" = "$base" ]
	[ "$(bases)" -le 1 ]
}

@test "a standby that was off for a day has the night and the minutes by itself, with one download of the base at most, and alarms nobody" {
	lab poweroff pi2
	# the day, of all three clocks; the timer of the night was missed
	a_day_on pi-ctv
	a_day_on pi2 pi-ctv
	touch -d '-1 day' "$LAB/pi2/upper/var/lib/systemd/timers/stamp-ctv-pi2-download.timer"
	dropbox_control clock '{"advance":86400}'
	for n in 1 2 3; do
		was=$(primary mirror-head show -f newest_n)
		enter $PRIMARY "minute $n"
		published() { [ "$(primary mirror-head show -f newest_n)" -gt "$was" ]; }
		eventually published
	done
	upload
	night=$(primary mirror-head show -f n)
	enter $PRIMARY 'after the night'
	published() { [ "$(primary mirror-head show -f newest_n)" -gt "$night" ]; }
	eventually published
	dropbox_control reset
	lab boot pi2
	eventually followed 'after the night'
	taken() { [ "$(pi2 jq .n $STATE/installed.json)" = "$night" ]; }
	eventually taken
	eventually idle pi2 ctv-pi2-download.service
	notes pi2 | grep -qx 'minute 3'
	[ "$(bases)" -le 1 ]
	for host in pi-ctv pi2; do
		round $host
		run told $host
		expect 1
	done
	# nor was anything to be told since the boot
	[ -z "$(pi2 find $STATE/alerts -type f ! -name '.*' -newer /run/boot_id)" ]
	[ "$(pi2 jq -r .lag.state /run/ctv-mirror/www/status.json)" = ok ]
}

@test "fenced in the middle of a change and of a night: neither is put on record, both are told, and after the failback minutes go on without a download of the base" {
	dropbox_fault '[{"route":"files/upload*","match":"/changes/","kind":"stall","after":1},{"route":"files/upload*","match":"/database.db","kind":"stall"}]'
	enter $PRIMARY 'of the night'
	primary systemctl start --no-block ctv-db-sync.service
	dropbox_control wait '{"stalled":1}' >/dev/null
	enter $PRIMARY 'of the minute'
	dropbox_control wait '{"stalled":2}' >/dev/null
	lab cut pi-ctv pi2
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$(owner)" = pi2 ]
	enter $STANDBY 'on pi2'
	head=$(pi2 mirror-head show)
	dropbox_control release >/dev/null
	refused() { primary journalctl -q -o cat -u "$1" -g 'is fenced|must not publish'; }
	eventually refused ctv-publish.service
	eventually refused ctv-db-sync.service
	eventually idle pi-ctv ctv-db-sync.service
	[ "$(pi2 mirror-head show)" = "$head" ]
	round pi-ctv
	told pi-ctv 'head-record .*pi-ctv is fenced'
	told pi-ctv ctv-db-sync.service
	lab join pi-ctv pi2
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	dropbox_control reset
	enter $PRIMARY after
	eventually followed after
	followed 'of the night'
	followed 'of the minute'
	run ! followed 'on pi2'
	[ "$(bases)" -eq 0 ]
	night
	notes pi2 | grep -qx after
	round pi-ctv
	run told pi-ctv
	expect 1
}
