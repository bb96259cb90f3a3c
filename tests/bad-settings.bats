#!/usr/bin/env bats
# Bad settings and bad command lines of the scripts: the exit status, and a message that names what is wrong, before
# anything is done.

load helper
load hosts

setup() {
	rows=0
	cd "$BATS_TEST_TMPDIR" || return
	umask 077
	mkdir -p pi2/data pi2/state dir credentials/CTV_NODE
	bad_settings_files
	# nothing is asked, nothing is told: no port of these is open
	export CTV_PRIMARY_URL=http://127.0.0.1:9 CTV_STANDBY_URL=http://127.0.0.1:9 DROPBOX_API_URL=http://127.0.0.1:9
	export DROPBOX_CONTENT_URL=http://127.0.0.1:9 DROPBOX_ACCESS_TOKEN=x CTV_BACKOFF=1ms
}

# called SCRIPT: each line of standard input is arguments, as a shell takes them, ~ and a part of the message
called() {
	local args message
	while IFS='~' read -r args message; do
		eval "run on pi2 $1 $args" </dev/null
		if [ "$status" -ne 64 ] || [[ ${lines[0]} != "$1: "*"$message"* ]] || [ "${lines[1]}" != "hint: $1 --help" ] ||
			[ "${#lines[@]}" -ne 2 ]; then
			printf '%s %s: status %s\n%s\n' "$1" "$args" "$status" "$output" >&2
			return 1
		fi
		rows=$((rows + 1))
	done
}

# with SCRIPT [ARG...]: each line of standard input is a status, settings, as a shell takes them, and a pattern of the
# answer's first line
with() {
	local code setting message
	while IFS='~' read -r code setting message; do
		eval "run on pi2 $setting timeout 20 $* </dev/null"
		# shellcheck disable=SC2053  # a pattern
		if [ "$status" -ne "$code" ] || [[ ${lines[0]} != ${message/SCRIPT/$1} ]]; then
			printf '%s with %s: status %s\n%s\n' "$1" "$setting" "$status" "$output" >&2
			return 1
		fi
		rows=$((rows + 1))
	done
}

# bad_file PROGRAM: settings files that are none, as that program names them
bad_file() {
	sed "s/^/78~/; s/PROGRAM/$1/" <<'TABLE'
CTV_ENV_FILE=dir~PROGRAM: dir: not a regular file
CTV_ENV_FILE=fifo~PROGRAM: fifo: not a regular file
CTV_ENV_FILE=/dev/null~PROGRAM: /dev/null: not a regular file
CTV_ENV_FILE=file/x~PROGRAM: file/x: cannot open: Not a directory
CTV_ENV_FILE=loop~PROGRAM: loop: cannot open: Too many levels of symbolic links
CTV_ENV_FILE=readable~PROGRAM: readable: holds secrets, but others can read it
CTV_ENV_FILE=writable~PROGRAM: writable: holds secrets, but others can write it
CTV_ENV_FILE=line~PROGRAM: line: line 1 is not NAME=VALUE
CTV_ENV_FILE=quote~PROGRAM: quote: line 1 is not NAME=VALUE
CTV_ENV_FILE=nul~PROGRAM: nul: line 1 is not NAME=VALUE
CTV_ENV_FILE=bom~PROGRAM: bom: begins with a byte order mark, which makes the first line no NAME=VALUE
CTV_ENV_FILE=huge~PROGRAM: huge: larger than 65536 bytes
CREDENTIALS_DIRECTORY=credentials~PROGRAM: credentials/CTV_NODE: not a regular file
TABLE
}

# settings_of SCRIPT [ARG...]: it stops at what ctv-conf, or job-run in its name, says of them; all the files and values are in ctv-conf's own tests
settings_of() {
	with "$@" <<'TABLE'
78~CTV_ENV_FILE=readable~@(ctv-conf|SCRIPT): readable: holds secrets, but others can read it
78~CTV_MAX_AGE=soon~@(ctv-conf|SCRIPT): CTV_MAX_AGE: soon: not a duration*
TABLE
}

# at the end: enough rows, and none of them left a trace
nothing_done() {
	[ "$rows" -ge "$1" ]
	[ -z "$(find pi2 -type f)" ]
}

@test "failover-to-pi2.sh: bad settings and command lines" {
	settings_of failover-to-pi2.sh --yes
	called failover-to-pi2.sh <<'TABLE'
-x~-x: unknown option
-ny~-ny: unknown option
--dry-run=1~--dry-run=1: unknown option
--Force~--Force: unknown option
extra~extra: no operand is taken
''~: no operand is taken
-- extra~extra: no operand is taken
-y -- n~n: no operand is taken
--last-night --newest~--last-night goes with neither --newest nor --drill
--drill --last-night~--last-night goes with neither --newest nor --drill
-n --drill~--dry-run and --drill exclude each other
--drill --dry-run~--dry-run and --drill exclude each other
-y --no~--yes and --no exclude each other
--no --yes --force~--yes and --no exclude each other
TABLE
	nothing_done 16
}

@test "failover-to-pi2.sh: a dry run with a place that is none names it, and nothing else is said" {
	with failover-to-pi2.sh -n <<'TABLE'
66~DATABASE_PATH=/proc/none/x.db~SCRIPT: a dry run; nothing is changed
66~DATABASE_PATH=$PWD/dir~SCRIPT: a dry run; nothing is changed
66~DATABASE_PATH=$PWD/fifo~SCRIPT: a dry run; nothing is changed
65~DATABASE_PATH=$PWD/file~SCRIPT: a dry run; nothing is changed
TABLE
	run on pi2 DATABASE_PATH=/proc/none/x.db failover-to-pi2.sh -n </dev/null
	expect 66 '^failover-to-pi2.sh: not ready: /proc/none/x.db is missing$'
	expect 66 'not ready: /proc/none: no such directory'
	run grep stat: <<<"$output"
	expect 1
}

