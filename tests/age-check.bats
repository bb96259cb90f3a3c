load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	printf 'data' >db
}

# aged DURATION FILE: a file whose data is that old ("3 hours", "-2 hours" is in the future)
aged() {
	touch -d "@$(($(date +%s) - $(date -ud "1970-01-01 $1" +%s)))" "$2"
}

@test "fresh data is OK, with age, time and size in one line of the plugin form" {
	aged '3 hours 5 minutes' db
	run age-check db
	expect 0 "^AGE OK: db is 3h05m old \(20[0-9T:-]+Z\), 4 B \| 'age'=111[0-9]{2}s;93600;129600;0 'size'=4B;;;0$"
	[ "${#lines[@]}" -eq 1 ]
}

@test "data older than the warning is WARNING, older than the critical limit CRITICAL" {
	aged '27 hours' db
	run age-check db
	expect 1 '^AGE WARNING: db is 27h00m old'
	aged '37 hours' db
	run age-check db
	expect 2 '^AGE CRITICAL: db is 37h00m old'
}

@test "the limits are those given, in any unit" {
	aged '90 seconds' db
	run age-check -w 2m -c 1h db
	expect 0 "'age'=(9[0-9]|1[01][0-9])s;120;3600;0"
	run age-check -w 60 -c 7d db
	expect 1
	run age-check --warning=30000ms --critical=80s db
	expect 2
	run age-check -c 80s -w 0 db
	expect 2
}

@test "a time in the future is CRITICAL and blames the clock" {
	aged '-2 hours' db
	run age-check -w 100d -c 100d db
	expect 2 '^AGE CRITICAL: clock: db is (2h00m|1h59m) in the future'
}

@test "a few seconds of difference between two clocks are no reason for an alarm" {
	aged '-50 seconds' db
	run age-check db
	expect 0 "db is 0.0s old .*'age'=0s"
}

@test "a time that no calendar knows does not overflow" {
	# tmpfs takes any 64-bit time, ext4 ends in 2446
	file=/dev/shm/age-check.$$
	touch -d @9223372036854775807 "$file"
	run age-check "$file"
	touch -d @-9223372036854775808 "$file"
	past=$(age-check "$file") || true
	rm -f "$file"
	expect 2 '^AGE CRITICAL: clock: .* in the future'
	[[ $past =~ ^AGE\ CRITICAL:\ .*\ is\ [0-9]+d[0-9]+h\ old ]]
}

@test "a missing file is CRITICAL, whatever is missing of its path" {
	run age-check nope
	expect 2 "^AGE CRITICAL: nope is missing \| 'age'=U;93600;129600;0 'size'=U;;;0$"
	run age-check nope/db
	expect 2 'is missing'
	run age-check db/db
	expect 2 'is missing'
	ln -s nope dangling
	run age-check dangling
	expect 2 'dangling is missing'
	run age-check ''
	expect 2 'is missing'
}

@test "only a regular file holds data" {
	mkdir dir
	mkfifo pipe
	for f in dir pipe /dev/null; do
		run age-check "$f"
		expect 2 "^AGE CRITICAL: $f is not a regular file"
	done
}

@test "a file that cannot be reached is UNKNOWN" {
	ln -s loop loop
	run age-check loop
	expect 3 '^AGE UNKNOWN: loop cannot be reached: Too many levels'
	run age-check "$(printf '%0300d' 0)"
	expect 3 '^AGE UNKNOWN: .* File name too long'
	mkdir shut
	cp db shut/
	chmod 0 shut
	chmod 755 "$BATS_TEST_TMPDIR"
	run as_nobody age-check shut/db
	expect 3 'Permission denied'
}

@test "an unreadable file has an age: it is not opened" {
	chmod 0 db
	run as_nobody age-check db
	expect 0 'db is '
	run strace -f -e trace=open,openat -o trace age-check db
	run ! grep -q '"db"' trace
}

@test "a symbolic link is followed and its target is named" {
	ln -s db link
	aged '37 hours' db
	run age-check link
	expect 2 'link -> .*/db is 37h00m old'
}

@test "of several files the worst decides and comes first" {
	aged '3 hours' db
	cp -p db old
	aged '30 hours' old
	run age-check db old
	expect 1 "^AGE WARNING: old is 30h00m old .*; db is 3h00m old .* 'age1'=.*'size1'=4B;;;0 'age2'="
	run age-check db old nope
	expect 2 '^AGE CRITICAL: nope is missing; old is '
	ln -s loop loop
	run age-check loop db
	expect 3 '^AGE UNKNOWN: loop .*; db '
	run age-check loop old
	expect 1 '^AGE WARNING: old .*; loop '
	[ "${#lines[@]}" -eq 1 ]
}

@test "--json: one object a file, the exit status of the worst" {
	aged '3 hours' db
	run age-check --json db nope
	expect 2
	[ "${#lines[@]}" -eq 2 ]
	jq -e '.check == "age-check" and .object == "db" and .state == "ok" and .size_bytes == 4 and
		.age_seconds >= 10800 and .age_seconds < 11000' <<<"${lines[0]}"
	[ "$(jq -r .data_at <<<"${lines[0]}")" = "$(date -ur db +%Y-%m-%dT%H:%M:%SZ)" ]
	jq -e ".warn_seconds == 93600 and .crit_seconds == 129600" <<<"${lines[0]}"
	jq -e '.object == "nope" and .state == "critical" and .age_seconds == null and .data_at == null and
		.size_bytes == null' <<<"${lines[1]}"
}

