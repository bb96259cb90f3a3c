/*
 * log.c - what was asked, for tests to judge a client by: ROOT/log, one JSON object a call. A token
 * is named (`a3`, its state), never written.
 */
#include "lib/std.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int fd = -1;
static unsigned long lines;
static unsigned all_now, all_high, stalled, polling;
static struct count { char route[64]; unsigned now, high; unsigned long calls; } counts[64];

bool log_open(void)
{
	fd = openat(root_fd, "log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		msg_errno("log", "cannot create");
	return fd >= 0;
}

void log_close(void)
{
	close(fd);
}

static struct count *count_of(const char *route)
{
	size_t i = 0;

	while (i < 63 && counts[i].route[0] != '\0' && strcmp(counts[i].route, route) != 0)
		i++;
	if (counts[i].route[0] == '\0')
		snprintf(counts[i].route, sizeof counts[i].route, "%s", route);
	return &counts[i];
}

void log_clear(void)
{
	pthread_mutex_lock(&mutex);
	if (ftruncate(fd, 0) < 0)
		msg_errno("log", "cannot empty");
	lines = 0;
	all_high = all_now;
	for (size_t i = 0; i < 64; i++) {
		counts[i].high = counts[i].now;
		counts[i].calls = 0;
	}
	pthread_mutex_unlock(&mutex);
}

static bool counted(const struct call *c)
{
	return c->route == NULL || c->route->style != CONTROL;
}

static bool polls(const struct call *c)
{
	return c->route != NULL && c->route->style == LONGPOLL;
}

void log_arrive(struct call *c)
{
	c->t0 = mono();
	c->wall0 = (int64_t)time(NULL);
	if (!counted(c))
		return;
	pthread_mutex_lock(&mutex);
	struct count *k = count_of(c->route != NULL ? c->route->name : "?");
	k->calls++;
	c->parallel = ++k->now;
	c->parallel_all = ++all_now;
	polling += polls(c);
	if (k->now > k->high)
		k->high = k->now;
	if (all_now > all_high)
		all_high = all_now;
	pthread_mutex_unlock(&mutex);
}

void log_leave(struct call *c)
{
	if (!counted(c))
		return;
	pthread_mutex_lock(&mutex);
	count_of(c->route != NULL ? c->route->name : "?")->now--;
	all_now--;
	polling -= polls(c);
	pthread_mutex_unlock(&mutex);
}

void log_stalled(int change)
{
	pthread_mutex_lock(&mutex);
	stalled += (unsigned)change;
	pthread_mutex_unlock(&mutex);
}

static int peer_port(const struct call *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->conn,
		MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info->client_addr->sa_family == AF_INET
		? ntohs(((const struct sockaddr_in *)(const void *)info->client_addr)->sin_port)
		: 0;
}

void log_call(struct call *c, bool complete)
{
	static const char *const hosts[] = { "api", "content", "notify" };
	const char *agent = header(c, "User-Agent"), *range = header(c, "Range"), *s;
	cJSON *j;

	if (!counted(c) || c->logged)
		return;
	c->logged = true;
	j = cJSON_CreateObject();
	cJSON_AddNumberToObject(j, "mono", (double)(int64_t)(c->t0 * 1e4) / 1e4);
	cJSON_AddNumberToObject(j, "took", (double)(int64_t)((mono() - c->t0) * 1e4) / 1e4);
	cJSON_AddNumberToObject(j, "time", (double)c->wall0);
	cJSON_AddStringToObject(j, "host", hosts[c->host]);
	cJSON_AddStringToObject(j, "method", c->method);
	cJSON_AddStringToObject(j, "route", c->route != NULL ? c->route->name
		: utf8_ok(c->url, strlen(c->url)) ? c->url : "?");
	cJSON_AddBoolToObject(j, "known", c->route != NULL);
	if (c->arg != NULL)
		cJSON_AddItemToObject(j, "arg", cJSON_Duplicate(c->arg, true));
	/* of a form nothing is written down but its kind: all else is secret */
	if (c->route != NULL && c->route->style == FORM && c->body.n > 0)
		cJSON_AddStringToObject(j, "grant",
			strstr(c->body.p, "grant_type=refresh_token") != NULL ? "refresh_token"
				: strstr(c->body.p, "grant_type=authorization_code") != NULL
				? "authorization_code"
				: "?");
	cJSON_AddNumberToObject(
		j, "status", c->answered && c->reply.status == 0 ? 0 : c->reply.status);
	cJSON_AddBoolToObject(j, "complete", complete);
	cJSON_AddNumberToObject(j, "in", (double)c->got);
	cJSON_AddNumberToObject(j, "out", (double)c->sent);
	s = header(c, "Content-Length");
	if (s != NULL)
		cJSON_AddNumberToObject(j, "content_length", strtod(s, NULL));
	s = header(c, "Transfer-Encoding");
	if (s != NULL)
		cJSON_AddStringToObject(j, "transfer_encoding", utf8_ok(s, strlen(s)) ? s : "?");
	if (range != NULL)
		cJSON_AddStringToObject(j, "range", utf8_ok(range, strlen(range)) ? range : "?");
	cJSON_AddStringToObject(j, "token", c->token_state);
	if (c->token_id[0] != '\0')
		cJSON_AddStringToObject(j, "token_id", c->token_id);
	if (agent != NULL)
		cJSON_AddStringToObject(j, "agent", utf8_ok(agent, strlen(agent)) ? agent : "?");
	cJSON_AddNumberToObject(j, "port", peer_port(c));
	cJSON_AddNumberToObject(j, "parallel", c->parallel);
	cJSON_AddNumberToObject(j, "parallel_all", c->parallel_all);
	if (c->fault_name[0] != '\0')
		cJSON_AddStringToObject(j, "fault", c->fault_name);
	cJSON_AddStringToObject(j, "id", c->id);
	char *text = cJSON_PrintUnformatted(j), *line = xasprintf("%s\n", text);
	pthread_mutex_lock(&mutex);
	if (write(fd, line, strlen(line)) < 0)
		msg_errno("log", "cannot write");
	lines++;
	pthread_mutex_unlock(&mutex);
	free(line);
	cJSON_free(text);
	cJSON_Delete(j);
}

bool log_wait(const char *route, unsigned long calls, double until)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		bool enough = count_of(route)->calls >= calls;
		pthread_mutex_unlock(&mutex);
		if (enough || stopping() || mono() > until)
			return enough;
		nap(10);
	}
}

