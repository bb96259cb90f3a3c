#!/bin/sh
# daily-upload.sh [-n] - tonight's database, verified, from the primary into Dropbox
#
# What always holds: the live database is only read, never blocked for long, never checkpointed; a published
# copy has passed a full verification; a host that is not the owner in the head record publishes nothing; an
# old backup goes only after the new one is confirmed; a run that was killed is taken up where it was, with
# the same snapshot, for six hours.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/prune.sh
. "$here/parts/prune.sh"
live='' node='' remote='' state='' teams_url_set='' slack_url_set='' ntfy_url_set='' record_epoch='' record_owner='' record_seq=''
draft_epoch='' draft_snapshot_at='' draft_content_hash='' draft_size='' draft_size_text='' draft_verified='' file_rev=''
file_content_hash='' put_uploaded='' put_rev='' put_content_hash='' verify_text='' verify_not_judged_count=''
changes_every='' record_n='' draft_n='' draft_base='' last_exit='' last_message='' last_epoch='' last_owner='' last_ended_tonight='' last_ok_tonight=''

usage() {
	cat <<'END'
usage: daily-upload.sh [-n]

Publishes the primary's database through Dropbox: snapshot, full verification,
upload, a dated copy among the backups (seven are kept), the head record.

  -n, --dry-run    check what can be checked, change nothing
END
}

dry=
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	*) common_option "$option" ;;
	esac
done

# timer_ends: a timer's start ends here when this night's upload is done and nothing failed since, or when it waits for a person;
# but not when the record has another owner or epoch since
timer_ends() {
	get job-run --last=last_ upload
	get mirror-head show --shell=record_ --timeout 30s 2>/dev/null || :
	case $get_status in
	0 | 65 | 66) [ "$last_epoch/$last_owner" = "$record_epoch/$record_owner" ] || return 0 ;;
	esac
	leave_to_a_person ctv-db-sync.service
	# a later run that failed, as one for a base that the minutes asked for, is tried again
	[ -z "$last_ok_tonight" ] || [ "${last_exit:-0}" -ne 0 ] || finish unchanged "this night's upload is done"
}

# is_owner: ends the run unless this host may publish. A record that is not believed leaves that to a person, and $believed empty
is_owner() {
	get mirror-head show --shell=record_ ${dry:+--dry-run} || :
	case $get_status$dry in 0* | 66*) ;; 65) believed= ;; *) exit "$get_status" ;; esac
	facts epoch:int "$record_epoch" owner:text "$record_owner"
	case $record_owner in '' | "$node") return 0 ;; esac
	fail 77 "$remote: this host ($node) is fenced: $record_owner has owned the record since epoch $record_epoch; nothing is published, $live stays as it is" \
		"failback-to-pi-ctv.sh on $record_owner hands the record back"
}

gate() {
	role=$(mirror-role show)
	[ "$role" != standby ] || fail 77 "$state/role: this is the standby; it downloads, it does not upload"
	[ -f "$live" ] || fail 66 "$live: no such file" "DATABASE_PATH names the application's database"
	is_owner
	if [ -z "$believed" ]; then
		warn "nothing will be published"
		return 0
	fi
	# the file that is there now: whoever replaces it while we upload makes our upload fail, not theirs. Before the first record none
	# is expected
	absent=--may-lack
	[ -z "$record_owner" ] || absent=
	get dbx-ls --shell=file_ $absent "$remote" || [ "$get_status" -eq 66 ] || exit "$get_status"
	old_rev=$file_rev
	note "$node${record_owner:+ owns the record, epoch $record_epoch}"
	[ -n "$record_owner" ] || note "no head record yet: this run makes the first"
}

# drop_snapshot: the next run begins anew
drop_snapshot() {
	rm -f "$draft" "$snapshot"
}

# take_snapshot: a consistent copy of the live database, or the one of a run that was interrupted less than six hours ago,
# unless another host was the owner meanwhile. $draft collects the tools' lines about it, which are published in the end
take_snapshot() {
	if [ -f "$snapshot" ] && age-check -w 6h -c 6h "$snapshot" >/dev/null &&
		get mirror-head show --draft "$draft" --shell=draft_ && [ "$draft_epoch" = "$record_epoch" ] &&
		has_content "$snapshot" "$draft_content_hash"; then
		note "goes on with the one of $draft_snapshot_at"
		return 0
	fi
	draft_verified='' draft_n='' draft_base=''
	drop_snapshot
	[ -z "$record_epoch" ] || mirror-head show --append "$draft" >/dev/null
	# a host that serves in the primary's place publishes no minutes
	case $believed/$role in yes/primary | yes/) ! in_chain || ! take_state || return 0 ;; esac
	# its age is the data's, here and in Dropbox
	get db-snapshot --shell=draft_ --append "$draft" "$live" "$snapshot"
	note "$draft_size_text, taken $draft_snapshot_at"
}

# in_chain: are this host's nights states of a chain? A CTV_CHANGES_EVERY that is no time, as ctv-conf said, does not end one
in_chain() {
	[ -d "$state/changes" ] || return
	[ -n "$changes_every" ] || { [ -e "$state/changes/state.db" ] && [ "$(ctv-conf CTV_CHANGES_EVERY '')" != off ]; }
}

