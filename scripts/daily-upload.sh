#!/bin/sh
# daily-upload.sh [-n] - tonight's database, verified, from the primary into Dropbox
#
# What always holds: the live database is only read, never blocked for long, never checkpointed; what is
# published passed a full verification; whoever is not the owner in the head record publishes nothing; an
# old backup goes only after the new one is confirmed; a run that was killed is taken up where it was, with
# the same snapshot, for six hours.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: daily-upload.sh [-n]

Publishes the primary's database through Dropbox: snapshot, full verification,
upload, a dated copy among the backups (seven are kept), the head record.

  -n, --dry-run    check what can be checked, change nothing
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	-*) usage_error "$1: unknown option" ;;
	*) break ;;
	esac
	shift
done
[ $# -eq 0 ] || usage_error "$1: no operand is taken"

keep=7
resume_for=6h
backups=/backups

settings
[ -n "$node" ] || die 78 "CTV_NODE: not set, and without a name this host cannot own the head record"
snapshot=$state/upload.db
# What each step reported, one JSON line each: the memory of an interrupted run, and at the end what
# mirror-head publish reads.
journal=$state/upload.jsonl

# did TOOL-MEMBER: the value of this member in the journal, empty when no step has reported it
did() {
	[ ! -f "$journal" ] || field "$1" <"$journal" | tail -n 1
}

# report: the JSON line of the step that just ran joins the journal
report() {
	{ [ ! -f "$journal" ] || cat "$journal"; cat "$out"; } >"$scratch/journal"
	replace "$journal" <"$scratch/journal" || die 74 "$journal: cannot write"
}

# A timer's start ends here when this night is done, or waits for a person, unless the record has changed hands since
timer_ends() {
	said=0
	said_record=$(mirror-head show --timeout 30s 2>/dev/null) || said=$?
	case $said in
	0 | 65 | 66)
		pick epoch "$state/last-upload.json"
		was=$value
		pick owner "$state/last-upload.json"
		[ "$was $value" = "$(printf '%s\n' "$said_record" | sed -n 's/^epoch=//p') $(
			printf '%s\n' "$said_record" | sed -n 's/^owner=//p')" ] || return 0
		;;
	esac
	if given_up upload; then
		printf '%s: %s\n' "$program" "$(text message <"$state/last-upload.json")" >&2
		printf 'hint: not tried again before the next night; systemctl start ctv-db-sync.service tries it now\n' >&2
		exit "$refused"
	fi
	if of_tonight upload last_ok_at; then
		say "this night's upload is done"
		exit 0
	fi
}

whose='' refused_why=''
# is_owner: ends the run unless this host may publish, or the record is not believed: then only a person can say
is_owner() {
	run mirror-head show ${dry:+--dry-run} || :
	case $status in
	0) owner=$(sed -n 's/^owner=//p' "$out") epoch=$(sed -n 's/^epoch=//p' "$out") ;;
	66) owner='' epoch=0 ;;
	65) owner='' epoch=0 refused_why=$why refused_hint=$hint ;;
	*) die "$(ended "$status")" "$why" "$hint" ;;
	esac
	[ -z "$owner" ] || whose=$(printf '"epoch":%s,"owner":"%s"' "$epoch" "$owner")
	outcome=$whose
	[ -z "$owner" ] || [ "$owner" = "$node" ] || die 77 \
		"$remote: this host ($node) is fenced: $owner has owned the record since epoch $epoch; nothing is published, $live stays as it is" \
		"failback-to-pi-ctv.sh on $owner hands the record back"
}

gate() {
	step owner
	role=$(role)
	case $role in
	primary | active | '') ;;
	standby) die 77 "$state/role: this is the standby; it downloads, it does not upload" ;;
	*) die 78 "$state/role: $role: neither primary nor active" ;;
	esac
	[ -f "$live" ] || die 66 "$live: no such file" "DATABASE_PATH names the application's database"
	is_owner
	if [ -n "$refused_why" ]; then
		[ -z "$dry" ] || die 65 "$refused_why" "$refused_hint"
		warn "nothing will be published: $refused_why"
		return 0
	fi
	# what is there now: whoever replaces it while we upload makes our upload fail, not theirs
	run dbx-ls --json "$remote" || :
	case $status in
	0) old_rev=$(field rev <"$out") ;;
	66) old_rev='' ;;
	*) die "$(ended "$status")" "$why" "$hint" ;;
	esac
	note "$node${owner:+ owns the record, epoch $epoch}"
	[ -n "$owner" ] || note "no head record yet: this run makes the first"
}

# a consistent copy of the live database, or the one of a run that was interrupted less than $resume_for ago
take_snapshot() {
	step snapshot
	if [ -f "$snapshot" ] && [ -n "$(did snapshot_at)" ] && [ "$(did epoch)" = "$epoch" ] &&
		age-check -w "$resume_for" -c "$resume_for" "$snapshot" >/dev/null &&
		has_content "$snapshot" "$(did content_hash)"; then
		taken=$(did snapshot_at) hash=$(did content_hash) size=$(did size)
		note "goes on with the one of $taken"
		return 0
	fi
	{ rm -f "$journal" && sync "$state"; } || die 74 "$journal: cannot remove"
	must db-snapshot --json "$live" "$snapshot"
	# its age is the data's, here and in Dropbox
	taken=$(field snapshot_at <"$out") hash=$(field content_hash <"$out") size=$(field size <"$out")
	touch -d "$taken" "$snapshot" || die 74 "$snapshot: cannot set its time"
	# an interrupted run of another epoch is not taken up: this host was not the owner meanwhile
	printf '{"epoch":%s}\n' "$epoch" >>"$out"
	report
	note "$(mib "$size"), taken $taken"
}

