# clone.sh - the application's clone: git in it, updates that a power cut has torn, the nightly proof's notes. Sourced by
# update-code.sh and code-check.sh, never run
#
# What always holds: before the first file of an update is touched, the list of its files is on disk, and it goes when they
# are; whoever finds a list makes its files what HEAD says, from git's objects. Our notes stand in .git/ctv-update: `list` of
# an update that is not on disk yet (two commits, then modes, blobs and paths), `last` of one that is, `modes` from before it.
# shellcheck shell=sh disable=SC2154,SC2034  # act, app, patience and noted are of update-code.sh

notes=.git/ctv-update
# the commits that the nightly proof has judged last
proved=refs/ctv/proved failed=refs/ctv/failed
tab=$(printf '\t')

# git's own files are on disk when it ends, and it leaves no process in the background that would hold our lock
careful='-c core.fsync=all -c core.fsyncMethod=batch -c gc.auto=0 -c maintenance.auto=false'

# shellcheck disable=SC2086  # words
in_clone() { timeout -k 1 "$patience" git $careful "$@"; }

version() { in_clone log -1 --format='%h of %cs' HEAD; }

# ---- an update ---------------------------------------------------------------------------------

# begin_update: puts the list on disk, before the first file is touched
begin_update() {
	sync $notes/next $notes && mv -f $notes/next $notes/list && sync $notes
}

# put_back COMMIT: makes the code that commit's again, with the rights that `modes` has
put_back() {
	enter_ours HEAD "$1"
	# reset takes a file whose rights have changed since the index was written for one that a person has changed
	in_clone update-index -q --refresh >/dev/null || :
	in_clone reset --quiet --keep "$1"
	# a name may begin or end with a blank
	while IFS= read -r line; do
		path=${line#* } group=${path%% *} path=${path#* }
		chgrp -h -- "$group" "$path" 2>/dev/null || :
		[ -L "$path" ] || chmod -- "${line%% *}" "$path" || :
	done <$notes/modes
}

# settle: the list goes when the files are on disk. A failover does not wait for the disk; the lock does.
settle() {
	if [ "$act" = night ]; then
		sync -f .git && mv -f $notes/list $notes/last
	else
		setsid sh -c "sync -f .git && mv -f $notes/list $notes/last" >/dev/null 2>&1 </dev/null &
	fi
}

# ours: the links that the installation put in the place of the repository's files, which git is to leave alone
ours() {
	[ -f .git/info/exclude ] || return 0
	sed -n 's,^/,,p' .git/info/exclude 2>/dev/null | while read -r path; do [ ! -L "$path" ] || printf '%s\n' "$path"; done
}

# enter FILE: puts the files as they are after FILE, the lines of a diff-tree, into git's index
enter() {
	sed 's/^:[0-7]* \([0-7]*\) [0-9a-f]* \([0-9a-f]*\) [A-Z]/\1 \2/' "$1" | in_clone update-index --index-info || return
	ours | while read -r path; do in_clone update-index --skip-worktree "$path" 2>/dev/null || :; done
}

# enter_ours FROM TO: git refuses to change a file that is a link of ours, unless its index says so already
enter_ours() {
	ours | xargs -rd '\n' git diff-tree -r --no-renames "$1" "$2" -- >$notes/ours
	enter $notes/ours
}

# may_become COMMIT: could the files here become that commit's? Else $in_the_way is one that a person has changed or made. Called before
# anything is touched, with an index that no other git uses at the moment.
may_become() {
	in_clone update-index -q --refresh >/dev/null || :
	enter_ours HEAD "$1"
	in_the_way=$(export LC_ALL=C && in_clone read-tree -n -m -u HEAD "$1" 2>&1) && return
	in_the_way=$(printf '%s\n' "$in_the_way" | sed -n "s/^[^']*'\(.*\)'.*/\1/p" | head -n 1)
	return 1
}

# ---- a power cut -------------------------------------------------------------------------------

# mend: repairs git's own files, and those of an update, that a power cut has torn
mend() {
	# while a person writes the words of a commit, git may hold index.lock
	old='-mmin +10 ! -name index.lock'
	[ ! -e $notes/list ] || old=
	# shellcheck disable=SC2086  # words of find's
	find .git -name '*.lock' $old -delete
	find .git/objects -type f -empty -delete
	was='' new=''
	[ ! -e $notes/list ] || read -r was new <$notes/list || :
	for ref in $(cd .git && grep -rLsE '^([0-9a-f]{40,64}$|ref: )' HEAD refs); do
		say "$app: $ref was empty"
		branch=${ref#refs/heads/}
		case $ref in
		HEAD) git config -f .git/config --get-regexp '^branch\..*\.merge$' | sed -n '1s/^[^ ]* /ref: /p' >.git/HEAD ;;
		*) rm -f ".git/$ref" ;;
		esac
		[ "$branch" != "$ref" ] || continue
		for at in $(sed -n '$s/^[0-9a-f]* \([0-9a-f]*\) .*/\1/p' ".git/logs/$ref" 2>/dev/null) "origin/$branch" $new $was; do
			! in_clone ls-tree -r "$at" >/dev/null 2>&1 || { in_clone update-ref "$ref" "$at"; break; }
		done
	done
	in_clone ls-files >/dev/null 2>&1 || { rm -f .git/index && in_clone read-tree HEAD && enter /dev/null; }
	[ ! -e $notes/list ] || mend_files
}

