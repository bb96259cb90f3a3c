# oldlib.sh - what the scripts share: settings, speech, steps, records, the lock. Sourced, never run
#
# Policy lives in the scripts, mechanism in the C tools; this file holds what a script needs to be
# understood by a person and by the status page: every step is named, numbered and timed, every run
# leaves a record, and whatever ends a run (a tool's failure, a signal, a bug) says so once.
# At 3 a.m. a small machine starts a program in 10 to 20 ms, so what the shell can do itself it does.
# shellcheck shell=sh

program=${0##*/}
# shellcheck disable=SC2034  # used by the scripts
version=0.1.0
# cron and sudo hand down a short PATH; install.sh puts its own prefix here
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
# files are the group's too: what a nightly job began, an operator may finish, and the other way round
umask 007

# ---- settings -------------------------------------------------------------------------------

# conf NAME [DEFAULT]: a setting as the tools read it; ends the script with 78 when the file is not in order
conf() {
	ctv-conf "$1" "${2-}"
}

# settings: what every script knows about its host (ctv-conf(1), and the names that these scripts use)
# shellcheck disable=SC2034  # used by the scripts
node='' primary='' app='' unit='' live='' remote='' state='' log_dir='' run_dir='' primary_url='' standby_url='' station_url=''
# shellcheck disable=SC2034
max_age='' warn_age='' min_size='' tables='' start_timeout='' kuma_url_set='' kuma_sync_url_set='' healthchecks_url_set=''
# shellcheck disable=SC2034
# shellcheck disable=SC2034  # used by the scripts
settings() {
	# one look at the file for all of them: each program that is started costs a small machine its time
	values=$(ctv-conf --shell)
	eval "$values"
	own_url=$standby_url patience=$start_timeout station=$station_url
}

# ---- speech ---------------------------------------------------------------------------------

log_file=
dry=

# plain TEXT: prints it; what others wrote (a name, a role, a server's word) drives no terminal and forges no line: control
# characters and what turns the direction of writing become ?
plain() {
	case $1 in
	*[!\ -~]*) printf '%s\n' "$1" | tr '\n' ' ' | LC_ALL=C sed 's/ $//
		s/[\x01-\x1f\x7f]/?/g; s/\xc2[\x80-\x9f]/?/g; s/\xd8\x9c/?/g; s/\xe2\x80[\x8e\x8f\xa8-\xae]/?/g; s/\xe2\x81[\xa6-\xa9]/?/g
		s/\(^\|[\x01-\x7f]\)[\x80-\xbf]\+/\1?/g'; echo ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# log TEXT: one line of the log file, nothing else
log() {
	[ -n "$log_file" ] || return 0
	utc
	printf '%s %s[%s]: %s\n' "$utc" "${program%.sh}" $$ "$(plain "$*")" >>"$log_file" || log_file=
}

# say TEXT: for the person and for the log
say() {
	plain "$*"
	log "$*"
}

# die STATUS TEXT [HINT]: the one line that names the object and the cause, and the end
die() {
	message=$2
	[ -z "${step-}" ] || step_end failed
	printf '%s: %s\n' "$program" "$(plain "$2")" >&2
	log "error: $2"
	if [ -n "${3-}" ]; then
		printf 'hint: %s\n' "$(plain "$3")" >&2
		log "hint: $3"
	fi
	exit "$1"
}

# usage_error TEXT
usage_error() {
	printf '%s: %s\n' "$program" "$(plain "$1")" >&2
	printf 'hint: %s --help\n' "$program" >&2
	exit 64
}

# ---- steps ----------------------------------------------------------------------------------

# clock: sets $now, hundredths of a second of a clock that nobody sets; a sandbox may hide it
clock() {
	read -r now _ 2>/dev/null </proc/uptime || now=$(date +%s.%2N)
	now=${now%.*}${now#*.}
}

# utc: sets $utc to the time, `2026-11-24T02:05:00Z`. The system is asked once, and again after midnight; what has
# passed since comes from the clock.
utc_day=
utc() {
	clock
	[ -z "$utc_day" ] || utc_second=$((utc_from + (now - utc_clock) / 100))
	if [ -z "$utc_day" ] || [ "$utc_second" -ge 86400 ]; then
		utc=$(date -u '+%Y-%m-%d %s')
		utc_day=${utc% *} utc_clock=$now utc_from=$((${utc#* } % 86400))
		utc_second=$utc_from
	fi
	hh=$((100 + utc_second / 3600)) mm=$((100 + utc_second / 60 % 60)) ss=$((100 + utc_second % 60))
	utc=${utc_day}T${hh#1}:${mm#1}:${ss#1}Z
}

# lasted FROM TO: sets $seconds, `1.2`, from two readings of the clock
lasted() {
	seconds=$((($2 - $1 + 5) / 100)).$((($2 - $1 + 5) % 100 / 10))
}

step=
step_number=0
steps=0
step_note=
step_more=
step_result=ok
steps_json=
last_step=
tick='ok' cross='no' caution=' !' dash=' -'
case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) tick=' ✓' cross=' ✗' ;; esac
screen=
[ ! -t 1 ] || [ "${TERM:-dumb}" = dumb ] || screen=yes

# step NAME: the step before is done, this one begins
step() {
	[ -z "$step" ] || step_end "$step_result"
	step=$1 step_number=$((step_number + 1)) step_note='' step_more='' step_result=ok
	clock
	step_began=$now
	# overwritten by whatever comes next
	[ -z "$screen" ] || printf '   %s/%s %-9s ...\r' "$step_number" "$steps" "$step"
}

# note TEXT: what the running step found
note() {
	step_note=$1
}

# warn TEXT: the running step will end with a warning
warn() {
	step_note=$1 step_result=warning
}

# more TEXT: a line to stand below that of the step
more() {
	step_more="$step_more   $(plain "$1")
"
}

# step_end ok|warning|skipped|failed
step_end() {
	clock
	lasted "$step_began" "$now"
	case $1 in
	ok) mark=$tick ;;
	skipped) mark=$dash ;;
	warning) mark=$caution ;;
	*) mark=$cross ;;
	esac
	[ -z "$screen" ] || printf '\r\033[K'
	printf '%s %s/%s %-9s %6s s  %s\n' "$mark" "$step_number" "$steps" "$step" "$seconds" "$(plain "$step_note")"
	printf %s "$step_more"
	log "step $step_number/$steps $step: $1, $seconds s${step_note:+: $step_note}"
	steps_json=$steps_json${steps_json:+,}$(printf '{"name":"%s","result":"%s","seconds":%s}' "$step" "$1" "$seconds")
	last_step=$step step=
}

# skip NAME REASON: a step that this run does not need
skip() {
	step "$1"
	note "$2"
	step_end skipped
}

# ---- tools ----------------------------------------------------------------------------------

child=
input=/dev/null

# run COMMAND...: its standard output is in $out, its complaint in $why and $hint, its exit status in
# $status and returned. It runs beside the shell so that a signal reaches both at once. At a terminal
# its standard error is left alone: that is where progress shows.
run() {
	out=$scratch/out err=$scratch/err status=0 why='' hint=''
	: >"$err"
	if [ -t 2 ]; then
		"$@" <"$input" >"$out" &
	else
		"$@" <"$input" >"$out" 2>"$err" &
	fi
	child=$!
	wait "$child" || status=$?
	child=
	if [ -s "$err" ]; then
		why=$(grep -v '^hint: ' "$err" | tail -n 1)
		hint=$(sed -n 's/^hint: //p' "$err" | tail -n 1)
		[ "$status" -ne 0 ] || say "$why"
	fi
	[ "$status" -eq 0 ] || [ -n "$why" ] || why="$1: exit status $status"
	return "$status"
}

# must COMMAND...: run it, or end as it ended
must() {
	run "$@" || die "$(ended "$status")" "$why" "$hint"
}

# ended STATUS: the same among our own codes: a tool that was killed may be run again
ended() {
	if [ "$1" -ge 126 ] && [ "$1" -le 127 ]; then
		echo 70
	elif [ "$1" -gt 128 ]; then
		echo 75
	else
		echo "$1"
	fi
}

# member_of NAME LINE: sets $value to that member of a JSON line: a number, a hash, a rev, a time, a word; empty when it is
# not there. Text inside a string cannot pass for one: its quotes are escaped.
member_of() {
	value=
	case $2 in *[\{,]\""$1"\":*) value=${2##*[\{,]\""$1"\":} value=${value#\"} value=${value%%[\",\}]*} ;; esac
	case $value in null | *[!A-Za-z0-9:._-]*) value= ;; esac
}

# field NAME: prints it, for each of the lines on standard input that has it
field() {
	while read -r line || [ -n "$line" ]; do
		member_of "$1" "$line"
		[ -z "$value" ] || echo "$value"
	done
}

# pick NAME FILE: sets $value to it, from the file's first line
pick() {
	line=
	read -r line 2>/dev/null <"$2" || :
	member_of "$1" "$line"
}

# string_of NAME LINE: sets $value to that string member of a JSON line, as people read it
string_of() {
	value=
	case $2 in
	*\\*)
		value=$(printf '%s\n' "$2" | sed -n 's/^.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*$/\1/; t found
			d; :found; s/\\\(.\)/\1/g; p')
		;;
	*\"$1\":\"*)
		value=${2##*\""$1"\":\"}
		value=${value%%\"*}
		;;
	esac
}

# text NAME: prints it, of the JSON line on standard input
text() {
	read -r line || [ -n "$line" ] || return 0
	string_of "$1" "$line"
	[ -z "$value" ] || printf '%s\n' "$value"
}

# mib BYTES: `203 MiB`, for people
mib() {
	if [ "$1" -ge 10485760 ]; then
		echo "$(($1 >> 20)) MiB"
	else
		echo "$(($1 >> 10)) KiB"
	fi
}

# a file that asks for hours of processor time is not waited for without end
verify_limit=2h

# verify FILE LEVEL: db-verify with this host's demands; its JSON line is in $out, its text in $why. Returns
# our own code: 65 for a refused file, 75 for one that was not read to its end in time.
verify() {
	verify_file=$1
	set -- -l "$2" --json --timeout "$verify_limit" --min-size "$min_size"
	for table in $tables; do
		set -- "$@" --table "$table"
	done
	run db-verify "$@" "$verify_file" || :
	[ ! -s "$out" ] || why="db-verify: $(text text <"$out")"
	note "${why#"db-verify: $verify_file: "}"
	case $status in
	0 | 1) status=0 ;;
	2) status=65 ;;
	# without a verdict it did not like how it was called: CTV_REQUIRE_TABLES
	3)
		if [ ! -s "$out" ]; then status=78; else status=74; fi
		case $why in *' within the time allowed') status=75 ;; esac
		;;
	*) status=$(ended "$status") ;;
	esac
	return "$status"
}

