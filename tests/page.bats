#!/usr/bin/env bats
# the status page in a real browser: every state, both themes, a dead generator, nothing fetched
#
# With a directory in $SCREENSHOTS (make screenshots) each state is drawn into it.

load helper
load gallery

setup() {
	www=$BATS_TEST_TMPDIR/www
	mkdir "$www"
}

# browse [OPTION...]: the page as the browser has it, after its script ran
browse() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$BATS_TEST_TMPDIR/profile" "$@" "file://$www/index.html" 2>/dev/null
}

# draw NAME [OPTION...]: a picture, if pictures are wanted
draw() {
	[ -n "${SCREENSHOTS-}" ] || return 0
	browse --window-size=1280,1000 --screenshot="$SCREENSHOTS/$1.png" "${@:2}"
}

# shows TEXT...: each is on the page, and the banner's words are those of status.json
shows() {
	browse --dump-dom >"$BATS_TEST_TMPDIR/dom"
	draw "${BATS_TEST_DESCRIPTION// /-}"
	for text in "$@" "$(jq -r .summary "$www/status.json")"; do
		grep -qF -- "$text" "$BATS_TEST_TMPDIR/dom" || { echo "not on the page: $text" >&2; return 1; }
	done
	# each card and the banner have the state of the document
	[ "$(grep -Eo '<h2>(Primary|Age|Daily|Failover)[^<]*</h2><span class="state [a-z]*' "$BATS_TEST_TMPDIR/dom" | sed 's/.* //' | paste -sd' ')" = \
		"$(jq -r '.primary.state, .standby.state, .sync.state, .failover.state' "$www/status.json" | paste -sd' ')" ]
	grep -q "class=\"banner $(jq -r .overall "$www/status.json")\"" "$BATS_TEST_TMPDIR/dom"
	[ "$(grep -o 'body[^>]*class="stale"' "$BATS_TEST_TMPDIR/dom")" = '' ]
}

@test "ready" {
	sample ready
	shows '✓ OK' 'READY, 5 of 5' '200 in 0.01 s' 'Age of the nightly copy' 'If the primary is down' './scripts/failover-to-pi2.sh'
}

@test "minutes off" {
	sample off
	shows '✓ OK' "Age of the standby's data"
	run grep -c 'Minute by minute' "$www/index.html"
	[ "$output" -eq 0 ]
}

@test "old data" {
	sample old-data
	shows '✗ CRITICAL' 'NOT READY, 4 of 5' '<strong>db-stale</strong>'
}

@test "an old night, and the minutes" {
	sample old-night
	shows '✗ CRITICAL' 'READY, 5 of 5' 'The standby is ready, but its nightly copy is old'
}

@test "a copy that was written to" {
	sample old-copy
	shows '! WARNING' 'READY, 5 of 5' 'not verified since it was written to'
}

