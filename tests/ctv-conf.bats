#!/usr/bin/env bats
# ctv-conf: one setting, as every tool of the suite reads it

load helper

setup() {
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/env
	unset CTV_NODE
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
