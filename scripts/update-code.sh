#!/bin/sh
# update-code.sh [-n | --fetch | --merge | --mend | --back] - the application's clone follows GitHub, by fast-forward
#
# What always holds: only the clone's owner changes it, and root becomes that user first, away from the terminal; the
# application's user can read what an update leaves, or it is put back with its rights; an update that a power cut has
# torn is mended from the objects, without network (clone.sh); any other difference is a person's work, and stays.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/clone.sh
. "$here/parts/clone.sh"
app='' unit='' state='' verdict='' commit=''

usage() {
	cat <<'END'
usage: update-code.sh [-n | --fetch | --merge | --mend | --back]

Brings the application's clone up to date, and its requirements. The night does
it; a failover does these by themselves. The code that serves stays. What the
nightly proof has found is heeded: a commit that failed is not brought again, and
goes back to the one that was proved last where that was asked for.

      --fetch      only fetch: given up after 2 s without a connection, and after 5 s
      --merge      mend, and merge what was fetched unless it needs other requirements
      --mend       only mend what a power cut has left of an update
      --back       take the last update back
  -n, --dry-run    does GitHub answer? as --fetch, but nothing is changed
END
}

act=night patience=60 noted=0
[ $# -eq 0 ] || case $1 in
-n | --dry-run) act=try patience=5 ;;
--fetch | --merge | --mend | --back) act=${1#--} patience=5 ;;
*) common_option "$1" ;;
esac
[ $# -le 1 ] || usage_error "$2: one option is taken"
get ctv-conf --shell
[ -e "$app/.git" ] || { echo "no git repository in $app"; exit 0; }
[ -d "$app/.git" ] || fail 78 "$app/.git: no directory: the code of a worktree, or of git's files elsewhere, is not kept up" \
	"git clone it anew, without --separate-git-dir"
cd "$app" 2>/dev/null || fail 77 "$app: cannot be entered"

# become: as root, runs this script as the clone's owner, who can neither type into root's terminal nor drive it
become() {
	owner=$(stat -c %u .git)
	umask 022
	[ -z "$(find .git -maxdepth 0 -perm -g+w)" ] || umask 002
	if [ "$owner" -eq "$(id -u)" ]; then
		[ "$owner" -ne 0 ] || [ -z "$(find . .git .git/config .git/hooks -maxdepth 0 \( ! -user 0 -o -perm /022 \))" ] ||
			fail 77 "$app: is root's, but others may write to it" "chown -R the user who updates it, $app"
		return 0
	fi
	[ "$(id -u)" -eq 0 ] || fail 77 "$app: is $(stat -c %U .git)'s, so an update is for that user or root" "sudo $here/$program"
	home=$(getent passwd "$owner" | cut -d : -f 6) others=--init-groups
	[ -n "$home" ] || home=/nonexistent others=--clear-groups
	code=0
	said=$(setsid -w setpriv --reuid "$owner" --regid "$(id -g "$owner" 2>/dev/null || stat -c %g .git)" $others env -i \
		PATH="$PATH" HOME="$home" CTV_ENV_FILE=/nonexistent CTV_APP_DIR="$app" CTV_SERVICE="$unit" CTV_STATE_DIR="$state" \
		"$here/$program" "$@" 2>&1 </dev/null) || code=$?
	said=$(printf '%s\n' "$said" | LC_ALL=C tr -c '\n -~' '?')
	if [ $code -eq 0 ]; then printf '%s\n' "$said"; else printf '%s\n' "$said" >&2; fi
	exit $code
}

# ---- GitHub ------------------------------------------------------------------------------------

# connected GROUP: has a process of that group a connection over TCP?
connected() {
	for process in $(pgrep -g "$1"); do ls -l "/proc/$process/fd"; done 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)]$/\1/p' |
		awk 'FILENAME == "-" { held[$1]; next } $4 == "01" && $10 in held { found = 1 } END { exit !found }' \
			- /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# ask_github GIT-ARGUMENTS: but for the night, git is given up when it has no connection after two seconds, whatever it waits for
ask_github() {
	GIT_SSH_COMMAND="$(git config core.sshCommand || echo ssh) -o BatchMode=yes -o ConnectTimeout=10"
	export GIT_SSH_COMMAND GIT_TERMINAL_PROMPT=0
	answer=0
	# shellcheck disable=SC2086  # words
	timeout -k 1 "$patience" git $careful "$@" & asking=$!
	if [ "$act" != night ]; then
		{ sleep 2; connected "$asking" || kill "$asking"; } >/dev/null 2>&1 9>&- & watch=$!
	fi
	wait "$asking" 2>/dev/null || answer=$?
	[ "$act" = night ] || kill "$watch" 2>/dev/null || :
	[ "$answer" -eq 0 ] || fail 69 "$app: GitHub gives no answer"
}

