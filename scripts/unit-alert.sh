#!/bin/sh
# unit-alert.sh UNIT - a unit failed: tell people, with its result and its last words
#
# By OnFailure= through ctv-alert@.service, where systemd says MONITOR_...; by ExecStopPost= of a unit that is started
# again for ever and so never counts as failed, where it says SERVICE_RESULT.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
node='' station_url='' last_result=''

usage() {
	cat <<'END'
usage: unit-alert.sh UNIT

Tells by alert-post that a systemd unit failed. systemd runs it.

END
}

case ${1-} in
'') usage_error "a unit is needed" ;;
-*) common_option "$1"; usage_error "$1: unknown option" ;;
esac
[ $# -eq 1 ] || usage_error "$2: one unit is taken"

# a configuration that is not in order is one more thing to be loud about: alert-post says so
! get ctv-conf --shell 2>/dev/null || export CTV_STATION_URL="$station_url"
unit=$1
node=${node:-$(uname -n)}
result=${MONITOR_SERVICE_RESULT:-${SERVICE_RESULT-}}
[ -n "${MONITOR_SERVICE_RESULT-}" ] || [ "$result" != success ] || exit 0
ended="${MONITOR_EXIT_CODE:-${EXIT_CODE-}} ${MONITOR_EXIT_STATUS:-${EXIT_STATUS-}}"
# without a result this run is ours
run=${MONITOR_INVOCATION_ID:-${SERVICE_RESULT:+${INVOCATION_ID-}}}
ended=${ended# } ended=${ended% }

# A download that somebody ended, as a failover does, has not failed: its timer tries again. One that took too long has another result.
# One that was ended before its run had begun has no record.
case $unit/$result/$ended in
'ctv-pi2-download.service/signal/killed TERM') exit 0 ;;
'ctv-pi2-download.service/exit-code/exited 75') get job-run --last=last_ download 2>/dev/null || : ;;
esac
[ "$last_result" != interrupted ] || exit 0

# in_journal: the journal takes what is said to it a moment later, on a busy machine seconds later. What systemd says of a run's end,
# by this id, is the last of it. An alert waits no longer, also where the journal gives no answer.
# shellcheck disable=SC2016  # for the shell that is timed
in_journal() {
	timeout 10 sh -c 'until journalctl -q -n 1 -o cat "$@" 2>/dev/null | grep -q .; do sleep 1; done' in_journal \
		"INVOCATION_ID=$1" MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c || :
}

# last_words: of this run, from the program and from systemd; else of the unit
last_words() {
	[ -z "${MONITOR_INVOCATION_ID-}" ] || in_journal "$MONITOR_INVOCATION_ID"
	if [ -n "$run" ]; then
		set -- "_SYSTEMD_INVOCATION_ID=$run" + "INVOCATION_ID=$run"
	else
		set -- -u "$unit"
	fi
	# a line may have 48 KiB, an argument 128
	timeout 10 journalctl -q --no-pager -o cat -n 5 "$@" 2>/dev/null | tail -c 4000 || :
}

# A nightly job tells the first failed try of a night, unless the primary's end explains it; what runs every few minutes or is started
# again and again tells at times. Without the application nobody is served.
severity=warning
case $unit in
ctv-db-sync.service | ctv-pi2-download.service) set -- --repeat 02:00 --inhibited-by primary-down ;;
flaskapp.service | ctv-resume.service) severity=critical; set -- --repeat 4h ;;
*) set -- --repeat 4h ;;
esac
exec alert-post --key "$unit" --state "$severity" "$@" --do "systemctl status $unit; journalctl -u $unit" \
	"$node: $unit failed${result:+: $result}${ended:+ ($ended)}
$(last_words)"