verify_snapshot() {
	if [ -n "$(did level)" ]; then
		skip verify "passed before the interruption"
		return 0
	fi
	step verify
	if ! verify "$snapshot" full; then
		# the next run takes a new one
		rm -f "$journal" "$snapshot" || :
		die "$status" "$why" "the snapshot is what $live holds: see db-verify -l full there"
	fi
	report
	tell_not_judged
}

# Sound, but not all of it could be judged: that is published, and told until it is over, which alert-post does once
tell_not_judged() {
	[ -n "$teams_url_set$slack_url_set$ntfy_url_set" ] || return 0
	case $(field not_judged_count <"$out") in
	'' | 0) set -- --state ok "all of the database of $node was judged again" ;;
	*)
		set -- --state warning --do "db-verify -l full $live tells more" "the nightly copy of $node is sound, but not all of it could be judged
${why#"db-verify: $snapshot: "}"
		;;
	esac
	run alert-post --key not-judged "$@" || say "   $why"
}

# The record is not believed, so nothing is published; but no night is without a dated copy, and none goes for it
keep_unpublished() {
	step backup
	put_backup "$snapshot" database "$taken" || die "$(ended "$status")" "$why" "$hint"
	note "$backup"
	die 65 "$refused_why; tonight's data is kept as $backup" "$refused_hint"
}

put() {
	step put
	if [ -n "$(did uploaded)" ] && in_dropbox "$remote"; then
		note "was done before the interruption"
	else
		# minutes may have passed
		is_owner
		[ -z "$refused_why" ] || keep_unpublished
		if [ -n "$old_rev" ]; then
			must dbx-put --json -c --if-rev "$old_rev" "$snapshot" "$remote"
		else
			must dbx-put --json "$snapshot" "$remote"
		fi
		if [ "$(field content_hash <"$out")" != "$hash" ]; then
			rm -f "$journal" "$snapshot" || :
			die 65 "$snapshot: changed since it was taken" "run it again: it takes a new one"
		fi
		if [ "$(field uploaded <"$out")" = false ]; then
			note "$remote has this content already"
		else
			note "$(mib "$size") as $remote, content_hash confirmed"
		fi
		report
	fi
	rev=$(did rev)
}

# A second copy inside Dropbox, named by the time of its data (UTC); where another content has this name, by the next second
copy_to_backups() {
	step backup
	n=0
	while backup=$backups/$(backup_name database "$taken" "$n"); ! in_dropbox "$backup"; do
		if run dbx-cp "$remote" "$backup"; then
			in_dropbox "$backup" || put_right
			break
		fi
		! in_dropbox "$backup" || break
		n=$((n + 1))
		[ "$status" -eq 73 ] || die "$(ended "$status")" "$why" "$hint"
		[ "$n" -lt 60 ] || die 73 "$why" "dbx-rm of what is not wanted in $backups makes its name free"
	done
	note "$backup"
}

# what we have just copied is not our snapshot: it gets our name's content, unless somebody has changed that too
put_right() {
	must dbx-ls --json "$backup"
	must dbx-put -c --if-rev "$(field rev <"$out")" "$snapshot" "$backup"
	die 75 "$remote: was replaced while it was copied; $backup holds tonight's data all the same" \
		"run it again: it puts tonight's data there"
}

# in_dropbox PATH: is there a file with the content of the snapshot?
in_dropbox() {
	said_status=$status said_why=$why said_hint=$hint
	if run dbx-ls --json "$1" && [ "$(field content_hash <"$out")" = "$hash" ]; then
		return 0
	fi
	status=$said_status why=$said_why hint=$said_hint
	return 1
}

publish() {
	step publish
	input=$journal
	must mirror-head publish --owner "$node"
	input=/dev/null
	run mirror-head show ${dry:+--dry-run} || :
	epoch=$(sed -n 's/^epoch=//p' "$out") seq=$(sed -n 's/^seq=//p' "$out")
	note "number $epoch.$seq: every standby may take it"
	# nothing is left to go on with
	rm -f "$journal" "$snapshot" || die 74 "$snapshot: cannot remove"
}

prune() {
	step prune
	must dbx-ls "$backups"
	# never the one just made, whatever the clock says
	old=$(backup-names --beyond "$keep" <"$out" | sed -n 's/^.* database //p' | grep -vxF -e "${backup##*/}") || old=
	if [ -z "$old" ]; then
		note "nothing to remove"
		return 0
	fi
	set --
	for name in $old; do
		set -- "$@" "$backups/$name"
	done
	must dbx-rm "$@"
	note "$# removed, the newest $keep are kept"
}

[ -n "$dry" ] || ! by_timer || timer_ends
begin upload 7 "${log_dir:-/var/log/ctv-db-sync}/upload.log"
gate
if [ -n "$dry" ]; then
	finish ok "ready: a run would publish $live as $remote"
fi
take_snapshot
verify_snapshot
[ -z "$refused_why" ] || keep_unpublished
put
done=$(printf '"rev":"%s","size":%s,"content_hash":"%s","snapshot_at":"%s"' "$rev" "$size" "$hash" "$taken")
outcome=$done${whose:+,$whose}
copy_to_backups
publish
outcome=$done,$(printf '"epoch":%s,"owner":"%s","seq":%s,"published":true' "$epoch" "$node" "$seq")
prune
finish ok "published: $remote, data of $taken"
