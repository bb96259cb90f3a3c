# dir.bash - for the tests of dbx-ls, dbx-cp and dbx-rm: a Dropbox with /top.txt and /dir/{one,two,three}.txt, whose
# listings come two names a page. Loaded after helper.
# shellcheck shell=bash

setup() {
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/none CTV_BACKOFF=5ms
	dropbox_start --page 2
	cd "$BATS_TEST_TMPDIR" || return
	for name in one two three; do
		echo "$name" >"$name"
		dropbox_seed "$name" "/dir/$name.txt"
	done
	dropbox_seed one /top.txt
}

teardown() {
	dropbox_stop
}

# rev PATH
rev() { dbx-ls --json "$1" | jq -r .rev; }
