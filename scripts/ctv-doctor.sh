#!/bin/sh
# ctv-doctor.sh [LAYER...] - what has broken in practice, layer by layer, seen from where the jobs run, and what mends it
#
# What always holds: a sandbox is that of the unit itself, as systemd has it now; what could not be looked at is
# unknown, never OK; each finding names the object, the cause and a command; nothing is changed: one file is
# made, renamed and removed where the database lives. Root runs nothing that others could have written; what has to run of the
# application does so as its owner or its user, away from our terminal.
# shellcheck disable=SC2317  # what sees a layer is called by its name
set -eu
self=$(readlink -f "$0")
here=${self%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: ctv-doctor.sh [LAYER...]

Looks at each layer that has broken in practice. As root: this host, then each
job's layers as its own user in its unit's sandbox. As an operator (a member of
ctvsync): what can be seen without. With LAYER: these only, from here.

  of the host      units timers port holders clock page code trust
  of the jobs      settings programs state log data database disk token
  of the watch     state round alerts
  of the program   data opening versions

  -h, --help       this text
  -V, --version    the version

Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
END
}

host_layers='units timers port holders clock page code trust'
job_layers='settings programs state log data database disk token'
watch_layers='state round alerts'
app_layers='data opening versions'

while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	-*) usage_error "$1: unknown option" ;;
	*) break ;;
	esac
done
for layer in "$@"; do
	case " $host_layers $job_layers $watch_layers $app_layers " in
	*" $layer "*) ;;
	*) usage_error "$layer: no such layer" ;;
	esac
done

# ---- findings --------------------------------------------------------------------------------

worst=0 layers=0 bad=

# line MARK TEXT: of the layer
line() {
	printf '%s %-9s %s\n' "$1" "$layer" "$(plain "$2")"
}

# count_in RANK LAYER...: into the verdict
count_in() {
	[ "$1" -le "$worst" ] || worst=$1
	shift
	for one in "$@"; do
		case " $bad " in *" $one "*) ;; *) bad="$bad $one" ;; esac
	done
}

# found RANK MARK TEXT [HINT]
found() {
	findings=yes
	count_in "$1" "$layer"
	line "$2" "$3"
	[ -z "${4-}" ] || printf '%12s hint: %s\n' '' "$(plain "$4")"
}

critical() { found 3 "$cross" "$@"; }
warning() { found 2 "$caution" "$@"; }
unknown() { found 1 "$dash" "$@"; }

# look LAYER: its findings, or the fact that it is in order
look() {
	layer=$1 layers=$((layers + 1)) findings='' fact=''
	"see_$1" || :
	[ -n "$findings$fact" ] || unknown "nothing was found out"
	[ -n "$findings" ] || line "$tick" "$fact"
}

# try COMMAND...: run, which says nothing even at a terminal
try() {
	run "$@" >/dev/null 2>&1
}

verdict() {
	case $worst in
	0) word=OK code=0 ;;
	1) word=UNKNOWN code=3 ;;
	2) word=WARNING code=1 ;;
	*) word=CRITICAL code=2 ;;
	esac
	judged=yes
	bad=${bad:- all is in order}
	printf 'DOCTOR %s:%s | layers=%s\n' "$word" "$bad" "$layers"
	exit "$code"
}

leave() {
	code=$?
	rm -rf "$scratch"
	# no end but the verdict's may look like one
	[ -n "$judged" ] || code=3
	exit "$code"
}

# rights FILE: `2775 ctvapps:ctvapps`
rights() {
	stat -Lc '%a %U:%G' "$1"
}

# ---- systemd ---------------------------------------------------------------------------------

# about UNIT: what systemd has of it, in $load and so on; a finding when it does not answer
about() {
	load='' active='' sub='' enabled='' stale='' next='' group='' start='' on_failure=''
	try systemctl show -p OnFailure,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,NextElapseUSecRealtime,ControlGroup,ExecStart "$1" || :
	while IFS='=' read -r name value; do
		case $name in
		LoadState) load=$value ;;
		ActiveState) active=$value ;;
		SubState) sub=$value ;;
		UnitFileState) enabled=$value ;;
		NeedDaemonReload) stale=$value ;;
		NextElapseUSecRealtime) next=${value#n/a} ;;
		ControlGroup) group=$value ;;
		OnFailure) on_failure=$value ;;
		ExecStart) start=${value#*path=} start=${start%% ;*} ;;
		esac
	done <"$out"
	[ -n "$load" ] || { unknown "$1: systemd gives no answer${why:+: $why}"; return 1; }
}