# has_content FILE HASH: is this file's content_hash HASH?
has_content() {
	[ -f "$1" ] && [ -n "$2" ] && run db-verify -l header --timeout "$verify_limit" --hash "$2" "$1"
}

# ---- the host -------------------------------------------------------------------------------

# role: standby, active, primary, or nothing when the file is not there
role() {
	[ -e "$state/role" ] || return 0
	word=unreadable
	if [ -f "$state/role" ] && [ -r "$state/role" ]; then
		read -r word <"$state/role" || :
	fi
	printf '%s\n' "$word"
}

# holders_of DB: the pid of every process that has the database or a side file open, as far as we may look, one a line
holders_of() {
	for held in "$1" "$1-wal" "$1-shm" "$1-journal"; do
		# find would wait at a FIFO
		[ ! -f "$held" ] || find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$held" 2>/dev/null || :
	done | cut -d / -f 3 | sort -un
}

# name_of PID: a process chooses its name itself
name_of() {
	name=$(tr -d '\000' 2>/dev/null <"/proc/$1/comm") || name=
	plain "${name:-gone}"
}

# holders DB: `pid (name)` of each, for people
holders() {
	for pid in $(holders_of "$1"); do
		printf '%s (%s) ' "$pid" "$(name_of "$pid")"
	done
}

