#include "lib/std.h"

#include <stdarg.h>

#include "lib/clock.h"
#include "lib/num.h"
#include "lib/watch/html.h"
#include "lib/watch/document.h"
#include "lib/watch/lag.h"

static const char style[] =
":root{color-scheme:light dark;--bg:#f3f5f7;--panel:#fff;--line:#d5dbe1;--text:#17212b;--dim:#566370;"
"--ok:#0b6b3a;--ok-bg:#dff3e7;--warning:#7a4b00;--warning-bg:#fdeecb;--critical:#a3161f;--critical-bg:#fde2e2;"
"--unknown:#4a5561;--unknown-bg:#e4e8ec}"
"@media(prefers-color-scheme:dark){:root{--bg:#0b1016;--panel:#121a23;--line:#253140;--text:#dfe7ef;--dim:#93a1b0;"
"--ok:#63d297;--ok-bg:#0e2a1c;--warning:#f2c14e;--warning-bg:#302409;--critical:#ff8a8a;--critical-bg:#3a1216;"
"--unknown:#a9b4c0;--unknown-bg:#1c2530}}"
"*{box-sizing:border-box}"
"body{margin:0;padding:clamp(12px,2vw,40px);background:var(--bg);color:var(--text);"
"font:clamp(15px,.55vw + 12px,22px)/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}"
"main{max-width:100rem;margin:auto;display:grid;grid-template-columns:minmax(0,1fr);gap:1rem}"
"h1{font-size:1em;margin:0;letter-spacing:.14em;text-transform:uppercase;color:var(--dim);font-weight:600}"
"h2{font-size:.8em;margin:0 0 .5em;letter-spacing:.12em;text-transform:uppercase;color:var(--dim);font-weight:600}"
"header{display:flex;flex-wrap:wrap;gap:.2em 2em;justify-content:space-between;color:var(--dim)}"
".banner,.card{border:1px solid var(--line);border-radius:.6em;background:var(--panel);padding:1em 1.2em}"
".banner{display:flex;flex-wrap:wrap;gap:.2em .8em;align-items:center;font-size:1.35em;line-height:1.3;border-left:.4em solid}"
".banner p{margin:0}.banner p:first-of-type{flex:1 1 9em}.banner .state{font-size:1em}"
".cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr))}"
".card .value{font-size:1.6em;line-height:1.25;margin:.2em 0;overflow-wrap:anywhere}"
".card p,.card ul,.card ol{margin:.25em 0;padding:0;list-style:none;overflow-wrap:anywhere}.dim{color:var(--dim)}"
".checks li,.events li{display:grid;grid-template-columns:2em 1fr;align-items:baseline;margin:.2em 0}"
".checks .state,.events .state{justify-self:start}"
".state{font-weight:700;white-space:nowrap;padding:.05em .5em;border-radius:.4em;font-size:.85em}"
".ok{color:var(--ok);background:var(--ok-bg)}.warning{color:var(--warning);background:var(--warning-bg)}"
".critical{color:var(--critical);background:var(--critical-bg)}.unknown{color:var(--unknown);background:var(--unknown-bg)}"
".banner.ok,.banner.warning,.banner.critical,.banner.unknown{border-left-color:currentColor}"
".bar{position:relative;height:1.1em;margin:.6em 0 1.6em;background:var(--unknown-bg);border-radius:.3em}"
".bar div{position:absolute;inset:0 auto 0 0;border-radius:.3em;min-width:2px}"
".bar .ok,.bar .warning,.bar .critical{background:currentColor}"
".bar b{position:absolute;top:-.15em;bottom:-.15em;border-left:2px solid var(--text);font:600 .75em/1 system-ui,sans-serif}"
".bar b span{position:absolute;top:1.75em;left:-1.1em;color:var(--dim)}"
".lags{display:flex;align-items:flex-end;height:4em;margin:.6em 0;border-bottom:1px solid var(--line)}"
".lags div{flex:1 1 0;min-width:0}.lags .ok,.lags .warning,.lags .critical{background:currentColor}"
".days{display:grid;grid-template-columns:repeat(14,minmax(0,1fr));gap:.25em}"
".days li{text-align:center;border-radius:.3em;padding:.3em 0;font-weight:700}"
".days small{display:block;white-space:nowrap;overflow-wrap:normal;letter-spacing:-.05em;font-weight:400;font-size:.7em;color:var(--dim)}"
"code{font-family:ui-monospace,monospace;font-size:.95em;overflow-wrap:anywhere}"
".stale .banner,.stale .state,.stale .bar div,.stale .lags div,.stale .days li{color:var(--unknown);background-color:var(--unknown-bg)}"
"#stale{display:none}.stale #stale{display:block;color:var(--text);font-weight:700}";

