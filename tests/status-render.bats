#!/usr/bin/env bats
# status-render: the checks' answers as a page, as JSON and as metrics

load helper
load gallery

setup() {
	www=$BATS_TEST_TMPDIR/www
	mkdir "$www"
	cd "$BATS_TEST_TMPDIR" || return
}

# lines READY-STATE: a host where all is well but for the readiness
lines() {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	cat <<END
{"id":"host","node":"pi2","role":"standby","version":"0"}
{"id":"primary","check":"http-probe","object":"http://p/","state":"ok","http_status":200,"latency_ms":12,"at":"$now"}
{"id":"standby","state":"ok","age_seconds":60,"data_at":"$now","size_bytes":4096}
{"id":"verify","state":"ok","level":"quick","unchanged":true,"at":"$now"}
{"id":"download","result":"ok","exit":0,"started_at":"$now","finished_at":"$now","last_ok_at":"$now"}
{"id":"ready","check":"db_present","state":"$1","text":"4096 bytes"}
END
}

@test "a standby that is ready: page, JSON, metrics and the file ready, all readable by the web server" {
	lines ok | status-render -o "$www"
	[ "$(jq -r '.overall, .failover.ready, .node' "$www/status.json" | paste -sd' ')" = 'ok true pi2' ]
	grep -q 'Standby ready. The primary is serving.' "$www/index.html"
	grep -q '^ctv_failover_ready 1$' "$www/ctv.prom"
	[ "$(stat -c %a "$www"/* | sort -u)" = 644 ]
	[ "$(ls -A "$www" | paste -sd' ')" = 'ctv.prom index.html ready status.json' ]
}

@test "a standby that is not ready loses the file ready" {
	lines ok | status-render -o "$www"
	lines critical | status-render -o "$www"
	[ ! -e "$www/ready" ]
	[ "$(jq -r .overall "$www/status.json")" = critical ]
}

@test "ready goes even when the page is too large to be written" {
	lines ok | status-render -o "$www"
	{ lines critical; printf '{"id":"alert","text":"%0300000d"}\n' 0 | tr 0 '<'; } >"$BATS_TEST_TMPDIR/in"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/in"
	expect 65
	[ ! -e "$www/ready" ]
}