# replace FILE [TEXT]: the text, else standard input, becomes its content: old or new after any crash, never a part
replace() (
	umask 022
	# a killed run's may be another user's
	rm -f "$1.tmp"
	{ if [ $# -gt 1 ]; then printf '%s\n' "$2"; else cat; fi; } >"$1.tmp" &&
		sync "$1.tmp" && mv -fT "$1.tmp" "$1" && sync "${1%/*}"
)

# appendable FILE: it is not there, or a regular file of this one name: a link would lead anywhere, and a pipe would wait. (The
# directories of the state and the logs are the jobs' own, so nobody puts another one in its place.)
appendable() {
	[ ! -h "$1" ] && { [ ! -e "$1" ] || { [ -f "$1" ] && [ "$(stat -c %h "$1" 2>/dev/null)" = 1 ]; }; }
}

# lock [NAME]: one nightly job (lock), one operator (operator.lock) at a time on a host. The lock dies with
# its last process, so there are no stale ones; who holds it stands in the file.
lock() {
	lock_file=$state/${1:-lock}
	[ -d "$state" ] || mkdir -p "$state" 2>/dev/null || die 73 "$state: cannot create"
	appendable "$lock_file" || die 73 "$lock_file: cannot open: not a regular file"
	cause=$( (: >>"$lock_file") 2>&1) || die 73 "$lock_file: cannot open: ${cause##*: }"
	exec 9<>"$lock_file"
	if ! flock -n 9; then
		holder=$(head -n 1 "$lock_file")
		case $holder in
		# by itself, and for moments
		settle.sh,* | mirror-status.sh,*) flock -w 20 9 || die 73 "$lock_file: held by $holder" ;;
		# the status round looks for a moment whether it is held
		*) flock -w 1 9 || die 73 "$lock_file: held by $holder" ;;
		esac
	fi
	lock_sign
}