# take_state: the snapshot as the next state of the chain that is published minute by minute, which goes on meanwhile. A fault of
# the chain keeps no night from its snapshot; but a host that is fenced, or has no network, has no night either.
take_state() {
	"$here/publish-changes.sh" --file "$snapshot" --append "$draft" || case $? in
	69 | 75 | 77) exit ;;
	*)
		said=$?
		more "it is of no state of the chain of changes, which ends here"
		# the minutes may ask for another run only once, which this record tells; a timer's run is not asked for
		case ${TRIGGER_UNIT-} in *.timer) ;; *) fact base_exit:int "$said" ;; esac
		drop_snapshot
		[ -z "$record_epoch" ] || mirror-head show --append "$draft" >/dev/null
		return 1
		;;
	esac
	get mirror-head show --draft "$draft" --shell=draft_ || exit
	note "$draft_size_text, state $draft_n${draft_base:+, a base}, of $draft_snapshot_at"
}

# mark_suspect: the states that were published minute by minute hold the same data, and may be as damaged
# shellcheck disable=SC2317  # at_exit calls it, by $undo
mark_suspect() {
	[ "$code" -ne 65 ] || [ -z "$draft_n" ] ||
		mirror-head publish --owner "$node" --suspect "$draft_n" "${verify_text:-a verification has failed}" || :
}

verify_snapshot() {
	if [ -n "$draft_verified" ]; then
		skip verify "passed before the interruption"
		return 0
	fi
	step verify
	# a draft in which a verification has failed is not gone on with
	verify_hint="the snapshot is what $live holds: see db-verify -l full there"
	undo=mark_suspect
	verify full "$snapshot" --append "$draft"
	undo=
	tell_not_judged
}

# tell_not_judged: a snapshot that is sound, but could not be judged in all its parts, is published; people hear of it once, and
# once more when it is over
tell_not_judged() {
	[ -n "$teams_url_set$slack_url_set$ntfy_url_set" ] || return 0
	set -- --state ok "all of the database of $node was judged again"
	[ "${verify_not_judged_count:-0}" -eq 0 ] || set -- --state warning --do "db-verify -l full $live tells more" \
		"the nightly copy of $node is sound, but not all of it could be judged
${verify_text#"$snapshot: "}"
	alert-post --key not-judged "$@" || :
}

# back_up COMMAND...: COMMAND makes $backup, named by the time of its data (UTC)
back_up() {
	said=0
	as_backup "$(backup-names --name database --at "$draft_snapshot_at")" "$@" || said=$?
	[ "$said" -ne 73 ] || fail 73 '' "dbx-rm of what is not wanted in /backups makes its name free"
	[ "$said" -eq 0 ] || exit "$said"
	note "$backup"
}

# keep_unpublished: with a record that is not believed nothing is published and no old backup goes, but this night has its dated copy
keep_unpublished() {
	step backup
	back_up dbx-put -c "$snapshot"
	complaint=$(mirror-head show 2>&1 >/dev/null) || :
	fail 65 "$(printf '%s\n' "$complaint" | head -n 1); tonight's data is kept as $backup" \
		"$(printf '%s\n' "$complaint" | sed -n 's/^hint: //p')"
}

put() {
	get dbx-put --shell=put_ --append "$draft" -c ${old_rev:+--if-rev "$old_rev"} "$snapshot" "$remote"
	if [ "$put_content_hash" != "$draft_content_hash" ]; then
		drop_snapshot
		fail 65 "$snapshot: changed since it was taken" "run it again: it takes a new one"
	fi
	note "$remote has this content already"
	[ -z "$put_uploaded" ] || note "$draft_size_text as $remote, content_hash confirmed"
	facts rev:text "$put_rev" size:int "$draft_size" content_hash:text "$draft_content_hash" snapshot_at:text "$draft_snapshot_at"
}

# copy_to_backups: a dated copy, made inside Dropbox
copy_to_backups() {
	back_up dbx-cp "$remote"
	get dbx-ls --shell=file_ "$backup"
	[ "$file_content_hash" != "$draft_content_hash" ] || return 0
	# the dated name gets tonight's data, unless somebody has changed that one, too
	dbx-put -c --if-rev "$file_rev" "$snapshot" "$backup"
	fail 75 "$remote: was replaced while it was copied; $backup holds tonight's data all the same" \
		"run it again: it puts tonight's data there"
}

publish() {
	get mirror-head publish --shell=record_ --owner "$node" --draft "$draft"
	note "number $record_epoch.$record_seq: every standby may take it"
	facts epoch:int "$record_epoch" owner:text "$node" seq:int "$record_seq" published:bool yes
	# the minutes may ask for one base a day, and a timer's does not count
	case ${TRIGGER_UNIT-} in *.timer) ;; *) fact base:bool "$draft_base" ;; esac
	drop_snapshot
}

get ctv-conf --shell
[ -n "$node" ] || fail 78 "CTV_NODE: not set, and without a name this host cannot own the head record"
case $job$dry/${TRIGGER_UNIT-} in /*.timer) timer_ends ;; esac
steps=7 log=/var/log/ctv-db-sync/upload.log
run_as_job upload lock "$@"
snapshot=$state/upload.db draft=$state/upload.jsonl believed=yes old_rev=''

step owner
gate
[ -z "$dry" ] || finish ok "ready: a run would publish $live as $remote"
step snapshot
take_snapshot
verify_snapshot
[ -n "$believed" ] || keep_unpublished
step put
# minutes may have passed
is_owner
[ -n "$believed" ] || keep_unpublished
put
step backup
copy_to_backups
step publish
publish
step prune
prune
finish ok "published: $remote, data of $draft_snapshot_at"
