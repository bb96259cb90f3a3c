#!/bin/sh
# standby-check.sh [--json | --shell] [--for RUN] [ID...] - could this host take over now?
#
# What always holds: nothing is changed; each condition is a row of one table, which the dry run of a failover, the failover
# itself, the drill, the status page and the doctor share, and is answered by one check that is asked by PATH; one whose
# answer is not known counts as not met; for the page nothing opens the database, which the nightly job may be about to replace.
# shellcheck disable=SC2317  # what asks a condition is called by its name
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' live_dir='' unit='' min_size='' max_age='' tables='' run_dir='' standby_url='' station_url=''
text='' copy_size_bytes='' unit_load='' newest_old=''

usage() {
	cat <<'END'
usage: standby-check.sh [--json] [--for RUN] ID...
       standby-check.sh --shell[=PREFIX] [--for RUN] ID
       standby-check.sh [--json] --for failover|drill|active|page
Could this host take over now? The conditions that are asked by name, or all
that matter for a failover, the drill, a host that serves, or the status page.

      --for RUN    as that run asks them; without an ID all of that run
      --json       a JSON object for each, for status-render
      --shell[=PREFIX]  assignments for a shell: those of the check, and
                   id, what, code (empty: it is met), hint
  -h, --help       this text
  -V, --version    the version

Exit status: 0 all are met, else the code of the first that blocks and is not.
Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

# ---- the table ---------------------------------------------------------------------------------

# A row: the condition; what it does when it is not met (blocks the run; asks, where a dry run is blocked and a person may go
# on with the real one; warns); the runs it matters for; the code to end with, or two, when it is not met/when that is not
# known; what mends it, if the check itself does not say so; and the check.
conditions() {
	back="sudo db-install $live.prev $live puts back the one before"
	if [ -s "$live-wal" ] || [ -s "$live-journal" ]; then back="sudo db-install --settle $live puts it in order"; fi
	row role_clear blocks failover,drill,active,page 77/78 '' \
		mirror-role check
	row db_present blocks failover,drill,page 66 'cli-db-sync download' \
		age-check --any-age "$live"
	# the runs hear of its size from db_content, and a person may accept it
	row db_size blocks page 65 'db-verify tells more' \
		age-check --any-age --min-size "$min_size" "$live"
	row db_content asks failover,drill 65/74 "$back" \
		db_content
	row db_unchanged warns page 65 'the next download keeps that copy before it replaces it' \
		installed-check --record "$state/installed.json" "$live"
	row db_fresh asks failover,page 65 'systemctl start ctv-pi2-download.service' \
		db_fresh
	row db_fresh warns drill 65 'systemctl start ctv-pi2-download.service' \
		db_fresh
	row code_present blocks page 77 '' \
		"$here/code-check.sh"
	row unit_startable blocks failover,drill,page 66/69 'ctv-doctor.sh' \
		svc-ctl -t 30s check "$unit"
	row port_free blocks failover,drill,page 73/69 "ss -ltnp tells who listens there" \
		http-probe --nobody --connect-timeout 600ms -t 4s "$standby_url/api/system-stats"
	row disk_free blocks failover,drill,active,page 74 'make room: the application could not write' \
		room-check -c 64M "$live_dir"
	row room_for_next warns page 74 'make room for the next download' \
		room_for_next
	row data_writable blocks failover,drill,page 74 "the application could not write: is $live_dir on a disk that is mounted read-only?" \
		room-check --writable "$live_dir"
	row state_writable blocks failover,drill,page 77 "the role could not be written: systemd-tmpfiles --create" \
		room-check --writable -c 1M "$state"
	row timer_armed warns page 69 'systemctl start ctv-pi2-download.timer' \
		svc-ctl -t 30s check --active ctv-pi2-download.timer
	row page_served warns page 69 'systemctl restart control-station.service' \
		page_served
	# the application answers, and reaches its database where it has a page that says so
	row app_serves blocks active 69 "journalctl -u $unit -n 50" \
		http-probe --connect-timeout 5s -t 10s --if-absent "$standby_url/api/system-stats" "$standby_url/health/database"
}

# The checks that are more than one question. Each ends with the check whose answer counts, and passes on how it is wanted.

# For a run that begins now the file need not be read again when nobody has written to it since every page was; a dry run
# reads it.
db_content() {
	level=quick
	[ -n "$run" ] || ! get installed-check --shell=installed_ --record "$state/installed.json" "$live" || level=header
	for table in $tables; do
		set -- "$@" --table "$table"
	done
	db-verify -l "$level" --timeout 60s --min-size "$min_size" "$@" "$live"
}

# the age of the data that a failover would take: the followed state's, where that may be taken
db_fresh() {
	if [ "$run" = page ] && get newest-check --shell=newest_ 2>/dev/null && [ -z "$newest_old" ]; then
		newest-check "$@"
	else
		age-check -w "$max_age" -c "$max_age" --time-of "$state/data-of" "$@" "$live"
	fi
}

# for a second copy
room_for_next() {
	get age-check --shell=copy_ "$live" || :
	room-check -w "${copy_size_bytes:-0}" "$@" "$live_dir"
}

# where there is a page; before the first round it is empty. People look there, and the primary listens for us there.
page_served() {
	statuses=200
	[ -e "$run_dir/www/status.json" ] || statuses=200,404
	get svc-ctl --shell=unit_ status control-station.service || :
	if [ "$unit_load" = not-found ]; then
		# a host without a page
		room-check "$@" "$run_dir"
	else
		http-probe --connect-timeout 5s -t 10s --status "$statuses" "$@" "$station_url/status.json"
	fi
}

# ---- a row ---------------------------------------------------------------------------------------

run='' ids=' ' form=people prefix='' ending=0 asked=' '

# row ID blocks|asks|warns RUNS CODE HINT CHECK...: asks it, when it is wanted
row() {
	case $ids in ' ' | *" $1 "*) ;; *) return 0 ;; esac
	case ,$3, in *",${run:-${3%%,*}},"*) ;; *) return 0 ;; esac
	# of a condition with two rows the first, when it is asked by name
	case $asked in *" $1 "*) return 0 ;; esac
	asked="$asked$1 "
	id=$1 what=$2 code=$4 hint=$5 mends=$5 answered=0
	shift 5
	case $form/$what in
	json/*)
		case $what in warns) as=warn/$id ;; *) as=ready/$id ;; esac
		answer=$("$@" --as "$as") || answered=$?
		# no condition is silently absent from the page
		if [ -n "$answer" ]; then printf '%s\n' "$answer"; else say-check --as "$as" "$id" "$id" unknown "$1 ended with $answered" || :; fi
		;;
	shell/*) "$@" --shell="$prefix" || answered=$? ;;
	*)
		text="$1 gives no answer"
		get "$@" --shell || answered=$?
		;;
	esac
	case $answered/$what in
	0/* | 1/asks) code=0 hint='' ;;
	1/blocks) code=0 ;;
	[12]/*) code=${code%/*} ;;
	3/*) code=${code#*/} ;;
	*) printf '%s: %s: %s ended with %s\n' "$program" "$id" "$1" "$answered" >&2; code=70 ;;
	esac
	"say_$form"
	[ "$code" -eq 0 ] || [ "$what" = warns ] || [ "$ending" -ne 0 ] || ending=$code
}

