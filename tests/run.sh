#!/bin/sh
# run.sh [NAME...] - installs what is missing, builds, runs every test (or those of the bats files named)
set -eu
cd "$(dirname "$0")/.."

sh scripts/deps.sh test
make -s -j"$(nproc)" all units
export PATH="$PWD/build:$PATH"

passed=0 failed=0 skipped=0

# count PASSED FAILED SKIPPED
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

units() {
	for unit in build/unit/*; do
		[ -x "$unit" ] || continue
		out=$($unit) || { echo "not ok unit $unit"; printf '%s\n' "$out"; }
		last=$(printf '%s\n' "$out" | tail -n 1)
		case $last in
		*' passed, '*' failed') count "${last%% *}" "$(echo "$last" | cut -d' ' -f3)" 0 ;;
		*) echo "not ok $unit died: $last"; count 0 1 0 ;;
		esac
	done
}

# bats_file FILE: its TAP on standard output as it comes, its numbers from the copy
bats_file() {
	echo "# $1"
	bats --tap "$1" 2>&1 | tee "$tap" || true
	plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\)$/\1/p' "$tap" | head -n 1)
	skip=$(grep -c '^ok .* # skip' "$tap" || true)
	ok=$(($(grep -c '^ok ' "$tap" || true) - skip))
	# what the plan promised and nobody reported has failed too
	bad=$((${plan:-1} - ok - skip))
	count "$ok" "$bad" "$skip"
}

tap=$(mktemp)
trap 'rm -f "$tap"' EXIT
if [ $# -gt 0 ]; then
	for name in "$@"; do bats_file "$name"; done
else
	units
	for file in tests/*.bats tests/*/*.bats; do
		[ -e "$file" ] && bats_file "$file"
	done
fi

echo "$passed passed, $failed failed, $skipped skipped"
# a suite that ran nothing has failed
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