# sandbox_of UNIT: its [Service] settings with those of all drop-ins, one a line, but for the ones of its life
sandbox_of() {
	systemctl cat "$1" 2>/dev/null | sed -n '
		/^[#;]/d
		:whole
		/\\$/{ N; s/\\\n/ /; b whole
		}
		/^\[/h
		/^\[/d
		x; /^\[Service\]/!{ x; d
		}
		x
		/^[ \t]*\(Type\|Exec[A-Za-z]*\|Restart[A-Za-z]*\|Timeout[A-Za-z]*\|RemainAfterExit\|NotifyAccess\)[ \t]*=/d
		/=/p'
}

# in_sandbox UNIT LAYER...: these, by this script, as its user and in its sandbox. By systemd-run with what the unit says at this
# moment: a unit of our own would be a copy, and what a site's drop-in has broken would not show in it.
in_sandbox() {
	of=$1 name=ctv_doctor-$$-${1%.service}
	shift
	inner=$*
	echo "in the sandbox of $of:"
	layer=sandbox
	sandbox_of "$of" >"$scratch/sandbox"
	set --
	while IFS= read -r setting; do
		set -- "$@" -p "$setting"
	done <"$scratch/sandbox"
	[ $# -gt 0 ] || { critical "$of: not there" "make install ROLE=$kind"; return; }
	# the application can read neither our settings nor our state
	[ "$of" != "$unit" ] || set -- "$@" -E "CTV_DOCTOR_ROLE=$role_is"
	[ "$of" != "$unit" ] || set -- "$@" -E CTV_ENV_FILE=/nonexistent -E "DATABASE_PATH=$live" -E "CTV_APP_DIR=$app" \
		-E "CTV_SERVICE=$unit" -E "CTV_STATE_DIR=$state" -E "CTV_NODE=$node"
	# shellcheck disable=SC2086  # words
	report=$(systemd-run --quiet --wait --pipe --collect --unit="$name" -E "LANG=${LANG-}" -E "LC_ALL=${LC_ALL-}" \
		"$@" -- "$self" $inner 2>&1 </dev/null) || :
	tally=${report##*
}
	case $tally in
	"DOCTOR OK: "*) rank=0 ;;
	"DOCTOR UNKNOWN: "*) rank=1 ;;
	"DOCTOR WARNING: "*) rank=2 ;;
	"DOCTOR CRITICAL: "*) rank=3 ;;
	*)
		cause=$(journalctl -q -o cat -p err -u "$name" 2>/dev/null | sed "s/^$name.service: //; s,/run/systemd/unit-root,,; q")
		critical "$of: cannot be entered: ${cause:-$tally}" "systemctl cat $of; systemd-tmpfiles --create"
		return
		;;
	esac
	printf '%s\n' "${report%?"$tally"}" | LC_ALL=C tr -d '\000-\010\013-\037\177'
	layers=$((layers + ${tally##*=}))
	tally=${tally#*: }
	# shellcheck disable=SC2086  # words
	[ $rank -eq 0 ] || count_in $rank ${tally% |*}
}

# ---- the host --------------------------------------------------------------------------------

see_units() {
	count=0
	for each in "$job.service" ctv-status.service "$unit" $armed; do
		about "$each" || return
		count=$((count + 1))
		[ "$load" = loaded ] || { critical "$each is $load" "make install ROLE=$kind"; continue; }
		[ "$stale" = no ] || warning "$each has changed since systemd read it" "systemctl daemon-reload"
		case $start in
		*/lighttpd) mend="apt-get install --no-install-recommends lighttpd" ;;
		"$app"/.venv/*) mend="python3 -m venv $app/.venv, and its requirements" ;;
		*) mend="make install ROLE=$kind" ;;
		esac
		[ -z "$start" ] || [ -e "$start" ] || critical "$each: $start: not there" "$mend"
		[ ! -e "$start" ] || [ -x "$start" ] || critical "$each: $start: not executable" "chmod 755 $(readlink -f "$start")"
		# the primary's application has a unit that was there before us: the standby sees when it is down
		case $kind/$each/$on_failure in
		*/*.timer/* | */*.path/* | */*/*ctv-alert@* | primary/"$unit"/*) ;;
		*) critical "$each: nobody is told when it fails" "make install ROLE=$kind: a drop-in with OnFailure=ctv-alert@%n.service" ;;
		esac
		[ "$active" != failed ] || critical "$each has failed" "journalctl -u $each -n 50"
		[ "$each/$kind/$enabled" != "$unit/standby/enabled" ] ||
			warning "$unit starts at boot, beside the primary's" "systemctl disable $unit"
	done
	fact="$count are loaded as they are on disk, none has failed"
}

see_timers() {
	for each in $armed; do
		about "$each" || return
		case $each in *.service) active=active ;; esac
		if [ "$enabled/$active" != enabled/active ]; then
			critical "$each is ${enabled:-not there} and $active" "systemctl enable --now $each"
			continue
		fi
		case $each in *.timer)
			# none is set while its job runs
			[ "$sub" != running ] || next='another time, once its job is done'
			[ -n "$next" ] || critical "$each has no next time" "systemctl restart $each"
			fact=${fact:+$fact; }"$each at $next"
			;;
		esac
	done
}

# port_of PORT UNIT [yes]: nobody but this unit listens there; with yes it must
port_of() {
	about "$2" || return
	try ss -Hltnp "sport = :$1" || { unknown "who listens on port $1: $why" "apt-get install iproute2"; return; }
	pid=$(sed -n '1s/.*pid=\([0-9]*\).*/\1/p' "$out")
	of=$(sed -n 's/^0:://p' "/proc/${pid:-none}/cgroup" 2>/dev/null) || of=
	if [ ! -s "$out" ]; then
		fact="${fact:+$fact; }nobody listens on $1"
		[ -z "${3-}" ] || critical "nobody listens on port $1, where $2 should" "systemctl start $2"
	elif [ -z "$of" ]; then
		unknown "somebody listens on port $1; whom only root can see" "sudo $program"
	elif [ "$of" != "$group" ]; then
		critical "port $1 is held by process $pid of $of, not by $2" "systemctl status $pid"
	elif [ -z "${3-}" ]; then
		warning "$2 listens on port $1, on a $kind" "systemctl stop $2"
	else
		fact="${fact:+$fact; }$2 listens on $1"
	fi
}

see_port() {
	url=$own_url
	[ "$kind" = standby ] || url=$primary_url
	url=${url##*:}
	port_of "${url%%/*}" "$unit" "$serves"
	[ "$kind" = primary ] || port_of 5001 control-station.service yes
}

see_holders() {
	about "$unit" || return
	fact="nobody has $live open"
	[ "$(id -u)" -eq 0 ] || unknown "whether others than $(id -un) have $live open is for root to see" "sudo $program"
	for pid in $(holders_of "$live"); do
		if [ -z "$serves" ]; then
			critical "$live: in use by $pid ($(name_of "$pid")), and would not be replaced" "systemctl status $pid"
		elif ! grep -qsxF "0::$group" "/proc/$pid/cgroup"; then
			warning "$live: in use by $pid ($(name_of "$pid")), which is not of $unit" "systemctl status $pid"
		else
			fact="$unit has $live open"
		fi
	done
}

see_clock() {
	try timedatectl show -p NTPSynchronized --value || :
	[ "$(cat "$out")" = yes ] || warning "the clock is not synchronised${why:+: $why}" "timedatectl set-ntp true"
	# -k: with a wrong clock no certificate is valid, and nothing secret is said
	try curl -skI -m 10 -o /dev/null -w '%header{date}' "$(conf DROPBOX_API_URL https://api.dropboxapi.com)" || :
	there=$(cat "$out")
	there=$(date -d "${there:-none}" +%s 2>/dev/null) || { unknown "Dropbox does not tell its time: $why"; return; }
	ahead=$(($(date +%s) - there))
	[ "${ahead#-}" -le 300 ] || critical "the clock is $ahead s ahead of Dropbox's" "timedatectl set-ntp true"
	fact="synchronised, $ahead s ahead of Dropbox's"
}

# page_of STATION: whatever is served there, a page has some KiB
page_of() {
	(ulimit -f 512 && exec curl -fsS -m 10 "$1/status.json")
}

see_page() {
	mend="systemctl restart control-station.service ctv-status.service"
	[ "$kind" = standby ] || mend="on the standby: sudo $program"
	if ! try page_of "$station"; then
		critical "$station: $why" "$mend"
		return
	fi
	at=$(date -d "$(field generated_at <"$out")" +%s 2>/dev/null) || at=0
	old=$((($(date +%s) - at) / 60))
	[ "${old#-}" -lt 15 ] || critical "$station is $old min old" "$mend"
	fact="$station answers, $old min old"
}

# ---- a job -----------------------------------------------------------------------------------

see_settings() {
	file=${CTV_ENV_FILE:-/etc/ctv-db-sync.env}
	[ -e "$file" ] || [ -n "${CTV_DOCTOR_ROLE-}" ] || critical "$file: not there" "make install ROLE=$kind; dbx-auth login"
	if ! try ctv-conf CTV_NODE ''; then
		case " $(id -Gn) " in *" ctvsync "*) ;; *) hint=${hint:-"sudo $program"} ;; esac
		critical "$why" "${hint:-chown root:ctvsync $file; chmod 640 $file}"
		return
	fi
	try settings || { critical "$why" "$hint"; return; }
	settings
	role_is=${CTV_DOCTOR_ROLE:-$(role)}
	case $role_is in
	standby) ;;
	active | primary) serves=yes ;;
	*) critical "$state/role: ${role_is:-not there}" "make install ROLE=standby, or primary" ;;
	esac
	[ "$role_is" != primary ] || kind=primary
	[ -n "$node" ] || critical "$file: no CTV_NODE" "echo CTV_NODE=... >>$file"
	fact="$file, $(rights "$file" 2>&1); $node, $kind"
}

