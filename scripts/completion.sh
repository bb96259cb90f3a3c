#!/bin/sh
# completion.sh PROGRAM... - bash's completion of these programs, made of what their --help says
#
# An option is a line that begins with its name; a word in capitals after it is what it takes, or the words `one|two` are
# all that it takes. A command is a word in small letters, at the beginning of its line or after the program's name. bash-completion loads the file by the name of
# what is typed, so that each program has a link to it.
set -eu

# values PROGRAM OPTION WHAT: the words that it takes, where they stand for WHAT or --help has them in a sentence
values() {
	case "$1 $2 $3" in
	*'|'*) echo "$3" | tr '|' ' ' ;;
	'alert-post --state'*) echo 'ok warning critical unknown' ;;
	'alert-post --to'*) echo 'teams slack ntfy kuma healthchecks' ;;
	'standby-check.sh --for'*) echo 'failover drill active page' ;;
	esac
}

# on_disk PROGRAM: the words that mean a file, for a regular expression; one of Dropbox is not on this disk
on_disk() {
	case $1 in
	dbx-*) echo 'FILE|LOCAL' ;;
	alert-post) echo FILE ;;
	*) echo 'FILE|DIR|DB|SRC|DST|OUT|CANDIDATE|LIVE|CHANGE|BASE|NEW|STATE|OTHER|SCRIPT' ;;
	esac
}

# shellcheck disable=SC2016  # for bash
# answers PROGRAM: its case in the function below, from $help
answers() {
	usage=$(printf '%s\n' "$help" | sed -n '/^usage: /,/^[^u ]/{/^usage: /p; /^  /p}' | sed '/^$/q')
	# -o, --output FILE
	listed=$(printf '%s\n' "$help" | sed -nE 's/^  (-[a-zA-Z], |    )(--[a-z-]+)(\[=[A-Z]+\])?( [A-Z][A-Z.]*| [a-z]+(\|[a-z]+)+)?([^A-Za-z].*)?$/\1\2\4/p')
	options=$(printf '%s\n' "$listed" | grep -oE -- '--[a-z-]+' | tr '\n' ' ')
	words=$(printf '%s\n' "$help" | sed -nE 's/^  ([a-z][a-z-]*(, [a-z-]+)*)( [][A-Z]+)?  +.*/\1/p' | tr -d ',' | tr '\n' ' ')
	[ -n "$words" ] || words=$(printf '%s\n' "$help" | sed -nE "s/^(usage:|      ) $name ([a-z]+)( .*)?$/\2/p" | uniq | tr '\n' ' ')
	[ -n "$words" ] || words=$(printf '%s\n' "$help" | sed -nE 's/^  of the [a-z]+  +([a-z ]+)$/\1/p' | tr '\n' ' ')
	files=
	! printf '%s\n' "$usage" | sed -E 's/--?[a-z][a-z-]* [A-Z]+//g' | grep -qE "(^|[^A-Z])($(on_disk "$name"))([^A-Z]|$)" || files=yes

	printf '\t%s)\n' "$1"
	printf "\t\toptions='%s' words='%s' files=%s\n" "${options% }" "${words% }" "$files"
	takes=$(printf '%s\n' "$listed" | sed -nE 's/^(-[a-zA-Z], )? *(--[a-z-]+) ([A-Z.]+|[a-z|]+)$/\2 \3 \1/p' | tr -d ,)
	[ -z "$takes" ] || {
		echo '		case $before in'
		printf '%s\n' "$takes" | while read -r option what short; do
			files=
			! printf '%s\n' "$what" | grep -qxE "$(on_disk "$name")" || files=yes
			printf "\t\t%s) options='' words='%s' files=%s ;;\n" "${short:+$short | }$option" \
				"$(values "$name" "$option" "$what")" "$files"
		done
		echo '		esac'
	}
	printf '\t\t;;\n'
}

cat <<'END'
# bash completion of ctv-mirror, made of what its programs say about themselves

_ctv_mirror() {
	local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options='' words='' files=''
	# bash takes --output=FILE for three words
	[[ $now != = ]] || now=
	[[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD - 2]}
	case ${1##*/} in
END
names=
for program do
	help=$("$program" --help)
	case $help in 'usage: '*) ;; *) echo "completion.sh: $program: its --help has no usage" >&2; exit 70 ;; esac
	name=${program##*/}
	# its name on the PATH
	[ "$name" != cli-db-sync.sh ] || name=cli-db-sync
	answers "$name"
	names="$names $name"
done
cat <<END
	esac
	COMPREPLY=()
	if [[ \$now == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "\$options" -- "\$now")
	elif [[ -n \$words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "\$words" -- "\$now")
	elif [[ -n \$files ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "\$now")
	fi
}

complete -F _ctv_mirror$names
END
