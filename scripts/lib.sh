#!/bin/sh
# lib.sh - what the scripts share: words to job-run(1), answers of the tools, the command line. Sourced, never run
#
# A run is job-run's work: it holds the locks, writes the log and the record, draws the steps, and says why a run has
# failed. A script speaks to it by the words below, each of them one printf of the shell's; what its tools print takes
# the same way. Without job-run the words are lines that people read.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings and answers are the scripts'

program=${0##*/}
version=0.1.0
# cron and sudo hand down a short PATH; install.sh puts its own prefix here
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
# files are the group's too: what a nightly job began, an operator may finish, and the other way round
umask 007

# the token of this run, when job-run started this very process: a script within a run gets a run of its own
case ${CTV_JOB-} in
*:$$) job=${CTV_JOB%:*} ;;
*) job= ;;
esac

# ---- words -----------------------------------------------------------------------------------

# word WORD [A [B [C]]]: told to job-run, else printed
word() {
	if [ -n "$job" ]; then
		printf '\001%s %s\001%s\001%s\001%s\001\n' "$job" "$1" "${2-}" "${3-}" "${4-}"
		return
	fi
	case $1 in
	step) [ -z "$2" ] || printf '%s: %s ...\n' "$program" "$2" ;;
	skip) printf '%s: %s: %s\n' "$program" "$2" "$3" ;;
	say) printf '%s\n' "$2" ;;
	note | more) printf '   %s\n' "$2" ;;
	warn | refuse) printf '%s: %s\n' "$program" "$2" >&2 ;;
	ask) printf '%s ' "$2" >&2 ;;
	fail) [ -z "${3-}" ] || printf "%s: %s${4:+\\nhint: %s}\\n" "$program" "$3" ${4:+"$4"} >&2 ;;
	'done') printf '%s\n' "$3" ;;
	esac
}

step() { word step "$1"; }		# NAME: the step before is done, this one begins
step_done() { word step ''; }		# the step is done, and what follows belongs to none
skip() { word skip "$1" "$2"; }		# NAME REASON: a step that this run does not need
note() { word note "$1"; }		# TEXT: what the step found
warn() { word warn "$1"; }		# TEXT: the step will end with a warning
refuse() { word refuse "$1"; }		# TEXT: the step will count as failed, though the run goes on
more() { word more "$1"; }		# TEXT: a line to stand below that of the step
say() { word say "$1"; }		# TEXT: for the person and for the log, now
fact() { word fact "$1" "$2"; }		# NAME:KIND VALUE: a member of the record; text, int or bool (yes or empty)
mark() { word mark "$1"; }		# NAME: %{NAME} in a text is how many seconds after the run's beginning this was
unlock() { word unlock "$1"; }		# NAME: what is left to do needs this lock no more

# fail CODE [TEXT [HINT]]: the end. Without TEXT the last complaint of a tool says why.
fail() {
	word fail "$@"
	exit "$1"
}

# finish RESULT TEXT: the good end
finish() {
	word 'done' "$1" "$2"
	exit 0
}

# ask QUESTION [WORD]: true when a person at a terminal types WORD (default: y or yes). Without a terminal the answer is
# no, unless --yes stands for it; --no answers for the person at the terminal.
ask() {
	if [ -n "${no-}" ]; then
		say "$1 no (--no)"
		return 1
	elif [ -n "${yes-}" ]; then
		say "$1 yes (--yes)"
		return 0
	elif [ ! -t 0 ]; then
		say "$1 no (not a terminal)"
		return 1
	fi
	word ask "$1"
	read -r answer || answer=
	word answer "$1" "$answer"
	case $answer in
	"${2:-y}" | "${2:-yes}") return 0 ;;
	*) return 1 ;;
	esac
}

# ---- tools -----------------------------------------------------------------------------------

# get TOOL...: what it prints with --shell becomes variables; its exit status is returned. On failure too, because a
# check's exit 1 carries its answer. Nowhere else does a script evaluate anything.
get() {
	get_status=0
	get_answer=$("$@") || get_status=$?
	eval "$get_answer"
	return "$get_status"
}

# may_lack TOOL...: its exit status, but that it does not find what it is asked for is no failure
may_lack() {
	lack_status=0
	"$@" || lack_status=$?
	[ "$lack_status" -ne 66 ] || lack_status=0
	return "$lack_status"
}

# ---- the command line --------------------------------------------------------------------------

# usage_error TEXT; a check sets its status of that, which is 3
usage_status=64
usage_error() {
	printf '%s: %s\nhint: %s --help\n' "$program" "$1" "$program" >&2
	exit "$usage_status"
}

# common_option OPTION: what every script takes; its `usage` prints the help text, which ends as below if it does not name --help
common_option() {
	case $1 in
	-h | --help)
		usage
		case $(usage) in *--help*) exit 0 ;; esac
		cat <<'END'
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
		exit 0
		;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) ;;
	-*) usage_error "$1: unknown option" ;;
	*) usage_error "$1: no operand is taken" ;;
	esac
}

# ---- a run -----------------------------------------------------------------------------------

# the function that undoes what a script has begun, for when it does not come to its good end
undo=

# run_as_job TASK LOCKS ARGUMENTS: this script, with these arguments, as a job of that name, under these locks, each
# NAME[:WAIT[:HOLDER]]. It returns in the run; $steps is how many steps there will be, $log where its log is by default, and with
# $dry nothing is written.
run_as_job() {
	if [ -z "$job" ]; then
		run_options=
		for run_lock in $2; do
			run_options="$run_options --lock $run_lock"
		done
		run_task=$1 run_path=$0
		case $0 in */*) ;; *) run_path=./$0 ;; esac
		shift 2
		# shellcheck disable=SC2086  # words
		exec job-run "$run_task" ${dry:+-n} --log "$log" --steps "$steps" $run_options -- "$run_path" "$@"
	fi
	trap at_exit EXIT
	trap 'interrupted INT' INT
	trap 'interrupted TERM' TERM
	trap 'interrupted HUP' HUP
}

interrupted() {
	trap '' INT TERM HUP
	word interrupted "$1"
	exit 75
}

# every end passes here; what must be undone is undone when it has been said why
at_exit() {
	code=$?
	trap '' INT TERM HUP
	trap - EXIT
	if [ "$code" -ne 0 ] && [ -n "$undo" ]; then
		word undo
		$undo || :
	fi
	case $code in
	# a tool that was killed may be run again; one that is not there is a fault of ours
	126 | 127) code=70 ;;
	12[89] | 1[3-9]? | 2??) code=75 ;;
	esac
	[ -z "${scratch-}" ] || rm -rf "$scratch"
	exit "$code"
}

# what several scripts do with the mirror itself
# shellcheck source=scripts/parts/mirror.sh
. "$here/parts/mirror.sh"