# programs KIND: the names of those that belong here; install.sh lists what it has installed, a checkout is what it is
programs() {
	if [ -e "$here/programs" ]; then
		sed -n "s/^$1 //p" "$here/programs"
	elif [ "$1" = tool ]; then
		(cd "$here/../tools" && ls ./*.c) | sed 's,^./,,; s/\.c$//'
	else
		(cd "$here" && ls ./*.sh ./*.py) | sed 's,^./,,; /^\(deps\|demo\|lib\|oldlib\|clone\)\.sh$/d'
	fi
}

# executable FILE
executable() {
	[ -e "$1" ] || { critical "$1: not there" "make install ROLE=$kind"; return 1; }
	[ -x "$1" ] || { critical "$1: not executable, $(rights "$1")" "chmod 755 $(readlink -f "$1")"; return 1; }
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
	[ "$kind" = primary ] || for each in scripts/failover-to-pi2.sh scripts/failback-to-pi-ctv.sh bin/daily-download.sh; do
		executable "$app/$each" || :
	done
	fact="those in $bin and $here can be run, all of version $version"
}

see_state() {
	mend="systemd-tmpfiles --create"
	state_writable || critical "$why, $(rights "$state")" "$mend"
	[ -r "$state/role" ] || critical "$state/role: cannot read" "$mend"
	each=$(find "$state"/* \( -type d -o -name '*lock' \) ! -path '*/alerts/.*' ! -writable -print -quit 2>/dev/null) || :
	[ -z "$each" ] || critical "$each: cannot write, $(rights "$each")" "$mend"
	fact="$state can be written"
}

see_log() {
	fact=${log_dir:-/var/log/$job}
	[ -w "$fact" ] || critical "$fact: cannot write" "systemd-tmpfiles --create"
}

see_data() {
	dir=${live%/*}
	# under a name that nobody can have taken: others write there
	if data_writable && why=$( (probe=$(mktemp "$dir/.ctv-doctor.XXXXXXXX") && mv -nT "$probe" "$probe.new" && rm -f "$probe.new") 2>&1); then
		fact="$dir, $(rights "$dir"): a file was made, renamed and removed"
		return
	fi
	case $(findmnt -no OPTIONS -T "$dir" 2>/dev/null) in
	ro | ro,*) critical "$dir: read-only" "the unit's ReadWritePaths= must name it (systemctl cat); or, of a disk, $hint" ;;
	*) critical "$dir, $(rights "$dir" 2>/dev/null): ${why##*: }" "$(give "$dir" 2775)" ;;
	esac
}

# give FILE MODE: the command by which the group of the application has it; as its owner, for a name in a directory where
# others write may be another's tomorrow
give() {
	has=$(stat -c %U "$1" 2>/dev/null) || has=root
	if [ "$has" = root ]; then
		echo "chown -h ctvapps:ctvapps $1 && setpriv --reuid ctvapps --regid ctvapps --clear-groups chmod $2 $1"
	else
		echo "setpriv --reuid $has --regid ctvapps --clear-groups sh -c 'chgrp ctvapps $1; chmod $2 $1'"
	fi
}

# what db-install leaves: the directory's group reads and writes it, whoever made the file
see_database() {
	db_present || { critical "$why" "$hint"; return; }
	[ "$kind" = primary ] || ! live_is_link || { critical "$why" "$hint"; return; }
	if [ ! -r "$live" ]; then
		critical "$live: cannot read, $(rights "$live")" "$(give "$live" 660)"
		return
	fi
	if [ "$kind" = primary ]; then :; elif [ "$(stat -Lc %g "$live")" != "$(stat -Lc %g "${live%/*}")" ] || [ $((0$(stat -Lc %a "$live") & 067)) -ne $((060)) ]; then
		warning "$live is $(rights "$live"), and the next to replace it may not" "$(give "$live" 660)"
	fi
	verify "$live" header >/dev/null 2>&1 || critical "$why" "db-verify -l full $live"
	[ "$role_is" != standby ] || db_fresh || critical "$age" "systemctl start $job.service"
	fact="$(rights "$live"): $step_note"
}

see_disk() {
	disk_free || { critical "$why" "$hint"; return; }
	place=${live%/*} what="the next download"
	[ "$kind" = standby ] || { place=$state what="the next snapshot"; room_in "$place"; }
	room_for "$(stat -Lc %s "$live" 2>/dev/null || echo 0)" "$what" || warning "$place: $why" "ls -lh $place"
}

see_code() {
	[ -e "$app/.git" ] || { warning "$app: no git repository" "git clone"; return; }
	try "$here/code-check.sh" || :
	fact=$(sed 's/^CODE [A-Z]*: //' "$out")
	case $status in
	0) ;;
	1) warning "$fact" "$hint" ;;
	2) critical "$fact" "$hint" ;;
	*) unknown "$fact" ;;
	esac
}

# who may write what others run or believe: trust-check.sh
see_trust() {
	try "$here/trust-check.sh" || :
	case $status in
	0) ;;
	1)
		text=
		while IFS= read -r line; do
			case $line in
			TRUST* | '') ;;
			hint:*) warning "$text" "${line#hint: }"; text= ;;
			*) [ -z "$text" ] || warning "$text"; text=$line ;;
			esac
		done <"$out"
		[ -z "$text" ] || warning "$text"
		;;
	*) unknown "$(sed -n '1s/^TRUST UNKNOWN: //p' "$out")" ;;
	esac
	fact=$(sed -n '1s/^TRUST OK: //; 1s/ | .*//p' "$out")
}

see_token() {
	try dbx-auth whoami --json --timeout 30s || { critical "$why" "${hint:-$program clock}"; return; }
	scopes=$(sed -n 's/^.*"scope":"\([a-z_. ]*\)".*$/\1/p' "$out")
	for each in account_info.read files.metadata.read files.content.read files.content.write; do
		case " $scopes " in *" $each "*) ;; *)
			critical "the token may not do $each" "tick it in the app's settings, then dbx-auth login" ;;
		esac
	done
	[ -z "$(conf DROPBOX_ACCESS_TOKEN)" ] || warning "DROPBOX_ACCESS_TOKEN, which ends in hours, is in use" "dbx-auth login, and remove it"
	left=$(($(field allocated <"$out") - $(field used <"$out")))
	[ "$left" -gt "$(stat -Lc %s "$live" 2>/dev/null || echo 0)" ] ||
		warning "$(mib "$left") are left in Dropbox, less than a copy needs" "dbx-ls -l /backups"
	fact="accepted, with all four scopes; $(mib "$left") are left in Dropbox"
}

