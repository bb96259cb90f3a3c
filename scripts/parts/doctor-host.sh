# doctor-host.sh - the layers of the host, as root or an operator sees them. Sourced by ctv-doctor.sh, never run
#
# What always holds: nothing is changed; a systemd, a Dropbox or a table of ports that gives no answer is unknown.
# shellcheck shell=sh disable=SC2034,SC2154  # the settings, and the kind of this host, are the doctor's

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
	done <<END
$out
END
	[ -n "$load" ] || { unknown "$1: systemd gives no answer${why:+: $why}"; return 1; }
}

see_units() {
	units=0
	for each in "$job.service" ctv-status.service "$unit" $armed; do
		about "$each" || return
		units=$((units + 1))
		[ "$load" = loaded ] || { critical "$each is $load" "make install ROLE=$kind"; continue; }
		[ "$stale" = no ] || warning "$each has changed since systemd read it" "systemctl daemon-reload"
		case $start in
		*/lighttpd) mend="apt-get install --no-install-recommends lighttpd" ;;
		"$app"/.venv/*) mend="python3 -m venv $app/.venv, and its requirements" ;;
		*) mend= ;;
		esac
		[ -z "$start" ] || executable "$start" "$each: " "$mend" || :
		# the primary's application has a unit that was there before us: the standby sees when it is down; what is started
		# again for ever tells by itself
		case $kind/$each/$on_failure in
		*/*.timer/* | */*.path/* | */ctv-follow.service/* | */ctv-publish.service/* | */*/*ctv-alert@* | primary/"$unit"/*) ;;
		*) critical "$each: nobody is told when it fails" "make install ROLE=$kind: a drop-in with OnFailure=ctv-alert@%n.service" ;;
		esac
		[ "$active" != failed ] || critical "$each has failed" "journalctl -u $each -n 50"
		[ "$each/$kind/$enabled" != "$unit/standby/enabled" ] ||
			warning "$unit starts at boot, beside the primary's" "systemctl disable $unit"
	done
	fact="$units are loaded as they are on disk, none has failed"
}

see_timers() {
	for each in $armed; do
		about "$each" || return
		# none is set while its job runs
		[ "$sub" != running ] || next='another time, once its job is done'
		case $each/$enabled/$active/$next in
		*.service/enabled/* | *.path/enabled/active/*) ;;
		*.timer/enabled/active/?*) fact=${fact:+$fact; }"$each at $next" ;;
		*/enabled/active/) critical "$each has no next time" "systemctl restart $each" ;;
		*) critical "$each is ${enabled:-not there} and $active" "systemctl enable --now $each" ;;
		esac
	done
}

# port_of PORT UNIT [yes]: nobody but this unit listens there; with yes it must
port_of() {
	about "$2" || return
	try ss -Hltnp "sport = :$1" || { unknown "who listens on port $1: $why" "apt-get install iproute2"; return; }
	pid=$(printf '%s\n' "$out" | sed -n '1s/.*pid=\([0-9]*\).*/\1/p')
	of=$(sed -n 's/^0:://p' "/proc/${pid:-none}/cgroup" 2>/dev/null) || of=
	if [ -z "$out" ]; then
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
	url=$standby_url
	[ "$kind" = standby ] || url=$primary_url
	url=${url##*:}
	port_of "${url%%/*}" "$unit" "$serves"
	[ "$kind" = primary ] || port_of 5001 control-station.service yes
}

see_holders() {
	about "$unit" || return
	get holders-check --shell "$live" || :
	[ -n "$all_seen" ] || unknown "whether others than $(id -un) have $live open is for root to see" "sudo $program"
	fact="nobody has $live open"
	[ -z "$pids" ] || fact="$unit has $live open"
	for pid in $pids; do
		if [ -z "$serves" ]; then
			critical "$live: in use by $holders, and would not be replaced" "systemctl status $pid"
			return
		fi
		grep -qsxF "0::$group" "/proc/$pid/cgroup" ||
			warning "$live: in use by $holders, of which $pid is not of $unit" "systemctl status $pid"
	done
}

see_clock() {
	try timedatectl show -p NTPSynchronized --value || :
	[ "$out" = yes ] || warning "the clock is not synchronised${why:+: $why}" "timedatectl set-ntp true"
	# -k: with a wrong clock no certificate is valid, and nothing secret is said
	try curl -skI -m 10 -o /dev/null -w '%header{date}' "$api_url" || :
	there=$(date -d "${out:-none}" +%s 2>/dev/null) || { unknown "Dropbox does not tell its time${why:+: $why}"; return; }
	ahead=$(($(date +%s) - there))
	[ "${ahead#-}" -le 300 ] || critical "the clock is $ahead s ahead of Dropbox's" "timedatectl set-ntp true"
	fact="synchronised, $ahead s ahead of Dropbox's"
}

see_page() {
	mend="systemctl restart control-station.service ctv-status.service"
	[ "$kind" = standby ] || mend="on the standby: sudo $program"
	judge "$mend" http-probe --newer-than 15m --pointer /generated_at "$station_url/status.json"
}

see_code() {
	[ -e "$app/.git" ] || { warning "$app: no git repository" "git clone"; return; }
	row code_present
}

# may the application's user write what others run or believe? Each finding has its hint
see_trust() {
	try "$here/trust-check.sh" || [ $? -eq 1 ] || { unknown "${out#TRUST UNKNOWN: }"; return; }
	fact=${out#TRUST *: } fact=${fact%% |*}
	while IFS= read -r text && IFS= read -r mends; do
		warning "$text" "${mends#hint: }"
	done <<END
$(printf '%s\n' "$out" | sed 1d)
END
}
