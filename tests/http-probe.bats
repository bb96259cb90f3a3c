#!/usr/bin/env bats
# http-probe: does a URL answer as it should

load helper

# a small real server on a free port: /ok, /status/N, /slow, /big, /flaky (503 twice, then 200)
setup() {
	cat >"$BATS_TEST_TMPDIR/server.py" <<'END'
import http.server, sys, time
tries = {"n": 0}
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def answer(self, status, body, length=None):
        self.send_response(status)
        if status == 302: self.send_header("Location", "/ok")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path.startswith("/status/"): self.answer(int(self.path[8:]), b"no")
        elif self.path == "/slow": time.sleep(5); self.answer(200, b"late")
        elif self.path == "/big": self.answer(200, b"x" * (2 << 20))
        elif self.path == "/cut": self.answer(200, b"x", 100)
        elif self.path == "/flaky":
            tries["n"] += 1
            self.answer(503 if tries["n"] < 3 else 200, b"tries %d" % tries["n"])
        else: self.answer(200, b'{"status":"success","deep":{"a/b":[1,true,null]}}')
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
END
	mkfifo "$BATS_TEST_TMPDIR/port"
	setpriv --pdeathsig TERM python3 "$BATS_TEST_TMPDIR/server.py" >"$BATS_TEST_TMPDIR/port" 3>&- &
	server=$!
	read -r -t 20 port <"$BATS_TEST_TMPDIR/port"
	url=http://127.0.0.1:$port
}

teardown() {
	kill "$server" 2>/dev/null || true
}

@test "exactly 200 is OK, with the time as performance data" {
	run http-probe "$url/ok"
	expect 0 "^HTTP OK: .*200.* \| 'time'="
}

@test "every other status is CRITICAL by default: 204, 206, 302, 404, 500" {
	for status in 206 302 404 500; do
		run http-probe "$url/status/$status"
		[ "$status" -eq 2 ]
		grep -q '^HTTP CRITICAL: ' <<<"$output"
	done
}

@test "--status takes a list and ranges, and a redirect is not followed" {
	run http-probe --status 200,404 "$url/status/404"
	expect 0
	run http-probe --status 300-399 "$url/status/302"
	expect 0 302
	run http-probe --status 200-299 "$url/status/404"
	expect 2
}

@test "--expect looks into JSON by pointer, --match into the text" {
	run http-probe --expect /status=success --expect '/deep/a~1b/1=true' --match deep "$url/ok"
	expect 0
	run http-probe --expect /status=failure "$url/ok"
	expect 2
	run http-probe --expect /none=x "$url/ok"
	expect 2
	run http-probe --match nothing-of-it "$url/ok"
	expect 2
	run http-probe --expect /a=b "$url/flaky"
	expect 2
}

@test "a service that comes up is waited for, and --stable wants it several times" {
	run http-probe --wait 20s --interval 1ms --stable 2 "$url/flaky"
	expect 0
}

@test "a wait that ends without success is CRITICAL" {
	run http-probe --wait 300ms --interval 1ms "$url/status/500"
	expect 2
}

@test "an answer that takes too long is given up" {
	run http-probe -t 300ms "$url/slow"
	expect 2 'no whole answer in'
}

@test "a body without end and a body that is cut are CRITICAL" {
	run http-probe "$url/big"
	expect 2 'larger than'
	run http-probe "$url/cut"
	expect 2
}

@test "nobody there is CRITICAL, not UNKNOWN" {
	run http-probe -t 2s http://127.0.0.1:1/
	expect 2 '^HTTP CRITICAL: '
}

@test "--json is one object with the state, and keeps the exit status" {
	run http-probe --json "$url/ok"
	expect 0
	[ "$(jq -r '.check, .state, .object' <<<"$output" | paste -sd' ')" = "http-probe ok $url/ok" ]
	run http-probe --json "$url/status/500"
	expect 2
	[ "$(jq -r .state <<<"$output")" = critical ]
}

@test "several URLs are asked in their order: a line for each, and the exit status of the worst" {
	run http-probe --json "$url/ok" "$url/status/500" http://127.0.0.1:1/ "$url/ok"
	expect 2
	[ "$(jq -r '.state, .http_status, .connected' <<<"$output" | paste -sd' ')" = 'ok 200 true critical 500 true critical 0 false ok 200 true' ]
	run http-probe "$url/ok" "$url/ok"
	expect 0
	[ "$(grep -c '^HTTP OK: ' <<<"$output")" -eq 2 ]
	# each from its own beginning
	run http-probe --wait 15s --interval 50ms "$url/flaky" "$url/status/503"
	expect 2 '^HTTP OK: .*\(3 tries'
	grep -q '^HTTP CRITICAL: .*503' <<<"$output"
}

@test "limits on the time make WARNING and CRITICAL" {
	run http-probe -w 0ms "$url/ok"
	expect 1
	run http-probe -w 0ms -c 0ms "$url/ok"
	expect 2
}

# instructions COMMAND...: how many it executes
instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : //p'
}

@test "it costs no more instructions than curl" {
	unsanitized
	ours=$(instructions http-probe "$url/ok")
	theirs=$(instructions curl -s -o /dev/null "$url/ok")
	echo "ours $ours, curl $theirs"
	[ "$ours" -gt 0 ] && [ "$ours" -le "$theirs" ]
}