lock_sign() {
	utc
	printf '%s, pid %s, since %s\n' "$program" $$ "$utc" >"$lock_file"
}

# data_of: the file whose time is the age of the data here. To serve gives the database a new time, and it lacks what was
# entered on the primary all the same: its time from before is kept until the next download.
data_of() {
	if [ -e "$state/data-of" ]; then printf '%s\n' "$state/data-of"; else printf '%s\n' "$live"; fi
}

# settle_record: makes the owner in the head record the one who serves by the role: this host when it is active, else the
# primary, to whom it hands back what is its own. Sets $owner, empty without a record: then only the old uploader is at
# work, and it asks nobody. Bounded; while wanted/claim exists it is not known to be so.
# shellcheck disable=SC2034  # used by the scripts
settle_record() {
	owner=
	if [ "$(role)" != active ]; then
		run mirror-head settle --owner "$primary" --from "$node" --timeout 5s || return "$status"
		owner=$(cat "$out")
	elif run mirror-head settle --owner "$node" --timeout 5s; then
		owner=$(cat "$out")
	# a host that serves owns the record, whatever somebody has done to it
	elif [ "$status" -eq 65 ] && run mirror-head anew --owner "$node" --yes --timeout 5s; then
		owner=$node
	else
		return "$status"
	fi
	rm -f "$state/wanted/claim" 2>/dev/null || unmet 65 "$state/wanted/claim: cannot be removed"
}

# settle_in_turn SECONDS: the same, but not while an operator is at work: he may do it himself
settle_in_turn() {
	cause=$( (: >>"$state/operator.lock") 2>&1) || { unmet 73 "$state/operator.lock: cannot open: ${cause##*: }"; return; }
	exec 7<>"$state/operator.lock"
	flock -w "$1" 7 || { unmet 75 "$state/operator.lock: held by $(head -n 1 "$state/operator.lock")"; return; }
	lock_file=$state/operator.lock
	lock_sign
	settled=0
	settle_record || settled=$?
	exec 7>&-
	return "$settled"
}

# backup_name KIND TIME [SECONDS]: the name of a backup with data of that time, or of so many seconds later
backup_name() {
	date -u -d "@$(($(date -d "$2" +%s) + ${3:-0}))" "+$1_backup_%Y%m%d_%H%M%S.db"
}

# put_backup FILE KIND TIME [OPTION...]: FILE among the backups, as $backup. A clock that begins at the same moment after
# each power cut makes one name twice: where it holds another content the next second's name is taken.
put_backup() {
	put_file=$1 put_kind=$2 put_time=$3 put_n=0
	shift 3
	while [ "$put_n" -lt 60 ]; do
		backup=/backups/$(backup_name "$put_kind" "$put_time" "$put_n")
		if run dbx-put -c "$@" "$put_file" "$backup"; then
			return 0
		fi
		[ "$status" -eq 73 ] || return "$status"
		put_n=$((put_n + 1))
	done
	hint="dbx-rm of what is not wanted in /backups makes its name free"
	return 73
}

