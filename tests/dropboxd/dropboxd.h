/*
 * dropboxd: a Dropbox in miniature, for tests and for the demonstration.
 *
 * One process plays three hosts (api, content, notify), each on a port of its own with its own
 * routes. libmicrohttpd runs one thread per connection, so every handler may simply block: that is
 * what makes rate limits, stalls and long polls a few lines each.
 *
 * A request lives as a `struct call`. http.c owns it and takes it through its stages; the routes
 * only fill in `call->reply`. Locks: the store, the sessions, the faults and the tokens have one
 * mutex each; none is held while bytes travel.
 *
 * The wire format follows Dropbox's public API description. Nothing here talks to Dropbox.
 */
#ifndef DROPBOXD_H
#define DROPBOXD_H

#include "lib/std.h"

#include <cjson/cJSON.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <pthread.h>

enum host { HOST_API, HOST_CONTENT, HOST_NOTIFY, HOSTS };

#define BLOCK (UINT64_C(4) << 20)               /* of content_hash and of concurrent sessions */
#define BODY_MAX (UINT64_C(150) << 20)          /* one upload request */
#define FILE_MAX ((UINT64_C(1) << 41) - (UINT64_C(1) << 22))
#define SESSION_LIFE (7 * 86400)                /* seconds */
#define HEX_HASH 65                             /* a SHA-256 in hexadecimal and its NUL */

/* ---- options (main.c) ---- */

enum json_style { STYLE_RANDOM, STYLE_SPACED, STYLE_COMPACT };

struct options {
	const char *root;               /* directory that holds everything */
	enum json_style style;
	uint64_t rate;                  /* bytes a second over all connections, 0 = unlimited */
	long latency_ms;                /* before each reply */
	long page;                      /* entries a list_folder page holds at most */
	long token_life;                /* seconds */
	uint64_t quota;                 /* bytes of the account */
	bool tls;
};
extern struct options opt;
extern char base_url[HOSTS][64];        /* http://ADDR:PORT of each host */
extern int root_fd;                     /* the root directory */

/* ---- util.c: time, chance, text, memory ---- */

void *xmalloc(size_t n);                /* never NULL */
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

