#!/usr/bin/env bats
# say-check: a script's verdict in every form that a check has

load helper

@test "each state by its word, its line and its exit status" {
	while read -r state code; do
		run say-check CODE /app "$state" 'so it is'
		expect "$code" "^CODE ${state^^}: so it is$"
		run say-check --as warn/code CODE /app "$state" 'so it is'
		expect "$code"
		[ "$(jq -r '"\(.id) \(.check) \(.object) \(.state) \(.text)"' <<<"$output")" = "warn/code say-check /app ${state,,} so it is" ]
	done <<-END
		ok 0
		warning 1
		critical 2
		unknown 3
		Critical 2
	END
}

@test "the hint stands below the line, or in the answer" {
	run --separate-stderr say-check --hint 'git status' CODE /app warning changed
	expect 1 '^CODE WARNING: changed$'
	# shellcheck disable=SC2154  # run's
	[ "$stderr" = 'hint: git status' ]
	run --separate-stderr say-check --hint "it's" --shell=c_ CODE /app warning changed
	[ -z "$stderr" ]
	eval "$output"
	# shellcheck disable=SC2154  # by eval
	[ "$c_verdict/$c_text/$c_object/$c_hint" = "warning/changed//app/it's" ]
	[ "$(say-check --hint h --json CODE /app warning x | jq -r .hint)" = h ]
}

@test "what it is told may be anybody's words" {
	run say-check CODE /app ok $'a\e]0;b\nc|d=1'
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	[[ $output != *$'\e'* ]] && [[ $output != *'|'* ]]
}

@test "a usage error is UNKNOWN" {
	for args in '' 'CODE /app ok' 'CODE /app fine text' 'CODE /app ok text more' '--nosuch'; do
		# shellcheck disable=SC2086  # words
		run say-check $args
		expect 3 '^say-check: '
	done
}
