/*
 * dropboxd --root DIR [options] - a Dropbox in miniature on local ports
 *
 * Prints `ready` on standard output when all ports listen and the env file is written, then serves
 * until SIGTERM or SIGINT. What was stored in DIR is there again at the next start.
 */
#include "lib/std.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "tests/dropboxd/dropboxd.h"

struct options opt = { .page = 25, .token_life = 14400, .quota = UINT64_C(2) << 40 };
char base_url[HOSTS][64];
int root_fd = -1;

static const char *cert, *key, *env_file;
static struct sockaddr_in address[HOSTS];       /* port 0: any free one */
static uint64_t seed;

static const char help[] =
	"usage: dropboxd --root DIR [options]\n"
	"\n"
	"A Dropbox in miniature: three local ports play the hosts api, content and notify.\n"
	"\n"
	"  --root DIR              where everything is kept (made if need be)\n"
	"  --env FILE              write DROPBOX_… settings that work to FILE\n"
	"  --api ADDR[:PORT]       address of each host; 127.0.0.1 and any free port by default\n"
	"  --content ADDR[:PORT]\n"
	"  --notify ADDR[:PORT]\n"
	"  --tls-cert FILE         serve https\n"
	"  --tls-key FILE\n"
	"  --latency DURATION      before each reply\n"
	"  --rate SIZE             bytes a second, all connections together\n"
	"  --quota SIZE            space of the account (2T)\n"
	"  --page N                entries on a page of a folder's list (25)\n"
	"  --token-life DURATION   of access tokens (4h)\n"
	"  --json-style STYLE      spaced, compact or random (random)\n"
	"  --seed N                repeat the choices of an earlier run\n"
	"  -h, --help  -V, --version\n";