# remove_gone: removes the files of `gone`. A walk finds them, which goes through no link: where a directory has become one, what it
# leads to has files of the same names; and a name that is a directory's by now is none of them
remove_gone() {
	LC_ALL=C sort -z -o $notes/gone $notes/gone
	find . -path ./.git -prune -o ! -type d -printf '%P\0' 2>/dev/null | LC_ALL=C sort -z | LC_ALL=C comm -z -12 - $notes/gone |
		xargs -0r rm -f --
}

# mend_files: the files of the list become what HEAD says; when HEAD is neither of its two commits, a person has been at work. While
# they cannot be written the list stays, for the next run.
mend_files() {
	case $(in_clone rev-parse HEAD) in
	"$was") other=$new ;;
	"$new") other=$was ;;
	*) other=HEAD ;;
	esac
	in_clone diff-tree -r --no-renames "$other" HEAD >$notes/mend || return
	enter $notes/mend || return
	ours >$notes/ours || return
	in_clone diff-tree -r -z --no-renames --diff-filter=D --name-only "$other" HEAD >$notes/gone || return
	remove_gone || return
	sed -n "/^[^$tab]* D$tab/!s/^[^$tab]*$tab//p" $notes/mend | grep -vxFf $notes/ours | in_clone checkout-index -f -q --stdin || return
	[ "$other" = HEAD ] || say "$app: an update that was interrupted is mended: $(wc -l <$notes/mend) files"
	settle
}

# ---- the nightly proof ----------------------------------------------------------------------------

# at REVISION: the commit; empty where there is none
at() { in_clone rev-parse -q --verify "$1^{commit}" 2>/dev/null || :; }

# unheeded CODE TEXT: the note is not carried out; the night goes on, and ends with that code
unheeded() {
	noted=$1
	warn "$app: $2"
	return "$1"
}

# was_here COMMIT: is it, or was it, the code of this clone? The user who writes the note has fewer rights than the clone's owner,
# and may choose among these alone
was_here() {
	{ at HEAD && at $proved && at $failed && head -qn 1 $notes/list $notes/last 2>/dev/null | tr ' ' '\n'; } | grep -qxF -e "$1"
}

# heed: carries out the note of the proof, once: code that a person has brought back since stays
heed() {
	get code-note --shell || { noted=$?; return 0; }
	[ -n "$verdict" ] || return 0
	good=$(at $proved)
	# a clone that was made anew knows of no proof: the next one judges it
	[ -n "$good$(at $failed)" ] || [ -e $notes/last ] || was_here "$commit" || return 0
	was_here "$commit" || unheeded 65 "the note of the proof is about $commit, which is not the code here, and was not" || return 0
	in_clone merge-base --is-ancestor "$commit" '@{upstream}' 2>/dev/null ||
		unheeded 65 "the proof has a verdict on $commit, which is not of GitHub's" || return 0
	case $verdict in
	proved)
		[ "$good" = "$commit" ] || in_clone update-ref $proved "$commit" || fail 74 "$app: cannot write"
		[ "$(at $failed)" != "$commit" ] || in_clone update-ref -d $failed || fail 74 "$app: cannot write"
		;;
	# a commit that was proved once fails by something else than its code
	*)
		[ "$good" != "$commit" ] && [ "$(at $failed)" != "$commit" ] || return 0
		[ "$verdict" = failed ] || take_back || :
		in_clone update-ref $failed "$commit" || fail 74 "$app: cannot write"
		;;
	esac
}

# take_back: the code of $commit, if it is here, becomes that of $good
take_back() {
	[ "$(at HEAD)" = "$commit" ] || return 0
	name="$(version), which failed the nightly proof"
	in_clone merge-base --is-ancestor "${good:-none}" "$commit" 2>/dev/null || unheeded 66 "$name, stays: none before it was proved" || return
	may_become "$good" || unheeded 75 "$name, stays: files that were changed here are in the way: $in_the_way" || return
	in_clone diff --quiet "$good" "$commit" -- requirements.txt || true >$notes/requirements
	{ echo "$good $commit" && in_clone diff-tree -r --no-renames "$good" "$commit"; } >$notes/next
	true >$notes/modes
	# that a file cannot be written shows only half-way
	{ begin_update && put_back "$good" && [ "$(at HEAD)" = "$good" ] && settle; } || { mend; unheeded 74 "$name, stays: cannot write"; } || return
	echo "$(version) again; $name"
}