# ---- the watch, and the program ----------------------------------------------------------------

see_round() {
	[ -w "$run_dir/www" ] || critical "$run_dir/www: cannot write" "systemd-tmpfiles --create"
	fact="$run_dir/www can be written"
}

see_alerts() {
	[ -n "$(ctv-conf CTV_TEAMS_URL '' CTV_SLACK_URL '' CTV_NTFY_URL '')" ] ||
		warning "nobody is told: no channel is set" "echo CTV_NTFY_URL=... >>${CTV_ENV_FILE:-/etc/ctv-db-sync.env}"
	for each in CTV_TEAMS_URL CTV_SLACK_URL CTV_NTFY_URL; do
		# not repeated: it is a secret
		case $(conf "$each") in '' | http://[!/]* | https://[!/]*) ;; *) critical "$each: not an http or https URL" "ctv-db-sync.env(5)" ;; esac
	done
	try alert-post --list || { critical "$why"; return; }
	! grep -q 'not told yet: ' "$out" ||
		critical "not told: $(grep -m 1 'not told yet: ' "$out" | sed 's/^[a-z]* *\([^ ]*\) .*not told yet: /\1, /')" "alert-post --flush"
	fact="somebody is told; $(grep -c . "$out") stand"
}

see_opening() {
	fact="$live is not there yet"
	for each in "$live" "$live-wal" "$live-shm"; do
		[ -e "$each" ] || continue
		{ [ -r "$each" ] && [ -w "$each" ]; } ||
			critical "$each: cannot be opened to write, $(rights "$each")" "$(give "$each" 660)"
		fact="$live can be opened to write"
	done
}

