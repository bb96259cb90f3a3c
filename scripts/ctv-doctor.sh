#!/bin/sh
# ctv-doctor.sh [LAYER...] - what has broken in practice, layer by layer, seen from where the jobs run, and what mends it
#
# What always holds: a sandbox is that of the unit itself, as systemd has it now; a layer that could not be looked at is
# unknown, never OK; each finding names the object, the cause and a command; nothing is changed: one file is
# made, renamed and removed where the database lives. The conditions of a failover are asked by standby-check.sh. Root
# runs nothing that others could have written; programs of the application run away from our terminal.
# shellcheck disable=SC2317  # what sees a layer is called by its name
set -eu
self=$(readlink -f "$0")
here=${self%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/doctor-findings.sh
. "$here/parts/doctor-findings.sh"
# shellcheck source=scripts/parts/doctor-host.sh
. "$here/parts/doctor-host.sh"
# shellcheck source=scripts/parts/doctor-watch.sh
. "$here/parts/doctor-watch.sh"
app='' live='' live_dir='' node='' state='' unit='' tables='' min_size='' log_dir='' run_dir='' env_file='' api_url=''
primary_url='' standby_url='' station_url='' wrong_urls='' access_token_set='' teams_url_set='' slack_url_set='' ntfy_url_set=''
primary='' changes_every='' warn_lag='' max_lag='' prove=''
verdict='' text='' hint='' what='' role='' holders='' pids='' all_seen='' scope='' left_bytes='' left_text='' size_bytes=''

usage() {
	cat <<'END'
usage: ctv-doctor.sh [LAYER...]

Looks at each layer that has broken in practice. As root: this host, then each
job's layers as its own user in its unit's sandbox. As an operator (a member of
ctvsync): what can be seen without. With LAYER: these only, from here.

  of the host      units timers port holders clock page code trust proof
  of the jobs      settings programs state log data database disk token
  of the minutes   state minutes
  of the watch     state round alerts
  of the program   data opening versions

  -h, --help       this text
  -V, --version    the version

Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; 78 when settings are wrong.
END
}

host_layers='units timers port holders clock page code trust proof'
job_layers='settings programs state log data database disk token'
minute_layers='state minutes'
watch_layers='state round alerts'
app_layers='data opening versions'
case ${1-} in -*) common_option "$1"; shift ;; esac
for layer; do
	case " $host_layers $job_layers $minute_layers $watch_layers $app_layers " in
	*" $layer "*) ;;
	*) usage_error "$layer: no such layer" ;;
	esac
done

# ---- what several layers need -----------------------------------------------------------------

# rights FILE: `2775 ctvapps:ctvapps`
rights() { stat -Lc '%a %U:%G' "$1" 2>&1; }

# give FILE MODE: the command by which the group of the application has it; as its owner, for a name in a directory where
# others write may be another's tomorrow
give() {
	has=$(stat -c %U "$1" 2>/dev/null) || has=root
	[ "$has" != root ] || { echo "chown -h ctvapps:ctvapps $1 && setpriv --reuid ctvapps --regid ctvapps --clear-groups chmod $2 $1" && return; }
	echo "setpriv --reuid $has --regid ctvapps --clear-groups sh -c 'chgrp ctvapps $1; chmod $2 $1'"
}

