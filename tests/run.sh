#!/bin/sh
# run.sh [FILE.bats...] - installs what is missing, builds, runs every test (or those of the files named)
set -eu
cd "$(dirname "$0")/.."

sh scripts/deps.sh test
B=${B:-build}
make -s -j"$(nproc)" B="$B" SANITIZE="${SANITIZE-}" all units
export CTV_BUILD="$PWD/$B" PATH="$PWD/$B:$PATH"

passed=0 failed=0 skipped=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# count PASSED FAILED SKIPPED
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# the tables of pure functions, and the corpus of each fuzz target
units() {
	for unit in "$B"/unit/* "$B"/replay/*; do
		set --
		case $unit in
		*/replay/*) set -- "tests/fuzz/corpus/${unit##*/}"/* ;;
		esac
		# a leak is told at the end, by the exit status alone
		out=$($unit "$@") || { echo "not ok unit $unit"; printf '%s\n' "$out"; count 0 1 0; }
		last=$(printf '%s\n' "$out" | tail -n 1)
		case $last in
		*' passed, '*' failed') count "${last%% *}" "$(echo "$last" | cut -d' ' -f3)" 0 ;;
		*) echo "not ok $unit died: $last"; count 0 1 0 ;;
		esac
	done
}

# the numbers of one file's TAP; what its plan promised and nobody reported has failed too
count_tap() {
	plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\)$/\1/p' "$1" | head -n 1)
	skip=$(grep -c '^ok .* # skip' "$1" || true)
	ok=$(($(grep -c '^ok ' "$1" || true) - skip))
	count "$ok" "$((${plan:-1} - ok - skip))" "$skip"
}

[ $# -gt 0 ] || units
# the long ones first, and the demo, which is short to read; beside one that computes a scenario of the lab, which waits
if [ $# -eq 0 ]; then
	ls -S tests/lab/*.bats >"$results/lab"
	# shellcheck disable=SC2010,SC2012,SC2046  # the names are ours
	set -- $({ echo tests/demo.bats && ls -S tests/*.bats | grep -vx tests/demo.bats; } | paste "$results/lab" -)
fi
# Twice as many files at once as there are processors: each has its own directory, ports and namespaces, and half of their
# time they wait, those of the lab still longer.
# FILE_LIMIT: seconds after which a file hangs; the sanitizers need more. TEST_TAGS: only the tests with (or, with !,
# without) these tags, which say what of a machine a test needs.
# shellcheck disable=SC2016  # $1 and $2 are the inner shell's
for file in "$@"; do
	[ ! -e "$file" ] || echo "$file"
done | xargs -P "$(($(nproc) * 2))" -I @@ sh -c '
	tap=$1/$(echo "$2" | tr / _)
	begin=$(date +%s)
	timeout "${FILE_LIMIT:-2400}" bats --tap ${TEST_TAGS:+--filter-tags "$TEST_TAGS"} "$2" >"$tap" 2>&1 || true
	{ echo "# $2: $(($(date +%s) - begin)) s"; cat "$tap"; } >"$tap.out"
	flock "$1" cat "$tap.out"' run "$results" @@

for tap in "$results"/*.bats; do
	[ ! -e "$tap" ] || count_tap "$tap"
done
# what failed comes once more at the end, with what it said: of a long log the end is what people see
for tap in "$results"/*.bats; do
	grep -qs '^not ok' "$tap" || continue
	echo "# failed in ${tap##*/}"
	awk '/^ok /{ p = 0 } /^not ok /{ p = 60 } p-- > 0' "$tap"
done
[ "$skipped" -eq 0 ] || grep -H '^ok .* # skip' "$results"/*.bats | sed "s|^$results/||" || true
echo "$passed passed, $failed failed, $skipped skipped"
# A suite that ran nothing has failed; with NO_SKIPS=1 so has one that left something out.
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && { [ -z "${NO_SKIPS-}" ] || [ "$skipped" -eq 0 ]; }
