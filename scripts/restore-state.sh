#!/bin/sh
# restore-state.sh (--at TIME | --state N) [-o FILE] - the database as it was at any moment that is kept in Dropbox
#
# What always holds: the chosen state is said before anything is done, and never guessed; it is made of a verified whole
# copy and the changes behind it, each of which must lead to the state that it says, and verified fully in the end; no file
# is overwritten, and the live database is replaced through the gates of daily-download.sh alone; a run that was killed
# goes on where it was.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' remote='' state='' min_size='' record_newest_n='' record_newest_object='' record_suspect_n='' record_suspect_why=''
plan_n='' plan_snapshot_at='' plan_local='' plan_later='' plan_unproven='' plan_missing='' plan_base='' plan_base_size_text=''
plan_base_content_hash='' plan_changes='' plan_object='' file_content_hash='' n=''

usage() {
	cat <<'END'
usage: restore-state.sh [-n] [-y] (--at TIME | --state N) [-o FILE]

Makes the database as it was: of the newest whole copy before that moment and the
changes behind it. It takes the live name, after a question, or becomes FILE.

      --at TIME    the newest state that is not later: 2026-11-30T14:03, by the
                   local clock unless Z or +01:00 follows
      --state N    this state, a number of cli-db-sync history
  -o, --output FILE
                   write FILE, which must not be there; leave the live database
  -n, --dry-run    say what would be done, by the names in Dropbox alone
  -y, --yes        answer the question with yes
END
}

dry='' yes='' at='' number='' out='' expected=
for option; do
	case $expected$option in
	at:?*) at=$option expected='' ;;
	number:?*) number=$option expected='' ;;
	out:?*) out=$option expected='' ;;
	*:) break ;;
	-n | --dry-run) dry=yes ;;
	-y | --yes) yes=yes ;;
	--at) expected=at: ;;
	--state) expected=number: ;;
	-o | --output) expected=out: ;;
	--at=?*) at=${option#*=} ;;
	--state=?*) number=${option#*=} ;;
	--output=?*) out=${option#*=} ;;
	*) common_option "$option" ;;
	esac
done
[ -z "$expected" ] || usage_error "a value is missing"
case $at/$number in
/) usage_error "--at TIME or --state N: which moment?" ;;
/* | */) ;;
*) usage_error "--at or --state, not both" ;;
esac

# choose OPTION...: asks change-history which of the states in Dropbox is meant, and sets plan_...
choose() {
	get change-history --shell=plan_ ${at:+--at "$at"} ${number:+--state "$number"} --file "$remote" \
		${record_newest_n:+--newest "$record_newest_n"} ${record_newest_object:+--newest-object "$record_newest_object"} \
		"$@" <"$scratch/listing"
}

told() {
	say "state $plan_n of $plan_local ($plan_snapshot_at)${plan_later:+, the last there is}, from $plan_base, $plan_base_size_text"
}

# look: reads the record, then the listing, so that whatever the record names is in it; says which state it will be
look() {
	scratch=$(mktemp -d)
	get mirror-head show --dry-run --shell=record_ || case $get_status in
	66) say "no head record bounds the choice" ;;
	65) say "the head record is not believed, so it does not bound the choice"; record_newest_n='' record_newest_object='' ;;
	*) exit "$get_status" ;;
	esac
	may_lack dbx-ls -lR /changes /backups "$remote" >"$scratch/listing" || exit
	choose || exit
	told
	[ -z "$record_suspect_n" ] || [ "$plan_n" -lt "$record_suspect_n" ] ||
		say "state $record_suspect_n and those after it are suspect: $record_suspect_why"
}

# enter: makes a directory of our own the working directory, for the files that are fetched and made; a killed run has left it
enter() {
	work=$state/restore
	[ -z "$out" ] || work=$(readlink -m "$out") work=${work%/*}/.${work##*/}.restore
	[ -d "$work" ] || mkdir "$work" || fail 73
	cd -P "$work" || fail 73
	if [ "$PWD" != "$(readlink -m "${work%/*}")/${work##*/}" ] || [ -n "$(find . -maxdepth 0 -perm /002)" ] ||
		{ [ -n "$out" ] && [ ! -O . ]; }; then
		fail 77 "$work: is not ours alone" "remove it"
	fi
	mkdir -p in || fail 74
}

# settle_choice: chooses anew by the objects themselves, until none that matters is missing. Complaints about the others are left to
# db-apply, which reads them all once more
settle_choice() {
	was=$plan_n$plan_base
	while
		choose --objects in --names "$scratch/names" 2>"$scratch/said" || { cat "$scratch/said" >&2; exit "$get_status"; }
		[ -n "$plan_missing" ]
	do
		bring --into in <"$scratch/names" || fail 75
	done
	[ "$plan_n$plan_base" = "$was" ] || told
	[ -z "$plan_unproven" ] || say "state $plan_n: the one after it is missing, so that it was published is not proved"
}

# apply: brings state.db to the chosen state. Each call leads as far as the next night on the way. Called as a condition
apply() {
	n=
	while [ "$n" != "$plan_n" ]; do
		was=$n
		get db-apply --shell --to "$plan_object" in state.db || return
		[ "$n" != "$was" ] || return 65
	done
}

make() {
	# a killed run may have left a state.db on the way to this state; if it leads elsewhere, it is made anew
	if [ -e state.db ] && [ -e state.db.note ] && apply 2>/dev/null; then
		note "an earlier run had begun it"
		return
	fi
	rm -f state.db.note state.db-* || fail 74
	get dbx-fetch --shell=file_ -c state.db -o state.db "$plan_base" || exit
	[ "$file_content_hash" = "$plan_base_content_hash" ] || fail 75 "$plan_base: was replaced meanwhile" "run it again"
	note "$plan_base_size_text"
	step apply
	apply || exit
	note "$plan_changes changes, state $n"
}

# as_file: the state becomes FILE, dated by its data
as_file() {
	step verify
	verify full state.db
	db-install --as-of "$plan_snapshot_at" state.db state.db
	# a file that has come there meanwhile is not replaced
	{ mv -n -T state.db "$out" && [ ! -e state.db ]; } || fail 73 "$out: is there already"
}

get ctv-conf --shell
case $out in '' | /*) ;; *) out=$PWD/$out ;; esac
steps=4 log=/var/log/ctv-db-sync/restore.log
run_as_job restore restore.lock "$@"
[ -z "$out" ] || { [ ! -e "$out" ] && [ ! -h "$out" ]; } || fail 73 "$out: is there already, and is not overwritten"
[ -z "$out" ] || [ -d "${out%/*}" ] || fail 73 "${out%/*}: no such directory"

step choose
look
[ -z "$dry" ] || finish ok "ready: a run would make it, and ${out:-$live} of it"
enter
settle_choice
[ -n "$out" ] || ask "Replace $live by state $plan_n of $plan_local? [y/N]" || finish unchanged "nothing was changed"
step fetch
make
if [ -n "$out" ]; then
	as_file
else
	step install
	db-install --as-of "$plan_snapshot_at" state.db state.db
	"$here/daily-download.sh" --file "$work/state.db" || exit
fi
cd / && rm -rf "$work"
finish ok "restored: ${out:-$live}, state $plan_n of $plan_local"