# ---- an update -----------------------------------------------------------------------------------

merge() {
	was=$(at HEAD)
	[ -n "$was" ] || fail 78 "$app: its branch has no commit" "git -C $app checkout main"
	new=$(in_clone rev-parse '@{upstream}' 2>/dev/null) || fail 78 "$app: follows no branch of origin" "git -C $app branch -u origin/main"
	in_clone merge-base --is-ancestor "$was" "$new" || fail 75 "$app: has commits of its own" "git -C $app log @{u}.."
	[ "$was" != "$new" ] || { echo "$(version), the newest"; return 0; }
	[ "$new" != "$(at $failed)" ] || { echo "$(version); the newest, $(in_clone rev-parse --short "$new"), failed the nightly proof"; return 0; }
	may_become "$new" || fail 75 "$app: files that were changed here are in the way: $in_the_way" "git -C $app status"
	if ! in_clone diff --quiet "$was" "$new" -- requirements.txt; then
		[ "$act" = night ] || fail 75 "$app: the new code needs other requirements, that is left to the nightly job"
		true >$notes/requirements
	fi
	unread=$("$here/code-check.sh" --unreadable)
	in_clone diff-tree -r -z --no-renames --name-only "$was" "$new" | xargs -0r stat --printf '%a %g %n\n' -- >$notes/modes 2>/dev/null || :
	{ echo "$was $new" && in_clone diff-tree -r --no-renames "$was" "$new"; } >$notes/next
	begin_update || fail 74 "$app: cannot write"
	in_clone merge --quiet --ff-only "$new" >/dev/null || { mend; fail 74 "$app: the update failed, the code is as it was"; }
	now=$("$here/code-check.sh" --unreadable)
	if [ -n "$now" ] && printf '%s\n' "$now" | grep -vxF -e "$unread" >$notes/unread; then
		put_back "$was"
		settle
		fail 77 "$app: $(head -n 1 $notes/unread): the application could not read it, so the code is as it was" "git -C $app log ..@{u}"
	fi
	settle
	echo "$(version), was $(in_clone rev-parse --short "$was")"
}

# requirements: installs changed ones, again each night until that has succeeded
requirements() {
	[ -e $notes/requirements ] || return 0
	PATH=$PATH:$HOME/.local/bin VIRTUAL_ENV=$app/.venv timeout -k 5 300 uv pip install --quiet -r requirements.txt ||
		fail 75 "$app: the requirements of this code are not installed" "cd $app && VIRTUAL_ENV=.venv uv pip install -r requirements.txt"
	rm -f $notes/requirements
}

back() {
	read -r was new 2>/dev/null <$notes/last || read -r was new 2>/dev/null <$notes/list || fail 66 "$app: no update to take back"
	[ "$(in_clone rev-parse HEAD)" = "$new" ] || fail 66 "$app: no update to take back"
	cp $notes/last $notes/next
	begin_update || fail 74 "$app: cannot write"
	put_back "$was"
	settle
	version
}

# stays: ends the run while the application serves, whose next start may fail with new code
stays() {
	is=$(svc-ctl -t "${patience}s" is-active "$unit" 2>/dev/null) || :
	case $is in active | activating | reloading) finish unchanged "$unit is $is: the code that serves stays" ;; esac
}

# when a host begins to serve, its note is removed, which starts the path unit, too
case ${TRIGGER_UNIT-} in *.path) [ -e "$state/ask/code" ] || { echo "no note is there" && exit 0; } ;; esac
become "$@"
[ -d $notes ] || mkdir $notes || fail 74 "$app/$notes: cannot create"
case "$act" in
fetch | try) ;;
*)
	exec 9>$notes/held
	# a failover has five seconds for all of this
	case $act in merge | mend) waits=2 ;; *) waits=20 ;; esac
	flock -w $waits 9 || fail 75 "$app/$notes/held: another update is at work"
	;;
esac
case "$act" in
try) ask_github ls-remote --quiet --heads ;;
fetch) ask_github fetch --quiet ;;
back) back ;;
*)
	stays
	mend
	[ "$act" != night ] || heed
	if [ "$act" = night ]; then
		ask_github fetch --quiet
		stays
	fi
	if [ "$act" = mend ]; then version; else merge; fi
	if [ "$act" = night ]; then
		stays
		requirements
	fi
	exit "$noted"
	;;
esac