@test "the last minutes" {
	sample ready
	shows '✓ OK' 'Minute by minute' ' behind</p>' 'the last 24 hours; the worst was 2h15m' 'aria-label="the lag of the last 24 hours; its worst was 2h15m"'
	[ "$(grep -o 'style="height:' "$www/index.html" | wc -l)" -eq 95 ]
	[ "$(grep -o '<div class="none"></div>' "$www/index.html" | wc -l)" -eq 1 ]
	[ "$(grep -o '<div class="critical" style="height:100%"' "$www/index.html" | wc -l)" -eq 5 ]
	sample minutes-behind
	shows '✗ CRITICAL' 'READY, 5 of 5' 'the last minutes of the primary are not here' '<strong>data-lag</strong>'
}

@test "nothing followed yet" {
	sample nothing-followed
	shows '✗ CRITICAL' 'READY, 5 of 5'
}

@test "a wrong clock" {
	sample clock-wrong
	shows '! WARNING' "The primary's clock is wrong" '2h30m ahead' '<p class="value">not known</p>' 'but a clock is wrong'
}

@test "sync failed" {
	sample sync-failed
	shows 'download: failed' 'Dropbox cannot be reached' '<strong>sync-failed</strong>'
}

@test "proof failed" {
	sample proof-failed
	shows '! WARNING' 'the proof failed: start: the unit is failed' "No module named 'flask'" 'with the code 0123456789ab'
}

@test "primary down" {
	sample primary-down
	shows '✗ CRITICAL' 'The primary is down; the standby is ready to take over' './scripts/failover-to-pi2.sh' 'no answer'
}

@test "not ready" {
	sample both-down
	shows 'NOT READY, 4 of 5' 'The primary is down, and the standby cannot take over'
	sample not-ready
	shows 'NOT READY, 4 of 5' 'The standby cannot take over'
}

@test "failover active" {
	sample serving-ill
	shows '✗ CRITICAL' 'ACTIVE'
	sample serving
	shows 'Failover is active: this host is serving' 'ACTIVE' 'Age of the data it began with' 'When the primary is back' './scripts/failback-to-pi-ctv.sh'
	run grep -c 'If the primary is down' "$www/index.html"
	[ "$output" -eq 0 ]
}

@test "unknown" {
	sample unknown
	shows '? UNKNOWN' 'not checked' 'no record'
}

@test "a page whose generator died 15 minutes ago says STALE and is grey" {
	sample ready
	old=$(($(date +%s) - 1000))
	sed -i "s/data-generated=\"[0-9]*\"/data-generated=\"$old\"/" "$www/index.html"
	browse --dump-dom >"$BATS_TEST_TMPDIR/dom"
	draw generator-dead
	grep -q 'body[^>]*class="stale"' "$BATS_TEST_TMPDIR/dom"
	grep -q '? STALE: not updated for 16m[0-9][0-9]s' "$BATS_TEST_TMPDIR/dom"
}

@test "without script the page says all of it, with absolute times" {
	sample ready
	sed 's/<script>.*<\/script>//' "$www/index.html" >"$www/plain"
	grep -q "generated 20..-..-..T..:..:..Z" "$www/plain"
	for text in 'READY, 5 of 5' 'snapshot of' '✓ OK' 'download: ok'; do grep -qF "$text" "$www/plain"; done
}

@test "it fits 320 pixels: nothing is wider than the window" {
	sample both-down
	# the browser makes no window as narrow as that; 16 pixels are for a scroll bar
	sed -i 's|</body>|<script>document.documentElement.style.width="304px";document.title="wide "+\
[...document.querySelectorAll("body *")].some(e=>e.getBoundingClientRect().right>304)</script></body>|' "$www/index.html"
	browse --window-size=500,800 --dump-dom | grep -q '<title>wide false'
	draw narrow --window-size=320,1800
}

@test "no request leaves the page, and none could" {
	sample both-down
	grep -q "default-src 'none'" "$www/index.html"
	run grep -Eo '(src|href|action|url)[=(]"?[^ ">]*' "$www/index.html"
	expect 0 '^href="data:,$'
	[ "${#lines[@]}" -eq 1 ]
}

@test "the HTML is valid, has a language, and a state beside every colour" {
	sample both-down
	tidy -q -e --show-warnings yes "$www/index.html" 2>"$BATS_TEST_TMPDIR/tidy" || true
	run cat "$BATS_TEST_TMPDIR/tidy"
	[ -z "$output" ] || { echo "$output" >&2; false; }
	grep -q '<html lang="en">' "$www/index.html"
	# every coloured badge has its symbol and, but for the list's, its word
	run grep -Eo '<span class="state [a-z]+">[^<]*<' "$www/index.html"
	for line in "${lines[@]}"; do [[ $line =~ \>(✓|!|✗|\?) ]]; done
}

@test "text has a contrast of at least 4.5 to 1 in both themes" {
	sample ready
	python3 - "$www/index.html" <<'END'
import re, sys
css = open(sys.argv[1]).read()
def light(c):
    c = c if len(c) == 6 else ''.join(x * 2 for x in c)
    v = [int(c[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    v = [x / 12.92 if x <= .03928 else ((x + .055) / 1.055) ** 2.4 for x in v]
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]
themes = [dict(re.findall(r'--([a-z-]+):#([0-9a-f]{3,6})', t)) for t in re.findall(r':root\{[^}]*\}', css)]
assert len(themes) == 2
for t in themes:
    pairs = [('text', 'bg'), ('text', 'panel'), ('dim', 'bg'), ('dim', 'panel')]
    pairs += [(s, s + '-bg') for s in ('ok', 'warning', 'critical', 'unknown')]
    for a, b in pairs:
        la, lb = sorted((light(t[a]), light(t[b])), reverse=True)
        assert (la + .05) / (lb + .05) >= 4.5, (a, b, (la + .05) / (lb + .05))
END
}
