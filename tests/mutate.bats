load helper

setup() {
	# thousands of small files: in memory where there is such a place
	dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p "$BATS_TEST_TMPDIR")
}

teardown() {
	rm -rf "$dir"
}

# More copies, or others: CTV_MUTATIONS=100000 CTV_MUTATION_SEED=2 bats tests/mutate.bats
@test "what SQLite calls corrupt is never OK, and nothing sound is called damaged" {
	run mutate -n "${CTV_MUTATIONS:-4000}" -s "${CTV_MUTATION_SEED:-1}" "$dir"
	echo "$output"
	expect 0 '^all +[0-9]{4}'
	[[ $output != *MISSED* && $output != *'FALSE ALARM'* ]]
	# chance reached every way of damage
	run ! grep -E '^[a-z, -]+ +0 ' <<<"$output"
}
