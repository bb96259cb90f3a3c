#!/usr/bin/env bats
# every tool and script has its page, and the page and --help list the same options

load helper

# options_of TEXT-FILE: the long options that a text names, one a line
options_of() {
	grep -oE -- '--[a-z][a-z-]+' "$1" | sort -u
}

@test "every binary has a page whose options are those of --help" {
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		"$tool" --help >"$BATS_TEST_TMPDIR/help"
		mandoc -T utf8 "$ROOT/man/$tool.1" | sed "s,.\x08,,g" >"$BATS_TEST_TMPDIR/page"
		# a page says what the option's line says; a short option is enough where there is no long one
		for option in $(sed -n 's/^ .*\(--[a-z][a-z-]*\).*/\1/p' "$BATS_TEST_TMPDIR/help"); do
			options_of "$BATS_TEST_TMPDIR/page" | grep -qx -- "$option" ||
				{ echo "$tool: $option is in --help, not on the page" >&2; return 1; }
		done
		for option in $(sed -n '/^\.It Fl/s/ Fl -/ --/gp' "$ROOT/man/$tool.1" | grep -oE -- ' --[a-z][a-z-]+'); do
			grep -qE -- "(^|[ ,])$option( |,|$|=|\\[)" "$BATS_TEST_TMPDIR/help" ||
				{ echo "$tool: $option is on the page, not in --help" >&2; return 1; }
		done
	done
}

@test "a command line is read from the option table: no tool knows getopt" {
	cd "$ROOT"
	run grep -l getopt tools/*.c
	expect 1
}

@test "every page has the sections that an operator looks for" {
	for page in "$ROOT"/man/*.1 "$ROOT"/man/*.8; do
		for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
			grep -qE "^\.Sh \"?$section\"?$" "$page" || { echo "$page: no $section" >&2; return 1; }
		done
	done
}

@test "every script has its page, the run bit, and a help text" {
	for script in "$ROOT"/scripts/*.sh; do
		name=$(basename "$script" .sh)
		[ -x "$script" ]
		[ "$(head -n 1 "$script")" = '#!/bin/sh' ]
		case $name in lib | deps | demo | completion) continue ;; esac
		[ -e "$ROOT/man/$name.8" ] || { echo "no page for $name" >&2; return 1; }
		"$script" --help | grep -q '^usage: '
	done
}

@test "help and version: standard output, status 0, nothing on standard error" {
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		for option in --help -h --version -V; do
			run --separate-stderr "$tool" "$option"
			[ "$status" -eq 0 ]
			[ -n "$output" ]
			[ -z "$stderr" ]
		done
		[ "$("$tool" --help | awk '{ if (length > 100) print }')" = '' ]
	done
}

@test "a full standard output is an error, never a silent success" {
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		run -74 bash -c "'$tool' --help >/dev/full"
		grep -q "$tool: standard output: cannot write: No space left on device" <<<"$output"
	done
}

@test "links do not dangle: what a page's SEE ALSO names of ours exists" {
	for page in "$ROOT"/man/*; do
		sed -n 's/^\.Xr \([a-z.-]*\) \([0-9]\).*/\1.\2/p' "$page" | while read -r name; do
			case $name in
			*-check.* | ctv-* | db-* | dbx-* | mirror-head.* | svc-ctl.* | http-probe.* | alert-post.* | status-render.* | daily-* | fail* | cli-*)
				[ -e "$ROOT/man/$name" ] || { echo "${page##*/}: $name does not exist" >&2; exit 1; } ;;
			esac
		done
	done
}

@test "lib/README.md has a line for each module, in the room where it is, and names none that is not there" {
	for room in lib lib/dropbox lib/sqlite lib/watch; do
		heading='The common ground'
		[ "$room" = lib ] || heading=${room#lib/}
		sed -n "/^## $heading/,/^## /s/^| \([a-z0-9_, ]*\) |.*/\1/p" "$ROOT/lib/README.md" | grep -vx module | tr -d ' ' | tr , '\n' |
			sort >"$BATS_TEST_TMPDIR/named"
		(cd "$ROOT/$room" && ls ./*.c ./*.h) | sed 's,^\./,,; s/\.[ch]$//' | sort -u | diff "$BATS_TEST_TMPDIR/named" - ||
			{ echo "$room" >&2; return 1; }
	done
}

@test "a room of lib includes the common ground and itself" {
	cd "$ROOT"
	run grep -nE '^#include "(lib/(dropbox|sqlite|watch)|tools)/' lib/*.[ch]
	expect 1
	for room in dropbox sqlite watch; do
		run bash -c "grep -nE '^#include \"(lib/[a-z]+|tools)/' lib/$room/*.[ch] | grep -v '\"lib/$room/'"
		expect 1
	done
}

@test "no script asks db-verify without a limit: one that hangs would hold a failover" {
	cd "$ROOT/scripts"
	ls ./*.sh | grep -vx ./demo.sh | xargs grep -nE '(^[[:space:]]*|&& |\|\| |! )(get )?db-verify -' >"$BATS_TEST_TMPDIR/asked"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/asked")" -ge 5 ]
	run grep -v -- --timeout "$BATS_TEST_TMPDIR/asked"
	[ -z "$output" ] || { echo "$output" >&2; false; }
}

@test "no script copies a database through a link that the application has put there" {
	cd "$ROOT/scripts"
	run bash -c "ls ./*.sh | grep -vx ./demo.sh | xargs grep -nE '(^|[^-a-z])cp -' | grep -v 'cp -pP --remove-destination '"
	[ -z "$output" ] || { echo "$output" >&2; false; }
}