see_versions() {
	sqlite=$(as_owner "$app/.venv/bin" "$app/.venv/bin/python3" -c 'import sqlite3; print(sqlite3.sqlite_version)' 2>&1) ||
		{ critical "the application's Python does not start: $(printf '%s\n' "$sqlite" | tail -n 1)" "python3 -m venv $app/.venv, and its requirements"; return; }
	fact="the application's SQLite $sqlite"
	# https://sqlite.org/wal.html, "The WAL-reset bug": ours never checkpoint a live database, so they do not meet it
	[ "$(printf '3.51.3\n%s\n' "$sqlite" | sort -V | head -n 1)" = 3.51.3 ] ||
		fact="$fact (before 3.51.3: two that checkpoint at once may harm it)"
	fact="$fact, systemd $(systemctl --version | sed 's/^systemd \([0-9]*\).*/\1/; q'), Linux $(uname -r)"
	fact="$fact, curl $(curl --version | cut -d ' ' -f 2 | head -n 1)"
	[ ! -x /usr/sbin/lighttpd ] || fact="$fact, $(/usr/sbin/lighttpd -v | sed 's/ .*//; s,/, ,; q')"
}

# ---- main ------------------------------------------------------------------------------------

judged='' kind=standby serves=''
scratch=$(mktemp -d)
trap leave EXIT
trap 'exit 3' INT TERM HUP

# without them nothing else can be seen
layer=settings role_is=
see_settings >/dev/null || :
[ -n "$role_is" ] || { look settings; verdict; }
worst=0 bad=
armed='ctv-pi2-download.timer ctv-status.timer ctv-settle.path ctv-status.path ctv-resume.service control-station.service'
job=ctv-pi2-download
if [ "$kind" = primary ]; then
	job=ctv-db-sync armed='ctv-db-sync.timer ctv-status.timer'
fi

if [ $# -gt 0 ]; then
	for each_layer in "$@"; do look "$each_layer"; done
elif [ "$(id -u)" -eq 0 ]; then
	echo "this host:"
	for each_layer in $host_layers; do look "$each_layer"; done
	# shellcheck disable=SC2086  # words
	{
		in_sandbox "$job.service" $job_layers
		in_sandbox ctv-status.service $watch_layers
		in_sandbox "$unit" $app_layers
	}
else
	for each_layer in $host_layers $job_layers round alerts opening versions; do look "$each_layer"; done
	layer=sandbox
	unknown "seen as $(id -un), not from within the units" "sudo $program"
fi
verdict
