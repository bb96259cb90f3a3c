#!/bin/sh
# code-check.sh [--json | --as ID | --shell | --unreadable | --commit | --back] - is the application's code as committed, can the
# application read it, can the night update it?
#
# What always holds: nothing is changed, and nothing that the clone names is run: git sees its files through an empty
# repository of our own, without the clone's config and hooks, so anybody may look, root too.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/clone.sh
. "$here/parts/clone.sh"
app='' unit='' usage_status=3

usage() {
	cat <<'END'
usage: code-check.sh [--json | --as ID | --shell | --unreadable | --commit | --back]

Looks at the application's clone: are its files as they were committed, can the
application's user read them, can the night update it? One line.
Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

      --commit          the commit that is here, by its whole name; none, and 1, where
                        its files are not as committed
      --back            the commit to which it goes back when it fails the nightly proof,
                        and its date; none, and 1, where it would stay
      --unreadable      name each file that the application's user cannot read
      --json            a JSON object
      --as ID           the same, beginning with this id
      --shell[=PREFIX]  assignments for a shell
END
}

list='' form='' which=
while [ $# -gt 0 ]; do
	case $1 in
	--unreadable) list=yes ;;
	--commit | --back) which=$1 ;;
	--as)
		[ $# -gt 1 ] || usage_error "--as: needs a value"
		form=--as=$2
		shift
		;;
	--json | --as=* | --shell | --shell=*) form=$1 ;;
	*) common_option "$1" ;;
	esac
	shift
done

# answer STATE TEXT [HINT]: the end
answer() {
	[ -z "$which" ] || exit 1
	answered=0
	say-check ${form:+"$form"} ${3:+--hint "$3"} -- CODE "$app" "$1" "$2" || answered=$?
	exit "$answered"
}

# asked WORDS: asks systemd, which may give no answer
asked() { timeout -k 1s 5s systemctl "$@"; }

# ---- what the clone is, from its files ---------------------------------------------------------

# look GIT-ARGUMENTS: git in that repository
look() { timeout 20 git "$@" 2>/dev/null; }

# commit_of REF: sets $commit; empty where there is none
commit_of() {
	commit=
	[ ! -f ".git/$1" ] || read -r commit <".git/$1" || :
	# a branch's name may hold what is a pattern's
	[ -n "$commit" ] || [ ! -f .git/packed-refs ] ||
		commit=$(while read -r packed ref; do [ "$ref" != "$1" ] || echo "$packed"; done <.git/packed-refs) || :
}

# may_not USER MODE: words for find, by owner, group and mode: what that user may not do with a file
may_not() {
	uid=$(id -u "$1") gids=
	for gid in $(id -G "$1"); do gids="$gids${gids:+ -o }-gid $gid"; done
	[ "$uid" -ne 0 ] || { echo "-false"; return; }
	echo "( -uid $uid ! -perm -u+$2 -o ! -uid $uid ( $gids ) ! -perm -g+$2 -o ! -uid $uid ! ( $gids ) ! -perm -o+$2 )"
}

# unreadable: the files, directories and programs that the application's user cannot read. In a sandbox that shows other
# users as nobody, whoever looks stands for that user, of whose group it is.
unreadable() {
	file='! -readable' dir='( ! -readable -o ! -executable )'
	if [ -z "$masked" ]; then
		id "$user" >/dev/null 2>&1 || return 0
		file=$(may_not "$user" r) dir=$(may_not "$user" rx)
	fi
	# shellcheck disable=SC2086,SC2185  # words of find's, which takes the paths from standard input
	{
		look ls-files -z | find -files0-from - -maxdepth 0 ! -type l $file -print
		look ls-tree -rdz --name-only HEAD | find -files0-from - -maxdepth 0 $dir -print
		[ ! -d .venv ] || find .venv -type f $file -print -o -type d $dir -print
		find . -maxdepth 0 $dir -print
	} 2>/dev/null || :
}

# ---- findings ------------------------------------------------------------------------------------

verdict=ok text='' hint=