/* Ages kept current, and the generator's silence made visible. */
static const char script[] =
"(function(){function age(s){s=Math.max(0,Math.round(s));var m=Math.floor(s/60),h=Math.floor(m/60);"
"function two(n){return('0'+n).slice(-2)}"
"return m<1?s+'s':h<1?m+'m'+two(s%60)+'s':h<48?h+'h'+two(m%60)+'m':Math.floor(h/24)+'d'+two(h%24)+'h'}"
"function tick(){var now=Date.now()/1000;document.querySelectorAll('[data-since]').forEach(function(e){"
"e.textContent=age(now-e.dataset.since)});var b=document.body,s=now-b.dataset.generated;"
"if(s>+b.dataset.limit){b.classList.add('stale');document.getElementById('stale').textContent="
"'? STALE: not updated for '+age(s)}}tick();setInterval(tick,1000)})();";

static const char *symbol(const char *state)
{
	return strcmp(state, "ok") == 0 ? "✓" : strcmp(state, "warning") == 0 ? "!" :
	       strcmp(state, "critical") == 0 ? "✗" : "?";
}

/* Text that may come from anywhere, as HTML. */
static void esc(struct buf *b, const char *text)
{
	for (const char *s = text; *s != '\0'; s++) {
		switch (*s) {
		case '&': buf_put(b, "&amp;", 5); break;
		case '<': buf_put(b, "&lt;", 4); break;
		case '>': buf_put(b, "&gt;", 4); break;
		case '"': buf_put(b, "&quot;", 6); break;
		default: buf_put(b, s, 1);
		}
	}
}

/* Our own markup; a %s in it is escaped text. No other conversion is used. */
static void html(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (const char *s = fmt; *s != '\0'; s++) {
		if (s[0] == '%' && s[1] == 's') {
			const char *text = va_arg(ap, const char *);

			esc(b, text != NULL ? text : "–");
			s++;
		} else {
			buf_put(b, s, 1);
		}
	}
	va_end(ap);
}

/* The word of a part of the document; one of four, whatever stands there. */
static const char *state_of(const json *j, const char *name)
{
	static const char *const words[] = { "ok", "warning", "critical" };
	const char *word = json_str(j, name);

	for (size_t i = 0; word != NULL && i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0)
			return words[i];
	return "unknown";
}

static void badge(struct buf *b, const char *state)
{
	char upper[16];
	size_t i;

	for (i = 0; state[i] != '\0' && i < sizeof upper - 1; i++)
		upper[i] = (char)(state[i] - ('a' - 'A'));
	upper[i] = '\0';
	html(b, "<span class=\"state %s\">%s %s</span>", state, symbol(state), upper);
}

/* `14h03m`, kept current by the script; a dash when the time is not known. */
static void age(struct buf *b, const json *j, const char *member, int64_t now)
{
	const char *text = json_str(j, member);
	char epoch[24], words[NUM_TEXT];
	int64_t at;

	if (text == NULL || clock_parse(text, &at) != NULL) {
		html(b, "–");
		return;
	}
	snprintf(epoch, sizeof epoch, "%lld", (long long)at);
	html(b, "<time datetime=\"%s\" data-since=\"%s\">%s</time>", text, epoch,
	     num_duration_text(words, (now - at) * 1000));
}

/* The time of day of a member, `02:07 UTC`; with the date when it is not today. */
static void moment(struct buf *b, const json *j, const char *member, int64_t now)
{
	const char *text = json_str(j, member);
	char today[CLOCK_TEXT], out[32];
	int64_t at;

	if (text == NULL || clock_parse(text, &at) != NULL) {
		html(b, "–");
		return;
	}
	clock_text(today, now);
	if (strncmp(today, text, 10) == 0)
		snprintf(out, sizeof out, "%.5s UTC", text + 11);
	else
		snprintf(out, sizeof out, "%.10s %.5s UTC", text, text + 11);
	html(b, "%s", out);
}

