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

# step NAME: the step before is done, this one begins
step() { word step "$1"; }
# step_done: the step is done, and what follows belongs to none
step_done() { word step ''; }
# skip NAME REASON: a step that this run does not need
skip() { word skip "$1" "$2"; }
# note TEXT: what the step found
note() { word note "$1"; }
# warn TEXT: the step will end with a warning
warn() { word warn "$1"; }
# refuse TEXT: the step will count as failed, though the run goes on
refuse() { word refuse "$1"; }
# more TEXT: a line to stand below that of the step
more() { word more "$1"; }
# say TEXT: for the person and for the log, now
say() { word say "$1"; }
# fact NAME:KIND VALUE: a member of the record; KIND is text, int or bool (yes or empty)
fact() { word fact "$1" "$2"; }
# mark NAME: %{NAME} in a text is how many seconds after the run's beginning this was
mark() { word mark "$1"; }
# unlock NAME: what is left to do needs this lock no more
unlock() { word unlock "$1"; }

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

# ---- what several scripts do ---------------------------------------------------------------------
# Each may be asked as a condition, where the shell goes on after a failure. The settings are those of ctv-conf.

# unit_state UNIT: the word of systemctl is-active; `none` where no systemd runs, `unknown` when it is silent
unit_state() {
	[ -d /run/systemd/system ] || { echo none; return; }
	unit_word=$(svc-ctl is-active "$1") || case $? in
	3) ;;
	4) unit_word=inactive ;;
	*) unit_word=unknown ;;
	esac
	echo "$unit_word"
}

# settle_record: makes the owner in the head record the one who serves by the role: this host when it is active, else the
# primary, to whom it hands back what is its own. Sets $owner, empty without a record: then only the old uploader is at
# work, and it asks nobody. Bounded; while wanted/claim exists it is not known to be so.
settle_record() {
	settled=0
	if [ "$(mirror-role show)" != active ]; then
		owner=$(mirror-head settle --owner "$primary" --from "$node" --timeout 5s) || return
	else
		owner=$(mirror-head settle --owner "$node" --timeout 5s) || settled=$?
		# a host that serves owns the record, whatever somebody has done to it
		[ "$settled" -ne 65 ] || { mirror-head anew --owner "$node" --yes --timeout 5s && owner=$node; } || return
		[ "$settled" -eq 0 ] || [ "$settled" -eq 65 ] || return "$settled"
	fi
	rm -f "$state/wanted/claim" || return 65
}

# as_backup NAME COMMAND...: COMMAND makes $backup, of that name. A clock that begins at the same moment after each power
# cut makes one name twice: where it holds another content, which COMMAND says by 73, the next second's is taken.
as_backup() {
	backup_name=$1 backup_tries=0 backup_status=73
	shift
	while [ "$backup_status" -eq 73 ] && [ "$backup_tries" -lt 60 ]; do
		backup=/backups/$backup_name backup_tries=$((backup_tries + 1)) backup_status=0
		backup_name=$(backup-names --next "$backup_name") || return
		"$@" "$backup" || backup_status=$?
	done
	return "$backup_status"
}

# has_content FILE HASH: is this file's content_hash HASH?
has_content() {
	[ -f "$1" ] && [ -n "$2" ] && get db-verify --shell=content_ -l header --timeout 2h --hash "$2" "$1"
}

# verify LEVEL FILE [OPTION...]: FILE meets this host's demands, which is noted, or the run ends, with $verify_hint. One that
# asks for hours of processor time is not waited for without end.
verify_hint=
verify() {
	verify_level=$1 verify_file=$2 verify_code=0 verify_text=
	shift 2
	for table in $tables; do
		set -- "$@" --table "$table"
	done
	get db-verify --shell=verify_ -l "$verify_level" --timeout 2h --min-size "$min_size" "$@" "$verify_file" ||
		verify_code=$?
	case $verify_code/$verify_text in
	[01]/*) note "${verify_text#"$verify_file: "}" ;;
	2/*) fail 65 "db-verify: $verify_text" "$verify_hint" ;;
	3/*' within the time allowed') fail 75 "db-verify: $verify_text" ;;
	3/?*) fail 74 "db-verify: $verify_text" ;;
	# without a verdict it did not like how it was called: CTV_REQUIRE_TABLES
	3/) fail 78 ;;
	*) exit "$verify_code" ;;
	esac
}

# live_is_link: nothing is installed through a link, for the rename at the end would put a file in its place. Sets
# $link_text and $link_hint.
live_is_link() {
	[ -h "$live" ] || return 1
	link_to=$(readlink -m "$live")
	link_text="$live: a symbolic link to $link_to"
	link_hint="DATABASE_PATH=$link_to in ${CTV_ENV_FILE:-/etc/ctv-db-sync.env}, and ReadWritePaths=${link_to%/*} by systemctl edit ctv-pi2-download.service $unit"
}

# ---- the command line --------------------------------------------------------------------------

# usage_error TEXT
usage_error() {
	printf '%s: %s\nhint: %s --help\n' "$program" "$1" "$program" >&2
	exit 64
}

# common_option OPTION: what every script takes; its `usage` prints the help text
common_option() {
	case $1 in
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) ;;
	-*) usage_error "$1: unknown option" ;;
	*) usage_error "$1: no operand is taken" ;;
	esac
}

# ---- a run -----------------------------------------------------------------------------------

# what a script wants done when it does not come to its good end
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