# ---- readiness ------------------------------------------------------------------------------
# The conditions of a failover, for its dry run and for the status page. Each leaves what it found in $fact, with its
# number; one that is not met returns our code, with $why and $hint.

unmet() {
	status=$1 why=$2 hint=${3-} fact=$2
	return "$status"
}

# text_of FILE: what a check says in it, without its figures
text_of() {
	line=
	read -r line 2>/dev/null <"$1" || :
	line=${line%%|*}
	[ -z "$line" ] || printf '%s\n' "${line% }"
}

role_clear() {
	role_was=$(role)
	fact="the role is ${role_was:-standby}"
	case $role_was in
	standby | active | '') ;;
	primary) unmet 77 "$state/role: this is the primary; a failover is for the standby" ;;
	*) unmet 78 "$state/role: $role_was: neither standby nor active" ;;
	esac
}

db_present() {
	[ -e "$live" ] || { unmet 66 "$live: no such file" "cli-db-sync download"; return; }
	fact="$(mib "$(stat -Lc %s "$live")"), at least $min_size"
}

# live_is_link: nothing is installed through a link, for the rename at the end would put a file in its place
live_is_link() {
	[ -h "$live" ] || return 1
	target=$(readlink -f "$live") || target=$(readlink "$live")
	unmet 73 "$live: a symbolic link to $target" \
		"DATABASE_PATH=$target in ${CTV_ENV_FILE:-/etc/ctv-db-sync.env}, and ReadWritePaths=${target%/*} by systemctl edit ctv-pi2-download.service $unit" || :
}

# as_installed: nothing has been written to it since its installation, for which every page was read. Sets $written_at.
as_installed() {
	found=$(TZ=UTC0 stat -Lc '%s %y' "$live")
	written_at=${found#* } written_at=${written_at%%.*}
	written_at=${written_at% *}T${written_at#* }Z
	[ -f "$state/installed.json" ] && [ ! -s "$live-wal" ] && [ ! -s "$live-journal" ] || return 1
	pick size "$state/installed.json"
	[ "$value" = "${found%% *}" ] || return 1
	pick snapshot_at "$state/installed.json"
	[ "$value" = "$written_at" ]
}

db_fresh() {
	run age-check -w "$max_age" -c "$max_age" "$(data_of)" || :
	age=$(text_of "$out")
	# of the file that only has the time
	case $age in *"$state/data-of"*) age=${age%%"$state/data-of"*}$live${age#*"$state/data-of"} age=${age%, 0 B} ;; esac
	fact="${age##*"$live is "}, at most $max_age"
	[ "$status" -eq 0 ] || unmet 65 "$age"
}

unit_startable() {
	run svc-ctl status "$unit" || :
	read -r fact <"$out" || fact="$unit: not known"
	unit_was=${fact#*: }
	fact="$unit is $unit_was"
	case $status in
	0 | 3) case $fact in *" is not there") unmet 66 "$fact" ctv-doctor.sh ;; esac ;;
	4) unmet 66 "$unit: no such unit" "make install ROLE=standby" ;;
	*) unmet "$(ended "$status")" "$why" ;;
	esac
}

# room_in DIRECTORY: sets $room, the KiB that are free there; none where no file can be made any more
room_in() {
	# blocks, their size, inodes and those of them that are free; some file systems have no number of them
	# shellcheck disable=SC2046  # four words
	set -- $(stat -f -c '%a %S %c %d' "$1" 2>/dev/null || echo 0 0 0 0)
	room=$(($1 * ($2 / 512) / 2))
	[ "$3" -eq 0 ] || [ "$4" -ge 16 ] || room=0
}

disk_free() {
	room_in "${live%/*}"
	fact="$((room / 1024)) MiB, at least 64"
	[ "$room" -ge 65536 ] ||
		unmet 74 "${live%/*}: $((room / 1024)) MiB free: the application could not write" "make room"
}

# room_for BYTES WHAT: where the last look was, beside what is there now
room_for() {
	fact="$((room / 1024)) MiB, $2 needs $(($1 >> 20))"
	[ "$room" -gt $(($1 >> 10)) ] || unmet 74 "$fact"
}

