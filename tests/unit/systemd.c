#include "lib/std.h"

#include "lib/systemd.h"

#include "tests/unit/check.h"

static const struct { const char *in, *out; } names[] = {
	{ "flaskapp", "flaskapp.service" }, { "flaskapp.service", "flaskapp.service" },
	{ "a.timer", "a.timer" }, { "-.mount", "-.mount" }, { "dev-sda1.device", "dev-sda1.device" },
	{ "a@b", "a@b.service" }, { "a@b.service", "a@b.service" }, { "a@b.c", "a@b.c.service" },
	/* a suffix that is no kind belongs to the name */
	{ "a.b", "a.b.service" }, { "a.Service", "a.Service.service" }, { "a.", "a..service" },
	{ "a.service.d", "a.service.d.service" }, { "a\\x2db:_", "a\\x2db:_.service" },
	{ "", NULL }, { ".service", NULL }, { "a b", NULL }, { "a/b", NULL }, { "*", NULL }, { "a\n", NULL },
	{ "\xc3\xa4", NULL }, { "a@", NULL }, { "@a", NULL }, { "a@.timer", NULL }, { "a;b", NULL },
};

int main(void)
{
	char out[UNIT_NAME_MAX + 1], name[UNIT_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *why = unit_name(out, names[i].in);

		check((why == NULL) == (names[i].out != NULL), "'%s': %s", names[i].in, why != NULL ? why : "taken");
		check(why != NULL || names[i].out == NULL || strcmp(out, names[i].out) == 0, "'%s' became '%s'",
		      names[i].in, out);
	}
	/* systemd's limit holds with the kind appended */
	memset(name, 'a', sizeof name);
	name[UNIT_NAME_MAX - 8] = '\0';
	check(unit_name(out, name) == NULL && strlen(out) == UNIT_NAME_MAX, "the longest name");
	name[UNIT_NAME_MAX - 8] = 'a';
	name[UNIT_NAME_MAX - 7] = '\0';
	check(unit_name(out, name) != NULL, "one longer");
	return check_done();
}