@test "--shell: what is to be told, also when the page cannot be written" {
	for to in "$www" "$BATS_TEST_TMPDIR/none"; do
		{
			lines critical
			echo '{"id":"warn/timer_armed","state":"critical","text":"gone"}'
			echo '{"id":"deliveries","key":"k","channel":"teams","pending":true,"why":""}'
		} | status-render -o "$to" --shell=p_ >said || [ "$to" != "$www" ]
		eval "$(cat said)"
		# shellcheck disable=SC2154  # by eval
		[ "$p_overall/$p_stale/$p_sync_late/$p_sync_pulse/$p_queued" = critical/ok//ok/yes ]
		# shellcheck disable=SC2154
		[ "$p_hindrance/$p_problem" = 'db_present: 4096 bytes/timer_armed: gone' ]
	done
	lines critical | status-render -o "$www" --shell --apart db_present | grep "^hindrance=''$"
	status-render -o "$www" --shell </dev/null | grep "^hindrance='the readiness is not known'$"
	lines ok | sed 's/"last_ok_at":"[^"]*"/"last_ok_at":"2099-01-01T00:00:00Z"/' | status-render -o "$www" --shell | grep "^sync_late='yes'$"
}

@test "a condition that only warns this time, and one that only warns ever, keep nobody from a failover" {
	{ lines ok; echo '{"id":"ready/app_serves","state":"critical","text":"it starts"}'; } >in
	[ "$(status-render -o "$www" --shell <in | grep -e ^problem -e ^hindrance | paste -sd' ')" = "hindrance='app_serves: it starts' problem=''" ]
	[ ! -e "$www/ready" ]
	[ "$(status-render -o "$www" --shell --only-warns app_serves <in | grep -e ^problem -e ^hindrance | paste -sd' ')" = "hindrance='' problem='app_serves: it starts'" ]
	[ -e "$www/ready" ]
	# and no number of them is a readiness
	echo '{"id":"warn/timer_armed","state":"ok"}' | status-render -o "$www"
	[ ! -e "$www/ready" ]
}

@test "the host, and the records of the runs, in words of the command line" {
	mkdir state
	lines ok | grep -v -e '"host"' -e '"download"' >in
	lines ok | sed -n 's/"id":"download"/"id":"else"/p' >state/last-download.json
	echo 'no record' >state/last-drill.json
	status-render -o "$www" --node pi3 --role moon --records state <in
	[ "$(jq -r '.node, .role, .overall, .sync.download.result' "$www/status.json" | paste -sd' ')" = 'pi3 standby ok ok' ]
	ln -sf last-download.json state/last-drill.json
	run status-render -o "$www" --node pi3 --role active --records state <in
	expect 0 'state/last-drill.json: '
	[ "$(jq -r '.role, .failover.last_drill.at' "$www/status.json" | paste -sd' ')" = 'active null' ]
}

@test "an object may have its id before it; what is none is named whole, and left out" {
	{ lines ok | sed 's/^{"id":"standby",/standby {/'; echo 'newest no object'; } >in
	run status-render -o "$www" <in
	expect 0 'not an object with an "id": newest no object$'
	[ "$(jq -r '.overall, .standby.age_seconds, .lag' "$www/status.json" | paste -sd' ')" = 'ok 60 null' ]
}

@test "--shell: the pulse of the nightly and the minutely copy is critical when one of the two is, and not while this host serves" {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	pulse() { rm -f "$www/status.json"; status-render -o "$www" --warn-lag 20m --max-lag 60m --shell | sed -n "s/^sync_pulse='\(.*\)'/\1/p"; }
	follows() { printf 'head {"head":{"n":9},"confirmed_at":"%s"}\nnewest {"n":9,"snapshot_at":"2026-01-01T00:00:00Z"}\n' "$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)"; }
	[ "$(lines ok | pulse)" = ok ]
	[ "$({ lines ok; follows now; } | pulse)" = ok ]
	[ "$({ lines ok; follows '-30 minutes'; } | pulse)" = ok ]
	[ "$({ lines ok; follows '-2 hours'; } | pulse)" = critical ]
	[ "$({ lines ok; follows '-2 hours'; } | sed 's/"role":"standby"/"role":"active"/' | pulse)" = ok ]
	[ "$(lines ok | grep -v '"download"' | pulse)" = critical ]
	rm "$www/status.json"
	# not on the minute: a program's clock may be some milliseconds behind that of date
	{ lines ok; follows '-7230 seconds'; } | status-render -o "$www" --warn-lag 20m --max-lag 60m --shell | grep "^sync_text='.*; what is followed is 2h00m behind"
}

@test "--keep: the history outlives a boot, and costs a write only when it is another one" {
	lines ok >in
	status-render -o "$www" --keep kept <in
	jq -c '.days[0].sync = "failed"' kept >edited && mv edited kept
	rm "$www"/*
	touch -d 2026-01-01 kept
	status-render -o "$www" --keep kept <in
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = failed ]
	[ "$(stat -c %Y kept)" -eq "$(date -d 2026-01-01 +%s)" ]
	sed '/"primary"/s/"state":"ok"/"state":"critical"/' in | status-render -o "$www" --keep kept
	[ "$(jq -r .primary.state kept)" = critical ]
	for other in PASSWORD=1 '{"events":[]}'; do
		echo "$other" >other
		run status-render -o "$www" --keep other <in
		expect 73 'other: is no status of an earlier page, and is not replaced'
		[ "$(cat other)" = "$other" ]
	done
	: >other
	status-render -o "$www" --keep other <in
	jq -e .schema other
	rm other
	mkfifo other
	run timeout 5 status-render -o "$www" --keep other <in
	expect 73 'other: '
	[ -p other ]
	rm kept
	mkdir -p kept/x
	run status-render -o "$www" --keep kept <in
	expect 73 'kept: '
	[ "$(jq -r .overall "$www/status.json")" = ok ]
}

@test "no input at all is unknown, not OK, and not ready" {
	run status-render -o "$www" </dev/null
	expect 0
	[ "$(jq -r .overall "$www/status.json")" = unknown ]
	[ ! -e "$www/ready" ]
	grep -q '? UNKNOWN' "$www/index.html"
}

@test "lines that are no objects with an id are named and left out; the page comes all the same" {
	{ echo 'http-probe: cannot connect'; echo '[1]'; echo '{"check":"x"}'; printf '{"id":'; echo; lines ok; } >"$BATS_TEST_TMPDIR/in"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/in"
	expect 0
	[ "$(grep -c 'not an object with an "id"' <<<"$output")" -eq 4 ]
	[ "$(jq -r .overall "$www/status.json")" = ok ]
}

@test "the history is taken over, and a damaged status.json does not stop the next page" {
	lines ok | status-render -o "$www"
	jq -c '.days[0].sync = "failed"' "$www/status.json" >"$www/edited" && mv "$www/edited" "$www/status.json"
	lines ok | status-render -o "$www"
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = failed ]
	echo '{"days":' >"$www/status.json"
	lines ok | status-render -o "$www"
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = none ]
	printf '{"events":[{"at":"2026-01-01T00:00:00Z","what":"\377"}]}' >"$www/status.json"
	lines ok | status-render -o "$www"
	iconv -f UTF-8 -t UTF-8 "$www/status.json" "$www/index.html" >/dev/null
}

@test "a file whose content did not change is not written again" {
	lines ok | status-render -o "$www"
	touch -d '2026-01-01' "$www/ready" "$www/ctv.prom"
	lines critical | sed 's/"critical"/"ok"/' | status-render -o "$www"
	[ "$(stat -c %Y "$www/ready")" -eq "$(date -d 2026-01-01 +%s)" ]
}

@test "the metrics go where --metrics says" {
	lines ok | status-render -o "$www" --metrics "$BATS_TEST_TMPDIR/node.prom"
	grep -q ctv_build_info "$BATS_TEST_TMPDIR/node.prom"
	[ ! -e "$www/ctv.prom" ]
}

@test "a directory that is not there or cannot be written is named, with its exit status" {
	run status-render -o "$BATS_TEST_TMPDIR/none" <<<'{"id":"host"}'
	expect 73 "none/status.json: cannot create: No such file"
	touch "$BATS_TEST_TMPDIR/file"
	run status-render -o "$BATS_TEST_TMPDIR/file" <<<'{"id":"host"}'
	expect 73 'Not a directory'
}

@test "what a server says never becomes markup" {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	printf '{"id":"alert","key":"<img src=x>","text":"\\"><script>1</script>","since":"%s"}\n' "$now" | status-render -o "$www"
	run grep -c '<script>' "$www/index.html"
	expect 0 '^1$'
	run grep -c '<img' "$www/index.html"
	expect 1
}

@test "input beyond a mebibyte is cut and said; memory stays bounded" {
	head -c 5000000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/huge"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/huge"
	expect 0 'larger than 1048576 bytes'
}

# contradictions: what in the document, in what is told and beside it speaks against each other, a line each
contradictions() {
	local ready=false
	[ ! -e "$www/ready" ] || ready=true
	grep -qx "ctv_failover_ready $([ $ready = true ] && echo 1 || echo 0)" "$www/ctv.prom" || echo 'the metrics and the file ready'
	jq -r --argjson ready_file $ready --arg lag "$told_lag" --arg lag_text "$told_lag_text" --arg clock "$told_clock" --arg proof "$told_proof" \
		--arg stale "$told_stale" --arg late "$told_sync_late" --arg pulse "$told_sync_pulse" --arg hindrance "$told_hindrance" '
		def by($warn; $crit): if . > $crit then "critical" elif . > $warn then "warning" else "ok" end;
		def bad: . == "warning" or . == "critical";
		(.generated_at | fromdate) as $now |
		def since($t): $now - ($t | fromdate);
		def agree($what; condition): if condition then empty else $what end;
		(.role == "active") as $active | .standby as $copy | .lag as $l | .sync.download as $job |
		agree("the role, and whether a failover is active"; .failover.active == $active),
		agree("minutes while this host serves"; ($active | not) or $l == null),
		agree("ready, and what hinders"; .failover.ready == ($hindrance == "" and .failover.checks != [] and
			all(.failover.checks[]; .id != "db_fresh" or .ok))),
		agree("the file ready"; .failover.ready == $ready_file),
		# the copy was looked at before, in the same round
		agree("the age, and its snapshot"; $copy.age_seconds == null or (since($copy.snapshot_at) - $copy.age_seconds | fabs) < 300),
		agree("the age, and its limits"; $copy.age_seconds == null or $copy.verify.ok == false or
			$copy.state == ($copy.age_seconds | by($copy.warn_seconds; $copy.crit_seconds))),
		agree("the age, and its alert"; ($stale | bad) == any(.alerts[]; .key == "db-stale")),
		agree("the last run, and the last good one"; $job.result == null or
			($job.result == "ok") == ($job.last_ok_at == $job.last_run_at)),
		agree("the last run, and its day"; $job.result == null or
			any(.days[]; .d == $job.last_run_at[:10] and .sync == $job.result)),
		agree("the last run, and its event"; $job.result == null or
			any(.events[]; .what == "download" and .at == $job.last_run_at and .result == $job.result)),
		agree("the last good run, and its alert"; $job.result == null or ($late == "yes") == any(.alerts[]; .key == "sync-failed")),
		agree("the lag, and its moment"; $l == null or since($l.at) == $l.seconds),
		agree("the lag, and its limits"; $l == null or $l.seconds < -60 or
			$l.behind == ([$l.seconds, $l.silent_seconds // 0] | max | by($l.warn_seconds; $l.crit_seconds))),
		agree("the lag, and its picture"; $l == null or $l.day[-1].seconds >= $l.seconds),
		agree("the lag, and its states"; $l == null or ($l.n < $l.newest_n) == ($l.text | test("state \($l.n) of|nothing has been followed"))),
		agree("the lag, and its words"; $l == null or ($lag == $l.behind and $lag_text == $l.text and $clock == $l.clock_text)),
		agree("the lag, and its alert"; ($lag | bad) == any(.alerts[]; .key == "data-lag" and .severity == $lag)),
		agree("the clocks, and their alert"; ($clock != "") == any(.alerts[]; .key == "clock-wrong")),
		agree("the proof, and its verdict"; .proof == null or (.proof.state == "ok") == (.proof.verdict == "ok" and since(.proof.last_ok_at) < 180000)),
		agree("the proof, and its alert"; ($proof | bad) == any(.alerts[]; .key == "proof")),
		agree("the primary, and its alert"; (.primary.state == "critical") == any(.alerts[]; .key == "primary-down")),
		agree("what hinders, and its alert"; .overall == "unknown" or ($hindrance != "") == any(.alerts[]; .key | test("^standby-"))),
		agree("the pulse"; .overall == "unknown" or ($pulse == "critical") == (($active | not) and
			(([.sync.state, .standby.state, $lag] | any(. == "critical"))))),
		agree("the worst of all"; .overall == (
			if $active then if .failover.ready then "warning" else "critical" end
			elif [.primary, .standby, .sync, .failover] | any(.state == "critical") then "critical"
			elif [.primary, .standby, .sync, .failover] | any(.state == "unknown") then "unknown"
			elif [.primary, .standby, .sync, .failover, $l, .proof] | any(. != null and .state != "ok") then "warning" else "ok" end))
	' "$www/status.json"
	grep -qF "<p>$(jq -r .summary "$www/status.json")</p>" "$www/index.html" || echo 'the page, and the summary'
	case $(jq -r .role "$www/status.json")/$(grep -oE 'If the primary is down|When the primary is back' "$www/index.html") in
	'active/When the primary is back' | 'standby/If the primary is down') ;;
	*) echo 'the page, and what is to be done' ;;
	esac
}

@test "each sample of the gallery agrees with itself, and one that does not is seen" {
	rows=0
	for name in $gallery; do
		sample "$name"
		run contradictions
		[ -z "$output" ] || { echo "$name: $output"; false; }
		rows=$((rows + 1))
	done
	[ $rows -ge 16 ]
	sample minutes-behind
	cp "$www/status.json" whole
	rows=0
	while IFS='|' read -r what edit; do
		jq -c "$edit" whole >"$www/status.json"
		run contradictions
		grep -qxF "$what" <<<"$output" || { echo "$what: not seen after $edit: $output"; false; }
		rows=$((rows + 1))
	done <<'END'
the role, and whether a failover is active|.role = "active"
minutes while this host serves|.role = "active"
ready, and what hinders|.failover.ready = false
the file ready|.failover.ready = false
the age, and its snapshot|.standby.age_seconds += 600
the age, and its limits|.standby.state = "warning"
the age, and its alert|.alerts += [{key: "db-stale"}]
the last run, and the last good one|.sync.download.last_ok_at = "2026-01-01T00:00:00Z"
the last run, and its day|.days[].sync = "none"
the last run, and its event|.events = []
the last good run, and its alert|.alerts += [{key: "sync-failed"}]
the lag, and its moment|.lag.seconds += 1
the lag, and its limits|.lag.behind = "ok"
the lag, and its picture|.lag.day[-1].seconds = 0
the lag, and its states|.lag.newest_n = 8
the lag, and its words|.lag.text = "well"
the lag, and its alert|.alerts = []
the clocks, and their alert|.alerts += [{key: "clock-wrong"}]
the proof, and its verdict|.proof.state = "warning"
the proof, and its alert|.alerts += [{key: "proof"}]
the primary, and its alert|.primary.state = "critical"
what hinders, and its alert|.alerts += [{key: "standby-issue"}]
the pulse|.role = "active"
the worst of all|.overall = "ok"
the page, and the summary|.summary = "x"
the page, and what is to be done|.role = "active"
END
	[ $rows -eq 26 ]
}