# problem STATE TEXT [HINT]: of several the worst, and of those the first
problem() {
	case $verdict/$1 in
	ok/* | warning/critical) verdict=$1 text=$2 hint=${3-} ;;
	esac
}

# counted LINES: `2 files (app.py ...)`
counted() {
	more=$(printf '%s\n' "$1" | wc -l)
	if [ "$more" -eq 1 ]; then echo "$1"; else echo "$more files (${1%%"$newline"*} ...)"; fi
}

look_at_tree() {
	changed=$(look status --porcelain --untracked-files=no) ||
		problem warning "git cannot read it; the next update mends that" "$update"
	[ -n "$changed" ] || return 0
	several="not as committed: $(counted "$(printf '%s\n' "$changed" | cut -c 4-)")"
	if [ -e .git/ctv-update/list ] && flock -n -E 99 .git/ctv-update/held true 2>/dev/null; then
		can=critical
		[ "$(id -u)" -ne 0 ] && [ ! -O .git ] || can=warning
		problem $can "$several: an update was interrupted; the next one, or a failover by its owner, mends that" "$update"
	else
		problem warning "$several" "git -C $app status"
	fi
}

# look_at_proof: the verdict of the nightly proof, which update-code.sh heeds
look_at_proof() {
	here_is=$commit
	commit_of refs/ctv/failed
	failed=$commit
	[ -n "$failed" ] || return 0
	commit_of "$followed"
	if [ "$failed" = "$here_is" ]; then
		problem warning "this code failed the nightly proof" "prove-failover.sh"
	elif [ "$failed" = "$commit" ]; then
		problem warning "the newest, $(printf %.7s "$failed"), failed the nightly proof, so this stays" "push a newer one"
	fi
}

# would_become COMMIT: may_become, tried with a copy of git's index
would_become() {
	timeout 20 cat .git/index >"$mine/index" || return
	GIT_INDEX_FILE=$mine/index notes=$mine patience=20
	may_become "$1"
}

# goes_back: prints to which commit take_back of clone.sh would go back
goes_back() {
	here_is=$commit
	commit_of refs/ctv/failed
	[ "$commit" != "$here_is" ] || return
	# of its own commits no verdict is heeded
	[ -n "$followed" ] && commit_of "$followed" && look merge-base --is-ancestor "$here_is" "$commit" || return
	commit_of refs/ctv/proved
	[ -n "$commit" ] && [ "$commit" != "$here_is" ] && look merge-base --is-ancestor "$commit" "$here_is" &&
		would_become "$commit" && look log -1 --format='%h of %cs' "$commit"
}

look_at_rights() {
	unread=$(unreadable)
	[ -z "$unread" ] || problem critical "$user cannot read $(counted "$unread")" \
		"chmod -R o+rX on what $program --unreadable names"
}

# look_at_night: could the unit of the night do its work?
look_at_night() {
	commit_of "$followed"
	if [ -z "$branch" ] || [ -z "$upstream" ] || [ -z "$commit" ]; then
		problem warning "follows no branch of origin" "git -C $app branch -u origin/main"
	elif [ "$(look rev-list --count "$commit..HEAD")" != 0 ]; then
		problem warning "has commits that are not at origin, so none of its own comes" "git -C $app log @{u}.."
	fi
	[ ! -e .git/ctv-update/requirements ] || problem critical "the requirements of this code are not installed" "$update"
	[ "$(asked show -P LoadState ctv-code.service 2>/dev/null)" = loaded ] || return 0
	[ "$(asked is-failed ctv-code.service 2>/dev/null)" != failed ] ||
		problem warning "the night could not update it" "journalctl -u ctv-code"
	[ -z "$masked" ] || return 0
	runs_as=$(asked show -P User ctv-code.service) || return 0
	[ "${runs_as:-root}" = "$owner" ] || problem warning "is $owner's, but the night's update runs as ${runs_as:-root}" "make install ROLE=standby"
	# shellcheck disable=SC2046  # words of find's
	shut=$(find .git \( -type d -o -name FETCH_HEAD -o -path '*/logs/*' \) $(may_not "$owner" w) -print -quit)
	[ -z "$shut" ] || problem warning "$shut: $owner, whose the clone is, cannot write it" "chown -R $owner $app/.git"
}

get ctv-conf --shell || exit 3
newline='
'
update="sudo $here/update-code.sh"
cd "$app" 2>/dev/null || answer critical "$app: cannot be entered"
[ -e .git ] || answer ok "no git repository in $app"
[ -d .git ] || answer warning "$app/.git: no directory: the code of a worktree, or of git's files elsewhere, is not kept up" \
	"git clone it anew, without --separate-git-dir"
command -v git >/dev/null || answer unknown "there is no git"
owner=$(stat -c %U .git) masked=
[ "$owner" != nobody ] || masked=yes
mine=$(mktemp -d)
trap 'rm -rf "$mine"' EXIT
mkdir "$mine/objects" "$mine/refs"
commit_of HEAD
branch='' upstream='' followed=
case $commit in
'ref: '*)
	branch=${commit#ref: refs/heads/}
	upstream=$(git config -f .git/config "branch.$branch.merge") || :
	followed=refs/remotes/$(git config -f .git/config "branch.$branch.remote")/${upstream#refs/heads/} || :
	commit_of "${commit#ref: }"
	;;
esac
case $commit in '' | *[!0-9a-f]*)
	[ -z "$branch" ] || [ -e ".git/refs/heads/$branch" ] ||
		answer warning "$app: its branch $branch has no commit, so nothing comes" "git -C $app checkout main"
	answer warning "$app: HEAD or its branch is empty; the next update mends that" "$update"
	;;
esac
echo "$commit" >"$mine/HEAD"
export GIT_DIR="$mine" GIT_WORK_TREE="$app" GIT_INDEX_FILE="$app/.git/index" GIT_OBJECT_DIRECTORY="$app/.git/objects" \
	GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
if [ "$which" = --back ]; then
	goes_back
	exit
elif [ -n "$which" ]; then
	changed=$(look status --porcelain --untracked-files=no) && [ -z "$changed" ] && echo "$commit"
	exit
fi
# systemd names no user for a unit of root's, nor for one that is not there
user=$(asked show -P User "$unit" 2>/dev/null) || user=ctvapps
user=${user:-root}
[ -z "$list" ] || { unreadable; exit 0; }

look_at_tree
look_at_rights
look_at_proof
look_at_night
answer "$verdict" "${text:+$app: $text; }$(look log -1 --format='at %h of %cs' HEAD)" "$hint"