static void card(struct buf *b, const char *title, const char *state)
{
	html(b, "<section class=\"card\"><h2>%s</h2>", title);
	badge(b, state);
}

static void primary_card(struct buf *b, const json *status, int64_t now)
{
	const json *p = json_get(status, "primary");
	const char *state = state_of(p, "state");
	int64_t http = 0, ms = 0;
	char text[64];

	card(b, "Primary health", state);
	if (json_int(p, "http_status", 1, 999, &http) && json_int(p, "latency_ms", 0, INT32_MAX, &ms))
		snprintf(text, sizeof text, "%d in %d.%02d s", (int)http, (int)(ms / 1000), (int)(ms % 1000 / 10));
	else
		snprintf(text, sizeof text, "%s", strcmp(state, "unknown") == 0 ? "not checked" : "no answer");
	html(b, "<p class=\"value\">%s</p><p class=\"dim\">%s</p><p class=\"dim\">checked ", text, json_str(p, "url"));
	age(b, p, "checked_at", now);
	html(b, " ago</p><p class=\"dim\">last failure ");
	moment(b, p, "last_fail_at", now);
	html(b, "</p></section>\n");
}

/* A mark on the bar of the data's age. */
static void limit(struct buf *b, int64_t seconds, int64_t end)
{
	char left[16], words[NUM_TEXT];

	snprintf(left, sizeof left, "%d.%d", (int)(seconds * 100 / end), (int)(seconds * 1000 / end % 10));
	if (seconds % 3600 == 0)
		snprintf(words, sizeof words, "%dh", (int)(seconds / 3600));
	else
		num_duration_text(words, seconds * 1000);
	html(b, "<b style=\"left:%s%\"><span>%s</span></b>", left, words);
}

static void standby_card(struct buf *b, const json *status, int64_t now)
{
	const json *s = json_get(status, "standby");
	const char *state = state_of(s, "state");
	const char *what = json_bool(json_get(status, "failover"), "active", false) ? "Age of the data it began with" :
			   json_is_object(json_get(status, "lag")) ? "Age of the nightly copy" : "Age of the standby's data";
	int64_t old = 0, size = 0, warn = STATUS_WARN_S, crit = STATUS_CRIT_S, end;
	char left[16], bytes[NUM_TEXT];

	card(b, what, state);
	html(b, "<p class=\"value\">");
	age(b, s, "snapshot_at", now);
	html(b, "</p>");
	if (json_int(s, "age_seconds", INT32_MIN, INT64_C(1) << 40, &old)) {
		json_int(s, "warn_seconds", 1, INT32_MAX, &warn);
		json_int(s, "crit_seconds", 1, INT32_MAX, &crit);
		end = crit + crit / 3;
		snprintf(left, sizeof left, "%d", (int)(old < 0 ? 0 : old > end ? 100 : old * 100 / end));
		html(b, "<div class=\"bar\" role=\"img\" aria-label=\"age against its limits\">"
			"<div class=\"%s\" style=\"width:%s%\"></div>", state, left);
		if (warn < crit)
			limit(b, warn, end);
		limit(b, crit, end);
		html(b, "</div>");
	}
	html(b, "<p class=\"dim\">snapshot of ");
	moment(b, s, "snapshot_at", now);
	html(b, "</p><p class=\"dim\">%s, ",
	     json_int(s, "size_bytes", 0, INT64_C(1) << 50, &size) ? num_size_text(bytes, (uint64_t)size) : "size unknown");
	if (json_bool(json_get(s, "verify"), "ok", false)) {
		html(b, "verified (%s) ", json_str(json_get(s, "verify"), "level"));
		moment(b, json_get(s, "verify"), "at", now);
	} else {
		html(b, json_str(json_get(s, "verify"), "level") != NULL ? "not verified since it was written to" :
		     "not known to be verified");
	}
	html(b, "</p></section>\n");
}

