#!/usr/bin/env bats
# minutes when Dropbox is away for long, or a disk is full: nothing is lost, nothing begins anew, and it goes on by itself

load helper
load hosts

setup() {
	hosts_start
	export CTV_CHANGES_EVERY=1m
	mkdir pi-ctv/state/changes
	upload >log
	publish
	download >log
	follow
}

teardown() {
	dropbox_stop
}

publish() {
	on pi-ctv publish-changes.sh --once
}

follow() {
	on pi2 follow-changes.sh --once
}

# enter TEXT: a row
enter() {
	sql "$live" "INSERT INTO spots (customer, note) VALUES (1, '$1')"
}

# followed: the standby has what the primary has
followed() {
	[ "$(rows pi2/data/.follow/newest.db)" = "$(rows "$live")" ]
}

@test "Dropbox is away for an hour: each round says so, and when it is back one or two changes hold all of that hour, and no base" {
	root=$DROPBOX_ROOT
	dropbox_stop
	before=$(sha256sum pi2/data/.follow/newest.db "$copy")
	for round in 1 2 3 4; do
		enter "while Dropbox is away, $round"
		run publish
		expect 69
		run follow
		expect 69
	done
	[ "$(sha256sum pi2/data/.follow/newest.db "$copy")" = "$before" ]
	DROPBOX_ROOT=$root dropbox_start
	publish
	publish
	[ "$(on pi-ctv mirror-head show -n -f newest_n)" -le 3 ]
	dropbox_control reset
	follow
	followed
	[ "$(dropbox_log 'select(.route == "files/download" and (.arg | tostring | test("database")))' | wc -l)" -eq 0 ]
	[ "$(dropbox_calls files/download)" -le 3 ]
	# and that was no reason for a base
	[ "$(last pi-ctv upload .base)" = true ]
	upload
	[ "$(last pi-ctv upload .base)" = false ]
}

@test "what is published when the primary's disk has room again is the same chain; the application has noticed nothing" {
	needs_root 'to mount a small file system'
	may_mount
	enter 'on a full disk'
	before=$(sha256sum "$live")
	for round in 1 2; do
		run on_full pi-ctv state/changes publish-changes.sh --once
		expect 74 'state/changes/.*(full|No space left)'
	done
	[ "$(sha256sum "$live")" = "$before" ]
	enter 'and after it'
	run publish
	expect 0 'state 2 is published'
	follow
	followed
}

@test "on a full disk the standby lets go what it followed, keeps what it has installed, and begins again without a download" {
	needs_root 'to mount a small file system'
	may_mount
	enter 'on a full disk'
	publish
	before=$(sha256sum "$copy")
	run on_full pi2 data follow-changes.sh --once
	expect 74 'what was followed has gone'
	[ "$(sha256sum "$copy")" = "$before" ]
	rm -r pi2/data/.follow
	dropbox_control reset
	follow
	followed
	[ "$(dropbox_log 'select(.route == "files/download" and (.arg | tostring | test("database")))' | wc -l)" -eq 0 ]
}