data_writable() {
	fact=${live%/*}
	[ -d "$fact" ] || { unmet 73 "$fact: no such directory"; return; }
	[ -w "$fact" ] || unmet 74 "${live%/*}: cannot write, so the application could not either" \
		"mount -o remount,rw $(stat -c %m "${live%/*}")"
}

state_writable() {
	fact=$state
	[ -w "$state" ] || { unmet 77 "$state: cannot write" "usermod -aG ctvapps,ctvsync $(id -un), and log in again"; return; }
	room_in "$state"
	[ "$room" -ge 1024 ] || unmet 74 "$state: $room KiB free: the role could not be written" "make room"
}

port_free() {
	run http-probe --json --connect-timeout 600ms -t 4s "$own_url/api/system-stats" || :
	pick connected "$out"
	port_unused "$value"
}

# port_unused true|false|'': did somebody take the connection? Whether he answers, and what, is all the same.
port_unused() {
	# shellcheck disable=SC2034  # used by the scripts
	fact="nobody else listens at $own_url"
	case $1 in
	false) ;;
	true) unmet 73 "$own_url: somebody listens there, while $unit is $unit_was" ;;
	*) unmet 69 "$own_url: could not be looked at" ;;
	esac
}

# ---- the tries of a night --------------------------------------------------------------------
# The timers begin a job again and again until 23:30. What has been done, and what only a person can mend, is not
# tried again before the next night; whoever starts the job himself always gets a run.

# by_timer: systemd says what it was started by, systemd.exec(5)
by_timer() {
	case ${TRIGGER_UNIT-} in *.timer) ;; *) false ;; esac
}

# night_of TIME: the date of the night that a time belongs to: it begins with the first try, at 02:05. By the words of the
# local clock, for on some nights this moment does not exist, or does twice.
night_of() {
	local_time=$(date -d "$1" '+%F %H%M') || return
	night=${local_time% *}
	[ "${local_time#* }" -ge 0205 ] || night=$(date -d "$night 12:00 1 day ago" +%F)
	echo "$night"
}

# of_tonight TASK MEMBER: is that time in the record of the last run one of this night?
of_tonight() {
	pick "$2" "$state/last-$1.json"
	[ -n "$value" ] && [ "$(night_of "$value")" = "$(night_of now)" ]
}

# given_up TASK: ended the last run of this night with what no other try can mend? Sets $refused to its exit status.
given_up() {
	pick exit "$state/last-$1.json"
	refused=$value
	case $refused in 65 | 70 | 77 | 78) of_tonight "$1" finished_at ;; *) false ;; esac
}

# as_owner FILE COMMAND...: what others can have written is run as its owner, in a session of its own that has nothing of ours
# but the pipe; to be called in $(...). What is root's is run as nobody, for root runs nothing there.
as_owner() {
	uid=$(stat -c %u "$1" 2>/dev/null) || return 66
	shift
	if [ "$(id -u)" -ne 0 ]; then
		setsid -w "$@" </dev/null
		return
	fi
	[ "$uid" -ne 0 ] || uid=65534
	setsid -w setpriv --reuid "$uid" --regid "$(id -g "$uid" 2>/dev/null || echo 65534)" --clear-groups \
		env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 "$@" </dev/null
}

# ---- a run ----------------------------------------------------------------------------------

task=
recorded=
scratch=
result=failed
message=
outcome=

# json_text TEXT: as a JSON string; what is not printable ASCII becomes ?
json_text() {
	case $1 in
	*[!A-Za-z0-9\ ._:,\;/\(\)-]*)
		printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | LC_ALL=C sed 's/[^ -~]/?/g; s/[\\"]/\\&/g')"
		;;
	*) printf '"%s"' "$1" ;;
	esac
}

# count_of NAME: sets $value to that member of $line. What is no number counts as none: arithmetic with it would end the script
count_of() {
	member_of "$1" "$line"
	case $value in '' | *[!0-9]* | 0?* | ??????????*) value=0 ;; esac
}

# record RESULT EXIT: last-TASK.json. $outcome holds members of the task's own.
record() {
	clock
	lasted "$began" "$now"
	finished=
	# not by the clock: who reads it compares it with the time as it is then
	[ "$1" = running ] || finished=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	last_ok=$finished
	line=
	read -r line 2>/dev/null <"$state/last-$task.json" || :
	count_of runs_ok
	runs_ok=$value
	count_of runs_failed
	runs_failed=$value
	if [ "$1" = running ] || [ "$2" -ne 0 ]; then
		member_of last_ok_at "$line"
		last_ok=$value
	fi
	case $1/$2 in
	running/*) ;;
	*/0) runs_ok=$((runs_ok + 1)) ;;
	*) runs_failed=$((runs_failed + 1)) ;;
	esac
	replace "$state/last-$task.json" "$(
		printf '{"schema":1,"task":"%s","node":%s,"result":"%s","exit":%s,"step":"%s","message":%s,' \
			"$task" "$(json_text "$node")" "$1" "$2" "${step:-$last_step}" "$(json_text "$message")"
		printf '"started_at":"%s","finished_at":%s,"seconds":%s,"last_ok_at":%s,"runs_ok":%s,"runs_failed":%s%s,"steps":[%s]}' \
			"$started" "${finished:+\"}${finished:-null}${finished:+\"}" "$seconds" \
			"${last_ok:+\"}${last_ok:-null}${last_ok:+\"}" "$runs_ok" "$runs_failed" "${outcome:+,$outcome}" \
			"$steps_json"
	)" && news
}

