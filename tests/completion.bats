#!/usr/bin/env bats
# bash's completion of every program, made of its --help

load helper

setup_file() {
	export COMPLETIONS=${CTV_BUILD:-$ROOT/build}/completions/ctv-mirror.bash
}

# offered WORD...: what is offered for the last word of that command line, a word each
offered() {
	bash --norc -uc '
		. "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_ctv_mirror "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[@]-}"' complete "$COMPLETIONS" "$@"
}

@test "every program and every script that people call is completed" {
	for program in "$ROOT"/tools/*.c "$ROOT"/scripts/*.sh; do
		name=$(basename "$program" .c)
		case $name in lib.sh | deps.sh | demo.sh | completion.sh) continue ;; esac
		[ "$name" != cli-db-sync.sh ] || name=cli-db-sync
		run bash --norc -c '. "$1"; complete -p "$2"' complete "$COMPLETIONS" "$name"
		expect 0 "^complete -F _ctv_mirror $name\$"
	done
}

@test "every long option of every program's help is offered, and no other" {
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		wanted=$("$tool" --help | sed -nE 's/^  (-., |    )(--[a-z-]+).*/\2/p' | tr '\n' ' ')
		[ "$(offered "$tool" --)" = "${wanted% }" ] || { echo "$tool: $(offered "$tool" --)" >&2; return 1; }
	done
}

@test "the words of a command, by its first letters" {
	[ "$(offered svc-ctl st)" = 'start stop status' ]
	[ "$(offered svc-ctl is-)" = 'is-active is-enabled' ]
	[ "$(offered mirror-head s)" = 'show settle' ]
	[ "$(offered mirror-role '')" = 'show check set mark leave left' ]
	[ "$(offered cli-db-sync list)" = 'list list-backups' ]
	[ "$(offered dbx-auth w)" = whoami ]
	[ "$(offered ctv-doctor.sh ti)" = timers ]
}

@test "a script is completed by any path to it" {
	[ "$(offered /opt/apps/ctv-bookedbiz-db/scripts/failover-to-pi2.sh --dr)" = '--drill --dry-run' ] ||
		[ "$(offered /opt/apps/ctv-bookedbiz-db/scripts/failover-to-pi2.sh --dr)" = '--dry-run --drill' ]
}

@test "file names where the help says FILE, and nowhere else" {
	cd "$BATS_TEST_TMPDIR"
	touch 'new database.db' new.db
	[ "$(offered db-verify 'new d')" = 'new database.db' ]
	[ "$(offered db-changes --since new.)" = new.db ]
	[ "$(offered dbx-fetch -o new.)" = new.db ]
	# as bash has the words of --output=new.
	[ "$(offered dbx-fetch --output = new.)" = new.db ]
	[ "$(offered dbx-put new.)" = new.db ]
	[ -z "$(offered dbx-fetch new.)" ]
	[ -z "$(offered dbx-ls new.)" ]
	[ -z "$(offered dbx-put -j new.)" ]
	[ -z "$(offered http-probe new.)" ]
}

@test "words that an option takes are those of its help" {
	[ "$(offered db-verify -l '')" = 'header quick full' ]
	[ "$(offered standby-check.sh --for '')" = 'failover drill active page' ]
	sed -nE "s/^\t([a-z.-]+)\)$/\1/p; s/^\t\t(-. \| )?(--[a-z]+)\) .*words='([^']+)'.*/ \3/p" "$COMPLETIONS" |
		while read -r first rest; do
			[ -n "$rest" ] || { program=$first; continue; }
			for word in $first $rest; do
				"$program" --help | grep -qw -- "$word" || { echo "$program does not know $word" >&2; exit 1; }
			done
		done
}