/* The worst of each quarter of an hour of a day, by its height and its colour; what was not looked at is a gap. */
static void lag_picture(struct buf *b, const json *l, int64_t now)
{
	int64_t warn = 1, crit = 1, begin = now - now % LAG_BUCKET_S - (LAG_BUCKETS - 1) * LAG_BUCKET_S, worst = 0, at, seconds;
	const json *q = json_first(json_get(l, "day"));
	char words[NUM_TEXT], height[16];

	json_int(l, "warn_seconds", 1, INT32_MAX, &warn);
	json_int(l, "crit_seconds", 1, INT32_MAX, &crit);
	for (const json *k = q; k != NULL; k = json_next(k))
		if (json_int(k, "seconds", 0, INT32_MAX, &seconds) && seconds > worst)
			worst = seconds;
	html(b, "<div class=\"lags\" role=\"img\" aria-label=\"the lag of the last 24 hours; its worst was %s\">",
	     num_duration_text(words, worst * 1000));
	for (int64_t i = 0; i < LAG_BUCKETS; i++) {
		const char *text;

		/* older points, and those without a time, are passed over */
		while (q != NULL && ((text = json_str(q, "at")) == NULL || clock_parse(text, &at) != NULL || at < begin + i * LAG_BUCKET_S))
			q = json_next(q);
		if (q == NULL || at != begin + i * LAG_BUCKET_S || !json_int(q, "seconds", 0, INT32_MAX, &seconds)) {
			html(b, "<div class=\"none\"></div>");
			continue;
		}
		snprintf(height, sizeof height, "%d", seconds >= crit ? 100 : (int)(5 + seconds * 95 / crit));
		html(b, "<div class=\"%s\" style=\"height:%s%\"></div>", seconds > crit ? "critical" : seconds > warn ? "warning" : "ok", height);
	}
	html(b, "</div><p class=\"dim\">the last 24 hours; the worst was %s</p>", words);
}

/* A line about a clock that is wrong, with the seconds; nothing for one that is right. */
static void clock_line(struct buf *b, const char *whose, const json *l, const char *member)
{
	int64_t ahead = 0;
	char words[NUM_TEXT];

	json_int(l, member, INT32_MIN, INT32_MAX, &ahead);
	if (ahead != 0)
		html(b, "<p><strong>%s clock is wrong</strong>: %s %s</p>", whose, num_duration_text(words, (ahead < 0 ? -ahead : ahead) * 1000),
		     ahead > 0 ? "ahead" : "behind");
}

static void lag_card(struct buf *b, const json *status, int64_t now)
{
	const json *l = json_get(status, "lag");
	int64_t every = 0, silent = 0, seconds = 0;
	char words[NUM_TEXT];

	if (!json_is_object(l))
		return;
	card(b, "Minute by minute", state_of(l, "state"));
	json_int(l, "seconds", INT32_MIN, INT64_C(1) << 40, &seconds);
	html(b, "<p class=\"value\">");
	if (seconds < -STATUS_AHEAD_S) {
		html(b, "not known");
	} else {
		age(b, l, "at", now);
		html(b, " behind");
	}
	html(b, "</p>");
	clock_line(b, "The primary's", l, "clock_seconds");
	clock_line(b, "This host's", l, "own_clock_seconds");
	if (json_int(l, "silent_seconds", 0, INT64_C(1) << 40, &silent) && silent > seconds + LAG_CLOCK_S)
		html(b, "<p>nothing was put on record for %s</p>", num_duration_text(words, silent * 1000));
	lag_picture(b, l, now);
	html(b, "<p class=\"dim\">nothing is missing until ");
	moment(b, l, "at", now);
	if (json_int(l, "period_seconds", 1, INT32_MAX, &every))
		html(b, "; the primary looks every %s", num_duration_text(words, every * 1000));
	if (json_str(l, "period_why") != NULL)
		html(b, ": %s", json_str(l, "period_why"));
	html(b, "</p></section>\n");
}

static void proof_card(struct buf *b, const json *status, int64_t now)
{
	const json *p = json_get(status, "proof");
	const char *verdict = json_str(p, "verdict");
	char text[64] = "failed";
	int64_t ms;

	if (!json_is_object(p))
		return;
	card(b, "Nightly proof", state_of(p, "state"));
	if (verdict != NULL && strcmp(verdict, "ok") == 0 && json_int(p, "answer_ms", 0, INT32_MAX, &ms))
		snprintf(text, sizeof text, "answered in %d.%d s", (int)(ms / 1000), (int)(ms % 1000 / 100));
	else if (verdict != NULL && (strcmp(verdict, "ok") == 0 || strcmp(verdict, "skipped") == 0))
		snprintf(text, sizeof text, "%s", strcmp(verdict, "ok") == 0 ? "worked" : "left out");
	else if (verdict != NULL && strcmp(verdict, "cannot") == 0)
		snprintf(text, sizeof text, "cannot be proved");
	html(b, "<p class=\"value\">%s</p><p>%s</p><p class=\"dim\">last good ", text, json_str(p, "text"));
	moment(b, p, "last_ok_at", now);
	html(b, ", last run ");
	moment(b, p, "finished_at", now);
	html(b, "</p></section>\n");
}

