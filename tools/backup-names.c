/*
 * backup-names [--beyond N | --nights N] - of names on standard input, those of backups: `TIME KIND NAME`, newest first
 *
 * The time of a backup stands in its name, KIND_backup_YYYYMMDD_HHMMSS.db, in UTC, and nowhere else that a copy or a
 * wrong clock leaves alone. What has no such name is nobody's backup and is never printed, so a pipe into dbx-rm
 * removes nothing else. With --beyond or --nights a name from the future (a clock was wrong) is neither printed nor
 * counted: it stays, and no other goes in its favour.
 */
#include "lib/std.h"

#include <getopt.h>
#include <time.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"

#define NAME_MOST 64		/* of a name that is a backup's, with its NUL */
#define NAMES_MOST 100000	/* a folder of more is refused: memory stays bounded */
#define AHEAD INT64_C(86400)	/* seconds; a name further ahead is from the future */

static const char *const kinds[] = { "database", "failover" };
#define KINDS (sizeof kinds / sizeof *kinds)

struct backup {
	int64_t time;		/* seconds since the epoch */
	size_t kind;		/* of kinds */
	char name[NAME_MOST];
};

static struct backup *backups;
static size_t count;
static int64_t beyond = -1, nights = -1;	/* -1: not asked for */

static bool is_backup(const char *name, struct backup *out)
{
	static const char form[] = "_backup_########_######.db";
	const char *d, *p = NULL;
	char time[CLOCK_TEXT];

	if (strlen(name) >= NAME_MOST)
		return false;
	for (size_t i = 0; i < KINDS && p == NULL; i++) {
		size_t len = strlen(kinds[i]);

		if (strncmp(name, kinds[i], len) == 0) {
			out->kind = i;
			p = name + len;
		}
	}
	if (p == NULL || strlen(p) != sizeof form - 1)
		return false;
	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (form[i] == '#' ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
			return false;
	}
	d = p + sizeof "_backup_" - 1;
	snprintf(time, sizeof time, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 9, d + 11, d + 13);
	if (clock_parse(time, &out->time) != NULL)
		return false;
	snprintf(out->name, sizeof out->name, "%s", name);
	return true;
}

static int read_names(void)
{
	char line[NAME_MOST + 1];
	bool whole = true;	/* the line began where this piece begins */
	size_t room = 0;

	while (fgets(line, sizeof line, stdin) != NULL) {
		size_t len = strcspn(line, "\n");
		bool begins = whole;

		whole = line[len] == '\n' || feof(stdin);
		line[len] = '\0';
		if (count == room) {
			struct backup *more = room < NAMES_MOST ? realloc(backups, (room + 1000) * sizeof *more) : NULL;

			if (more == NULL) {
				msg_err("standard input", "more than %zu backups", room);
				return EX_DATAERR;
			}
			backups = more;
			room += 1000;
		}
		if (begins && whole && is_backup(line, &backups[count]))
			count++;
	}
	if (ferror(stdin)) {
		msg_errno("standard input", "cannot read");
		return EX_IOERR;
	}
	return EX_OK;
}

static int newest_first(const void *a, const void *b)
{
	const struct backup *x = a, *y = b;

	return x->time != y->time ? (x->time < y->time ? 1 : -1) : strcmp(x->name, y->name);
}

/* The local day of a time, counted from some day on. */
static int64_t day_of(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return (int64_t)timegm(&tm) / 86400;
}

/* backups is sorted, and each is looked at once, in this order */
static bool wanted(const struct backup *b, int64_t now)
{
	static int64_t seen[KINDS], last_day[KINDS];	/* of this kind: how many were looked at; the day of the last */
	int64_t day, place;
	bool newest_of_day;

	if (beyond < 0 && nights < 0)
		return true;
	if (b->time > now + AHEAD)
		return false;
	place = seen[b->kind]++;
	if (beyond >= 0)
		return place >= beyond;
	day = day_of(b->time);
	newest_of_day = place == 0 || day != last_day[b->kind];
	last_day[b->kind] = day;
	return place >= nights && !(newest_of_day && day > day_of(now) - nights);
}

static int filter(void)
{
	int64_t now = clock_wall();
	char time[CLOCK_TEXT];
	int rc = read_names();

	if (rc == EX_OK && count > 0) {
		qsort(backups, count, sizeof *backups, newest_first);
		for (size_t i = 0; i < count; i++)
			if (wanted(&backups[i], now))
				printf("%s %s %s\n", clock_text(time, backups[i].time), kinds[backups[i].kind],
				       backups[i].name);
	}
	free(backups);
	return rc;
}

static const char help[] =
	"usage: backup-names [--beyond N | --nights N] < NAMES\n"
	"Of the names on standard input those of backups, one a line: TIME KIND NAME, the\n"
	"newest first; KIND is database or failover.\n"
	"\n"
	"      --beyond N   of each kind, only those beyond the N newest\n"
	"      --nights N   of each kind, all but the newest of each of the last N days,\n"
	"                   and but the N newest\n"
	"  -h, --help       this text\n"
	"  -V, --version    the version\n";

int main(int argc, char **argv)
{
	enum { BEYOND = 256, NIGHTS };
	static const struct option options[] = {
		{ "beyond", required_argument, NULL, BEYOND }, { "nights", required_argument, NULL, NIGHTS },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	const char *why = NULL;
	uint64_t n = 0;
	int opt;

	msg_init(argv[0]);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
		switch (opt) {
		case BEYOND: why = num_u64(optarg, 0, NAMES_MOST, &n); beyond = (int64_t)n; break;
		case NIGHTS: why = num_u64(optarg, 1, NAMES_MOST, &n); nights = (int64_t)n; break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
		if (why != NULL)
			return cli_usage("%s: %s", optarg, why);
	}
	if (argc > optind)
		return cli_usage("%s: no operand is taken", argv[optind]);
	if (beyond >= 0 && nights >= 0)
		return cli_usage("--beyond or --nights, not both");
	return cli_close(filter());
}
