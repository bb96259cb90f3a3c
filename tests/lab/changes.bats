#!/usr/bin/env bats
# Minute by minute, as it is installed: the primary's unit publishes what the application has accepted, the standby's unit
# follows, and neither asks anybody for it.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; minutes; }
teardown() { lab_end; }

state_of() { pi2 mirror-head show --shell=head_ | sed -n "s/^head_$1='\(.*\)'/\1/p"; }
confirmed_after() { [[ $(state_of confirmed_at) > $1 ]]; }

@test "what is entered is on the standby soon; the primary dies, and what was entered before it last confirmed is there" {
	enter $PRIMARY first
	eventually followed first
	[ "$(pi2 jq -r .n $STATE/installed.json)" != "$(state_of newest_n)" ]
	# under load, until the plug is pulled
	for n in $(seq 40); do
		enter $PRIMARY "row $n"
		date -u +%FT%TZ
	done >"$BATS_TEST_TMPDIR/accepted"
	eventually confirmed_after "$(sed -n 20p "$BATS_TEST_TMPDIR/accepted")"
	lab poweroff pi-ctv
	confirmed=$(state_of confirmed_at)
	caught_up() { [ "$(pi2 db-apply --show --json $NEWEST | jq .n)" = "$(state_of newest_n)" ]; }
	eventually caught_up
	n=0
	while read -r when; do
		n=$((n + 1))
		[[ $when < $confirmed ]] || break
		followed "row $n"
	done <"$BATS_TEST_TMPDIR/accepted"
	[ $n -ge 20 ]
	sound pi2 $NEWEST
}

@test "the night is a state of the chain, which the standby has already; a failover is as ever, and the follower waits" {
	enter $PRIMARY first
	eventually followed first
	enter $PRIMARY before-the-night
	upload
	night_is_here() { pi2 test -e ${NEWEST%/*}/night.db; }
	eventually night_is_here
	download
	notes pi2 | grep -x before-the-night
	[ "$(pi2 jq -r .result $STATE/last-download.json)" = ok ]
	pi2 jq -e .n $STATE/installed.json
	run ! night_is_here
	# minutes go on behind it
	enter $PRIMARY after-the-night
	eventually followed after-the-night
	lab poweroff pi-ctv
	run failover -y
	expect 0
	serving $STANDBY
	enter $STANDBY here
	notes pi2 | grep -x here
	pi2 systemctl start ctv-follow.service
	sound pi2
}

@test "the plug is pulled on both, again and again, while rows are entered: one chain, and nothing accepted is missing in the end" {
	enter $PRIMARY first
	eventually followed first
	for n in 1 2 3; do
		enter $PRIMARY "round $n"
		lab poweroff pi-ctv
		lab poweroff pi2
		lab boot pi-ctv pi2
		serving $PRIMARY
		enter $PRIMARY "after $n"
		eventually followed "after $n"
	done
	lab run pi-ctv systemctl stop flaskapp.service
	enough() { [ "$(pi2 sqlite3 "file:$NEWEST?immutable=1" 'SELECT group_concat(note) FROM spots')" = "$(lab run pi-ctv sqlite3 $LIVE 'SELECT group_concat(note) FROM spots')" ]; }
	eventually enough
	sound pi2 $NEWEST
}

@test "Dropbox is away, and back: people are told of the lag and of its end, the minutes go on by themselves, and nothing accepted is missing" {
	pi2 sh -c 'echo CTV_MAX_LAG=30s >>/etc/ctv-db-sync.env'
	enter $PRIMARY first
	eventually followed first
	begun() { [ "$(pi2 journalctl -q -o cat -u ctv-follow.service -g 'begins with the base' | wc -l)" -eq 1 ]; }
	# a round's words come at its end
	eventually begun
	# nor does the record of the run that made the base stand before its end
	eventually idle pi-ctv ctv-db-sync.service
	base=$(lab run pi-ctv cat $STATE/last-upload.json)
	lagging() { round pi2; pi2 alert-post --list | grep 'data-lag'; }
	run ! lagging
	lab cut dropbox
	enter $PRIMARY 'while it is away'
	eventually lagging
	enter $PRIMARY 'late, while it is away'
	lab join dropbox
	eventually followed 'late, while it is away'
	followed 'while it is away'
	in_time() { ! lagging; }
	eventually in_time
	# it is the same chain: no base was made, and none fetched
	[ "$(lab run pi-ctv cat $STATE/last-upload.json)" = "$base" ]
	begun
	for unit in pi-ctv:ctv-publish pi2:ctv-follow; do
		[ "$(lab run ${unit%:*} systemctl show -P NRestarts "${unit#*:}.service")" = 0 ]
	done
	enter $PRIMARY 'and on'
	eventually followed 'and on'
	sound pi2 $NEWEST
}
