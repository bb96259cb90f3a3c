#!/usr/bin/env bats
# ctv-conf: the settings, as every tool of the suite reads them

load helper

setup() {
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/env
	unset CTV_NODE DATABASE_PATH
}

@test "the environment comes before the file, and the file before the default" {
	umask 077
	echo CTV_NODE=pi2 >"$CTV_ENV_FILE"
	run ctv-conf CTV_NODE other
	expect 0 '^pi2$'
	CTV_NODE=here run ctv-conf CTV_NODE other
	expect 0 '^here$'
	run ctv-conf CTV_SERVICE flaskapp.service
	expect 0 '^flaskapp.service$'
}

@test "a credential comes between the environment and the file" {
	umask 077
	echo CTV_NODE=pi2 >"$CTV_ENV_FILE"
	mkdir "$BATS_TEST_TMPDIR/creds"
	echo secret >"$BATS_TEST_TMPDIR/creds/CTV_NODE"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/creds
	run ctv-conf CTV_NODE
	expect 0 '^secret$'
	CTV_NODE=here run ctv-conf CTV_NODE
	expect 0 '^here$'
	: >"$BATS_TEST_TMPDIR/creds/CTV_NODE"
	run ctv-conf CTV_NODE
	expect 0 '^pi2$'
}

@test "a credential that cannot be taken is 78, and the file is not asked instead" {
	umask 077
	echo CTV_NODE=pi2 >"$CTV_ENV_FILE"
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/creds
	local creds=$CREDENTIALS_DIRECTORY
	mkdir -m 0755 "$creds"
	mkdir "$creds/CTV_NODE"
	run ctv-conf CTV_NODE
	expect 78 "^ctv-conf: $creds/CTV_NODE: not a regular file$"
	rmdir "$creds/CTV_NODE"
	ln -s /dev/null "$creds/CTV_NODE"
	run ctv-conf CTV_NODE
	expect 78 "$creds/CTV_NODE: cannot open"
	rm "$creds/CTV_NODE"
	printf 'pi\0002\n' >"$creds/CTV_NODE"
	run ctv-conf CTV_NODE
	expect 78 "$creds/CTV_NODE: holds a NUL byte"
	yes A | head -c 70000 >"$creds/CTV_NODE"
	run ctv-conf CTV_NODE
	expect 78 "$creds/CTV_NODE: larger than 65536 bytes"
	# where the name is no setting's it is not for us
	mv "$creds/CTV_NODE" "$creds/tls.key"
	run ctv-conf CTV_NODE
	expect 0 '^pi2$'
	chmod 0755 "$BATS_TEST_TMPDIR"
	# nobody does not come here from the root
	cd "$BATS_TEST_TMPDIR"
	export CTV_ENV_FILE=none CREDENTIALS_DIRECTORY=creds
	echo secret >"$creds/CTV_NODE"
	chmod 0 "$creds/CTV_NODE"
	run as_nobody ctv-conf CTV_NODE
	expect 78 '^ctv-conf: creds/CTV_NODE: cannot open: Permission denied$'
	chmod 0 "$creds"
	run as_nobody ctv-conf CTV_NODE
	expect 78 '^ctv-conf: creds: cannot open: Permission denied$'
	chmod 0700 "$creds"
}

@test "an empty value is an absent one" {
	umask 077
	echo CTV_NODE= >"$CTV_ENV_FILE"
	CTV_NODE='' run ctv-conf CTV_NODE
	expect 66
	[ -z "$output" ]
}