static void job_line(struct buf *b, const char *name, const json *job, int64_t now)
{
	const char *result = json_str(job, "result");
	char bytes[NUM_TEXT], *seconds;
	int64_t size;

	if (result == NULL)
		return;
	html(b, "<p>%s: %s, ", name, result);
	moment(b, job, "last_run_at", now);
	if (json_int(job, "size", 0, INT64_C(1) << 50, &size))
		html(b, ", %s", num_size_text(bytes, (uint64_t)size));
	seconds = json_value_text(json_get(job, "duration_s"));
	if (seconds != NULL && *seconds >= '0' && *seconds <= '9')
		html(b, " in %s s", seconds);
	free(seconds);
	html(b, "</p>");
	if (strcmp(result, "failed") == 0)
		html(b, "<p class=\"dim\"><code>%s</code></p>", json_str(job, "message"));
}

static void sync_card(struct buf *b, const json *status, int64_t now)
{
	const json *y = json_get(status, "sync");
	const json *job = json_get(y, json_str(json_get(y, "download"), "result") != NULL ? "download" : "upload");
	const char *state = state_of(y, "state");

	card(b, "Daily sync", state);
	html(b, "<p class=\"value\">%s</p>", strcmp(state, "ok") == 0 ? "worked" : strcmp(state, "unknown") == 0 ?
	     "no record" : strcmp(state, "warning") == 0 ? "late or failed" : "failing");
	job_line(b, "upload", json_get(y, "upload"), now);
	job_line(b, "download", json_get(y, "download"), now);
	html(b, "<p class=\"dim\">last good ");
	age(b, job, "last_ok_at", now);
	html(b, " ago, next ");
	moment(b, y, "next_run_at", now);
	html(b, "</p></section>\n");
}

static void failover_card(struct buf *b, const json *status, int64_t now)
{
	const json *f = json_get(status, "failover");
	const char *state = state_of(f, "state");
	unsigned good = 0, all = 0;
	char text[64];

	for (const json *c = json_first(json_get(f, "checks")); c != NULL; c = json_next(c)) {
		all++;
		good += json_bool(c, "ok", false);
	}
	card(b, "Failover readiness", state);
	if (json_bool(f, "active", false))
		snprintf(text, sizeof text, "ACTIVE");
	else if (all == 0)
		snprintf(text, sizeof text, "not checked");
	else
		snprintf(text, sizeof text, "%s, %u of %u", good == all ? "READY" : "NOT READY", good, all);
	html(b, "<p class=\"value\">%s</p><ul class=\"checks\">", text);
	for (const json *c = json_first(json_get(f, "checks")); c != NULL; c = json_next(c)) {
		const char *s = state_of(c, "state");

		html(b, "<li><span class=\"state %s\">%s</span><span>%s <span class=\"dim\">%s</span></span></li>", s,
		     symbol(s), json_str(c, "id"), json_str(c, "detail"));
	}
	html(b, "</ul><p class=\"dim\">last drill ");
	moment(b, json_get(f, "last_drill"), "at", now);
	if (json_str(json_get(f, "last_drill"), "at") != NULL)
		html(b, ", %s", json_str(json_get(f, "last_drill"), "result"));
	html(b, "</p></section>\n");
}

static void days_card(struct buf *b, const json *status)
{
	html(b, "<section class=\"card\"><h2>Sync of the last 14 days</h2><ol class=\"days\">");
	for (const json *d = json_first(json_get(status, "days")); d != NULL; d = json_next(d)) {
		const char *sync = json_str(d, "sync"), *day = json_str(d, "d");
		const char *state = sync != NULL && strcmp(sync, "ok") == 0 ? "ok" :
				    sync != NULL && strcmp(sync, "failed") == 0 ? "critical" : "unknown";

		html(b, "<li class=\"%s\" title=\"%s: %s\">%s<small>%s</small></li>", state, day, sync,
		     strcmp(state, "unknown") == 0 ? "·" : symbol(state), day != NULL && strlen(day) == 10 ? day + 8 : "");
	}
	html(b, "</ol></section>\n");
}