say_json() { :; }

say_shell() {
	printf "${prefix}id='%s'\n${prefix}what='%s'\n${prefix}code='%s'\n" "$id" "$what" "${code#0}"
	[ -z "$mends" ] || printf "${prefix}hint='%s'\n" "$(printf %s "$hint" | sed "s/'/'\\\\''/g")"
}

say_people() {
	case $answered/$code/$what in
	0/*) mark='ok' ;;
	*/0/* | */warns) mark=' !' ;;
	*) mark='no' ;;
	esac
	printf '%s  %-14s  %s\n' "$mark" "$id" "$text"
	[ -z "$hint" ] || printf '                    hint: %s\n' "$hint"
}

# ---- the command line ----------------------------------------------------------------------------

while [ $# -gt 0 ]; do
	case $1 in
	--json) form=json ;;
	--shell) form=shell ;;
	--shell=*) form=shell prefix=${1#*=} ;;
	--for)
		[ $# -gt 1 ] || usage_error "--for: needs a value"
		run=$2
		shift
		;;
	--for=*) run=${1#*=} ;;
	-*) common_option "$1" ;;
	*) ids="$ids$1 " ;;
	esac
	shift
done
case $run in '' | failover | drill | active | page) ;; *) usage_error "--for $run: not failover, drill, active or page" ;; esac
[ -n "$run" ] || [ "$ids" != ' ' ] || usage_error "an ID, or --for, is needed"
[ "$form" != shell ] || { [ "$ids" != ' ' ] && [ "${ids# * }" = '' ]; } || usage_error "--shell is for one ID"
case $prefix in *[!a-z0-9_]* | [0-9_]*) usage_error "--shell=$prefix: not the beginning of a name" ;; esac
get ctv-conf --shell
conditions
for id in $ids; do
	case $asked in *" $id "*) ;; *) usage_error "$id: no such condition${run:+ of $run}" ;; esac
done
exit "$ending"
