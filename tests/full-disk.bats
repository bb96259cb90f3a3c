# A disk that is full, really: what cannot be written there ends nothing, or ends with the disk's name

load helper
load hosts

setup() {
	needs_root 'to mount a small file system'
	may_mount
	hosts_night
	export CTV_MIN_SIZE=20K
	sqlite3 "$live" "INSERT INTO customers VALUES (3, 'three')"
	echo inactive >unit
	stub svc-ctl <<-'END'
		while [ $# -gt 2 ]; do shift; done
		case $1 in
		start) echo active >"$BATS_TEST_TMPDIR/unit" ;;
		stop) echo inactive >"$BATS_TEST_TMPDIR/unit" ;;
		is-active) cat "$BATS_TEST_TMPDIR/unit"; grep -qx active "$BATS_TEST_TMPDIR/unit" || exit 3 ;;
		esac
	END
	stub http-probe <<-'END'
		echo 'HTTP OK: it answers'
	END
}

teardown() {
	dropbox_stop
}

@test "a log that takes no more ends nothing: upload, download, failover, failback" {
	run on_full pi-ctv log daily-upload.sh
	expect 0 '^published: '
	run on_full pi2 log daily-download.sh
	expect 0 '^the newest copy is installed: '
	run on_full pi2 log failover-to-pi2.sh --force
	expect 0 '^FAILOVER COMPLETE'
	run on_full pi2 log failback-to-pi-ctv.sh
	expect 0 '^FAILBACK COMPLETE'
}

@test "a state directory without room ends the run before it changes anything, with 74 and the file's name" {
	before=$(sha256sum "$copy" pi2/state/installed.json)
	run on_full pi-ctv state daily-upload.sh
	expect 74 'pi-ctv/state/last-upload.json: cannot write'
	for script in daily-download.sh 'failover-to-pi2.sh --force' failback-to-pi-ctv.sh; do
		# shellcheck disable=SC2086  # words
		run on_full pi2 state $script
		expect 74 'pi2/state/last-[a-z]*.json: cannot write'
	done
	[ "$(sha256sum "$copy" pi2/state/installed.json)" = "$before" ]
	[ "$(cat pi2/state/role unit)" = $'standby\ninactive' ]
}