@test "several names, each with its default: a line each; a value of two lines would shift the others" {
	umask 077
	echo CTV_NODE=pi2 >"$CTV_ENV_FILE"
	run ctv-conf CTV_NODE other CTV_SERVICE '' DATABASE_PATH /db
	expect 0
	[ "$output" = "pi2

/db" ]
	CTV_SERVICE=$'a\nb' run ctv-conf CTV_NODE other CTV_SERVICE ''
	expect 78 'CTV_SERVICE: has more than one line'
	run ctv-conf CTV_NODE a CTV_SERVICE
	expect 64
}

@test "what the file says is never run" {
	umask 077
	# shellcheck disable=SC2016  # it is the file's text
	echo 'CTV_NODE=$(touch '"$BATS_TEST_TMPDIR"'/ran)`id`' >"$CTV_ENV_FILE"
	run ctv-conf CTV_NODE
	expect 0 '^\$\(touch .*\)`id`$'
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "a file that others can read or write is refused with 78 and the remedy" {
	echo CTV_NODE=pi2 >"$CTV_ENV_FILE"
	chmod 0644 "$CTV_ENV_FILE"
	run ctv-conf CTV_NODE
	expect 78 "$CTV_ENV_FILE: holds secrets, but others can read it"
	grep -q "hint: chmod 0640 $CTV_ENV_FILE" <<<"$output"
	chmod 0602 "$CTV_ENV_FILE"
	run ctv-conf CTV_NODE
	expect 78 'others can write it'
}

@test "a line that is no assignment is named by its number" {
	umask 077
	printf 'CTV_NODE=pi2\n# fine\nexport X=1\n' >"$CTV_ENV_FILE"
	run ctv-conf CTV_NODE
	expect 78 'line 3 is not NAME=VALUE'
}

@test "--shell: every setting with its default, and what follows from it; the environment before the file" {
	local node primary standby app live live_dir state max_age warn_age station_url start_timeout min_size remote unit
	umask 077
	echo "CTV_NODE=pi3 # not" >"$CTV_ENV_FILE"
	run ctv-conf --shell
	expect 78 '^ctv-conf: CTV_NODE: pi3 # not: not a name'
	echo 'CTV_NODE=pi3' >"$CTV_ENV_FILE"
	eval "$(CTV_STANDBY_URL=http://x:1/ ctv-conf --shell)"
	[ "$node $standby $primary $unit $remote" = 'pi3 pi3 pi-ctv flaskapp.service /database.db' ]
	[ "$app $state" = '/opt/apps/ctv-bookedbiz-db /var/lib/ctv-mirror' ]
	[ "$live" = "$live_dir/production.db" ]
	[ "$max_age $warn_age $start_timeout $min_size" = '36h 26h 60s 100M' ]
	[ "$station_url" = http://x:5001 ]
	[ -z "${CTV_NODE-}" ]
}

@test "--shell: a value is what it was, whatever is in it" {
	local got_live
	eval "$(DATABASE_PATH="/it's \$(reboot) \`x\` \\ \" é" ctv-conf --shell=got_)"
	[ "$got_live" = "/it's \$(reboot) \`x\` \\ \" é" ]
}

@test "--shell: a secret is never printed, only that it is set" {
	umask 077
	for name in DROPBOX_APP_KEY DROPBOX_APP_SECRET DROPBOX_REFRESH_TOKEN DROPBOX_ACCESS_TOKEN CTV_TEAMS_URL CTV_SLACK_URL \
		CTV_NTFY_URL CTV_NTFY_TOKEN CTV_NTFY_USER CTV_NTFY_PASSWORD CTV_KUMA_URL CTV_KUMA_SYNC_URL CTV_HEALTHCHECKS_URL \
		HTTPS_PROXY ALL_PROXY; do
		echo "$name=https://hidden/"
	done >"$CTV_ENV_FILE"
	run ctv-conf --shell
	expect 0 "^teams_url_set='yes'$"
	[ "$(grep -c "_set='yes'$" <<<"$output")" -eq 13 ]
	[[ $output != *hidden* ]]
	# one that is no address is named, and keeps nothing from beginning
	CTV_SLACK_URL=hidden run ctv-conf --shell
	expect 0 "^wrong_urls='CTV_SLACK_URL'$"
	[[ $output != *hidden* ]]
	ALL_PROXY='ftp://hidden' CTV_NTFY_TOKEN=$'hidden\r' run ctv-conf --shell
	expect 0 "^wrong_urls='CTV_NTFY_TOKEN ALL_PROXY'$"
	[[ $output != *hidden* ]]
}

@test "--shell: every secret of the manual, and every proxy, is told as set or not" {
	mandoc -T utf8 "$ROOT/man/ctv-db-sync.env.5" | sed 's|.\x08||g' |
		grep -oE '\b(DROPBOX_[A-Z_]*TOKEN|CTV_[A-Z_]*(TOKEN|PASSWORD|USER)|CTV_(TEAMS|SLACK|NTFY|KUMA|KUMA_SYNC|HEALTHCHECKS)_URL|(HTTPS|ALL)_PROXY)\b' |
		sort -u >"$BATS_TEST_TMPDIR/manual"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/manual")" -ge 13 ]
	while read -r name; do
		run env "$name=x" CTV_NTFY_PASSWORD=x ctv-conf --shell
		field=${name#DROPBOX_}
		field=${field#CTV_}
		expect 0 "^${field,,}_set='yes'$"
	done <"$BATS_TEST_TMPDIR/manual"
}

@test "--shell: a setting that is not of its kind is named, and no other is told" {
	CTV_MAX_AGE=soon run --separate-stderr ctv-conf --shell
	expect 78 "^standby_url=''$"
	[ "$stderr" = 'ctv-conf: CTV_MAX_AGE: soon: not a duration (digits and ms, s, m, h or d)' ]
	[ -z "$(grep -v "=''$" <<<"$output")" ]
	# an address may hold a password
	CTV_PRIMARY_URL=ftp://u:secret@x run ctv-conf --shell
	expect 78 '^ctv-conf: CTV_PRIMARY_URL: not an http or https URL$'
	[[ $output != *secret* ]]
}

@test "--shell: a place where no database could be installed is none, before a dry run says that it is ready" {
	while IFS='~' read -r path message; do
		DATABASE_PATH=$path run ctv-conf --shell
		expect 78 "^ctv-conf: DATABASE_PATH: $path: $message\$"
	done <<-END
		/d/live.db-wal~SQLite keeps files of its own under such a name
		/d/live-journal~SQLite keeps files of its own under such a name
		/d/live-shm~SQLite keeps files of its own under such a name
		/d/.~not the path of a file
		/d/..~not the path of a file
		/d/$(printf %0201d 0)~has a name of more than 200 bytes
	END
	for path in /d/wal /d/x-wal.db "/d/$(printf %0200d 0)" /d-wal/x.db; do
		DATABASE_PATH=$path run ctv-conf --shell
		expect 0
	done
}

@test "--shell: the database is not to replace the head record, or to be pruned with the backups" {
	for path in /mirror-head.json /Mirror-Head.JSON /mirror-head.json/x /backups /BACKUPS/a.db /changes/20261130/x; do
		DROPBOX_DB_PATH=$path run ctv-conf --shell
		expect 78 "^ctv-conf: DROPBOX_DB_PATH: $path: in the place of the head record, the backups or the changes$"
	done
	for path in /backup.db /backups.db /sub/backups/a.db /changes2/x; do
		DROPBOX_DB_PATH=$path run ctv-conf --shell
		expect 0
	done
}

@test "--shell: a wrong value of what only the minutes need is named, and keeps no failover from beginning" {
	for name in CTV_CHANGES_EVERY CTV_MAX_LAG CTV_MONTHLY_CALLS; do
		run -0 --separate-stderr env "$name=1minute" ctv-conf --shell
		[[ $stderr == "ctv-conf: $name: 1minute: "* ]]
		# nobody asked for the minutes by that
		[ "$name" != CTV_CHANGES_EVERY ] || grep -qx "changes_every=''" <<<"$output"
		grep -qx "max_lag='3600s'" <<<"$output"
		grep -qx "monthly_calls='20000'" <<<"$output"
	done
}

@test "--shell: a wrong value of what only the nightly proof needs is named, and keeps no failover from beginning" {
	run -0 --separate-stderr env CTV_PROVE_EXPECT='/a /n>1; /b' CTV_PROVE_WRITE=write CTV_PROVE_ROLLBACK=on ctv-conf --shell
	[[ $stderr == *"ctv-conf: CTV_PROVE_EXPECT: /a /n>1; /b: number 2: not PATH POINTER OP VALUE, such as"* ]]
	grep -qx "wrong_of_proof='CTV_PROVE_EXPECT CTV_PROVE_WRITE CTV_PROVE_ROLLBACK'" <<<"$output"
	[ "$(grep -cE "^prove_(expect|write|rollback)=''$" <<<"$output")" -eq 3 ]
}

@test "--shell: settings files and credentials that are none" {
	cd "$BATS_TEST_TMPDIR"
	umask 077
	mkdir -p dir credentials/CTV_NODE
	bad_settings_files
	rows=0
	while IFS='~' read -r setting message; do
		run env "$setting" timeout 20 ctv-conf --shell </dev/null
		if [ "$status" -ne 78 ] || [ "${lines[0]}" != "ctv-conf: $message" ]; then
			echo "$setting: $status: $output" >&2
			return 1
		fi
		rows=$((rows + 1))
	done <<'TABLE'
CTV_ENV_FILE=dir~dir: not a regular file
CTV_ENV_FILE=fifo~fifo: not a regular file
CTV_ENV_FILE=/dev/null~/dev/null: not a regular file
CTV_ENV_FILE=file/x~file/x: cannot open: Not a directory
CTV_ENV_FILE=loop~loop: cannot open: Too many levels of symbolic links
CTV_ENV_FILE=readable~readable: holds secrets, but others can read it
CTV_ENV_FILE=writable~writable: holds secrets, but others can write it
CTV_ENV_FILE=line~line: line 1 is not NAME=VALUE
CTV_ENV_FILE=quote~quote: line 1 is not NAME=VALUE
CTV_ENV_FILE=nul~nul: line 1 is not NAME=VALUE
CTV_ENV_FILE=bom~bom: begins with a byte order mark, which makes the first line no NAME=VALUE
CTV_ENV_FILE=huge~huge: larger than 65536 bytes
CREDENTIALS_DIRECTORY=credentials~credentials/CTV_NODE: not a regular file
TABLE
	[ "$rows" -eq 13 ]
}

@test "--shell: command lines that are none" {
	run ctv-conf --shell CTV_NODE
	expect 64 'CTV_NODE: --shell takes no NAME'
	for prefix in X 1x 'a b' "a'" a-b é; do
		run ctv-conf --shell="$prefix"
		expect 64 "^ctv-conf: --shell.* not the beginning of a name"
		[[ $output != *=\'* ]]
	done
}

@test "--shell: every byte but NUL comes through sh as it was" {
	cd "$BATS_TEST_TMPDIR"
	# those that take a list of tables apart, and its patterns, are in no table's name
	LC_ALL=C awk 'BEGIN { for (i = 1; i < 256; i++) if (i != 9 && i != 10 && !index(" ,*?[:", sprintf("%c", i))) printf "%c", i }' >bytes
	[ "$(wc -c <bytes)" -eq 247 ]
	# shellcheck disable=SC2016  # the inner shell expands
	LC_ALL=C CTV_REQUIRE_TABLES=$(cat bytes) sh -c 'answer=$(ctv-conf --shell) && eval "$answer" && printf %s "$tables"' >back
	cmp bytes back
}

@test "a standby of the primary's name is refused: two hosts would be the owner in the head record" {
	cd "$BATS_TEST_TMPDIR"
	mkdir state
	export CTV_STATE_DIR=$PWD/state CTV_NODE=pi-ctv
	run -0 ctv-conf --shell
	for role in standby active; do
		echo $role >state/role
		run -78 ctv-conf --shell
		expect 78 "^ctv-conf: CTV_NODE: pi-ctv is the primary's name, and this host is the standby$"
		expect 78 '^hint: CTV_NODE=pi2, or another name of its own, in '
	done
	echo primary >state/role
	run -0 ctv-conf --shell
	rm state/role
	mkfifo state/role
	run -0 timeout 5 ctv-conf --shell
	export CTV_NODE=pi2
	rm state/role
	echo standby >state/role
	run -0 ctv-conf --shell
}

@test "a primary of the standby's name is refused as well, and one of another name where it is not called the primary" {
	cd "$BATS_TEST_TMPDIR"
	mkdir state
	echo primary >state/role
	export CTV_STATE_DIR=$PWD/state
	for node in pi2 web; do
		CTV_NODE=$node run -78 ctv-conf --shell
		expect 78 "^ctv-conf: CTV_NODE: $node is not the primary's name, and this host is the primary$"
		expect 78 '^hint: CTV_NODE=pi-ctv in .*; a primary of another name is CTV_PRIMARY_NODE on both hosts$'
	done
	CTV_NODE=web CTV_PRIMARY_NODE=web run -0 ctv-conf --shell
	# without a name it publishes nothing, as ever
	run -0 ctv-conf --shell
	echo primary-of-old >state/role
	CTV_NODE=pi2 run -0 ctv-conf --shell
}