# in_sandbox UNIT LAYER...: these, by this script, as its user and in its sandbox
in_sandbox() {
	of=$1 layer=sandbox
	shift
	echo "in the sandbox of $of:"
	set -- "$self" "$@"
	# the application can read neither our settings nor our state
	[ "$of" != "$unit" ] || set -- "CTV_DOCTOR_ROLE=$role" CTV_ENV_FILE=/nonexistent "DATABASE_PATH=$live" "CTV_APP_DIR=$app" \
		"CTV_SERVICE=$unit" "CTV_STATE_DIR=$state" "CTV_NODE=$node" "$@"
	try "$here/in-sandbox.sh" "$of" env "LANG=${LANG-}" "LC_ALL=${LC_ALL-}" "$@" || :
	tally=${out##*
}
	its=${tally#DOCTOR } its=${its%%: *}
	case $tally in
	"DOCTOR OK: "* | "DOCTOR UNKNOWN: "* | "DOCTOR WARNING: "* | "DOCTOR CRITICAL: "*) ;;
	*) why=${why#in-sandbox.sh: }; critical "${why:-$of: $tally}" "${hint:-make install ROLE=$kind}"; return ;;
	esac
	printf '%s\n' "${out%?"$tally"}"
	layers=$((layers + ${tally##*=})) tally=${tally#*: }
	[ "$its" = OK ] || for each_bad in ${tally% |*}; do count "$its" "$each_bad"; done
}

# ---- a job -----------------------------------------------------------------------------------

see_settings() {
	[ -e "$env_file" ] || [ -n "${CTV_DOCTOR_ROLE-}" ] || critical "$env_file: not there" "make install ROLE=$kind; dbx-auth login"
	[ -n "$role" ] || critical "${why:-$state/role: not there}" "make install ROLE=standby, or primary"
	[ -n "$node" ] || critical "$env_file: no CTV_NODE" "echo CTV_NODE=... >>$env_file"
	fact="$env_file, $(rights "$env_file"); $node, $kind"
}

# programs KIND: the names of those that belong here; install.sh lists what it has installed, a checkout is what it is
programs() {
	if [ -e "$here/programs" ]; then
		sed -n "s/^$1 //p" "$here/programs"
	elif [ "$1" = tool ]; then
		(cd "$here/../tools" && ls ./*.c) | sed 's,^./,,; s/\.c$//'
	elif [ "$1" = part ]; then
		(cd "$here" && ls parts/*.sh)
	else
		(cd "$here" && ls ./*.sh ./*.py) | sed 's,^./,,'
	fi
}

# executable FILE [PREFIX [HINT]]
executable() {
	[ -e "$1" ] || { critical "${2-}$1: not there" "${3:-make install ROLE=$kind}"; return 1; }
	[ -x "$1" ] || { critical "${2-}$1: not executable, $(rights "$1")" "chmod 755 $(readlink -f "$1")"; return 1; }
}

see_programs() {
	[ -n "$(programs tool 2>/dev/null)" ] || { unknown "$here/programs: not there, so what belongs here is not known" "make install ROLE=$kind"; return; }
	bin=$(command -v ctv-conf)
	bin=${bin%/*}
	for each in $(programs tool); do
		executable "$bin/$each" || continue
		first=$(command -v "$each")
		[ "$first" = "$bin/$each" ] || warning "$first stands before $bin/$each" "rm $first"
		is=$("$bin/$each" --version 2>&1) || :
		[ "$is" = "$each $version" ] || critical "$bin/$each: not of version $version: $is" "make install ROLE=$kind"
	done
	for each in $(programs script); do
		executable "$here/$each" || :
	done
	for each in $(programs part); do
		[ -r "$here/$each" ] || critical "$here/$each: not there" "make install ROLE=$kind"
	done
	[ "$kind" = primary ] || for each in scripts/failover-to-pi2.sh scripts/failback-to-pi-ctv.sh bin/daily-download.sh; do
		executable "$app/$each" || :
	done
	fact="those in $bin and $here can be run, all of version $version"
}

# writable DIR: with all that mends it
writable() { judge "systemd-tmpfiles --create" room-check --writable -c 1M "$1"; }

see_state() {
	writable "$state" || :
	[ -r "$state/role" ] || critical "$state/role: cannot read" "systemd-tmpfiles --create"
	each=$(find "$state"/* \( -type d -o -name '*lock' \) ! -path '*/alerts/.*' ! -writable -print -quit 2>/dev/null) || :
	[ -z "$each" ] || critical "$each: cannot write, $(rights "$each")" "systemd-tmpfiles --create"
}

see_log() { writable "${log_dir:-/var/log/$job}"; }

see_data() {
	mend=$(give "$live_dir" 2775)
	case $(findmnt -no OPTIONS -T "$live_dir" 2>/dev/null) in
	ro | ro,*) mend="the unit's ReadWritePaths= must name it (systemctl cat); or, of a disk, mount -o remount,rw" ;;
	esac
	judge "$mend" room-check --writable --write "$live_dir" && fact="$live_dir, $(rights "$live_dir"): a file was made, renamed and removed"
}

# the rights that db-install leaves: the directory's group reads and writes the file, whoever made it
see_database() {
	row db_present || return
	[ -r "$live" ] || { critical "$live: cannot read, $(rights "$live")" "$(give "$live" 660)"; return; }
	if [ "$kind" = standby ]; then
		! live_is_link || { critical "$link_text" "$link_hint"; return; }
		case $(stat -Lc %g "$live_dir")/$(stat -Lc %g/%a "$live") in
		"${shared=$(stat -Lc %g "$live_dir")}/$shared"/*60) ;;
		*) warning "$live is $(rights "$live"), and the next to replace it may not" "$(give "$live" 660)" ;;
		esac
	fi
	fact="$(rights "$live")"
	if [ -z "$serves" ]; then
		row db_content || :
		row db_fresh || :
	else
		# every page cannot be read while somebody writes, and the log that he has open beside it is no finding
		what=serves
		set -- db-verify -l header --timeout 60s --min-size "$min_size"
		for table in $tables; do set -- "$@" --table "$table"; done
		judge "db-verify -l full of a copy by db-snapshot" "$@" "$live" || :
	fi
}

see_disk() {
	row disk_free || return
	[ "$kind" = primary ] || { row room_for_next; return; }
	get age-check --shell "$live" || :
	judge "make room for the next snapshot" room-check -w "${size_bytes:-0}" "$state"
}

see_token() {
	get dbx-auth whoami --shell --timeout 30s 2>"$scratch/err" || { complaint; critical "$why" "${hint:-$program clock}"; return; }
	for each in account_info.read files.metadata.read files.content.read files.content.write; do
		case " $scope " in *" $each "*) ;; *)
			critical "the token may not do $each" "tick it in the app's settings, then dbx-auth login" ;;
		esac
	done
	[ -z "$access_token_set" ] || warning "DROPBOX_ACCESS_TOKEN, which ends in hours, is in use" "dbx-auth login, and remove it"
	[ "$left_bytes" -gt "$(stat -Lc %s "$live" 2>/dev/null || echo 0)" ] ||
		warning "$left_text are left in Dropbox, less than a copy needs" "dbx-ls -l /backups"
	fact="accepted, with all four scopes; $left_text are left in Dropbox"
}

# ---- the program --------------------------------------------------------------------------------

see_opening() {
	fact="$live is not there yet"
	for each in "$live" "$live-wal" "$live-shm"; do
		[ -e "$each" ] || continue
		{ [ -r "$each" ] && [ -w "$each" ]; } || critical "$each: cannot be opened to write, $(rights "$each")" "$(give "$each" 660)"
		fact="$live can be opened to write"
	done
}

# as_owner FILE COMMAND...: what others can have written is run as its owner, in a session of its own that has nothing of ours
# but the pipe. What is root's is run as nobody, for root runs nothing there.
as_owner() {
	uid=$(stat -c %u "$1" 2>/dev/null) || uid=0
	shift
	[ "$(id -u)" -eq 0 ] || { setsid -w "$@" </dev/null; return; }
	[ "$uid" -ne 0 ] || uid=65534
	setsid -w setpriv --reuid "$uid" --regid "$(id -g "$uid" 2>/dev/null || echo 65534)" --clear-groups \
		env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 "$@" </dev/null
}

see_versions() {
	try as_owner "$app/.venv/bin" "$app/.venv/bin/python3" -c 'import sqlite3; print(sqlite3.sqlite_version)' ||
		{ critical "the application's Python does not start: $why" "python3 -m venv $app/.venv, and its requirements"; return; }
	fact="the application's SQLite $out"
	# https://sqlite.org/wal.html, "The WAL-reset bug": ours never checkpoint a live database, so they do not meet it
	[ "$(printf '3.51.3\n%s\n' "$out" | sort -V | head -n 1)" = 3.51.3 ] ||
		fact="$fact (before 3.51.3: two that checkpoint at once may harm it)"
	fact="$fact, systemd $(systemctl --version | sed 's/^systemd \([0-9]*\).*/\1/; q'), Linux $(uname -r)"
	fact="$fact, curl $(curl --version | cut -d ' ' -f 2 | head -n 1)"
	[ ! -x /usr/sbin/lighttpd ] || fact="$fact, $(/usr/sbin/lighttpd -v | sed 's/ .*//; s,/, ,; q')"
}

# ---- main ------------------------------------------------------------------------------------

scratch=$(mktemp -d)
# no end but the verdict's may look like one
trap 'rm -rf "$scratch"; [ -n "$told" ] || exit 3' EXIT
trap 'exit 3' INT TERM HUP
kind=standby serves='' layer=settings settled=0
get ctv-conf --shell 2>"$scratch/err" || settled=$?
if [ $settled -ne 0 ]; then
	# without them nothing else can be seen
	complaint
	file=${CTV_ENV_FILE:-/etc/ctv-db-sync.env}
	case " $(id -Gn) " in *" ctvsync "*) ;; *) hint=${hint:-"sudo $program"} ;; esac
	critical "$why" "${hint:-chown root:ctvsync $file; chmod 640 $file}"
	layers=1
	tell $settled
fi
role=${CTV_DOCTOR_ROLE-}
[ -n "$role" ] || get mirror-role show --shell 2>"$scratch/err" || complaint
case $role in
active) serves=yes ;;
primary) kind=primary serves=yes ;;
esac
armed='ctv-pi2-download.timer ctv-status.timer ctv-code.path ctv-settle.path ctv-status.path ctv-resume.service control-station.service
	ctv-follow.service ctv-follow-check.timer'
job=ctv-pi2-download minutes=ctv-follow.service
[ "$kind" = standby ] || { job=ctv-db-sync minutes=ctv-publish.service armed='ctv-db-sync.timer ctv-status.timer ctv-publish.service'; }

if [ $# -gt 0 ]; then
	for each_layer; do look "$each_layer"; done
elif [ "$(id -u)" -eq 0 ]; then
	echo "this host:"
	for each_layer in $host_layers; do look "$each_layer"; done
	# shellcheck disable=SC2086  # words
	{
		in_sandbox "$job.service" $job_layers
		in_sandbox "$minutes" $minute_layers
		in_sandbox ctv-status.service $watch_layers
		in_sandbox "$unit" $app_layers
	}
else
	for each_layer in $host_layers $job_layers minutes round alerts opening versions; do look "$each_layer"; done
	layer=sandbox
	unknown "seen as $(id -un), not from within the units" "sudo $program"
fi
tell