bool log_settle(double until)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		bool quiet = all_now <= stalled + polling;
		pthread_mutex_unlock(&mutex);
		if (quiet || stopping() || mono() > until)
			return quiet;
		nap(5);
	}
}

cJSON *log_stats(void)
{
	cJSON *j = cJSON_CreateObject(), *routes = cJSON_CreateObject();

	pthread_mutex_lock(&mutex);
	cJSON_AddNumberToObject(j, "lines", (double)lines);
	cJSON_AddNumberToObject(j, "now", all_now);
	cJSON_AddNumberToObject(j, "high", all_high);
	cJSON_AddNumberToObject(j, "stalled", stalled);
	for (size_t i = 0; i < 64 && counts[i].route[0] != '\0'; i++) {
		cJSON *k = cJSON_CreateObject();

		cJSON_AddNumberToObject(k, "calls", (double)counts[i].calls);
		cJSON_AddNumberToObject(k, "now", counts[i].now);
		cJSON_AddNumberToObject(k, "high", counts[i].high);
		cJSON_AddItemToObject(routes, counts[i].route, k);
	}
	pthread_mutex_unlock(&mutex);
	cJSON_AddItemToObject(j, "routes", routes);
	return j;
}

int log_fd(void)
{
	return openat(root_fd, "log", O_RDONLY | O_CLOEXEC);
}
