#!/usr/bin/env bats
# Debian's rclone works against the local Dropbox over TLS, under Dropbox's own names in a network
# namespace, and it and our tools read each other's files.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	may_mount
	[ -e /etc/hosts ] || skip 'there is no /etc/hosts'
	dropbox_world
	dropbox_start --tls --world
	# an expired access token: rclone has to refresh it first
	cat >rclone.conf <<-END
	[box]
	type = dropbox
	client_id = $DROPBOX_APP_KEY
	client_secret = $DROPBOX_APP_SECRET
	token = {"access_token":"sl.old","token_type":"bearer","refresh_token":"$DROPBOX_REFRESH_TOKEN","expiry":"2020-01-01T00:00:00Z"}
	END
}

teardown() {
	dropbox_stop
}

rc() {
	SSL_CERT_FILE=$DROPBOX_CA_FILE dropbox_inside timeout 60 rclone --config rclone.conf --retries 1 \
		--low-level-retries 3 "$@"
}

@test "rclone: copies a tree up and down, small files and sessions, and finds it the same" {
	mkdir -p tree/sub
	head -c 9000000 /dev/urandom >tree/big.bin
	echo small >'tree/sub/naïve name.txt'
	: >tree/empty
	rc copy --dropbox-chunk-size 4M tree box:tree
	rc check tree box:tree
	rc copy box:tree back
	diff -r tree back
	[ "$(dropbox_calls files/upload_session/append_v2)" -ge 2 ]
	[ "$(dropbox_log 'select(.status == 400)' | wc -l)" = 0 ]
}

@test "rclone: one file at a time without batches" {
	head -c 20000000 /dev/urandom >f
	rc copyto --dropbox-batch-mode off --dropbox-chunk-size 8M f box:f.bin
	rc copyto --dropbox-batch-mode async --dropbox-chunk-size 8M f box:g.bin
	rc copyto box:f.bin f.got
	rc cat box:g.bin --offset 5000000 --count 100 | cmp - <(tail -c +5000001 f | head -c 100)
	cmp f f.got
}

@test "rclone: lists, copies and moves on the server, deletes, tells the space" {
	for i in 1 2 3; do echo "$i" >"f$i"; dropbox_seed "f$i" "/d/f$i"; done
	[ "$(rc lsf box:d)" = $'f1\nf2\nf3' ]
	rc copyto box:d/f1 box:e/copy
	rc moveto box:d/f2 box:e/moved
	rc deletefile box:d/f3
	[ "$(rc lsf -R box: | sort | tr '\n' ' ')" = 'd/ d/f1 e/ e/copy e/moved ' ]
	[ "$(rc hashsum dropbox box:e/moved | cut -d' ' -f1)" = "$(dropbox_api files/get_metadata '{"path":"/e/moved"}' | jq -r .content_hash)" ]
	rc purge box:d
	[ "$(rc lsf box:)" = e/ ]
	rc about box: | grep -q 'Used: *4 B'
	[ "$(dropbox_calls files/download)" = 0 ]
}

@test "rclone: goes on after a rate limit and a server error" {
	echo x >f
	dropbox_fault '[{"route":"files/upload*","kind":"429","retry_after":1},{"route":"files/upload*","kind":"500"}]'
	rc copyto --retries 3 f box:f
	dropbox_get /f | cmp - f
	[ "$(dropbox_control fault | jq -c '[.[].fired]')" = '[1,1]' ]
}

@test "what rclone puts our tools fetch, and the other way round" {
	head -c 9000000 /dev/urandom >f
	rc copyto --dropbox-chunk-size 4M f 'box:theirs ü.bin'
	dropbox_inside dbx-fetch -o theirs '/theirs ü.bin'
	cmp theirs f
	dropbox_inside dbx-put f /ours.bin
	rc copyto box:ours.bin ours
	cmp ours f
	rc check --one-way . box: --include ours.bin
}