struct text { char *p; size_t n, cap; };        /* grows; NUL-terminated once written to */
void text_add(struct text *t, const void *p, size_t n);
void text_str(struct text *t, const char *s);
void text_fmt(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

double mono(void);                      /* seconds since start, does not jump */
int64_t server_now(void);               /* seconds since 1970 on the server's own clock */
void clock_advance(int64_t seconds);
void format_time(char out[21], int64_t t);
bool parse_time(const char *s, int64_t *t);     /* exactly YYYY-MM-DDTHH:MM:SSZ */

void chance_seed(uint64_t seed);        /* 0: from the kernel */
uint64_t chance(uint64_t n);            /* 0 .. n-1 */
void chance_text(char *out, size_t n, const char *alphabet);    /* n characters and a NUL */
extern const char HEX[], BASE62[], URLSAFE[];

bool utf8_ok(const char *s, size_t n);
char *lower(const char *s);             /* allocated; Unicode lower case */
size_t utf8_length(const char *s, size_t n);    /* characters */
void hex(char *out, const unsigned char *p, size_t n);
char *base64url(const void *p, size_t n);       /* allocated, without padding */
ssize_t base64_decode(const char *s, unsigned char *out, size_t cap);  /* either alphabet; -1 */

void stop_all(void);                    /* wakes whoever naps, waits or stalls, for good */
bool stopping(void);
void nap(long ms);                      /* ends early when the server stops */
void rate_take(size_t n);               /* blocks until n more bytes may pass */

/* ---- json.c: reading strictly, writing in Dropbox's two styles ---- */

cJSON *json_parse(const char *s, size_t n);     /* NULL: not one whole JSON text in UTF-8 */
char *json_text(const cJSON *j, enum json_style style, bool ascii);     /* allocated */
cJSON *json_get(const cJSON *j, const char *key);
const char *json_str(const cJSON *j, const char *key, const char *dflt);
double json_num(const cJSON *j, const char *key, double dflt);
int64_t json_int(const cJSON *j, const char *key, int64_t dflt);        /* within +-2^53 */
bool json_flag(const cJSON *j, const char *key, bool dflt);
cJSON *json_tag(const char *tag);               /* {".tag": tag} */
cJSON *json_tags(const char *tags);     /* "a/b": {".tag":"a","a":{".tag":"b"}} */
const char *json_tag_of(const cJSON *union_);   /* of "tag" or {".tag": "tag"}; "" if neither */

/* ---- chash.c: Dropbox's content_hash, incremental ---- */

struct chash {
	EVP_MD_CTX *block;              /* of the block being filled */
	unsigned char *digest;          /* of the full blocks */
	size_t blocks, cap;
	uint64_t len;
};
void chash_init(struct chash *h);
void chash_free(struct chash *h);
void chash_copy(struct chash *to, const struct chash *from);    /* to is uninitialised */
void chash_add(struct chash *h, const void *p, size_t n);
/* hash of what follows the first `skip` blocks; the state stays usable */
void chash_hex(const struct chash *h, size_t skip, char out[HEX_HASH]);
void chash_tail(const struct chash *h, unsigned char out[32]);  /* of the unfinished block */
void chash_of_digests(const unsigned char *d, size_t blocks, char out[HEX_HASH]);

/* ---- schema.c: is this argument what the route's specification says? ---- */

enum type { T_BOOL, T_UINT, T_STR, T_PATH, T_REV, T_HASH, T_TIME, T_STRUCT, T_TAG, T_MODE, T_LIST,
	T_ANY };
enum { P_SLASH = 1, P_EMPTY = 2, P_ID = 4, P_REV = 8, P_NS = 16 };      /* forms a path may have */

struct field {
	const char *name;
	enum type type;
	bool required;
	double lo, hi;                  /* numbers; characters of a string; items of a list */
	unsigned paths;                 /* T_PATH: P_… */
	const struct field *sub;        /* T_STRUCT, T_LIST */
	const char *tags;               /* T_TAG: "a|b" */
};
/* NULL if it fits, else an allocated text as Dropbox words it */
char *schema_check(const cJSON *arg, const struct field *fields);

/* ---- calls, routes, replies (http.c) ---- */

struct reply {
	int status;
	const char *type;               /* Content-Type, NULL: none */
	char *body;                     /* owned */
	size_t len;
	struct { char *name, *value; } header[16];
	unsigned headers;
	int fd;                         /* file body if >= 0: `n` bytes from `off` */
	uint64_t off, n;
};

enum style { RPC, UPLOAD, DOWNLOAD, FORM, LONGPOLL, CONTROL };

struct call;
struct route {
	const char *name;               /* "files/upload" */
	enum host host;
	enum style style;
	const char *scope;              /* NULL: needs no token; "": any token */
	const struct field *arg;        /* NULL: the route takes none */
	void (*begin)(struct call *);   /* UPLOAD: before the body arrives; may fail the call */
	void (*run)(struct call *);
};

struct session;
struct sink {                           /* where the body of an upload goes */
	int fd;                         /* -1: nowhere */
	char tmp[40];                   /* its name under the root while it is a temporary file */
	uint64_t base;                  /* position in the file of the body's first byte */
	struct chash hash;              /* of the file so far, or of this piece alone */
	size_t skip;                    /* blocks of `hash` before this body */
	bool own;                       /* the body needs a hash of its own: `piece` */
	struct chash piece;
	struct session *session;
	unsigned long turn;             /* of the session when this piece began */
	bool failed;                    /* could not be written */
};

struct fault;
struct call {
	struct MHD_Connection *conn;
	enum host host;
	const char *method;
	char *url;
	const struct route *route;      /* NULL: unknown */
	char *argtext;
	cJSON *arg;
	struct text body;                /* of all but uploads */
	struct sink sink;
	uint64_t got;                   /* body bytes received */
	bool judged;                    /* its headers and argument were looked at */
	bool decided;                   /* the reply stands, the rest of the body is drained */
	bool answered;                  /* reply already written by hand, close when done */
	struct reply reply;
	struct fault *fault;            /* chosen for this call, a copy */
	uint64_t sent;                  /* body bytes of the reply */
	/* for the log */
	char id[33];
	double t0;
	int64_t wall0;
	unsigned parallel, parallel_all;
	const char *token_state;        /* none, valid, expired, revoked, unknown, malformed */
	char token_id[8];
	char fault_name[32];
	bool logged;
};

const char *header(const struct call *c, const char *name);     /* NULL if absent */
bool body_length(const struct call *c, uint64_t *n);            /* false: chunked */
void reply_header(struct call *c, const char *name, const char *value);
void reply_json(struct call *c, int status, cJSON *j);          /* takes j; in the chosen style */
void reply_text(struct call *c, int status, const char *type, const char *text);
void reply_bad(struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* a route's error by the path of its tags, "path/conflict/file"; shaped as the route does */
void reply_error(struct call *c, const char *tags);
void reply_error_with(struct call *c, const char *tags, cJSON *error);  /* takes error */
char *error_summary(const char *tags);

bool server_start(int listener[HOSTS], const char *cert, const char *key);
void server_stop(void);
void fill_routes(void);
const struct route *route_find(const char *name);

/* ---- auth.c ---- */

void auth_init(void);
void auth_replay(const cJSON *event);
void auth_note(struct call *c);         /* for the log: whose token came along */
bool auth_check(struct call *c);        /* false: the call is decided */
void auth_refuse(struct call *c, const char *tag);      /* fault: 401 */
void auth_expire(struct call *c);       /* fault: this call's token is over, now */
void auth_close(void);
const char *auth_key(void), *auth_secret(void), *auth_refresh(void);
cJSON *auth_mint(const cJSON *spec);    /* control: {"access_token": …} */
cJSON *auth_authorize(const cJSON *spec);       /* control: the user's browser */
unsigned auth_revoke(const char *token);        /* control: one token, or NULL: all; how many */
void route_token(struct call *c);
void route_revoke(struct call *c);
void route_account(struct call *c);
void route_space(struct call *c);
void route_check_user(struct call *c);

/* ---- store.c: names, revisions, bytes ---- */

enum entry_kind { ENTRY_DELETED, ENTRY_FILE, ENTRY_FOLDER };

struct rev {                            /* never freed, never moved: may be held without the lock */
	char rev[32], id[32], hash[HEX_HASH];
	char *key;                      /* lower path it was written to */
	char *display;
	uint64_t size;
	int64_t client, server;
	bool gone;                      /* no longer kept */
};
struct entry {
	char *key, *display;
	enum entry_kind kind;
	char id[32];
	struct rev *rev;                /* newest, also of a deleted file */
	int64_t deleted;                /* when */
	uint64_t seq;                   /* of the last change */
};

void store_lock(void);
void store_unlock(void);
bool store_open(void);                  /* reads the journal; false: reported */
void store_close(void);
void store_wipe(void);                  /* forget every file */
uint64_t store_seq(void);               /* number of the newest change */
const char *store_epoch(void);          /* names this store; cursors of another are reset */
bool store_wait(uint64_t seq, double until);    /* holding the lock: until something newer */
uint64_t store_used(void);
void journal(cJSON *event);             /* takes event, appends it */

struct entry *entry_find(const char *key);      /* also deleted ones; NULL: never existed */
struct entry *entry_by_id(const char *id);
struct rev *rev_find(const char *rev);
size_t entry_count(void);
struct entry *entry_at(size_t i);       /* in order of their keys */
struct rev *rev_at(size_t i);           /* oldest first; NULL: no more */

/* Resolve a path argument. On failure: NULL and the tags of the LookupError or WriteError in *why
 * ("malformed_path", "not_found" …); the root is not a path. */
struct where { char *key, *display; struct entry *entry; struct rev *rev; };
bool where_read(const char *path, struct where *w, const char **why);
bool where_write(const char *path, struct where *w, const char **why);
void where_free(struct where *w);
bool is_root(const char *path);

struct commit {                         /* CommitInfo */
	const char *mode, *update;      /* add, overwrite, update; the revision for update */
	bool autorename, strict, has_time;
	int64_t client;
};
void commit_from(struct commit *ci, const cJSON *arg);
/* Make the finished temporary file the content of `path`. Returns the revision (the old one if
 * nothing had to change) or NULL with *why. The file at `tmp` is consumed on success. */
struct rev *store_commit(const char *path, const struct commit *ci, const char *tmp, uint64_t size,
	const char *hash, const char **why);
struct rev *store_link(const char *display, const char *id, const struct rev *from);
struct entry *store_mkdir(const char *display);
void store_delete(struct entry *e);     /* and all below */
const char *store_parents(const char *display); /* makes them; NULL or the tags of the refusal */
char *store_autorename(const char *display, const char *suffix);
int blob_open(const char *hash);

cJSON *meta_file(const struct rev *r, bool tag);
cJSON *meta_entry(const struct entry *e);       /* with .tag */

int tmp_open(char name[40]);            /* a new temporary file; its name under the root */

/* ---- files.c, list.c, transfer.c, session.c ---- */

void route_get_metadata(struct call *c);
void route_create_folder(struct call *c);
void route_delete(struct call *c);
void route_move(struct call *c);
void route_copy(struct call *c);
void route_list_revisions(struct call *c);
void route_restore(struct call *c);

void route_list_folder(struct call *c);
void route_list_continue(struct call *c);
void route_latest_cursor(struct call *c);
void route_longpoll(struct call *c);

void route_download(struct call *c);
void upload_begin(struct call *c);
void route_upload(struct call *c);
void sink_open(struct call *c, int fd, const char *tmp);
void sink_write(struct call *c, const char *p, size_t n);
void sink_close(struct call *c);
bool sink_hash_ok(struct call *c);      /* against the content_hash argument */

void start_begin(struct call *c);
void route_start(struct call *c);
void append_begin(struct call *c);
void route_append(struct call *c);
void finish_begin(struct call *c);
void route_finish(struct call *c);
void route_start_batch(struct call *c);
void route_finish_batch(struct call *c);
void route_finish_batch_async(struct call *c);
void route_finish_batch_check(struct call *c);
char *session_adopt(struct call *c);    /* the body of a refused upload becomes a session; its id */
bool session_overtaken(const struct sink *k);
void sessions_load(void);
void sessions_save(void);

/* ---- fault.c ---- */

enum fault_act { F_NONE, F_REPLY, F_TAGS, F_AUTH, F_RESET, F_CLOSE, F_STALL, F_TRICKLE, F_DELAY,
	F_SHORT, F_TRUNCATE, F_FLIP, F_IGNORE_RANGE, F_WRONG_RANGE, F_NO_RESULT, F_CUT_JSON,
	F_EMPTY, F_MERGE, F_HEADER, F_REPLACE, F_RAW, F_EARLY };

struct fault {
	enum fault_act act;
	char kind[32], route[64];
	const char *match;              /* NULL or text that the argument must contain */
	long after, count;              /* calls to let pass; then to hit (-1: all) */
	int64_t at;                     /* byte position in the file, -1: none */
	int64_t in_body;                /* byte position in this call's body, -1: none */
	bool mid;                       /* without a position: in the middle of the body */
	bool apply;                     /* do the call, then spoil the reply */
	long ms;
	int status;
	const char *type, *text;
	char retry_after[64];           /* "": no such header */
	cJSON *spec;                    /* owns what the pointers point to */
	unsigned long fired;
	struct fault *next;
};
char *fault_add(const cJSON *spec);     /* NULL, or why not (allocated) */
void faults_clear(void);
cJSON *faults_json(void);
/* Chooses the fault of this call, whose body covers the bytes from base (to end, if has_end). */
void fault_pick(struct call *c, uint64_t base, bool has_end, uint64_t end);
/* Position in a body of n bytes that starts at `base` of the file; -1: none, or not in there. */
int64_t fault_spot(const struct fault *f, uint64_t base, uint64_t n);
void fault_free(struct fault *f);
bool fault_before(struct call *c);      /* before the call is carried out; false: hang up */
void fault_reply(struct call *c);       /* the fault's own reply */
void fault_spoil(struct call *c);       /* changes the finished reply */
void stall(struct call *c);             /* until released, the client hangs up, or we stop */
void stalls_release(void);
bool stalls_wait(unsigned n, double until);
void hard_reset(struct call *c);        /* RST on the wire */
bool raw_reply(struct call *c, const char *kind);       /* by hand; false: the client is gone */

/* ---- log.c, control.c ---- */

bool log_open(void);
void log_close(void);
void log_clear(void);
void log_arrive(struct call *c);
void log_call(struct call *c, bool complete);   /* once a call */
void log_leave(struct call *c);
void log_stalled(int change);
bool log_wait(const char *route, unsigned long calls, double until);    /* that many arrived */
bool log_settle(double until);          /* no call is under way, stalled ones and polls aside */
cJSON *log_stats(void);
int log_fd(void);                       /* a descriptor of its own */

/* Puts content at a path as if another client had; NULL or why not (a constant). */
const char *put_file(const char *path, const cJSON *spec);
void route_control(struct call *c);
char *env_text(void);                   /* the env file: allocated */

#endif
