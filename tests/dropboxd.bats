#!/usr/bin/env bats
# The local Dropbox itself: it refuses what Dropbox refuses, answers as it answers, fails as it fails.

load helper

setup() {
	dropbox_start
}

teardown() {
	dropbox_stop
}

@test "a file put there comes back byte for byte" {
	head -c 5000000 /dev/urandom >"$BATS_TEST_TMPDIR/f"
	dropbox_seed "$BATS_TEST_TMPDIR/f" /d/f.bin
	dropbox_get /d/f.bin | cmp - "$BATS_TEST_TMPDIR/f"
}