@test "a file name cannot forge a line or perfdata" {
	name=$'x\nAGE OK: | \'age\'=1s'
	touch -- "$name"
	aged '40 hours' "$name"
	run age-check -- "$name"
	expect 2 '^AGE CRITICAL: x\\x0aAGE OK:'
	[ "${#lines[@]}" -eq 1 ]
	[ "$(grep -o '|' <<<"$output" | wc -l)" -eq 1 ]
	run age-check --json -- "$name" $'\xff\xfe"\\'
	expect 2
	jq -e .object <<<"${lines[0]}"
	jq -e .object <<<"${lines[1]}"
}

@test "a wrong command line is UNKNOWN, never OK, and says what is wrong" {
	local rows=0
	while IFS='~' read -r args message; do
		eval "run age-check $args"
		expect 3 "^age-check: $message"
		[ "${lines[1]}" = 'hint: see age-check --help' ]
		rows=$((rows + 1))
	done <<'TABLE'
~no FILE given
--~no FILE given
-w~-w: needs a value
--critical~--critical: needs a value
-x db~-x: no such option
-vx db~-x: no such option
--jsonx db~--jsonx: no such option
--ver db~--ver: no such option
--json=1 db~--json=1: takes no value
-w '' db~--warning : not a duration
-w h db~--warning h: not a duration
-w -1 db~--warning -1: not a duration
-w +1h db~--warning \+1h: not a duration
-w 1.5h db~--warning 1.5h: not a duration
-w '1 h' db~--warning 1 h: not a duration
-w 1h30m db~--warning 1h30m: not a duration
-w 36H db~--warning 36H: not a duration
-c 0x10 db~--critical 0x10: not a duration
-c 10:20 db~--critical 10:20: not a duration
-c 99999999999999999999 db~--critical 9*: not a duration|--critical 9*: too large
-c 40000d db~--critical 40000d: too large
-w 2h -c 1h db~-w is longer than -c
-c 1h db~-w is longer than -c
-w 40h db~-w is longer than -c
TABLE
	[ "$rows" -ge 20 ]
}

@test "--help and --version answer on standard output; the page lists the same options" {
	run --separate-stderr age-check --help
	expect 0 '^usage: age-check \[-w DURATION\] \[-c DURATION\] \[--time-of OTHER'
	[ -z "$stderr" ]
	for option in $(grep -oE -- '--[a-z]+' <<<"$output" | sort -u); do
		grep -Eq "Fl -${option#--}" "$ROOT/man/age-check.1"
	done
	run age-check -V
	expect 0 '^age-check [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "an answer that cannot be written is UNKNOWN" {
	run bash -c 'age-check db >/dev/full'
	expect 3 'standard output: cannot write'
}

@test "it links libc alone" {
	unsanitized
	run bash -c "ldd '$(type -P age-check)' | grep -oE 'lib[a-z0-9+-]+\.so' | sort -u"
	expect 0
	[ "$output" = libc.so ]
}

@test "it needs less than 8 MiB" {
	unsanitized
	run env time -f %M age-check db db db
	expect 0
	[ "${lines[1]}" -lt 8192 ]
}

@test "--as gives the JSON object an id; --as and --shell are for one file" {
	touch a b
	run age-check --as standby a
	expect 0 '^\{"id":"standby","check":"age-check"'
	[ "$(jq -r '.id + .state' <<<"$output")" = standbyok ]
	run age-check --as standby a b
	expect 3 'for one FILE'
	run age-check --shell a b
	expect 3 'for one FILE'
	run age-check --shell a
	expect 0 "^size_bytes='0'$"
	run age-check --shell none
	expect 2 "^age_seconds=''$"
}

@test "--time-of: a database that served has a new time, and no newer data" {
	head -c 3000 /dev/zero >live.db
	run age-check --time-of data-of live.db
	expect 0 'live.db is [0-9.]+s old .*, 3000 B'
	touch -d '-30 hours' data-of
	run age-check --time-of data-of live.db
	expect 1 "^AGE WARNING: live.db is 30h00m old .*, 3000 B \| 'age'=1080[0-9]{2}s.* 'size'=3000B"
	[[ $output != *data-of* ]]
	rm live.db
	run age-check --shell --time-of data-of live.db
	expect 2 "^age_seconds='1080[0-9]{2}'$"
	grep -q "^size_bytes=''$" <<<"$output"
	ln -s loop loop
	run age-check --time-of loop live.db
	expect 3 'loop cannot be reached'
	run age-check --time-of data-of live.db other.db
	expect 3 'for one FILE'
}

@test "--min-size: what is too small to be it is CRITICAL, whatever its age" {
	head -c 3000 /dev/zero >small.db
	run age-check --min-size 1K small.db
	expect 0
	run age-check --min-size 3000 small.db
	expect 0
	run age-check --min-size 3001 small.db
	expect 2 'small.db has 3000 B, at least 3001 B are wanted'
	run age-check --min-size 100MB small.db
	expect 3 '--min-size 100MB: not a size'
	touch -d '+3 days' small.db
	run age-check --any-age --min-size 2K small.db
	expect 0 'small.db has 3000 B, at least 2048 B'
	run age-check --any-age none.db
	expect 2 'none.db is missing'
}
