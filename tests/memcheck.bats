#!/usr/bin/env bats
# The ordinary run of the tools under valgrind: no wrong access, no use of what was never set, no leak

load helper
load sqlite

setup() {
	unsanitized
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/none
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	dropbox_stop
}

# check COMMAND...: ends with 0, and valgrind with nothing to say
check() {
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
		--log-file=valgrind "$@" >out
	# Debian 12's does not know openat2(2), number 437 everywhere; a tool that is told so opens part by part
	sed -i '/unhandled .*-linux syscall: 437$/,/bug_reports\.html/d' valgrind
	[ ! -s valgrind ] || { cat valgrind >&2; false; }
}

@test "memcheck: the tools of databases" {
	make_db a.db wal
	check db-snapshot --json a.db new.db
	check db-verify -l full --table t:300 new.db
	make_db live.db
	check db-install --json new.db live.db
	check age-check live.db
	sides live.db
}

@test "memcheck: the tools of Dropbox" {
	dropbox_start
	head -c 17000000 /dev/urandom >f	# a session, of two pieces
	check dbx-put -f --json f /dir/f
	check dbx-put - /dir/stream <f
	check dbx-fetch --json -o got /dir/f
	check dbx-fetch /dir/stream
	cmp out f
	check dbx-ls -l -R /
	check dbx-cp -f /dir/f /dir/stream
	check dbx-rm /dir/stream
	check dbx-auth whoami
}

@test "memcheck: the head record, the settings, the status page" {
	dropbox_start
	make_db a.db
	dbx-put --json a.db /database.db >put.json
	check mirror-head publish --owner pi-ctv <put.json
	check mirror-head show
	check mirror-head claim --owner pi2
	check http-probe --json --expect /ok=true "$DROPBOX_API_URL/control/reset"
	check ctv-conf CTV_NODE pi2
	mkdir www
	age-check --json a.db | jq -c '. + {id: "age"}' | check status-render -o www
}