# news: ctv-status.path sees the file, and a round takes it away before it looks: a change during a round starts another.
# What stands there already, and be it a pipe, is not opened; nothing is written through another's link.
news() {
	[ -e "$state/news" ] || (set -C && : >"$state/news") 2>/dev/null || :
}

# begin TASK STEPS LOG [LOCK]: the log, the traps, the lock, the record. With --dry-run nothing of these is written.
begin() {
	task=$1 steps=$2
	utc
	started=$utc began=$now
	trap at_exit EXIT
	trap 'interrupted INT' INT
	trap 'interrupted TERM' TERM
	trap 'interrupted HUP' HUP
	if [ -n "$dry" ]; then
		scratch=$(mktemp -d)
		say "$program: a dry run; nothing is changed"
		return 0
	fi
	if { [ -d "${3%/*}" ] || mkdir -p "${3%/*}" 2>/dev/null; } && appendable "$3" && (: >>"$3") 2>/dev/null; then
		log_file=$3
	else
		say "$3: cannot be written, so this run has no log"
	fi
	lock "${4-}"
	scratch=$state/.$task
	{ { [ ! -e "$scratch" ] || rm -rf "$scratch"; } && mkdir "$scratch"; } 2>/dev/null || die 74 "$scratch: cannot create"
	recorded=yes
	log "begins"
	record running 0 || die 74 "$state/last-$task.json: cannot write"
}

# finish RESULT TEXT: the good end
finish() {
	[ -z "$step" ] || step_end "$step_result"
	result=$1 message=$2
	exit "${3:-0}"
}

# what a script wants done when it does not come to its good end
undo=

interrupted() {
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	fi
	result=interrupted
	die 75 "interrupted by SIG$1" "run it again: it goes on from where it was"
}

# whatever ends the script passes here, so no run ends in silence
at_exit() {
	code=$?
	trap '' INT TERM HUP
	trap - EXIT
	if [ -n "$undo" ] && [ "$code" -ne 0 ]; then
		$undo || :
	fi
	if [ "$code" -ne 0 ] && [ "$result" = failed ] && [ -z "$message" ]; then
		message="unexpected end (exit status $code)${step:+ in step $step}"
		printf '%s: %s\n' "$program" "$message" >&2
		log "error: $message"
		code=70
	fi
	if [ -n "$recorded" ]; then
		record "$result" "$code" || printf '%s: %s: cannot write\n' "$program" "$state/last-$task.json" >&2
		rm -rf "$scratch" || :
	elif [ -n "$dry" ] && [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
	if [ -n "$task" ] && [ "$result" != failed ] && [ "$result" != interrupted ]; then
		clock
		lasted "$began" "$now"
		say "$message ($seconds s)"
	elif [ -n "$task" ]; then
		log "ends with exit status $code"
	fi
	exit "$code"
}
