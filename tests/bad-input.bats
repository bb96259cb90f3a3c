#!/usr/bin/env bats
# Bad command lines and bad files: the exit status, and a first line that names what is wrong. Here are the tools
# that ask for little else; the others have such a table in their own file.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# no credentials: a line that wrongly passes fails by 78 and asks nobody
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/env
	umask 077
}

# refused TOOL STATUS: each line of standard input is arguments, as a shell takes them, ~ and a part of the message
refused() {
	local args message rows=0
	while IFS='~' read -r args message; do
		eval "run $1 $args </dev/null"
		if [ "$status" -ne "$2" ] || [[ ${lines[0]} != "$1: "*"$message"* ]] ||
			[ "${lines[1]}" != "hint: see $1 --help" ] || [ "${#lines[@]}" -ne 2 ]; then
			printf '%s %s: status %s\n%s\n' "$1" "$args" "$status" "$output" >&2
			return 1
		fi
		rows=$((rows + 1))
	done
	[ "$rows" -ge 20 ]
}

@test "dbx-ls: bad command lines end with 64 and the reason" {
	refused dbx-ls 64 <<'TABLE'
dir~dir: a Dropbox path starts with '/'
/dir/~/dir/: ends with '/'
//~//: has an empty component
/a//b~/a//b: has an empty component
'/x\y'~/x\y: has a backslash, which Dropbox does not take
rev:zz~rev:zz: not a revision
id:~id:: not an id
-l --json~-l and --json exclude each other
-x~-x: no such option
--bogus~--bogus: no such option
--json=1~--json=1: takes no value
--timeout~--timeout: needs a value
--timeout x~x: not a duration
--timeout -1s~-1s: not a duration
--timeout=1y~1y: not a duration
/$(printf %0256d 0)~: has a name of more than 255 characters
/dir dir2~dir2: a Dropbox path starts with '/'
$'/a\xff'~/a\xff: not valid UTF-8
$'/a\nb'~/a\x0ab: has a control character
'/trailing '~/trailing : ends with a blank
TABLE
}

@test "dbx-cp: bad command lines end with 64 and the reason" {
	refused dbx-cp 64 <<'TABLE'
~SRC and DST are needed
/a~SRC and DST are needed
/a /b /c~SRC and DST are needed
-f /a~SRC and DST are needed
a /b~a: a Dropbox path starts with '/'
/a b~b: a Dropbox path starts with '/'
/ /b~/: the root is no file
/a /~/: the root is no file
/a /b/~/b/: ends with '/'
/a//c /b~/a//c: has an empty component
'/a\' /b~/a\: has a backslash
/a '/b '~/b : ends with a blank
$'/a\xff' /b~/a\xff: not valid UTF-8
/a $'/b\t'~/b\x09: has a control character
rev:123456789 /b~rev:123456789: a Dropbox path starts with '/'
/a id:x~id:x: a Dropbox path starts with '/'
/a /$(printf %0256d 0)~: has a name of more than 255 characters
-x /a /b~-x: no such option
--force=1 /a /b~--force=1: takes no value
--timeout~--timeout: needs a value
--timeout q /a /b~q: not a duration
TABLE
}

@test "dbx-rm: bad command lines end with 64 and the reason" {
	refused dbx-rm 64 <<'TABLE'
~at least one REMOTE is needed
-n~at least one REMOTE is needed
--~at least one REMOTE is needed
a~a: a Dropbox path starts with '/'
/~/: the root is no file
/a/~/a/: ends with '/'
//a~//a: has an empty component
'/a\b'~/a\b: has a backslash
'/a '~/a : ends with a blank
''~: a Dropbox path starts with '/'
rev:123456789~rev:123456789: a Dropbox path starts with '/'
id:abc~id:abc: a Dropbox path starts with '/'
$'/\xc3'~/\xc3: not valid UTF-8
$'/\x7f'~/\x7f: has a control character
/$(printf %0256d 0)~: has a name of more than 255 characters
/a b~b: a Dropbox path starts with '/'
-f /a~-f: no such option
-nr /a~-r: no such option
--json /a~--json: no such option
--dry-run=1 /a~--dry-run=1: takes no value
--timeout~--timeout: needs a value
--timeout z /a~z: not a duration
TABLE
}

@test "http-probe: bad command lines end with 3 and the reason" {
	refused http-probe 3 <<'TABLE'
~wants a URL
a b~URL 1: not an http or https URL
http://127.0.0.1:1/ x~URL 2: not an http or https URL
x~URL 1: not an http or https URL
ftp://x/~URL 1: not an http or https URL
http://~URL 1: not an http or https URL
http://u:p@h/~URL 1: holds a user name or password
-t~-t: needs a value
-t x http://h/~--timeout x: not a duration
-w q http://h/~--warning q: not a duration
-c q http://h/~--critical q: not a duration
--status http://h/~--status http://h/: not a list
--status 99 http://h/~--status 99: not a list
--status 200-100 http://h/~--status 200-100: not a list
--status 2x0 http://h/~--status 2x0: not a list
--expect a http://h/~--expect a: not a JSON Pointer, one of = != < > and a value
--expect a=b http://h/~--expect a=b: not a JSON Pointer, one of = != < > and a value
--stable 0 http://h/~--stable 0: too small
--wait z http://h/~--wait z: not a duration
--interval -1 http://h/~--interval -1: not a duration
--connect-timeout q http://h/~--connect-timeout q: not a duration
-x http://h/~-x: no such option
--bogus http://h/~--bogus: no such option
--json=1 http://h/~--json=1: takes no value
TABLE
}