static void events_card(struct buf *b, const json *status, int64_t now)
{
	const json *e = json_first(json_get(status, "events"));

	html(b, "<section class=\"card\"><h2>Recent events</h2>");
	html(b, e == NULL ? "<p>none</p>" : "<ul class=\"events\">");
	for (; e != NULL; e = json_next(e)) {
		const char *result = json_str(e, "result");
		bool good = result != NULL && (strcmp(result, "ok") == 0 || strcmp(result, "unchanged") == 0);
		const char *state = good ? "ok" : result != NULL && strcmp(result, "failed") == 0 ? "critical" : "warning";

		html(b, "<li><span class=\"state %s\">%s</span><span><strong>%s</strong> %s, ", state, symbol(state),
		     json_str(e, "what"), result);
		moment(b, e, "at", now);
		html(b, " <span class=\"dim\">%s</span></span></li>", json_str(e, "message"));
	}
	html(b, json_first(json_get(status, "events")) != NULL ? "</ul>" : "");
	html(b, "<p class=\"dim\">logs: <code>/var/log/ctv-pi2-download</code></p></section>\n");
}

static void alerts_card(struct buf *b, const json *status)
{
	const json *a = json_first(json_get(status, "alerts"));

	html(b, "<section class=\"card\"><h2>Active alerts</h2>");
	if (a == NULL)
		html(b, "<p>none</p>");
	else
		html(b, "<ul>");
	for (; a != NULL; a = json_next(a))
		html(b, "<li><strong>%s</strong> %s <span class=\"dim\">since %s</span></li>", json_str(a, "key"),
		     json_str(a, "text"), json_str(a, "since"));
	if (json_first(json_get(status, "alerts")) != NULL)
		html(b, "</ul>");
	if (json_bool(json_get(status, "failover"), "active", false)) {
		html(b, "<h2 style=\"margin-top:1em\">When the primary is back</h2><p><code>./scripts/failback-to-pi-ctv.sh</code></p></section>\n");
		return;
	}
	html(b, "<h2 style=\"margin-top:1em\">If the primary is down</h2><p><code>./scripts/failover-to-pi2.sh</code></p>"
		"<p class=\"dim\">and when it is back: <code>./scripts/failback-to-pi-ctv.sh</code></p></section>\n");
}

int html_page(const json *status, struct buf *b)
{
	const char *state = state_of(status, "overall"), *generated = json_str(status, "generated_at");
	char epoch[24], limit[24];
	int64_t now = 0;

	if (generated == NULL || clock_parse(generated, &now) != NULL)
		now = 0;
	snprintf(epoch, sizeof epoch, "%lld", (long long)now);
	snprintf(limit, sizeof limit, "%d", PAGE_STALE_S);
	html(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta http-equiv=\"refresh\" content=\"60\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>%s %s: %s</title>\n<style>", symbol(state),
	     json_str(status, "node"), json_str(status, "summary"));
	buf_put(b, style, sizeof style - 1);
	html(b, "</style>\n</head>\n<body data-generated=\"%s\" data-limit=\"%s\">\n<main>\n<header>"
		"<h1>Control Station Alpha · %s</h1><span>generated %s (", epoch, limit, json_str(status, "node"),
	     generated);
	age(b, status, "generated_at", now);
	html(b, " ago)</span></header>\n<div class=\"banner %s\" role=\"status\">", state);
	badge(b, state);
	html(b, "<p>%s</p><p id=\"stale\"></p></div>\n<div class=\"cards\">\n", json_str(status, "summary"));
	primary_card(b, status, now);
	standby_card(b, status, now);
	sync_card(b, status, now);
	failover_card(b, status, now);
	html(b, "</div>\n<div class=\"cards\">\n");
	lag_card(b, status, now);
	proof_card(b, status, now);
	days_card(b, status);
	alerts_card(b, status);
	events_card(b, status, now);
	html(b, "</div>\n</main>\n<script>");
	buf_put(b, script, sizeof script - 1);
	return buf_adds(b, "</script>\n</body>\n</html>\n");
}
