#!/usr/bin/env bats
# needs.sh: the list of the tests that a machine which qemu-user only plays cannot run, and why

load helper

setup_file() {
	export LIST=$BATS_FILE_TMPDIR/list
	sh "$ROOT/tests/needs.sh" >"$LIST"
}

# A tree of its own, in which nothing else changes. The words are made here, or this file would be on the list too.
small_tree() {
	mkdir -p "$BATS_TEST_TMPDIR/tree/tests/sub"
	cd "$BATS_TEST_TMPDIR/tree"
	words() { sed 's/TRACE/strace/g; s/GRIND/valgrind/g; s/MEM/time -o peak -f %\x4d/; s/BOOT/lab\x20boot/; s/BIND/mount --bind/; s/LIMIT/ulimit\x20-v/; s/CLOSED/<\x26-/; s/^TEST/@test/'; }
	words >tests/shared.bash <<-'END'
		watched() {
			TRACE -f "$@"
		}
		quiet() { "$@"; }
	END
	words >tests/sub/one.bats <<-'END'
		load ../shared
		wrapped() { watched db; }
		peak() {
			/usr/bin/MEM "$@"
		}
		TEST "of its own (text), with [odd] \"signs\"" {
			run GRIND true
		}
		TEST "by a function of a file that is loaded" {
			run wrapped
		}
		TEST "which mount it is" {
			run sh -c "BIND a b && db-install a b"
			run sh -c "BIND a b && db-verify a"
		}
		TEST "begun without a standard input" {
			run sh -c "db-verify CLOSED"
			exec 5CLOSED
		}
		TEST "as much memory as it may take" {
			run bash -c "LIMIT 20000; exec db-verify db"
		}
		TEST "two needs" {
			peak true
			watched true
		}
		TEST "none: a word like TRACEd or gdbm, and what a comment says" {
			# TRACE -f
			quiet TRACEd gdbm-GRINDs
		}
	END
	words >tests/two.bats <<-'END'
		setup_file() {
			BOOT pi2
		}
		TEST "by what is done for all of its file" {
			true
		}
	END
}

@test "the text of a test counts, the functions that it calls, those of loaded files, and what is done for its file" {
	small_tree
	run sh "$ROOT/tests/needs.sh" .
	expect 0
	diff <(printf '%s\n' "$output") - <<-'END'
		tests/sub/one.bats	needs:ptrace	of its own (text), with [odd] \"signs\"
		tests/sub/one.bats	needs:ptrace	by a function of a file that is loaded
		tests/sub/one.bats	needs:mounts	which mount it is
		tests/sub/one.bats	needs:closed	begun without a standard input
		tests/sub/one.bats	needs:memory	as much memory as it may take
		tests/sub/one.bats	needs:ptrace	two needs
		tests/sub/one.bats	needs:memory	two needs
		tests/two.bats	needs:hosts	by what is done for all of its file
	END
}

@test "tagged, a tree runs the others and none of these" {
	small_tree
	sh "$ROOT/tests/needs.sh" --tag .
	run bats --count --filter-tags '!needs:ptrace,!needs:memory,!needs:browser,!needs:hosts,!needs:mounts,!needs:closed' tests/*.bats tests/*/*.bats
	expect 0 '^1$'
	run bats --count --filter-tags needs:ptrace tests/sub/one.bats
	expect 0 '^3$'
	run bats --count --filter-tags 'needs:memory,needs:ptrace' tests/sub/one.bats
	expect 0 '^1$'
	run bats --count tests/two.bats tests/sub/one.bats
	expect 0 '^8$'
}

@test "every file of ours that traces, measures memory, draws, boots or begins without an input is on the list, and no other" {
	cd "$ROOT"
	grep -lE '(^|[^a-z_-])(strace|valgrind) -|time .*-f .?%M|ulimit[ ]-v|chromium[ ]-|load (fault/crash|lab|\.\./lab/lab)$|lab[ ]boot|[^0-9}]<[&]-' tests/*.bats tests/*/*.bats |
		grep -vx tests/needs.bats | sort >"$BATS_TEST_TMPDIR/files"
	cut -f 1 "$LIST" | sort -u | diff "$BATS_TEST_TMPDIR/files" -
	# each need is somebody's, and most tests have none
	[ "$(cut -f 2 "$LIST" | sort -u | wc -l)" -eq 6 ]
	[ "$(cut -f 1,3 "$LIST" | sort -u | wc -l)" -lt "$(($(cat tests/*.bats tests/*/*.bats | grep -c '^@test ') / 3))" ]
}