/* ADDR or ADDR:PORT, numeric */
static bool parse_address(const char *s, struct sockaddr_in *a)
{
	char host[32];
	size_t n = strcspn(s, ":");
	uint64_t port = 0;

	if (n >= sizeof host || (s[n] == ':' && num_u64(s + n + 1, 0, 65535, &port) != NULL))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	a->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(int argc, char **argv)
{
	enum { ROOT = 256, ENV, API, CONTENT, NOTIFY, CERT, KEY, LATENCY, RATE, QUOTA, PAGE, LIFE,
		STYLE, SEED };
	static const struct option longopts[] = {
		{ "root", required_argument, NULL, ROOT },
		{ "env", required_argument, NULL, ENV }, { "api", required_argument, NULL, API },
		{ "content", required_argument, NULL, CONTENT },
		{ "notify", required_argument, NULL, NOTIFY },
		{ "tls-cert", required_argument, NULL, CERT },
		{ "tls-key", required_argument, NULL, KEY },
		{ "latency", required_argument, NULL, LATENCY },
		{ "rate", required_argument, NULL, RATE },
		{ "quota", required_argument, NULL, QUOTA },
		{ "page", required_argument, NULL, PAGE },
		{ "token-life", required_argument, NULL, LIFE },
		{ "json-style", required_argument, NULL, STYLE },
		{ "seed", required_argument, NULL, SEED }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	const char *why = NULL;
	uint64_t n = 0;
	int64_t ms = 0;
	int o;

	for (int h = 0; h < HOSTS; h++) {
		address[h].sin_family = AF_INET;
		address[h].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	while ((o = getopt_long(argc, argv, "hV", longopts, NULL)) != -1) {
		switch (o) {
		case ROOT: opt.root = optarg; break;
		case ENV: env_file = optarg; break;
		case API:
		case CONTENT:
		case NOTIFY:
			if (!parse_address(optarg, &address[o - API]))
				why = "not ADDR or ADDR:PORT";
			break;
		case CERT: cert = optarg; break;
		case KEY: key = optarg; break;
		case LATENCY: why = num_duration(optarg, &ms); opt.latency_ms = (long)ms; break;
		case RATE: why = num_size(optarg, &opt.rate); break;
		case QUOTA: why = num_size(optarg, &opt.quota); break;
		case PAGE: why = num_u64(optarg, 1, 2000, &n); opt.page = (long)n; break;
		case LIFE:
			why = num_duration(optarg, &ms);
			opt.token_life = (long)(ms / 1000);
			break;
		case STYLE:
			if (strcmp(optarg, "spaced") == 0)
				opt.style = STYLE_SPACED;
			else if (strcmp(optarg, "compact") == 0)
				opt.style = STYLE_COMPACT;
			else if (strcmp(optarg, "random") == 0)
				opt.style = STYLE_RANDOM;
			else
				why = "spaced, compact or random";
			break;
		case SEED: why = num_u64(optarg, 0, UINT64_MAX, &seed); break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default:
			msg_hint("see dropboxd --help");
			return EX_USAGE;
		}
		if (why != NULL)
			return cli_usage("%s: %s", optarg, why);
	}
	if (optind < argc)
		return cli_usage("unexpected operand: %s", argv[optind]);
	if (opt.root == NULL)
		return cli_usage("--root is missing");
	if ((cert == NULL) != (key == NULL))
		return cli_usage("--tls-cert and --tls-key go together");
	opt.tls = cert != NULL;
	return -1;
}

static bool listen_all(int fd[HOSTS])
{
	int one = 1;

	for (int h = 0; h < HOSTS; h++) {
		struct sockaddr_in *a = &address[h];
		socklen_t n = sizeof *a;
		char ip[INET_ADDRSTRLEN];

		fd[h] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		inet_ntop(AF_INET, &a->sin_addr, ip, sizeof ip);
		if (fd[h] < 0 || setsockopt(fd[h], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0
			|| bind(fd[h], (struct sockaddr *)a, n) < 0 || listen(fd[h], 128) < 0
			|| getsockname(fd[h], (struct sockaddr *)a, &n) < 0) {
			msg_errno(ip, "cannot listen on port %u", ntohs(a->sin_port));
			return false;
		}
		snprintf(base_url[h], sizeof base_url[h], "http%s://%s:%u", opt.tls ? "s" : "", ip,
			ntohs(a->sin_port));
	}
	return true;
}

char *env_text(void)
{
	return xasprintf(
		"DROPBOX_API_URL=%s\nDROPBOX_CONTENT_URL=%s\nDROPBOX_NOTIFY_URL=%s\n"
		"DROPBOX_TOKEN_URL=%s/oauth2/token\nDROPBOX_APP_KEY=%s\nDROPBOX_APP_SECRET=%s\n"
		"DROPBOX_REFRESH_TOKEN=%s\n",
		base_url[HOST_API], base_url[HOST_CONTENT], base_url[HOST_NOTIFY],
		base_url[HOST_API], auth_key(), auth_secret(), auth_refresh());
}

static bool write_env(void)
{
	char *tmp = xasprintf("%s.new", env_file), *text = env_text();
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)
		&& rename(tmp, env_file) == 0;

	if (!ok)
		msg_errno(env_file, "cannot write");
	if (fd >= 0)
		close(fd);
	free(tmp);
	free(text);
	return ok;
}

static bool open_root(void)
{
	if (mkdir(opt.root, 0700) < 0 && errno != EEXIST) {
		msg_errno(opt.root, "cannot create");
		return false;
	}
	root_fd = open(opt.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0) {
		msg_errno(opt.root, "cannot open");
		return false;
	}
	return store_open() && log_open();
}

int main(int argc, char **argv)
{
	int listener[HOSTS], sig, status;
	sigset_t ends;

	msg_init(argv[0]);
	status = parse_options(argc, argv);
	if (status >= 0)
		return status;
	(void)mono();
	umask(0077);
	/* names are lower-cased by Unicode's rules */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		msg_err(NULL,
			"no C.UTF-8 locale: names with other letters than ASCII keep their case");
	chance_seed(seed);
	/* the threads inherit the mask: only main sees these two */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);

	if (!open_root())
		return EX_CANTCREAT;
	auth_init();
	sessions_load();
	if (!listen_all(listener) || !server_start(listener, cert, key))
		return EX_UNAVAILABLE;
	if (env_file != NULL && !write_env())
		return EX_CANTCREAT;
	puts("ready");
	fflush(stdout);

	sigwait(&ends, &sig);
	stop_all();
	server_stop();
	faults_clear();
	sessions_save();
	auth_close();
	store_close();
	log_close();
	close(root_fd);
	return EX_OK;
}
