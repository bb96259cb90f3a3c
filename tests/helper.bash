# helper.bash - what the bats files share. Each test works in its own $BATS_TEST_TMPDIR.

bats_require_minimum_version 1.5.0
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$ROOT/build:$ROOT/scripts:$PATH"
export TZ=UTC LC_ALL=C.UTF-8
unset CTV_ENV_FILE NO_COLOR

# expect STATUS [REGEX]: after `run`; the exit status, and an extended regex that the output must match
expect() {
	if [ "$status" -ne "$1" ]; then
		printf 'status %s, wanted %s; output:\n%s\n' "$status" "$1" "$output" >&2
		return 1
	fi
	if [ -n "${2-}" ] && ! grep -Eq -- "$2" <<<"$output"; then
		printf 'output does not match %s:\n%s\n' "$2" "$output" >&2
		return 1
	fi
}