@test "failback-to-pi-ctv.sh: bad settings and command lines" {
	settings_of failback-to-pi-ctv.sh --yes
	called failback-to-pi-ctv.sh <<'TABLE'
-x~-x: unknown option
-yn~-yn: unknown option
--force~--force: unknown option
--yes=1~--yes=1: unknown option
extra~extra: no operand is taken
''~: no operand is taken
-- extra~extra: no operand is taken
-y --no~--yes and --no exclude each other
TABLE
	nothing_done 10
}

@test "mirror-status.sh: bad settings and command lines" {
	settings_of mirror-status.sh
	called mirror-status.sh <<'TABLE'
x~x: no operand is taken
''~: no operand is taken
-- x~x: no operand is taken
--bogus~--bogus: unknown option
-z~-z: unknown option
-n x~x: no operand is taken
--dry-run=1~--dry-run=1: unknown option
TABLE
	nothing_done 9
}

@test "settle.sh: bad settings and command lines" {
	settings_of settle.sh
	with settle.sh <<'TABLE'
73~CTV_STATE_DIR=$PWD/file CTV_LOG_DIR=$PWD/log~SCRIPT: */file: cannot create: Not a directory
73~CTV_STATE_DIR=/proc/none CTV_LOG_DIR=$PWD/log~SCRIPT: /proc/none: cannot create: *
TABLE
	called settle.sh <<'TABLE'
x~x: no operand is taken
-n~-n: unknown option
-- x~x: no operand is taken
--bogus~--bogus: unknown option
TABLE
	nothing_done 8
}

@test "unit-alert.sh: bad settings and command lines" {
	with unit-alert.sh x.service < <(bad_file alert-post)
	with unit-alert.sh x.service <<'TABLE'
78~CTV_TEAMS_URL=~alert-post: x.service: nobody is told: no channel is configured
TABLE
	called unit-alert.sh <<'TABLE'
~a unit is needed
''~a unit is needed
-x~-x: unknown option
--~--: unknown option
--bogus x.service~--bogus: unknown option
a.service b.service~b.service: one unit is taken
a.service ''~: one unit is taken
a.service -x~-x: one unit is taken
TABLE
	[ "$rows" -ge 21 ]
}

@test "cli-db-sync.sh: bad settings" {
	settings_of cli-db-sync.sh info
	nothing_done 2
}

@test "daily-upload.sh: bad settings" {
	settings_of daily-upload.sh
	nothing_done 2
}

@test "daily-download.sh: bad settings" {
	settings_of daily-download.sh
	nothing_done 2
}

@test "the tools that ask Dropbox: bad settings" {
	local tool
	for tool in 'dbx-fetch -o out /a' 'dbx-put file /a' dbx-ls 'dbx-cp /a /b' 'dbx-rm /a' 'dbx-auth whoami' 'mirror-head show'; do
		# shellcheck disable=SC2086  # words
		with $tool < <(bad_file "${tool%% *}")
		# shellcheck disable=SC2086
		with $tool <<'TABLE'
78~DROPBOX_API_URL=http://api.example.com~SCRIPT: DROPBOX_API_URL: must be an https URL*
78~DROPBOX_API_URL=http://127.0.0.1.example.com~SCRIPT: DROPBOX_API_URL: must be an https URL*
78~DROPBOX_CONTENT_URL=http://10.0.0.1~SCRIPT: DROPBOX_CONTENT_URL: must be an https URL*
78~DROPBOX_CONTENT_URL=ftp://127.0.0.1/~SCRIPT: DROPBOX_CONTENT_URL: must be an https URL*
78~DROPBOX_TOKEN_URL=127.0.0.1:1~SCRIPT: DROPBOX_TOKEN_URL: must be an https URL*
78~CTV_BACKOFF=fast~SCRIPT: CTV_BACKOFF: not a duration*
78~CTV_STALL=-1~SCRIPT: CTV_STALL: not a duration*
78~DROPBOX_CA_FILE=none~SCRIPT: DROPBOX_CA_FILE: none: No such file or directory
78~DROPBOX_ACCESS_TOKEN=$'x\r\ny'~SCRIPT: DROPBOX_ACCESS_TOKEN: has white space, so it is no token
78~DROPBOX_ACCESS_TOKEN=~SCRIPT: /nonexistent: no Dropbox credentials: *
TABLE
	done
	[ "$rows" -eq $((7 * 23)) ]
	[ ! -e out ]
}

@test "daily-download.sh: what is no file is no database, and is not waited for" {
	with daily-download.sh -n <<'TABLE'
73~DATABASE_PATH=$PWD/dir~SCRIPT: a dry run; nothing is changed
73~DATABASE_PATH=$PWD/fifo~SCRIPT: a dry run; nothing is changed
73~DATABASE_PATH=/dev/null~SCRIPT: a dry run; nothing is changed
73~DATABASE_PATH=$PWD/file/x~SCRIPT: a dry run; nothing is changed
TABLE
	expect 73 'file: no such directory'
	run on pi2 DATABASE_PATH="$PWD/fifo" timeout 20 daily-download.sh -n
	expect 73 'fifo: not a regular file'
}