@test "a bad settings file ends with 78, and the line is named" {
	local line rows=0
	while read -r line; do
		printf "A=1\n$line\nB=1\n" >env
		run ctv-conf A
		expect 78 "^ctv-conf: $PWD/env: line 2 is not NAME=VALUE$"
		rows=$((rows + 1))
	done <<'TABLE'
export X=1
=v
A B=1
1A=1
A-B=1
A.B=1
A+=1
A
A:1
A="open
A='open
"A"=1
$A=1
\0
A=a\0b
[section]
{"A":"1"}
<html>
export
Ü=1
\xff=1
\xef\xbb\xbfA=1
TABLE
	[ "$rows" -ge 20 ]
	yes A=1 | head -c 70000 >env
	run ctv-conf A
	expect 78 'env: larger than 65536 bytes'
	rm env
	mkdir env
	run ctv-conf A
	expect 78 'env: not a regular file'
	rmdir env
	mkfifo env
	run ctv-conf A
	expect 78 'env: not a regular file'
}

@test "status-render: bad command lines end with 64 and the reason" {
	refused status-render 64 <<'TABLE'
~-o DIR is needed
-v~-o DIR is needed
--~-o DIR is needed
-o~-o: needs a value
-o ''~-o DIR is needed
--output=~-o DIR is needed
--output~--output: needs a value
-vo~-o: needs a value
-o d extra~extra: no operand is taken
-o d -- -o~-o: no operand is taken
extra -o d~extra: no operand is taken
--metrics~--metrics: needs a value
-o d --metrics~--metrics: needs a value
--metrics m~-o DIR is needed
-x~-x: no such option
-o d -x~-x: no such option
-vx~-x: no such option
--bogus~--bogus: no such option
--outputs d~--outputs: no such option
--help=1~--help=1: takes no value
--version=1~--version=1: takes no value
TABLE
}

@test "status-render: a line that is no check's answer is named and left out, and the page comes" {
	local line rows=0
	mkdir www
	while IFS= read -r line; do
		eval "run status-render -o www <<<$line"
		expect 0 '^status-render: standard input: not an object with an "id": '
		[ "${#lines[@]}" -eq 1 ]
		[ "$(jq -r .overall www/status.json)" = unknown ]
		rows=$((rows + 1))
	done <<'TABLE'
'{'
'}'
'{"id":"host"'
'{"id":"host"}}'
'{"id":"host"} {"id":"ready"}'
'{"id":"host",}'
'{id:"host"}'
"{'id':'host'}"
'{"id":7}'
'{"id":null}'
'{"id":["host"]}'
'{"ID":"host"}'
'{}'
'[]'
'["id","host"]'
'null'
'"id"'
'7'
'<html>502 Bad Gateway'
'http-probe: cannot connect'
$'{"id":"\xff"}'
$'{"id":"alert","text":"\xc3("}'
$'{"id":"\xed\xa0\x80"}'
"$(head -c 20000 /dev/zero | tr '\0' '[')"
TABLE
	[ "$rows" -ge 20 ]
}

@test "status-render: a NUL in a line, input that cannot be read: said, and the page comes" {
	mkdir www
	printf '{"id":"ho\0st"}\n{"id":"host","node":"pi2"}\n' >nul
	run status-render -o www <nul
	expect 0 'standard input: not an object with an "id": \{"id":"ho$'
	[ "$(jq -r .node www/status.json)" = pi2 ]
	run status-render -o www <.
	expect 0 '^status-render: standard input: cannot read: Is a directory$'
	[ "$(jq -r .overall www/status.json)" = unknown ]
	run sh -c 'exec status-render -o www <&-'
	expect 0 '^status-render: standard input: cannot read: '
}

@test "ctv-conf: bad command lines end with 64 and the reason" {
	refused ctv-conf 64 <<'TABLE'
~NAME is needed
--~NAME is needed
A b C~NAME is needed, and with several names a DEFAULT for each
A b C d E~NAME is needed, and with several names a DEFAULT for each
''~: not the name of a setting
'' b~: not the name of a setting
1A~1A: not the name of a setting
A-B~A-B: not the name of a setting
A.B~A.B: not the name of a setting
'A '~A : not the name of a setting
A=1~A=1: not the name of a setting
A 1 B=2 3~B=2: not the name of a setting
../A~../A: not the name of a setting
/etc/passwd~/etc/passwd: not the name of a setting
'$A'~$A: not the name of a setting
'*'~*: not the name of a setting
$'A\nB'~A\x0aB: not the name of a setting
Ü~Ü: not the name of a setting
$'\xff'~\xff: not the name of a setting
-x~-x: no such option
-A~-A: no such option
A -1~-1: no such option
--bogus A~--bogus: no such option
--help=1~--help=1: takes no value
--version=1 A~--version=1: takes no value
TABLE
}
