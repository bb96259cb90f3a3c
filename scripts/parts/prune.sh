# prune.sh - what goes from Dropbox when a night is on record: older nights, and the changes that nobody needs without them.
# Sourced by daily-upload.sh, never run
#
# What always holds: only names that a filter printed are removed, and it prints those of copies and of changes and no others;
# which changes are needed is reckoned from the copies that stay, so a run that is killed here has removed too little, and the
# next one goes on; an object of which that cannot be told stays.
# shellcheck shell=sh disable=SC2154  # the settings and answers are daily-upload.sh's

keep=7

# prune: the record was read before, so that whatever it names is in the listing
prune() {
	scratch=$(mktemp -d)
	# the night is on record, whatever becomes of this
	complaint=$(may_lack dbx-ls -R /backups /changes 2>&1 >"$scratch/listing") || { warn "what is not needed stays: $complaint"; return 0; }
	# never the one just made, whatever the clock says
	sed -n 's,^/backups/,,p' "$scratch/listing" | backup-names --nights "$keep" | sed -n 's,^.* database ,/backups/,p' |
		grep -vxF -e "$backup" >"$scratch/old" || :
	grep -vxF -f "$scratch/old" "$scratch/listing" |
		change-spent ${record_n:+--base "$record_n"} >"$scratch/spent" || {
		warn "the changes stay"
		: >"$scratch/spent"
	}
	# shellcheck disable=SC2046  # these names have no blanks
	set -- $(cat "$scratch/old" "$scratch/spent")
	note "nothing to remove"
	[ $# -gt 0 ] || return 0
	complaint=$(dbx-rm --days "$@" 2>&1) || { warn "not all was removed: $complaint"; return 0; }
	note "$# removed, the last $keep nights are kept"
}
